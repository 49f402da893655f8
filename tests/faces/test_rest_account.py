"""REST for a signed-in person, in the reference's shapes: `me`, `logout`, session validation."""

import json

import jwt
import pytest
from credentials.authenticator import Authenticator
from credentials.ceremonies import passkey_of
from faces.clients import Face
from factories import make_session, make_user, reconfigured
from flows.walking import RestClient, preflight
from msgspec.structs import replace

from app import base64url
from app.access import SYSTEM
from app.config.sections import Cookie, Mfa, SecurityKeys, Session
from app.config.values import Duration
from app.credentials import totp_codes
from app.credentials.totp import Accepted
from app.metadata import BagChanges
from app.persistence import fetch
from app.users import NewEmail, NewUser, ProfileChanges

NO_TOKENS = [
    {},
    {"token": "x"},
    {"session_token": None},
    {"session_token": 1},
    {"session_token": ["x"]},
    [],
    None,
    "x",
    1,
]


@pytest.fixture
async def ada(services):
    user = await make_user(
        services,
        email="ada@example.com",
        username="ada_l",
        name="Ada L",
        given_name="Ada",
        family_name="L",
        picture="https://example.com/a.png",
        public={"plan": "pro", "n": 1.10},
        private={"s": 1},
        unsafe={"theme": "dark"},
    )
    await services.users.add_email(SYSTEM, user.id, NewEmail("second@example.com"))
    return user


@pytest.fixture
async def issued(services, ada):
    return await make_session(services, ada)


@pytest.fixture
async def plain(services):
    """The token of a user with nothing but a name."""
    new = NewUser(profile=ProfileChanges(username="plain"))
    user, _ = await services.users.create(SYSTEM, new)
    return (await make_session(services, user)).token


def z(moment):
    return moment.isoformat().replace("+00:00", "Z")


def refused(answer, status, code, *path):
    """Check the one shape of a refusal."""
    body = answer.json()
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"
    assert body["code"] == status
    error = body["error"]
    assert error["code"] == code
    assert error["message"] == body["message"]
    assert error["request_id"] == answer.headers["x-request-id"]
    assert error.get("path", []) == list(path)
    assert body.keys() == {"code", "message", "error"}
    assert error.keys() <= {"code", "message", "request_id", "path"}
    return True


class TestMe:
    async def test_the_profile_has_the_reference_s_shape(self, services, public, ada, issued):
        answer = await public.get("/me", token=issued.token)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("application/json")
        emails = (await services.users.emails_of([ada.id]))[ada.id]
        assert answer.json() == {
            "id": str(ada.id),
            "user_id": str(ada.id),
            "mfa_config": {
                "auth_app_set_up": False,
                "totp_enabled": True,
                "security_keys_enabled": True,
            },
            "emails": [
                {
                    "id": str(email.id),
                    "address": email.address,
                    "is_verified": email.is_verified,
                    "is_primary": email.is_primary,
                }
                for email in emails
            ],
            "username": {
                "id": str(ada.id),
                "username": "ada_l",
                "created_at": z(ada.created_at),
                "updated_at": z(ada.updated_at),
            },
            "created_at": z(ada.created_at),
            "updated_at": z(ada.updated_at),
            "metadata": {
                "public_metadata": {"plan": "pro", "n": 1.1},
                "unsafe_metadata": {"theme": "dark"},
            },
            "name": "Ada L",
            "given_name": "Ada",
            "family_name": "L",
            "picture": "https://example.com/a.png",
        }
        assert '"n":1.10' in (await self.renumbered(services, public, ada, issued))

    async def renumbered(self, services, public, ada, issued):
        await fetch(
            "UPDATE user_metadata SET public_bag = $1 WHERE user_id = $2", '{"n":1.10}', ada.id
        )
        return (await public.get("/me", token=issued.token)).text

    async def test_what_is_empty_is_left_out(self, public, plain):
        body = (await public.get("/me", token=plain)).json()
        assert body.keys() == {
            "id",
            "user_id",
            "mfa_config",
            "username",
            "created_at",
            "updated_at",
        }

    async def test_what_the_user_signs_in_with_is_shown(self, services, public, ada, issued):
        passkey = await passkey_of(services, ada.id, Authenticator())
        passkey = await services.passkeys.rename(SYSTEM, ada.id, passkey.credential_id, "Blue")
        key = await passkey_of(services, ada.id, Authenticator(), "security_key")
        await services.totp.store(SYSTEM, ada.id, totp_codes.new_secret(), Accepted(1))
        body = (await public.get("/me", token=issued.token)).json()
        for name, one in (("passkeys", passkey), ("security_keys", key)):
            named = {"name": one.name} if one.name else {}
            assert body[name] == [
                {
                    "id": one.credential_id,
                    **named,
                    "public_key": base64url.encode(one.public_key),
                    "attestation_type": one.attestation_type,
                    "aaguid": str(one.aaguid),
                    "last_used_at": z(one.last_used_at),
                    "created_at": z(one.created_at),
                    "transports": list(one.transports),
                    "backup_eligible": one.is_backup_eligible,
                    "backup_state": one.is_backed_up,
                    "mfa_only": name == "security_keys",
                }
            ]
        assert body["mfa_config"]["auth_app_set_up"] is True

    async def test_it_is_the_user_of_the_profile_flow(self, services, public, ada, issued):
        await passkey_of(services, ada.id, Authenticator())
        await passkey_of(services, ada.id, Authenticator(), "security_key")
        flow = RestClient(public)
        flow.cookies["hanko"] = issued.token
        shown = await preflight(flow, "profile")
        assert (await public.get("/me", token=issued.token)).json() == shown.payload["user"]

    async def test_what_is_switched_off_is_not_shown(self, services, ada, issued):
        await passkey_of(services, ada.id, Authenticator())
        await passkey_of(services, ada.id, Authenticator(), "security_key")
        config = services.config
        without = replace(config.mfa, security_keys=SecurityKeys(enabled=False))
        for mfa, told in (
            (without, {"totp_enabled": True, "security_keys_enabled": False}),
            (Mfa(enabled=False), {"totp_enabled": False, "security_keys_enabled": False}),
        ):
            passkey = replace(config.passkey, enabled=False)
            face = Face(await reconfigured(services, mfa=mfa, passkey=passkey))
            body = (await face.get("/me", token=issued.token)).json()
            assert body["mfa_config"] == {"auth_app_set_up": False, **told}
            assert "passkeys" not in body
            assert ("security_keys" in body) == mfa.security_keys.enabled

    async def test_an_empty_bag_is_left_out_beside_a_full_one(self, services, public, issued, ada):
        await services.metadata.change(SYSTEM, ada.id, BagChanges(public=None))
        body = (await public.get("/me", token=issued.token)).json()
        assert body["metadata"] == {"unsafe_metadata": {"theme": "dark"}}

    async def test_the_cookie_does_as_well(self, public, issued):
        by_cookie = await public.get("/me", cookie=issued.token)
        assert by_cookie.json() == (await public.get("/me", token=issued.token)).json()

    async def test_nobody_is_401(self, public, key, issued, clock):
        for bearing in ({}, {"token": "x"}, {"cookie": "x"}, {"key": key}, {"key": "sk_x"}):
            assert refused(await public.get("/me", **bearing), 401, "unauthenticated")
        clock.advance(hours=13)
        assert refused(await public.get("/me", token=issued.token), 401, "unauthenticated")

    async def test_why_a_token_is_invalid_is_not_told(self, services, public, ada, issued, clock):
        """SEC-068"""
        other = await make_session(services, ada)
        await services.sessions.end(SYSTEM, ada.id, other.session.id, "session_revoked")
        texts = set()
        for token in ("x", "a.b.c", other.token, issued.token[:-2] + "xx"):
            answer = await public.get("/me", token=token, headers={"x-request-id": "r"})
            texts.add((answer.status_code, answer.text))
        assert len(texts) == 1


class TestOlderProfile:
    async def test_the_own_user_has_the_older_shape(self, public, ada, issued):
        answer = await public.get(f"/users/{ada.id}", token=issued.token)
        assert answer.json() == {
            "id": str(ada.id),
            "email": "ada@example.com",
            "username": "ada_l",
            "webauthn_credentials": [],
            "created_at": z(ada.created_at),
            "updated_at": z(ada.updated_at),
            "metadata": {
                "public_metadata": {"plan": "pro", "n": 1.1},
                "unsafe_metadata": {"theme": "dark"},
            },
            "name": "Ada L",
            "given_name": "Ada",
            "family_name": "L",
            "picture": "https://example.com/a.png",
        }

    async def test_others_are_not_there_and_nobody_is_401(self, services, public, ada, issued):
        other = await make_user(services)
        answer = await public.get(f"/users/{other.id}", token=issued.token)
        assert refused(answer, 404, "not_found", "user_id")
        assert refused(await public.get(f"/users/{ada.id}"), 401, "unauthenticated")


class TestLogout:
    async def test_the_session_ends_and_the_cookie_goes(self, public, issued):
        answer = await public.post("/logout", cookie=issued.token)
        assert answer.status_code == 204
        assert answer.content == b""
        line = answer.headers["set-cookie"]
        assert line == "hanko=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Strict"
        assert (await public.get("/me", token=issued.token)).status_code == 401
        assert refused(await public.post("/logout", token=issued.token), 401, "unauthenticated")

    async def test_a_body_is_neither_asked_for_nor_read(self, public, issued):
        answer = await public.post("/logout", {"anything": 1}, token=issued.token)
        assert answer.status_code == 204

    async def test_only_the_own_session_ends(self, services, public, ada, issued):
        other = await make_session(services, ada)
        await public.post("/logout", token=issued.token)
        assert (await public.get("/me", token=other.token)).status_code == 200

    async def test_it_is_no_get(self, public, issued):
        """SEC-106"""
        answer = await public.get("/logout", cookie=issued.token)
        assert answer.status_code == 405
        assert (await public.get("/me", token=issued.token)).status_code == 200

    async def test_the_cookie_that_goes_is_the_configured_one(self, services, ada, issued):
        cookie = Cookie(name="session", domain="example.com", same_site="none", http_only=False)
        face = Face(await reconfigured(services, session=Session(cookie=cookie)))
        answer = await face.post("/logout", token=issued.token)
        assert answer.headers["set-cookie"] == (
            "session=; Path=/; Domain=example.com; Max-Age=0; Secure; SameSite=None"
        )


class TestValidate:
    async def test_a_live_session_is_valid_with_its_claims(self, public, ada, issued):
        answer = await public.get("/sessions/validate", token=issued.token)
        session = issued.session
        body = answer.json()
        claims = body.pop("claims")
        expires = z(session.expires_at.replace(microsecond=0))
        assert body == {
            "is_valid": True,
            "expiration_time": expires,
            "user_id": str(ada.id),
        }
        assert claims == {
            "subject": str(ada.id),
            "session_id": str(session.id),
            "expiration": expires,
            "issued_at": z(session.created_at.replace(microsecond=0)),
            "audience": ["localhost"],
            "metadata_version": 1,
            "email": {"address": "ada@example.com", "is_primary": True, "is_verified": True},
            "username": "ada_l",
        }
        posted = await public.post("/sessions/validate", {"session_token": issued.token})
        assert posted.json() == answer.json()

    async def test_the_issuer_shows_where_one_is_configured(self, services, ada):
        face = await reconfigured(services, session=Session(issuer="hanko-service"))
        token = (await make_session(face, ada)).token
        body = (await Face(face).get("/sessions/validate", token=token)).json()
        assert body["claims"]["issuer"] == "hanko-service"

    async def test_what_a_user_does_not_have_is_left_out(self, public, plain):
        body = (await public.get("/sessions/validate", token=plain)).json()
        assert body["claims"].keys() == {
            "subject",
            "session_id",
            "expiration",
            "issued_at",
            "audience",
            "metadata_version",
            "username",
        }

    @pytest.mark.parametrize("bad", ["", "x", "a.b.c", "sk_x"])
    async def test_what_is_no_session_is_invalid_and_nothing_more(self, public, bad):
        """SEC-068"""
        answers = [
            await public.get("/sessions/validate", token=bad),
            await public.get("/sessions/validate", cookie=bad),
            await public.get("/sessions/validate"),
            await public.post("/sessions/validate", {"session_token": bad}),
        ]
        assert {(a.status_code, a.text) for a in answers} == {(200, '{"is_valid":false}')}

    async def test_an_ended_session_is_invalid_whatever_ended_it(
        self, services, public, ada, issued, clock
    ):
        """SEC-024, SEC-068"""
        other = await make_session(services, ada)
        await services.sessions.end(SYSTEM, ada.id, other.session.id, "session_revoked")
        clock.advance(hours=11)
        assert (await public.get("/sessions/validate", token=issued.token)).json()["is_valid"]
        clock.advance(hours=2)
        for token in (other.token, issued.token):
            answer = await public.get("/sessions/validate", token=token)
            assert answer.text == '{"is_valid":false}'
            answer = await public.post("/sessions/validate", {"session_token": token})
            assert answer.text == '{"is_valid":false}'

    async def test_the_header_comes_before_the_cookie_and_the_first_good_one_wins(
        self, services, public, ada, issued
    ):
        other = await make_session(services, await make_user(services))

        async def who(**bearing):
            body = (await public.get("/sessions/validate", **bearing)).json()
            return body.get("user_id")

        assert await who(token=issued.token, cookie=other.token) == str(ada.id)
        assert await who(token=other.token, cookie=issued.token) == str(other.session.user_id)
        assert await who(token="x", cookie=issued.token) == str(ada.id)
        assert await who(token=issued.token, cookie="x") == str(ada.id)
        assert await who(headers={"authorization": f"BEARER {issued.token}"}) == str(ada.id)
        assert await who(headers={"authorization": f"Basic {issued.token}"}) is None

    async def test_the_cookie_has_the_configured_name(self, services, issued):
        face = Face(await reconfigured(services, session=Session(cookie=Cookie(name="session"))))
        headers = {"cookie": f"a=1; session={issued.token}; hanko=x"}
        assert (await face.get("/sessions/validate", headers=headers)).json()["is_valid"] is True
        assert (await face.get("/sessions/validate", cookie=issued.token)).json() == {
            "is_valid": False
        }

    async def test_looking_is_no_use_of_a_session_and_posting_is(
        self, services, public, issued, clock
    ):
        """SEC-106"""
        sql = "SELECT last_used_at FROM user_session"
        (before,) = await fetch(sql)
        clock.advance(minutes=5)
        for _ in range(2):
            await public.get("/sessions/validate", token=issued.token)
        (row,) = await fetch(sql)
        assert row["last_used_at"] == before["last_used_at"]
        await public.post("/sessions/validate", {"session_token": issued.token})
        (row,) = await fetch(sql)
        assert row["last_used_at"] == clock.now

    async def test_the_idle_end_shows_and_holds(self, services, ada, clock):
        idle = Session(idle_timeout=Duration(minutes=30))
        others = await reconfigured(services, session=idle)
        face = Face(others)
        issued = await make_session(others, ada)
        body = (await face.get("/sessions/validate", token=issued.token)).json()
        assert body["idle_expires_at"] == z(issued.session.created_at + Duration(minutes=30))
        clock.advance(minutes=20)
        assert (await face.get("/sessions/validate", token=issued.token)).json()["is_valid"]
        clock.advance(minutes=11)
        answer = await face.get("/sessions/validate", token=issued.token)
        assert answer.json() == {"is_valid": False}
        assert (await face.get("/me", token=issued.token)).status_code == 401

    async def test_the_idle_end_never_passes_the_session_s_own(self, services, ada, clock):
        idle = Session(idle_timeout=Duration(hours=7))
        others = await reconfigured(services, session=idle)
        issued = await make_session(others, ada)
        for _ in range(2):
            clock.advance(hours=5, minutes=59)
            await Face(others).get("/me", token=issued.token)
        body = (await Face(others).get("/sessions/validate", token=issued.token)).json()
        assert body["idle_expires_at"] == z(issued.session.expires_at)

    async def test_a_body_without_a_token_is_refused(self, public):
        for body in NO_TOKENS:
            answer = await public.post("/sessions/validate", body)
            assert refused(answer, 400, "body_invalid", "session_token")

    async def test_a_body_that_is_no_json_is_refused(self, public):
        """SEC-105"""
        for content in (b"", b"{", b'{"session_token":"a","session_token":"b"}', b"\xff", b"{} x"):
            answer = await public.post("/sessions/validate", content=content)
            assert answer.status_code == 400
        answer = await public.post(
            "/sessions/validate",
            content=b"session_token=x",
            headers={"content-type": "application/x-www-form-urlencoded"},
        )
        assert refused(answer, 415, "unsupported_media_type")

    async def test_no_answer_is_stored(self, public, issued):
        """SEC-031"""
        for answer in (
            await public.get("/sessions/validate", token=issued.token),
            await public.get("/me", token=issued.token),
            await public.get("/me"),
            await public.post("/sessions/validate", {"session_token": issued.token}),
        ):
            assert answer.headers["cache-control"] == "no-store"
            assert "etag" not in answer.headers


class TestWellKnown:
    async def test_the_keys_are_published_and_verify_a_token(self, services, public, issued):
        """SEC-033"""
        answer = await public.get("/.well-known/jwks.json")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/json"
        assert "max-age=600" in answer.headers["cache-control"]
        (key,) = answer.json()["keys"]
        assert key.keys() == {"kty", "crv", "x", "y", "kid", "alg", "use"}
        assert (key["alg"], key["use"], key["kty"], key["crv"]) == ("ES256", "sig", "EC", "P-256")
        assert jwt.get_unverified_header(issued.token) == {
            "alg": "ES256",
            "kid": key["kid"],
            "typ": "JWT",
        }
        claims = jwt.decode(
            issued.token,
            jwt.PyJWK(key),
            algorithms=["ES256"],
            audience="localhost",
            options={"verify_iat": False},
        )
        assert claims["session_id"] == str(issued.session.id)

    async def test_keys_known_already_are_not_sent_again(self, public):
        answer = await public.get("/.well-known/jwks.json")
        etag = answer.headers["etag"]
        assert etag.startswith('"')
        for given in (etag, f'"x", {etag}', f"W/{etag}", "*"):
            again = await public.get("/.well-known/jwks.json", headers={"if-none-match": given})
            assert again.status_code == 304
            assert again.content == b""
            assert again.headers["etag"] == etag
            assert "max-age=600" in again.headers["cache-control"]
        other = await public.get(
            "/.well-known/jwks.json", headers={"if-none-match": f'"x", x{etag}'}
        )
        assert other.status_code == 200

    async def test_a_cached_answer_is_not_somebody_s(self, public, issued):
        answer = await public.get("/.well-known/jwks.json", cookie=issued.token)
        assert "set-cookie" not in answer.headers
        assert str(issued.session.user_id) not in answer.text

    @pytest.mark.parametrize("listener", ["public", "admin"])
    async def test_health_tells_nothing_else(self, request, services, listener):
        """SEC-140"""
        face = request.getfixturevalue(listener)
        for path, body in (("alive", {"alive": True}), ("ready", {"ready": True})):
            answer = await face.get(f"/health/{path}")
            assert (answer.status_code, answer.json()) == (200, body)
            assert answer.headers["cache-control"] == "no-store"
            assert "server" not in answer.headers

    async def test_keys_are_not_asked_of_the_admin_listener(self, admin):
        assert (await admin.get("/.well-known/jwks.json")).status_code == 404


async def test_claims_are_what_the_token_says(public, issued):
    """SEC-001: neither the token nor its claims hold a bag."""
    claims = (await public.get("/sessions/validate", token=issued.token)).json()["claims"]
    assert claims.pop("metadata_version") == 1
    assert "metadata" not in json.dumps(claims)
