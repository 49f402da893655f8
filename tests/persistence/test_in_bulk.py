"""Many rows at once, and reading as of one moment."""

import asyncio
import sqlite3
from datetime import UTC, datetime

import asyncpg
import pytest

from app.ids import new_id
from app.persistence import NotUnique, copy_rows, fetch, fetch_row, snapshot, transaction

COLUMNS = ["id", "created_at", "updated_at"]
NOW = datetime(2026, 11, 22, 5, 0, 0, 123456, UTC)
COUNT = "SELECT count(*) AS n FROM app_user"


async def test_rows_are_written_as_statements_would_write_them(empty):
    del empty
    ids = [new_id() for _ in range(100)]
    async with transaction():
        await copy_rows("app_user", COLUMNS, [(one, NOW, NOW) for one in ids])
    rows = await fetch("SELECT id, created_at FROM app_user ORDER BY id")
    assert [(row["id"], row["created_at"]) for row in rows] == [(one, NOW) for one in sorted(ids)]


async def test_a_row_that_is_there_already_undoes_them_all(empty):
    del empty
    ids = [new_id(), new_id()]
    with pytest.raises(NotUnique) as refused:
        async with transaction():
            await copy_rows("app_user", COLUMNS, [(one, NOW, NOW) for one in [*ids, ids[0]]])
    assert refused.value.constraint == "app_user__id"
    assert await fetch("SELECT id FROM app_user") == []


async def test_a_snapshot_sees_one_moment_and_keeps_nobody_waiting(empty):
    del empty

    async def write() -> None:
        async with transaction():
            await copy_rows("app_user", COLUMNS, [(new_id(), NOW, NOW)])

    await write()
    writing = asyncio.Event()

    async def writer() -> None:
        await writing.wait()
        await write()

    other = asyncio.create_task(writer())
    async with snapshot():
        assert (await fetch(COUNT))[0]["n"] == 1
        writing.set()
        await asyncio.wait_for(other, 10)
        assert (await fetch(COUNT))[0]["n"] == 1
        row = await fetch_row(COUNT)
        assert row is not None
        assert row["n"] == 1
    assert (await fetch(COUNT))[0]["n"] == 2


async def test_nothing_is_written_inside_a_snapshot(empty):
    del empty
    refusals = (sqlite3.OperationalError, asyncpg.ReadOnlySQLTransactionError)
    with pytest.raises(refusals):
        async with snapshot():
            await fetch("DELETE FROM app_user")
