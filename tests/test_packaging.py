"""What the project is installed from, tested with and shipped in: locks, make, image."""

import json
import os
import re
import stat
import subprocess
import tomllib
from pathlib import Path

import asyncpg
import pytest
from packaging.requirements import Requirement
from packaging.version import Version
from redis.asyncio import Redis

from app.config import settings
from tests.services import postgres_url, redis_url

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKS = ("run", "aws", "otel", "saml", "build", "node", "dev")
GROUPS = {"build": ["build"], "node": ["node"], "dev": ["test", "check", "build", "lock"]}

FLOORS = {  # appendix B of the security page; a version below has a known advisory
    "authlib": "1.9.0",
    "joserfc": "1.8.0",
    "litestar": "2.25.0",
    "multipart": "1.3.1",
    "piccolo": "1.1.1",
    "pyjwt": "2.15.0",
    "python-multipart": "0.0.27",
    "strawberry-graphql": "0.327.2",
    "webauthn": "2.7.0",
}

REGISTRIES = [  # apart from their top level, so that this file names none
    f"{name}.{top}"
    for name, top in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("yarnpkg", "com"),
        ("deb.debian", "org"),
    )
]


def locked(name: str) -> dict[str, Requirement]:
    text = (ROOT / "requirements" / f"{name}.txt").read_text().replace("\\\n", "")
    lines = [line.split("--hash")[0] for line in text.splitlines() if line and line[0] not in " #"]
    return {r.name.lower(): r for r in map(Requirement, lines)}


def version(requirement: Requirement) -> Version:
    return Version(str(requirement.specifier).removeprefix("=="))


def repository_files() -> list[Path]:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout
    return [ROOT / os.fsdecode(name) for name in names.split(b"\0") if name]


# Locks


@pytest.mark.parametrize("name", LOCKS)
def test_every_locked_package_has_one_version_and_its_hashes_sec_127(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text().replace("\\\n", "")
    entries = [line for line in text.splitlines() if line and line[0] not in " #"]
    assert entries
    for entry in entries:
        assert re.match(r"[a-z0-9-]+==[^ *]+ ", entry), entry
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry


@pytest.mark.parametrize("name", ["run", "dev"])
def test_no_locked_version_is_below_the_floors_sec_127(name: str) -> None:
    low = {
        package: str(requirement)
        for package, requirement in locked(name).items()
        if version(requirement) < Version(FLOORS.get(package, "0"))
    }
    assert low == {}
    assert len(FLOORS.keys() & locked(name).keys()) >= len(FLOORS) - 1  # one may go unused


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_holds_all_that_the_project_asks_for(name: str) -> None:
    asked = (
        PROJECT["project"]["dependencies"] if name in ("run", "aws", "otel", "saml", "dev") else []
    )
    if name in PROJECT["project"]["optional-dependencies"]:
        asked = asked + PROJECT["project"]["optional-dependencies"][name]
    asked = asked + [line for part in GROUPS.get(name, []) for line in group(part)]
    pins = locked(name)
    for wanted in map(Requirement, asked):
        assert wanted.name.lower() in pins, f"{wanted}: run `make lock`"
        assert version(pins[wanted.name.lower()]) in wanted.specifier, f"{wanted}: run `make lock`"


def group(name: str) -> list[str]:
    lines: list[str] = []
    for line in PROJECT["dependency-groups"][name]:
        lines += [line] if isinstance(line, str) else group(line["include-group"])
    return lines


def test_every_dependency_group_is_locked() -> None:
    assert set(PROJECT["dependency-groups"]) == {g for groups in GROUPS.values() for g in groups}
    assert set(PROJECT["build-system"]["requires"]) <= set(group("build"))


def test_the_tests_run_on_the_versions_that_are_shipped() -> None:
    tested = {name: version(pin) for name, pin in locked("dev").items()}
    shipped = {name: version(pin) for name, pin in locked("run").items()}
    assert shipped.items() <= tested.items()


def test_no_file_names_a_registry_host_sec_127() -> None:
    found = re.compile("|".join(map(re.escape, REGISTRIES)).encode())
    files = [path for path in repository_files() if path.is_file()]
    assert ROOT / "pyproject.toml" in files
    assert [str(path) for path in files if found.search(path.read_bytes())] == []


@pytest.mark.parametrize("folder", ["explorer", "quickstart", "tests/peers"])
def test_npm_packages_are_locked_by_hash_and_not_by_address_sec_127(folder: str) -> None:
    packages = json.loads((ROOT / folder / "package-lock.json").read_text())["packages"]
    assert len(packages) > 1
    for place, package in packages.items():
        assert place == "" or package["integrity"].startswith("sha512-"), place
        assert "resolved" not in package, place


def test_the_licence_is_the_one_the_project_names() -> None:
    assert PROJECT["project"]["license"] == "Apache-2.0"
    assert "Apache License" in (ROOT / "LICENSE").read_text()
    assert Version(PROJECT["project"]["version"])


# Make and CI


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["env", "-u", "MAKEFLAGS", "-u", "MAKELEVEL", "make", *arguments]  # as from a shell
    return subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)


def phony_targets() -> set[str]:
    listed = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert listed
    return set(listed[1].split())


def test_make_alone_lists_every_target() -> None:
    answer = make()
    assert answer.returncode == 0
    assert set(re.findall(r"^  make (\w+) +\w", answer.stdout, re.MULTILINE)) == phony_targets()


def test_make_needs_no_file_that_is_not_there() -> None:
    named = re.findall(r"-[rc] (requirements/\S+)", (ROOT / "Makefile").read_text())
    assert set(named) == {f"requirements/{name}.txt" for name in LOCKS}
    assert all((ROOT / name).is_file() for name in named)


@pytest.mark.parametrize(
    ("refuses", "sentence"),
    [
        ("version_info", "Python 3.11 or newer is needed"),
        ("ensurepip", "This Python lacks venv"),
    ],
)
def test_make_says_in_one_line_what_python_lacks(
    tmp_path: Path, refuses: str, sentence: str
) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\ncase "$2" in *{refuses}*) exit 1;; esac\n')
    python.chmod(0o755)
    answer = make("run", f"PYTHON={python}", f"VENV={tmp_path / 'venv'}")
    told, make_itself = answer.stderr.splitlines()
    assert answer.returncode == 2
    assert told.startswith(sentence)
    assert make_itself.startswith("make: *** ")
    assert not (tmp_path / "venv").exists()


def test_ci_runs_the_checks_the_tests_and_the_browser() -> None:
    script = ROOT / ".ci" / "run"
    called = set(re.findall(r"\bmake ([a-z]+)$", script.read_text(), re.MULTILINE))
    assert script.stat().st_mode & stat.S_IXUSR
    assert called == {"check", "test", "browser"}
    assert called <= phony_targets()
    subprocess.run(["bash", "-n", script], check=True)


# The image


def dockerfile() -> list[list[tuple[str, str]]]:
    """The instructions, stage by stage."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = [line for line in re.sub(r"\\\n *", "", text).splitlines() if line]
    stages: list[list[tuple[str, str]]] = []
    for line in lines:
        word, _, rest = line.partition(" ")
        if word == "FROM":
            stages.append([])
        stages[-1].append((word, rest))
    return stages


def instructions(stage: list[tuple[str, str]], word: str) -> list[str]:
    return [rest for name, rest in stage if name == word]


def setting_variables() -> set[str]:
    return {variable for setting in settings() for variable in setting.variables}


def variables(stage: list[tuple[str, str]]) -> dict[str, str]:
    return dict(pair.split("=", 1) for line in instructions(stage, "ENV") for pair in line.split())


def test_the_image_is_built_from_pinned_images() -> None:
    bases = [line.split()[0] for stage in dockerfile() for line in instructions(stage, "FROM")]
    assert bases
    for base in bases:
        assert re.fullmatch(r"[a-z/]+:\d+\.\d+\S*", base), base


def test_the_image_copies_only_what_the_repository_has() -> None:
    ignore = (ROOT / ".dockerignore").read_text().splitlines()
    let_in = {line.removeprefix("!") for line in ignore if line.startswith("!")}
    assert "*" in ignore
    copied = {
        source.rstrip("/")
        for stage in dockerfile()
        for line in instructions(stage, "COPY")
        if not line.startswith("--from=")
        for source in line.split()[:-1]
    }
    assert copied == let_in
    assert [name for name in copied if not (ROOT / name).exists()] == []


def test_the_image_installs_by_hash_what_runs_and_nothing_for_tests_sec_127() -> None:
    build, final = dockerfile()
    installs = [
        command
        for line in instructions(build, "RUN")
        for command in line.split("&&")
        if " install " in command and "--no-index" not in command
    ]
    named = [lock for command in installs for lock in re.findall(r"requirements/(\w+)", command)]
    assert all("--require-hashes" in command for command in installs)
    assert sorted(named) == ["aws", "build", "node", "otel", "saml"]
    assert not any("pip" in line for line in instructions(final, "RUN"))


def test_the_image_runs_as_nobody_special_and_holds_no_compiler_sec_128() -> None:
    final = dockerfile()[-1]
    (user,) = instructions(final, "USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    assert instructions(final, "FROM") == ["python:3.13-slim"]
    assert instructions(final, "COPY") == ["--from=build /opt/sekisho /opt/sekisho"]
    assert instructions(final, "RUN") == ["install -d -m 700 -o 10001 -g 10001 /data"]
    assert instructions(final, "VOLUME") == ["/data"]
    assert [word for word, _ in final].index("USER") > [word for word, _ in final].index("RUN")


def test_the_image_holds_no_secret_and_starts_in_production_sec_128() -> None:
    stages = dockerfile()
    named = {name for stage in stages for name in variables(stage)}
    assert not any(instructions(stage, "ARG") for stage in stages)
    assert [name for name in named if re.search("SECRET|PASSWORD|TOKEN|KEY|URL", name)] == []
    ours = {k: v for k, v in variables(stages[-1]).items() if not re.match("PATH|PYTHON", k)}
    assert ours == {"ENVIRONMENT": "production", "DATA_DIR": "/data"}
    assert ours.keys() <= setting_variables()


def test_the_image_starts_the_server_and_asks_it_how_it_is() -> None:
    final = dockerfile()[-1]
    (entry,) = (json.loads(line) for line in instructions(final, "ENTRYPOINT"))
    (command,) = (json.loads(line) for line in instructions(final, "CMD"))
    (health,) = instructions(final, "HEALTHCHECK")
    assert [*entry, *command] == ["sekisho", "serve", "all"]
    assert json.loads(health.split(" CMD ")[1]) == ["sekisho", "isready", "public"]
    assert "sekisho" in PROJECT["project"]["scripts"]
    assert instructions(final, "EXPOSE") == ["8000 8001"]
    assert instructions(final, "STOPSIGNAL") == ["SIGTERM"]


# PostgreSQL and Redis of the tests


async def test_a_postgresql_of_our_own_starts_and_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEKISHO_TEST_POSTGRES_URL", raising=False)
    with postgres_url() as url:
        connection = await asyncpg.connect(url)
        assert await connection.fetchval("SELECT lower('ÄRGER')") == "ärger"
        await connection.close()
    with pytest.raises(ConnectionRefusedError):
        await asyncpg.connect(url)


async def test_a_redis_of_our_own_starts_and_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEKISHO_TEST_REDIS_URL", raising=False)
    with redis_url() as url:
        client = Redis.from_url(url)
        assert await client.incr("visits") == 1
        await client.aclose()


def test_servers_named_in_the_environment_are_taken_as_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SEKISHO_TEST_POSTGRES_URL", "postgres://there/one")
    monkeypatch.setenv("SEKISHO_TEST_REDIS_URL", "redis://there/0")
    with postgres_url() as postgres, redis_url() as redis:
        assert (postgres, redis) == ("postgres://there/one", "redis://there/0")
