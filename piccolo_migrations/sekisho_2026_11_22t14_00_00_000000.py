"""The names of SAML identity providers."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from app.persistence import fetch

ID = "2026-11-22T14:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Entity ids of SAML providers"

_ENTITY = """
CREATE TABLE saml_entity (
    entity_id TEXT NOT NULL CONSTRAINT saml_entity__entity_id PRIMARY KEY,
    domain TEXT NOT NULL,
    held_since TIMESTAMPTZ NOT NULL
)
"""


async def forwards() -> MigrationManager:
    """Give what to run, both ways."""
    manager = MigrationManager(migration_id=ID, app_name="sekisho", description=DESCRIPTION)
    manager.add_raw(add)
    manager.add_raw_backwards(take_away)
    return manager


async def add() -> None:
    """Make the table of which provider has which entity id."""
    await fetch(_ENTITY)


async def take_away() -> None:
    """Drop the table; entity ids that have identities have to be set by name afterwards."""
    await fetch("DROP TABLE saml_entity")
