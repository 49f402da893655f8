"""The table of signing keys."""

from piccolo.columns import UUID, Text, Timestamptz
from piccolo.table import Table


class SigningKeyRow(Table, tablename="signing_key"):
    """A key pair; its id is the `kid`. Its private half is sealed here or stays in a KMS.

    It signs from `activates_at` until another does; without that time it waits to be told. It is
    published from the beginning until `published_until`.
    """

    id = UUID(primary_key=True)
    algorithm = Text()
    public_jwk = Text()
    sealed_private_key = Text(null=True, default=None)
    kms_key_id = Text(null=True, default=None)
    created_at = Timestamptz()
    activates_at = Timestamptz(null=True, default=None)
    published_until = Timestamptz(null=True, default=None)
