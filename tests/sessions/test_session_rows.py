"""Sessions are rows: begun, used, listed, ended; a token is only as good as its row."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import jwt
import pytest
from factories import key_actor, make_session, make_user, session_actor
from msgspec.structs import replace

from app.access import SYSTEM, Origin
from app.assembly import Services, assemble
from app.clock import Clock
from app.config.values import Duration
from app.errors import NotFound
from app.paging import Page, PageRequest, Position
from app.persistence import fetch
from app.sessions import SessionNotFound, SignedIn, SignIn, TokenExpired
from app.users import NewEmail, NewUser, ProfileChanges

STANDARD = ("email", "iat", "exp", "aud")


class TickingClock:
    """A clock that no two readings agree about."""

    def __init__(self) -> None:
        self._now = datetime.now(UTC)

    def __call__(self) -> datetime:
        self._now += timedelta(milliseconds=1)
        return self._now


async def with_session(services: Services, clock: Clock | None = None, **changes) -> Services:
    """The services with another configuration of sessions."""
    session = replace(services.config.session, **changes)
    changed = assemble(replace(services.config, session=session), clock=clock or services.clock)
    await changed.signing_keys.load()
    return changed


async def verdict(services: Services, token: str, **given) -> str:
    found = await services.sessions.authenticate(token, **given)
    return "live" if isinstance(found, SignedIn) else found


async def last_use(session) -> datetime:
    (row,) = await fetch("SELECT last_used_at FROM user_session WHERE id = $1", session.id)
    return row["last_used_at"]


async def rows_of(user) -> set:
    rows = await fetch("SELECT id FROM user_session WHERE user_id = $1", user.id)
    return {row["id"] for row in rows}


def claims_of(token: str) -> dict:
    return jwt.decode(token, options={"verify_signature": False})


class TestIssue:
    async def test_a_session_begins_now_and_ends_after_its_lifespan(self, services, clock):
        user = await make_user(services)
        origin = Origin("request-1", "192.0.2.7", "Browser/1.0")
        issued = await services.sessions.issue(SYSTEM, user.id, origin)
        session = issued.session
        assert (session.created_at, session.last_used_at) == (clock.now, clock.now)
        assert session.expires_at == clock.now + timedelta(hours=12)
        assert (session.ip_address, session.user_agent) == ("192.0.2.7", "Browser/1.0")
        found = await services.sessions.authenticate(issued.token)
        assert isinstance(found, SignedIn)
        assert (found.session, found.account) == (session, user)

    async def test_the_token_claims_who_and_until_when(self, services, clock):
        """SEC-022"""
        user = await make_user(services, email="ada@example.com", username="Ada")
        issued = await make_session(services, user)
        seconds = int(clock.now.timestamp())
        assert claims_of(issued.token) == {
            "sub": str(user.id),
            "session_id": str(issued.session.id),
            "metadata_version": 0,
            "email": {"address": "ada@example.com", "is_primary": True, "is_verified": True},
            "username": "Ada",
            "iat": seconds,
            "exp": seconds + 12 * 3600,
            "aud": ["localhost"],
        }

    async def test_who_has_no_address_or_no_name_claims_none(self, services):
        new = NewUser(profile=ProfileChanges(username="ada"))
        account, _ = await services.users.create(SYSTEM, new)
        issued = await make_session(services, account)
        assert "email" not in claims_of(issued.token)
        other = await make_session(services, await make_user(services))
        assert "username" not in claims_of(other.token)

    async def test_a_token_holds_no_metadata(self, services):
        """SEC-001"""
        user = await make_user(services, public={"p": 1}, private={"s": 1}, unsafe={"u": 1})
        issued = await make_session(services, user)
        claims = claims_of(issued.token)
        assert claims.keys() == {"sub", "session_id", "metadata_version", *STANDARD}
        assert claims["metadata_version"] == 1
        found = await services.sessions.authenticate(issued.token)
        assert (found.bags.public, found.bags.unsafe) == ('{"p":1}', '{"u":1}')
        assert (found.bags.private, found.bags.version) == (None, 1)

    async def test_issuer_and_audience_are_the_configured_ones(self, services):
        """SEC-022"""
        changed = await with_session(services, issuer="https://id", audience=["a", "b"])
        issued = await make_session(changed, await make_user(services))
        claims = claims_of(issued.token)
        assert (claims["iss"], claims["aud"]) == ("https://id", ["a", "b"])
        assert await verdict(changed, issued.token) == "live"

    async def test_each_session_has_an_id_of_its_own(self, services):
        """SEC-026"""
        user = await make_user(services)
        ids = {(await make_session(services, user)).session.id for _ in range(5)}
        assert len(ids) == 5

    async def test_what_shall_not_be_kept_of_the_caller_is_not(self, services):
        changed = await with_session(services, acquire_ip_address=False, acquire_user_agent=False)
        user = await make_user(services)
        origin = Origin("request-1", "192.0.2.7", "Browser/1.0")
        issued = await changed.sessions.issue(SYSTEM, user.id, origin)
        assert (issued.session.ip_address, issued.session.user_agent) == (None, None)
        assert "192.0.2.7" not in str([dict(r) for r in await fetch("SELECT * FROM user_session")])

    async def test_a_long_user_agent_is_cut_and_does_not_stop_a_sign_in(self, services):
        user = await make_user(services)
        origin = Origin(user_agent="x" * 10_000)
        issued = await services.sessions.issue(SYSTEM, user.id, origin)
        assert issued.session.user_agent == "x" * 400
        assert issued.session.ip_address is None

    async def test_nobody_has_no_session(self, services):
        with pytest.raises(NotFound):
            await services.sessions.issue(SYSTEM, uuid4())

    async def test_the_record_names_the_session(self, services):
        """SEC-118, SEC-116"""
        user = await make_user(services)
        actor = await key_actor(services)
        issued = await services.sessions.issue(actor, user.id)
        (event,) = await fetch("SELECT * FROM audit_event WHERE type = 'session_created'")
        assert (event["actor_id"], event["subject_id"]) == (actor.secret_key.id, user.id)
        assert json.loads(event["details"]) == {"session_id": str(issued.session.id)}
        assert issued.token not in str(dict(event))


class TestLimit:
    async def test_the_oldest_sessions_end_first(self, services, clock):
        """SEC-029"""
        user = await make_user(services)
        issued = []
        for _ in range(8):
            clock.advance(seconds=1)
            issued.append(await make_session(services, user))
        assert [await verdict(services, one.token) for one in issued] == (
            ["revoked"] * 3 + ["live"] * 5
        )
        assert await rows_of(user) == {one.session.id for one in issued[3:]}

    async def test_a_limit_of_one_leaves_the_last(self, services, clock):
        changed = await with_session(services, limit=1)
        user = await make_user(services)
        first = await make_session(changed, user)
        clock.advance(seconds=1)
        second = await make_session(changed, user)
        assert await verdict(changed, first.token) == "revoked"
        assert await verdict(changed, second.token) == "live"

    async def test_the_limit_is_each_users_own(self, services):
        one, other = await make_user(services), await make_user(services)
        kept = await make_session(services, other)
        for _ in range(6):
            await make_session(services, one)
        assert await verdict(services, kept.token) == "live"

    async def test_expired_sessions_make_room_first(self, services, clock):
        user = await make_user(services)
        expired = [await make_session(services, user) for _ in range(3)]
        clock.advance(hours=11)
        live = [await make_session(services, user) for _ in range(2)]
        clock.advance(hours=1)
        last = await make_session(services, user)
        assert await rows_of(user) == {one.session.id for one in (*live, last)}
        assert {await verdict(services, one.token) for one in expired} == {"expired"}

    @pytest.mark.parametrize("limit", [1, 5])
    async def test_of_many_sign_ins_at_once_the_newest_stay(self, services, limit):
        """SEC-029"""
        changed = await with_session(services, clock=TickingClock(), limit=limit)
        user = await make_user(services)
        issued = await asyncio.gather(*(make_session(changed, user) for _ in range(20)))
        newest = sorted(issued, key=lambda one: one.session.created_at)[-limit:]
        assert await rows_of(user) == {one.session.id for one in newest}
        live = [one for one in issued if await verdict(changed, one.token) == "live"]
        assert {one.session.id for one in live} == {one.session.id for one in newest}

    async def test_the_newest_stay_where_two_processes_sign_in_at_once(self, services, replicas):
        """SEC-029"""
        for _ in range(4):
            user = await make_user(services)
            made = await asyncio.gather(
                *(replica.ask("issue", user=str(user.id), times=10) for replica in replicas)
            )
            begun = made[0] | made[1]
            newest = sorted(begun, key=begun.__getitem__)[-services.config.session.limit :]
            assert len(begun) == 20
            assert {str(one) for one in await rows_of(user)} == set(newest)


class TestTime:
    async def test_a_session_is_over_at_the_end_of_its_lifespan(self, services, clock):
        """SEC-028"""
        clock.now = datetime(2030, 1, 1, tzinfo=UTC)
        issued = await make_session(services, await make_user(services))
        clock.advance(hours=12, microseconds=-1)
        assert await verdict(services, issued.token) == "live"
        clock.advance(microseconds=1)
        assert await verdict(services, issued.token) == "expired"

    async def test_the_row_decides_where_it_ends_before_its_token(self, services, clock):
        """SEC-024"""
        issued = await make_session(services, await make_user(services))
        sooner = clock.now + timedelta(minutes=5)
        await fetch("UPDATE user_session SET expires_at = $1", sooner)
        assert await verdict(services, issued.token) == "live"
        clock.advance(minutes=5)
        assert await verdict(services, issued.token) == "expired"

    async def test_the_token_ends_though_its_row_be_prolonged(self, services, clock):
        """SEC-028"""
        issued = await make_session(services, await make_user(services))
        later = clock.now + timedelta(days=5)
        await fetch("UPDATE user_session SET expires_at = $1", later)
        clock.advance(hours=12)
        assert await verdict(services, issued.token) == "expired"
        with pytest.raises(TokenExpired):
            await services.sessions.tokens.read(issued.token)

    async def test_use_never_prolongs_a_session(self, services, clock):
        """SEC-028"""
        changed = await with_session(services, idle_timeout=Duration(hours=1))
        issued = await make_session(changed, await make_user(services))
        for _ in range(23):
            clock.advance(minutes=31)
            assert await verdict(changed, issued.token) == "live"
        clock.advance(minutes=31)
        assert await verdict(changed, issued.token) == "expired"

    async def test_an_idle_session_ends(self, services, clock):
        """SEC-028"""
        changed = await with_session(services, idle_timeout=Duration(minutes=30))
        issued = await make_session(changed, await make_user(services))
        clock.advance(minutes=30)
        assert await verdict(changed, issued.token, touch=False) == "live"
        clock.advance(microseconds=1)
        assert await verdict(changed, issued.token) == "expired"
        assert await verdict(services, issued.token) == "live"

    async def test_use_keeps_a_session_from_being_idle_and_looking_does_not(self, services, clock):
        changed = await with_session(services, idle_timeout=Duration(minutes=30))
        issued = await make_session(changed, await make_user(services))
        clock.advance(minutes=20)
        await verdict(changed, issued.token)
        clock.advance(minutes=20)
        assert await verdict(changed, issued.token, touch=False) == "live"
        clock.advance(minutes=20)
        assert await verdict(changed, issued.token, touch=False) == "expired"

    @pytest.mark.parametrize(
        ("idle_timeout", "every"),
        [(Duration(0), 60), (Duration(hours=1), 60), (Duration(minutes=5), 30)],
    )
    async def test_the_last_use_is_written_now_and_then(self, services, clock, idle_timeout, every):
        changed = await with_session(services, idle_timeout=idle_timeout)
        issued = await make_session(changed, await make_user(services))
        begun = clock.now
        clock.advance(seconds=every, microseconds=-1)
        await verdict(changed, issued.token)
        assert await last_use(issued.session) == begun
        clock.advance(microseconds=1)
        await verdict(changed, issued.token, touch=False)
        assert await last_use(issued.session) == begun
        await verdict(changed, issued.token)
        assert await last_use(issued.session) == clock.now

    async def test_a_clock_that_runs_behind_does_not_set_the_last_use_back(self, services, clock):
        """SEC-134"""
        issued = await make_session(services, await make_user(services))
        ahead = clock.now + timedelta(seconds=30)
        await fetch("UPDATE user_session SET last_used_at = $1", ahead)
        assert await verdict(services, issued.token) == "live"
        assert await last_use(issued.session) == ahead

    async def test_a_token_of_a_replica_whose_clock_is_ahead_is_good(self, services, clock):
        """SEC-028, SEC-134"""
        user = await make_user(services)
        clock.now = clock.now.replace(microsecond=0)
        clock.advance(seconds=60)
        issued = await make_session(services, user)
        clock.advance(seconds=-60)
        assert await verdict(services, issued.token) == "live"
        clock.advance(seconds=-1)
        assert await verdict(services, issued.token) == "invalid"

    async def test_the_end_by_idleness_is_foretold(self, services, clock):
        issued = await make_session(services, await make_user(services))
        assert services.sessions.idle_end(issued.session) is None
        changed = await with_session(services, idle_timeout=Duration(hours=1))
        assert changed.sessions.idle_end(issued.session) == clock.now + timedelta(hours=1)
        longer = await with_session(services, idle_timeout=Duration(hours=20))
        assert longer.sessions.idle_end(issued.session) == issued.session.expires_at


class TestEnd:
    async def test_an_ended_session_is_accepted_no_more(self, services):
        """SEC-024, SEC-025"""
        user = await make_user(services)
        issued, kept = await make_session(services, user), await make_session(services, user)
        assert await verdict(services, issued.token) == "live"
        actor = session_actor(issued)
        await services.sessions.end(actor, user.id, issued.session.id, "user_logged_out")
        assert await verdict(services, issued.token) == "revoked"
        assert await verdict(services, kept.token) == "live"
        (event,) = await fetch("SELECT * FROM audit_event WHERE type = 'user_logged_out'")
        assert (event["actor_kind"], event["subject_id"]) == ("user", user.id)

    async def test_a_session_that_is_not_ones_own_is_not_found(self, services):
        user, other = await make_user(services), await make_user(services)
        foreign = await make_session(services, other)
        for session_id in (foreign.session.id, uuid4()):
            with pytest.raises(SessionNotFound) as refused:
                await services.sessions.end(SYSTEM, user.id, session_id, "session_revoked")
            assert str(refused.value) == "There is no such session."
        assert await verdict(services, foreign.token) == "live"
        assert not await fetch("SELECT id FROM audit_event WHERE type = 'session_revoked'")

    async def test_a_session_ends_once(self, services):
        user = await make_user(services)
        issued = await make_session(services, user)
        outcomes = await asyncio.gather(
            *(
                services.sessions.end(SYSTEM, user.id, issued.session.id, "session_revoked")
                for _ in range(4)
            ),
            return_exceptions=True,
        )
        assert sum(one is None for one in outcomes) == 1
        assert sum(isinstance(one, SessionNotFound) for one in outcomes) == 3

    async def test_all_sessions_of_a_user_end_and_nobody_elses(self, services):
        """SEC-025"""
        user, other = await make_user(services), await make_user(services)
        issued = [await make_session(services, user) for _ in range(3)]
        foreign = await make_session(services, other)
        assert await services.sessions.end_all(SYSTEM, user.id) == 3
        assert {await verdict(services, one.token) for one in issued} == {"revoked"}
        assert await verdict(services, foreign.token) == "live"
        assert await services.sessions.end_all(SYSTEM, user.id) == 0
        rows = await fetch("SELECT details FROM audit_event WHERE type = 'sessions_revoked'")
        assert sorted(json.loads(row["details"])["count"] for row in rows) == [0, 3]

    async def test_all_others_end_and_the_named_one_stays(self, services):
        user = await make_user(services)
        issued = [await make_session(services, user) for _ in range(3)]
        kept = issued[1]
        assert await services.sessions.end_all(SYSTEM, user.id, keep=kept.session.id) == 2
        assert await rows_of(user) == {kept.session.id}

    async def test_nobodys_sessions_cannot_end(self, services):
        with pytest.raises(NotFound):
            await services.sessions.end_all(SYSTEM, uuid4())

    async def test_no_replica_accepts_what_one_has_ended(self, services, replicas):
        """SEC-025"""
        user = await make_user(services)
        issued = [await make_session(services, user) for _ in range(3)]
        for one in issued:
            for replica in replicas:
                assert await replica.ask("authenticate", token=one.token) == "live"
        first, second, third = issued
        await services.sessions.end(SYSTEM, user.id, first.session.id, "user_logged_out")
        await services.sessions.end_all(SYSTEM, user.id, keep=third.session.id)
        for replica in replicas:
            for ended in (first, second):
                assert await replica.ask("authenticate", token=ended.token) == "revoked"
            assert await replica.ask("authenticate", token=third.token) == "live"
        await services.users.delete(SYSTEM, user.id)
        for replica in replicas:
            assert await replica.ask("authenticate", token=third.token) == "revoked"

    async def test_a_row_that_belongs_to_another_user_makes_the_token_invalid(self, services):
        """SEC-024"""
        user, other = await make_user(services), await make_user(services)
        issued = await make_session(services, user)
        assert await verdict(services, issued.token) == "live"
        await fetch("UPDATE user_session SET user_id = $1", other.id)
        assert await verdict(services, issued.token) == "invalid"


class TestHow:
    """SEC-026: what a session knows of the sign-in that began it."""

    async def test_a_token_says_how_its_user_has_signed_in_even_when_it_is_renewed(self, services):
        short = await with_session(services, access_token_lifespan=Duration(minutes=10))
        user = await make_user(short)
        issued = await short.sessions.issue(SYSTEM, user.id, sign_in=SignIn(("pwd", "totp")))
        assert claims_of(issued.token)["amr"] == ["pwd", "totp"]
        again = await short.refreshing.exchange(SYSTEM, issued.refresh_token)
        assert claims_of(again.token)["amr"] == ["pwd", "totp"]
        found = await short.sessions.authenticate(again.token, with_subject=True)
        assert (await short.sessions.claims.current(found))["amr"] == ["pwd", "totp"]

    async def test_a_session_that_nobody_signed_in_to_says_nothing(self, services):
        issued = await make_session(services, await make_user(services))
        assert "amr" not in claims_of(issued.token)

    async def test_who_signs_in_leaves_the_session_behind_that_the_request_bore(self, services):
        ada, bob = await make_user(services), await make_user(services)
        former = await make_session(services, ada)
        other = await make_session(services, ada)
        borne = session_actor(former).session
        issued = await services.sessions.issue(SYSTEM, bob.id, sign_in=SignIn(replacing=borne))
        assert await verdict(services, former.token) == "revoked"
        assert await verdict(services, other.token) == "live"
        assert await verdict(services, issued.token) == "live"
        rows = await fetch("SELECT subject_id FROM audit_event WHERE type = 'session_revoked'")
        assert [row["subject_id"] for row in rows] == [ada.id]

    async def test_a_session_that_has_ended_by_itself_is_no_obstacle(self, services):
        user = await make_user(services)
        former = await make_session(services, user)
        await services.sessions.end_all(SYSTEM, user.id)
        issued = await services.sessions.issue(
            SYSTEM, user.id, sign_in=SignIn(replacing=session_actor(former).session)
        )
        assert await verdict(services, issued.token) == "live"


class TestRemembering:
    async def test_what_is_remembered_of_tokens_is_bounded(self, services):
        issued = await make_session(services, await make_user(services))
        seen = services.sessions.tokens._seen
        assert await verdict(services, issued.token) == "live"
        verified = seen.tokens[issued.token]
        seen.tokens.update({str(n): verified for n in range(8192 - len(seen.tokens))})
        other = await make_session(services, await make_user(services))
        assert await verdict(services, other.token) == "live"
        assert len(seen.tokens) == 8192
        assert issued.token not in seen.tokens
        assert await verdict(services, issued.token) == "live"

    async def test_a_key_that_is_gone_takes_its_tokens_along(self, services, clock):
        """SEC-033"""
        issued = await make_session(services, await make_user(services))
        assert await verdict(services, issued.token) == "live"
        await fetch("DELETE FROM signing_key")
        clock.advance(seconds=1)
        await services.signing_keys.load()
        assert await verdict(services, issued.token) == "invalid"

    async def test_a_token_of_a_key_that_another_replica_has_just_made_is_read(
        self, services, clock
    ):
        """SEC-033"""
        clock.advance(seconds=1)
        other = await with_session(services)
        await other.signing_keys.rotate(SYSTEM, now=True)
        issued = await make_session(other, await make_user(services))
        services.signing_keys.reader.ring.read_at -= 60
        assert await verdict(services, issued.token) == "live"


class TestPages:
    async def test_live_sessions_of_many_users_come_in_pages_newest_first(self, services, clock):
        """SEC-098"""
        one, two, none = [await make_user(services) for _ in range(3)]
        expired = await make_session(services, one)
        clock.advance(hours=11)
        sessions = {one.id: [], two.id: []}
        for user in (one, two, one, one, two):
            clock.advance(microseconds=1)
            sessions[user.id].insert(0, (await make_session(services, user)).session)
        clock.advance(hours=1)
        pages = await services.sessions.pages_of([one.id, two.id, none.id], PageRequest(2))
        assert pages == {
            one.id: Page(tuple(sessions[one.id][:2]), has_next=True, has_previous=False),
            two.id: Page(tuple(sessions[two.id]), has_next=False, has_previous=False),
            none.id: Page((), has_next=False, has_previous=False),
        }
        assert expired.session not in pages[one.id].items
        last = pages[one.id].items[-1]
        beyond = PageRequest(2, beyond=Position(last.created_at, last.id))
        rest = await services.sessions.pages_of([one.id], beyond)
        assert rest[one.id] == Page((sessions[one.id][2],), has_next=False, has_previous=True)

    async def test_sessions_of_one_moment_are_each_met_once(self, services):
        user = await make_user(services)
        issued = [(await make_session(services, user)).session for _ in range(5)]
        expected = sorted(issued, key=lambda one: one.id, reverse=True)
        met, beyond = [], None
        while True:
            page = (await services.sessions.pages_of([user.id], PageRequest(2, beyond=beyond)))[
                user.id
            ]
            met += page.items
            if not page.has_next:
                break
            beyond = Position(page.items[-1].created_at, page.items[-1].id)
        assert met == expected

    async def test_nobodys_sessions_are_none(self, services):
        assert await services.sessions.pages_of([], PageRequest()) == {}
        stranger = uuid4()
        pages = await services.sessions.pages_of([stranger], PageRequest())
        assert pages == {stranger: Page((), has_next=False, has_previous=False)}


async def test_the_primary_address_of_several_is_claimed(services):
    user = await make_user(services, email="ada@example.com")
    new = NewEmail("b@example.com", is_primary=True)
    await services.users.add_email(SYSTEM, user.id, new)
    issued = await make_session(services, user)
    assert claims_of(issued.token)["email"] == {
        "address": "b@example.com",
        "is_primary": True,
        "is_verified": False,
    }
