"""The life of a signing key, refreshed sessions, claim templates."""

from datetime import UTC, datetime

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from app.persistence import fetch

ID = "2026-11-22T01:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "The life of a signing key, refreshed sessions, claim templates"

# When a key signs is told by its times; a state of its own would have to be kept in step with them.
_SIGNING_KEY = """
CREATE TABLE signing_key (
    id UUID NOT NULL CONSTRAINT signing_key__id PRIMARY KEY,
    algorithm TEXT NOT NULL,
    public_jwk TEXT NOT NULL,
    sealed_private_key TEXT,
    kms_key_id TEXT,
    created_at TIMESTAMPTZ NOT NULL,
    activates_at TIMESTAMPTZ,
    published_until TIMESTAMPTZ,
    CHECK ((sealed_private_key IS NULL) <> (kms_key_id IS NULL))
)
"""
_KEEP_KEY = """
INSERT INTO signing_key (id, algorithm, public_jwk, sealed_private_key, created_at, activates_at)
VALUES ($1, $2, $3, $4, $5, $6)
"""
_OLD_SIGNING_KEY = """
CREATE TABLE signing_key (
    id UUID NOT NULL CONSTRAINT signing_key__id PRIMARY KEY,
    algorithm TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('next', 'active', 'retired')),
    public_jwk TEXT NOT NULL,
    sealed_private_key TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL
)
"""
_KEEP_OLD_KEY = """
INSERT INTO signing_key (id, algorithm, state, public_jwk, sealed_private_key, created_at)
VALUES ($1, $2, $3, $4, $5, $6)
"""
_ACTIVE = "CREATE UNIQUE INDEX signing_key__active ON signing_key (state) WHERE state = 'active'"
_TEMPLATE = """
CREATE TABLE jwt_template (
    id INTEGER NOT NULL CONSTRAINT jwt_template__id PRIMARY KEY CHECK (id = 1),
    claims TEXT NOT NULL,
    version BIGINT NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
)
"""


async def forwards() -> MigrationManager:
    """Give what to run, both ways."""
    manager = MigrationManager(migration_id=ID, app_name="sekisho", description=DESCRIPTION)
    manager.add_raw(add)
    manager.add_raw_backwards(take_away)
    return manager


async def add() -> None:
    """Give keys their times, sessions their count of refreshes, templates a table."""
    keys = await fetch(
        "SELECT id, algorithm, state, public_jwk, sealed_private_key, created_at FROM signing_key"
    )
    await fetch("DROP TABLE signing_key")
    await fetch(_SIGNING_KEY)
    for key in keys:
        begins = None if key["state"] == "next" else key["created_at"]
        columns = ("id", "algorithm", "public_jwk", "sealed_private_key", "created_at")
        await fetch(_KEEP_KEY, *(key[name] for name in columns), begins)
    await fetch("ALTER TABLE user_session ADD COLUMN refresh_count BIGINT NOT NULL DEFAULT 0")
    await fetch("ALTER TABLE user_session ADD COLUMN refreshed_at TIMESTAMPTZ")
    await fetch(_TEMPLATE)


async def take_away() -> None:
    """Keep of the keys the one that signs; a key of a KMS has no place in the older table."""
    keys = await fetch(
        "SELECT id, algorithm, public_jwk, sealed_private_key, created_at FROM signing_key "
        "WHERE sealed_private_key IS NOT NULL AND activates_at <= $1 "
        "ORDER BY activates_at DESC, id DESC",
        datetime.now(UTC),
    )
    await fetch("DROP TABLE signing_key")
    await fetch(_OLD_SIGNING_KEY)
    await fetch(_ACTIVE)
    columns = ("public_jwk", "sealed_private_key", "created_at")
    for n, key in enumerate(keys):
        state = "retired" if n else "active"
        await fetch(_KEEP_OLD_KEY, key["id"], key["algorithm"], state, *(key[c] for c in columns))
    await fetch("ALTER TABLE user_session DROP COLUMN refresh_count")
    await fetch("ALTER TABLE user_session DROP COLUMN refreshed_at")
    await fetch("DROP TABLE jwt_template")
