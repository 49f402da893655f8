"""A provider of one's own: OpenID Connect where it can be, OAuth 2 where it cannot."""

from dataclasses import dataclass

from app.clock import Clock
from app.config.federation_sections import CustomProvider
from app.federation.answers import Claims
from app.federation.attributes import mapped
from app.federation.connector import Connector, Provider
from app.federation.discovery import Discovered, Fixed, Metadata, MetadataSource
from app.federation.id_tokens import IdTokens
from app.federation.issuers import OneIssuer
from app.federation.jwks import KeySet
from app.federation.oauth import OAuthClient, Tokens
from app.federation.oidc import OidcConnector
from app.federation.plain import OAuthConnector, userinfo
from app.outbound import Outbound


@dataclass(frozen=True, slots=True)
class Shape:
    """How a provider's claims become ours, as its settings say."""

    settings: CustomProvider

    def reshape(self, claims: Claims) -> Claims:
        """Rename the claims, and decide what is known of the address."""
        found = mapped(claims, self.settings.attribute_mapping)
        if self.settings.email_verified == "claim":
            return found
        return found | {"email_verified": self.settings.email_verified == "always"}

    async def ask(self, client: OAuthClient, metadata: Metadata, tokens: Tokens) -> Claims:
        """Ask who it is, where no ID token says so.

        Raises:
            UserDataUnusable, ProviderUnreachable: It is not told.
        """
        return self.reshape(await userinfo(client, metadata, tokens))


def connector_of(
    name: str, settings: CustomProvider, redirect_uri: str, outbound: Outbound, clock: Clock
) -> Connector:
    """Build the connector of a custom provider."""
    provider = Provider(name, settings.display_name, settings.allow_linking)
    parameters = {"prompt": settings.prompt, "acr_values": " ".join(settings.acr_values)}
    client = OAuthClient(
        outbound=outbound,
        client_id=settings.client_id,
        secret=settings.secret.reveal,
        redirect_uri=redirect_uri,
        scopes=tuple(settings.scopes),
        parameters={name: value for name, value in parameters.items() if value},
        auth_method=settings.token_endpoint_auth_method,
        sends_challenge=settings.pkce,
    )
    metadata, shape = _metadata(settings, outbound, clock), Shape(settings)
    if not settings.is_oidc:
        return OAuthConnector(provider, client, metadata, provider.id, shape.ask)
    return OidcConnector(
        provider=provider,
        client=client,
        metadata=metadata,
        issuers=OneIssuer(settings.issuer),
        id_tokens=IdTokens(KeySet(outbound, clock), clock),
        native_client_ids=tuple(settings.native_client_ids),
        reshape=shape.reshape,
        asks_userinfo=True,
    )


def _metadata(settings: CustomProvider, outbound: Outbound, clock: Clock) -> MetadataSource:
    if settings.use_discovery:
        return Discovered(settings.issuer, outbound, clock)
    return Fixed(
        Metadata(
            issuer=settings.issuer,
            authorization_endpoint=settings.authorization_endpoint,
            token_endpoint=settings.token_endpoint,
            jwks_uri=settings.jwks_uri,
            userinfo_endpoint=settings.userinfo_endpoint,
        )
    )
