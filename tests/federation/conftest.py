"""A deployment with two providers."""

import msgspec
import pytest
from federation.providers import ERRORS, TARGET, doubles

from app.assembly import assemble
from app.config.federation_sections import ThirdParty
from app.config.sections import AccountRules, Privacy


@pytest.fixture
def connectors():
    return doubles()


@pytest.fixture
def google(connectors):
    return connectors.doubles["google"]


@pytest.fixture
def corp(connectors):
    return connectors.doubles["custom_corp"]


@pytest.fixture
async def services(empty, clock, connectors):
    """The services over an empty database; whether somebody has an address may be told."""
    config = msgspec.structs.replace(
        empty,
        third_party=ThirdParty(error_redirect_url=ERRORS, allowed_redirect_urls=[TARGET]),
        privacy=Privacy(show_account_existence_hints=True),
        account=AccountRules(allow_signup=True),
    )
    assembled = assemble(config, clock=clock, connectors=connectors)
    await assembled.signing_keys.load()
    return assembled
