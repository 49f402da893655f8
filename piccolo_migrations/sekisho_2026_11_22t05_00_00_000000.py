"""Passcodes, authenticator apps, recovery codes, trusted devices, and counts of wrong guesses."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from app.persistence import fetch, speaks

ID = "2026-11-22T05:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Passcodes, authenticator apps, recovery codes, trusted devices, wrong guesses"

# `{c}` compares digests byte by byte on PostgreSQL, as SQLite does anyway. A passcode ends within
# ten minutes and may outlive its flow, which is no foreign key.
TABLES = {
    "passcode": """
        flow_id UUID NOT NULL CONSTRAINT passcode__flow_id PRIMARY KEY,
        user_id UUID REFERENCES app_user (id) ON DELETE CASCADE,
        bound_to TEXT NOT NULL,
        digest TEXT NOT NULL,
        tries BIGINT NOT NULL CHECK (tries BETWEEN 0 AND 3),
        created_at TIMESTAMPTZ NOT NULL,
        expires_at TIMESTAMPTZ NOT NULL
    """,
    "guess_count": """
        digest TEXT{c} NOT NULL CONSTRAINT guess_count__digest PRIMARY KEY,
        guesses BIGINT NOT NULL CHECK (guesses > 0),
        expires_at TIMESTAMPTZ NOT NULL
    """,
    "user_totp": """
        user_id UUID NOT NULL CONSTRAINT user_totp__user_id PRIMARY KEY
            REFERENCES app_user (id) ON DELETE CASCADE,
        id UUID NOT NULL,
        sealed_secret TEXT NOT NULL,
        last_step BIGINT NOT NULL,
        created_at TIMESTAMPTZ NOT NULL
    """,
    "user_recovery_code": """
        digest TEXT{c} NOT NULL CONSTRAINT user_recovery_code__digest PRIMARY KEY,
        user_id UUID NOT NULL REFERENCES app_user (id) ON DELETE CASCADE,
        created_at TIMESTAMPTZ NOT NULL
    """,
    "trusted_device": """
        id UUID NOT NULL CONSTRAINT trusted_device__id PRIMARY KEY,
        user_id UUID NOT NULL REFERENCES app_user (id) ON DELETE CASCADE,
        digest TEXT{c} NOT NULL,
        user_agent TEXT,
        created_at TIMESTAMPTZ NOT NULL,
        expires_at TIMESTAMPTZ NOT NULL
    """,
}
INDEXES = (
    "CREATE INDEX passcode__user_id ON passcode (user_id)",
    "CREATE INDEX passcode__expires_at ON passcode (expires_at)",
    "CREATE INDEX guess_count__expires_at ON guess_count (expires_at)",
    "CREATE INDEX user_recovery_code__user_id ON user_recovery_code (user_id)",
    "CREATE UNIQUE INDEX trusted_device__digest ON trusted_device (digest)",
    "CREATE INDEX trusted_device__user_id ON trusted_device (user_id, created_at, id)",
    "CREATE INDEX trusted_device__expires_at ON trusted_device (expires_at)",
)


async def forwards() -> MigrationManager:
    """Give what to run, both ways."""
    manager = MigrationManager(migration_id=ID, app_name="sekisho", description=DESCRIPTION)
    manager.add_raw(create)
    manager.add_raw_backwards(drop)
    return manager


async def create() -> None:
    """Make the tables and their indexes."""
    collation = ' COLLATE "C"' if speaks() == "postgres" else ""
    for table, columns in TABLES.items():
        await fetch(f"CREATE TABLE {table} ({columns.replace('{c}', collation)})")
    for index in INDEXES:
        await fetch(index)


async def drop() -> None:
    """Drop the tables; enrolled apps, recovery codes and trust are lost with them."""
    for table in reversed(TABLES):
        await fetch(f"DROP TABLE {table}")
