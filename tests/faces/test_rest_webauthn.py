"""WebAuthn by REST: ceremonies as a page runs them, and one's own credentials."""

import asyncio
import json

import msgspec
import pytest
from credentials.authenticator import UP, Authenticator, b64, unb64
from faces.clients import Face
from factories import make_session, make_user, reconfigured
from hypothesis import given
from hypothesis import strategies as st

from app.access import SYSTEM
from app.config.sections import (
    Mfa,
    NetworkLimits,
    Passkey,
    RateLimiter,
    RelyingParty,
    SecurityKeys,
    Session,
    StepUp,
    WebAuthn,
)
from app.config.values import Duration
from app.persistence import fetch
from app.sessions import SignedIn
from app.users import NewUser, ProfileChanges

BEGIN = "/webauthn/registration/initialize"
FINISH = "/webauthn/registration/finalize"
LOGIN = "/webauthn/login/initialize"
LOGGED_IN = "/webauthn/login/finalize"
MINE = "/webauthn/credentials"
NOBODYS = {"challenge": b64(bytes(32)), "rpId": "localhost"}
SESSION_ONLY = [
    ("POST", BEGIN, {}),
    ("POST", FINISH, {}),
    ("GET", MINE, ...),
    ("PATCH", f"{MINE}/AAAA", {"name": "x"}),
    ("DELETE", f"{MINE}/AAAA", ...),
]


@pytest.fixture
async def ada(services):
    return await make_user(services, email="ada@example.com", username="ada")


@pytest.fixture
async def token(services, ada):
    return (await make_session(services, ada)).token


@pytest.fixture
def device():
    return Authenticator()


@pytest.fixture
async def few(services):
    """A face that lets a network do everything twice a minute."""
    limits = RateLimiter(network_limits=NetworkLimits(tokens=2))
    return Face(await reconfigured(services, rate_limiter=limits))


@pytest.fixture
async def unlimited(services):
    return Face(await reconfigured(services, rate_limiter=RateLimiter(enabled=False)))


def refused(answer, status, code, *path):
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error.get("path", [])) == (status, code, list(path))
    return True


async def made(face, token, device, body=None, **falsified):
    """Make a credential as a page does."""
    options = (await face.post(BEGIN, body or {}, token=token)).json()
    return await face.post(FINISH, device.create(options, **falsified), token=token)


async def signed_in(face, device, call=None, **falsified):
    """Sign in as a page does."""
    options = (await face.post(LOGIN, {})).json()
    return await face.post(LOGGED_IN, device.get(options, **falsified), **(call or {}))


async def notices(services):
    """Which notices wait to be mailed."""
    rows = await fetch("SELECT type, details FROM audit_event ORDER BY at")
    return {
        json.loads(row["details"])["template"]
        for row in rows
        if row["type"] == "security_notification_sent"
    }


class TestRegistration:
    async def test_a_page_makes_a_passkey(self, public, ada, token, device):
        begun = await public.post(BEGIN, {}, token=token)
        assert begun.status_code == 200
        options = begun.json()
        assert options["user"] == {
            "id": b64(ada.id.bytes),
            "name": "ada@example.com",
            "displayName": "ada",
        }
        assert options["authenticatorSelection"]["residentKey"] == "required"
        answer = await public.post(FINISH, device.create(options), token=token)
        assert answer.status_code == 201
        shown = answer.json()
        created = shown.pop("created_at")
        assert shown == {
            "id": b64(device.credentials[0].id),
            "public_key": shown["public_key"],
            "attestation_type": "none",
            "aaguid": "d548826e-79b4-db40-a3d8-11116f7e8349",
            "transports": ["hybrid", "internal"],
            "backup_eligible": False,
            "backup_state": False,
            "mfa_only": False,
            "name": "Bitwarden",
            "last_used_at": created,
        }
        assert unb64(shown["public_key"])
        listed = (await public.get(MINE, token=token)).json()
        assert [one["id"] for one in listed] == [shown["id"]]

    async def test_a_page_makes_a_security_key(self, public, ada, token, device):
        answer = await made(public, token, device, {"mfa_only": True}, flags=UP)
        assert (answer.status_code, answer.json()["mfa_only"]) == (201, True)

    async def test_the_cookie_of_a_page_of_ours_will_do(self, public, ada, token, device):
        own = {"origin": "http://localhost:8000", "sec-fetch-site": "same-origin"}
        options = (await public.post(BEGIN, {}, cookie=token, headers=own)).json()
        answer = await public.post(FINISH, device.create(options), cookie=token, headers=own)
        assert answer.status_code == 201

    async def test_the_page_of_another_site_is_refused_sec_107(self, public, ada, token):
        other = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
        assert refused(await public.post(BEGIN, {}, cookie=token, headers=other), 403, "cross_site")

    async def test_who_has_only_a_name_is_shown_by_it(self, services, public):
        new = NewUser(profile=ProfileChanges(username="plain"))
        user, _ = await services.users.create(SYSTEM, new)
        session = await make_session(services, user)
        options = (await public.post(BEGIN, {}, token=session.token)).json()
        assert options["user"]["name"] == options["user"]["displayName"] == "plain"

    async def test_another_session_cannot_finish_what_one_began_sec_044(
        self, services, public, ada, token, device
    ):
        options = (await public.post(BEGIN, {}, token=token)).json()
        other = (await make_session(services, ada)).token
        answer = await public.post(FINISH, device.create(options), token=other)
        assert refused(answer, 401, "passkey_invalid")
        again = await public.post(FINISH, device.create(options), token=token)
        assert refused(again, 401, "passkey_invalid")

    @pytest.mark.parametrize(
        "falsified",
        [
            {"origin": "https://evil.example"},
            {"rp_id": "evil.example"},
            {"flags": 0},
            {"attestation": "compound"},
            {"cose": {1: 2}},
        ],
    )
    async def test_no_refusal_says_at_which_step(self, public, ada, token, device, falsified):
        answer = await made(public, token, device, **falsified)
        assert refused(answer, 401, "passkey_invalid")
        assert answer.json()["message"] == "The passkey could not be verified."
        assert (await public.get(MINE, token=token)).json() == []

    async def test_the_limit_is_told(self, services, ada, token, device):
        few = Face(await reconfigured(services, passkey=Passkey(limit=1)))
        assert (await made(few, token, device)).status_code == 201
        assert refused(await few.post(BEGIN, {}, token=token), 409, "passkey_limit_reached")

    async def test_what_is_switched_off_is_told(self, services, ada, token):
        off = Face(
            await reconfigured(
                services,
                passkey=Passkey(enabled=False),
                mfa=Mfa(security_keys=SecurityKeys(enabled=False)),
            )
        )
        for body in ({}, {"mfa_only": True}):
            assert refused(await off.post(BEGIN, body, token=token), 409, "passkeys_disabled")
        assert refused(await off.post(LOGIN, {}), 409, "passkeys_disabled")

    @pytest.mark.parametrize(
        ("body", "path"),
        [
            ([], ()),
            (None, ()),
            ("x", ()),
            ({"mfa_only": 1}, ("mfa_only",)),
            ({"mfa_only": None}, ("mfa_only",)),
            ({"user_id": "x"}, ("user_id",)),
        ],
    )
    async def test_an_odd_body_is_refused(self, public, token, body, path):
        assert refused(await public.post(BEGIN, body, token=token), 400, "body_invalid", *path)

    @pytest.mark.parametrize(("method", "path", "body"), SESSION_ONLY)
    async def test_it_needs_a_session_sec_016(self, public, key, method, path, body):
        assert refused(await public.call(method, path, body), 401, "unauthenticated")
        assert refused(await public.call(method, path, body, key=key), 401, "unauthenticated")

    @pytest.mark.parametrize(("method", "path", "body"), SESSION_ONLY)
    async def test_the_admin_listener_has_none_of_it(self, admin, token, method, path, body):
        assert (await admin.call(method, path, body, token=token)).status_code in (404, 405)


class TestLogin:
    async def test_a_passkey_begins_a_session(self, services, public, ada, token, device):
        await made(public, token, device)
        answer = await signed_in(public, device)
        assert answer.status_code == 200
        assert answer.json() == {
            "user_id": str(ada.id),
            "credential_id": b64(device.credentials[0].id),
        }
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("hanko=") and "HttpOnly" in cookie
        assert answer.headers["cache-control"] == "no-store"
        issued = cookie.partition("=")[2].partition(";")[0]
        assert (await public.get("/me", cookie=issued)).json()["user_id"] == str(ada.id)

    async def test_the_token_takes_the_configured_way_sec_031(self, services, ada, token, device):
        session = Session(enable_auth_token_header=True, access_token_lifespan=Duration(minutes=5))
        face = Face(await reconfigured(services, session=session))
        await made(face, token, device)
        answer = await signed_in(face, device)
        assert answer.headers["x-auth-token"]
        assert answer.headers["set-cookie"].startswith("hanko-refresh=")

    async def test_the_session_knows_where_it_came_from(self, public, ada, token, device):
        await made(public, token, device)
        await signed_in(public, device, {"headers": {"user-agent": "Browser/1"}})
        rows = await fetch(
            "SELECT user_agent, ip_address FROM user_session ORDER BY created_at, id"
        )
        assert dict(rows[-1]) == {"user_agent": "Browser/1", "ip_address": "127.0.0.1"}

    @pytest.mark.parametrize("way", ["token", "cookie"])
    async def test_the_former_session_is_replaced_sec_026(
        self, services, public, token, device, way
    ):
        await made(public, token, device)
        bob = await make_user(services)
        former = await make_session(services, bob)
        own = {"origin": "http://localhost:8000"}
        answer = await signed_in(public, device, {way: former.token, "headers": own})
        assert answer.status_code == 200
        assert await services.sessions.authenticate(former.token) == "revoked"
        assert isinstance(await services.sessions.authenticate(token), SignedIn)
        ids = [row["id"] for row in await fetch("SELECT id FROM user_session")]
        assert former.session.id not in ids
        assert len(ids) == 2

    async def test_of_two_logins_at_once_each_has_its_session_sec_026(
        self, services, public, token, device
    ):
        await made(public, token, device)
        answers = await asyncio.gather(
            *(signed_in(public, device, {"token": token}, count=0) for _ in range(2))
        )
        assert [one.status_code for one in answers] == [200, 200]
        assert await services.sessions.authenticate(token) == "revoked"
        assert len(await fetch("SELECT id FROM user_session")) == 2

    async def test_a_failure_leaves_the_former_session_alone(
        self, services, public, ada, token, device
    ):
        await made(public, token, device)
        answer = await signed_in(public, device, {"token": token}, origin="https://evil.example")
        assert refused(answer, 401, "passkey_invalid")
        assert "set-cookie" not in answer.headers
        assert isinstance(await services.sessions.authenticate(token), SignedIn)

    async def test_one_factor_is_not_enough_sec_032_047(self, public, ada, token, device):
        """SEC-032, SEC-047: nothing can follow here, so the user must be verified."""
        await made(public, token, device)
        options = (await public.post(LOGIN, {})).json()
        assert options["userVerification"] == "required"
        assert refused(await signed_in(public, device, flags=UP), 401, "passkey_invalid")

    async def test_a_security_key_does_not_sign_in_sec_048(self, public, ada, token, device):
        await made(public, token, device, {"mfa_only": True})
        answer = await signed_in(public, device)
        assert refused(answer, 401, "webauthn_credential_invalid_mfa_only")

    async def test_options_say_nothing_of_anybody_sec_054(self, public, ada, token, device):
        await made(public, token, device)
        for call in ({}, {"token": token}):
            options = (await public.post(LOGIN, {}, **call)).json()
            assert options.keys() == {"challenge", "timeout", "rpId", "userVerification"}
        assert refused(
            await public.post(LOGIN, {"user_id": str(ada.id)}), 400, "body_invalid", "user_id"
        )

    async def test_unknown_and_wrong_are_answered_alike_sec_067(self, public, ada, token, device):
        await made(public, token, device)
        falsified = (
            {"named": b"unknown"},
            {"user_handle": bytes(16)},
            {"signature": lambda s: s[:-1] + bytes([s[-1] ^ 1])},
        )
        answers = [await signed_in(public, device, **one) for one in falsified]
        assert all(refused(one, 401, "passkey_invalid") for one in answers)
        assert len({one.json()["message"] for one in answers}) == 1
        assert len({len(one.content) for one in answers}) == 1

    async def test_an_answer_works_once_sec_044(self, public, ada, token, device):
        await made(public, token, device)
        options = (await public.post(LOGIN, {})).json()
        told = device.get(options)
        assert (await public.post(LOGGED_IN, told)).status_code == 200
        assert refused(await public.post(LOGGED_IN, told), 401, "passkey_invalid")

    @pytest.mark.parametrize("path", [LOGGED_IN, FINISH])
    @pytest.mark.parametrize("body", [None, [], "x", 1, {}, {"id": "AAAA"}])
    async def test_what_is_no_response_is_refused(self, public, token, path, body):
        answer = await public.post(path, body, token=token)
        assert refused(answer, 400, "webauthn_response_invalid")

    async def test_a_body_beyond_its_bound_is_refused_sec_104(self, public, token):
        answer = await public.post(LOGGED_IN, {"id": "A" * 140_000})
        assert refused(answer, 413, "body_too_large")

    async def test_a_form_is_refused(self, public):
        form = {"content-type": "application/x-www-form-urlencoded"}
        answer = await public.post(LOGIN, content=b"a=b", headers=form)
        assert refused(answer, 415, "unsupported_media_type")


class TestOwn:
    async def test_one_is_renamed(self, public, ada, token, device):
        shown = (await made(public, token, device)).json()
        answer = await public.patch(f"{MINE}/{shown['id']}", {"name": " Phone "}, token=token)
        assert (answer.status_code, answer.json()) == (200, shown | {"name": "Phone"})

    @pytest.mark.parametrize(
        ("body", "code", "path"),
        [
            ({"name": ""}, "passkey_name_invalid", ("name",)),
            ({"name": "x" * 101}, "passkey_name_invalid", ("name",)),
            ({"name": None}, "body_invalid", ("name",)),
            ({}, "body_invalid", ("name",)),
            ({"name": "x", "mfa_only": False}, "body_invalid", ("mfa_only",)),
            ([], "body_invalid", ()),
        ],
    )
    async def test_an_odd_name_is_refused(self, public, token, body, code, path):
        shown = (await made(public, token, Authenticator())).json()
        answer = await public.patch(f"{MINE}/{shown['id']}", body, token=token)
        assert refused(answer, 400, code, *path)

    async def test_one_is_deleted(self, services, public, ada, token, device):
        """SEC-027, SEC-037: the other sessions end, and the owner is told."""
        shown = (await made(public, token, device)).json()
        other = (await make_session(services, ada)).token
        answer = await public.call("DELETE", f"{MINE}/{shown['id']}", token=token)
        assert (answer.status_code, answer.content) == (204, b"")
        assert (await public.get(MINE, token=token)).json() == []
        assert refused(await signed_in(public, device), 401, "passkey_invalid")
        assert refused(await public.get(MINE, token=other), 401, "unauthenticated")
        assert await notices(services) == {"passkey_create", "passkey_delete"}

    async def test_the_last_way_in_stays_sec_037(self, services, token, device, ada):
        config = services.config
        email = msgspec.structs.replace(config.email, use_for_authentication=False)
        password = msgspec.structs.replace(config.password, enabled=False)
        face = Face(await reconfigured(services, email=email, password=password))
        shown = (await made(face, token, device)).json()
        answer = await face.call("DELETE", f"{MINE}/{shown['id']}", token=token)
        assert refused(answer, 409, "last_way_in")
        assert (await face.get(MINE, token=token)).json() == [shown]

    async def test_what_opens_the_account_is_changed_soon_after_the_sign_in_sec_037(
        self, services, ada, token, device, clock
    ):
        strict = Face(
            await reconfigured(
                services, session=Session(step_up=StepUp(max_age=Duration(minutes=5)))
            )
        )
        shown = (await made(strict, token, device)).json()
        options = (await strict.post(BEGIN, {}, token=token)).json()
        clock.advance(minutes=6)
        for answer in (
            await strict.post(BEGIN, {}, token=token),
            await strict.post(FINISH, Authenticator().create(options), token=token),
            await strict.call("DELETE", f"{MINE}/{shown['id']}", token=token),
        ):
            assert refused(answer, 409, "step_up_required")
        assert (await strict.get(MINE, token=token)).json() == [shown]

    async def test_anothers_is_not_there_sec_054(self, services, public, ada, token, device):
        shown = (await made(public, token, device)).json()
        bob = (await make_session(services, await make_user(services))).token
        assert (await public.get(MINE, token=bob)).json() == []
        for credential_id in (shown["id"], "unknown"):
            path = f"{MINE}/{credential_id}"
            for call in (
                public.patch(path, {"name": "mine"}, token=bob),
                public.call("DELETE", path, token=bob),
            ):
                assert refused(await call, 404, "not_found", "credential_id")
        assert (await public.get(MINE, token=token)).json() == [shown]


class TestLimits:
    """A network may begin and finish so many ceremonies; whose credentials they are is all one."""

    async def test_options_are_given_so_often_to_one_network_sec_126(self, services, few, clock):
        for _ in range(2):
            assert (await few.post(LOGIN, {})).status_code == 200
        answer = await few.post(LOGIN, {})
        assert refused(answer, 429, "rate_limited")
        assert answer.headers["retry-after"] == "60"
        assert len(await fetch("SELECT digest FROM webauthn_challenge")) == 2
        clock.advance(seconds=59)
        assert (await few.post(LOGIN, {})).headers["retry-after"] == "1"
        clock.advance(seconds=1)
        assert (await few.post(LOGIN, {})).status_code == 200

    async def test_responses_are_looked_at_so_often_sec_069(self, services, public, few, device):
        ada = await make_user(services)
        await made(public, (await make_session(services, ada)).token, device)
        told = [device.get((await public.post(LOGIN, {})).json()) for _ in range(3)]
        for wrong in (device.get(NOBODYS), device.get(NOBODYS)):
            assert refused(await few.post(LOGGED_IN, wrong), 401, "passkey_invalid")
        for one in told:
            answer = await few.post(LOGGED_IN, one)
            assert refused(answer, 429, "rate_limited")
            assert answer.headers["retry-after"] == "60"
            assert "set-cookie" not in answer.headers
        assert (await public.post(LOGGED_IN, told[2])).status_code == 200

    async def test_a_registration_is_counted_too_sec_069_126(self, public, few, token, device):
        """SEC-069, SEC-126"""
        options = (await public.post(BEGIN, {}, token=token)).json()
        for _ in range(2):
            assert (await made(few, token, Authenticator())).status_code == 201
        answer = await few.post(BEGIN, {}, token=token)
        assert refused(answer, 429, "rate_limited")
        assert answer.headers["retry-after"] == "60"
        answer = await few.post(FINISH, device.create(options), token=token)
        assert refused(answer, 429, "rate_limited")
        assert refused(await few.post(BEGIN, {}), 401, "unauthenticated")

    async def test_another_network_is_not_concerned_sec_069(self, services):
        limits = RateLimiter(network_limits=NetworkLimits(tokens=2))
        both = await reconfigured(services, rate_limiter=limits)
        here, elsewhere = (Face(both, peer=(one, 50_000)) for one in ("2001:db8::1", "192.0.2.1"))
        neighbour = Face(both, peer=("2001:db8::2", 50_000))
        for face in (here, neighbour):
            assert (await face.post(LOGIN, {})).status_code == 200
        for face in (here, neighbour):
            assert refused(await face.post(LOGIN, {}), 429, "rate_limited")
        assert (await elsewhere.post(LOGIN, {})).status_code == 200

    async def test_many_at_once_get_no_more_sec_071(self, few):
        answers = await asyncio.gather(*(few.post(LOGIN, {}) for _ in range(20)))
        assert sorted(one.status_code for one in answers) == [200] * 2 + [429] * 18

    async def test_what_is_no_response_uses_nothing_up(self, few):
        for _ in range(5):
            assert refused(await few.post(LOGGED_IN, {}), 400, "webauthn_response_invalid")
            assert refused(await few.post(LOGIN, []), 400, "body_invalid")
        assert (await few.post(LOGIN, {})).status_code == 200

    async def test_guesses_at_an_account_take_no_passkey_from_it_sec_072(
        self, services, public, ada, token, device
    ):
        await made(public, token, device)
        stranger = "192.0.2.1"
        for operation in ("password", "otp", "passcode_guess", "passkey"):
            for _ in range(40):
                await services.rate_limits.take(operation, account=str(ada.id), address=stranger)
        assert await services.rate_limits.take("passkey", address=stranger)
        assert (await signed_in(public, device)).status_code == 200
        assert isinstance(await services.sessions.authenticate(token), SignedIn)


class TestRelatedOrigins:
    async def test_web_pages_are_listed_and_applications_are_not(self, services):
        origins = [
            "https://example.com",
            "android:apk-key-hash:" + "A" * 43,
            "https://example.org:8443",
        ]
        webauthn = WebAuthn(relying_party=RelyingParty(id="example.com", origins=origins))
        face = Face(await reconfigured(services, webauthn=webauthn))
        answer = await face.get("/.well-known/webauthn")
        assert answer.json() == {"origins": ["https://example.com", "https://example.org:8443"]}
        assert answer.headers["content-type"].startswith("application/json")
        assert answer.headers["cache-control"] == "max-age=600, public"

    async def test_an_application_signs_in_from_its_own_origin_sec_046(
        self, services, ada, token, device
    ):
        origin = "android:apk-key-hash:" + "A" * 43
        webauthn = WebAuthn(relying_party=RelyingParty(origins=[origin]))
        face = Face(await reconfigured(services, webauthn=webauthn))
        assert (await made(face, token, device, origin=origin)).status_code == 201
        assert (await signed_in(face, device, origin=origin)).status_code == 200
        assert refused(await signed_in(face, device), 401, "passkey_invalid")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=6,
)
PLACES = ("id", "rawId", "type", "response")
PARTS = ("clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle")


@pytest.mark.one_database
@given(data=st.data())
async def test_whatever_is_sent_is_refused_with_a_code_sec_052(unlimited, data):
    response = data.draw(st.dictionaries(st.sampled_from(PARTS), JSON | st.binary().map(b64)))
    told = {"id": "AAAA", "rawId": "AAAA", "type": "public-key", "response": response}
    told |= data.draw(st.dictionaries(st.sampled_from(PLACES), JSON, max_size=2))
    body = json.dumps(told).encode()
    answer = await unlimited.post(LOGGED_IN, content=body)
    assert answer.status_code in (400, 401)
    assert answer.json()["error"]["code"] in (
        "webauthn_response_invalid",
        "passkey_invalid",
        "bad_request",
    )
