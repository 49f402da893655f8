"""Secret keys in use: made, checked, rotated, revoked."""

import asyncio
import json
import logging
from dataclasses import fields
from datetime import timedelta
from uuid import uuid4

import pytest
from factories import key_actor, make_key, make_session, make_user

from app.access import ALL_SCOPES, SCOPES, SYSTEM, SecretKeyPrincipal
from app.errors import NotFound, ScopeMissing
from app.persistence import fetch
from app.secretkeys import NewSecretKey, ScopesInvalid, SecretKey, SecretKeyNotFound, secret
from app.secretkeys.service import KeyTextInvalid

EVERY_TABLE = (
    "app_user",
    "retired_user",
    "email",
    "user_metadata",
    "user_session",
    "secret_key",
    "signing_key",
    "audit_event",
    "schema_migration",
)


async def make(services, *scopes: str, expires_at=None, name="test") -> tuple[SecretKey, str]:
    new = NewSecretKey(name, scopes or (ALL_SCOPES,), expires_at)
    return await services.secret_keys.create(SYSTEM, new, None)


def holder(*scopes: str) -> SecretKeyPrincipal:
    return SecretKeyPrincipal(uuid4(), frozenset(scopes))


async def works(services, text: str) -> bool:
    return await services.secret_keys.authenticate(text) is not None


class TestCreate:
    async def test_a_key_is_shown_once_and_then_known_by_its_prefix(self, services, clock):
        """SEC-011"""
        key, text = await make(services, "users:read", "users:write", "users:read", name=" ci ")
        assert (key.name, key.scopes) == ("ci", ("users:read", "users:write"))
        assert (key.created_at, key.expires_at) == (clock.now, None)
        assert (key.revoked_at, key.last_used_at) == (None, None)
        assert text.startswith(f"sk_{key.prefix}_")
        assert await services.secret_keys.list(None) == [key]
        principal = await services.secret_keys.authenticate(text)
        assert principal == SecretKeyPrincipal(key.id, frozenset(key.scopes))

    async def test_no_row_of_any_table_and_no_log_yields_a_usable_key(self, services, caplog):
        """SEC-011, SEC-017, SEC-116"""
        caplog.set_level(logging.DEBUG)
        key, text = await make(services)
        await works(services, text)
        _, rotated = await services.secret_keys.rotate(SYSTEM, key.id, timedelta(hours=1), None)
        dump = [str(record.__dict__) for record in caplog.records]
        for table in EVERY_TABLE:
            dump += [str(dict(row)) for row in await fetch(f"SELECT * FROM {table}")]
        whole = "\n".join(dump)
        assert secret.digest(text) in whole
        for made in (text, rotated):
            assert made not in whole
            assert made[16:] not in whole
            assert made[16:59] not in whole
        for stored in (secret.digest(text), key.prefix, f"sk_{key.prefix}_"):
            assert not await works(services, stored)

    async def test_what_is_told_about_a_key_later_has_no_digest(self):
        """SEC-017"""
        assert not {field.name for field in fields(SecretKey)} & {"digest", "secret", "text"}

    @pytest.mark.parametrize(
        "scopes",
        [(), ("",), ("users",), ("users:*",), ("USERS:READ",), ("users:read", "x"), ("* ",)],
    )
    async def test_a_scope_that_does_not_exist_is_refused(self, services, scopes):
        with pytest.raises(ScopesInvalid):
            await services.secret_keys.create(SYSTEM, NewSecretKey("x", scopes), None)
        assert await services.secret_keys.list(None) == []

    @pytest.mark.parametrize("name", ["", "  ", "x" * 101, "a\nb", "\x1b[1m", "\u202e", "\0"])
    async def test_a_name_is_short_and_printable(self, services, name):
        with pytest.raises(KeyTextInvalid) as refused:
            await services.secret_keys.create(SYSTEM, NewSecretKey(name, ("*",)), None)
        assert refused.value.path == ("name",)

    async def test_an_expiry_lies_in_the_future(self, services, clock):
        for past in (clock.now, clock.now - timedelta(days=1)):
            with pytest.raises(KeyTextInvalid) as refused:
                await make(services, expires_at=past)
            assert refused.value.path == ("expires_at",)

    async def test_a_key_cannot_make_a_wider_one(self, services):
        """SEC-015"""
        grantor = holder("keys:write", "users:read")
        for scopes in (("users:write",), ("users:read", "keys:read"), ("*",), SCOPES):
            with pytest.raises(ScopeMissing) as refused:
                await services.secret_keys.create(SYSTEM, NewSecretKey("x", scopes), grantor)
            assert refused.value.required == scopes
        assert await services.secret_keys.list(None) == []
        same = NewSecretKey("x", ("users:read",))
        key, _ = await services.secret_keys.create(SYSTEM, same, grantor)
        assert key.scopes == ("users:read",)

    async def test_a_key_makes_none_that_ends_later_than_itself(self, services, clock):
        """SEC-014, SEC-015: who holds it for an hour holds nothing afterwards."""
        end = clock.now + timedelta(hours=1)
        _, text = await make(services, "keys:write", "users:read", expires_at=end)
        grantor = await services.secret_keys.authenticate(text)
        create = services.secret_keys.create
        with pytest.raises(KeyTextInvalid) as refused:
            later = NewSecretKey("x", ("users:read",), end + timedelta(microseconds=1))
            await create(SYSTEM, later, grantor)
        assert refused.value.path == ("expires_at",)
        assert len(await services.secret_keys.list(None)) == 1
        unsaid, _ = await create(SYSTEM, NewSecretKey("x", ("users:read",)), grantor)
        assert unsaid.expires_at == end
        for asked in (end, end - timedelta(minutes=1)):
            key, _ = await create(SYSTEM, NewSecretKey("x", ("users:read",), asked), grantor)
            assert key.expires_at == asked

    async def test_every_scope_by_name_is_not_all_scopes(self, services):
        """SEC-015: the star stands for those to come as well."""
        with pytest.raises(ScopeMissing):
            await services.secret_keys.create(SYSTEM, NewSecretKey("x", ("*",)), holder(*SCOPES))


class TestAuthenticate:
    async def test_an_unknown_key_and_a_wrong_secret_are_refused_alike(self, services):
        """SEC-011"""
        key, text = await make(services)
        unknown = secret.generate().text
        body = f"sk_{key.prefix}_{unknown[16:59]}"
        wrong = body + secret._checksum(body)
        assert secret.prefix_of(wrong) == key.prefix
        assert await services.secret_keys.authenticate(unknown) is None
        assert await services.secret_keys.authenticate(wrong) is None
        assert await works(services, text)

    @pytest.mark.parametrize(
        "text",
        ["", "sk_", "Bearer x", "eyJhbGciOiJub25lIn0.e30.", "sk_' OR 1=1 --", "\0", "\ud800"],
    )
    async def test_what_is_no_key_is_refused(self, services, text):
        """SEC-121"""
        await make(services)
        assert await services.secret_keys.authenticate(text) is None

    async def test_a_session_token_is_no_secret_key(self, services):
        """SEC-016, SEC-023"""
        issued = await make_session(services, await make_user(services))
        assert not await works(services, issued.token)
        assert await services.sessions.authenticate(await make_key(services)) == "invalid"

    async def test_a_key_ends_at_its_expiry_to_the_moment(self, services, clock):
        """SEC-014"""
        _, text = await make(services, expires_at=clock.now + timedelta(hours=1))
        clock.advance(hours=1, microseconds=-1)
        assert await works(services, text)
        clock.advance(microseconds=1)
        assert not await works(services, text)

    async def test_the_last_use_is_noted_at_most_once_a_minute(self, services, clock):
        _, text = await make(services)

        async def last_use():
            (key,) = await services.secret_keys.list(None)
            return key.last_used_at

        await works(services, text)
        first = clock.now
        assert await last_use() == first
        clock.advance(seconds=59)
        await works(services, text)
        assert await last_use() == first
        clock.advance(seconds=1)
        await works(services, text)
        assert await last_use() == clock.now

    async def test_a_refused_key_is_not_noted_as_used(self, services, clock):
        key, text = await make(services)
        await services.secret_keys.revoke(SYSTEM, key.id, None)
        await works(services, text)
        (after,) = await services.secret_keys.list(None)
        assert after.last_used_at is None


class TestRotate:
    async def test_both_keys_work_during_the_grace_period(self, services, clock):
        """SEC-014"""
        old, text = await make(services, "users:read", name="ci")
        new, renewed = await services.secret_keys.rotate(SYSTEM, old.id, timedelta(hours=1), None)
        assert (new.name, new.scopes, new.expires_at) == ("ci", ("users:read",), None)
        assert new.id != old.id
        assert await works(services, text)
        assert await works(services, renewed)
        clock.advance(hours=1)
        assert not await works(services, text)
        assert await works(services, renewed)

    async def test_without_grace_the_old_key_ends_at_once(self, services):
        old, text = await make(services)
        _, renewed = await services.secret_keys.rotate(SYSTEM, old.id, timedelta(0), None)
        assert not await works(services, text)
        assert await works(services, renewed)

    async def test_grace_never_prolongs_a_key(self, services, clock):
        ends = clock.now + timedelta(minutes=5)
        old, text = await make(services, expires_at=ends)
        new, renewed = await services.secret_keys.rotate(SYSTEM, old.id, timedelta(days=1), None)
        assert new.expires_at == ends
        clock.advance(minutes=5)
        assert not await works(services, text)
        assert not await works(services, renewed)

    @pytest.mark.parametrize("grace", [timedelta(seconds=-1), timedelta(days=90, seconds=1)])
    async def test_grace_has_its_bounds(self, services, grace):
        old, text = await make(services)
        with pytest.raises(KeyTextInvalid) as refused:
            await services.secret_keys.rotate(SYSTEM, old.id, grace, None)
        assert refused.value.path == ("grace",)
        assert await works(services, text)
        await services.secret_keys.rotate(SYSTEM, old.id, timedelta(days=90), None)

    async def test_a_key_that_has_ended_is_not_rotated(self, services, clock):
        revoked, _ = await make(services)
        await services.secret_keys.revoke(SYSTEM, revoked.id, None)
        expired, _ = await make(services, expires_at=clock.now + timedelta(seconds=1))
        clock.advance(seconds=1)
        for ended in (revoked.id, expired.id, uuid4()):
            with pytest.raises(SecretKeyNotFound):
                await services.secret_keys.rotate(SYSTEM, ended, timedelta(0), None)
        assert len(await services.secret_keys.list(None)) == 2

    async def test_a_wider_key_is_not_rotated(self, services):
        """SEC-015"""
        wide, text = await make(services, "users:read", "keys:write")
        with pytest.raises(SecretKeyNotFound):
            await services.secret_keys.rotate(SYSTEM, wide.id, timedelta(0), holder("keys:write"))
        assert await works(services, text)

    async def test_who_rotates_a_key_gets_none_that_ends_later_than_their_own(
        self, services, clock
    ):
        """SEC-014, SEC-015"""
        end = clock.now + timedelta(hours=1)
        _, text = await make(services, "keys:write", "users:read", expires_at=end)
        grantor = await services.secret_keys.authenticate(text)
        sooner = clock.now + timedelta(minutes=1)
        for own, wanted in ((None, end), (end + timedelta(days=1), end), (sooner, sooner)):
            old, _ = await make(services, "users:read", expires_at=own)
            new, _ = await services.secret_keys.rotate(SYSTEM, old.id, timedelta(0), grantor)
            assert new.expires_at == wanted

    async def test_the_record_names_both_keys_and_no_secret(self, services):
        """SEC-116, SEC-118"""
        old, _ = await make(services)
        actor = await key_actor(services)
        new, renewed = await services.secret_keys.rotate(actor, old.id, timedelta(0), None)
        (event,) = await fetch("SELECT * FROM audit_event WHERE type = 'secret_key_rotated'")
        assert (event["subject_id"], event["actor_id"]) == (new.id, actor.secret_key.id)
        assert json.loads(event["details"])["old"] == str(old.id)
        assert renewed[16:] not in str(dict(event))


class TestRevoke:
    async def test_a_revoked_key_ends_at_once(self, services, clock):
        """SEC-014"""
        key, text = await make(services)
        assert await works(services, text)
        revoked = await services.secret_keys.revoke(SYSTEM, key.id, None)
        assert revoked.revoked_at == clock.now
        assert not await works(services, text)

    async def test_a_second_revocation_changes_nothing(self, services, clock):
        key, _ = await make(services)
        first = await services.secret_keys.revoke(SYSTEM, key.id, None)
        clock.advance(hours=1)
        assert await services.secret_keys.revoke(SYSTEM, key.id, None) == first
        rows = await fetch("SELECT id FROM audit_event WHERE type = 'secret_key_revoked'")
        assert len(rows) == 1

    async def test_a_wider_key_is_like_one_that_does_not_exist(self, services):
        """SEC-015"""
        wide, text = await make(services)
        for key_id in (wide.id, uuid4()):
            with pytest.raises(NotFound) as refused:
                await services.secret_keys.revoke(SYSTEM, key_id, holder(*SCOPES))
            assert str(refused.value) == "There is no such secret key."
        assert await works(services, text)

    async def test_a_key_may_end_itself(self, services):
        key, text = await make(services, "keys:write")
        itself = await services.secret_keys.authenticate(text)
        await services.secret_keys.revoke(SYSTEM, key.id, itself)
        assert not await works(services, text)

    async def test_a_rotation_and_a_revocation_at_once_leave_no_old_key_alive(self, services):
        key, text = await make(services)
        _, revoked = await asyncio.gather(
            services.secret_keys.rotate(SYSTEM, key.id, timedelta(days=1), None),
            services.secret_keys.revoke(SYSTEM, key.id, None),
            return_exceptions=True,
        )
        assert not isinstance(revoked, Exception)
        assert not await works(services, text)


class TestList:
    async def test_a_key_sees_those_that_it_covers_oldest_first(self, services, clock):
        """SEC-015"""
        made = []
        for scopes in (("users:read",), ("*",), ("users:read", "keys:read"), ("keys:read",)):
            clock.advance(seconds=1)
            made.append((await make(services, *scopes))[0])
        one, everything, both, other = made
        listed = services.secret_keys.list
        assert await listed(None) == made
        assert await listed(holder("*")) == made
        assert await listed(holder("users:read", "keys:read")) == [one, both, other]
        assert await listed(holder("keys:read")) == [other]
        assert everything not in await listed(holder(*SCOPES))

    async def test_ended_keys_stay_in_the_list(self, services):
        key, _ = await make(services)
        revoked = await services.secret_keys.revoke(SYSTEM, key.id, None)
        assert await services.secret_keys.list(None) == [revoked]


async def test_every_replica_knows_at_once_what_one_has_done(services, replicas):
    """SEC-014"""
    key, text = await make(services)
    other, second = await make(services)
    for replica in replicas:
        assert await replica.ask("opens", secret=text)
        assert await replica.ask("opens", secret=second)
    await services.secret_keys.revoke(SYSTEM, key.id, None)
    _, renewed = await services.secret_keys.rotate(SYSTEM, other.id, timedelta(0), None)
    for replica in replicas:
        assert not await replica.ask("opens", secret=text)
        assert not await replica.ask("opens", secret=second)
        assert await replica.ask("opens", secret=renewed)
