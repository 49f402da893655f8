"""Facebook: OAuth 2; requests prove that they come from who knows the client secret."""

import hashlib
import hmac

from app.federation.answers import Claims
from app.federation.attributes import email_of
from app.federation.discovery import Metadata
from app.federation.errors import UserDataUnusable
from app.federation.oauth import OAuthClient, Tokens
from app.federation.plain import userinfo
from app.strictjson import Json

SCOPES = ("email", "public_profile")
ISSUER = "https://www.facebook.com"
METADATA = Metadata(
    issuer=ISSUER,
    authorization_endpoint="https://www.facebook.com/v21.0/dialog/oauth",
    token_endpoint="https://graph.facebook.com/v21.0/oauth/access_token",  # noqa: S106  # an address
    jwks_uri="",
    userinfo_endpoint="https://graph.facebook.com/me",
)
_FIELDS = "id,name,email,picture,first_name,middle_name,last_name"


async def ask(client: OAuthClient, metadata: Metadata, tokens: Tokens) -> Claims:
    """Ask who it is.

    The address counts as verified: Facebook gives out none that its user has not confirmed, and has
    no claim that says so.

    Raises:
        UserDataUnusable, ProviderUnreachable: It is not told, or without an address.
    """
    query = {"fields": _FIELDS, "appsecret_proof": proof(client.secret(), tokens.access_token)}
    user = await userinfo(client, metadata, tokens, query)
    if email_of(user.get("email")) is None:
        raise UserDataUnusable
    return {
        "sub": user.get("id"),
        "email": user["email"],
        "email_verified": True,
        "name": user.get("name"),
        "given_name": user.get("first_name"),
        "middle_name": user.get("middle_name"),
        "family_name": user.get("last_name"),
        "picture": _picture(user.get("picture")),
    }


def proof(secret: str, access_token: str) -> str:
    """Give the parameter `appsecret_proof`."""
    return hmac.new(secret.encode(), access_token.encode(), hashlib.sha256).hexdigest()


def _picture(value: Json) -> Json:
    data = value.get("data") if isinstance(value, dict) else None
    return data.get("url") if isinstance(data, dict) else None
