"""The audit table."""

from piccolo.columns import UUID, Text, Timestamptz
from piccolo.table import Table


class AuditEvent(Table, tablename="audit_event"):
    """One thing that happened."""

    id = UUID(primary_key=True)
    at = Timestamptz()
    type = Text()
    actor_kind = Text()
    actor_id = UUID(null=True, default=None)
    subject_id = UUID(null=True, default=None)
    address = Text(null=True, default=None)
    user_agent = Text(null=True, default=None)
    request_id = Text(null=True, default=None)
    error = Text(null=True, default=None)
    details = Text()
