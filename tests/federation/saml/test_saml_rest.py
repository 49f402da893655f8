"""SAML over HTTP: what browsers and providers meet."""

import asyncio
from urllib.parse import urlencode

import msgspec
import pytest
from cryptography import x509
from faces.clients import Face
from federation.providers import VERIFIER
from federation.saml.deployment import (
    DEFAULT,
    TARGET,
    begun,
    config_of,
    deployed,
    pending_request,
    provider,
    told,
)
from federation.saml.idp import Idp, encoded
from lxml import etree

from app.assembly import assemble
from app.federation.browsers import BrowserSecrets
from app.federation.errors import CodeChallengeInvalid, RedirectNotAllowed
from app.federation.pkce import challenge_of
from app.federation.saml.errors import SamlProviderUnknown
from app.federation.saml.metadata import POST
from app.federation.saml.values import PREFIX
from app.federation.states import COOKIE
from app.http.body import MAX_SAML

FORM = "application/x-www-form-urlencoded"
CHALLENGE = f"code_challenge={challenge_of(VERIFIER)}"
START = f"/saml/auth?domain=acme.example&redirect_to={TARGET}&{CHALLENGE}"


@pytest.fixture
def public(services):
    return Face(services, "public")


async def posted(face, form, cookie="", **headers):
    sent = {"content-type": FORM, **headers} | ({"cookie": cookie} if cookie else {})
    body = form if isinstance(form, (str, bytes)) else urlencode(form)
    return await face.post("/saml/callback", content=body, headers=sent)


def cookie_of(answer):
    return answer.headers["set-cookie"].partition(";")[0]


class TestAuth:
    async def test_a_browser_is_sent_to_the_provider_with_a_cookie_sec_074(self, public, idp):
        answer = await public.get(START)
        assert answer.status_code == 307
        assert answer.headers["location"].startswith(idp.sso_url)
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith(f"{COOKIE}=")
        for part in ("HttpOnly", "Secure", "SameSite=None", "Max-Age=300", "Path=/"):
            assert part in cookie

    @pytest.mark.parametrize(
        ("query", "description"),
        [
            (CHALLENGE, SamlProviderUnknown.description),
            (f"domain=other.example&{CHALLENGE}", SamlProviderUnknown.description),
            (
                f"domain=acme.example&redirect_to=https://evil.example/&{CHALLENGE}",
                RedirectNotAllowed.message,
            ),
            ("domain=acme.example&code_challenge=x", CodeChallengeInvalid.message),
        ],
    )
    async def test_an_error_ends_at_the_configured_page_never_at_a_referer_sec_082(
        self, public, query, description
    ):
        headers = {"referer": "https://evil.example/"}
        answer = await public.get(f"/saml/auth?{query}", headers=headers)
        assert answer.status_code == 303
        back = told(answer.headers["location"])
        assert (back["to"], back["error"]) == (DEFAULT, "invalid_request")
        assert back["error_description"] == description
        assert "set-cookie" not in answer.headers

    @pytest.mark.parametrize(
        "query",
        [
            "",
            "domain=acme.example",
            "domain=acme.example&code_challenge=",
            f"domain=acme.example&{CHALLENGE}&{CHALLENGE}",
        ],
    )
    async def test_without_a_challenge_nothing_would_hold_the_token_sec_107(self, public, query):
        answer = await public.get(f"/saml/auth?{query}")
        back = told(answer.headers["location"])
        assert (answer.status_code, back["error"]) == (303, "invalid_request")
        assert "set-cookie" not in answer.headers

    async def test_a_second_tab_leaves_the_first_its_secret_sec_074(self, public):
        first = await public.get(START)
        second = await public.get(START, headers={"cookie": cookie_of(first)})
        held = [cookie_of(one).partition("=")[2] for one in (first, second)]
        assert BrowserSecrets.of(held[1]).secrets[0] == held[0]
        assert len(BrowserSecrets.of(held[1]).secrets) == 2

    async def test_starts_are_counted_by_network_sec_126(self, empty, clock, idp):
        config = config_of(empty, provider(idp))
        limits = msgspec.structs.replace(
            config.rate_limiter,
            flow_limits=msgspec.structs.replace(config.rate_limiter.flow_limits, tokens=2),
        )
        limited = msgspec.structs.replace(config, rate_limiter=limits)
        face = Face(await deployed(limited, clock), "public")
        statuses = [(await face.get(START)).status_code for _ in range(3)]
        assert statuses == [307, 307, 429]


class TestCallback:
    async def test_a_browser_comes_back_with_a_token_by_303_sec_082(self, services, public, idp):
        start = await public.get(START)
        relay = told(start.headers["location"])["RelayState"]
        cookie = cookie_of(start)
        request_id = await pending_request(services, relay, cookie.partition("=")[2])
        tree = idp.response(
            idp.sign(idp.assertion(in_response_to=request_id)), in_response_to=request_id
        )
        form = {"SAMLResponse": encoded(tree), "RelayState": relay}
        sent = {"origin": "https://idp.acme.example", "sec-fetch-site": "cross-site"}
        answer = await posted(public, form, cookie, **sent)
        assert answer.status_code == 303
        back = told(answer.headers["location"])
        assert back.keys() == {"to", "hanko_token"}
        assert back["to"] == TARGET
        assert "Max-Age=0" in answer.headers["set-cookie"]
        body = {"token": back["hanko_token"]}
        for verifier in ({}, {"code_verifier": "w" * 64}):
            refused = await public.post("/token", body | verifier)
            assert refused.json()["error"]["code"] == "code_verifier_mismatch"
        redeemed = await public.post("/token", body | {"code_verifier": VERIFIER})
        assert redeemed.status_code in (200, 403)

    async def test_each_of_two_tabs_comes_back_sec_074_090(self, services, public, idp):
        first = await public.get(START)
        second = await public.get(START, headers={"cookie": cookie_of(first)})
        cookie = cookie_of(second)
        for tab, start in enumerate((first, second)):
            relay = told(start.headers["location"])["RelayState"]
            secrets = BrowserSecrets.of(cookie.partition("=")[2])
            secret = secrets.of_state(relay.removeprefix(PREFIX))
            request_id = await pending_request(services, relay, secret)
            assertion = idp.assertion(id=f"_assertion-{tab}", in_response_to=request_id)
            tree = idp.response(
                idp.sign(assertion), id=f"_response-{tab}", in_response_to=request_id
            )
            form = {"SAMLResponse": encoded(tree), "RelayState": relay}
            answer = await posted(public, form, cookie)
            assert "hanko_token" in told(answer.headers["location"])
            cookie = cookie_of(answer)
        assert cookie == f"{COOKIE}="

    async def test_the_session_of_whoever_is_signed_in_plays_no_part_sec_107(self, public):
        answer = await posted(
            public, {"SAMLResponse": "x"}, "hanko=token", origin="https://evil.example"
        )
        assert answer.status_code == 303
        assert told(answer.headers["location"])["error"] == "invalid_request"
        assert "set-cookie" not in answer.headers  # nobody makes a browser forget its sign-in

    @pytest.mark.parametrize(
        "form",
        [
            "",
            "SAMLResponse=",
            "SAMLResponse=a&SAMLResponse=b",
            "%ff",
            "x=1;y=2",
            "RelayState=hanko_spi_x",
        ],
    )
    async def test_whatever_comes_the_browser_is_sent_on(self, public, form):
        answer = await posted(public, form)
        assert answer.status_code == 303
        assert told(answer.headers["location"])["to"] == DEFAULT

    async def test_a_form_is_declared_as_one(self, public):
        answer = await posted(public, {"SAMLResponse": "x"}, **{"content-type": "application/json"})
        assert answer.status_code == 415

    async def test_a_form_may_have_one_mebibyte_sec_104(self, public):
        fits = b"SAMLResponse=" + b"A" * (MAX_SAML - 13)
        assert (await posted(public, fits)).status_code == 303
        assert (await posted(public, fits + b"A")).status_code == 413

        async def parts():
            for _ in range(17):
                yield b"A" * 64 * 1024
                await asyncio.sleep(0)

        headers = {"content-type": FORM}
        chunked = await public.post("/saml/callback", content=parts(), headers=headers)
        assert chunked.status_code == 413
        packed = await posted(public, b"", **{"content-encoding": "gzip"})
        assert packed.status_code == 415

    async def test_no_other_path_takes_as_much_sec_104(self, public):
        headers = {"content-type": FORM}
        content = b"A" * 200 * 1024
        answer = await public.post("/thirdparty/callback", content=content, headers=headers)
        assert answer.status_code == 413


class TestForm:
    @pytest.fixture
    async def services(self, empty, clock):
        idp = Idp(now=clock(), binding=POST)
        return await deployed(config_of(empty, provider(idp)), clock)

    async def test_the_page_posts_itself_under_a_policy_sec_093(self, services, public):
        url, _, _ = await begun(services)
        answer = await public.get(url.partition(".com")[2])
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/html")
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'sha256-")
        assert "form-action https://idp.acme.example https:" in policy

    async def test_a_ticket_that_is_none_ends_at_the_configured_page(self, public):
        answer = await public.get("/saml/form?ticket=%3Cscript%3E")
        assert answer.status_code == 303
        assert told(answer.headers["location"])["to"] == DEFAULT


class TestMetadata:
    async def test_our_metadata_are_a_file(self, public):
        answer = await public.get("/saml/metadata?domain=acme.example")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("application/samlmetadata+xml")
        assert (
            answer.headers["content-disposition"] == 'attachment; filename="Sekisho-metadata.xml"'
        )
        assert etree.fromstring(answer.content).get("validUntil")

    async def test_our_certificates_alone(self, public):
        answer = await public.get("/saml/metadata?domain=acme.example&cert_only=true")
        name = 'attachment; filename="Sekisho-service-provider.pem"'
        assert answer.headers["content-disposition"] == name
        assert x509.load_pem_x509_certificate(answer.content)
        assert "PRIVATE" not in answer.text

    @pytest.mark.parametrize(
        "query", ["", "?domain=other.example", "?domain=", "?domain=a&domain=b"]
    )
    async def test_a_domain_that_nobody_has_is_not_found(self, public, query):
        answer = await public.get(f"/saml/metadata{query}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


class TestOff:
    @pytest.fixture
    async def services(self, empty, clock):
        return assemble(empty, clock=clock)

    async def test_without_saml_every_endpoint_says_so(self, public):
        answers = [
            await public.get(START),
            await public.get("/saml/metadata?domain=acme.example"),
            await public.get("/saml/form?ticket=x"),
            await posted(public, {"SAMLResponse": "x"}),
        ]
        for answer in answers:
            assert answer.status_code == 403
            assert answer.json()["message"] == "SAML is not enabled for this tenant."
