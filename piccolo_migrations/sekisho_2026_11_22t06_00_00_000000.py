"""Flows."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from app.persistence import fetch

ID = "2026-11-22T06:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Flows"

_FLOW = """
CREATE TABLE flow (
    id UUID NOT NULL CONSTRAINT flow__id PRIMARY KEY,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    content TEXT NOT NULL,
    csrf_digest TEXT NOT NULL,
    version BIGINT NOT NULL,
    lease UUID,
    leased_until TIMESTAMPTZ,
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL
)
"""
_EXPIRY = "CREATE INDEX flow__expires_at ON flow (expires_at)"


async def forwards() -> MigrationManager:
    """Give what to run, both ways."""
    manager = MigrationManager(migration_id=ID, app_name="sekisho", description=DESCRIPTION)
    manager.add_raw(add)
    manager.add_raw_backwards(take_away)
    return manager


async def add() -> None:
    """Make the table of flows."""
    await fetch(_FLOW)
    await fetch(_EXPIRY)


async def take_away() -> None:
    """Drop the table; who is signing in begins anew."""
    await fetch("DROP TABLE flow")
