"""Events that wait for webhooks."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from app.persistence import fetch, speaks

ID = "2026-11-22T08:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Events that wait for webhooks"

# The user is no foreign key: the event of a deletion outlives the user.
_EVENT = """
CREATE TABLE webhook_event (
    sequence {sequence},
    id UUID NOT NULL CONSTRAINT webhook_event__id UNIQUE,
    name TEXT NOT NULL,
    user_id UUID,
    sealed_data TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL
)
"""
_SEQUENCE = {
    "sqlite": "INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT",
    "postgres": "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
}
_AGE = "CREATE INDEX webhook_event__created_at ON webhook_event (created_at)"


async def forwards() -> MigrationManager:
    """Give what to run, both ways."""
    manager = MigrationManager(migration_id=ID, app_name="sekisho", description=DESCRIPTION)
    manager.add_raw(add)
    manager.add_raw_backwards(take_away)
    return manager


async def add() -> None:
    """Make the table of events."""
    await fetch(_EVENT.replace("{sequence}", _SEQUENCE[speaks()]))
    await fetch(_AGE)


async def take_away() -> None:
    """Drop the table, and with it what was not delivered."""
    await fetch("DROP TABLE webhook_event")
