"""The endpoints: there, back by query or form, and the session (SEC-074, SEC-082, SEC-093)."""

import re
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit
from uuid import UUID

import msgspec
import pytest
from faces.clients import Face
from factories import make_session, make_user
from federation.providers import ERRORS, TARGET, VERIFIER, token_of, told
from hypothesis import given
from hypothesis import strategies as st

from app.access import SYSTEM
from app.assembly import assemble
from app.config.federation_sections import ThirdParty
from app.config.sections import Email, Mfa, RateLimiter, Session, TokenLimits
from app.credentials.totp import Accepted
from app.federation.browsers import MARK, MOST, BrowserSecrets
from app.federation.pkce import challenge_of
from app.persistence import fetch
from app.rest.browsing import fields
from app.rest.thirdparty import _ANSWER, MAX_FORM
from app.users import NewEmail

CALLBACK = "/thirdparty/callback"
START = {"provider": "google", "redirect_to": TARGET, "code_challenge": challenge_of(VERIFIER)}
FORM = {"content-type": "application/x-www-form-urlencoded"}
pytestmark = pytest.mark.one_database


@pytest.fixture
def public(services):
    return Face(services, "public")


def secret_of(answer):
    """The browser's secret, as the cookie holds it."""
    return answer.headers["set-cookie"].partition("=")[2].partition(";")[0]


async def started(face, **given):
    return await face.get(f"/thirdparty/auth?{urlencode({**START, **given})}")


async def back(face, answer, **given):
    """Come back from the provider, in the browser that has started."""
    state = parse_qs(urlsplit(answer.headers["location"]).query)["state"][0]
    query = urlencode({"state": state, "code": "code", **given})
    cookie = f"hanko_thirdparty_state={secret_of(answer)}"
    return await face.get(f"{CALLBACK}?{query}", headers={"cookie": cookie})


async def came_with(face):
    """Sign in at the provider, and give the token that came with the browser."""
    answer = await back(face, await started(face))
    return told(answer.headers["location"])["hanko_token"]


async def redeemed(face, exchanged, verifier=VERIFIER, **call):
    return await face.post("/token", {"token": exchanged, "code_verifier": verifier}, **call)


def reconfigured(services, connectors, **changes):
    config = msgspec.structs.replace(services.config, **changes)
    return assemble(config, clock=services.clock, connectors=connectors)


async def count(table):
    return (await fetch(f"SELECT COUNT(*) AS n FROM {table}"))[0]["n"]


class TestStart:
    async def test_the_browser_is_sent_to_the_provider_sec_074(self, public, google):
        answer = await started(public)
        assert answer.status_code == 307
        assert answer.headers["location"].startswith("https://idp.example/authorize?state=")
        secret = secret_of(answer)
        assert answer.headers["set-cookie"] == (
            f"hanko_thirdparty_state={secret}; Path=/; Max-Age=300; HttpOnly; Secure; SameSite=None"
        )
        assert secret not in answer.headers["location"]
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"

    @pytest.mark.parametrize(
        ("given", "description"),
        [
            ({"provider": "nobody"}, "unknown provider"),
            ({"provider": ""}, "unknown provider"),
            (
                {"redirect_to": "https://evil.example"},
                "The target is not an allowed one.",
            ),
            (
                {"code_challenge": "plain"},
                "This is no PKCE verifier or S256 challenge (RFC 7636).",
            ),
        ],
    )
    async def test_an_error_goes_to_the_page_of_errors_sec_082(self, public, given, description):
        answer = await public.get(
            f"/thirdparty/auth?{urlencode({**START, **given})}",
            headers={"referer": "https://evil.example/"},
        )
        assert answer.status_code == 307
        assert told(answer.headers["location"]) == {
            "to": ERRORS,
            "error": "invalid_request",
            "error_description": description,
        }
        assert "set-cookie" not in answer.headers
        assert await count("federation_state") == 0

    async def test_without_a_challenge_nothing_would_hold_the_token_sec_107(self, public):
        answer = await public.get(f"/thirdparty/auth?{urlencode(START | {'code_challenge': ''})}")
        assert told(answer.headers["location"])["error"] == "invalid_request"
        assert await count("federation_state") == 0

    async def test_where_nothing_is_configured_there_is_nothing(self, services, connectors):
        connectors.off |= {"google", "custom_corp"}
        bare = Face(reconfigured(services, connectors, third_party=ThirdParty()))
        for method, path, body in [
            ("GET", "/thirdparty/auth", ...),
            ("GET", CALLBACK, ...),
            ("POST", CALLBACK, ...),
            ("POST", "/thirdparty/nonce", {}),
        ]:
            assert (await bare.call(method, path, body)).status_code == 404

    async def test_where_the_last_provider_was_switched_off_errors_have_their_page_sec_084(
        self, public, google, connectors
    ):
        begun = await started(public)
        connectors.off |= {"google", "custom_corp"}
        for answer in (await started(public), await back(public, begun)):
            assert told(answer.headers["location"])["error_description"] == "provider is disabled"
        assert (await public.post("/thirdparty/nonce", {})).status_code == 404

    async def test_the_admin_listener_has_none_of_it(self, services):
        admin = Face(services, "admin")
        for path in ("/thirdparty/auth", CALLBACK):
            assert (await admin.get(path)).status_code == 404
        for path in (CALLBACK, "/token", "/thirdparty/nonce", "/thirdparty/id_token"):
            assert (await admin.post(path, {})).status_code == 404

    async def test_starts_are_limited_by_network_sec_126(self, services, connectors):
        limited = reconfigured(
            services, connectors, rate_limiter=RateLimiter(flow_limits=_few(services))
        )
        face = Face(limited)
        assert (await started(face)).status_code == 307
        answer = await started(face)
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) > 0
        assert (await face.get(f"{CALLBACK}?state=x")).status_code == 429
        assert (await face.post("/thirdparty/nonce", {})).status_code == 429
        assert await count("federation_state") == 1


def _few(services):
    return msgspec.structs.replace(services.config.rate_limiter.flow_limits, tokens=1)


class TestCallback:
    async def test_the_browser_is_sent_on_with_a_token(self, public, google):
        google.knows()
        answer = await back(public, await started(public))
        assert answer.status_code == 307
        found = told(answer.headers["location"])
        assert found["to"] == TARGET
        assert found.keys() == {"to", "hanko_token"}
        assert answer.headers["set-cookie"] == (
            "hanko_thirdparty_state=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=None"
        )
        assert answer.headers["referrer-policy"] == "no-referrer"

    async def test_without_the_cookie_it_is_refused_and_the_cookie_stays_sec_074(
        self, public, google
    ):
        google.knows()
        begun = await started(public)
        state = parse_qs(urlsplit(begun.headers["location"]).query)["state"][0]
        for headers in ({}, {"cookie": "hanko_thirdparty_state=other"}):
            answer = await public.get(f"{CALLBACK}?state={state}&code=code", headers=headers)
            found = told(answer.headers["location"])
            assert (found["to"], found["error"]) == (ERRORS, "invalid_request")
            assert "set-cookie" not in answer.headers
        assert "hanko_token" in (await back(public, begun)).headers["location"]

    @pytest.mark.parametrize(
        "query", ["state=%ff", "state=a&state=b", "code=a&code=b", "&".join("x" * 60)]
    )
    async def test_a_query_that_cannot_be_read_is_an_error_of_ours(self, public, query):
        answer = await public.get(f"{CALLBACK}?{query}")
        found = told(answer.headers["location"])
        assert found["to"] == ERRORS
        assert found["error"] == "server_error"

    async def test_what_a_provider_says_is_encoded_sec_082_093(self, public, google):
        begun = await started(public)
        evil = '"><script>alert(1)</script>&hanko_token=evil#\r\nSet-Cookie: a=b'
        answer = await back(public, begun, error="access_denied", error_description=evil)
        location = answer.headers["location"]
        assert location.startswith(f"{TARGET}?error=access_denied&error_description=%22%3E%3C")
        assert "hanko_token" not in parse_qs(urlsplit(location).query)
        assert "<" not in location
        assert answer.content == b""

    @given(st.binary(max_size=200))
    def test_any_query_is_read_or_refused(self, encoded):
        found = fields(encoded, _ANSWER)
        assert found is None or all(len(value) <= 4096 for value in found.values())

    def test_a_field_that_is_too_long_is_absent(self):
        assert fields(b"state=" + b"x" * 513 + b"&code=c", _ANSWER) == {"code": "c"}


def state_of(answer):
    return parse_qs(urlsplit(answer.headers["location"]).query)["state"][0]


class Browser:
    """A browser with a cookie for all of its tabs."""

    def __init__(self, face):
        self.face, self.cookie = face, ""

    async def get(self, path):
        headers = {"cookie": f"hanko_thirdparty_state={self.cookie}"} if self.cookie else {}
        answer = await self.face.get(path, headers=headers)
        if "set-cookie" in answer.headers:
            self.cookie = secret_of(answer)
        return answer

    async def start(self, **given):
        return state_of(await self.get(f"/thirdparty/auth?{urlencode({**START, **given})}"))

    async def come_back(self, state, code="code"):
        answer = await self.get(f"{CALLBACK}?{urlencode({'state': state, 'code': code})}")
        return told(answer.headers["location"])


class TestTabs:
    async def test_each_of_several_tabs_comes_back_in_any_order_sec_074(self, public, google):
        google.knows()
        browser = Browser(public)
        states = [await browser.start() for _ in range(MOST)]
        for state in (*states[1:], states[0]):
            assert "hanko_token" in await browser.come_back(state)
        assert browser.cookie == ""

    async def test_a_tab_that_is_done_takes_its_own_secret_alone(self, public, google):
        google.knows()
        browser = Browser(public)
        first, second = await browser.start(), await browser.start()
        await browser.come_back(second)
        assert BrowserSecrets.of(browser.cookie).of_state(first).startswith(first[:MARK])
        assert len(BrowserSecrets.of(browser.cookie).secrets) == 1
        answer = await browser.come_back(second)
        assert answer["error_description"] == "could not verify state"

    async def test_only_so_many_are_under_way_and_the_oldest_goes_sec_126(self, public, google):
        google.knows()
        browser = Browser(public)
        states = [await browser.start() for _ in range(MOST + 1)]
        assert len(BrowserSecrets.of(browser.cookie).secrets) == MOST
        assert len(browser.cookie) < 300
        assert (await browser.come_back(states[0]))["error"] == "invalid_request"
        for state in states[1:]:
            assert "hanko_token" in await browser.come_back(state)

    async def test_an_answer_is_for_its_own_tab_alone_sec_074_079(self, public, google, corp):
        google.knows()
        corp.knows(subject="corp-1")
        browser = Browser(public)
        ours, theirs = await browser.start(), await browser.start(provider="custom_corp")
        await browser.come_back(theirs)
        assert (google.answered, len(corp.answered)) == ([], 1)
        await browser.come_back(ours)
        assert google.answered[0].nonce == google.started[0].nonce
        assert corp.answered[0].nonce == corp.started[0].nonce

    async def test_a_state_of_somebody_else_is_refused_in_a_busy_browser_sec_074(
        self, public, google
    ):
        """SEC-074: an attacker's own sign-in ends in no browser but theirs (login CSRF)."""
        google.knows()
        victim, attacker = Browser(public), Browser(public)
        mine = [await victim.start() for _ in range(2)]
        theirs = await attacker.start()
        for state in (theirs, theirs[:8], mine[0][:8] + theirs[8:]):
            found = await victim.come_back(state)
            assert (found["to"], found["error"]) == (ERRORS, "invalid_request")
        for state in mine:
            assert "hanko_token" in await victim.come_back(state)

    @given(st.text(max_size=600), st.text(max_size=60))
    def test_any_cookie_is_read_and_what_is_none_of_ours_is_not_written_again(self, cookie, state):
        found = BrowserSecrets.of(cookie)
        assert len(found.secrets) <= MOST
        assert re.fullmatch(r"[A-Za-z0-9_.-]*", found.having("s" * 51).text)
        assert found.of_state(state) in (*found.secrets, found.text)
        assert BrowserSecrets.of(found.text) == found


class TestOwnCallbacks:
    """SEC-079: two callbacks keep two providers apart where neither sends `iss` (RFC 9700 §4.4)."""

    @pytest.fixture
    def services(self, services, connectors):
        settings = msgspec.structs.replace(
            services.config.third_party,
            redirect_url="https://id.example.com/thirdparty/callback/{provider}",
        )
        return reconfigured(services, connectors, third_party=settings)

    async def answered(self, public, begun, path):
        query = urlencode({"state": state_of(begun), "code": "code"})
        cookie = f"hanko_thirdparty_state={secret_of(begun)}"
        answer = await public.get(f"{path}?{query}", headers={"cookie": cookie})
        return told(answer.headers["location"])

    async def test_an_answer_comes_to_the_callback_of_its_provider(self, public, google):
        google.knows()
        found = await self.answered(public, await started(public), f"{CALLBACK}/google")
        assert "hanko_token" in found

    @pytest.mark.parametrize("path", ["", "/custom_corp", "/nobody", "/GOOGLE"])
    async def test_an_answer_at_any_other_is_refused_sec_079(self, public, google, path):
        """SEC-079: a code of the one provider goes to no token endpoint of the other."""
        google.knows()
        found = await self.answered(public, await started(public), CALLBACK + path)
        description = "the response is not from the expected issuer"
        assert (found["error"], found["error_description"]) == ("invalid_request", description)
        assert google.answered == []

    async def test_a_form_comes_back_to_the_same_callback(self, public):
        answer = await public.post(
            f"{CALLBACK}/apple",
            content=b"state=s&code=c",
            headers={
                **FORM,
                "origin": "https://appleid.apple.com",
                "sec-fetch-site": "cross-site",
                "cookie": "hanko=x",
            },
        )
        assert answer.status_code == 303
        registered = "https://id.example.com/thirdparty/callback/apple"
        there = urljoin(registered, answer.headers["location"])
        assert there == f"{registered}?state=s&code=c"


async def test_where_all_share_one_callback_there_is_no_other_sec_079(public, google):
    google.knows()
    begun = await started(public)
    query = urlencode({"state": state_of(begun), "code": "code"})
    cookie = f"hanko_thirdparty_state={secret_of(begun)}"
    answer = await public.get(f"{CALLBACK}/google?{query}", headers={"cookie": cookie})
    assert told(answer.headers["location"])["error"] == "invalid_request"
    assert google.answered == []


class TestForm:
    async def test_a_form_becomes_a_query_by_303_sec_082(self, public):
        form = {"state": "s", "code": "c&d=é", "user": '{"name":"<b>"}', "other": "x"}
        answer = await public.post(
            CALLBACK,
            content=urlencode(form).encode(),
            headers={
                **FORM,
                "origin": "https://appleid.apple.com",
                "sec-fetch-site": "cross-site",
                "cookie": "hanko=x; hanko_thirdparty_state=y",
            },
        )
        assert answer.status_code == 303
        location = answer.headers["location"]
        assert location.startswith("?")
        form.pop("other")
        assert {k: v[0] for k, v in parse_qs(urlsplit(location).query).items()} == form
        assert "<" not in location

    async def test_a_form_changes_nothing_by_itself_sec_107(self, public, google):
        google.knows()
        begun = await started(public)
        state = parse_qs(urlsplit(begun.headers["location"]).query)["state"][0]
        form = urlencode({"state": state, "code": "code"}).encode()
        answer = await public.post(CALLBACK, content=form, headers=FORM)
        assert google.answered == []
        assert await count("federation_state") == 1
        cookie = f"hanko_thirdparty_state={secret_of(begun)}"
        there = urljoin(CALLBACK, answer.headers["location"])
        done = await public.get(there, headers={"cookie": cookie})
        assert "hanko_token" in done.headers["location"]

    @pytest.mark.parametrize(
        "public_url",
        [
            f"https://id.example.com{CALLBACK}",
            f"https://example.com/auth/v1{CALLBACK}",
            "https://example.com/renamed/by/a/proxy",
        ],
    )
    async def test_the_browser_comes_back_to_the_url_it_has_sent_the_form_to(
        self, public, public_url
    ):
        form = urlencode({"state": "s", "code": "c"}).encode()
        answer = await public.post(CALLBACK, content=form, headers=FORM)
        there = urljoin(public_url, answer.headers["location"])
        assert there == f"{public_url}?state=s&code=c"

    async def test_a_form_above_64_kib_is_refused_sec_104(self, public):
        answer = await public.post(CALLBACK, content=b"code=" + b"x" * MAX_FORM, headers=FORM)
        assert answer.status_code == 413
        fits = b"code=" + b"x" * (MAX_FORM - 5)
        assert (await public.post(CALLBACK, content=fits, headers=FORM)).status_code == 303

    @pytest.mark.parametrize("media", ["application/json", "multipart/form-data", "text/plain"])
    async def test_only_a_form_is_taken(self, public, media):
        answer = await public.post(CALLBACK, content=b"{}", headers={"content-type": media})
        assert answer.status_code == 415

    async def test_other_endpoints_take_no_form_of_another_site_sec_107(self, public):
        other = {
            **FORM,
            "origin": "https://appleid.apple.com",
            "sec-fetch-site": "cross-site",
            "cookie": "hanko=x",
        }
        answer = await public.post("/token", content=b"token=x", headers=other)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "cross_site")


class TestToken:
    async def test_a_token_begins_a_session(self, services, public, google):
        google.knows()
        answer = await redeemed(public, await came_with(public))
        assert answer.status_code == 200
        user_id = answer.json()["user_id"]
        session = answer.headers["set-cookie"].partition("hanko=")[2].partition(";")[0]
        shown = (await public.get("/me", cookie=session)).json()
        assert shown["user_id"] == user_id
        (identity,) = (await services.federation.identities_of([UUID(user_id)]))[UUID(user_id)]
        assert shown["identities"] == [
            {"id": "subject-1", "provider": "Google", "identity_id": str(identity.id)}
        ]
        rows = await fetch("SELECT details FROM audit_event WHERE type = 'login_success'")
        assert '"amr":["ext:google"]' in rows[0]["details"]

    async def test_identities_of_a_provider_that_is_off_are_not_shown(
        self, public, google, connectors
    ):
        google.knows()
        answer = await redeemed(public, await came_with(public))
        session = answer.headers["set-cookie"].partition("hanko=")[2].partition(";")[0]
        connectors.off.add("google")
        assert "identities" not in (await public.get("/me", cookie=session)).json()

    async def test_it_takes_the_place_of_the_session_before_sec_026(self, services, public, google):
        user = await make_user(services)
        old = (await make_session(services, user)).token
        google.knows()
        await redeemed(public, await came_with(public), token=old)
        assert (await public.get("/me", token=old)).status_code == 401

    @pytest.mark.parametrize(
        ("verifier", "code"),
        [("", "code_verifier_mismatch"), ("w" * 64, "code_verifier_mismatch")],
    )
    async def test_another_verifier_gets_nothing_sec_065_107(self, public, google, verifier, code):
        google.knows()
        token = await came_with(public)
        answer = await redeemed(public, token, verifier or None)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
        assert "set-cookie" not in answer.headers
        assert (await redeemed(public, token)).status_code == 200

    async def test_it_is_good_once_sec_065(self, public, google):
        google.knows()
        token = await came_with(public)
        await redeemed(public, token)
        answer = await redeemed(public, token)
        assert answer.json()["error"]["code"] == "exchange_token_invalid"
        assert await count("user_session") == 1

    @pytest.mark.parametrize("kind", ["login", "registration", "profile"])
    async def test_the_token_of_a_flow_is_for_that_flow_sec_065(
        self, services, public, google, kind
    ):
        user = await make_user(services)
        google.knows(email=None)
        user_id = user.id if kind == "profile" else None
        token = await token_of(services, kind=kind, flow_id=user.id, user_id=user_id)
        answer = await redeemed(public, token)
        assert answer.json()["error"]["code"] == "exchange_token_invalid"

    async def test_an_account_with_a_second_factor_needs_the_flow_sec_032_058(
        self, services, public, google
    ):
        user = await make_user(services, email="ada@example.com")
        await services.totp.store(SYSTEM, user.id, "SECRET", Accepted(1))
        google.knows()
        token = await came_with(public)
        for _ in range(2):  # the token is as good as before
            answer = await redeemed(public, token)
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "flow_required")
            assert "set-cookie" not in answer.headers
        assert "/token_exchange" in answer.json()["message"]
        assert await count("user_session") == await count("identity") == 0
        assert await count("exchange_token") == 1

    async def test_where_everybody_has_a_second_factor_the_flow_is_needed_sec_032(
        self, services, google, connectors
    ):
        strict = Face(reconfigured(services, connectors, mfa=Mfa(optional=False)))
        google.knows()
        answer = await redeemed(strict, await came_with(strict))
        assert answer.json()["error"]["code"] == "flow_required"

    async def test_an_unproved_address_needs_the_flow_sec_032(self, public, google):
        google.knows(email_verified=False)
        answer = await redeemed(public, await came_with(public))
        assert answer.json()["error"]["code"] == "flow_required"
        assert await count("app_user") == 0

    async def test_who_has_no_address_needs_the_flow(self, services, public, google, connectors):
        google.knows(email=None)
        answer = await redeemed(public, await came_with(public))
        assert answer.json()["error"]["code"] == "flow_required"
        free = Face(reconfigured(services, connectors, email=Email(optional=True)))
        assert (await redeemed(free, await came_with(free))).status_code == 200

    async def test_a_provider_that_was_switched_off_sec_084(self, public, google, connectors):
        google.knows()
        token = await came_with(public)
        connectors.off.add("google")
        answer = await redeemed(public, token)
        assert (answer.status_code, answer.json()["message"]) == (
            400,
            "The provider is switched off.",
        )
        rows = await fetch(
            "SELECT details FROM audit_event WHERE type = 'thirdparty_signin_signup_failed'"
        )
        assert len(rows) == 1

    async def test_redemptions_are_limited_by_network_sec_069(self, services, connectors):
        limiter = RateLimiter(token_limits=TokenLimits(tokens=2))
        face = Face(reconfigured(services, connectors, rate_limiter=limiter))
        codes = [(await redeemed(face, "x")).status_code for _ in range(3)]
        assert codes == [400, 400, 429]

    async def test_the_token_takes_the_configured_way_sec_031(self, services, google, connectors):
        session = Session(enable_auth_token_header=True)
        face = Face(reconfigured(services, connectors, session=session))
        google.knows()
        answer = await redeemed(face, await came_with(face))
        assert answer.headers["x-auth-token"]

    @pytest.mark.parametrize(
        ("body", "path"),
        [
            ([], ()),
            ({}, ("token",)),
            ({"token": 1}, ("token",)),
            ({"token": ""}, ("token",)),
            ({"token": "x", "user_id": "x"}, ("user_id",)),
            ({"token": "x", "code_verifier": 1}, ("code_verifier",)),
        ],
    )
    async def test_an_odd_body_is_refused_sec_004(self, public, body, path):
        error = (await public.post("/token", body)).json()["error"]
        assert (error["code"], error.get("path", [])) == ("body_invalid", list(path))


class TestIdTokens:
    async def nonce(self, face):
        answer = await face.post("/thirdparty/nonce", {})
        assert answer.json()["expires_in"] == 300
        return answer.json()["nonce"]

    async def given(self, face, **given):
        told = {"provider": "google", "id_token": "id-token", "code_verifier": VERIFIER}
        return {**told, "nonce": await self.nonce(face), **given}

    async def test_an_id_token_becomes_a_session(self, public, google):
        google.knows("id-token")
        given = await self.given(public)
        answer = await public.post("/thirdparty/id_token", given)
        assert (answer.status_code, answer.json()["expires_in"]) == (200, 60)
        assert (await redeemed(public, answer.json()["token"])).status_code == 200

    async def test_the_nonce_is_good_once_sec_076(self, public, google):
        google.knows("id-token")
        given = await self.given(public, id_token="bad")
        assert (await public.post("/thirdparty/id_token", given)).status_code == 400
        answer = await public.post("/thirdparty/id_token", {**given, "id_token": "id-token"})
        assert (answer.status_code, answer.json()["message"]) == (
            400,
            "The nonce was not given out here, has expired, or was used.",
        )
        assert await count("exchange_token") == 0

    async def test_a_nonce_that_nobody_gave_out_is_refused_sec_076(self, public, google):
        google.knows("id-token")
        given = await self.given(public, nonce="n" * 43)
        assert (await public.post("/thirdparty/id_token", given)).status_code == 400

    async def test_a_token_longer_than_8_kib_is_not_read_sec_021(self, public, google):
        google.knows("t" * 8193)
        given = await self.given(public, id_token="t" * 8193)
        answer = await public.post("/thirdparty/id_token", given)
        assert answer.json()["error"]["code"] == "invalid_request"

    @pytest.mark.parametrize("other", [None, "w" * 64])
    async def test_the_verifier_binds_the_token_sec_065_107(self, public, google, other):
        google.knows("id-token")
        answer = await public.post("/thirdparty/id_token", await self.given(public))
        token = answer.json()["token"]
        refused = await redeemed(public, token, other)
        assert refused.json()["error"]["code"] == "code_verifier_mismatch"
        assert "set-cookie" not in refused.headers
        assert (await redeemed(public, token)).status_code == 200

    @pytest.mark.parametrize(
        ("verifier", "code"),
        [
            (None, "body_invalid"),
            ("", "body_invalid"),
            (1, "body_invalid"),
            ("short", "code_challenge_invalid"),
        ],
    )
    async def test_without_a_verifier_nothing_would_hold_the_token_sec_107(
        self, public, google, verifier, code
    ):
        google.knows("id-token")
        given = await self.given(public, code_verifier=verifier)
        if verifier is None:
            del given["code_verifier"]
        error = (await public.post("/thirdparty/id_token", given)).json()["error"]
        assert (error["code"], error["path"]) == (code, ["code_verifier"])
        assert await count("exchange_token") == 0
        good = {**given, "code_verifier": VERIFIER}  # the nonce was not used up
        assert (await public.post("/thirdparty/id_token", good)).status_code == 200

    async def test_a_refusal_that_is_foreseen_is_told(self, services, public, google):
        user = await make_user(services)
        await services.users.add_email(SYSTEM, user.id, NewEmail("ada@example.com"))
        google.knows("id-token")
        given = await self.given(public)
        answer = await public.post("/thirdparty/id_token", given)
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "user_conflict")

    async def test_a_provider_that_is_off_takes_none_sec_084(self, public, google, connectors):
        google.knows("id-token")
        connectors.off.add("google")
        given = await self.given(public)
        answer = await public.post("/thirdparty/id_token", given)
        assert answer.json()["message"] == "The provider is switched off."
