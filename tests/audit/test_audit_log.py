"""What happened, to whom, from where: one record each, and nothing in it that must not be."""

import json
import logging
from contextlib import suppress

import msgspec
import pytest
from factories import make_session, make_user
from hypothesis import example, given
from hypothesis import strategies as st

from app.access import SYSTEM, Actor, Origin, SecretKeyPrincipal, SessionPrincipal
from app.audit import AuditLog
from app.audit.service import mask
from app.config.sections import Audit, AuditStorage, ConsoleOutput
from app.ids import new_id
from app.persistence import fetch, savepoint, transaction
from app.users import NewEmail, ProfileChanges

ORIGIN = Origin("request-1", "192.0.2.7", "Browser/1.0")


async def records() -> list[dict]:
    return [dict(row) for row in await fetch("SELECT * FROM audit_event")]


@pytest.fixture
def log(services) -> AuditLog:
    return services.audit


class TestRecord:
    async def test_a_record_says_when_what_who_whom_and_from_where(self, empty, services, clock):
        """SEC-118"""
        await fetch("DELETE FROM audit_event")
        key = SecretKeyPrincipal(new_id(), frozenset({"*"}))
        subject = new_id()
        actor = Actor(secret_key=key, origin=ORIGIN)
        await services.audit.record("user_created", actor, subject=subject, details={"a": [1]})
        (record,) = await records()
        assert record.pop("id").version == 7
        assert json.loads(record.pop("details")) == {"a": [1]}
        assert record == {
            "at": clock.now,
            "type": "user_created",
            "actor_kind": "secret_key",
            "actor_id": key.id,
            "subject_id": subject,
            "address": "192.0.2.7",
            "user_agent": "Browser/1.0",
            "request_id": "request-1",
            "error": None,
        }

    async def test_the_actor_is_the_key_the_user_nobody_or_the_product_itself(self, log):
        """SEC-016, SEC-118"""
        key = SecretKeyPrincipal(new_id(), frozenset({"*"}))
        session = SessionPrincipal(new_id(), new_id())
        await fetch("DELETE FROM audit_event")
        for actor, kind, who in (
            (Actor(secret_key=key), "secret_key", key.id),
            (Actor(session=session), "user", session.user_id),
            (Actor(session=session, secret_key=key), "secret_key", key.id),
            (Actor(origin=ORIGIN), "anonymous", None),
            (SYSTEM, "system", None),
        ):
            subject = new_id()
            await log.record("user_updated", actor, subject=subject)
            (record,) = [one for one in await records() if one["subject_id"] == subject]
            assert (record["actor_kind"], record["actor_id"]) == (kind, who)

    async def test_a_record_stands_or_falls_with_its_effect(self, log):
        """SEC-118"""
        await fetch("DELETE FROM audit_event")
        with pytest.raises(ZeroDivisionError):
            async with transaction():
                await log.record("user_deleted", SYSTEM)
                _ = 1 / 0
        assert await records() == []

    async def test_nothing_is_said_of_what_was_undone(self, log, caplog):
        caplog.set_level(logging.INFO)
        async with transaction():
            await log.record("user_created", SYSTEM)
            with suppress(ZeroDivisionError):
                async with savepoint():
                    await log.record("user_updated", SYSTEM)
                    raise ZeroDivisionError
            assert caplog.records == [], "it may yet be undone"
        with suppress(ZeroDivisionError):
            async with transaction():
                await log.record("user_deleted", SYSTEM)
                raise ZeroDivisionError
        assert [line.audit for line in caplog.records] == ["user_created"]

    async def test_a_long_user_agent_is_cut(self, log):
        await fetch("DELETE FROM audit_event")
        await log.record("user_created", Actor(origin=Origin("r", user_agent="x" * 5000)))
        (record,) = await records()
        assert record["user_agent"] == "x" * 400
        assert record["address"] is None

    async def test_without_storage_nothing_is_kept_and_without_a_console_nothing_is_said(
        self, services, caplog
    ):
        caplog.set_level(logging.INFO)
        await fetch("DELETE FROM audit_event")
        for storage, console in ((True, False), (False, True)):
            config = Audit(
                storage=AuditStorage(enabled=storage), console_output=ConsoleOutput(enabled=console)
            )
            caplog.clear()
            log = AuditLog(config, services.clock)
            await log.record("user_created", SYSTEM)
            assert len(await records()) == 1
            assert len(caplog.records) == console

    async def test_the_console_repeats_the_record_without_what_is_empty(self, log, caplog):
        caplog.set_level(logging.INFO)
        subject = new_id()
        await log.record(
            "email_created",
            Actor(origin=ORIGIN),
            subject=subject,
            details={"email": "ada@example.com\r\nforged"},
        )
        (said,) = caplog.records
        assert (said.audit, said.actor_kind, said.subject_id) == (
            "email_created",
            "anonymous",
            subject,
        )
        assert said.request_id == "request-1"
        assert not hasattr(said, "actor_id")
        assert "ada" not in str(said.__dict__)

    async def test_each_thing_that_a_service_does_leaves_one_record(self, services):
        """SEC-118"""
        user = await make_user(services)
        issued = await make_session(services, user)
        added = await services.users.add_email(SYSTEM, user.id, NewEmail("b@example.com"))
        await services.users.verify_email(SYSTEM, user.id, added.id)
        await services.users.set_primary_email(SYSTEM, user.id, added.id)
        await services.users.update(SYSTEM, user.id, ProfileChanges(name="x"))
        await services.sessions.end(SYSTEM, user.id, issued.session.id, "session_revoked")
        await services.users.delete(SYSTEM, user.id)
        assert sorted(one["type"] for one in await records()) == [
            "email_created",
            "email_verified",
            "primary_email_changed",
            "session_created",
            "session_revoked",
            "signing_key_created",
            "user_created",
            "user_deleted",
            "user_updated",
        ]


class TestMask:
    @pytest.mark.parametrize(
        ("value", "masked"),
        [
            ("ada@example.com", "a*****@example.com"),
            ("lovela@example.com", "l*****@example.com"),
            ("lovelac@example.com", "lov*****@example.com"),
            ("a@b@example.com", "a*****@example.com"),
            ("@example.com", "*****@example.com"),
            ("ada", "a*a"),
            ("augusta", "a*****a"),
            ("ab", "***"),
            ("a", "***"),
            ("", "***"),
            ("日本語", "日*語"),
        ],
    )
    def test_most_of_a_name_is_hidden(self, value, masked):
        assert mask(value) == masked

    @given(
        name=st.text(st.characters(exclude_characters="*@"), min_size=2), is_address=st.booleans()
    )
    @example(name="\0\0\0", is_address=True)
    def test_no_name_survives_the_mask(self, name, is_address):
        masked = mask(f"{name}@example.com" if is_address else name)
        hidden = masked.removesuffix("@example.com")
        assert name not in hidden
        assert "*" in hidden
        assert (hidden != masked) == is_address

    async def test_addresses_and_names_in_details_are_masked(self, services, log):
        await fetch("DELETE FROM audit_event")
        details = {
            "address": "192.0.2.77",
            "email": "ada.lovelace@example.com",
            "username": "augusta",
            "fields": ["email"],
            "count": 0,
        }
        await log.record("user_updated", SYSTEM, details=details)
        (record,) = await records()
        assert json.loads(record["details"]) == {
            "address": "1********7",
            "email": "ada*****@example.com",
            "username": "a*****a",
            "fields": ["email"],
            "count": 0,
        }
        assert details["username"] == "augusta"

    async def test_what_is_empty_needs_no_mask(self, log):
        await fetch("DELETE FROM audit_event")
        await log.record("user_updated", SYSTEM, details={"email": None, "username": ""})
        (record,) = await records()
        assert json.loads(record["details"]) == {"email": None, "username": ""}

    async def test_the_mask_can_be_switched_off(self, services):
        await fetch("DELETE FROM audit_event")
        config = msgspec.structs.replace(services.config.audit_log, mask=False)
        log = AuditLog(config, services.clock)
        await log.record("user_updated", SYSTEM, details={"email": "ada@example.com"})
        (record,) = await records()
        assert json.loads(record["details"]) == {"email": "ada@example.com"}
