"""Passwords."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from app.persistence import fetch

ID = "2026-11-22T02:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Passwords"

_TABLE = """
CREATE TABLE user_password (
    user_id UUID NOT NULL CONSTRAINT user_password__user_id PRIMARY KEY
        REFERENCES app_user (id) ON DELETE CASCADE,
    id UUID NOT NULL,
    hash TEXT NOT NULL,
    imported BOOLEAN NOT NULL,
    changed_at TIMESTAMPTZ NOT NULL
)
"""


async def forwards() -> MigrationManager:
    """Give what to run, both ways."""
    manager = MigrationManager(migration_id=ID, app_name="sekisho", description=DESCRIPTION)
    manager.add_raw(add)
    manager.add_raw_backwards(take_away)
    return manager


async def add() -> None:
    """Make the table of passwords."""
    await fetch(_TABLE)


async def take_away() -> None:
    """Drop the table; passwords are lost with it."""
    await fetch("DROP TABLE user_password")
