"""The tables of accounts and their addresses."""

from piccolo.columns import UUID, Boolean, Integer, Text, Timestamptz
from piccolo.table import Table


class User(Table, tablename="app_user"):
    """A person with an account."""

    id = UUID(primary_key=True)
    username = Text(null=True, default=None)
    username_key = Text(null=True, default=None)
    name = Text(null=True, default=None)
    given_name = Text(null=True, default=None)
    family_name = Text(null=True, default=None)
    picture = Text(null=True, default=None)
    locale = Text(null=True, default=None)
    created_at = Timestamptz()
    updated_at = Timestamptz()
    last_sign_in_at = Timestamptz(null=True, default=None)
    security_stamp = Integer(default=0)


class RetiredUser(Table, tablename="retired_user"):
    """The id of a deleted account, so that it is never given out again (SEC-122)."""

    id = UUID(primary_key=True)
    retired_at = Timestamptz()


class EmailAddress(Table, tablename="email"):
    """An address of an account."""

    id = UUID(primary_key=True)
    user_id = UUID()
    address = Text()
    address_key = Text()
    is_primary = Boolean()
    is_verified = Boolean()
    created_at = Timestamptz()
    updated_at = Timestamptz()
