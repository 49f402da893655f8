"""Migrations: from nothing to today's schema, once, whoever comes first (SEC-135)."""

import asyncio
import re

import pytest
from databases import environment_of, visiting
from piccolo.conf.apps import table_finder

from app.clock import utc_now
from app.persistence import Migrations, SchemaRefused, fetch, speaks
from app.persistence.database import TABLES

ROUNDS = 20
"""Three times as many on SQLite, where a round is quick and two seldom collide."""
KINDS = {
    "UUID": "uuid",
    "Text": "text",
    "Boolean": "boolean",
    "BigInt": "bigint",
    "BigSerial": "bigint",
    "Integer": "integer",
    "Timestamptz": "timestamp with time zone",
}


@pytest.fixture
async def new(fresh):
    """An empty database, open in place of the shared one."""
    async with visiting(await fresh()):
        yield Migrations(utc_now)


async def tables() -> set[str]:
    if speaks() == "sqlite":
        sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    else:
        sql = "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'"
    return {row["name"] for row in await fetch(sql)}


async def columns(table: str) -> dict[str, tuple[str, bool]]:
    """The columns of a table: their kind, and whether they may be null."""
    if speaks() == "sqlite":
        rows = await fetch(f"PRAGMA table_info({table})")
        kinds = {"timestamptz": "timestamp with time zone"}
        return {
            row["name"]: (kinds.get(row["type"].lower(), row["type"].lower()), not row["notnull"])
            for row in rows
        }
    rows = await fetch(
        "SELECT column_name, data_type, is_nullable FROM information_schema.columns "
        "WHERE table_schema = 'public' AND table_name = $1",
        table,
    )
    return {row["column_name"]: (row["data_type"], row["is_nullable"] == "YES") for row in rows}


async def history() -> list[dict]:
    return [dict(row) for row in await fetch("SELECT * FROM schema_migration ORDER BY id")]


class TestUp:
    async def test_an_empty_database_gets_todays_schema(self, new):
        assert not await new.is_current()
        pending = await new.status()
        assert {step.applied_at for step in pending} == {None}
        assert await tables() == set()
        assert await new.up() == [step.id for step in pending]
        assert await new.is_current()
        done = await new.status()
        assert [step.id for step in done] == [step.id for step in pending]
        assert all(step.applied_at is not None and step.description for step in done)

    async def test_a_second_time_changes_nothing(self, new):
        await new.up()
        before = await history()
        assert await new.up() == []
        assert await history() == before

    async def test_every_table_is_migrated_and_none_is_left_over(self, new):
        await new.up()
        declared = {table._meta.tablename for table in table_finder(list(TABLES))}
        assert await tables() == declared | {"schema_migration"}

    async def test_the_columns_are_those_that_the_code_declares(self, new):
        await new.up()
        for table in table_finder(list(TABLES)):
            kinds = KINDS | ({"BigSerial": "integer"} if speaks() == "sqlite" else {})
            declared = {
                column._meta.name: (kinds[type(column).__name__], column._meta.params["null"])
                for column in table._meta.columns
            }
            assert await columns(table._meta.tablename) == declared, table

    async def test_ids_are_in_order_and_each_tells_what_it_does(self, new):
        steps = await new.status()
        assert [step.id for step in steps] == sorted({step.id for step in steps})
        for step in steps:
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d:\d{6}", step.id)

    async def test_a_migration_that_fails_leaves_nothing_behind(self, new):
        """SEC-135: all that is missing is applied in one transaction."""
        await fetch("CREATE TABLE signing_key (in_the_way TEXT)")
        with pytest.raises(SchemaRefused, match=r"^Migration \S+ fails here: .*signing_key.*\.$"):
            await new.up()
        assert await tables() == {"signing_key"}
        await fetch("DROP TABLE signing_key")
        assert await new.up()
        assert await new.is_current()


class TestDown:
    async def test_what_was_done_is_undone_and_can_be_done_again(self, new):
        done = await new.up()
        assert await new.down(len(done)) == done[::-1]
        assert await tables() == {"schema_migration"}
        assert not await new.is_current()
        assert await new.up() == done

    async def test_no_step_and_no_history_undo_nothing(self, new):
        assert await new.down(1) == []
        await new.up()
        assert await new.down(0) == []
        assert await new.is_current()

    async def test_more_steps_than_there_are_undo_all(self, new):
        done = await new.up()
        assert await new.down(100) == done[::-1]

    async def test_one_that_cannot_be_undone_is_refused_and_none_is(self, new):
        """SEC-135"""
        done = await new.up()
        await fetch("DROP TABLE saml_entity")
        with pytest.raises(SchemaRefused, match=r"^Migration \S+ fails here: .*saml_entity.*\.$"):
            await new.down(len(done))
        assert [row["id"] for row in await history()] == done


class TestRefusal:
    async def test_a_history_that_was_altered_is_left_alone(self, new):
        """SEC-135"""
        await new.up()
        await fetch("UPDATE schema_migration SET checksum = 'another'")
        await _is_refused(new, "altered")

    async def test_a_history_of_a_newer_version_is_left_alone(self, new):
        """SEC-135"""
        await new.up()
        await fetch(
            "INSERT INTO schema_migration (id, checksum, applied_at) "
            "VALUES ('9999-01-01T00:00:00:000000', 'x', $1)",
            utc_now(),
        )
        await _is_refused(new, "9999-01-01T00:00:00:000000")

    async def test_a_history_that_began_elsewhere_is_left_alone(self, new):
        """SEC-135"""
        await new.up()
        first = (await fetch("SELECT min(id) AS id FROM schema_migration"))[0]["id"]
        await fetch(
            "UPDATE schema_migration SET id = '2000-01-01T00:00:00:000000' WHERE id = $1", first
        )
        await _is_refused(new, "2000-01-01T00:00:00:000000")


class TestTogether:
    async def test_of_two_replicas_one_applies_each_migration_in_every_round(
        self, fresh, processes, database
    ):
        """SEC-135"""
        for _ in range(ROUNDS if database.database.url.reveal() else 3 * ROUNDS):
            await _start_together(await fresh(), processes[:2])

    async def test_of_five_replicas_one_applies_each_migration(self, fresh, processes):
        """SEC-135"""
        for _ in range(5):
            await _start_together(await fresh(), processes)

    async def test_replicas_that_open_together_find_one_signing_key(self, fresh, processes):
        """SEC-135, SEC-033"""
        environment = environment_of(await fresh())
        try:
            applied = await asyncio.gather(
                *(process.ask("begin", environment=environment) for process in processes)
            )
            kids = await asyncio.gather(*(process.ask("kids") for process in processes))
        finally:
            await asyncio.gather(*(process.ask("finish") for process in processes))
        assert len([ids for ids in applied if ids]) == 1
        assert len({tuple(one) for one in kids}) == 1


async def _start_together(config, processes) -> None:
    environment = environment_of(config)
    applied = await asyncio.gather(
        *(process.ask("migrate", environment=environment) for process in processes)
    )
    async with visiting(config):
        assert await Migrations(utc_now).is_current()
        steps = [row["id"] for row in await history()]
    assert sorted(applied) == [*([[]] * (len(processes) - 1)), steps]


async def _is_refused(migrations: Migrations, word: str) -> None:
    before, there = await history(), await tables()
    for attempt in (migrations.up, lambda: migrations.down(1), migrations.status):
        with pytest.raises(SchemaRefused) as refused:
            await attempt()
        assert word in str(refused.value)
    assert (await history(), await tables()) == (before, there)
