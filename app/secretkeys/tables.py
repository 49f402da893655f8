"""The table of secret keys."""

from piccolo.columns import UUID, Text, Timestamptz
from piccolo.table import Table


class SecretKeyRow(Table, tablename="secret_key"):
    """A secret key as it is stored: a digest, found by a prefix that is no secret (SEC-011)."""

    id = UUID(primary_key=True)
    name = Text()
    prefix = Text()
    digest = Text()
    scopes = Text()
    created_at = Timestamptz()
    expires_at = Timestamptz(null=True, default=None)
    revoked_at = Timestamptz(null=True, default=None)
    last_used_at = Timestamptz(null=True, default=None)
