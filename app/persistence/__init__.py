"""The database, and the transactions around it.

A use case that writes opens `async with transaction():` once; an inner one joins it. Whatever is
raised out of the outermost rolls everything back.
"""

from app.persistence.database import (
    after_commit,
    connect,
    copy_rows,
    disconnect,
    exclusive,
    fetch,
    fetch_composed,
    fetch_row,
    in_transaction,
    is_reachable,
    pool_use,
    savepoint,
    snapshot,
    speaks,
    transaction,
)
from app.persistence.engine import Row
from app.persistence.errors import DatabaseUnavailable, NotUnique, SchemaRefused
from app.persistence.migrations import Migrations
from app.persistence.skew import ClockWatch

__all__ = [
    "ClockWatch",
    "DatabaseUnavailable",
    "Migrations",
    "NotUnique",
    "Row",
    "SchemaRefused",
    "after_commit",
    "connect",
    "copy_rows",
    "disconnect",
    "exclusive",
    "fetch",
    "fetch_composed",
    "fetch_row",
    "in_transaction",
    "is_reachable",
    "pool_use",
    "savepoint",
    "snapshot",
    "speaks",
    "transaction",
]
