"""Signing in by SAML, from the request to the exchange token, on both databases."""

import asyncio
import base64
import re
import zlib
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.hashes import SHA256
from factories import make_user
from federation.providers import VERIFIER
from federation.saml.deployment import (
    DEFAULT,
    TARGET,
    answered,
    begun,
    config_of,
    deployed,
    pending_request,
    provider,
    round_trip,
    saml_of,
    told,
)
from federation.saml.idp import ACS, EMAIL, ENDPOINT, Idp, encoded, encrypted, find, rsa_key
from lxml import etree

from app import upkeep
from app.access import SYSTEM
from app.errors import IdentityError
from app.federation.errors import (
    AddressOutsideDomain,
    CodeChallengeInvalid,
    RedirectNotAllowed,
    StateExpired,
    StateUnverified,
    TokenUnknown,
)
from app.federation.exchange import Redemption
from app.federation.pkce import challenge_of
from app.federation.saml import replay
from app.federation.saml.errors import ResponseReplayed, SamlProviderUnknown
from app.federation.saml.metadata import POST
from app.federation.saml.metadata import read as read_metadata
from app.federation.saml.parsing import SAML
from app.federation.saml.service import PREFIX, SamlAnswer, SamlSignIn
from app.federation.sign_in import CallbackAnswer
from app.persistence import fetch

UNSOLICITED = {"in_response_to": None}


async def redeemed(services, back):
    """Redeem the token that a browser has brought back."""
    assert "hanko_token" in back, back
    wanted = Redemption("token_exchange", code_verifier=VERIFIER)
    return await services.federation.redeem(SYSTEM, back["hanko_token"], wanted)


async def events(services):
    rows = await fetch("SELECT type, details FROM audit_event ORDER BY id")
    return [(row["type"], row["details"]) for row in rows]


async def count(table):
    return len(await fetch(f"SELECT 1 FROM {table}"))


def request_of(url):
    query = parse_qs(urlsplit(url).query)
    packed = base64.b64decode(query["SAMLRequest"][0])
    return etree.fromstring(zlib.decompress(packed, -15))


class TestBegin:
    async def test_a_request_goes_by_redirect(self, services, idp):
        url, _, relay_state = await begun(services)
        assert url.startswith(f"{idp.sso_url}?SAMLRequest=")
        assert relay_state.startswith(PREFIX)
        assert len(relay_state.encode()) <= 80
        request = request_of(url)
        assert request.get("Destination") == idp.sso_url
        assert request.get("AssertionConsumerServiceURL") == ACS
        assert request.get("ForceAuthn") is None
        assert find(request, "saml:Issuer").text == ENDPOINT
        assert find(request, "samlp:NameIDPolicy").attrib == {"AllowCreate": "true"}
        assert "Signature" not in parse_qs(urlsplit(url).query)

    async def test_a_signed_request_bears_the_signature_in_the_query(self, empty, clock, idp):
        signing = await deployed(
            config_of(empty, provider(idp), sign_authn_requests=True, force_login=True), clock
        )
        url, _, _ = await begun(signing)
        signed, _, signature = urlsplit(url).query.rpartition("&Signature=")
        assert [part.partition("=")[0] for part in signed.split("&")] == [
            "SAMLRequest",
            "RelayState",
            "SigAlg",
        ]
        raw = base64.b64decode(parse_qs(f"s={signature}")["s"][0])
        own = (await saml_of(signing).own_certificates())[0].certificate
        own.public_key().verify(raw, signed.encode(), padding.PKCS1v15(), SHA256())
        request = request_of(url)
        assert request.get("ForceAuthn") == "true"
        assert not request.xpath("//*[local-name()='Signature']")

    async def test_a_provider_that_wants_signed_requests_gets_them(self, empty, clock, idp):
        wanting = idp.metadata().replace(
            "<md:IDPSSODescriptor", '<md:IDPSSODescriptor WantAuthnRequestsSigned="true"'
        )
        one = await deployed(config_of(empty, provider(idp, metadata=wanting)), clock)
        url, _, _ = await begun(one)
        assert "Signature" in parse_qs(urlsplit(url).query)

    async def test_a_query_of_the_provider_s_own_is_kept(self, empty, clock):
        idp = Idp(now=clock(), sso_url="https://idp.acme.example/sso?tenant=1")
        one = await deployed(config_of(empty, provider(idp)), clock)
        url, _, _ = await begun(one)
        assert url.startswith(f"{idp.sso_url}&SAMLRequest=")

    async def test_a_target_that_is_not_allowed_is_refused_sec_082(self, services):
        for target in ("https://evil.example/", "//app.example.com", TARGET + ".evil.example", "x"):
            with pytest.raises(RedirectNotAllowed):
                await begun(services, redirect_to=target)
        assert await begun(services, redirect_to="")

    @pytest.mark.parametrize("domain", ["other.example", "", "x.acme.example", "@", "a@b"])
    async def test_a_domain_that_nobody_has_is_refused(self, services, domain):
        with pytest.raises(SamlProviderUnknown):
            await saml_of(services).get_ready(domain)
        with pytest.raises(SamlProviderUnknown):
            await saml_of(services).begin(SamlSignIn(domain, TARGET, "login"))

    async def test_a_challenge_has_to_be_one(self, services):
        with pytest.raises(CodeChallengeInvalid):
            await begun(services, code_challenge="short")

    async def test_an_address_leads_to_its_provider_and_no_other(self, services):
        saml = saml_of(services)
        assert saml.provider_for_address("Ada@ACME.example") == "acme.example"
        for address in (
            "ada@sub.acme.example",
            "ada@acme.example.evil.example",
            "acme.example",
            "",
        ):
            assert saml.provider_for_address(address) is None

    async def test_a_pending_row_stays_small_sec_126(self, services):
        await begun(services)
        rows = await fetch("SELECT payload FROM federation_state")
        assert [len(row["payload"]) < 4096 for row in rows] == [True]


class TestForm:
    @pytest.fixture
    async def services(self, empty, clock):
        idp = Idp(now=clock(), binding=POST)
        return await deployed(config_of(empty, provider(idp), sign_authn_requests=True), clock)

    async def test_a_provider_without_redirects_gets_a_form(self, services, idp):
        url, secret, _ = await begun(services)
        assert url.startswith(f"{ENDPOINT}/saml/form?ticket=")
        ticket = parse_qs(urlsplit(url).query)["ticket"][0]
        page = await saml_of(services).form(ticket)
        action, request, relay_state = re.findall(r'(?:action|value)="([^"]*)"', page.html)
        assert action == idp.sso_url
        tree = etree.fromstring(base64.b64decode(request))
        assert (
            find(tree, "ds:Signature/ds:SignedInfo/ds:Reference").get("URI") == f"#{tree.get('ID')}"
        )
        assert [etree.QName(one).localname for one in tree][:2] == ["Issuer", "Signature"]
        assert f"form-action {idp.sso_url.removesuffix('/sso')} " in page.policy
        assert "'unsafe" not in page.policy
        assert await pending_request(services, relay_state, secret) == tree.get("ID")

    async def test_a_ticket_is_ours_and_lasts_five_minutes(self, services, clock):
        url, _, _ = await begun(services)
        ticket = parse_qs(urlsplit(url).query)["ticket"][0]
        for wrong in ("", "x", ticket[:-2], "v1.a.b"):
            with pytest.raises(StateUnverified):
                await saml_of(services).form(wrong)
        clock.advance(minutes=5)
        with pytest.raises(StateExpired):
            await saml_of(services).form(ticket)

    async def test_every_value_of_the_form_is_escaped_sec_093(self, empty, clock):
        idp = Idp(now=clock(), binding=POST, sso_url="https://idp.acme.example/?a=1&amp;b='x'")
        services = await deployed(config_of(empty, provider(idp)), clock)
        url, _, _ = await begun(services)
        page = await saml_of(services).form(parse_qs(urlsplit(url).query)["ticket"][0])
        assert 'action="https://idp.acme.example/?a=1&amp;b=&#x27;x&#x27;"' in page.html


class TestFinish:
    async def test_somebody_signs_up_and_signs_in(self, services, idp):
        back = await round_trip(services, idp)
        assert back.keys() == {"to", "hanko_token"}
        assert back["to"] == TARGET
        first = await redeemed(services, back)
        assert (first.created, first.identity.subject) == (True, "subject-1")
        assert (
            first.provider.id == first.identity.provider == first.identity.issuer == idp.entity_id
        )
        assert first.provider.display_name == "Acme AD"
        account = await services.users.by_id(first.user_id)
        assert account.name == "Ada Lovelace"
        again = await redeemed(services, await round_trip(services, idp))
        assert (again.created, again.user_id) == (False, first.user_id)

    @pytest.mark.parametrize(
        ("values", "skips", "proved"),
        [
            (["true"], False, True),
            (["TRUE"], False, False),
            (["1"], False, False),
            (["false", "true"], False, False),
            ([], False, False),
            ([], True, True),
            (["false"], True, True),
        ],
    )
    async def test_an_address_is_verified_by_its_attribute_or_by_trust(  # noqa: PLR0917
        self, empty, clock, idp, values, skips, proved
    ):
        one = provider(idp, skip_email_verification=skips)
        mapped = msgspec.structs.replace(
            one, attribute_map=msgspec.structs.replace(one.attribute_map, email_verified="proved")
        )
        services = await deployed(config_of(empty, mapped), clock)
        attributes = {EMAIL: ["ada@acme.example"], "proved": values}
        found = await redeemed(services, await round_trip(services, idp, attributes=attributes))
        assert (found.address, found.address_is_proved) == ("ada@acme.example", proved)

    async def test_an_encrypted_assertion_signs_in(self, services, idp):
        _, secret, relay_state = await begun(services)
        request_id = await pending_request(services, relay_state, secret)
        inside = idp.sign(idp.assertion(in_response_to=request_id))
        tree = idp.response(encrypted(inside), in_response_to=request_id)
        assert "hanko_token" in await answered(services, tree, relay_state, secret)

    async def test_the_token_is_bound_as_it_was_begun_sec_065(self, services, idp):
        _, secret, relay_state = await begun(services, code_challenge=challenge_of("v" * 64))
        request_id = await pending_request(services, relay_state, secret)
        tree = idp.response(
            idp.sign(idp.assertion(in_response_to=request_id)), in_response_to=request_id
        )
        back = await answered(services, tree, relay_state, secret)
        for wanted in (Redemption("token_exchange"), Redemption("login", None, "v" * 64)):
            with pytest.raises(IdentityError):
                await services.federation.redeem(SYSTEM, back["hanko_token"], wanted)
        good = Redemption("token_exchange", code_verifier="v" * 64)
        assert await services.federation.redeem(SYSTEM, back["hanko_token"], good)

    async def test_a_response_counts_in_the_browser_that_began_once_sec_090(self, services, idp):
        _, secret, relay_state = await begun(services)
        _, other, _ = await begun(services)
        request_id = await pending_request(services, relay_state, secret)
        tree = idp.response(
            idp.sign(idp.assertion(in_response_to=request_id)), in_response_to=request_id
        )
        for foreign in ("", other, "x"):
            back = await answered(services, tree, relay_state, foreign)
            assert (back["to"], back["error"]) == (DEFAULT, "invalid_request")
        assert "hanko_token" in await answered(services, tree, relay_state, secret)
        again = await answered(services, tree, relay_state, secret)
        assert again["error_description"] == "could not verify state"

    async def test_a_response_to_another_request_is_refused_sec_090(self, services, idp):
        _, secret, relay_state = await begun(services)
        tree = idp.response(
            idp.sign(idp.assertion(in_response_to="_other")), in_response_to="_other"
        )
        back = await answered(services, tree, relay_state, secret)
        assert back == {
            "to": TARGET,
            "error": "invalid_request",
            "error_description": "could not validate saml response",
        }

    async def test_a_sign_in_that_took_too_long_is_refused(self, services, idp, clock):
        _, secret, relay_state = await begun(services)
        clock.advance(minutes=5)
        back = await answered(services, idp.good(), relay_state, secret)
        assert back["error_description"] == "state is expired"

    async def test_states_of_saml_and_of_others_are_no_good_for_each_other_sec_079(
        self, services, idp
    ):
        _, secret, relay_state = await begun(services)
        state = relay_state.removeprefix(PREFIX)
        answer = CallbackAnswer(state=state, code="code", browser_secret=secret)
        done = await services.federation.finish(SYSTEM, answer)
        assert "error=" in done.redirect_url
        pending = saml_of(services)._pending(
            SamlSignIn("acme.example", TARGET, "login"),
            saml_of(services).directory.of_domain("acme.example").metadata,
            "",
        )
        kept = await services.federation.states.keep(pending)
        back = await answered(services, idp.good(), PREFIX + kept.state, kept.browser_secret)
        assert back["error_description"] == "could not verify state"

    async def test_an_address_of_another_domain_is_refused_sec_092(self, services, idp):
        for address in (
            "ada@other.example",
            "ada@sub.acme.example",
            "ada@acme.example.evil.example",
        ):
            attributes = {EMAIL: [address], "x": ["y"]}
            back = await round_trip(services, idp, attributes=attributes)
            assert back["error_description"] == AddressOutsideDomain.message
        assert await count("exchange_token") == await count("identity") == 0

    async def test_further_domains_are_its_own_as_well_sec_092(self, empty, clock, idp):
        services = await deployed(
            config_of(empty, provider(idp, domains=["Acme.Test", "acme.example"])), clock
        )
        assert saml_of(services).provider_for_address("a@acme.test") == "acme.example"
        attributes = {EMAIL: ["ada@acme.test"]}
        assert "hanko_token" in await round_trip(services, idp, attributes=attributes)

    async def test_a_provider_speaks_for_its_own_identities_sec_092(self, empty, clock, idp):
        other = Idp(key=rsa_key(1), entity_id="https://idp.other.example", now=clock())
        both = (provider(idp), provider(other, name="Other", domain="other.example"))
        services = await deployed(config_of(empty, *both), clock)
        victim = await redeemed(services, await round_trip(services, idp))
        _, secret, relay_state = await begun(services, domain="other.example")
        request_id = await pending_request(services, relay_state, secret)
        told_by = {"in_response_to": request_id}
        for signed_by, issuer in ((other, idp.entity_id), (idp, idp.entity_id)):
            tree = signed_by.response(
                signed_by.sign(signed_by.assertion(issuer=issuer, **told_by)),
                issuer=issuer,
                **told_by,
            )
            back = await answered(services, tree, relay_state, secret)
            assert "error" in back
            _, secret, relay_state = await begun(services, domain="other.example")
            told_by = {"in_response_to": await pending_request(services, relay_state, secret)}
        attributes = {EMAIL: ["eve@other.example"]}
        tree = other.response(
            other.sign(other.assertion(attributes=attributes, **told_by)), **told_by
        )
        found = await redeemed(services, await answered(services, tree, relay_state, secret))
        assert found.identity.subject == victim.identity.subject
        assert found.user_id != victim.user_id

    async def test_an_account_of_the_domain_is_joined_if_both_sides_have_proved_the_address_sec_081(
        self, empty, clock, idp
    ):
        one = provider(idp, skip_email_verification=True)
        services = await deployed(config_of(empty, one), clock)
        user = await make_user(services, email="ada@acme.example")
        found = await redeemed(services, await round_trip(services, idp))
        assert (found.user_id, found.created) == (user.id, False)

    async def test_an_unverified_address_joins_nothing_sec_081(self, services, idp):
        await make_user(services, email="ada@acme.example")
        back = await round_trip(services, idp)
        assert back["error"] == "unverified_email"

    async def test_a_provider_that_was_switched_off_completes_nothing_sec_092(
        self, services, empty, clock, idp
    ):
        _, secret, relay_state = await begun(services)
        request_id = await pending_request(services, relay_state, secret)
        tree = idp.response(
            idp.sign(idp.assertion(in_response_to=request_id)), in_response_to=request_id
        )
        back = await round_trip(services, idp)
        other = provider(Idp(entity_id="https://b.example", key=rsa_key(1)), domain="b.example")
        for gone in (config_of(empty, other, provider(idp, enabled=False, name="Off")),):
            later = await deployed(gone, clock)
            refused = await answered(later, tree, relay_state, secret)
            assert refused["error_description"] == "provider is disabled"
            unsolicited = idp.response(idp.sign(idp.assertion(**UNSOLICITED)), **UNSOLICITED)
            assert "error" in await answered(later, unsolicited)
            with pytest.raises(IdentityError):
                await redeemed(later, back)
        assert await count("identity") == 0

    async def test_an_attribute_map_is_honoured(self, empty, clock, idp):
        one = provider(idp)
        mapped = msgspec.structs.replace(
            one,
            attribute_map=msgspec.structs.replace(
                one.attribute_map, given_name="first", family_name="last", email="mail"
            ),
        )
        services = await deployed(config_of(empty, mapped), clock)
        attributes = {
            "first": ["Ada"],
            "last": ["Lovelace", "King"],
            "mail": ["ada@acme.example"],
            "groups": ["a", "b"],
            "title": ["Countess"],
            "email_verified": ["true"],
            "sub": ["somebody-else"],
        }
        found = await redeemed(services, await round_trip(services, idp, attributes=attributes))
        account = await services.users.by_id(found.user_id)
        assert (account.given_name, account.family_name) == ("Ada", "Lovelace")
        claims = msgspec.json.decode(found.identity.claims)
        assert claims["groups"] == ["a", "b"]
        assert claims["title"] == "Countess"
        assert claims["sub"] == "subject-1"
        assert not found.address_is_proved


class TestUnsolicited:
    @pytest.fixture
    async def services(self, empty, clock, idp):
        return await deployed(config_of(empty, provider(idp, allow_idp_initiated=True)), clock)

    async def test_a_sign_in_may_begin_at_the_provider_where_that_is_allowed_sec_090(
        self, services, idp
    ):
        tree = idp.response(idp.sign(idp.assertion(**UNSOLICITED)), **UNSOLICITED)
        back = await answered(services, tree, "https://evil.example/")
        assert back["to"] == DEFAULT
        assert back["saml_hint"] == "idp_initiated"
        with pytest.raises(TokenUnknown):
            await services.federation.redeem(SYSTEM, back["hanko_token"], Redemption("login"))
        assert (await redeemed(services, back)).created

    async def test_nowhere_else_sec_090(self, empty, clock, idp):
        services = await deployed(config_of(empty, provider(idp)), clock)
        tree = idp.response(idp.sign(idp.assertion(**UNSOLICITED)), **UNSOLICITED)
        back = await answered(services, tree)
        assert back["error_description"] == "unsolicited saml responses are not allowed"

    async def test_what_answers_a_request_is_not_unsolicited_sec_090(self, services, idp):
        back = await answered(services, idp.good())
        assert back["error_description"] == "saml request is not unsolicited"
        half = idp.response(idp.sign(idp.assertion()), **UNSOLICITED)
        assert "error" in await answered(services, half)

    async def test_an_issuer_that_nobody_knows_is_refused(self, services, clock):
        other = Idp(entity_id="https://evil.example", now=clock())
        tree = other.response(other.sign(other.assertion(**UNSOLICITED)), **UNSOLICITED)
        back = await answered(services, tree)
        assert back["error_description"] == "could not get provider for issuer"

    @pytest.mark.parametrize("response", ["", "x", "PHg+", "é", "PHg", "A" * 100])
    async def test_what_is_no_response_is_refused(self, services, response):
        done = await saml_of(services).finish(SYSTEM, SamlAnswer(response))
        assert told(done.redirect_url)["to"] == DEFAULT
        assert told(done.redirect_url)["error"] == "invalid_request"

    async def test_a_failure_is_recorded_with_its_reason(self, services, idp):
        await answered(services, idp.good())
        kind, details = (await events(services))[-1]
        assert kind == "thirdparty_signin_signup_failed"
        assert msgspec.json.decode(details)["reason"] == "NotUnsolicited"

    async def test_a_replay_is_refused_sec_091(self, services, idp, clock):
        tree = idp.response(idp.sign(idp.assertion(**UNSOLICITED)), **UNSOLICITED)
        assert "hanko_token" in await answered(services, tree)
        again = await answered(services, tree)
        assert again["error_description"] == "attempting to replay a saml response"
        renamed = idp.response(idp.sign(idp.assertion(**UNSOLICITED)), id="_r2", **UNSOLICITED)
        assert "error" in await answered(services, renamed)
        clock.advance(minutes=7)
        await upkeep.sweep(services)
        assert await count("saml_replay") == 0
        assert "error" in await answered(services, tree)

    async def test_of_many_replays_at_once_one_succeeds_sec_091(self, services, idp):
        tree = idp.response(idp.sign(idp.assertion(**UNSOLICITED)), **UNSOLICITED)
        backs = await asyncio.gather(*(answered(services, tree) for _ in range(8)))
        assert sum("hanko_token" in back for back in backs) == 1


async def test_of_replays_to_two_replicas_one_succeeds_sec_091(services, replicas, clock):
    asked = {"response": "_r", "assertion": "_a", "times": 4}
    answers = await asyncio.gather(*(one.ask("take_saml", **asked) for one in replicas))
    found = [name for answer in answers for name in answer]
    assert len(found) == 8
    assert found.count("ResponseReplayed") == 7
    with pytest.raises(ResponseReplayed):
        await replay.take_once("https://idp", "_r", "_b", clock())
    await replay.take_once("https://other", "_r", "_a", clock())


async def test_what_nobody_has_foreseen_is_a_defect_and_no_sign_in(services, idp, monkeypatch):
    _, secret, relay_state = await begun(services)

    def fail(*_):
        raise RuntimeError("secret words")

    monkeypatch.setattr("app.federation.saml.responses.read", fail)
    back = await answered(services, idp.good(), relay_state, secret)
    assert back == {
        "to": TARGET,
        "error": "server_error",
        "error_description": "an internal error has occurred",
    }


async def test_a_document_of_more_than_a_mebibyte_is_not_parsed_sec_087(services):
    back = await answered(services, b" " * (1024 * 1024 + 1))
    assert back["error_description"] == "could not parse saml response"


async def test_nothing_of_a_refused_response_is_kept(services, idp):
    tree = idp.response(idp.sign(idp.assertion(), rsa_key(1)))
    _, secret, relay_state = await begun(services)
    await answered(services, tree, relay_state, secret)
    for table in ("saml_replay", "exchange_token", "identity", "app_user", "federation_state"):
        assert await count(table) == 0


async def test_our_metadata_say_how_we_sign_and_encrypt(services):
    document = await saml_of(services).metadata("acme.example")
    tree = etree.fromstring(document)
    assert tree.get("entityID") == ENDPOINT
    role = tree[0]
    assert (role.get("AuthnRequestsSigned"), role.get("WantAssertionsSigned")) == ("false", "true")
    algorithms = tree.xpath("//*[local-name()='EncryptionMethod']/@Algorithm")
    assert len(algorithms) == 5
    assert not any("cbc" in one or "rsa-1_5" in one for one in algorithms)
    assert role[-1].get("Location") == ACS
    with pytest.raises(IdentityError):
        read_metadata(document)
    assert encoded(tree)
    assert SAML
