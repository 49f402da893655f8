"""How a session's user has signed in."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from app.persistence import fetch

ID = "2026-11-22T07:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "How a session's user has signed in"


async def forwards() -> MigrationManager:
    """Give what to run, both ways."""
    manager = MigrationManager(migration_id=ID, app_name="sekisho", description=DESCRIPTION)
    manager.add_raw(add)
    manager.add_raw_backwards(take_away)
    return manager


async def add() -> None:
    """Give sessions their methods of authentication, as JSON, and whether they are remembered."""
    await fetch("ALTER TABLE user_session ADD COLUMN amr TEXT")
    await fetch("ALTER TABLE user_session ADD COLUMN is_remembered BOOLEAN NOT NULL DEFAULT TRUE")


async def take_away() -> None:
    """Take them away."""
    await fetch("ALTER TABLE user_session DROP COLUMN amr")
    await fetch("ALTER TABLE user_session DROP COLUMN is_remembered")
