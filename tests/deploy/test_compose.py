"""The file for Docker Compose: that it says what the server reads, and gives away nothing."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from app import worker
from app.cli import running
from app.config import Config, ConfigurationRefused, load, settings
from app.http import Listener
from app.http.listener import Name
from app.server import address_of

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy"
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
OF_POSTGRES = "POSTGRES_PASSWORD"
OURS = ("server", "migrate")
REST = 4.0
"""Seconds of stopping for being found not ready, and for the last spans."""


def compose() -> dict[str, dict]:
    services: dict[str, dict] = yaml.safe_load((FOLDER / "compose.yaml").read_text())["services"]
    return services


def example() -> dict[str, str]:
    """What the example environment sets, and to what."""
    lines = (FOLDER / ".env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def known_variables() -> set[str]:
    return {variable for setting in settings() for variable in setting.variables}


def filled(values: dict[str, str]) -> dict[str, str]:
    """The server's variables as Compose makes them of the file .env and of its own."""

    def value(found: re.Match[str]) -> str:
        name, default = found[1], found[2] or ""
        return values[name] or (default[2:] if default.startswith(":-") else "")

    given = compose()["server"]["environment"]
    return values | {name: re.sub(r"\$\{(\w+)([^}]*)\}", value, given[name]) for name in given}


def configured(folder: Path, **values: str) -> Config:
    """Read the server's configuration where the file .env holds *values* beside what it must."""
    nothing = folder / "config.yaml"
    nothing.write_text("")
    must = {
        "SECRET_KEYS": "made-up-for-this-test",
        "POSTGRES_PASSWORD": "made-up-for-this-test",
        "SERVER_PUBLIC_URL": "https://id.example.com",
        "WEBAUTHN_RELYING_PARTY_ORIGINS": "https://app.example.com",
        "EMAIL_DELIVERY_SMTP_HOST": "smtp.example.com",
    }
    return load(nothing, filled(example() | must | values))


def seconds(span: str) -> int:
    assert re.fullmatch(r"\d+s", span), span
    return int(span[:-1])


def test_it_sets_nothing_that_is_no_setting() -> None:
    for name in OURS:
        given = compose()[name]["environment"]
        assert set(given) - known_variables() == set()
        assert given["ENVIRONMENT"] == "production"
    assert set(example()) - known_variables() == {OF_POSTGRES}


def test_the_example_environment_names_what_is_asked_for_and_gives_no_value_sec_120() -> None:
    text = (FOLDER / "compose.yaml").read_text()
    assert set(re.findall(r"\$\{(\w+)", text)) - set(example()) == set()
    assert {value for value in example().values() if value} == set()
    assert all(compose()[name]["env_file"] == ".env" for name in OURS)


@pytest.mark.parametrize("name", ["deploy/.env", "deploy/kubernetes/example/secrets.env"])
def test_files_of_secrets_stay_out_of_version_control(name: str) -> None:
    asked = ["git", "check-ignore", "--quiet", name]
    assert subprocess.run(asked, cwd=ROOT, check=False).returncode == 0


def test_no_secret_stands_in_the_file() -> None:
    for service in compose().values():
        for name, text in service.get("environment", {}).items():
            if re.search("SECRET|PASSWORD|URL", name):
                assert "${" in text, name


def test_the_server_accepts_the_settings_once_the_values_are_given(tmp_path: Path) -> None:
    config = configured(tmp_path)
    assert config.is_production
    assert config.rate_limiter.store == "in_memory"
    asked = re.findall(r"\$\{(\w+):\?", (FOLDER / "compose.yaml").read_text())
    for name in set(asked) - {OF_POSTGRES}:
        with pytest.raises(ConfigurationRefused):
            configured(tmp_path, **{name: ""})


def test_any_other_setting_may_stand_in_the_file_of_variables(tmp_path: Path) -> None:
    assert configured(tmp_path, SESSION_LIMIT="7").session.limit == 7


def test_redis_counts_where_it_is_asked_for(tmp_path: Path) -> None:
    limiter = configured(tmp_path, RATE_LIMITER_STORE="redis").rate_limiter
    assert limiter.store == "redis"
    assert limiter.redis_config.address == "redis:6379"
    assert compose()["redis"]["profiles"] == ["redis"]


def test_behind_the_gateway_the_proxy_tells_who_asks(tmp_path: Path) -> None:
    ip = configured(tmp_path).server.ip
    assert ip.extractor == "x_forwarded_for"
    assert ip.trusted_proxies == [
        "172.16.0.0/12",
        "192.168.0.0/16",
    ]  # where Docker has its networks


@pytest.mark.parametrize("name", ["public", "admin"])
def test_backends_of_this_machine_call_the_ports_by_it(tmp_path: Path, name: Name) -> None:
    listener = Listener(name, configured(tmp_path))
    for host in ("localhost:8001", "127.0.0.1:8001", "id.example.com"):
        assert listener.accepts_host(host)
    assert not listener.accepts_host("elsewhere.example.com")
    told = Listener(name, configured(tmp_path, SERVER_ALLOWED_HOSTS="sekisho.internal"))
    assert told.accepts_host("sekisho.internal:8001")
    assert not told.accepts_host("localhost:8001")


def test_every_image_is_pinned() -> None:
    for service in compose().values():
        name, _, tag = service["image"].rpartition(":")
        assert name
        assert re.fullmatch(r"\d+\.\d+(\.\d+)?", tag), service["image"]
    assert compose()["server"]["image"] == f"sekisho:{VERSION}"


def test_the_listeners_ports_are_open_on_this_machine_alone(tmp_path: Path) -> None:
    ports = {name: service.get("ports", []) for name, service in compose().items()}
    config = configured(tmp_path)
    listening = [address_of(config, name)[1] for name in ("public", "admin")]
    assert ports.pop("server") == [f"127.0.0.1:{port}:{port}" for port in listening]
    assert not any(ports.values())


def test_what_the_server_does_not_need_is_taken_from_it_sec_128() -> None:
    for name in OURS:
        service = compose()[name]
        assert service["read_only"] is True
        assert service["tmpfs"] == "/tmp"  # noqa: S108  # the container's own
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert "user" not in service  # the image's own


def test_no_service_may_fill_the_memory_or_the_disk_with_logs() -> None:
    for service in compose().values():
        assert re.fullmatch(r"\d+[mg]", service["mem_limit"])
        assert service["logging"] == {"driver": "local"}


def test_the_database_is_migrated_before_the_server_starts() -> None:
    server, migrate = compose()["server"], compose()["migrate"]
    waits_for = {name: how["condition"] for name, how in server["depends_on"].items()}
    assert migrate["command"] == ["migrate", "up"]
    assert migrate["restart"] == "no"
    assert waits_for["migrate"] == "service_completed_successfully"
    assert server["healthcheck"]["test"] == ["CMD", "sekisho", "isready", "public"]


def test_the_server_is_given_the_time_that_stopping_takes_sec_139(tmp_path: Path) -> None:
    drain = configured(tmp_path).server.drain_timeout.total_seconds()
    stopping = drain + worker._LAST + running._CLOSING + REST
    assert seconds(compose()["server"]["stop_grace_period"]) > stopping
