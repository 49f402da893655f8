"""The outbox of mail, and development's mailbox."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from app.persistence import fetch

ID = "2026-11-22T04:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "The outbox of mail, and development's mailbox"

# What a mail says is there as long as it waits, and no longer.
_OUTBOX = """
CREATE TABLE mail_outbox (
    id UUID NOT NULL CONSTRAINT mail_outbox__id PRIMARY KEY,
    template TEXT NOT NULL,
    language TEXT NOT NULL,
    recipient TEXT NOT NULL,
    sealed_values TEXT,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'sent', 'failed', 'expired')),
    attempts INTEGER NOT NULL,
    due_at TIMESTAMPTZ NOT NULL,
    claim UUID,
    answer TEXT,
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    settled_at TIMESTAMPTZ,
    CHECK ((state = 'waiting') = (sealed_values IS NOT NULL)),
    CHECK ((state = 'waiting') = (settled_at IS NULL))
)
"""
_MAILBOX = """
CREATE TABLE mailbox_mail (
    id UUID NOT NULL CONSTRAINT mailbox_mail__id PRIMARY KEY,
    recipient TEXT NOT NULL,
    sealed_content TEXT NOT NULL,
    sent_at TIMESTAMPTZ NOT NULL
)
"""
_INDEXES = (
    "CREATE INDEX mail_outbox__due_at ON mail_outbox (due_at, id) WHERE state = 'waiting'",
    "CREATE INDEX mail_outbox__expires_at ON mail_outbox (expires_at) WHERE state = 'waiting'",
    "CREATE INDEX mail_outbox__settled_at ON mail_outbox (settled_at)",
    "CREATE INDEX mailbox_mail__sent_at ON mailbox_mail (sent_at, id)",
)


async def forwards() -> MigrationManager:
    """Give what to run, both ways."""
    manager = MigrationManager(migration_id=ID, app_name="sekisho", description=DESCRIPTION)
    manager.add_raw(add)
    manager.add_raw_backwards(take_away)
    return manager


async def add() -> None:
    """Make the tables."""
    await fetch(_OUTBOX)
    await fetch(_MAILBOX)
    for index in _INDEXES:
        await fetch(index)


async def take_away() -> None:
    """Drop the tables, with whatever waits in them."""
    await fetch("DROP TABLE mailbox_mail")
    await fetch("DROP TABLE mail_outbox")
