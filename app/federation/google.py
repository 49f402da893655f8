"""Google: OpenID Connect as it is written; the ID token holds all that is asked for."""

from app.federation.answers import Claims
from app.federation.attributes import email_of
from app.federation.discovery import Metadata
from app.federation.errors import UserDataUnusable

SCOPES = ("openid", "email", "profile")
METADATA = Metadata(
    issuer="https://accounts.google.com",
    authorization_endpoint="https://accounts.google.com/o/oauth2/v2/auth",
    token_endpoint="https://oauth2.googleapis.com/token",  # noqa: S106  # an address
    jwks_uri="https://www.googleapis.com/oauth2/v3/certs",
)


def reshape(claims: Claims) -> Claims:
    """Refuse who shows no address.

    Raises:
        UserDataUnusable: There is none.
    """
    if email_of(claims.get("email")) is None:
        raise UserDataUnusable
    return claims
