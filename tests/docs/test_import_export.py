"""The pages on import and on migrating from Hanko, run as they stand."""

import base64
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import asyncpg
import bcrypt
import httpx
import pytest
from credentials.authenticator import Authenticator
from databases import administer, visiting
from faces.clients import Face
from flows.walking import RestClient, preflight
from processes import servers
from transfer.hankos import BAG, TABLES, fill

from app.assembly import assemble
from app.config import load, settings
from app.credentials.totp_codes import code_at, step_at
from app.persistence import fetch

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "import-export.md"
MIGRATION = ROOT / "docs" / "migrating-from-hanko.md"
EXAMPLE = ROOT / "tests" / "config" / "reference" / "production.yaml"
BLOCK = re.compile(r"^(<!-- run -->\n)?```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FROM_OUTSIDE = {
    "SECRET_KEYS": "a-random-text-of-my-own-0001",
    "EMAIL_DELIVERY_SMTP_PASSWORD": "word-of-the-mail-server",
    "RATE_LIMITER_STORE": "in_memory",  # there is no Redis
}
"""The variables that the example's first lines name."""

PASSWORD, SECRET = "correct horse battery", base64.b32encode(b"12345678901234567890").decode()


def shell(script: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a script in which `sekisho` is the command under test."""
    ours = {variable for setting in settings() for variable in setting.variables}
    kept = {name: value for name, value in os.environ.items() if name not in ours}  # noqa: TID251
    command = f'sekisho() {{ "{sys.executable}" -m app "$@"; }}\n'
    return subprocess.run(
        ["bash", "-c", command + script],
        cwd=folder,
        env=kept | {"PYTHONPATH": str(ROOT), "DATA_DIR": str(folder / "data")} | variables,
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )


def test_the_guide_to_import_and_export_works_as_typed(tmp_path):
    found = BLOCK.findall(GUIDE.read_text())
    steps = [(typed, found[n + 1][2]) for n, (runs, _, typed) in enumerate(found[:-1]) if runs]
    assert len(steps) == 6
    (first, *_) = found
    assert shell(first[2], tmp_path).returncode == 0
    for typed, shown in steps:
        ran = shell(typed, tmp_path)
        assert (ran.stdout, ran.stderr) == (shown, ""), typed


@pytest.fixture
async def hanko(postgres):
    """The URL of a database of Hanko's, with one user who has everything."""
    name = f"hanko_{uuid4().hex}"
    await administer(postgres, f"CREATE DATABASE {name}")
    yield urlsplit(postgres)._replace(path=f"/{name}").geturl()
    await administer(postgres, f"DROP DATABASE {name} WITH (FORCE)")


def steps_with(text: str) -> str:
    blocks = BLOCK.findall(MIGRATION.read_text())
    return "".join(typed for _, word, typed in blocks if word == "sh" and text in typed)


async def test_a_newcomer_takes_users_over_from_hankos_database(hanko, fresh, clock, tmp_path):
    user_id = UUID("799e95f0-4cc7-4bd7-9f01-5fdc4fa26ea3")
    hashed = "$2a$" + bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()[4:]
    connection = await asyncpg.connect(hanko)
    for statement in TABLES:
        await connection.execute(statement)
    await fill(connection, user_id, hashed, SECRET, Authenticator())
    (statement,) = (sql for _, word, sql in BLOCK.findall(MIGRATION.read_text()) if word == "sql")
    lines = [row[0] for row in await connection.fetch(statement)]
    await connection.close()
    assert len(lines) == 3
    (tmp_path / "users.ndjson").write_text("\n".join(lines) + "\n")
    shutil.copy(EXAMPLE, tmp_path / "hanko.yaml")
    url = (await fresh()).database.url.reveal() or f"sqlite:///{tmp_path}/here.sqlite"
    variables = FROM_OUTSIDE | {"DATABASE_URL": url, "DATA_DIR": str(tmp_path / "data")}
    told, exports = "", steps_with("export ")
    later = ("sekisho jwk create", "sekisho key create --scope users:read")
    for step in (*map(steps_with, ("config check", "user validate", "user import")), *later):
        ran = shell(exports + step, tmp_path, **variables)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        told += ran.stdout
    assert "environment is development" not in told
    assert "an import would end with: 2 imported\n2 imported\n" in told
    assert not list(tmp_path.rglob("encryption.key"))
    again = shell(exports + steps_with("user import"), tmp_path, **variables)
    assert again.returncode == 1  # nothing of a rehearsal is imported over
    see_it_answer(
        tmp_path, dict(re.findall(r"^export (\w+)=(\S+)$", exports, re.MULTILINE)), variables
    )
    config = load(tmp_path / "hanko.yaml", variables)
    async with visiting(config):
        services = assemble(config, clock=clock)
        await services.signing_keys.load()
        await see_them_sign_in(services)
        (row,) = await fetch("SELECT public_bag FROM user_metadata WHERE user_id = $1", user_id)
        assert row["public_bag"] == BAG
        found = await fetch("SELECT provider, issuer, subject FROM identity ORDER BY provider")
        assert [tuple(row.values()) for row in found] == [
            ("custom_forum", "custom_forum", "77"),
            ("google", "https://accounts.google.com", "1234567890"),
        ]
        (passkey,) = await services.passkeys.list(user_id)
        assert passkey.transports == ("hybrid", "internal")
        await services.passwords.close()


def see_it_answer(folder: Path, typed: dict[str, str], variables: dict[str, str]) -> None:
    """Serve in production, and ask by the host that the page has typed, and by another."""
    given = variables | typed | {"WEBHOOKS_ENABLED": "false"}
    server = servers.start(folder, config=folder / "config" / "config.yaml", **given)
    host = urlsplit(typed["SERVER_PUBLIC_URL"]).netloc

    def status(host: str) -> int | None:
        url = f"{server.url}/.well-known/jwks.json"
        try:
            return httpx.get(url, headers={"host": host}).status_code
        except httpx.TransportError:
            return None

    try:
        servers.until(lambda: status(host) == 200 or server.process.poll() is not None)
        assert (status(host), status("elsewhere.example")) == (200, 400), server.errors
        assert "Sekisho is starting (production, " in server.output
        assert "sk_" not in server.output
        assert server.errors.count("configured claims may not fit") == 1
    finally:
        server.stop()


def test_nobody_is_told_to_import_over_a_rehearsal():
    assert "--on-conflict" not in MIGRATION.read_text()


async def see_them_sign_in(services) -> None:
    """Sign in with what was set up at Hanko: the password, and the code of the app."""
    client = RestClient(Face(services))
    await preflight(client)
    step = await client.act("continue_with_login_identifier", email="korey@wolff.example")
    assert step.name == "login_method_chooser", step
    await client.act("continue_to_password_login")
    step = await client.act("password_login", password=PASSWORD)
    assert step.name == "login_otp", step
    code = code_at(SECRET, step_at(services.clock()))
    step = await client.act("otp_code_validate", otp_code=code)
    if step.name == "device_trust":
        step = await client.act("skip")
    assert step.name == "success", step
    assert any(line.startswith("__Secure-session=") for line in step.cookies)


@pytest.mark.parametrize("page", [GUIDE, MIGRATION], ids=["guide", "migration"])
def test_a_page_names_only_codes_that_there_are(page):
    errors = (ROOT / "docs" / "errors.md").read_text()
    named = set(re.findall(r"\(([a-z]+_[a-z_]+)\)", page.read_text()))
    assert {code for code in named if f"`{code}`" not in errors} == set()
