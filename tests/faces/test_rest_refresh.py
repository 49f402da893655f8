"""Tokens renewed over HTTP: by refresh tokens, and where their claims are stale."""

import jwt
import pytest
from faces.clients import Face
from factories import make_session, make_user, reconfigured
from msgspec.structs import replace

from app.access import SYSTEM
from app.config.sections import Cookie
from app.config.values import Duration
from app.keys.pairs import PublicHalf
from app.metadata import BagChanges
from app.sessions import SignIn

REFRESH = "/sessions/refresh"
VALIDATE = "/sessions/validate"
MUTATION = """
mutation ($token: String!) {
  refreshSession(input: {refreshToken: $token}) {
    token tokenExpiresAt refreshToken session { id expiresAt } userErrors { code }
  }
}
"""


def claims_of(token):
    return jwt.decode(token, options={"verify_signature": False})


def cookies_of(answer):
    lines = answer.headers.get_list("set-cookie")
    return {line.partition("=")[0]: line.partition("=")[2].partition(";")[0] for line in lines}


async def facing(services, **session):
    """A public listener over the same database, with other settings of sessions."""
    changed = replace(services.config.session, **session)
    others = await reconfigured(services, session=changed)
    return others, Face(others)


@pytest.fixture
async def refreshing(services):
    return await facing(services, access_token_lifespan=Duration(minutes=10))


class TestRefreshing:
    async def test_a_token_in_the_body_is_answered_in_the_body(self, refreshing, clock):
        others, face = refreshing
        issued = await make_session(others, await make_user(others))
        clock.advance(minutes=11)
        assert (await face.get(VALIDATE, token=issued.token)).json() == {"is_valid": False}
        answer = await face.post(REFRESH, {"refresh_token": issued.refresh_token})
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"
        assert "set-cookie" not in answer.headers
        body = answer.json()
        assert body.keys() == {
            *("expiration_time", "session_expiration_time"),
            *("session_token", "refresh_token"),
        }
        valid = (await face.get(VALIDATE, token=body["session_token"])).json()
        assert valid["claims"]["session_id"] == str(issued.session.id)

    async def test_a_token_in_a_cookie_is_answered_in_cookies(self, refreshing):
        """SEC-030: a page's scripts never see it."""
        others, face = refreshing
        issued = await make_session(others, await make_user(others))
        cookie = {"cookie": f"hanko=x; hanko-refresh={issued.refresh_token}"}
        answer = await face.post(REFRESH, {}, headers=cookie)
        assert answer.json().keys() == {"expiration_time", "session_expiration_time"}
        given = cookies_of(answer)
        assert given.keys() == {"hanko", "hanko-refresh"}
        assert (await face.get(VALIDATE, cookie=given["hanko"])).json()["is_valid"] is True
        assert given["hanko-refresh"] != issued.refresh_token

    @pytest.mark.parametrize("body", [{}, None, [], {"refresh_token": 1}, "x"])
    async def test_no_token_at_all_is_told(self, refreshing, body):
        answer = await refreshing[1].post(REFRESH, body)
        assert answer.status_code == 400
        assert "refresh_token" in answer.text

    @pytest.mark.parametrize("token", ["", "rt_", "rt_x", "x" * 78, "rt_" + "A" * 75])
    async def test_what_is_no_refresh_token_is_refused(self, refreshing, token):
        """SEC-068"""
        answer = await refreshing[1].post(REFRESH, {"refresh_token": token})
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "refresh_token_invalid"

    async def test_another_site_refreshes_nothing(self, refreshing):
        """SEC-107"""
        others, face = refreshing
        issued = await make_session(others, await make_user(others))
        headers = {
            "cookie": f"hanko-refresh={issued.refresh_token}",
            "origin": "https://evil.example",
        }
        answer = await face.post(REFRESH, {}, headers=headers)
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers

    async def test_it_is_not_there_on_the_admin_listener(self, refreshing):
        answer = await Face(refreshing[0], "admin").post(REFRESH, {"refresh_token": "x"})
        assert answer.status_code == 404

    async def test_it_is_refused_where_tokens_live_as_long_as_sessions(self, services, refreshing):
        issued = await make_session(refreshing[0], await make_user(services))
        answer = await Face(services).post(REFRESH, {"refresh_token": issued.refresh_token})
        assert answer.status_code == 401


class TestRefreshingInGraphQL:
    async def test_a_refresh_token_gives_the_next_pair(self, refreshing, clock):
        others, face = refreshing
        issued = await make_session(others, await make_user(others))
        clock.advance(minutes=11)
        found = await face.gql(MUTATION, {"token": issued.refresh_token})
        payload = found["data"]["refreshSession"]
        assert payload["session"]["id"] == str(issued.session.id)
        assert payload["userErrors"] == []
        me = await face.gql("{ me { id } session { claims } }", token=payload["token"])
        assert me["data"]["me"]["id"] == str(issued.session.user_id)
        again = await face.gql(MUTATION, {"token": payload["refreshToken"]})
        assert again["data"]["refreshSession"]["token"]

    async def test_what_is_no_refresh_token_is_refused(self, refreshing):
        found = await refreshing[1].gql(MUTATION, {"token": "rt_x"})
        assert found["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


class TestCurrentClaims:
    async def test_validation_shows_what_is_true_now(self, services, public):
        user = await make_user(services, public={"plan": "free"})
        await services.templates.set(
            SYSTEM, {"plan": "{{ user.public_metadata.plan }}"}, allow_omission=True
        )
        issued = await make_session(services, user)
        await services.metadata.change(SYSTEM, user.id, BagChanges(public={"plan": "pro"}))
        for answer in (
            await public.get(VALIDATE, token=issued.token),
            await public.post(VALIDATE, {"session_token": issued.token}),
        ):
            claims = answer.json()["claims"]
            assert (claims["plan"], claims["metadata_version"]) == ("pro", 2)
            assert "session_token" not in answer.json()
            assert "set-cookie" not in answer.headers
        assert claims_of(issued.token)["plan"] == "free"

    async def test_a_session_shows_its_claims_to_who_bears_it(self, services, public):
        user = await make_user(services, public={"plan": "pro"})
        await services.templates.set(
            SYSTEM, {"plan": "{{ user.public_metadata.plan }}"}, allow_omission=True
        )
        issued = await make_session(services, user)
        other = await make_session(services, user)
        query = "{ session { claims } me { sessions(first: 5) { nodes { isCurrent claims } } } }"
        data = (await public.gql(query, token=issued.token))["data"]
        assert data["session"]["claims"] == claims_of(issued.token)
        shown = {n["isCurrent"]: n["claims"] for n in data["me"]["sessions"]["nodes"]}
        assert shown == {True: claims_of(issued.token), False: None}
        assert other.token != issued.token


class TestRenewing:
    async def stale(self, services, **session):
        others, face = await facing(services, renew_stale_tokens=True, **session)
        user = await make_user(others)
        issued = await make_session(others, user)
        await others.metadata.change(SYSTEM, user.id, BagChanges(public={"plan": "pro"}))
        return face, issued.token

    async def test_a_stale_token_in_a_cookie_is_answered_with_a_new_cookie(self, services, clock):
        """SEC-028: the session ends when it would have ended."""
        face, token = await self.stale(services)
        clock.advance(hours=2)
        answer = await face.get(VALIDATE, cookie=token)
        renewed = cookies_of(answer)["hanko"]
        assert claims_of(renewed)["metadata_version"] == 1
        assert claims_of(renewed)["exp"] == claims_of(token)["exp"]
        assert answer.headers["x-session-lifetime"] in ("35999", "36000")
        again = await face.get(VALIDATE, cookie=renewed)
        assert "set-cookie" not in again.headers

    async def test_a_bearer_gets_a_header_only_where_tokens_travel_in_one(self, services):
        """SEC-031"""
        face, token = await self.stale(services)
        answer = await face.get(VALIDATE, token=token)
        assert not {"set-cookie", "x-auth-token"} & answer.headers.keys()
        face, token = await self.stale(services, enable_auth_token_header=True)
        answer = await face.get(VALIDATE, token=token)
        assert claims_of(answer.headers["x-auth-token"])["metadata_version"] == 1
        assert "set-cookie" not in answer.headers

    async def test_where_nothing_can_be_signed_the_session_is_as_valid_as_it_was(self, services):
        """SEC-130"""
        others, face = await facing(services, renew_stale_tokens=True)
        user = await make_user(others)
        token = (await make_session(others, user)).token
        await others.metadata.change(SYSTEM, user.id, BagChanges(public={"plan": "pro"}))
        ring = others.signing_keys.reader.ring
        ring.opened = {
            kid: PublicHalf(one.kid, one.algorithm, one.public) for kid, one in ring.opened.items()
        }
        ring.active = None
        for answer in (
            await face.get(VALIDATE, cookie=token),
            await face.post(VALIDATE, {"session_token": token}),
        ):
            assert answer.json()["is_valid"] is True
            assert "session_token" not in answer.json()
            assert "set-cookie" not in answer.headers

    async def test_a_token_in_the_body_is_answered_in_the_body(self, services):
        face, token = await self.stale(services)
        answer = await face.post(VALIDATE, {"session_token": token})
        assert claims_of(answer.json()["session_token"])["metadata_version"] == 1
        assert "set-cookie" not in answer.headers

    async def test_what_is_no_session_is_not_renewed(self, services):
        face, _ = await self.stale(services)
        assert (await face.get(VALIDATE, cookie="x")).text == '{"is_valid":false}'


class TestEnding:
    async def test_who_signs_out_late_is_signed_out_by_the_refresh_cookie(self, refreshing, clock):
        """SEC-025"""
        others, face = refreshing
        issued = await make_session(others, await make_user(others))
        clock.advance(minutes=11)
        headers = {"cookie": f"hanko-refresh={issued.refresh_token}"}
        answer = await face.call("DELETE", REFRESH, headers=headers)
        assert answer.status_code == 204
        assert set(cookies_of(answer).values()) == {""}
        again = await face.post(REFRESH, {"refresh_token": issued.refresh_token})
        assert again.status_code == 401

    async def test_the_refresh_token_may_come_as_a_bearer(self, refreshing):
        others, face = refreshing
        issued = await make_session(others, await make_user(others))
        answer = await face.call("DELETE", REFRESH, token=issued.refresh_token)
        assert answer.status_code == 204
        assert (await face.get(VALIDATE, token=issued.token)).json() == {"is_valid": False}

    @pytest.mark.parametrize("token", [None, "", "x", "rt_" + "A" * 75])
    async def test_what_is_no_refresh_token_ends_nothing(self, refreshing, token):
        """SEC-068"""
        others, face = refreshing
        issued = await make_session(others, await make_user(others))
        answer = await face.call("DELETE", REFRESH, token=token)
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "refresh_token_invalid"
        assert (await face.get(VALIDATE, token=issued.token)).json()["is_valid"] is True

    async def test_a_session_token_ends_nothing_there(self, refreshing):
        """SEC-023"""
        others, face = refreshing
        issued = await make_session(others, await make_user(others))
        assert (await face.call("DELETE", REFRESH, token=issued.token)).status_code == 401

    async def test_another_site_ends_nothing(self, refreshing):
        """SEC-107"""
        others, face = refreshing
        issued = await make_session(others, await make_user(others))
        headers = {
            "cookie": f"hanko-refresh={issued.refresh_token}",
            "origin": "https://evil.example",
        }
        assert (await face.call("DELETE", REFRESH, headers=headers)).status_code == 403

    async def test_a_dead_refresh_cookie_is_forgotten(self, refreshing):
        answer = await refreshing[1].post(REFRESH, {}, headers={"cookie": "hanko-refresh=rt_x"})
        assert answer.status_code == 401
        assert cookies_of(answer) == {"hanko": "", "hanko-refresh": ""}


class TestRemembering:
    """SEC-030: who did not ask to be remembered is not."""

    async def lines(self, services, *, remember):
        others, face = await facing(
            services,
            access_token_lifespan=Duration(minutes=10),
            renew_stale_tokens=True,
            cookie=Cookie(retention="prompt"),
        )
        user = await make_user(others)
        issued = await others.sessions.issue(SYSTEM, user.id, sign_in=SignIn(remember=remember))
        await others.metadata.change(SYSTEM, user.id, BagChanges(public={"a": 1}))
        renewed = await face.get(VALIDATE, cookie=issued.token)
        headers = {"cookie": f"hanko-refresh={issued.refresh_token}"}
        refreshed = await face.post(REFRESH, {}, headers=headers)
        answers = (renewed, refreshed)
        assert all(answer.headers["x-session-retention"] for answer in answers)
        return [line for a in answers for line in a.headers.get_list("set-cookie")]

    @pytest.mark.parametrize("remember", [True, False])
    async def test_refreshed_and_renewed_cookies_last_as_the_first_ones_did(
        self, services, remember
    ):
        lines = await self.lines(services, remember=remember)
        assert len(lines) == 3
        assert all(("Max-Age" in line) is remember for line in lines)


async def test_a_claim_called_like_a_member_of_the_answer_is_not_taken_for_it(services, public):
    """SEC-010: `issuer` in the answer is the token's own or is not there."""
    names = ("subject", "issuer", "audience", "expiration", "issued_at")
    await services.templates.set(SYSTEM, dict.fromkeys(names, "forged"))
    issued = await make_session(services, await make_user(services))
    claims = (await public.get(VALIDATE, token=issued.token)).json()["claims"]
    assert "forged" not in claims.values()
    assert "issuer" not in claims
    assert claims["subject"] == str(issued.session.user_id)
