"""What an import refuses, and what it then leaves alone (SEC-115)."""

import io
import json
import tracemalloc
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from credentials.authenticator import b64
from factories import make_user
from hypothesis import given
from hypothesis import strategies as st
from transfer.people import exported, imported, make_person, ours

from app.access import SYSTEM
from app.errors import IdentityError
from app.ids import new_id
from app.persistence import fetch
from app.transfer import FileRefused, made_up
from app.transfer.reading import MAX_ENTRY, Reading

EMAIL = {"address": "ada@example.com"}
KEY = b64(
    bytes.fromhex("a5010203262001215820")
    + bytes.fromhex("65eda5a12577c2bae829437fe338701a10aaa375e1bb5b5de108de439c08551d")
    + bytes.fromhex("225820")
    + bytes.fromhex("1e52ed75701163f7f9e40ddf9f341b3dc9ba860af7e0ca7ca7e9eecd0084d19c")
)
PASSKEY = {"credential_id": b64(b"credential"), "public_key": KEY}


def emails(count: int) -> list[dict[str, Any]]:
    return [{"address": f"ada{n}@example.com", "is_primary": n == 0} for n in range(count)]


def identity(subject: str = "1", claims: int = 8) -> dict[str, Any]:
    """An identity whose claims have so many bytes."""
    return {"provider": "x", "issuer": "i", "subject": subject, "claims": {"a": "x" * (claims - 8)}}


def identities(count: int) -> list[dict[str, Any]]:
    return [identity(f"subject {n}") for n in range(count)]


def session(**given: Any) -> dict[str, Any]:
    times = dict.fromkeys(("created_at", "last_used_at", "expires_at"), "2024-01-01T00:00:00Z")
    return {"id": str(uuid4()), **times, **given}


def device() -> dict[str, Any]:
    times = dict.fromkeys(("created_at", "expires_at"), "2024-01-01T00:00:00Z")
    return {"id": str(uuid4()), "digest": "a" * 64, **times}


def passkeys(count: int) -> list[dict[str, Any]]:
    return [PASSKEY | {"credential_id": b64(b"credential %d" % n)} for n in range(count)]


async def users() -> int:
    return (await fetch("SELECT count(*) AS n FROM app_user"))[0]["n"]


async def recorded(user_id: UUID) -> dict[str, Any]:
    """What the audit log tells of a user, but for how the user was made."""
    kinds = "('user_updated', 'sessions_revoked', 'trusted_devices_forgotten')"
    rows = await fetch(
        f"SELECT type, details FROM audit_event WHERE subject_id = $1 AND type IN {kinds}",
        user_id,
    )
    return {row["type"]: json.loads(row["details"]) for row in rows}


async def test_the_least_that_an_entry_may_say_is_an_address(services):
    outcome = await imported(services, [{"emails": [EMAIL]}])
    assert (outcome.imported, outcome.refused) == (1, 0)
    account = await services.users.by_email("ADA@example.com")
    assert account is not None
    (email,) = (await services.users.emails_of([account.id]))[account.id]
    assert (email.is_primary, email.is_verified) == (True, False)  # verified where the file says so
    assert account.created_at == services.clock()


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        ({}, "identifier_missing"),
        ({"emails": [{"address": "ada"}]}, "email_invalid"),
        ({"emails": [{"address": "a" * 120 + "@example.com"}]}, "email_invalid"),
        ({"emails": [EMAIL, {"address": "b@example.com"}]}, "primary_email_wrong"),
        ({"emails": [EMAIL | {"is_primary": True}, EMAIL]}, "entry_invalid"),
        ({"emails": [EMAIL | {"surprise": 1}]}, "entry_invalid"),
        ({"emails": "ada@example.com"}, "entry_invalid"),
        ({"emails": emails(101)}, "entry_invalid"),
        ({"emails": [EMAIL], "id": "1"}, "entry_invalid"),
        ({"emails": [EMAIL], "role": "admin"}, "entry_invalid"),
        ({"username": "a da"}, "username_invalid"),
        ({"emails": [EMAIL], "name": "\x07"}, "text_invalid"),
        ({"emails": [EMAIL], "picture": "javascript:alert(1)"}, "picture_invalid"),
        ({"emails": [EMAIL], "created_at": "2024-01-01T00:00:00"}, "entry_invalid"),
        ({"emails": [EMAIL], "created_at": "1024-01-01T00:00:00Z"}, "entry_invalid"),
        ({"emails": [EMAIL], "created_at": "0001-01-01T00:00:00+10:00"}, "entry_invalid"),
        ({"emails": [EMAIL], "public_metadata": []}, "metadata_not_an_object"),
        ({"emails": [EMAIL], "unsafe_metadata": {"a": "\x00"}}, "metadata_invalid"),
        ({"emails": [EMAIL], "private_metadata": {"a": "x" * 3000}}, "metadata_too_large"),
        ({"emails": [EMAIL], "password": {"hash": "$1$abc$def"}}, "password_hash_invalid"),
        (
            {"emails": [EMAIL], "password": {"hash": "$2b$15$" + "a" * 52 + "."}},
            "password_hash_too_costly",
        ),
        ({"emails": [EMAIL], "totp": {}}, "entry_invalid"),
        ({"emails": [EMAIL], "totp": {"secret": "not base32!"}}, "entry_invalid"),
        ({"emails": [EMAIL], "totp": {"secret": "GEZDGNBV"}}, "entry_invalid"),
        ({"emails": [EMAIL], "totp": {"sealed_secret": "v1.0.abc"}}, "entry_invalid"),
        ({"emails": [EMAIL], "recovery_codes": [{"digest": "abc"}]}, "entry_invalid"),
        (
            {"emails": [EMAIL], "webauthn_credentials": [PASSKEY | {"credential_id": "a b"}]},
            "entry_invalid",
        ),
        (
            {"emails": [EMAIL], "webauthn_credentials": [PASSKEY | {"public_key": b64(b"\xa0")}]},
            "entry_invalid",
        ),
        ({"emails": [EMAIL], "webauthn_credentials": [PASSKEY, PASSKEY]}, "entry_invalid"),
        (
            {"emails": [EMAIL], "webauthn_credentials": [PASSKEY | {"transports": ["a b"]}]},
            "entry_invalid",
        ),
        (
            {"emails": [EMAIL], "webauthn_credentials": [PASSKEY | {"name": "\u200b"}]},
            "entry_invalid",
        ),
        (
            {"emails": [EMAIL], "identities": [{"provider": "x", "issuer": "", "subject": "1"}]},
            "entry_invalid",
        ),
        (
            {
                "emails": [EMAIL],
                "identities": [
                    {"provider": "x", "issuer": "i", "subject": "1", "email_id": str(uuid4())}
                ],
            },
            "entry_invalid",
        ),
        (
            {
                "emails": [EMAIL],
                "identities": [{"provider": "x", "issuer": "i", "subject": "1", "claims": [1]}],
            },
            "entry_invalid",
        ),
        ({"emails": [EMAIL], "id": str(UUID(int=0))}, "user_id_invalid"),
        ({"emails": emails(101)}, "entry_invalid"),
        ({"emails": [EMAIL], "identities": identities(1_001)}, "entry_invalid"),
        ({"emails": [EMAIL], "identities": [identity(claims=65_537)]}, "entry_invalid"),
        ({"emails": [EMAIL], "recovery_codes": [{"digest": "a" * 64}] * 101}, "entry_invalid"),
        ({"emails": [EMAIL], "webauthn_credentials": passkeys(201)}, "entry_invalid"),
        (
            {
                "emails": [EMAIL],
                "webauthn_credentials": [PASSKEY | {"transports": [f"t{n}" for n in range(17)]}],
            },
            "entry_invalid",
        ),
        ({"emails": [EMAIL], "sessions": [session()] * 101}, "entry_invalid"),
        ({"emails": [EMAIL], "sessions": [session(amr=["x"] * 17)]}, "entry_invalid"),
        ({"emails": [EMAIL], "trusted_devices": [device()] * 101}, "entry_invalid"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_one_bad_entry_undoes_the_import_sec_115(services, entry, code):
    outcome = await imported(services, [{"emails": [{"address": "good@example.com"}]}, entry])
    assert [(one.entry, one.code) for one in outcome.problems] == [(2, code)]
    assert (outcome.is_kept, outcome.refused) == (False, 1)
    assert await users() == 0
    assert await fetch("SELECT id FROM audit_event WHERE type = 'users_imported'") == []


async def test_as_much_as_an_entry_may_hold_is_kept(services):
    entry = {
        "emails": emails(100),
        "identities": [identity(claims=65_536), *identities(999)],
        "webauthn_credentials": passkeys(200),
        "sessions": [session(amr=["x"] * 16)],
        "trusted_devices": [device()],
    }
    outcome = await imported(services, [entry])
    assert (outcome.problems, outcome.imported) == ([], 1)


async def test_as_much_as_a_user_may_have_here_is_kept(elsewhere):
    sessions = [session() for _ in range(101)]
    async with elsewhere(EMAIL_LIMIT="101", SESSION_LIMIT="101") as other:
        outcome = await imported(other, [{"emails": emails(101), "sessions": sessions}])
        assert (outcome.problems, outcome.imported) == ([], 1)


async def test_a_user_of_an_export_may_lack_what_another_needs(services):
    """Who has lost the last identity is such a user; no other entry may leave all of it out."""
    user_id = str(new_id())
    outcome = await imported(services, [{"id": user_id}])
    assert (outcome.imported, outcome.refused) == (1, 0)
    assert str((await fetch("SELECT id FROM app_user"))[0]["id"]) == user_id
    outcome = await imported(services, json.dumps([{"user_id": str(new_id())}]).encode())
    assert [one.code for one in outcome.problems] == ["identifier_missing"]


async def test_a_good_passkey_is_none_of_the_refused(services):
    outcome = await imported(services, [{"emails": [EMAIL], "webauthn_credentials": [PASSKEY]}])
    assert outcome.problems == []


async def test_a_key_that_stands_twice_in_an_object_is_refused_sec_105(services):
    header = ours()
    line = b'{"emails":[{"address":"a@example.com"}],"name":"Ada","name":"Eve"}\n'
    outcome = await imported(services, header + line)
    assert [one.code for one in outcome.problems] == ["entry_invalid"]
    bag = b'{"emails":[{"address":"a@example.com"}],"public_metadata":{"a":1,"a":2}}\n'
    outcome = await imported(services, header + bag)
    assert [one.code for one in outcome.problems] == ["entry_invalid"]


async def test_a_bag_keeps_every_digit(services):
    line = (
        b'{"emails":[{"address":"a@example.com"}],'
        b'"public_metadata":{"n": 1.10, "m":123456789012345678901}}\n'
    )
    await imported(services, ours() + line)
    (row,) = await fetch("SELECT public_bag FROM user_metadata")
    assert row["public_bag"] == '{"n":1.10,"m":123456789012345678901}'


async def test_a_bag_that_is_null_is_empty(services):
    await imported(services, [{"emails": [EMAIL], "public_metadata": None}])
    (row,) = await fetch("SELECT public_bag FROM user_metadata")
    assert row["public_bag"] == "{}"


async def test_nothing_secret_is_told_of_a_refused_entry(services):
    secret = "$2b$15$" + "a" * 52 + "."
    entry = {"emails": [EMAIL], "password": {"hash": secret}, "name": "Ada"}
    outcome = await imported(services, [entry])
    assert secret not in repr(outcome)
    assert "ada@" not in repr(outcome)


@pytest.mark.parametrize(
    ("file", "says"),
    [
        (b"", "is empty"),
        (b" \n ", "is empty"),
        (b"email,name\n", "neither a JSON array"),
        (b"\xef\xbb\xbf[]", "neither a JSON array"),
        (b'{"format":"other","version":1}\n', "another format"),
        (b'{"format":"sekisho.users","version":2}\n', "version 2"),
        (b'{"format":"sekisho.users","version":1,"users":2}\n', "announces 2 users and holds 0"),
        (b"[1]", "no JSON array of objects"),
        (b"[{}", "breaks off"),
        (b'[{"a":"', "breaks off"),
        (b"[{} {}]", "no JSON array of objects"),
        (b"[{},]", "no JSON array of objects"),
        (b"[{}] x", "behind the array"),
        (b"[" + b'{"a":' * 40 + b"1" + b"}" * 40 + b"]", "nested too deeply"),
        (ours() + b'{"name":"' + b"x" * (MAX_ENTRY + 65536) + b'"}', "longer than"),
        (b'[{"name":"' + b"x" * (MAX_ENTRY + 65536) + b'"}]', "longer than"),
    ],
    ids=range(16),
)
@pytest.mark.one_database
async def test_a_file_that_cannot_be_cut_into_entries_is_refused_sec_115(services, file, says):
    with pytest.raises(FileRefused, match=says):
        await imported(services, file)
    assert await users() == 0


async def test_a_file_that_was_cut_off_is_refused_as_a_whole(services):
    await make_user(services, email="a@example.com")
    await make_user(services, email="b@example.com")
    file = await exported(services)
    await fetch("DELETE FROM app_user")
    with pytest.raises(FileRefused, match="announces 2 users and holds 1"):
        await imported(services, b"\n".join(file.splitlines()[:-1]))
    assert await users() == 0


async def test_row_by_row_what_came_before_the_cut_is_kept_and_recorded(services):
    await make_user(services, email="a@example.com")
    await make_user(services, email="b@example.com")
    file = await exported(services)
    await fetch("DELETE FROM app_user")
    with pytest.raises(FileRefused):
        await imported(services, b"\n".join(file.splitlines()[:-1]), is_whole=False)
    (record,) = await fetch("SELECT details FROM audit_event WHERE type = 'users_imported'")
    assert json.loads(record["details"])["imported"] == await users()


class TestConflicts:
    """The id, an address, a name: each is somebody's already."""

    async def test_an_id_that_is_there_fails_the_import_sec_115(self, services):
        user = await make_user(services)
        outcome = await imported(services, [{"id": str(user.id), "emails": [EMAIL]}])
        assert [one.code for one in outcome.problems] == ["user_exists"]
        assert await users() == 1

    async def test_an_id_of_a_deleted_user_is_never_given_out_again_sec_122(self, services):
        user = await make_user(services)
        await services.users.delete(SYSTEM, user.id)
        for wish in ("fail", "update"):
            entries = [{"id": str(user.id), "emails": [EMAIL]}]
            outcome = await imported(services, entries, on_conflict=wish)
            assert [one.code for one in outcome.problems] == ["user_exists"]
        assert await users() == 0

    @pytest.mark.parametrize(
        ("entry", "code"),
        [
            ({"emails": [{"address": "ADA@EXAMPLE.com"}]}, "email_taken"),
            ({"username": "ADA"}, "username_taken"),
        ],
    )
    async def test_what_reads_alike_is_taken_sec_114_115(self, services, entry, code):
        await make_user(services, email="ada@example.com", username="Ada")
        outcome = await imported(services, [entry])
        assert [one.code for one in outcome.problems] == [code]
        assert not outcome.is_kept

    async def test_what_stands_twice_in_the_file_is_taken(self, services):
        entries = [{"emails": [EMAIL]}, {"emails": [{"address": "b@example.com"}]}]
        outcome = await imported(services, [*entries, {"emails": [EMAIL]}])
        assert [(one.entry, one.code) for one in outcome.problems] == [(3, "email_taken")]
        assert await users() == 0

    async def test_an_entry_that_was_refused_takes_nothing_from_later_ones(self, services):
        user = await make_user(services)
        first = {"id": str(user.id), "emails": [EMAIL]}
        outcome = await imported(services, [first, {"emails": [EMAIL]}], is_whole=False)
        assert (outcome.imported, outcome.refused) == (1, 1)

    async def test_a_passkey_of_somebody_else_is_taken(self, services):
        person = await make_person(services)
        credential = b64(person.passkey.credentials[-1].id)
        passkey = PASSKEY | {"credential_id": credential}
        entry = {"emails": [{"address": "b@example.com"}], "webauthn_credentials": [passkey]}
        outcome = await imported(services, [entry])
        assert [one.code for one in outcome.problems] == ["entry_taken"]

    async def test_an_identity_of_somebody_else_is_taken_sec_080(self, services):
        await make_person(services)
        google = {"provider": "google", "issuer": "https://accounts.google.com"}
        entry = {
            "emails": [{"address": "b@example.com"}],
            "identities": [google | {"subject": "subject of ada"}],
        }
        outcome = await imported(services, [entry])
        assert [one.code for one in outcome.problems] == ["entry_taken"]
        other = google | {"issuer": "https://elsewhere.example", "subject": "subject of ada"}
        entry["identities"] = [other]
        assert (await imported(services, [entry])).imported == 1

    async def test_conflicts_are_skipped_if_wished(self, services):
        await make_user(services, email="ada@example.com")
        entries = [{"emails": [EMAIL]}, {"emails": [{"address": "b@example.com"}]}]
        outcome = await imported(services, entries, on_conflict="skip")
        assert (outcome.imported, outcome.skipped, outcome.is_kept) == (1, 1, True)
        assert await users() == 2

    async def test_row_by_row_the_good_ones_are_kept(self, services):
        await make_user(services, email="ada@example.com")
        entries = [{"emails": [EMAIL]}, {}, {"emails": [{"address": "b@example.com"}]}]
        outcome = await imported(services, entries, is_whole=False)
        assert (outcome.imported, outcome.refused, outcome.is_kept) == (1, 2, True)
        assert {one.entry for one in outcome.problems} == {1, 2}
        assert await users() == 2

    async def test_a_trial_finds_everything_and_keeps_nothing(self, services):
        await make_user(services, email="ada@example.com")
        entries = [{"emails": [EMAIL]}, {"emails": [{"address": "b@example.com"}]}]
        outcome = await imported(services, entries, is_trial=True)
        assert (outcome.imported, outcome.refused, outcome.is_kept) == (1, 1, False)
        assert await users() == 1

    async def test_more_entries_than_a_batch_holds(self, services):
        entries = [{"emails": [{"address": f"user{n}@example.com"}]} for n in range(4_100)]
        again = {"emails": [{"address": "user7@example.com"}]}
        outcome = await imported(services, [*entries, again], is_whole=False)
        assert (outcome.imported, outcome.refused, outcome.entries) == (4_100, 1, 4_101)
        assert await users() == 4_100


class TestUpdates:
    """What an entry names takes the place of what was there, and the rest stays."""

    async def test_what_is_left_out_stays(self, services):
        person = await make_person(services)
        entry = {"id": str(person.id), "name": "Ada Byron", "username": "Ada"}
        outcome = await imported(services, [entry], on_conflict="update")
        assert (outcome.updated, outcome.refused) == (1, 0)
        account = await services.users.by_id(person.id)
        assert account is not None
        assert (account.name, account.locale) == ("Ada Byron", "en-GB")
        rows = await fetch("SELECT id FROM user_session")
        assert len(rows) == 1
        assert (await services.totp.of(person.id)) is not None

    async def test_an_older_export_brings_a_user_back_to_what_they_were(self, services):
        person = await make_person(services)
        file = await exported(services)
        account = (await services.users.emails_of([person.id]))[person.id][0]
        await services.users.verify_email(SYSTEM, person.id, account.id)
        await services.passwords.set(SYSTEM, person.id, "another lamp in the window")
        await services.recovery_codes.delete(SYSTEM, person.id)
        outcome = await imported(services, file, on_conflict="update")
        assert outcome.updated == 1
        before, after = (
            json.loads(file.splitlines()[1]),
            json.loads((await exported(services)).splitlines()[1]),
        )
        assert after.pop("metadata_version") == before.pop("metadata_version") + 1
        assert after == before

    async def test_a_user_is_found_by_their_address_where_the_entry_names_no_id(self, services):
        user = await make_user(services, email="ada@example.com")
        entry = {"emails": [EMAIL | {"is_verified": True}], "public_metadata": {"plan": "pro"}}
        outcome = await imported(services, [entry], on_conflict="update")
        assert outcome.updated == 1
        bags = (await services.metadata.of([user.id]))[user.id]
        assert (bags.public, bags.version) == ('{"plan":"pro"}', 1)

    async def test_nobody_takes_an_address_from_somebody_else_by_an_update_sec_115(self, services):
        await make_user(services, email="ada@example.com")
        user = await make_user(services, email="eve@example.com")
        entries = [
            {"id": str(user.id), "emails": [EMAIL]},
            {"id": str(new_id()), "emails": [EMAIL]},
            {"emails": [EMAIL | {"is_primary": True}, {"address": "eve@example.com"}]},
        ]
        for entry in entries:
            outcome = await imported(services, [entry], on_conflict="update")
            assert [one.code for one in outcome.problems] == ["email_taken"]
        assert (await services.users.by_email("ada@example.com")).id != user.id

    async def test_addresses_that_are_kept_keep_their_id(self, services):
        user = await make_user(services, email="ada@example.com")
        (before,) = (await services.users.emails_of([user.id]))[user.id]
        emails = [EMAIL, {"address": "new@example.com", "is_primary": True}]
        entry = {"id": str(user.id), "emails": emails}
        assert (await imported(services, [entry], on_conflict="update")).updated == 1
        after = (await services.users.emails_of([user.id]))[user.id]
        assert {one.address: one.is_primary for one in after} == {
            "ada@example.com": False,
            "new@example.com": True,
        }
        assert before.id in {one.id for one in after}

    async def test_a_new_credential_ends_sessions_and_trust_sec_027_059(self, services):
        person = await make_person(services)
        hash_ = await services.passwords.hasher.hash("yet another lamp")
        entry = {"id": str(person.id), "username": "Ada", "password": {"hash": hash_}}
        assert (await imported(services, [entry], on_conflict="update")).updated == 1
        assert await fetch("SELECT id FROM user_session") == []
        assert await fetch("SELECT id FROM trusted_device") == []
        assert await recorded(person.id) == {
            "user_updated": {"context": "import", "fields": ["password", "username"]},
            "sessions_revoked": {"count": 1},
            "trusted_devices_forgotten": {"count": 1},
        }
        told = "SELECT user_id FROM webhook_event WHERE name = 'session.delete.admin.revoke'"
        assert [row["user_id"] for row in await fetch(told)] == [person.id]

    async def test_each_user_that_is_changed_has_a_record_sec_118(self, services):
        ada, eve = await make_person(services), await make_person(services, "eve")
        entries = [
            {
                "id": str(ada.id),
                "emails": [EMAIL],
                "name": "Ada Byron",
                "last_sign_in_at": "2024-01-01T00:00:00Z",
                "private_metadata": {"note": "x"},
                "recovery_codes": [{"digest": "a" * 64}],
                "identities": [identity()],
            },
            {"id": str(eve.id), "emails": [EMAIL]},
            {"id": str(new_id()), "emails": [{"address": "new@example.com"}]},
        ]
        kept = {"on_conflict": "update", "is_whole": False}
        outcome = await imported(services, entries, is_trial=True, **kept)
        assert (outcome.updated, await recorded(ada.id)) == (1, {})
        outcome = await imported(services, entries, **kept)
        assert (outcome.updated, outcome.refused, outcome.imported) == (1, 1, 1)
        fields = ["emails", "identities", "last_sign_in_at", "name"]
        fields += ["private_metadata", "recovery_codes"]
        assert await recorded(ada.id) == {"user_updated": {"context": "import", "fields": fields}}
        assert await recorded(eve.id) == {}
        assert len(await fetch("SELECT id FROM audit_event WHERE type = 'user_updated'")) == 1

    async def test_sessions_that_are_brought_along_take_the_place_of_others(self, services):
        person = await make_person(services)
        entry = {"id": str(person.id), "sessions": [session()], "trusted_devices": [device()]}
        assert (await imported(services, [entry], on_conflict="update")).updated == 1
        for table, key in (("user_session", "sessions"), ("trusted_device", "trusted_devices")):
            rows = await fetch(f"SELECT id FROM {table}")
            assert [str(row["id"]) for row in rows] == [entry[key][0]["id"]]
        told = await recorded(person.id)
        assert told["sessions_revoked"] == told["trusted_devices_forgotten"] == {"count": 1}


@given(st.binary(max_size=200))
@pytest.mark.one_database
async def test_no_bytes_make_the_reading_fail_otherwise_than_by_refusing(content):
    for head in (b"", b"[", b"[{", ours()):
        try:
            list(Reading(io.BytesIO(head + content)).entries())
        except IdentityError as error:
            assert error.code == "import_file_refused"


class Endless:
    """A file that is made up while it is read, line after line."""

    def __init__(self, head: bytes, line: bytes, tail: bytes, size: int) -> None:
        self._parts, self._line, self._tail, self._left = head, line, tail, size

    def read(self, size: int) -> bytes:
        while self._left > 0 and len(self._parts) < size:
            self._parts += self._line
            self._left -= len(self._line)
            self._parts += self._tail if self._left <= 0 else b""
        part, self._parts = self._parts[:size], self._parts[size:]
        return part


@pytest.mark.one_database
@pytest.mark.parametrize(("head", "tail"), [(ours(), b""), (b"[", b"{}]")], ids=["ours", "hanko"])
async def test_memory_does_not_grow_with_the_file(head, tail):
    comma = b"," if tail else b"\n"
    line = b'{"username":"' + b"a" * 2_000 + b'"}' + comma
    tracemalloc.start()
    try:
        entries = sum(1 for _ in Reading(Endless(head, line, tail, 16 * 1024 * 1024)).entries())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert entries > 8_000
    assert peak < 1024 * 1024


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("head", "tail"),
    [(b"", b"[]"), (b"", ours()), (b"[", b"]"), (b"[{}", b"]"), (b"[{},", b"{}]"), (b"[]", b"\n")],
    ids=["array", "header", "within", "behind_entry", "behind_comma", "behind_array"],
)
async def test_spaces_are_not_held(head, tail):
    tracemalloc.start()
    try:
        list(Reading(Endless(head, b" " * 2_000, tail, 4 * 1024 * 1024)).entries())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1024 * 1024


class Dripping:
    """A file that gives a byte at a time, so that every boundary falls between two reads."""

    def __init__(self, content: bytes) -> None:
        self._content = io.BytesIO(content)

    def read(self, _size: int) -> bytes:
        return self._content.read(1)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.lists(st.dictionaries(st.text(), _JSON, max_size=3), max_size=4))
@pytest.mark.one_database
async def test_an_array_is_cut_where_its_elements_end(values):
    for content in (json.dumps(values), json.dumps(values, indent=1, ensure_ascii=False)):
        found = Reading(Dripping(content.encode())).entries()
        assert [json.loads(entry.raw) for entry in found] == values


async def test_what_is_made_up_can_be_imported(services):
    for kind in ("sekisho", "hanko"):
        outcome = await imported(services, b"".join(made_up(3, kind)))
        assert (outcome.imported, outcome.refused, outcome.format) == (3, 0, kind)
    now = datetime.now(UTC)
    assert all(row["created_at"] < now for row in await fetch("SELECT created_at FROM app_user"))
