"""The database, and the transactions around it.

A use case that writes opens `async with transaction():` once; an inner one joins it. Whatever is
raised out of the outermost rolls everything back.
"""

from app.persistence.database import (
    connect,
    disconnect,
    exclusive,
    fetch,
    fetch_composed,
    fetch_row,
    in_transaction,
    is_reachable,
    savepoint,
    speaks,
    transaction,
)
from app.persistence.engine import Row
from app.persistence.errors import DatabaseUnavailable, NotUnique, SchemaRefused
from app.persistence.migrations import Migrations

__all__ = [
    "DatabaseUnavailable",
    "Migrations",
    "NotUnique",
    "Row",
    "SchemaRefused",
    "connect",
    "disconnect",
    "exclusive",
    "fetch",
    "fetch_composed",
    "fetch_row",
    "in_transaction",
    "is_reachable",
    "savepoint",
    "speaks",
    "transaction",
]
