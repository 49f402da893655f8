"""Builds the connectors of the providers that are on. It brings libraries that take memory."""

from dataclasses import dataclass

from app.clock import Clock
from app.config.federation_sections import (
    BuiltInProvider,
    CustomProvider,
    OidcProvider,
    ThirdParty,
)
from app.federation import apple, custom, discord, facebook, github, google, linkedin, microsoft
from app.federation.connector import Connector, Provider
from app.federation.discovery import Discovered, Fixed, Metadata
from app.federation.id_tokens import IdTokens
from app.federation.issuers import Issuers, OneIssuer, TenantIssuers
from app.federation.jwks import KeySet
from app.federation.oauth import OAuthClient
from app.federation.oidc import OidcConnector, Reshape
from app.federation.plain import Ask, OAuthConnector
from app.outbound import Outbound

_OPENID = "openid"
_SIGNED_WITH = ("RS256",)


@dataclass(frozen=True, slots=True)
class Places:
    """Where the providers are that the product knows; LinkedIn says so itself, at its issuer."""

    apple: Metadata = apple.METADATA
    discord: Metadata = discord.METADATA
    github: Metadata = github.METADATA
    google: Metadata = google.METADATA
    linkedin: str = linkedin.ISSUER
    microsoft: Metadata = microsoft.METADATA
    facebook: Metadata = facebook.METADATA


PLACES = Places()


@dataclass(frozen=True, slots=True)
class _Plain:
    """A built-in provider that is asked for the user's data."""

    display_name: str
    scopes: tuple[str, ...]
    issuer: str
    ask: Ask
    sends_verifier: bool = True


@dataclass(frozen=True, slots=True)
class _Oidc:
    """A built-in provider whose ID tokens are read."""

    display_name: str
    scopes: tuple[str, ...]
    reshape: Reshape = dict


_PLAIN = {
    "discord": _Plain("Discord", discord.SCOPES, discord.ISSUER, discord.ask),
    "github": _Plain("GitHub", github.SCOPES, github.ISSUER, github.ask),
    "linkedin": _Plain(
        "LinkedIn", linkedin.SCOPES, linkedin.ISSUER, linkedin.ask, sends_verifier=False
    ),
    "facebook": _Plain("Facebook", facebook.SCOPES, facebook.ISSUER, facebook.ask),
}
_OIDC = {
    "apple": _Oidc("Apple", apple.SCOPES),
    "google": _Oidc("Google", google.SCOPES, google.reshape),
    "microsoft": _Oidc("Microsoft", microsoft.SCOPES, microsoft.reshape),
}


def connectors_of(
    settings: ThirdParty, outbound: Outbound, clock: Clock, places: Places = PLACES
) -> dict[str, Connector]:
    """Build connectors by id, in the order of sign-in pages; nothing is asked over the network."""
    maker = _Maker(settings, outbound, clock, places)
    built_in, own = settings.providers.by_name(), settings.custom_by_id()
    return {
        name: maker.custom(name, own[name]) if name in own else maker.built_in(name, built_in[name])
        for name in settings.enabled_providers()
    }


@dataclass(frozen=True, slots=True)
class _Maker:
    """Builds connectors."""

    settings: ThirdParty
    outbound: Outbound
    clock: Clock
    places: Places

    def custom(self, name: str, settings: CustomProvider) -> Connector:
        uri = self.settings.callback_of(name)
        return custom.connector_of(name, settings, uri, self.outbound, self.clock)

    def built_in(self, name: str, settings: BuiltInProvider) -> Connector:
        if isinstance(settings, OidcProvider):
            made = self._oidc(name, settings)
            return apple.AppleConnector(made) if name == "apple" else made
        return self._plain(name, settings)

    def _plain(self, name: str, settings: BuiltInProvider) -> OAuthConnector:
        kind, place = _PLAIN[name], getattr(self.places, name)
        is_fixed = isinstance(place, Metadata)
        return OAuthConnector(
            provider=Provider(name, kind.display_name, settings.allow_linking),
            client=self._client(name, settings, kind.scopes, sends_verifier=kind.sends_verifier),
            metadata=Fixed(place) if is_fixed else Discovered(place, self.outbound, self.clock),
            issuer=kind.issuer,
            ask=kind.ask,
        )

    def _oidc(self, name: str, settings: OidcProvider) -> OidcConnector:
        kind, metadata = _OIDC[name], self._metadata(name)
        keys = KeySet(self.outbound, self.clock)
        return OidcConnector(
            provider=Provider(name, kind.display_name, settings.allow_linking),
            client=self._client(name, settings, kind.scopes),
            metadata=Fixed(metadata),
            issuers=self._issuers(name, metadata),
            id_tokens=IdTokens(keys, self.clock, _SIGNED_WITH),
            native_client_ids=tuple(settings.native_client_ids),
            reshape=kind.reshape,
        )

    def _metadata(self, name: str) -> Metadata:
        place: Metadata = getattr(self.places, name)
        if name != "microsoft":
            return place
        return microsoft.metadata_for(self.settings.providers.microsoft.tenants, place)

    def _issuers(self, name: str, metadata: Metadata) -> Issuers:
        if name != "microsoft":
            return OneIssuer(metadata.issuer)
        tenants = self.settings.providers.microsoft.tenants
        return TenantIssuers(metadata.issuer, [one.lower() for one in tenants])

    def _client(
        self,
        name: str,
        settings: BuiltInProvider,
        scopes: tuple[str, ...],
        *,
        sends_verifier: bool = True,
    ) -> OAuthClient:
        parameters = {"prompt": settings.prompt} if settings.prompt else {}
        secret = settings.secret.reveal
        if settings is self.settings.providers.apple:
            parameters |= apple.PARAMETERS
            secret = apple.secret_of(self.settings.providers.apple, self.clock)
        asked = tuple(settings.scopes) or scopes
        return OAuthClient(
            outbound=self.outbound,
            client_id=settings.client_id,
            secret=secret,
            redirect_uri=self.settings.callback_of(name),
            scopes=asked if _OPENID in asked or _OPENID not in scopes else (_OPENID, *asked),
            parameters=parameters,
            sends_verifier=sends_verifier,
        )
