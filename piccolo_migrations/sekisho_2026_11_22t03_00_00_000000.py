"""Passkeys, security keys, and the challenges of their ceremonies."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from app.persistence import fetch, speaks

ID = "2026-11-22T03:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Passkeys, security keys, and the challenges of their ceremonies"

# `{c}` compares ids byte by byte on PostgreSQL, as SQLite does anyway. A challenge may be for a
# user who is still to be made, so its user is no foreign key; it ends within ten minutes.
TABLES = {
    "webauthn_credential": """
        id UUID NOT NULL CONSTRAINT webauthn_credential__id PRIMARY KEY,
        user_id UUID NOT NULL REFERENCES app_user (id) ON DELETE CASCADE,
        credential_id TEXT{c} NOT NULL,
        public_key TEXT NOT NULL,
        sign_count BIGINT NOT NULL CHECK (sign_count >= 0),
        aaguid UUID NOT NULL,
        attestation_type TEXT NOT NULL,
        transports TEXT NOT NULL,
        is_backup_eligible BOOLEAN NOT NULL,
        is_backed_up BOOLEAN NOT NULL,
        is_mfa_only BOOLEAN NOT NULL,
        name TEXT,
        created_at TIMESTAMPTZ NOT NULL,
        last_used_at TIMESTAMPTZ
    """,
    "webauthn_challenge": """
        digest TEXT{c} NOT NULL CONSTRAINT webauthn_challenge__digest PRIMARY KEY,
        purpose TEXT NOT NULL CHECK (purpose IN ('registration', 'login', 'second_factor')),
        user_id UUID,
        bound_to UUID,
        is_mfa_only BOOLEAN NOT NULL,
        needs_verification BOOLEAN NOT NULL,
        offered TEXT,
        expires_at TIMESTAMPTZ NOT NULL
    """,
}
INDEXES = (
    "CREATE UNIQUE INDEX webauthn_credential__credential_id ON webauthn_credential (credential_id)",
    "CREATE INDEX webauthn_credential__user_id ON webauthn_credential (user_id, created_at, id)",
    "CREATE INDEX webauthn_challenge__expires_at ON webauthn_challenge (expires_at)",
    "CREATE INDEX webauthn_challenge__bound_to ON webauthn_challenge (bound_to)",
)


async def forwards() -> MigrationManager:
    """Give what to run, both ways."""
    manager = MigrationManager(migration_id=ID, app_name="sekisho", description=DESCRIPTION)
    manager.add_raw(create)
    manager.add_raw_backwards(drop)
    return manager


async def create() -> None:
    """Make both tables and their indexes."""
    collation = ' COLLATE "C"' if speaks() == "postgres" else ""
    for table, columns in TABLES.items():
        await fetch(f"CREATE TABLE {table} ({columns.replace('{c}', collation)})")
    for index in INDEXES:
        await fetch(index)


async def drop() -> None:
    """Drop both tables."""
    for table in reversed(TABLES):
        await fetch(f"DROP TABLE {table}")
