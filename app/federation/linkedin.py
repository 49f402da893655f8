"""LinkedIn: discovery, and then the user's data; its ID tokens carry no nonce (SEC-076)."""

from app.federation.answers import Claims
from app.federation.attributes import text_of
from app.federation.discovery import Metadata
from app.federation.oauth import OAuthClient, Tokens
from app.federation.plain import userinfo
from app.strictjson import Json

SCOPES = ("openid", "profile", "email")
ISSUER = "https://www.linkedin.com/oauth"


async def ask(client: OAuthClient, metadata: Metadata, tokens: Tokens) -> Claims:
    """Ask who it is.

    Raises:
        UserDataUnusable, ProviderUnreachable: It is not told.
    """
    user = await userinfo(client, metadata, tokens)
    return user | {"locale": _locale(user.get("locale"))}


def _locale(value: Json) -> Json:
    """Write a locale as a language tag (BCP 47); LinkedIn gives country and language apart."""
    if not isinstance(value, dict):
        return value
    language, country = text_of(value.get("language")), text_of(value.get("country"))
    return f"{language}-{country}" if language and country else language
