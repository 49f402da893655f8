"""A provider of OAuth 2 alone: who it is says the answer to a request for the user's data."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from app.federation.answers import Claims
from app.federation.attributes import identity_of
from app.federation.connector import Answer, OutsideIdentity, Provider, Start
from app.federation.discovery import Metadata, MetadataSource
from app.federation.errors import IdTokensNotTaken, UserDataUnusable
from app.federation.issuers import OneIssuer, check_issuer
from app.federation.oauth import OAuthClient, Tokens

Ask = Callable[[OAuthClient, Metadata, Tokens], Awaitable[Claims]]


@dataclass(frozen=True, slots=True)
class OAuthConnector:
    """Signs people in by OAuth 2 (RFC 6749 §4.1, RFC 9700).

    Attributes:
        provider: The provider.
        client: This deployment, as the provider knows it.
        metadata: Where the provider is reached, and what it calls itself beside a code.
        issuer: Who vouches, as identities keep it.
        ask: Asks for the user's data and gives them as claims of OpenID Connect.
    """

    provider: Provider
    client: OAuthClient
    metadata: MetadataSource
    issuer: str
    ask: Ask

    async def get_ready(self) -> None:
        """Learn where the provider is reached."""
        await self.metadata.learn()

    def authorization_url(self, start: Start) -> str:
        """Give the address that the browser is sent to."""
        return self.client.authorization_url(self.metadata.known.authorization_endpoint, start)

    async def check_issuer(self, issuer: str | None) -> None:
        """Check the parameter `iss` of an answer."""
        metadata = await self.metadata.learn()
        check_issuer(issuer, OneIssuer(metadata.issuer), required=metadata.sends_issuer)

    async def identify(self, answer: Answer) -> OutsideIdentity:
        """Exchange the code and ask for the user's data."""
        await self.check_issuer(answer.issuer)
        metadata = self.metadata.known
        tokens = await self.client.exchange(metadata.token_endpoint, answer)
        claims = await self.ask(self.client, metadata, tokens)
        return identity_of(self.provider.id, self.issuer, claims)

    async def identify_by_token(self, id_token: str, nonce: str) -> OutsideIdentity:  # noqa: ARG002
        """Refuse: there are no ID tokens, or none that carry a nonce."""
        raise IdTokensNotTaken


async def userinfo(
    client: OAuthClient,
    metadata: Metadata,
    tokens: Tokens,
    query: Mapping[str, str] | None = None,
) -> Claims:
    """Ask for the user's data, which are an object everywhere.

    Raises:
        UserDataUnusable, ProviderUnreachable: There are none.
    """
    found = await client.fetch(metadata.userinfo_endpoint, tokens, query)
    if not isinstance(found, dict):
        raise UserDataUnusable
    return found
