"""What an OpenID provider says of itself (OpenID Connect Discovery 1.0; SEC-083)."""

from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

import httpx2

from app.clock import Clock
from app.federation.answers import Claims, object_of
from app.federation.errors import ProviderUnreachable
from app.federation.remembered import Remembered
from app.outbound import Outbound
from app.text import is_printable

_WELL_KNOWN = "/.well-known/openid-configuration"
_LONGEST = 2048


@dataclass(frozen=True, slots=True)
class Metadata:
    """Where a provider is reached, and what it calls itself.

    Attributes:
        issuer: Its name in ID tokens; `{tenantid}` stands in it where each tenant has one.
        userinfo_endpoint: Empty where there is none.
        sends_issuer: Whether its answers carry the parameter `iss` (RFC 9207).
    """

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str = ""
    sends_issuer: bool = False


class MetadataSource(Protocol):
    """Where a provider's metadata come from."""

    @property
    def known(self) -> Metadata:
        """The metadata as they were learned last.

        Raises:
            ProviderUnreachable: They never were.
        """

    async def learn(self) -> Metadata:
        """Give the metadata, over the network if need be.

        Raises:
            ProviderUnreachable: They cannot be had now.
        """


@dataclass(frozen=True, slots=True)
class Fixed:
    """Metadata that the product knows."""

    known: Metadata

    async def learn(self) -> Metadata:
        """Give the metadata."""
        return self.known


class Discovered:
    """Metadata that a provider publishes under its issuer."""

    def __init__(self, issuer: str, outbound: Outbound, clock: Clock) -> None:
        self._issuer, self._outbound = issuer, outbound
        self._remembered = Remembered(self._fetch, clock)

    @property
    def known(self) -> Metadata:
        """The metadata as they were learned last."""
        return self._remembered.kept

    async def learn(self) -> Metadata:
        """Give the metadata, over the network once an hour."""
        return await self._remembered.get()

    async def _fetch(self) -> Metadata:
        try:
            url = self._issuer.rstrip("/") + _WELL_KNOWN
            answer = await self._outbound.client.get(url)
        except httpx2.TransportError as error:
            raise ProviderUnreachable from error
        return metadata_of(object_of(answer, ProviderUnreachable), self._issuer)


def metadata_of(document: Claims, issuer: str) -> Metadata:
    """Read a discovery document.

    Raises:
        ProviderUnreachable: It is of another issuer, or an endpoint is missing or not https.
    """
    if document.get("issuer") != issuer:
        raise ProviderUnreachable
    return Metadata(
        issuer=issuer,
        authorization_endpoint=_endpoint(document, "authorization_endpoint", issuer),
        token_endpoint=_endpoint(document, "token_endpoint", issuer),
        jwks_uri=_endpoint(document, "jwks_uri", issuer),
        userinfo_endpoint=(
            _endpoint(document, "userinfo_endpoint", issuer)
            if "userinfo_endpoint" in document
            else ""
        ),
        sends_issuer=document.get("authorization_response_iss_parameter_supported") is True,
    )


def _endpoint(document: Claims, name: str, issuer: str) -> str:
    """Give an endpoint: https, or http where the issuer itself is that."""
    url = document.get(name)
    if not isinstance(url, str) or len(url) > _LONGEST or not is_printable(url):
        raise ProviderUnreachable
    try:
        parts = urlsplit(url)
        good = bool(parts.hostname) and parts.port != 0 and parts.username is None
    except ValueError:
        good = False
    if not good or parts.fragment or parts.scheme not in ("https", urlsplit(issuer).scheme):
        raise ProviderUnreachable
    return url
