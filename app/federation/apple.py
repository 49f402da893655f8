"""Apple: a client secret that is a token, an answer by POST, and a name that comes once."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

import jwt

from app import strictjson
from app.clock import Clock
from app.config.federation_sections import Apple
from app.federation.answers import Claims
from app.federation.attributes import text_of
from app.federation.connector import Answer, OutsideIdentity, Provider, Start
from app.federation.discovery import Metadata
from app.federation.oidc import OidcConnector

SCOPES = ("name", "email")
PARAMETERS = {"response_mode": "form_post"}
AUDIENCE = "https://appleid.apple.com"
METADATA = Metadata(
    issuer=AUDIENCE,
    authorization_endpoint=f"{AUDIENCE}/auth/authorize",
    token_endpoint=f"{AUDIENCE}/auth/token",
    jwks_uri=f"{AUDIENCE}/auth/keys",
)
_SECRET_LIVES = timedelta(minutes=10)
_LONGEST_USER = 4096
_LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class AppleConnector:
    """Adds the name to what the ID token says; the ID token alone says who it is."""

    inner: OidcConnector

    @property
    def provider(self) -> Provider:
        """The provider."""
        return self.inner.provider

    async def get_ready(self) -> None:
        """Learn nothing: the endpoints are known."""
        await self.inner.get_ready()

    def authorization_url(self, start: Start) -> str:
        """Give the address that the browser is sent to."""
        return self.inner.authorization_url(start)

    async def check_issuer(self, issuer: str | None) -> None:
        """Check the parameter `iss` of an answer."""
        await self.inner.check_issuer(issuer)

    async def identify(self, answer: Answer) -> OutsideIdentity:
        """Exchange the code, check the ID token, and take the name that came with the code."""
        found = await self.inner.identify(answer)
        return replace(found, claims={**names_in(answer.user), **found.claims})

    async def identify_by_token(self, id_token: str, nonce: str) -> OutsideIdentity:
        """Check an ID token that an application brings."""
        return await self.inner.identify_by_token(id_token, nonce)


def names_in(user: str | None) -> Claims:
    """Read the names in the form member `user`; it is signed by nobody, so nothing else counts."""
    if not user or len(user) > _LONGEST_USER:
        return {}
    try:
        name = strictjson.parse(user.encode("utf-8", "surrogatepass"))["name"]
        given, family = text_of(name.get("firstName")), text_of(name.get("lastName"))
    except (strictjson.NotJson, TypeError, KeyError, AttributeError):
        return {}
    whole = " ".join(filter(None, (given, family)))
    told = {"name": whole, "given_name": given, "family_name": family}
    return {key: text for key, text in told.items() if text and len(text) <= _LONGEST_NAME}


def secret_of(settings: Apple, clock: Clock) -> Callable[[], str]:
    """Give what makes the client secret, or holds the one that was made elsewhere."""
    if settings.mints_secret:
        return lambda: minted(settings, clock)
    return settings.secret.reveal


def minted(settings: Apple, clock: Clock) -> str:
    """Sign a client secret with the private key, good for a few minutes."""
    now = clock()
    claims = {
        "iss": settings.team_id,
        "iat": int(now.timestamp()),
        "exp": int((now + _SECRET_LIVES).timestamp()),
        "aud": AUDIENCE,
        "sub": settings.client_id,
    }
    key = settings.private_key.reveal().replace("\\n", "\n")
    return jwt.encode(claims, key, "ES256", headers={"kid": settings.key_id})
