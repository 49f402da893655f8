"""Discord: OAuth 2."""

import re

from app.federation.answers import Claims
from app.federation.attributes import email_of
from app.federation.discovery import Metadata
from app.federation.errors import UserDataUnusable
from app.federation.oauth import OAuthClient, Tokens
from app.federation.plain import userinfo
from app.strictjson import Json

SCOPES = ("identify", "email")
ISSUER = "https://discord.com/api"
METADATA = Metadata(
    issuer="https://discord.com",
    authorization_endpoint="https://discord.com/oauth2/authorize",
    token_endpoint="https://discord.com/api/oauth2/token",  # noqa: S106  # an address
    jwks_uri="",
    userinfo_endpoint="https://discord.com/api/users/@me",
)
_PART = re.compile(r"[A-Za-z0-9_]{1,64}")


async def ask(client: OAuthClient, metadata: Metadata, tokens: Tokens) -> Claims:
    """Ask who it is.

    Raises:
        UserDataUnusable, ProviderUnreachable: It is not told, or without an address.
    """
    user = await userinfo(client, metadata, tokens)
    if email_of(user.get("email")) is None:
        raise UserDataUnusable
    return {
        "sub": user.get("id"),
        "email": user["email"],
        "email_verified": user.get("verified"),
        "name": user.get("global_name"),
        "picture": _picture(user.get("id"), user.get("avatar")),
        "preferred_username": user.get("username"),
    }


def _picture(user_id: Json, avatar: Json) -> str | None:
    parts = (user_id, avatar)
    if not all(isinstance(part, str) and _PART.fullmatch(part) for part in parts):
        return None
    return f"https://cdn.discordapp.com/avatars/{user_id}/{avatar}.png"
