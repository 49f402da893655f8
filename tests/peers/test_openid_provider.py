"""Signing in at an OpenID provider written by others: discovery, PKCE, nonce, ID tokens."""

from urllib.parse import urlencode

import httpx
import pytest
from factories import make_session, make_user
from peers import running
from peers.deployments import custom, third_party
from peers.visitor import CALLBACK, ERRORS, HERE, TARGET

from app.config.values import Secret
from app.federation.pkce import challenge_of
from app.persistence import fetch

pytestmark = pytest.mark.browser

VERIFIER = "v" * 64
ME = "{ me { id name emails { address isVerified } identities { provider subject email } } }"
BEGIN = """mutation ($input: BeginIdentityConnectionInput!) {
  beginIdentityConnection(input: $input) { redirectUrl userErrors { code } } }"""
CONNECT = """mutation ($input: ConnectIdentityInput!) {
  connectIdentity(input: $input) { identity { provider subject } userErrors { code } } }"""


@pytest.fixture
async def services(deploy, oidc):
    providers = {
        "peer": custom(oidc),
        "plain": custom(oidc, client_id=running.PLAIN_CLIENT, pkce=False),
    }
    return await deploy(third_party=third_party(**providers))


@pytest.fixture
def somebody(services, visit, oidc):
    return visit(services, oidc)


def start(provider="custom_peer", **given):
    asked = {
        "provider": provider,
        "redirect_to": TARGET,
        "code_challenge": challenge_of(VERIFIER),
        **given,
    }
    return f"{HERE}/thirdparty/auth?{urlencode(asked)}"


async def redeemed(visitor, page):
    """Redeem the token that came with the browser, and ask who is there now."""
    assert page.told.keys() == {"to", "hanko_token"}, page.told
    assert page.told["to"] == TARGET
    given = {"token": page.told["hanko_token"], "code_verifier": VERIFIER}
    answer = await visitor.http.post(f"{HERE}/token", json=given)
    assert answer.status_code == 200, answer.text
    return await me(visitor)


async def me(visitor):
    answer = await visitor.http.post(f"{HERE}/graphql", json={"query": ME})
    return answer.json()["data"]["me"]


async def gql(visitor, bearer, query, **given):
    headers = {"authorization": f"Bearer {bearer}"}
    body = {"query": query, "variables": {"input": given}}
    answer = await visitor.http.post(f"{HERE}/graphql", json=body, headers=headers)
    (payload,) = answer.json()["data"].values()
    return payload


async def refusals():
    """What the audit log tells of sign-ins that came to nothing."""
    rows = await fetch(
        "SELECT details FROM audit_event WHERE type = 'thirdparty_signin_signup_failed'"
    )
    return " ".join(str(row["details"]) for row in rows)


def refused(description, error="invalid_request", to=TARGET):
    return {"to": to, "error": error, "error_description": description}


async def test_who_comes_first_is_signed_up_and_who_comes_again_is_signed_in(somebody):
    first = await redeemed(somebody, await somebody.sign_in(start(), "ada@example.com"))
    assert first["name"] == "Ada"  # which is told by userinfo alone
    assert first["emails"] == [{"address": "ada@example.com", "isVerified": True}]
    (identity,) = first["identities"]
    assert (identity["provider"], identity["email"]) == ("custom_peer", "ada@example.com")
    again = await somebody.go(start())  # the provider knows them still
    assert await redeemed(somebody, again) == first


async def test_an_identity_joins_the_account_of_its_address_sec_081(services, somebody):
    ada = await make_user(services, email="ada@example.com")
    back = await redeemed(somebody, await somebody.sign_in(start(), "ada@example.com"))
    assert back["id"] == str(ada.id)


async def test_an_address_that_nobody_vouches_for_joins_nothing_sec_081(services, somebody):
    await make_user(services, email="unverified@example.com")
    page = await somebody.sign_in(start(), "unverified@example.com")
    assert page.told["error"] == "unverified_email"
    assert await fetch("SELECT id FROM identity") == []


async def test_a_live_session_connects_an_identity(services, somebody):
    ada = await make_user(services, email="ada@example.org")
    token = (await make_session(services, ada)).token
    given = {"provider": "custom_peer", "redirectTo": TARGET, "codeVerifier": VERIFIER}
    begun = await gql(somebody, token, BEGIN, **given)
    page = await somebody.sign_in(begun["redirectUrl"], "ada@example.com")
    given = {"token": page.told["hanko_token"], "codeVerifier": VERIFIER}
    connected = await gql(somebody, token, CONNECT, **given)
    assert connected["userErrors"] == []
    back = await redeemed(somebody, await somebody.go(start()))
    assert back["id"] == str(ada.id)
    assert back["emails"][0]["address"] == "ada@example.org"


async def test_who_cancels_there_is_sent_on_with_what_the_provider_says(somebody):
    page = await somebody.sign_in(start(), "", "no")
    assert page.told == refused("They did not want to.", "access_denied")
    assert "access_denied" in await refusals()


async def test_the_provider_insists_on_pkce_and_on_a_nonce_sec_075(visit, services, oidc):
    browser = visit(services, oidc)
    asked = {
        "client_id": running.CLIENT,
        "redirect_uri": CALLBACK,
        "response_type": "code",
        "scope": "openid",
        "state": "a state",
    }
    without = await browser.http.get(f"{oidc.url}/auth?{urlencode(asked)}")
    assert without.status_code == 400
    browser.stops_before = (CALLBACK,)
    page = await browser.go(f"{oidc.url}/auth?{urlencode(asked | {'nonce': 'a nonce'})}")
    assert page.told["error"] == "invalid_request"
    assert "PKCE" in page.told["error_description"]


async def codes_of_two(somebody, provider):
    """Sign in twice in one browser, and give both callbacks, unopened."""
    somebody.stops_before = (CALLBACK,)
    one = await somebody.sign_in(start(provider), "ada@example.com")
    other_cookies = httpx.Cookies(somebody.http.cookies)
    somebody.http.cookies.clear()
    other = await somebody.sign_in(start(provider), "eve@example.com")
    somebody.http.cookies = other_cookies
    somebody.stops_before = ()
    return one.told, other.told


def callback(told, **changes):
    given = {name: value for name, value in (told | changes).items() if name != "to" and value}
    return f"{CALLBACK}?{urlencode(given)}"


async def test_the_code_of_another_sign_in_is_not_exchanged_sec_075(somebody):
    mine, eves = await codes_of_two(somebody, "custom_peer")
    page = await somebody.go(callback(mine, code=eves["code"]))
    assert page.told == refused("could not exchange authorization code for access token")


async def test_the_nonce_stops_it_where_a_provider_has_no_pkce_sec_076(somebody):
    mine, eves = await codes_of_two(somebody, "custom_plain")
    page = await somebody.go(callback(mine, code=eves["code"]))
    assert page.told == refused("could not retrieve user data from provider")


@pytest.mark.parametrize("issuer", ["http://127.0.0.1:1", ""], ids=["other", "none"])
async def test_the_answer_names_its_issuer_sec_079(somebody, issuer):
    somebody.stops_before = (CALLBACK,)
    page = await somebody.sign_in(start(), "ada@example.com")
    somebody.stops_before = ()
    page = await somebody.go(callback(page.told, iss=issuer))
    assert page.told == refused("the response is not from the expected issuer")


async def test_an_answer_counts_once_sec_074(somebody):
    somebody.stops_before = (CALLBACK,)
    back = await somebody.sign_in(start(), "ada@example.com")
    somebody.stops_before = ()
    cookies = httpx.Cookies(somebody.http.cookies)
    assert "hanko_token" in (await somebody.go(back.url)).told
    somebody.http.cookies = cookies
    page = await somebody.go(back.url)
    assert page.told == refused("could not verify state", to=ERRORS)


async def test_another_browser_brings_nothing_sec_074(services, somebody, visit, oidc):
    somebody.stops_before = (CALLBACK,)
    back = await somebody.sign_in(start(), "ada@example.com")
    page = await visit(services, oidc).go(back.url)
    assert page.told == refused("expected state must not be empty", to=ERRORS)


async def test_with_a_wrong_secret_nothing_is_exchanged(deploy, visit, oidc):
    wrong = custom(oidc, secret=Secret("another secret"))
    somebody = visit(await deploy(third_party=third_party(peer=wrong)), oidc)
    page = await somebody.sign_in(start(), "ada@example.com")
    assert page.told == refused("could not exchange authorization code for access token")


async def test_a_provider_of_another_name_is_none_sec_083(deploy, visit, oidc):
    renamed = custom(oidc, issuer=oidc.url.replace("127.0.0.1", "localhost"))
    somebody = visit(await deploy(third_party=third_party(peer=renamed)), oidc)
    page = await somebody.go(start())
    assert page.told == refused("an internal error has occurred", "server_error", ERRORS)


async def test_a_provider_that_is_not_there_is_told_as_one(deploy, visit):
    absent = custom(running.new_peer())
    page = await visit(await deploy(third_party=third_party(peer=absent))).go(start())
    assert page.told == refused("an internal error has occurred", "server_error", ERRORS)
