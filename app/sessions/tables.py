"""The table of sessions."""

from piccolo.columns import UUID, BigInt, Boolean, Text, Timestamptz
from piccolo.table import Table


class SessionRow(Table, tablename="user_session"):
    """A person's session; its id is the token's `session_id`, and its absence ends the token."""

    id = UUID(primary_key=True)
    user_id = UUID()
    ip_address = Text(null=True, default=None)
    user_agent = Text(null=True, default=None)
    created_at = Timestamptz()
    last_used_at = Timestamptz()
    expires_at = Timestamptz()
    refresh_count = BigInt(default=0)
    refreshed_at = Timestamptz(null=True, default=None)
    amr = Text(null=True, default=None)
    is_remembered = Boolean(default=True)
