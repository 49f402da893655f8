"""What docs/operations.md says of roles and connections, held against a real server."""

import asyncio
import re
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from databases import administer
from docs.recipes import blocks, marked, section, typed, with_programs
from processes import servers
from processes.servers import ask

from app.config import load

PAGE = "operations.md"
CREATE_USER = (
    """mutation { createUser(input: {username: "ada"}) { user { id } userErrors { code } } }"""
)
PASSWORD = "another-password"
ROLE = "sekisho_server"


SECRET = {"SECRET_KEYS": "made-up-for-this-test"}


@pytest.fixture
def owner(postgres: str):
    """The owner's URL of an empty database, in which the role of the page may be made."""
    config = load(Path("/dev/null"), {"DATABASE_URL": postgres})
    with servers.empty_database(config) as variables:
        url = variables["DATABASE_URL"]
        try:
            yield url
        finally:
            asyncio.run(administer(url, f"DROP OWNED BY {ROLE}"))
            asyncio.run(administer(url, f"DROP ROLE {ROLE}"))


def test_a_server_does_with_a_role_that_may_read_and_write_rows_alone(owner: str, tmp_path: Path):
    (made,) = blocks(section(PAGE, "Databases"), "sql")
    assert (ROLE in made, PASSWORD in made) == (True, True)
    up = servers.run(tmp_path, "migrate", "up", DATABASE_URL=owner, **SECRET)
    assert up.returncode == 0, up.stderr
    asyncio.run(administer(owner, made))

    limited = limited_to_rows(owner)
    down = servers.run(tmp_path, "migrate", "down", "1", "--yes", DATABASE_URL=limited, **SECRET)
    assert down.returncode == 1
    server = servers.start(tmp_path / "server", DATABASE_URL=limited, **SECRET)
    try:
        server.wait_until_ready()
        answer = ask(server.url, CREATE_USER, server.secret_key)
        assert answer["data"]["createUser"]["userErrors"] == []
        assert '"level":"error"' not in server.errors
    finally:
        server.stop()


def test_such_a_role_made_before_the_first_migration_waits_until_the_owner_has_applied_them(
    owner: str, tmp_path: Path
):
    """As the replicas on Kubernetes wait for the Job."""
    (made,) = blocks(section(PAGE, "Databases"), "sql")
    asyncio.run(administer(owner, made))
    theirs = {"DATABASE_URL": limited_to_rows(owner), **SECRET}
    refused = servers.run(tmp_path, "migrate", "up", **theirs)
    assert refused.returncode == 1
    waiting = subprocess.Popen(
        servers.command("migrate", "wait"),
        cwd=tmp_path,
        env=servers.inherited() | theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert waiting.stderr is not None
    try:
        assert waiting.stderr.readline() == "waiting for migrations that are missing\n"
        up = servers.run(tmp_path, "migrate", "up", DATABASE_URL=owner, **SECRET)
        assert up.returncode == 0, up.stderr
        out, err = waiting.communicate(timeout=servers.PATIENCE)
        assert (waiting.returncode, out, err) == (0, "nothing is missing\n", "")
    finally:
        waiting.kill()
        waiting.wait()
    server = servers.start(tmp_path / "server", **theirs)
    try:
        server.wait_until_ready()
    finally:
        server.stop()


def test_such_a_role_may_read_and_write_rows_after_a_restore_too(owner: str, tmp_path: Path):
    (made,) = blocks(section(PAGE, "Databases"), "sql")
    theirs = {"DATABASE_URL": owner, **SECRET}
    assert servers.run(tmp_path, "migrate", "up", **theirs).returncode == 0
    asyncio.run(administer(owner, made))
    assert servers.run(tmp_path, "migrate", "down", "3", "--yes", **theirs).returncode == 0
    for step in ("backup", "restore", "backup", "restore"):
        typed(marked(PAGE, f"{step}: postgres"), tmp_path, **with_programs(), **theirs)
    up = servers.run(tmp_path, "migrate", "up", **theirs)
    assert up.stdout.count("applied ") == 3  # those privileges are for tables to come, too
    server = servers.start(tmp_path / "server", DATABASE_URL=limited_to_rows(owner), **SECRET)
    try:
        server.wait_until_ready()
        answer = ask(server.url, CREATE_USER, server.secret_key)
        assert answer["data"]["createUser"]["userErrors"] == []
    finally:
        server.stop()


def limited_to_rows(owner: str) -> str:
    """The URL of the page's role, at the owner's database."""
    place = urlsplit(owner)
    return place._replace(netloc=f"{ROLE}:{PASSWORD}@{place.hostname}:{place.port}").geturl()


def test_the_table_of_connections_is_computed_as_it_says():
    pool = load(Path("/dev/null"), {}).database.pool
    rows = re.findall(r"^\| (\d+) \| (\d+) \| (\w+)", section(PAGE, "Capacity"), re.MULTILINE)
    assert len(rows) >= 3
    for replicas, connections, verdict in rows:
        assert int(connections) == (int(replicas) + 2) * pool  # one replica and one command more
        assert (verdict == "fits") == (int(connections) <= 100 - 3)
