"""The table of the bags."""

from piccolo.columns import UUID, BigInt, Text
from piccolo.table import Table


class UserMetadata(Table, tablename="user_metadata"):
    """A user's bags as compact JSON text, and how often any of them has changed.

    Text on every database: it gives back exactly the keys, order and digits that were written, it
    is what the caps measure, and it goes into answers as it stands.
    """

    user_id = UUID(primary_key=True)
    public_bag = Text(default="{}")
    private_bag = Text(default="{}")
    unsafe_bag = Text(default="{}")
    version = BigInt(default=0)
