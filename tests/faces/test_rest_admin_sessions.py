"""REST for secret keys: sessions of users, begun, listed and ended."""

import logging

import msgspec
import pytest
from faces.admin_endpoints import (
    Endpoint,
    bodies,
    is_not_on_the_public_listener,
    is_whole,
    opens_for_its_scope_alone,
    records,
    refused,
    told,
)
from faces.clients import Face
from factories import NOBODYS_ID, make_session, make_user, reconfigured
from hypothesis import given, settings

from app.config.values import Duration
from app.persistence import fetch
from app.sessions import SignedIn


@pytest.fixture
async def ada(services):
    return await make_user(services)


def endpoints(user_id, session_id=NOBODYS_ID):
    mine = f"/users/{user_id}/sessions"
    return [
        Endpoint("POST", "/sessions", "sessions:write", {"user_id": str(user_id)}),
        Endpoint("GET", mine, "sessions:read"),
        Endpoint("DELETE", f"{mine}/{session_id}", "sessions:write"),
    ]


async def begun(face, key, user, **where):
    answer = await face.post("/sessions", {"user_id": str(user.id), **where}, key=key)
    assert answer.status_code == 200, answer.text
    return answer


async def listed(face, key, user):
    answer = await face.get(f"/users/{user.id}/sessions", key=key)
    assert answer.status_code == 200
    return answer.json()


def moment(at):
    return at.isoformat().replace("+00:00", "Z")


class TestWho:
    async def test_each_endpoint_opens_for_its_scope_alone(self, services, admin, ada):
        """SEC-012, SEC-015, SEC-016"""
        for one in endpoints(ada.id):
            await opens_for_its_scope_alone(services, admin, one)

    async def test_the_public_listener_knows_none_of_them(self, services, public, key, ada):
        """SEC-108"""
        issued = await make_session(services, ada)
        for one in endpoints(ada.id, issued.session.id):
            await is_not_on_the_public_listener(public, key, one)
        assert isinstance(await services.sessions.authenticate(issued.token), SignedIn)


class TestBegin:
    async def test_a_session_begins_and_its_token_is_given(self, services, admin, key, ada):
        """SEC-118: its records name the key; and no cookie on this listener (SEC-108)."""
        answer = await begun(admin, key, ada)
        (token,) = answer.json().values()
        assert answer.json().keys() == {"session_token"}
        assert answer.headers["cache-control"] == "no-store"
        assert "set-cookie" not in answer.headers
        found = await services.sessions.authenticate(token)
        assert found.account.id == ada.id
        details = {"session_id": str(found.session.id)}
        (record,) = await records("session_created")
        assert record == ("session_created", "secret_key", details)
        assert await records("login_success") == [("login_success", "secret_key", {"api": "admin"})]
        assert (await told())[-1] == "session.create.admin"

    async def test_either_face_leaves_the_same_records(self, admin, key, ada):
        """SEC-118"""
        begin = "mutation ($id: ID!) { createUserSession(userId: $id) { userErrors { code } } }"
        await begun(admin, key, ada)
        by_rest = [one[:2] for one in await records()]
        assert "errors" not in await admin.gql(begin, {"id": str(ada.id)}, key=key)
        by_graphql = [one[:2] for one in (await records())[len(by_rest) :]]
        assert by_graphql == by_rest[-2:]
        assert {kind for kind, _ in by_graphql} == {"session_created", "login_success"}

    async def test_no_log_and_no_record_holds_a_token(self, admin, key, ada, caplog):
        """SEC-116"""
        caplog.set_level(logging.DEBUG)
        token = (await begun(admin, key, ada)).json()["session_token"]
        logged = [str(record.__dict__) for record in caplog.records]
        assert token not in "\n".join([*logged, str(await records())])

    async def test_the_session_is_where_the_person_is(self, admin, key, ada):
        """Not where the backend is."""
        where = {"user_agent": "Mozilla/5.0", "ip_address": "2001:0DB8::1"}
        await begun(admin, key, ada, **where)
        await begun(admin, key, ada, user_agent=None, ip_address=None)
        await begun(admin, key, ada, user_agent="", ip_address="")
        shown = [(one["user_agent"], one["ip_address"]) for one in await listed(admin, key, ada)]
        assert shown == [(None, None), (None, None), ("Mozilla/5.0", "2001:db8::1")]

    async def test_a_refresh_token_comes_where_those_are_in_use(self, services, key, ada):
        short = msgspec.structs.replace(
            services.config.session, access_token_lifespan=Duration(minutes=5)
        )
        face = Face(await reconfigured(services, session=short), "admin")
        tokens = (await begun(face, key, ada)).json()
        assert tokens.keys() == {"session_token", "refresh_token"}
        assert tokens["refresh_token"].startswith("rt_")

    async def test_the_oldest_beyond_the_limit_ends(self, services, key, ada):
        """SEC-029"""
        one = msgspec.structs.replace(services.config.session, limit=1)
        face = Face(await reconfigured(services, session=one), "admin")
        for _ in range(2):
            await begun(face, key, ada)
        assert len(await listed(face, key, ada)) == 1
        assert (await told())[-2:] == ["session.delete.passive.limit", "session.create.admin"]

    async def test_nobody_has_no_session(self, admin, key):
        answer = await admin.post("/sessions", {"user_id": NOBODYS_ID}, key=key)
        assert refused(answer, 404, "not_found", "user_id")
        assert answer.json()["message"] == "user not found"

    async def test_what_it_does_not_know_is_ignored(self, admin, key, ada):
        await begun(admin, key, ada, amr=["pwd"], expires_at="2100-01-01T00:00:00Z")
        (shown,) = await listed(admin, key, ada)
        assert shown["expires_at"] < "2100"

    async def test_a_body_that_is_something_else_is_refused(self, admin, key, ada):
        """SEC-099"""
        mine = {"user_id": str(ada.id)}
        for body, path in (
            ({}, "user_id"),
            ({"user_id": None}, "user_id"),
            ({"user_id": 1}, "user_id"),
            ({"user_id": "x"}, "user_id"),
            ({"user_id": str(ada.id).upper()}, "user_id"),
            ({**mine, "ip_address": "localhost"}, "ip_address"),
            ({**mine, "ip_address": "192.0.2.256"}, "ip_address"),
            ({**mine, "ip_address": "fe80::1%eth0"}, "ip_address"),
            ({**mine, "ip_address": 3221225985}, "ip_address"),
            ({**mine, "user_agent": ["x"]}, "user_agent"),
            ({**mine, "user_agent": "a\0b"}, "user_agent"),
            ({**mine, "user_agent": "\ud800"}, "user_agent"),
        ):
            answer = await admin.post("/sessions", body, key=key)
            assert refused(answer, 400, "body_invalid", path), body
        for body in ([], "x", None):
            assert refused(await admin.post("/sessions", body, key=key), 400, "body_invalid")
        assert await fetch("SELECT id FROM user_session") == []


class TestList:
    async def test_live_sessions_are_listed_the_newest_first(
        self, services, admin, key, ada, clock
    ):
        """SEC-017: without a token."""
        first = (await make_session(services, ada)).session
        clock.advance(seconds=1)
        second = (await make_session(services, ada)).session
        await make_session(services, await make_user(services))
        shown = await listed(admin, key, ada)
        assert [one["id"] for one in shown] == [str(second.id), str(first.id)]
        assert shown[1] == {
            "id": str(first.id),
            "user_id": str(ada.id),
            "user_agent": None,
            "ip_address": None,
            "created_at": moment(first.created_at),
            "updated_at": moment(first.created_at),
            "expires_at": moment(first.expires_at),
            "last_used": moment(first.created_at),
        }

    async def test_one_that_has_expired_is_not_there(self, services, admin, key, ada, clock):
        await make_session(services, ada)
        clock.now += services.config.session.lifespan
        assert await listed(admin, key, ada) == []

    async def test_a_list_is_bounded(self, services, admin, key, ada):
        """SEC-098"""
        many = msgspec.structs.replace(services.config.session, limit=200)
        roomy = await reconfigured(services, session=many)
        for _ in range(102):
            await make_session(roomy, ada)
        assert len(await listed(admin, key, ada)) == 100

    async def test_nobody_has_no_list(self, admin, key):
        """SEC-099"""
        for nobody in (NOBODYS_ID, "x", NOBODYS_ID.upper()):
            answer = await admin.get(f"/users/{nobody}/sessions", key=key)
            assert answer.status_code == 404
            assert answer.json()["error"]["code"] == "not_found"


class TestEnd:
    async def test_a_session_ends(self, services, admin, key, ada):
        """SEC-025, SEC-118"""
        issued, kept = await make_session(services, ada), await make_session(services, ada)
        path = f"/users/{ada.id}/sessions/{issued.session.id}"
        answer = await admin.call("DELETE", path, key=key)
        assert (answer.status_code, answer.content) == (204, b"")
        assert await services.sessions.authenticate(issued.token) == "revoked"
        assert isinstance(await services.sessions.authenticate(kept.token), SignedIn)
        details = {"session_id": str(issued.session.id)}
        assert await records("session_revoked") == [("session_revoked", "secret_key", details)]
        assert (await told())[-1] == "session.delete.admin.revoke"
        assert (await admin.call("DELETE", path, key=key)).status_code == 404

    async def test_somebody_elses_is_not_there(self, services, admin, key, ada):
        """SEC-099"""
        issued = await make_session(services, await make_user(services))
        for name in (issued.session.id, NOBODYS_ID, "x", "%00"):
            answer = await admin.call("DELETE", f"/users/{ada.id}/sessions/{name}", key=key)
            assert refused(answer, 404, "not_found", "session_id")
        assert isinstance(await services.sessions.authenticate(issued.token), SignedIn)
        assert await records("session_revoked") == []


@settings(max_examples=50)
@given(body=bodies("user_agent", "ip_address", "user_id"))
async def test_whatever_is_sent_nothing_breaks(admin, key, ada, body):
    """SEC-097"""
    assert is_whole(await admin.post("/sessions", body, key=key))
    if isinstance(body, dict):
        whose = {**body, "user_id": str(ada.id)}
        assert is_whole(await admin.post("/sessions", whose, key=key))
