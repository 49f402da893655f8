"""The life of a signing key: made, published, signing, retired, gone."""

import asyncio
import json
import time
from datetime import timedelta
from uuid import UUID, uuid4

import jwt
import pytest
from databases import elsewhere
from factories import make_session, make_user, reconfigured
from keys.lives import (
    AHEAD,
    LEEWAY,
    LIFESPAN,
    configured,
    events,
    look,
    published,
    rotated,
    signer,
)
from msgspec.structs import replace

from app.access import SYSTEM
from app.assembly import Services, assemble
from app.config.values import Duration
from app.keys import TokenInvalid
from app.keys.errors import NextKeyPending, SigningKeyActive, SigningKeyNotFound
from app.persistence import DatabaseUnavailable, fetch
from app.sessions import SignedIn

ALGORITHMS = ("ES256", "EdDSA", "RS256")


async def replica_of(services: Services) -> Services:
    other = assemble(services.config, clock=services.clock)
    await other.signing_keys.load()
    return other


async def states(services: Services) -> dict[str, str]:
    return {str(key.kid): key.state for key in await services.signing_keys.list()}


async def rows() -> set[str]:
    return {str(row["id"]) for row in await fetch("SELECT id FROM signing_key")}


class TestCreate:
    async def test_the_next_key_is_published_and_does_not_sign(self, services, clock):
        """SEC-033"""
        (first,) = published(services)
        clock.advance(seconds=1)
        made = await services.signing_keys.create(SYSTEM)
        assert (made.state, made.activates_at, made.published_until) == ("next", None, None)
        assert published(services) == [str(made.kid), first]
        clock.advance(days=400)
        assert await signer(services) == first
        assert await states(services) == {str(made.kid): "next", first: "active"}
        assert await events() == ["signing_key_created"] * 2

    async def test_a_second_one_is_refused(self, services, clock):
        await services.signing_keys.create(SYSTEM)
        with pytest.raises(NextKeyPending):
            await services.signing_keys.create(SYSTEM)
        assert len(await rows()) == 2

    async def test_one_is_refused_while_a_rotation_is_under_way(self, services, clock):
        clock.advance(seconds=1)
        await services.signing_keys.rotate(SYSTEM)
        with pytest.raises(NextKeyPending):
            await services.signing_keys.create(SYSTEM)

    async def test_two_at_once_make_one(self, services):
        made = [services.signing_keys.create(SYSTEM) for _ in range(4)]
        found = await asyncio.gather(*made, return_exceptions=True)
        assert sum(isinstance(one, NextKeyPending) for one in found) == 3
        assert len(await rows()) == 2


class TestRotate:
    async def test_a_key_made_now_is_published_ahead_and_then_signs(self, services, clock):
        """SEC-033"""
        (old,) = published(services)
        clock.advance(seconds=1)
        following = await services.signing_keys.rotate(SYSTEM)
        assert following.state == "next"
        assert following.activates_at == clock.now + AHEAD
        assert published(services) == [str(following.kid), old]
        assert await signer(services) == old
        clock.advance(seconds=AHEAD.total_seconds() - 0.001)
        assert await signer(services) == old
        clock.advance(seconds=0.001)
        assert await signer(services) == str(following.kid)
        assert await states(services) == {str(following.kid): "active", old: "retired"}
        assert (await events()).count("signing_key_created") == 2
        assert (await events()).count("signing_key_rotated") == 1

    async def test_a_key_that_has_waited_long_enough_signs_at_once(self, services, clock):
        """SEC-033"""
        clock.advance(seconds=1)
        made = await services.signing_keys.create(SYSTEM)
        clock.advance(seconds=AHEAD.total_seconds())
        following = await services.signing_keys.rotate(SYSTEM)
        assert (following.kid, following.state) == (made.kid, "active")
        assert following.activates_at == clock.now
        assert await signer(services) == str(made.kid)
        assert len(await rows()) == 2

    async def test_a_key_that_has_not_waits_for_the_rest(self, services, clock):
        """SEC-033"""
        clock.advance(seconds=1)
        made = await services.signing_keys.create(SYSTEM)
        clock.advance(minutes=5)
        following = await services.signing_keys.rotate(SYSTEM)
        assert (following.kid, following.state) == (made.kid, "next")
        assert following.activates_at == made.created_at + AHEAD

    async def test_now_takes_no_time_at_all(self, services, clock):
        for prepare in ("nothing", "waiting"):
            clock.advance(seconds=1)
            waiting = await services.signing_keys.create(SYSTEM) if prepare == "waiting" else None
            following = await services.signing_keys.rotate(SYSTEM, now=True)
            assert following.state == "active"
            assert waiting is None or waiting.kid == following.kid
            assert await signer(services) == str(following.kid)

    async def test_a_rotation_under_way_is_not_begun_again(self, services, clock):
        clock.advance(seconds=1)
        following = await services.signing_keys.rotate(SYSTEM)
        clock.advance(minutes=1)
        with pytest.raises(NextKeyPending, match="brings it forward"):
            await services.signing_keys.rotate(SYSTEM)
        newest, _ = await services.signing_keys.list()
        assert newest.activates_at == following.activates_at

    async def test_now_brings_it_forward(self, services, clock):
        (old,) = published(services)
        clock.advance(seconds=1)
        following = await services.signing_keys.rotate(SYSTEM)
        clock.advance(minutes=1)
        forward = await services.signing_keys.rotate(SYSTEM, now=True)
        assert (forward.kid, forward.activates_at) == (following.kid, clock.now)
        assert await states(services) == {str(following.kid): "active", old: "retired"}
        assert len(await rows()) == 2

    async def test_two_at_once_make_one_next_key(self, services, clock):
        clock.advance(seconds=1)
        others = [services, await replica_of(services), await replica_of(services)]
        turns = [one.signing_keys.rotate(SYSTEM) for one in others]
        found = await asyncio.gather(*turns, return_exceptions=True)
        assert sum(isinstance(one, NextKeyPending) for one in found) == 2
        assert len(await rows()) == 2

    async def test_a_clock_that_lags_behind_cannot_put_a_key_before_the_active_one(
        self, services, clock
    ):
        (active,) = await services.signing_keys.list()
        clock.advance(seconds=-3)
        following = await services.signing_keys.rotate(SYSTEM, now=True)
        assert following.activates_at > active.activates_at
        assert await signer(services) == str(active.kid)
        clock.advance(seconds=4)
        assert await signer(services) == str(following.kid)

    async def test_it_mends_a_table_that_somebody_has_emptied(self, services, clock):
        await fetch("DELETE FROM signing_key")
        await look(services)
        with pytest.raises(RuntimeError):
            await services.signing_keys.sign({})
        following = await services.signing_keys.rotate(SYSTEM, now=True)
        assert await signer(services) == str(following.kid)

    async def test_the_record_tells_what_was_done_and_holds_no_key(self, services, clock):
        """SEC-116"""
        clock.advance(seconds=1)
        following = await services.signing_keys.rotate(SYSTEM)
        (row,) = await fetch("SELECT * FROM audit_event WHERE type = 'signing_key_rotated'")
        assert row["actor_kind"] == "system"
        assert json.loads(row["details"]) == {
            "kid": str(following.kid),
            "activates_at": following.activates_at.isoformat(),
            "now": False,
        }

    async def test_a_refused_change_leaves_no_record(self, services, clock):
        clock.advance(seconds=1)
        await services.signing_keys.rotate(SYSTEM)
        before = await events()
        for attempt in (
            services.signing_keys.rotate(SYSTEM),
            services.signing_keys.create(SYSTEM),
            services.signing_keys.retire(SYSTEM, uuid4()),
        ):
            with pytest.raises((NextKeyPending, SigningKeyNotFound)):
                await attempt
        assert await events() == before


class TestTheEndOfAKey:
    async def end_of(self, services, kid):
        (found,) = [key for key in await services.signing_keys.list() if str(key.kid) == kid]
        return found.published_until

    async def test_it_is_told_when_its_successor_is(self, services, clock):
        """SEC-033: a lifespan after the last moment at which it signs, and a minute."""
        (old,) = published(services)
        assert await self.end_of(services, old) is None
        following = await rotated(services, clock)
        assert await self.end_of(services, old) == following.activates_at + LIFESPAN + LEEWAY
        assert await self.end_of(services, str(following.kid)) is None

    async def test_a_token_is_good_until_its_own_end_whatever_happens_to_the_key(
        self, services, clock
    ):
        """SEC-033"""
        (old,) = published(services)
        user = await make_user(services)
        clock.advance(seconds=1)
        following = await services.signing_keys.rotate(SYSTEM)
        clock.advance(seconds=AHEAD.total_seconds() - 1)
        issued = await make_session(services, user)  # the last token of the old key
        assert jwt.get_unverified_header(issued.token)["kid"] == old
        clock.advance(seconds=LIFESPAN.total_seconds() - 1)
        restarted = await replica_of(services)
        assert await signer(restarted) == str(following.kid)
        for one in (services, restarted):
            assert isinstance(await one.sessions.authenticate(issued.token), SignedIn)
        clock.advance(seconds=1)
        assert await services.sessions.authenticate(issued.token) == "expired"
        assert old in published(services)
        clock.advance(seconds=1 + LEEWAY.total_seconds())
        assert old not in published(services)
        assert await services.sessions.authenticate(issued.token) == "invalid"

    async def test_a_session_that_outlives_the_lifespan_of_today_counts(self, services, clock):
        """SEC-033"""
        (old,) = published(services)
        session = replace(services.config.session, lifespan=Duration(hours=48))
        longer = await reconfigured(services, session=session)
        issued = await make_session(longer, await make_user(longer))
        clock.advance(seconds=1)
        await services.signing_keys.rotate(SYSTEM)
        assert await self.end_of(services, old) == issued.session.expires_at + LEEWAY

    async def test_a_lifespan_that_grows_in_between_puts_it_off(self, services, clock):
        """SEC-033"""
        (old,) = published(services)
        clock.advance(seconds=1)
        following = await services.signing_keys.rotate(SYSTEM)
        session = replace(services.config.session, lifespan=Duration(hours=48))
        await reconfigured(services, session=session)
        end = following.activates_at + timedelta(hours=48) + LEEWAY
        assert await self.end_of(services, old) == end
        await replica_of(services)
        assert await self.end_of(services, old) == end

    async def test_a_restart_alone_moves_no_end(self, services, clock):
        (old,) = published(services)
        await rotated(services, clock)
        end = await self.end_of(services, old)
        await make_session(services, await make_user(services))
        clock.advance(hours=1)
        await make_session(services, await make_user(services))
        await replica_of(services)
        assert await self.end_of(services, old) == end

    async def test_it_is_gone_by_the_clock_and_deleted_at_the_next_start(self, services, clock):
        """SEC-119: no private half lingers."""
        (old,) = published(services)
        token = await services.signing_keys.sign({"a": 1})
        following = await rotated(services, clock)
        clock.advance(seconds=(LIFESPAN + LEEWAY).total_seconds())
        generation = services.signing_keys.generation
        assert published(services) == [str(following.kid)]
        assert list(await states(services)) == [str(following.kid)]
        with pytest.raises(TokenInvalid):
            services.signing_keys.verify(token)
        assert old in await rows()
        await replica_of(services)
        assert await rows() == {str(following.kid)}
        assert services.signing_keys.generation == generation
        (row,) = await fetch("SELECT details FROM audit_event WHERE type = 'signing_key_retired'")
        told = {"kid": old, "algorithm": "ES256", "state": "expired"}
        assert json.loads(row["details"]) == told

    async def test_a_rotation_deletes_what_is_over(self, services, clock):
        (old,) = published(services)
        await rotated(services, clock)
        clock.advance(days=1)
        await services.signing_keys.rotate(SYSTEM)
        assert old not in await rows()

    async def test_caches_of_verified_tokens_hear_of_it(self, services, clock):
        """SEC-033"""
        before = services.signing_keys.generation
        await rotated(services, clock)
        during = services.signing_keys.generation
        clock.advance(days=1)
        assert before < during < services.signing_keys.generation


class TestRetire:
    async def test_a_retired_key_is_gone_at_once_with_its_tokens_and_its_row(self, services, clock):
        """SEC-119"""
        (old,) = published(services)
        issued = await make_session(services, await make_user(services))
        following = await rotated(services, clock)
        assert isinstance(await services.sessions.authenticate(issued.token), SignedIn)
        active = await services.signing_keys.retire(SYSTEM, UUID(old))
        assert active.kid == following.kid
        assert published(services) == [str(following.kid)]
        assert await rows() == {str(following.kid)}
        assert await services.sessions.authenticate(issued.token) == "invalid"
        (row,) = await fetch("SELECT details FROM audit_event WHERE type = 'signing_key_retired'")
        told = {"kid": old, "algorithm": "ES256", "state": "retired"}
        assert json.loads(row["details"]) == told

    async def test_the_active_key_is_kept_unless_forced(self, services, clock):
        (old,) = published(services)
        with pytest.raises(SigningKeyActive):
            await services.signing_keys.retire(SYSTEM, UUID(old))
        assert published(services) == [old]
        clock.advance(seconds=1)
        token = await services.signing_keys.sign({"a": 1})
        active = await services.signing_keys.retire(SYSTEM, UUID(old), force=True)
        assert (active.state, active.activates_at) == ("active", clock.now)
        assert published(services) == [str(active.kid)]
        assert await signer(services) == str(active.kid)
        with pytest.raises(TokenInvalid):
            services.signing_keys.verify(token)
        assert (await events()).count("signing_key_created") == 2
        assert (await events()).count("signing_key_retired") == 1

    async def test_a_next_key_can_be_given_up(self, services, clock):
        (old,) = published(services)
        for begin in (services.signing_keys.create, services.signing_keys.rotate):
            clock.advance(seconds=1)
            following = await begin(SYSTEM)
            await services.signing_keys.retire(SYSTEM, following.kid)
            (left,) = await services.signing_keys.list()
            assert (str(left.kid), left.state, left.published_until) == (old, "active", None)
        clock.advance(days=30)
        assert await signer(services) == old

    async def test_an_unknown_key_is_not_found(self, services):
        for force in (False, True):
            with pytest.raises(SigningKeyNotFound):
                await services.signing_keys.retire(SYSTEM, uuid4(), force=force)
        assert len(await rows()) == 1

    async def test_a_key_that_is_over_is_not_found(self, services, clock):
        (old,) = published(services)
        await rotated(services, clock)
        clock.advance(days=1)
        with pytest.raises(SigningKeyNotFound):
            await services.signing_keys.retire(SYSTEM, UUID(old))


class TestReplicas:
    async def test_each_publishes_a_new_key_before_it_signs_and_switches_by_its_own_clock(
        self, services, clock
    ):
        """SEC-033"""
        other = await replica_of(services)
        clock.advance(seconds=1)
        following = await services.signing_keys.rotate(SYSTEM)
        await look(other)
        assert published(other) == published(services)
        clock.advance(seconds=AHEAD.total_seconds())
        assert await signer(other) == str(following.kid)

    async def test_a_key_retired_at_one_is_refused_by_the_other_when_it_looks(
        self, services, clock
    ):
        other = await replica_of(services)
        (old,) = published(services)
        token = await services.signing_keys.sign({"a": 1})
        clock.advance(seconds=1)
        await services.signing_keys.retire(SYSTEM, UUID(old), force=True)
        assert other.signing_keys.verify(token) == {"a": 1}
        await look(other)
        with pytest.raises(TokenInvalid):
            other.signing_keys.verify(token)
        assert await signer(other) == await signer(services)

    async def test_of_many_at_once_one_looks(self, services, monkeypatch):
        asked = []
        monkeypatch.setattr("app.keys.rows.fetch", self.counting(asked))
        services.signing_keys.reader.ring.read_at -= 1
        await asyncio.gather(*(services.signing_keys.refresh() for _ in range(50)))
        assert len(asked) == 1

    async def test_a_look_opens_no_key_twice(self, services, clock, monkeypatch):
        clock.advance(seconds=1)
        await services.signing_keys.create(SYSTEM)
        opened = []
        real = services.signing_keys.sealer.open
        monkeypatch.setattr(
            type(services.signing_keys.sealer),
            "open",
            lambda self, sealed, place: (opened.append(place), real(sealed, place))[1],
        )
        for _ in range(3):
            await look(services)
        assert opened == []

    async def test_what_was_read_earlier_does_not_win_over_what_was_read_later(
        self, services, clock
    ):
        (old,) = published(services)
        ring = services.signing_keys.reader.ring
        lives, opened, long_ago = ring.lives, ring.opened, ring.read_at - 1
        clock.advance(seconds=1)
        await services.signing_keys.retire(SYSTEM, UUID(old), force=True)
        after = published(services)
        ring.take(lives, opened, long_ago)
        assert published(services) == after

    async def test_the_set_is_written_once_for_each_change(self, services, clock):
        first = await services.signing_keys.published()
        clock.advance(minutes=1)
        await look(services)
        assert await services.signing_keys.published() is first
        clock.advance(seconds=1)
        await services.signing_keys.create(SYSTEM)
        second = await services.signing_keys.published()
        assert second.etag != first.etag
        assert json.loads(second.body) == services.signing_keys.jwks()
        assert await services.signing_keys.published() is second

    @staticmethod
    def counting(asked):
        async def counted(sql, *args):
            asked.append(sql)
            await asyncio.sleep(0)
            return await fetch(sql, *args)

        return counted


class TestAnotherAlgorithm:
    async def test_tokens_of_both_verify_all_the_way_through(self, services, clock):
        """SEC-019, SEC-033"""
        tokens = [await services.signing_keys.sign({"n": 0})]
        now = services
        for n, algorithm in enumerate(ALGORITHMS[1:], start=1):
            now = configured(services, algorithm=algorithm)
            await now.signing_keys.load()
            assert jwt.get_unverified_header(await now.signing_keys.sign({}))["alg"] != algorithm
            following = await rotated(now, clock)
            assert following.algorithm == algorithm
            tokens.append(await now.signing_keys.sign({"n": n}))
        headers = [jwt.get_unverified_header(token) for token in tokens]
        assert [header["alg"] for header in headers] == list(ALGORITHMS)
        await look(services)
        for one in (services, now):
            assert [one.signing_keys.verify(t)["n"] for t in tokens] == [0, 1, 2]
        jwks = now.signing_keys.jwks()["keys"]
        assert [key["alg"] for key in jwks] == list(ALGORITHMS[::-1])
        for header, token in zip(headers, tokens, strict=True):
            (jwk,) = [key for key in jwks if key["kid"] == header["kid"]]
            assert jwt.decode(token, jwt.PyJWK(jwk), [header["alg"]])

    async def test_a_start_says_what_to_do_where_the_newest_key_is_another(
        self, services, clock, caplog
    ):
        caplog.set_level("WARNING")
        for algorithm, said in (("ES256", 0), ("RS256", 1)):
            caplog.clear()
            other = configured(services, algorithm=algorithm)
            await other.signing_keys.load()
            warned = [r for r in caplog.records if "sekisho jwk rotate" in r.getMessage()]
            assert len(warned) == said
        clock.advance(seconds=1)
        await other.signing_keys.rotate(SYSTEM)
        caplog.clear()
        await configured(services, algorithm="RS256").signing_keys.load()
        assert not caplog.records


class TestKnowing:
    """SEC-033: nobody goes on with what was known long ago."""

    async def test_of_requests_at_once_all_know_what_the_first_has_read(self, services, clock):
        other = assemble(services.config, clock=clock)
        await other.signing_keys.load()
        clock.advance(seconds=1)
        await other.signing_keys.rotate(SYSTEM, now=True)
        token = await other.signing_keys.sign({"a": 1})
        services.signing_keys.reader.ring.read_at -= 3600

        async def ask():
            await services.signing_keys.refresh()
            return services.signing_keys.verify(token)

        assert await asyncio.gather(*(ask() for _ in range(8))) == [{"a": 1}] * 8

    async def test_a_reading_that_fails_fails_for_all_who_waited(self, services):
        services.signing_keys.reader.ring.read_at -= 3600
        async with elsewhere():
            found = await asyncio.gather(
                *(services.signing_keys.refresh() for _ in range(4)), return_exceptions=True
            )
        assert [type(one) for one in found] == [DatabaseUnavailable] * 4
        await services.signing_keys.refresh()

    async def test_a_database_that_keeps_silent_does_not_keep_the_set_sec_130(
        self, services, monkeypatch
    ):
        """It is given as it was last known, and soon."""

        async def silent(*_):
            await asyncio.Event().wait()

        known = await services.signing_keys.published()
        services.signing_keys.reader.ring.read_at -= 3600
        monkeypatch.setattr("app.keys.reading.PATIENCE", 0.05)
        monkeypatch.setattr("app.keys.rows.fetch", silent)
        async with asyncio.timeout(5):
            assert await services.signing_keys.published() is known

    async def test_who_stops_waiting_takes_nothing_from_the_others(self, services):
        services.signing_keys.reader.ring.read_at -= 3600
        first = asyncio.ensure_future(services.signing_keys.refresh())
        second = asyncio.ensure_future(services.signing_keys.refresh())
        await asyncio.sleep(0)
        first.cancel()
        await second
        assert time.monotonic() - services.signing_keys.reader.ring.read_at < 60

    async def test_a_rotation_by_who_knows_of_a_shorter_lifespan_ends_no_token_early(
        self, services, clock
    ):
        """SEC-033"""
        session = replace(services.config.session, lifespan=Duration(hours=720))
        long = await reconfigured(services, session=session)
        await services.signing_keys.rotate(SYSTEM)
        clock.advance(minutes=5)
        issued = await make_session(long, await make_user(long))
        long.signing_keys.reader.ring.read_at -= 1
        await long.signing_keys.refresh()
        clock.advance(hours=13)
        await services.signing_keys.load()
        long.signing_keys.reader.ring.read_at -= 1
        assert isinstance(await long.sessions.authenticate(issued.token), SignedIn)

    async def test_a_forced_end_lets_the_key_sign_that_was_published_already(self, services, clock):
        waiting = await services.signing_keys.create(SYSTEM)
        active = next(k for k in await services.signing_keys.list() if k.state == "active")
        clock.advance(seconds=1)
        now = await services.signing_keys.retire(SYSTEM, active.kid, force=True)
        assert now.kid == waiting.kid
        assert len(await services.signing_keys.list()) == 1
