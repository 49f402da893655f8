"""SAML in flows: whose domain has a provider signs in there, before any other choice."""

from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import pytest
from federation.saml.deployment import DEFAULT, answered, config_of, pending_request, provider
from federation.saml.idp import EMAIL, SSO_URL, Idp, rsa_key
from flows.journeys import QUIET
from flows.members import code_of
from flows.people import enter_code, person, with_totp
from flows.walking import preflight

from app.config import Config
from app.federation.admission import Redeemed
from app.federation.connector import Provider
from app.federation.saml import certificates
from app.flows.whose import is_to_be_proved
from app.persistence import fetch

IDP = Idp(now=datetime.now(UTC))
WORK = "ada@acme.example"


def settings(**given):
    return {"saml": config_of(Config(), provider(IDP, **given)).saml}


pytestmark = pytest.mark.configured(**settings())


@pytest.fixture(autouse=True)
async def _ready(services, monkeypatch):
    monkeypatch.setattr(certificates, "new_key", lambda: rsa_key(9))
    await services.saml.open()
    IDP.now = services.clock()


async def at_work(client, kind="login", address=WORK):
    """A flow whose person has named an address of the company."""
    await preflight(client, kind)
    if kind == "login":
        return await client.act("continue_with_login_identifier", email=address)
    return await client.act("register_login_identifier", email=address)


async def token_from(client, services, shown, **given):
    """Sign in at the company, and give the token that comes back."""
    secret = client.cookies["hanko_thirdparty_state"]
    relay_state = parse_qs(urlsplit(shown.payload["redirect_url"]).query)["RelayState"][0]
    request_id = await pending_request(services, relay_state, secret)
    told = {"id": f"_{uuid4().hex}", "in_response_to": request_id, **given}
    signed = IDP.sign(IDP.assertion(**told))
    tree = IDP.response(signed, id=f"_{uuid4().hex}", in_response_to=request_id)
    back = await answered(services, tree, relay_state, secret)
    assert back["to"] == DEFAULT
    return back["hanko_token"]


@pytest.mark.parametrize("kind", ["login", "registration"])
async def test_the_domain_decides_before_any_other_choice(client, services, kind):
    shown = await at_work(client, kind)
    assert (shown.name, shown.error) == ("thirdparty", None)
    assert shown.payload["redirect_url"].startswith(SSO_URL)
    (line,) = shown.cookies
    assert line.startswith("hanko_thirdparty_state=")
    assert "SameSite=None" in line


async def test_who_has_an_account_is_sent_there_alike_sec_066(client, services):
    """SEC-066: the answer tells nothing of accounts."""
    unknown = await at_work(client)
    await person(services, WORK)
    known = await at_work(type(client)(client.face))
    assert (known.name, known.actions, known.status) == (
        unknown.name,
        unknown.actions,
        unknown.status,
    )


@pytest.mark.parametrize(
    "address", ["ada@example.com", "ada@acme.example.com", "ada@x.acme.example"]
)
async def test_another_domain_goes_its_own_way(client, address):
    assert (await at_work(client, address=address)).name == "login_method_chooser"


@pytest.mark.configured(password__enabled=False, email__use_for_authentication=False)
async def test_an_address_may_be_named_where_saml_alone_signs_in(client):
    assert (await at_work(client)).name == "thirdparty"
    shown = await at_work(type(client)(client.face), address="ada@example.com")
    assert (shown.name, shown.error) == ("error", "flow_discontinuity_error")


@pytest.mark.configured(**settings(skip_email_verification=True))
@pytest.mark.parametrize("kind", ["login", "registration"])
async def test_who_comes_back_is_signed_in(client, services, kind):
    shown = await at_work(client, kind)
    token = await token_from(client, services, shown)
    shown = await client.act("exchange_token", token=token)
    assert (shown.name, shown.error) == ("success", None)
    assert shown.payload["claims"]["amr"] == [f"ext:{IDP.entity_id}"]
    (row,) = await fetch("SELECT is_verified FROM email")
    assert row["is_verified"]


@pytest.mark.configured(
    privacy__show_account_existence_hints=True, email__require_verification=False
)
async def test_an_address_that_the_company_may_not_vouch_for_is_proved_in_any_case(
    client, services
):
    """`skip_email_verification` decides, not `email.require_verification` (§3.2)."""
    shown = await at_work(client)
    token = await token_from(client, services, shown)
    shown = await client.act("exchange_token", token=token)
    assert shown.name == "passcode_confirmation"
    assert (await enter_code(client, services, WORK)).name == "success"


@pytest.mark.configured(email__require_verification=False)
@pytest.mark.parametrize("is_saml", [True, False])
async def test_the_provider_itself_says_whether_it_speaks_saml_q_14(services, is_saml):
    """Nothing is guessed from which providers there are besides."""
    provider = Provider("google", "Google", allow_linking=True, is_saml=is_saml)
    redeemed = Redeemed(UUID(int=1), None, provider, created=False, address=WORK)
    assert is_to_be_proved(services.config, redeemed) is is_saml
    assert services.federation.provider(IDP.entity_id).is_saml


@pytest.mark.configured(**settings(skip_email_verification=True))
@pytest.mark.configured(**QUIET)
async def test_the_company_is_one_factor_sec_032_058(client, services):
    """SEC-032, SEC-058: the account's own second factor is asked for."""
    secret = await with_totp(services, await person(services, WORK))
    shown = await at_work(client)
    token = await token_from(client, services, shown)
    shown = await client.act("exchange_token", token=token)
    assert (shown.name, shown.token) == ("login_otp", None)
    shown = await client.act("otp_code_validate", otp_code=code_of(services, secret))
    assert shown.name == "device_trust"


@pytest.mark.configured(**settings(skip_email_verification=True))
async def test_a_token_of_the_company_is_for_its_flow_sec_065(client, services):
    shown = await at_work(client)
    token = await token_from(client, services, shown)
    other = type(client)(client.face)
    await at_work(other)
    refused = await other.act("exchange_token", token=token)
    assert (refused.name, refused.error) == ("error", "technical_error")
    assert (await client.act("exchange_token", token=token)).name == "success"


@pytest.mark.configured(**settings(skip_email_verification=True, allow_idp_initiated=True))
async def test_what_the_company_begins_ends_in_a_token_exchange(client, services):
    """§2.4: nothing was begun here; the token is for the flow that asks for no start."""
    assertion = IDP.assertion(id=f"_{uuid4().hex}", in_response_to=None, attributes={EMAIL: [WORK]})
    tree = IDP.response(IDP.sign(assertion), id=f"_{uuid4().hex}", in_response_to=None)
    back = await answered(services, tree)
    assert back["saml_hint"] == "idp_initiated"
    assert (await client.start("token_exchange")).name == "thirdparty"
    shown = await client.act("exchange_token", token=back["hanko_token"])
    assert shown.name == "success"
