"""A database that has no room left: refused like one that is away, and whole."""

import pytest
from factories import make_user

from app.persistence import DatabaseUnavailable, database, fetch, fetch_row, speaks

FULL = """
CREATE OR REPLACE FUNCTION no_room() RETURNS trigger AS $$
BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END
$$ LANGUAGE plpgsql
"""
ON_BAGS = """
CREATE TRIGGER no_room BEFORE INSERT ON user_metadata FOR EACH ROW EXECUTE FUNCTION no_room()
"""


@pytest.fixture
async def full(services):
    """Lets no further row in, until the test is over."""
    if speaks() == "postgres":
        for statement in (FULL, ON_BAGS):
            await fetch(statement)
        yield
        await fetch("DROP TRIGGER no_room ON user_metadata")
        await fetch("DROP FUNCTION no_room")
        return
    writer = database._open[0]._main
    (used,) = writer.execute("PRAGMA page_count").fetchone().values()
    writer.execute(f"PRAGMA max_page_count = {used}")
    yield
    writer.execute(f"PRAGMA max_page_count = {2**30}")


async def users():
    return (await fetch_row("SELECT COUNT(*) AS n FROM app_user"))["n"]


async def test_what_finds_no_room_is_refused_as_unavailable_and_leaves_nothing_sec_130(
    services, full
):
    made = 0
    with pytest.raises(DatabaseUnavailable):
        while made < 1000:
            await make_user(services, public={"text": "x" * 2000})  # within a savepoint
            made += 1
    assert await users() == made


async def test_it_is_written_to_again_once_there_is_room(services, full, request):
    with pytest.raises(DatabaseUnavailable):
        for _ in range(1000):
            await make_user(services, public={"text": "x" * 2000})
    before = await users()
    if speaks() == "postgres":
        await fetch("ALTER TABLE user_metadata DISABLE TRIGGER no_room")
    else:
        database._open[0]._main.execute(f"PRAGMA max_page_count = {2**30}")
    await make_user(services, public={"text": "x" * 2000})
    assert await users() == before + 1
