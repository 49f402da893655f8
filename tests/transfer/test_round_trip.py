"""An export comes back without change, on either database and from one to the other (SEC-115)."""

import asyncio
import json
from uuid import UUID

import pytest
from credentials.ceremonies import logged_in
from factories import make_user
from transfer.people import PASSWORD, exported, imported, make_person, secret_of, signs_in

from app.access import SYSTEM
from app.credentials import recovery_codes
from app.credentials.passkey_values import Accepted
from app.credentials.passwords import Verified
from app.persistence import fetch
from app.transfer import FileRefused, made_up
from app.transfer.rows import COLUMNS


async def test_an_export_comes_back_byte_by_byte_and_everybody_signs_in_sec_115(
    services, elsewhere
):
    people = [await make_person(services, name) for name in ("ada", "grace")]
    await make_user(services, email="plain@example.com")
    file = await exported(services)
    async with elsewhere() as other:
        outcome = await imported(other, file)
        assert (outcome.imported, outcome.refused, outcome.is_kept) == (3, 0, True)
        assert await exported(other) == file
        for person in people:
            await signs_in(other, person)


async def test_who_has_the_least_or_greatest_id_is_written_too(services):
    """A server that is older than the rule has let somebody have the id of nobody."""
    ids = [UUID(int=0), UUID(int=1), UUID(int=2**128 - 1)]
    made = "INSERT INTO app_user (id, created_at, updated_at) VALUES ($1, $2, $2)"
    for user_id in ids:
        await fetch(made, user_id, services.clock())
    header, *lines = (await exported(services)).splitlines()
    assert json.loads(header)["users"] == len(ids)
    assert [json.loads(line)["id"] for line in lines] == [str(user_id) for user_id in ids]


async def test_more_users_than_a_page_holds_are_written_once_each(services, elsewhere):
    await imported(services, b"".join(made_up(1_001, "sekisho")))
    file = await exported(services)
    async with elsewhere() as other:
        assert (await imported(other, file)).imported == 1_001
        assert await exported(other) == file


async def test_who_has_no_identifier_left_comes_back_sec_115(services, elsewhere):
    user = await make_user(services)
    await fetch("DELETE FROM email")
    file = await exported(services)
    async with elsewhere() as other:
        assert (await imported(other, file)).imported == 1
        assert await exported(other) == file
        assert await other.users.by_id(user.id) is not None


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_users_move_from_sqlite_to_postgresql_sec_115(services, on_postgres):
    person = await make_person(services)
    file = await exported(services)
    async with on_postgres() as other:
        await imported(other, file)
        assert await exported(other) == file
        await signs_in(other, person)


async def test_nothing_that_belongs_to_a_user_is_left_out(services, elsewhere):
    await make_person(services)
    before = {table: await fetch(f"SELECT count(*) AS n FROM {table}") for table in COLUMNS}
    file = await exported(services)
    assert all(rows[0]["n"] > 0 for rows in before.values())
    async with elsewhere() as other:
        await imported(other, file)
        for table, rows in before.items():
            assert (await fetch(f"SELECT count(*) AS n FROM {table}"))[0]["n"] == rows[0]["n"]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_every_table_that_hangs_on_a_user_is_known_to_the_export(services):
    del services
    short_lived = {"passcode"}
    tables = [row["name"] for row in await fetch("SELECT name FROM sqlite_master")]
    hanging = {
        table
        for table in tables
        for row in await fetch(f"PRAGMA foreign_key_list({table})")
        if row["table"] == "app_user"
    }
    assert hanging - short_lived == set(COLUMNS) - {"app_user"}


async def test_sessions_and_trusted_devices_leave_only_when_asked_for(services):
    await make_person(services)
    line = json.loads((await exported(services, with_sessions=False)).splitlines()[1])
    assert not {"sessions", "trusted_devices"} & line.keys()
    line = json.loads((await exported(services)).splitlines()[1])
    assert {"sessions", "trusted_devices"} <= line.keys()


async def test_a_file_holds_secrets_only_as_they_are_stored_sec_115_119(services):
    person = await make_person(services)
    file = (await exported(services)).decode()
    assert person.secret not in file
    assert PASSWORD not in file
    assert all(code not in file and code.replace("-", "") not in file for code in person.codes)
    assert "$argon2id$" in file


async def test_a_server_with_another_secret_refuses_at_once_sec_119(services, elsewhere):
    await make_person(services)
    file = await exported(services)
    async with elsewhere(SECRET_KEYS="another-secret-of-another-server") as other:
        with pytest.raises(FileRefused, match="sealed under another server's encryption secret"):
            await imported(other, file)
        assert await fetch("SELECT id FROM app_user") == []


async def test_a_server_that_also_has_the_old_secret_takes_the_file_and_seals_anew(
    services, elsewhere
):
    person = await make_person(services)
    file = await exported(services)
    both = f"another-secret-of-another-server,{secret_of(services)}"
    async with elsewhere(SECRET_KEYS=both) as other:
        assert (await imported(other, file)).imported == 1
        await signs_in(other, person)
    async with elsewhere(SECRET_KEYS="another-secret-of-another-server") as other:
        sealed = json.loads(file.splitlines()[1])["totp"]
        assert not other.totp.opens(sealed["id"], sealed["sealed_secret"])


async def test_an_export_is_of_one_moment(services):
    await make_person(services)
    has_begun, may_go_on, parts = asyncio.Event(), asyncio.Event(), []

    async def write(part, written, users):
        parts.append((part, written, users))
        has_begun.set()
        await may_go_on.wait()

    export = asyncio.create_task(services.exporter.run(SYSTEM, write))
    await has_begun.wait()
    late = await make_user(services, email="late@example.com")
    may_go_on.set()
    assert await export == 1
    assert str(late.id) not in b"".join(part for part, _, _ in parts).decode()
    assert [(written, users) for _, written, users in parts] == [(0, 1), (1, 1)]


async def test_tokens_of_a_session_that_was_brought_along_go_on(services, elsewhere):
    person = await make_person(services)
    file = await exported(services)
    async with elsewhere() as other:
        await imported(other, file)
        ids = [row["id"] for row in await fetch("SELECT id FROM user_session")]
        assert len(ids) == 1
        checked = await other.passwords.verify(person.id, PASSWORD)
        assert isinstance(checked, Verified)
        assert isinstance(await logged_in(other, person.passkey), Accepted)
        left = await other.recovery_codes.left(person.id)
        assert left == recovery_codes.COUNT


async def test_the_audit_log_has_one_record_of_each(services, elsewhere):
    await make_person(services)
    file = await exported(services)
    rows = await fetch("SELECT details FROM audit_event WHERE type = 'users_exported'")
    assert [json.loads(row["details"]) for row in rows] == [{"sessions": True}]
    async with elsewhere() as other:
        await imported(other, file)
        rows = await fetch("SELECT type, details FROM audit_event")
        told = {row["type"]: json.loads(row["details"]) for row in rows}
        assert told["users_imported"] == {"imported": 1, "updated": 0, "skipped": 0, "refused": 0}
        assert "user_created" not in told
        assert await fetch("SELECT id FROM webhook_event") == []
        assert await fetch("SELECT id FROM mail_outbox") == []
