"""A provider of OpenID Connect: who it is stands in an ID token that was checked."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from app.federation.answers import Claims
from app.federation.attributes import identity_of, merged
from app.federation.connector import Answer, OutsideIdentity, Provider, Start
from app.federation.discovery import Metadata, MetadataSource
from app.federation.errors import IssuerMismatch, UserDataUnusable
from app.federation.id_tokens import Expected, IdTokens
from app.federation.issuers import Issuers, check_issuer
from app.federation.oauth import OAuthClient, Tokens

Reshape = Callable[[Claims], Claims]


@dataclass(frozen=True, slots=True)
class OidcConnector:
    """Signs people in by the authorization code flow (OpenID Connect Core §3.1).

    Attributes:
        provider: The provider.
        client: This deployment, as the provider knows it.
        metadata: Where the provider is reached.
        issuers: What the provider calls itself.
        id_tokens: Reads its ID tokens.
        native_client_ids: Client ids of own apps whose ID tokens are taken as well.
        reshape: Turns the provider's claims into those of OpenID Connect, or refuses them.
        asks_userinfo: Whether the userinfo endpoint is asked for what ID tokens leave out.
    """

    provider: Provider
    client: OAuthClient
    metadata: MetadataSource
    issuers: Issuers
    id_tokens: IdTokens
    native_client_ids: tuple[str, ...] = ()
    reshape: Reshape = dict
    asks_userinfo: bool = False

    async def get_ready(self) -> None:
        """Learn where the provider is reached."""
        await self.metadata.learn()

    def authorization_url(self, start: Start) -> str:
        """Give the address that the browser is sent to."""
        endpoint = self.metadata.known.authorization_endpoint
        return self.client.authorization_url(endpoint, start, nonce=True)

    async def check_issuer(self, issuer: str | None) -> None:
        """Check the parameter `iss` of an answer."""
        metadata = await self.metadata.learn()
        check_issuer(issuer, self.issuers, required=metadata.sends_issuer)

    async def identify(self, answer: Answer) -> OutsideIdentity:
        """Exchange the code, check the ID token, and ask for the rest."""
        await self.check_issuer(answer.issuer)
        metadata = self.metadata.known
        tokens = await self.client.exchange(metadata.token_endpoint, answer)
        if tokens.id_token is None:
            raise UserDataUnusable
        expected = Expected(
            issuer=self.issuers.of,
            audiences=(self.client.client_id,),
            nonces=(answer.nonce,),
            access_token=tokens.access_token,
        )
        claims = await self.id_tokens.read(tokens.id_token, metadata.jwks_uri, expected)
        if answer.issuer not in (None, claims["iss"]):
            raise IssuerMismatch
        return self._identity(await self._completed(claims, metadata, tokens))

    async def identify_by_token(self, id_token: str, nonce: str) -> OutsideIdentity:
        """Check an ID token that an application brings; kits for mobile apps hash the nonce."""
        metadata = await self.metadata.learn()
        expected = Expected(
            issuer=self.issuers.of,
            audiences=(self.client.client_id, *self.native_client_ids),
            nonces=(nonce, hashlib.sha256(nonce.encode()).hexdigest()),
        )
        return self._identity(await self.id_tokens.read(id_token, metadata.jwks_uri, expected))

    async def _completed(self, claims: Claims, metadata: Metadata, tokens: Tokens) -> Claims:
        """Add what the userinfo endpoint says of the same subject (SEC-080)."""
        if not self.asks_userinfo or not metadata.userinfo_endpoint:
            return claims
        further = await self.client.fetch(metadata.userinfo_endpoint, tokens)
        if not isinstance(further, dict):
            raise UserDataUnusable
        return merged(claims, further)

    def _identity(self, claims: Claims) -> OutsideIdentity:
        return identity_of(self.provider.id, claims["iss"], self.reshape(claims))
