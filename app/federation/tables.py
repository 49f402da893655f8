"""The tables of federation."""

from piccolo.columns import UUID, Text, Timestamptz
from piccolo.table import Table


class FederationStateRow(Table, tablename="federation_state"):
    """A sign-in that is under way at a provider, or a nonce that was given out (SEC-074).

    The digest is of what the browser brings back; whoever takes the row away may go on.
    """

    digest = Text(primary_key=True)
    payload = Text(secret=True)
    expires_at = Timestamptz()


class ExchangeTokenRow(Table, tablename="exchange_token"):
    """Somebody whom a provider has identified, until the token is redeemed (SEC-065)."""

    digest = Text(primary_key=True)
    payload = Text(secret=True)
    expires_at = Timestamptz()


class IdentityRow(Table, tablename="identity"):
    """Who a user is at a provider: by provider, issuer and subject, never by address (SEC-080)."""

    id = UUID(primary_key=True)
    user_id = UUID()
    email_id = UUID(null=True, default=None)
    provider = Text()
    issuer = Text()
    subject = Text()
    claims = Text()
    created_at = Timestamptz()
    updated_at = Timestamptz()
    last_sign_in_at = Timestamptz(null=True, default=None)
