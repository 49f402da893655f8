"""The table of the claim template."""

from piccolo.columns import BigInt, Integer, Text, Timestamptz
from piccolo.table import Table


class JwtTemplate(Table, tablename="jwt_template"):
    """The template that was set through the API, as compact JSON; at most one row, with id 1."""

    id = Integer(primary_key=True)
    claims = Text()
    version = BigInt()
    updated_at = Timestamptz()
