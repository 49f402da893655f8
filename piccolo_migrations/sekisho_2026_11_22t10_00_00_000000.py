"""Signing in by SAML."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from app.persistence import fetch

ID = "2026-11-22T10:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Signing in by SAML"

_CERTIFICATE = """
CREATE TABLE saml_certificate (
    id UUID NOT NULL CONSTRAINT saml_certificate__id PRIMARY KEY,
    certificate TEXT NOT NULL,
    sealed_key TEXT NOT NULL,
    active_from TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    created_at TIMESTAMPTZ NOT NULL
)
"""
_METADATA = """
CREATE TABLE saml_metadata (
    url TEXT NOT NULL CONSTRAINT saml_metadata__url PRIMARY KEY,
    document TEXT NOT NULL,
    etag TEXT NOT NULL,
    fetched_at TIMESTAMPTZ,
    refresh_at TIMESTAMPTZ NOT NULL
)
"""
_REPLAY = """
CREATE TABLE saml_replay (
    digest TEXT NOT NULL CONSTRAINT saml_replay__digest PRIMARY KEY,
    expires_at TIMESTAMPTZ NOT NULL
)
"""
_REPLAY_EXPIRY = "CREATE INDEX saml_replay__expires_at ON saml_replay (expires_at)"
_MADE = ("saml_replay", "saml_metadata", "saml_certificate")


async def forwards() -> MigrationManager:
    """Give what to run, both ways."""
    manager = MigrationManager(migration_id=ID, app_name="sekisho", description=DESCRIPTION)
    manager.add_raw(add)
    manager.add_raw_backwards(take_away)
    return manager


async def add() -> None:
    """Make the tables of own certificates, of providers' metadata, and against replays."""
    for statement in (_CERTIFICATE, _METADATA, _REPLAY, _REPLAY_EXPIRY):
        await fetch(statement)


async def take_away() -> None:
    """Drop the tables; providers have to be told a new certificate afterwards."""
    for table in _MADE:
        await fetch(f"DROP TABLE {table}")
