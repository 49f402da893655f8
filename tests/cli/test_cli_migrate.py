import asyncio
import json
import sqlite3
from datetime import datetime

import pytest
from databases import administer

from app.cli import database
from app.clock import utc_now
from app.persistence import Migrations
from app.persistence.migrations import _modules

IDS = [module.ID for module in _modules()]


@pytest.fixture
def migrate(sekisho, new_database):
    """Runs `sekisho migrate` on an empty database of either kind."""

    def run(*words, **given):
        return sekisho("migrate", *words, **new_database, **given)

    return run


@pytest.fixture
def execute(tmp_path, new_database):
    """Runs a statement on that database, past the product."""

    def run(statement):
        if "DATABASE_URL" in new_database:
            asyncio.run(administer(new_database["DATABASE_URL"], statement))
            return
        connection = sqlite3.connect(tmp_path / "data" / "sekisho.sqlite")
        connection.execute(statement)
        connection.commit()
        connection.close()

    return run


def steps(migrate):
    return {row["id"]: row["applied_at"] for row in json.loads(migrate("status", "--json").out)}


def test_up_applies_what_is_missing_and_then_nothing(migrate):
    assert steps(migrate) == dict.fromkeys(IDS)
    first = migrate("up")
    assert (first.status, first.err) == (0, "")
    assert first.out == "".join(f"applied {name}\n" for name in IDS)
    assert migrate("up").out == "nothing to do\n"
    assert json.loads(migrate("up", "--json").out) == {"applied": []}


def test_status_says_when_each_was_applied(migrate):
    missing = migrate("status").out.splitlines()
    assert [line.split()[:2] for line in missing] == [[name, "missing"] for name in IDS]
    migrate("up")
    applied = migrate("status").out.splitlines()
    assert [line.split()[0] for line in applied] == IDS
    assert "missing" not in "".join(applied)
    assert all(datetime.fromisoformat(at) for at in steps(migrate).values())


def test_wait_waits_for_who_applies_them_and_applies_none_itself(migrate, monkeypatch):
    asked = []

    async def sleep(_):
        asked.append([step.applied_at for step in await Migrations(utc_now).status()])
        if len(asked) == 2:
            await Migrations(utc_now).up()

    monkeypatch.setattr(f"{database.__name__}.asyncio.sleep", sleep)
    waited = migrate("wait")
    assert (waited.status, waited.out) == (0, "nothing is missing\n")
    assert waited.err == "waiting for migrations that are missing\n"
    assert asked == [[None] * len(IDS)] * 2
    again = migrate("wait", "--json")
    assert (again.status, again.err, json.loads(again.out)) == (0, "", {"current": True})
    assert len(asked) == 2


def test_wait_is_content_with_what_a_newer_version_has_added(migrate, execute):
    migrate("up")
    row = "('9999_12_31t00_00_00', 'x', '2026-01-01T00:00:00+00:00')"
    execute(f"INSERT INTO schema_migration (id, checksum, applied_at) VALUES {row}")
    assert migrate("wait").status == 0


def test_wait_does_not_wait_for_a_database_that_does_not_answer(sekisho):
    refused = sekisho("migrate", "wait", DATABASE_URL="postgres://nobody:x@127.0.0.1:1/nothing")
    assert (refused.status, refused.out) == (1, "")
    assert refused.line.startswith("sekisho: PostgreSQL does not let us in")


def test_down_undoes_the_newest_and_up_brings_it_back(migrate):
    migrate("up")
    undone = migrate("down", "1", "--yes", "--json")
    assert undone.status == 0
    assert json.loads(undone.out) == {"undone": IDS[-1:]}
    assert steps(migrate)[IDS[-1]] is None
    assert migrate("up").out == f"applied {IDS[-1]}\n"


def test_down_asks_first_because_data_are_lost(migrate):
    migrate("up")
    declined = migrate("down", typed="n\n")
    assert (declined.status, declined.out) == (1, "")
    assert "What they hold is lost." in declined.err
    assert declined.err.endswith("sekisho: nothing was undone\n")
    assert None not in steps(migrate).values()
    consented = migrate("down", "--json", typed="y\n")
    assert json.loads(consented.out) == {"undone": IDS[-1:]}
    assert steps(migrate)[IDS[-1]] is None


def test_nobody_to_ask_is_no_consent(migrate):
    migrate("up")
    refused = migrate("down", "--json", typed="")
    assert (refused.status, refused.out) == (1, "")
    assert refused.err.endswith("sekisho: nobody answered, and nothing was undone; say --yes\n")
    assert None not in steps(migrate).values()


def test_down_on_an_empty_database_has_nothing_to_do(migrate):
    undone = migrate("down", "99", "--yes")
    assert (undone.status, undone.out) == (0, "nothing to do\n")


@pytest.mark.parametrize(
    "words", ["migrate up", "migrate down --yes", "migrate status", "serve", "key list"]
)
def test_a_database_of_a_newer_version_is_left_alone_sec_135(
    sekisho, migrate, execute, new_database, words
):
    migrate("up")
    row = "('9999_12_31t00_00_00', 'x', '2026-01-01T00:00:00+00:00')"
    execute(f"INSERT INTO schema_migration (id, checksum, applied_at) VALUES {row}")
    refused = sekisho(*words.split(), **new_database, **nowhere())
    assert (refused.status, refused.out) == (1, "")
    assert refused.line == "sekisho: The database has migration 9999_12_31t00_00_00, unknown here."


@pytest.mark.parametrize("words", ["migrate up", "serve"])
def test_a_database_of_an_altered_migration_is_left_alone_sec_135(
    sekisho, migrate, execute, new_database, words
):
    migrate("up")
    execute("UPDATE schema_migration SET checksum = 'x'")
    refused = sekisho(*words.split(), **new_database, **nowhere())
    assert (refused.status, refused.out) == (1, "")
    assert refused.line == f"sekisho: Migration {IDS[0]} was altered after it was applied."


@pytest.mark.parametrize("words", ["migrate up", "serve"])
def test_a_table_that_is_in_the_way_is_one_sentence_sec_135(
    sekisho, migrate, execute, new_database, words
):
    migrate("up")
    migrate("down", str(len(IDS)), "--yes")
    execute("CREATE TABLE signing_key (in_the_way TEXT)")
    refused = sekisho(*words.split(), **new_database, **nowhere())
    assert (refused.status, refused.out) == (1, "")
    assert refused.line.startswith(f"sekisho: Migration {IDS[0]} fails here: ")
    assert "signing_key" in refused.line


def nowhere():
    """Addresses that any number of servers may have."""
    return {"SERVER_PUBLIC_ADDRESS": "127.0.0.1:0", "SERVER_ADMIN_ADDRESS": "127.0.0.1:0"}
