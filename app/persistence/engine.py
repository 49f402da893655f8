"""What the rest of the product needs of a database, whichever it is."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Literal, Protocol

Row = Mapping[str, Any]
Dialect = Literal["sqlite", "postgres"]


class Engine(Protocol):
    """A Piccolo engine that also answers SQL of our own.

    SQL is written once, with `$1`-style parameters; what a database does not know (`FOR UPDATE` on
    SQLite, which locks the file instead) its engine leaves out.
    """

    dialect: Dialect

    async def open(self) -> None:
        """Connect and warm up."""

    async def close(self) -> None:
        """Finish what runs and let go of every connection."""

    async def fetch(self, sql: str, args: Sequence[Any]) -> Sequence[Row]:
        """Run one statement, inside the open transaction where there is one."""

    async def fetch_row(self, sql: str, args: Sequence[Any]) -> Row | None:
        """Run one look-up by key on the shortest way there is."""

    async def copy(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Write many rows at once, inside the open transaction."""

    async def lock(self, name: str) -> None:
        """Hold a named lock until the open transaction ends."""

    def pool_use(self) -> tuple[int, int]:
        """Say how many connections there are, and how many of them are at work."""

    def transaction_exists(self) -> bool:
        """Say whether a transaction is open in this task."""

    def open_transaction(self) -> AbstractAsyncContextManager[Any]:
        """Begin a transaction, or join the open one."""

    def open_snapshot(self) -> AbstractAsyncContextManager[Any]:
        """Let everything read inside be of one moment, and nobody wait for it."""
