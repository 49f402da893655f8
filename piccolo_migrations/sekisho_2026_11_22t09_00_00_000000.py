"""Signing in at providers."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from app.persistence import fetch

ID = "2026-11-22T09:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Signing in at providers"

_IDENTITY = """
CREATE TABLE identity (
    id UUID NOT NULL CONSTRAINT identity__id PRIMARY KEY,
    user_id UUID NOT NULL REFERENCES app_user (id) ON DELETE CASCADE,
    email_id UUID REFERENCES email (id) ON DELETE SET NULL,
    provider TEXT NOT NULL,
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    claims TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    last_sign_in_at TIMESTAMPTZ,
    CONSTRAINT identity__key UNIQUE (provider, issuer, subject)
)
"""
_OF_USERS = "CREATE INDEX identity__user_id ON identity (user_id)"
_OF_EMAILS = "CREATE INDEX identity__email_id ON identity (email_id)"
_STATE = """
CREATE TABLE federation_state (
    digest TEXT NOT NULL CONSTRAINT federation_state__digest PRIMARY KEY,
    payload TEXT NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL
)
"""
_STATE_EXPIRY = "CREATE INDEX federation_state__expires_at ON federation_state (expires_at)"
_EXCHANGE = """
CREATE TABLE exchange_token (
    digest TEXT NOT NULL CONSTRAINT exchange_token__digest PRIMARY KEY,
    payload TEXT NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL
)
"""
_EXCHANGE_EXPIRY = "CREATE INDEX exchange_token__expires_at ON exchange_token (expires_at)"
_MADE = ("exchange_token", "federation_state", "identity")


async def forwards() -> MigrationManager:
    """Give what to run, both ways."""
    manager = MigrationManager(migration_id=ID, app_name="sekisho", description=DESCRIPTION)
    manager.add_raw(add)
    manager.add_raw_backwards(take_away)
    return manager


async def add() -> None:
    """Make the tables of identities, of sign-ins under way, and of exchange tokens."""
    for statement in (_IDENTITY, _OF_USERS, _OF_EMAILS, _STATE, _STATE_EXPIRY, _EXCHANGE):
        await fetch(statement)
    await fetch(_EXCHANGE_EXPIRY)


async def take_away() -> None:
    """Drop the tables; who has signed in at a provider alone cannot any more."""
    for table in _MADE:
        await fetch(f"DROP TABLE {table}")
