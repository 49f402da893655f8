"""Signing in at a SAML provider written by others, which reads our metadata and our signatures."""

from contextlib import ExitStack
from urllib.parse import urlencode

import pytest
from peers import running
from peers.deployments import saml
from peers.visitor import ERRORS, HERE, TARGET

from app.federation.pkce import challenge_of

pytestmark = pytest.mark.browser

VERIFIER = "v" * 64
ADA = f"ada@{running.DOMAIN}"
ME = "{ me { id emails { address isVerified } identities { subject email } } }"
STARTED = {
    "domain": running.DOMAIN,
    "redirect_to": TARGET,
    "code_challenge": challenge_of(VERIFIER),
}
START = f"{HERE}/saml/auth?{urlencode(STARTED)}"


@pytest.fixture(params=["redirect", "post"])
def binding(request):
    """How requests get to the provider."""
    return request.param


@pytest.fixture(params=[False, True], ids=["plain", "encrypted"])
def encrypts(request):
    return request.param


@pytest.fixture
async def meet(deploy, visit, tmp_path):
    """Runs the provider and a deployment that knows it; gives the provider and a visitor."""
    with ExitStack() as stack:

        async def make(*, binding="redirect", encrypts=False, **given):
            peer = running.new_peer()
            run = running.saml(tmp_path, peer, binding=binding, encrypts=encrypts)
            metadata = stack.enter_context(run)
            services = await deploy(saml=saml(peer, **given))
            await services.saml.work()
            metadata.write_bytes(await services.saml.metadata(running.DOMAIN))
            return peer, visit(services, peer)

        yield make


async def signed_in(visitor, login=ADA, button="yes"):
    """Sign in at the provider, by way of the pages that post themselves."""
    page = await visitor.go(START)
    while page.answer is not None and "Sign in</button>" not in page.answer.text:
        page = await visitor.send(page)
    assert page.answer is not None, page.url
    page = await visitor.send(page, button, login=login)
    return await visitor.send(page) if button == "yes" else page


async def redeemed(visitor, page, verifier=VERIFIER):
    assert "hanko_token" in page.told, page.told
    given = {"token": page.told["hanko_token"], "code_verifier": verifier}
    given = {name: value for name, value in given.items() if value}
    answer = await visitor.http.post(f"{HERE}/token", json=given)
    assert answer.status_code == 200, answer.text
    answer = await visitor.http.post(f"{HERE}/graphql", json={"query": ME})
    return answer.json()["data"]["me"]


async def test_who_comes_first_is_signed_up_and_who_comes_again_is_signed_in(
    meet, binding, encrypts
):
    _, visitor = await meet(binding=binding, encrypts=encrypts)
    first = await redeemed(visitor, await signed_in(visitor))
    assert first["emails"] == [{"address": ADA, "isVerified": True}]
    assert first["identities"][0]["email"] == ADA
    assert await redeemed(visitor, await signed_in(visitor)) == first


async def test_an_address_of_another_domain_is_not_the_providers_to_give_sec_092(meet):
    _, visitor = await meet()
    page = await signed_in(visitor, "ada@example.com")
    assert page.told["error"] == "invalid_request"
    assert page.told["to"] == TARGET


async def test_a_sign_in_begins_at_the_provider_where_that_is_allowed_sec_090(meet):
    peer, visitor = await meet(allow_idp_initiated=True)
    begun = await visitor.go(f"{peer.url}/unsolicited?login={ADA}")
    page = await visitor.send(begun)
    assert page.told["to"] == ERRORS
    assert page.told["saml_hint"] == "idp_initiated"
    assert (await redeemed(visitor, page, ""))["emails"][0]["address"] == ADA
    again = await visitor.send(begun)
    assert again.told["error"] == "invalid_request"


async def test_it_begins_nothing_otherwise_sec_090(meet):
    peer, visitor = await meet()
    page = await visitor.send(await visitor.go(f"{peer.url}/unsolicited?login={ADA}"))
    assert page.told["error"] == "invalid_request"


async def test_the_provider_takes_no_request_that_we_have_not_signed(meet):
    _, visitor = await meet()
    page = await visitor.go(START)
    changed = await visitor.go(page.url.replace("RelayState=hanko", "RelayState=other"))
    assert changed.answer.status_code == 400
    assert "SIGNATURE" in changed.answer.text
