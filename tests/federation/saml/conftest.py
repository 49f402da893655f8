"""A deployment with one SAML provider."""

import pytest
from federation.saml.deployment import config_of, deployed, provider
from federation.saml.idp import Idp, rsa_key

from app.federation.saml import certificates


@pytest.fixture(autouse=True)
def _quick_keys(monkeypatch):
    """Draw no new key pair for each test."""
    monkeypatch.setattr(certificates, "new_key", lambda: rsa_key(9))


@pytest.fixture
def idp(clock):
    """The provider."""
    return Idp(now=clock())


@pytest.fixture
async def services(empty, clock, idp):
    """The services over an empty database."""
    return await deployed(config_of(empty, provider(idp)), clock)
