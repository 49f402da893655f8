"""The table of flows."""

from piccolo.columns import UUID, BigInt, Text, Timestamptz
from piccolo.table import Table


class FlowRow(Table, tablename="flow"):
    """A flow. What it remembers is sealed; of its CSRF token the digest alone is kept.

    While an action waits for what takes its time, `lease` names the run, until `leased_until` at
    the latest.
    """

    id = UUID(primary_key=True)
    kind = Text()
    state = Text()
    content = Text(secret=True)
    csrf_digest = Text(secret=True)
    version = BigInt()
    lease = UUID(null=True, default=None)
    leased_until = Timestamptz(null=True, default=None)
    created_at = Timestamptz()
    expires_at = Timestamptz()
