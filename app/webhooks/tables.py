"""The tables of events, of hooks, and of what becomes of the one at the other."""

from piccolo.columns import UUID, BigSerial, Boolean, Integer, Text, Timestamptz
from piccolo.table import Table


class EventRow(Table, tablename="webhook_event"):
    """An event to tell; rows of one user have the order of what happened. Its data is sealed.

    It is spread when a delivery has been made of it for each hook that asks for it.
    """

    sequence = BigSerial(primary_key=True)
    id = UUID()
    name = Text()
    user_id = UUID(null=True, default=None)
    sealed_data = Text()
    created_at = Timestamptz()
    is_spread = Boolean(default=False)


class WebhookRow(Table, tablename="webhook"):
    """A hook that was made by the API. Its events are separated by spaces."""

    id = UUID(primary_key=True)
    callback = Text()
    events = Text()
    is_enabled = Boolean()
    sealed_secret = Text()
    sealed_previous_secret = Text(null=True, default=None)
    previous_secret_ends_at = Timestamptz(null=True, default=None)
    failures = Integer()
    failing_since = Timestamptz(null=True, default=None)
    last_success_at = Timestamptz(null=True, default=None)
    expires_at = Timestamptz()
    disabled_reason = Text(null=True, default=None)
    created_at = Timestamptz()
    updated_at = Timestamptz()


class DeliveryRow(Table, tablename="webhook_delivery"):
    """One event for one hook. It is due at `due_at`; whoever takes it pushes that back."""

    sequence = BigSerial(primary_key=True)
    id = UUID()
    webhook_id = UUID()
    event_id = UUID()
    event = Text()
    user_id = UUID(null=True, default=None)
    state = Text()
    attempts = Integer()
    due_at = Timestamptz()
    claim = UUID(null=True, default=None)
    outcome = Text(null=True, default=None)
    status = Integer(null=True, default=None)
    created_at = Timestamptz()
    expires_at = Timestamptz()
    attempted_at = Timestamptz(null=True, default=None)
    settled_at = Timestamptz(null=True, default=None)
