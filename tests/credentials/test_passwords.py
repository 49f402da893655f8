"""Passwords of users: set, imported, checked, upgraded, deleted."""

import asyncio
import json
import logging
import unicodedata
from dataclasses import replace
from uuid import uuid4

import bcrypt
import pytest
from argon2.low_level import Type, hash_secret
from factories import key_actor, make_session, make_user, reconfigured
from msgspec.structs import replace as with_fields

from app.access import SYSTEM
from app.config.sections import Argon2
from app.credentials.errors import (
    HashingOverloaded,
    PasswordBreached,
    PasswordGivenTwice,
    PasswordGuessable,
    PasswordHashInvalid,
    PasswordHashTooCostly,
    PasswordNotFound,
    PasswordsDisabled,
    PasswordTooCommon,
    PasswordTooShort,
)
from app.credentials.password_formats import Argon2Hash, parse
from app.credentials.password_hashing import PasswordHasher
from app.credentials.passwords import NoPassword, Verified, Wrong
from app.errors import NotFound
from app.persistence import fetch, in_transaction, transaction
from app.users import EmailTaken, NewEmail, NewUser, ProfileChanges

PASSWORD = "correct horse battery"
OTHER = "staple of the old stable"
WEAK = bcrypt.hashpw(PASSWORD.encode(), b"$2b$04$" + b"u" * 22).decode()


class RecordingHasher(PasswordHasher):
    """Keeps what it was asked to do, and whether a transaction was open then."""

    def __init__(self, config):
        super().__init__(config)
        self.done = []
        self.in_transaction = []

    async def run(self, work, *, alone=False):
        self.in_transaction.append(in_transaction())
        self.done.append(work.__qualname__.split(".")[1])
        return await super().run(work, alone=alone)


class FullHasher(PasswordHasher):
    """Has no room after so much work."""

    room = 0

    async def run(self, work, *, alone=False):
        if not self.room:
            raise HashingOverloaded
        self.room -= 1
        return await super().run(work, alone=alone)


class Lost:
    """A collection of breached passwords that knows one."""

    async def hold(self, password):
        return password == PASSWORD


@pytest.fixture
async def services(services):
    """The services with passwords that cost what they cost by default."""
    password = with_fields(services.config.password, argon2=Argon2())
    return await reconfigured(services, password=password)


async def rows():
    return [dict(row) for row in await fetch("SELECT * FROM user_password")]


async def imported(passwords, user_id, text):
    """Give a user a password by its hash, as a user comes with one."""
    await passwords.store(SYSTEM, user_id, passwords.prepare_hash(text), "import")


async def stored_hash():
    (row,) = await rows()
    return row["hash"]


async def audited():
    found = await fetch("SELECT type, subject_id, details FROM audit_event ORDER BY at, id")
    return [
        (row["type"], row["subject_id"], json.loads(row["details"]))
        for row in found
        if row["type"].startswith("password_")
    ]


@pytest.fixture
async def user(services):
    return await make_user(services, email="ada@example.com", username="countess")


@pytest.fixture
def passwords(services):
    return services.passwords


class TestSet:
    async def test_a_password_that_is_set_is_the_one_that_signs_in(self, passwords, user, clock):
        assert await passwords.changed_at(user.id) is None
        await passwords.set(SYSTEM, user.id, PASSWORD)
        assert isinstance(await passwords.verify(user.id, PASSWORD), Verified)
        assert await passwords.verify(user.id, OTHER) == Wrong()
        assert await passwords.changed_at(user.id) == clock.now

    async def test_it_is_stored_as_argon2id_with_a_salt_of_its_own_sec_034(
        self, services, passwords, user
    ):
        another = await make_user(services)
        for one in (user, another):
            await passwords.set(SYSTEM, one.id, PASSWORD)
        stored = [row["hash"] for row in await rows()]
        assert len(set(stored)) == 2
        for text in stored:
            assert text.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
            assert PASSWORD not in text

    async def test_another_takes_its_place(self, passwords, user, clock):
        await passwords.set(SYSTEM, user.id, PASSWORD)
        clock.advance(days=1)
        await passwords.set(SYSTEM, user.id, OTHER)
        assert await passwords.verify(user.id, PASSWORD) == Wrong()
        assert isinstance(await passwords.verify(user.id, OTHER), Verified)
        assert await passwords.changed_at(user.id) == clock.now
        assert len(await rows()) == 1

    @pytest.mark.parametrize(
        ("password", "refusal"),
        [
            ("short", PasswordTooShort),
            ("iloveyou", PasswordTooCommon),
            ("sekisho2026", PasswordGuessable),
            ("ada@example.com", PasswordGuessable),
            ("countess1815", PasswordGuessable),
        ],
    )
    async def test_a_password_that_breaks_a_rule_is_not_set_sec_035_036(
        self, passwords, user, password, refusal
    ):
        await passwords.set(SYSTEM, user.id, PASSWORD)
        with pytest.raises(refusal):
            await passwords.set(SYSTEM, user.id, password)
        assert isinstance(await passwords.verify(user.id, PASSWORD), Verified)
        assert len(await audited()) == 1

    async def test_a_breached_password_is_refused_sec_036(self, passwords, user):
        strict = replace(passwords, breaches=Lost())
        with pytest.raises(PasswordBreached) as refused:
            await strict.set(SYSTEM, user.id, PASSWORD)
        assert refused.value.breached
        await strict.set(SYSTEM, user.id, OTHER)

    async def test_nobody_gets_no_password(self, passwords):
        with pytest.raises(NotFound) as refused:
            await passwords.set(SYSTEM, uuid4(), PASSWORD)
        assert refused.value.path == ("user_id",)
        with pytest.raises(NotFound):
            await imported(passwords, uuid4(), WEAK)
        assert await rows() == []

    async def test_it_is_audited_with_its_occasion_and_without_itself_sec_116(
        self, services, passwords, user
    ):
        actor = await key_actor(services)
        await passwords.set(actor, user.id, PASSWORD)
        await passwords.set(actor, user.id, OTHER, context="recovery")
        assert await audited() == [
            ("password_changed", user.id, {"context": "admin"}),
            ("password_changed", user.id, {"context": "recovery"}),
        ]

    async def test_what_goes_with_it_happens_with_it_sec_027(self, services, passwords, user):
        await make_session(services, user)
        await passwords.set(
            SYSTEM, user.id, PASSWORD, then=lambda: services.sessions.end_all(SYSTEM, user.id)
        )
        assert await fetch("SELECT id FROM user_session") == []

    async def test_what_goes_with_it_and_fails_undoes_it_sec_027(self, passwords, user):
        async def fail():
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await passwords.set(SYSTEM, user.id, PASSWORD, then=fail)
        assert (await rows(), await audited()) == ([], [])

    async def test_no_log_no_table_and_no_printed_value_holds_a_password_sec_116(
        self, passwords, user, caplog
    ):
        caplog.set_level(logging.DEBUG)
        prepared = await passwords.prepare(PASSWORD)
        await passwords.set(SYSTEM, user.id, PASSWORD)
        outcome = await passwords.verify(user.id, PASSWORD)
        await passwords.verify(user.id, OTHER)
        dump = [str(record.__dict__) for record in caplog.records]
        for table in ("user_password", "audit_event", "app_user"):
            dump += [str(dict(row)) for row in await fetch(f"SELECT * FROM {table}")]
        whole = "\n".join([*dump, repr(prepared), repr(outcome), repr(passwords)])
        assert PASSWORD not in whole
        assert OTHER not in whole
        for text in (prepared.hash, await stored_hash()):
            assert text not in repr(prepared) + repr(outcome) + repr(passwords)

    async def test_a_deleted_user_takes_the_password_along(self, services, passwords, user):
        await passwords.set(SYSTEM, user.id, PASSWORD)
        await services.users.delete(SYSTEM, user.id)
        assert await rows() == []
        assert await passwords.verify(user.id, PASSWORD) == NoPassword()


class TestVerify:
    async def test_who_has_no_password_and_who_does_not_exist_are_told_apart_in_here_alone(
        self, passwords, user
    ):
        assert await passwords.verify(user.id, PASSWORD) == NoPassword()
        assert await passwords.verify(None, PASSWORD) == Wrong()

    @pytest.mark.parametrize(
        "wrong",
        [
            PASSWORD.upper(),
            f" {PASSWORD}",
            f"{PASSWORD} ",
            PASSWORD[:-1],
            f"{PASSWORD}\0",
            "",
            "x" * 1025,
            "\ud800",
        ],
    )
    async def test_only_the_very_password_is_right_sec_035(self, passwords, user, wrong):
        await passwords.set(SYSTEM, user.id, PASSWORD)
        assert await passwords.verify(user.id, wrong) == Wrong()
        assert await passwords.verify(None, wrong) == Wrong()

    async def test_above_1024_bytes_nothing_is_hashed_sec_035(self, services, passwords, user):
        hasher = RecordingHasher(services.config.password)
        assert await replace(passwords, hasher=hasher).verify(user.id, "x" * 1025) == Wrong()
        assert hasher.done == []

    @pytest.mark.parametrize(
        "password", ["密码是一个秘密的词", "🔑" * 128, "x" * 1024, "a\0b\0c\0d\0e"]
    )
    async def test_any_script_and_any_length_count_in_full_sec_035(self, passwords, user, password):
        await passwords.set(SYSTEM, user.id, password)
        assert isinstance(await passwords.verify(user.id, password), Verified)
        assert await passwords.verify(user.id, password[:-1]) == Wrong()

    async def test_a_password_is_the_same_from_every_keyboard_sec_035(self, passwords, user):
        word = "Käse\u3000und Müsli"
        await passwords.set(SYSTEM, user.id, unicodedata.normalize("NFD", word))
        for form in ("NFC", "NFD"):
            typed = unicodedata.normalize(form, word)
            assert isinstance(await passwords.verify(user.id, typed), Verified)

    async def test_everybody_costs_the_same_work_sec_067(self, services, passwords, user):
        await passwords.set(SYSTEM, user.id, PASSWORD)
        without = await make_user(services)
        work = []
        for who in (user.id, without.id, None, uuid4()):
            hasher = RecordingHasher(services.config.password)
            await replace(passwords, hasher=hasher).verify(who, OTHER)
            work.append(hasher.done)
        assert work == [["matches"], ["match_nobody"], ["match_nobody"], ["match_nobody"]]
        stored, nobodys = parse(await stored_hash()), passwords.hasher._nobodys
        assert isinstance(stored, Argon2Hash)
        assert isinstance(nobodys, Argon2Hash)
        assert (stored.memory, stored.passes) == (nobodys.memory, nobodys.passes)

    async def test_nothing_is_hashed_inside_a_transaction_sec_123(self, services, passwords, user):
        hasher = RecordingHasher(services.config.password)
        subject = replace(passwords, hasher=hasher)
        await subject.set(SYSTEM, user.id, PASSWORD)
        await imported(subject, user.id, WEAK)
        await subject.verify(user.id, PASSWORD)
        new = NewUser(emails=(NewEmail("b@example.com"),))
        await subject.create_user(SYSTEM, new, password=PASSWORD)
        assert len(hasher.done) == 6  # look at and hash, check and upgrade, look at and hash
        assert set(hasher.in_transaction) == {False}

    async def test_whoever_would_hash_inside_a_transaction_is_stopped(self, passwords, user):
        for work in (
            lambda: passwords.verify(user.id, PASSWORD),
            lambda: passwords.verify(None, PASSWORD),
            lambda: passwords.prepare(PASSWORD),
        ):
            with pytest.raises(RuntimeError):
                async with transaction():
                    await work()

    async def test_where_too_many_wait_nothing_is_decided_sec_123(self, services, passwords, user):
        await passwords.set(SYSTEM, user.id, PASSWORD)
        full = replace(passwords, hasher=FullHasher(services.config.password))
        for who in (user.id, None):
            with pytest.raises(HashingOverloaded):
                await full.verify(who, PASSWORD)
        with pytest.raises(HashingOverloaded):
            await full.set(SYSTEM, user.id, OTHER)
        assert isinstance(await passwords.verify(user.id, PASSWORD), Verified)

    async def test_where_passwords_are_off_none_is_right(self, services, passwords, user):
        await passwords.set(SYSTEM, user.id, PASSWORD)
        off = await reconfigured(
            services, password=with_fields(services.config.password, enabled=False)
        )
        assert await off.passwords.verify(user.id, PASSWORD) == NoPassword()
        assert await off.passwords.verify(None, PASSWORD) == Wrong()
        with pytest.raises(PasswordsDisabled):
            await off.passwords.set(SYSTEM, user.id, OTHER)
        with pytest.raises(PasswordsDisabled):
            await imported(off.passwords, user.id, WEAK)


class TestStillHolds:
    async def test_a_password_holds_until_it_is_changed_or_deleted(self, passwords, user):
        """SEC-027: who signs in with it while it is changed gets no session that outlives that."""
        await passwords.set(SYSTEM, user.id, PASSWORD)
        first = await passwords.verify(user.id, PASSWORD)
        async with transaction():
            assert await passwords.still_holds(user.id, first)
        await passwords.set(SYSTEM, user.id, PASSWORD)
        assert not await passwords.still_holds(user.id, first)
        second = await passwords.verify(user.id, PASSWORD)
        await passwords.delete(SYSTEM, user.id)
        assert not await passwords.still_holds(user.id, second)
        await passwords.set(SYSTEM, user.id, PASSWORD)
        assert not await passwords.still_holds(user.id, second)

    async def test_an_upgrade_changes_nothing_of_that(self, passwords, user):
        await imported(passwords, user.id, WEAK)
        first = await passwords.verify(user.id, PASSWORD)
        assert await stored_hash() != WEAK
        assert await passwords.still_holds(user.id, first)

    async def test_nobody_holds_nothing(self, passwords):
        assert not await passwords.still_holds(uuid4(), Verified(uuid4()))


class TestImport:
    async def test_an_imported_hash_is_upgraded_at_the_next_success_sec_034(
        self, passwords, user, clock
    ):
        await imported(passwords, user.id, WEAK)
        changed = await passwords.changed_at(user.id)
        assert await passwords.verify(user.id, OTHER) == Wrong()
        assert await stored_hash() == WEAK
        clock.advance(days=1)
        assert isinstance(await passwords.verify(user.id, PASSWORD), Verified)
        (row,) = await rows()
        assert row["hash"].startswith("$argon2id$v=19$m=19456,t=2,p=1$")
        assert (bool(row["imported"]), row["changed_at"]) == (False, changed)
        assert isinstance(await passwords.verify(user.id, PASSWORD), Verified)
        assert await audited() == [("password_changed", user.id, {"context": "import"})]

    async def test_a_hash_of_ours_is_upgraded_when_the_cost_is_raised_sec_034(
        self, services, passwords, user
    ):
        await passwords.set(SYSTEM, user.id, PASSWORD)
        old = await stored_hash()
        await passwords.verify(user.id, PASSWORD)
        assert await stored_hash() == old
        dearer = with_fields(services.config.password.argon2, iterations=3)
        settings = with_fields(services.config.password, argon2=dearer)
        others = await reconfigured(services, password=settings)
        assert isinstance(await others.passwords.verify(user.id, PASSWORD), Verified)
        assert "t=3" in await stored_hash()
        await passwords.verify(user.id, PASSWORD)  # where the cost is lower, the dearer one stays
        assert "t=3" in await stored_hash()

    async def test_a_stronger_hash_stays_as_it_came_sec_034(self, passwords, user):
        word = unicodedata.normalize("NFD", "Käse und Müsli")
        strong = hash_secret(word.encode(), b"salt" * 4, 3, 20_000, 1, 32, Type.ID).decode()
        await imported(passwords, user.id, strong)
        assert isinstance(await passwords.verify(user.id, word), Verified)
        assert await stored_hash() == strong
        assert await passwords.verify(user.id, unicodedata.normalize("NFC", word)) == Wrong()

    async def test_an_imported_hash_is_of_the_password_as_it_is_typed(self, passwords, user):
        word = unicodedata.normalize("NFD", "Käse und Müsli")
        text = bcrypt.hashpw(word.encode(), bcrypt.gensalt(4)).decode()
        await imported(passwords, user.id, text)
        assert await passwords.verify(user.id, unicodedata.normalize("NFC", word)) == Wrong()
        assert isinstance(await passwords.verify(user.id, word), Verified)
        upgraded = unicodedata.normalize("NFC", word)
        assert isinstance(await passwords.verify(user.id, upgraded), Verified)

    async def test_an_upgrade_waits_for_a_quieter_time_sec_123(self, services, passwords, user):
        await imported(passwords, user.id, WEAK)
        hasher = FullHasher(services.config.password)
        hasher.room = 1
        assert isinstance(
            await replace(passwords, hasher=hasher).verify(user.id, PASSWORD), Verified
        )
        assert await stored_hash() == WEAK

    async def test_an_upgrade_does_not_undo_a_change(self, services, passwords, user):
        """Who signs in with the old password while a new one is set does not bring it back."""
        await imported(passwords, user.id, WEAK)

        class Late(PasswordHasher):
            async def hash(self, password):
                await passwords.set(SYSTEM, user.id, OTHER)
                return await super().hash(password)

        late = replace(passwords, hasher=Late(services.config.password))
        old = await late.verify(user.id, PASSWORD)
        assert isinstance(await passwords.verify(user.id, OTHER), Verified)
        assert not await passwords.still_holds(user.id, old)

    @pytest.mark.parametrize(
        ("text", "refusal"),
        [
            ("plain text", PasswordHashInvalid),
            ("$2b$31" + WEAK[6:], PasswordHashTooCostly),
            (WEAK + "\0", PasswordHashInvalid),
        ],
    )
    async def test_a_hash_that_cannot_be_used_is_not_imported_sec_115(
        self, passwords, user, text, refusal
    ):
        with pytest.raises(refusal):
            await imported(passwords, user.id, text)
        assert await rows() == []


class TestCreateUser:
    async def test_a_user_comes_with_a_password(self, passwords):
        new = NewUser(emails=(NewEmail("grace@example.com"),))
        account, _ = await passwords.create_user(SYSTEM, new, password=PASSWORD)
        assert isinstance(await passwords.verify(account.id, PASSWORD), Verified)
        assert await audited() == [("password_changed", account.id, {"context": "admin"})]

    async def test_a_user_comes_with_a_hash(self, passwords):
        new = NewUser(emails=(NewEmail("grace@example.com"),))
        account, _ = await passwords.create_user(SYSTEM, new, password_hash=WEAK)
        assert isinstance(await passwords.verify(account.id, PASSWORD), Verified)

    async def test_a_user_comes_without_either(self, passwords):
        new = NewUser(emails=(NewEmail("grace@example.com"),))
        account, _ = await passwords.create_user(SYSTEM, new)
        assert await passwords.verify(account.id, PASSWORD) == NoPassword()

    @pytest.mark.parametrize(
        ("given", "refusal"),
        [
            ({"password": "short"}, PasswordTooShort),
            ({"password": "grace@example.com"}, PasswordGuessable),
            ({"password": "gracehopper1906"}, PasswordGuessable),
            ({"password_hash": "none"}, PasswordHashInvalid),
            ({"password": PASSWORD, "password_hash": WEAK}, PasswordGivenTwice),
            ({"password": "", "password_hash": ""}, PasswordGivenTwice),
            ({"password": ""}, PasswordTooShort),
        ],
    )
    async def test_with_a_password_that_is_refused_nobody_is_made(
        self, services, passwords, given, refusal
    ):
        profile = ProfileChanges(username="grace_hopper")
        new = NewUser(emails=(NewEmail("grace@example.com"),), profile=profile)
        with pytest.raises(refusal):
            await passwords.create_user(SYSTEM, new, **given)
        assert await services.users.by_email("grace@example.com") is None

    async def test_a_user_who_is_refused_leaves_no_password(self, passwords, user):
        with pytest.raises(EmailTaken):
            await passwords.create_user(
                SYSTEM, NewUser(emails=(NewEmail("ada@example.com"),)), password=PASSWORD
            )
        assert await rows() == []


class TestDelete:
    async def test_a_deleted_password_is_no_more(self, passwords, user):
        await passwords.set(SYSTEM, user.id, PASSWORD)
        await passwords.delete(SYSTEM, user.id)
        assert await passwords.verify(user.id, PASSWORD) == NoPassword()
        assert await audited() == [
            ("password_changed", user.id, {"context": "admin"}),
            ("password_deleted", user.id, {}),
        ]

    async def test_what_is_not_there_cannot_be_deleted(self, passwords, user):
        with pytest.raises(PasswordNotFound):
            await passwords.delete(SYSTEM, user.id)
        with pytest.raises(NotFound):
            await passwords.delete(SYSTEM, uuid4())
        assert await audited() == []

    async def test_what_goes_with_it_and_fails_undoes_it(self, passwords, user):
        async def fail():
            raise ZeroDivisionError

        await passwords.set(SYSTEM, user.id, PASSWORD)
        with pytest.raises(ZeroDivisionError):
            await passwords.delete(SYSTEM, user.id, then=fail)
        assert isinstance(await passwords.verify(user.id, PASSWORD), Verified)


async def test_of_many_changes_at_once_one_stands(passwords, user):
    words = [f"correct horse number {n}" for n in range(6)]
    await asyncio.gather(*(passwords.set(SYSTEM, user.id, word) for word in words))
    outcomes = [await passwords.verify(user.id, word) for word in words]
    assert sum(isinstance(one, Verified) for one in outcomes) == 1
    assert len(await audited()) == len(words)
