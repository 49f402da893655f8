"""The security stamp of accounts."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from app.persistence import fetch

ID = "2026-11-22T13:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Security stamps"


async def forwards() -> MigrationManager:
    """Give what to run, both ways."""
    manager = MigrationManager(migration_id=ID, app_name="sekisho", description=DESCRIPTION)
    manager.add_raw(add)
    manager.add_raw_backwards(take_away)
    return manager


async def add() -> None:
    """Give every account a number that rises with whatever changes what opens it."""
    await fetch("ALTER TABLE app_user ADD COLUMN security_stamp INTEGER NOT NULL DEFAULT 0")


async def take_away() -> None:
    """Take the numbers away; sign-ins that are under way have to be begun anew."""
    await fetch("ALTER TABLE app_user DROP COLUMN security_stamp")
