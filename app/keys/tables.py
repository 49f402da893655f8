"""The table of signing keys."""

from piccolo.columns import UUID, Text, Timestamptz
from piccolo.table import Table


class SigningKey(Table, tablename="signing_key"):
    """A key pair; its id is the `kid`, its private half is sealed."""

    id = UUID(primary_key=True)
    algorithm = Text()
    state = Text()
    public_jwk = Text()
    sealed_private_key = Text()
    created_at = Timestamptz()
