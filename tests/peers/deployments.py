"""The settings of providers written by others."""

from typing import Any

from peers import running
from peers.visitor import CALLBACK, ERRORS, HERE, TARGET

from app.config.federation_sections import CustomProvider, ThirdParty
from app.config.saml_sections import IdentityProvider, Saml
from app.config.values import Secret


def custom(peer: running.Peer, **given: Any) -> CustomProvider:
    """The OpenID provider, as the settings name it."""
    told = {
        "enabled": True,
        "display_name": "The peer",
        "client_id": running.CLIENT,
        "secret": Secret(running.SECRET),
        "scopes": ["openid", "email", "profile"],
        "use_discovery": True,
        "issuer": peer.url,
        "allow_linking": True,
    }
    return CustomProvider(**{**told, **given})


def third_party(**providers: CustomProvider) -> ThirdParty:
    return ThirdParty(
        redirect_url=CALLBACK,
        error_redirect_url=ERRORS,
        allowed_redirect_urls=[TARGET],
        custom_providers=providers,
    )


def saml(peer: running.Peer, **given: Any) -> Saml:
    """The SAML provider, as the settings name it."""
    told = {
        "enabled": True,
        "name": "The peer",
        "domain": running.DOMAIN,
        "metadata_url": f"{peer.url}/metadata",
        "skip_email_verification": True,
    }
    return Saml(
        enabled=True,
        endpoint_url=HERE,
        audience_uri=HERE,
        default_redirect_url=ERRORS,
        allowed_redirect_urls=[TARGET],
        identity_providers=[IdentityProvider(**{**told, **given})],
    )
