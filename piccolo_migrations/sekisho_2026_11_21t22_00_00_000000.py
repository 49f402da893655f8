"""Users, e-mail addresses, the three bags, sessions, secret keys, signing keys, audit."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from app.persistence import fetch, speaks

ID = "2026-11-21T22:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Users, addresses, bags, sessions, secret keys, signing keys, audit"

# `{c}` sorts by code point on PostgreSQL, as SQLite does anyway: prefixes are then ranges.
TABLES = {
    "app_user": """
        id UUID NOT NULL CONSTRAINT app_user__id PRIMARY KEY,
        username TEXT,
        username_key TEXT{c},
        name TEXT,
        given_name TEXT,
        family_name TEXT,
        picture TEXT,
        locale TEXT,
        created_at TIMESTAMPTZ NOT NULL,
        updated_at TIMESTAMPTZ NOT NULL,
        last_sign_in_at TIMESTAMPTZ,
        CHECK ((username IS NULL) = (username_key IS NULL))
    """,
    "retired_user": """
        id UUID NOT NULL CONSTRAINT retired_user__id PRIMARY KEY,
        retired_at TIMESTAMPTZ NOT NULL
    """,
    "email": """
        id UUID NOT NULL CONSTRAINT email__id PRIMARY KEY,
        user_id UUID NOT NULL REFERENCES app_user (id) ON DELETE CASCADE,
        address TEXT NOT NULL,
        address_key TEXT{c} NOT NULL,
        is_primary BOOLEAN NOT NULL,
        is_verified BOOLEAN NOT NULL,
        created_at TIMESTAMPTZ NOT NULL,
        updated_at TIMESTAMPTZ NOT NULL
    """,
    "user_metadata": """
        user_id UUID NOT NULL CONSTRAINT user_metadata__user_id PRIMARY KEY
            REFERENCES app_user (id) ON DELETE CASCADE,
        public_bag TEXT NOT NULL,
        private_bag TEXT NOT NULL,
        unsafe_bag TEXT NOT NULL,
        version BIGINT NOT NULL
    """,
    "user_session": """
        id UUID NOT NULL CONSTRAINT user_session__id PRIMARY KEY,
        user_id UUID NOT NULL REFERENCES app_user (id) ON DELETE CASCADE,
        ip_address TEXT,
        user_agent TEXT,
        created_at TIMESTAMPTZ NOT NULL,
        last_used_at TIMESTAMPTZ NOT NULL,
        expires_at TIMESTAMPTZ NOT NULL
    """,
    "secret_key": """
        id UUID NOT NULL CONSTRAINT secret_key__id PRIMARY KEY,
        name TEXT NOT NULL,
        prefix TEXT{c} NOT NULL,
        digest TEXT NOT NULL,
        scopes TEXT NOT NULL,
        created_at TIMESTAMPTZ NOT NULL,
        expires_at TIMESTAMPTZ,
        revoked_at TIMESTAMPTZ,
        last_used_at TIMESTAMPTZ
    """,
    "signing_key": """
        id UUID NOT NULL CONSTRAINT signing_key__id PRIMARY KEY,
        algorithm TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('next', 'active', 'retired')),
        public_jwk TEXT NOT NULL,
        sealed_private_key TEXT NOT NULL,
        created_at TIMESTAMPTZ NOT NULL
    """,
    "audit_event": """
        id UUID NOT NULL CONSTRAINT audit_event__id PRIMARY KEY,
        at TIMESTAMPTZ NOT NULL,
        type TEXT NOT NULL,
        actor_kind TEXT NOT NULL
            CHECK (actor_kind IN ('user', 'secret_key', 'system', 'anonymous')),
        actor_id UUID,
        subject_id UUID,
        address TEXT,
        user_agent TEXT,
        request_id TEXT,
        error TEXT,
        details TEXT NOT NULL
    """,
}
INDEXES = (
    "CREATE UNIQUE INDEX app_user__username_key ON app_user (username_key)",
    "CREATE INDEX app_user__created_at ON app_user (created_at, id)",
    "CREATE INDEX app_user__last_sign_in_at ON app_user (last_sign_in_at, id)",
    "CREATE UNIQUE INDEX email__address_key ON email (address_key)",
    "CREATE INDEX email__user_id ON email (user_id, created_at, id)",
    "CREATE UNIQUE INDEX email__primary ON email (user_id) WHERE is_primary",
    "CREATE INDEX user_session__user_id ON user_session (user_id, created_at, id)",
    "CREATE INDEX user_session__expires_at ON user_session (expires_at)",
    "CREATE UNIQUE INDEX secret_key__prefix ON secret_key (prefix)",
    "CREATE UNIQUE INDEX signing_key__active ON signing_key (state) WHERE state = 'active'",
    "CREATE INDEX audit_event__at ON audit_event (at, id)",
    "CREATE INDEX audit_event__subject_id ON audit_event (subject_id, at)",
    "CREATE INDEX audit_event__type ON audit_event (type, at)",
)


async def forwards() -> MigrationManager:
    """Give what to run, both ways."""
    manager = MigrationManager(migration_id=ID, app_name="sekisho", description=DESCRIPTION)
    manager.add_raw(create)
    manager.add_raw_backwards(drop)
    return manager


async def create() -> None:
    """Make every table and index."""
    collation = ' COLLATE "C"' if speaks() == "postgres" else ""
    for table, columns in TABLES.items():
        await fetch(f"CREATE TABLE {table} ({columns.replace('{c}', collation)})")
    for index in INDEXES:
        await fetch(index)


async def drop() -> None:
    """Drop every table, children first."""
    for table in reversed(TABLES):
        await fetch(f"DROP TABLE {table}")
