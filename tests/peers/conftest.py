"""Deployments whose people sign in at providers written by others."""

from typing import Any

import msgspec
import pytest
from peers import running
from peers.visitor import CALLBACK, Visitor

from app.assembly import assemble
from app.config.sections import AccountRules, Privacy


@pytest.fixture(scope="module", params=["ES256", "RS256"])
def oidc(request, tmp_path_factory):
    """The OpenID provider."""
    folder = tmp_path_factory.mktemp("oidc")
    peer = running.new_peer()
    with running.oidc(folder, peer, CALLBACK, algorithm=request.param):
        yield peer


@pytest.fixture
async def deploy(empty, clock):
    """Assembles services over the empty database; keywords are sections of the configuration."""
    made = []

    async def make(**sections: Any):
        usual = {
            "account": AccountRules(allow_signup=True),
            "privacy": Privacy(show_account_existence_hints=True),
        }
        config = msgspec.structs.replace(empty, **{**usual, **sections})
        services = assemble(config, clock=clock)
        await services.signing_keys.load()
        if services.saml is not None:
            await services.saml.open()
        made.append(services)
        return services

    yield make
    for services in made:
        await services.federation.close()
        if services.saml is not None:
            await services.saml.close()


@pytest.fixture
async def visit():
    """Lets somebody come with a browser of their own."""
    made = []

    def come(services, *peers: running.Peer) -> Visitor:
        made.append(Visitor(services, *(peer.url for peer in peers)))
        return made[-1]

    yield come
    for visitor in made:
        await visitor.http.aclose()
