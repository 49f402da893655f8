"""GitHub: OAuth 2; the address is asked for by a request of its own."""

from app.federation.answers import Claims
from app.federation.discovery import Metadata
from app.federation.errors import UserDataUnusable
from app.federation.oauth import OAuthClient, Tokens
from app.federation.plain import userinfo

SCOPES = ("user:email", "read:user")
ISSUER = "https://github.com"
METADATA = Metadata(
    issuer="https://github.com/login/oauth",
    authorization_endpoint="https://github.com/login/oauth/authorize",
    token_endpoint="https://github.com/login/oauth/access_token",  # noqa: S106  # an address
    jwks_uri="",
    userinfo_endpoint="https://api.github.com/user",
)


async def ask(client: OAuthClient, metadata: Metadata, tokens: Tokens) -> Claims:
    """Ask who it is, and then for the primary address.

    Raises:
        UserDataUnusable, ProviderUnreachable: It is not told.
    """
    user = await userinfo(client, metadata, tokens)
    addresses = await client.fetch(f"{metadata.userinfo_endpoint}/emails", tokens)
    if not isinstance(addresses, list) or not addresses:
        raise UserDataUnusable
    entries = (one for one in addresses if isinstance(one, dict))
    primary = next((one for one in entries if one.get("primary") is True), {})
    return {
        "sub": user.get("id"),
        "email": primary.get("email"),
        "email_verified": primary.get("verified"),
        "name": user.get("name"),
        "picture": user.get("avatar_url"),
        "preferred_username": user.get("login"),
    }
