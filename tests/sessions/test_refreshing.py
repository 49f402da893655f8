"""Short tokens and the refresh tokens that renew them."""

import asyncio
import json
from datetime import timedelta
from uuid import UUID, uuid4

import jwt
import pytest
from factories import make_session, make_user, reconfigured
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from app.access import SYSTEM, Actor, Origin
from app.config.values import Duration
from app.keys import encryption_secrets
from app.metadata import BagChanges
from app.persistence import fetch
from app.sessions import RefreshTokenInvalid, RefreshTokens, SignedIn
from app.sessions.refresh_tokens import RefreshToken

SOMEBODY = Actor(origin=Origin("request-1", "192.0.2.7", "Browser/1.0"))
ACCESS = timedelta(minutes=10)


@pytest.fixture
async def refreshing(services):
    """The services with tokens of ten minutes."""
    session = replace(services.config.session, access_token_lifespan=Duration(minutes=10))
    return await reconfigured(services, session=session)


@pytest.fixture
async def issued(refreshing):
    return await make_session(refreshing, await make_user(refreshing))


def claims_of(token):
    return jwt.decode(token, options={"verify_signature": False})


async def verdict(services, token):
    found = await services.sessions.authenticate(token)
    return "live" if isinstance(found, SignedIn) else found


async def refused(services, token):
    with pytest.raises(RefreshTokenInvalid):
        await services.refreshing.exchange(SOMEBODY, token)


async def reuses():
    return await fetch("SELECT * FROM audit_event WHERE type = 'session_refresh_reused'")


class TestOff:
    async def test_by_default_one_token_lives_as_long_as_its_session(self, services):
        issued = await make_session(services, await make_user(services))
        assert issued.refresh_token is None
        assert issued.expires_at == issued.session.expires_at

    async def test_refresh_tokens_are_worth_nothing_once_they_are_switched_off(
        self, services, issued
    ):
        await refused(services, issued.refresh_token)
        assert await verdict(services, issued.token) == "live"


class TestOn:
    async def test_a_token_is_short_and_its_session_is_not(self, refreshing, issued, clock):
        claims = claims_of(issued.token)
        assert claims["exp"] - claims["iat"] == 600
        assert issued.expires_at == clock.now + ACCESS
        assert issued.session.expires_at == clock.now + timedelta(hours=12)
        clock.advance(minutes=11)
        assert await verdict(refreshing, issued.token) == "expired"

    async def test_a_refresh_token_gives_a_token_of_the_same_session(
        self, refreshing, issued, clock
    ):
        clock.advance(minutes=11)
        renewed = await refreshing.refreshing.exchange(SOMEBODY, issued.refresh_token)
        assert renewed.session.id == issued.session.id
        assert renewed.refresh_token != issued.refresh_token
        assert await verdict(refreshing, renewed.token) == "live"
        before, after = claims_of(issued.token), claims_of(renewed.token)
        assert after["exp"] == before["exp"] + 660
        assert before | {"iat": after["iat"], "exp": after["exp"]} == after

    async def test_a_renewed_token_claims_what_is_true_now(self, refreshing, issued, clock):
        user_id = issued.session.user_id
        await refreshing.metadata.change(SYSTEM, user_id, BagChanges(public={"plan": "pro"}))
        renewed = await refreshing.refreshing.exchange(SOMEBODY, issued.refresh_token)
        assert claims_of(renewed.token)["metadata_version"] == 1

    async def test_refreshing_is_use_and_never_prolongs_the_session(
        self, refreshing, issued, clock
    ):
        """SEC-028"""
        token = issued.refresh_token
        for _ in range(6):
            clock.advance(minutes=117)
            renewed = await refreshing.refreshing.exchange(SOMEBODY, token)
            token = renewed.refresh_token
        (row,) = await fetch("SELECT last_used_at, expires_at FROM user_session")
        assert (row["last_used_at"], row["expires_at"]) == (clock.now, issued.session.expires_at)
        clock.advance(minutes=13)
        last = await refreshing.refreshing.exchange(SOMEBODY, token)
        assert last.expires_at == issued.session.expires_at
        clock.advance(minutes=5)
        await refused(refreshing, last.refresh_token)

    async def test_an_idle_session_is_not_refreshed(self, services, clock):
        """SEC-028"""
        session = replace(
            services.config.session,
            access_token_lifespan=Duration(minutes=10),
            idle_timeout=Duration(minutes=30),
        )
        idle = await reconfigured(services, session=session)
        issued = await make_session(idle, await make_user(idle))
        clock.advance(minutes=31)
        await refused(idle, issued.refresh_token)

    async def test_an_ended_session_is_not_refreshed(self, refreshing, issued):
        """SEC-025"""
        session = issued.session
        await refreshing.sessions.end(SYSTEM, session.user_id, session.id, "session_revoked")
        await refused(refreshing, issued.refresh_token)

    async def test_a_deleted_user_is_not_refreshed(self, refreshing, issued):
        """SEC-122"""
        await refreshing.users.delete(SYSTEM, issued.session.user_id)
        await refused(refreshing, issued.refresh_token)


class TestReuse:
    async def test_a_second_exchange_at_once_gives_the_same_successor(
        self, refreshing, issued, clock
    ):
        first = await refreshing.refreshing.exchange(SOMEBODY, issued.refresh_token)
        clock.advance(seconds=30)
        second = await refreshing.refreshing.exchange(SOMEBODY, issued.refresh_token)
        assert second.refresh_token == first.refresh_token
        assert await verdict(refreshing, second.token) == "live"
        assert await reuses() == []

    async def test_a_later_second_exchange_ends_the_session(self, refreshing, issued, clock):
        """RFC 9700 §4.14.2: one of the two who hold the token has stolen it."""
        renewed = await refreshing.refreshing.exchange(SOMEBODY, issued.refresh_token)
        clock.advance(seconds=31)
        await refused(refreshing, issued.refresh_token)
        assert await verdict(refreshing, renewed.token) == "revoked"
        await refused(refreshing, renewed.refresh_token)
        (event,) = await reuses()
        assert event["subject_id"] == issued.session.user_id
        assert event["address"] == "192.0.2.7"
        assert json.loads(event["details"]) == {"session_id": str(issued.session.id)}

    async def test_a_token_of_two_exchanges_ago_ends_the_session_at_once(self, refreshing, issued):
        renewed = await refreshing.refreshing.exchange(SOMEBODY, issued.refresh_token)
        await refreshing.refreshing.exchange(SOMEBODY, renewed.refresh_token)
        await refused(refreshing, issued.refresh_token)
        assert len(await reuses()) == 1
        assert await fetch("SELECT id FROM user_session") == []

    async def test_reuse_ends_no_other_session(self, refreshing, issued, clock):
        user = await refreshing.users.by_id(issued.session.user_id)
        other = await make_session(refreshing, user)
        await refreshing.refreshing.exchange(SOMEBODY, issued.refresh_token)
        clock.advance(minutes=1)
        await refused(refreshing, issued.refresh_token)
        assert await verdict(refreshing, other.token) == "live"

    async def test_many_exchanges_of_one_token_at_the_same_time_agree(self, refreshing, issued):
        """SEC-137"""
        found = await asyncio.gather(
            *(refreshing.refreshing.exchange(SOMEBODY, issued.refresh_token) for _ in range(10))
        )
        assert len({one.refresh_token for one in found}) == 1
        (row,) = await fetch("SELECT refresh_count FROM user_session")
        assert row["refresh_count"] == 1

    async def test_a_count_that_was_never_given_out_is_taken_for_theft(self, refreshing, issued):
        """As after a backup has been restored: who holds it is not known."""
        ahead = RefreshToken(issued.session.id, 7)
        await refused(refreshing, refreshing.sessions.refresh_tokens.write(ahead))
        assert len(await reuses()) == 1


class TestText:
    async def test_the_database_signs_nobody_in(self, refreshing, issued):
        """SEC-119: nothing of a refresh token is stored."""
        dump = str([dict(row) for row in await fetch("SELECT * FROM user_session")])
        assert issued.refresh_token not in dump
        assert issued.refresh_token.removeprefix("rt_")[:40] not in dump

    async def test_a_refresh_token_is_no_session_token_and_the_other_way_round(
        self, refreshing, issued
    ):
        """SEC-023"""
        assert await verdict(refreshing, issued.refresh_token) == "invalid"
        await refused(refreshing, issued.token)

    async def test_an_older_secret_still_reads_and_a_foreign_one_does_not(self, refreshing, issued):
        """SEC-120"""
        known = encryption_secrets(refreshing.config)
        newer = RefreshTokens(["the newer secret of them", *known])
        assert newer.read(issued.refresh_token) == RefreshToken(issued.session.id, 0)
        assert newer.write(RefreshToken(issued.session.id, 0)) != issued.refresh_token
        with pytest.raises(RefreshTokenInvalid):
            RefreshTokens(["a secret of somebody else"]).read(issued.refresh_token)


tokens = RefreshTokens(["a secret of sixteen", "an older secret of ours"])


@given(st.uuids(), st.integers(0, 2**63))
def test_what_was_written_is_read(session_id: UUID, count: int):
    text = tokens.write(RefreshToken(session_id, count))
    assert len(text) == 78
    assert tokens.read(text) == RefreshToken(session_id, count)


@given(st.text() | st.from_regex(r"rt_[A-Za-z0-9_-]{75}", fullmatch=True))
def test_sec_098_nothing_else_is_read(text: str):
    with pytest.raises(RefreshTokenInvalid):
        tokens.read(text)


@given(st.integers(0, 77), st.characters(codec="utf-8"))
def test_sec_021_there_is_one_spelling_of_a_token(at: int, other: str):
    text = tokens.write(RefreshToken(uuid4(), 3))
    changed = text[:at] + other + text[at + 1 :]
    if changed != text:
        with pytest.raises(RefreshTokenInvalid):
            tokens.read(changed)
