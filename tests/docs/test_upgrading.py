"""An upgrade to a version with one migration more, and the way back, by docs/operations.md."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from docs.recipes import commands, section
from processes import servers
from processes.servers import ROOT, Server, ask

PAGE = "operations.md"
CREATE_USER = """mutation ($name: String!) {
  createUser(input: {username: $name}) { user { id } userErrors { code } } }"""
USERS = "{ users(first: 10) { nodes { username } } }"
MIGRATION = '''"""Something that a later version keeps of users."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from app.persistence import fetch

ID = "2999-01-01T00:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Shoe sizes"


async def forwards() -> MigrationManager:
    """Give what to run, both ways."""
    manager = MigrationManager(migration_id=ID, app_name="sekisho", description=DESCRIPTION)
    manager.add_raw(add)
    manager.add_raw_backwards(take_away)
    return manager


async def add() -> None:
    """Add the column."""
    await fetch("ALTER TABLE app_user ADD COLUMN shoe_size INTEGER")


async def take_away() -> None:
    """Drop the column."""
    await fetch("ALTER TABLE app_user DROP COLUMN shoe_size")
'''
Start = Callable[..., Server]


@pytest.fixture
def newer(tmp_path: Path) -> dict[str, str]:
    """The variables that make a process the later version."""
    package = tmp_path / "newer" / "piccolo_migrations"
    shutil.copytree(ROOT / "piccolo_migrations", package)
    (package / "sekisho_2999_01_01t00_00_00_000000.py").write_text(MIGRATION)
    return {"PYTHONPATH": f"{package.parent}:{ROOT}"}


@pytest.fixture
def shared(tmp_path: Path, new_database: dict[str, str]) -> dict[str, str]:
    """The variables that lead every process to one database."""
    return {"DATA_DIR": str(tmp_path / "data"), **new_database}


@pytest.fixture
def start(tmp_path: Path, shared: dict[str, str]) -> Iterator[Start]:
    """Starts a server on it, without waiting for it."""
    started: list[Server] = []

    def begin(**variables: str) -> Server:
        folder = tmp_path / f"server{len(started)}"
        started.append(servers.start(folder, **shared, **variables))
        return started[-1]

    yield begin
    for server in started:
        server.stop()


def works(server: Server, key: str, name: str) -> bool:
    """Say whether a server is ready, writes, and reads what it has written."""
    made = ask(server.url, CREATE_USER, key, name=name)["data"]["createUser"]
    nodes = ask(server.url, USERS, key)["data"]["users"]["nodes"]
    return server.is_ready() and made["userErrors"] == [] and {"username": name} in nodes


def test_the_version_before_serves_during_an_upgrade_and_after_it_and_does_not_start_sec_135(
    tmp_path: Path, start: Start, newer: dict[str, str], shared: dict[str, str]
) -> None:
    old = start()
    old.wait_until_ready()
    key = old.secret_key
    assert works(old, key, "before")

    new = start(**newer)
    new.wait_until_ready()
    assert "1 migration(s) applied" in new.output
    assert works(new, key, "new")
    assert works(old, key, "old")  # beside the new one, on a schema that is ahead of it

    again = start()
    assert again.wait() == 1
    assert "has migration 2999-01-01T00:00:00:000000, unknown here" in again.errors

    old.stop()
    new.stop()
    status, down = commands(section(PAGE, "Going back"))
    assert "Shoe sizes" in servers.run(tmp_path, *status, **shared, **newer).stdout
    undone = servers.run(tmp_path, *down, **shared, **newer)
    assert undone.returncode == 0, undone.stderr
    back = start()
    back.wait_until_ready()
    assert works(back, key, "back")
    assert not back.output.count("applied")
