"""Webhooks, and the deliveries of events to them."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from app.persistence import fetch, speaks

ID = "2026-11-22T11:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Webhooks"

_WEBHOOK = """
CREATE TABLE webhook (
    id UUID NOT NULL CONSTRAINT webhook__id PRIMARY KEY,
    callback TEXT NOT NULL,
    events TEXT NOT NULL,
    is_enabled BOOLEAN NOT NULL,
    sealed_secret TEXT NOT NULL,
    sealed_previous_secret TEXT,
    previous_secret_ends_at TIMESTAMPTZ,
    failures INTEGER NOT NULL,
    failing_since TIMESTAMPTZ,
    last_success_at TIMESTAMPTZ,
    expires_at TIMESTAMPTZ NOT NULL,
    disabled_reason TEXT,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
)
"""
# Neither the hook nor the event is a foreign key: a hook of the configuration has no row, and the
# log of a delivery may outlive the event.
_DELIVERY = """
CREATE TABLE webhook_delivery (
    sequence {sequence},
    id UUID NOT NULL CONSTRAINT webhook_delivery__id UNIQUE,
    webhook_id UUID NOT NULL,
    event_id UUID NOT NULL,
    event TEXT NOT NULL,
    user_id UUID,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    due_at TIMESTAMPTZ NOT NULL,
    claim UUID,
    outcome TEXT,
    status INTEGER,
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    attempted_at TIMESTAMPTZ,
    settled_at TIMESTAMPTZ
)
"""
_SEQUENCE = {
    "sqlite": "INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT",
    "postgres": "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
}
_DUE = """
CREATE INDEX webhook_delivery__due ON webhook_delivery (webhook_id, due_at, sequence)
WHERE state = 'waiting'
"""
_ANY_DUE = (
    "CREATE INDEX webhook_delivery__due_at ON webhook_delivery (due_at) WHERE state = 'waiting'"
)
_IN_ORDER = """
CREATE INDEX webhook_delivery__user ON webhook_delivery (webhook_id, user_id, sequence)
WHERE state = 'waiting'
"""
_LOG = "CREATE INDEX webhook_delivery__log ON webhook_delivery (webhook_id, created_at, id)"
_OF_EVENT = "CREATE INDEX webhook_delivery__event_id ON webhook_delivery (event_id)"
_AGE = "CREATE INDEX webhook_delivery__created_at ON webhook_delivery (created_at)"
_SPREAD = "ALTER TABLE webhook_event ADD COLUMN is_spread BOOLEAN NOT NULL DEFAULT FALSE"
_UNSPREAD = "CREATE INDEX webhook_event__unspread ON webhook_event (sequence) WHERE NOT is_spread"


async def forwards() -> MigrationManager:
    """Give what to run, both ways."""
    manager = MigrationManager(migration_id=ID, app_name="sekisho", description=DESCRIPTION)
    manager.add_raw(add)
    manager.add_raw_backwards(take_away)
    return manager


async def add() -> None:
    """Make the tables of hooks and of deliveries, and mark events that have been spread."""
    await fetch(_WEBHOOK)
    await fetch(_DELIVERY.replace("{sequence}", _SEQUENCE[speaks()]))
    for statement in (_DUE, _ANY_DUE, _IN_ORDER, _LOG, _OF_EVENT, _AGE, _SPREAD, _UNSPREAD):
        await fetch(statement)


async def take_away() -> None:
    """Drop the tables, and with them the secrets that receivers know."""
    await fetch("DROP TABLE webhook_delivery")
    await fetch("DROP TABLE webhook")
    await fetch("DROP INDEX webhook_event__unspread")
    await fetch("ALTER TABLE webhook_event DROP COLUMN is_spread")
