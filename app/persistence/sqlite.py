"""SQLite: Piccolo's engine over connections that live as long as the process.

Piccolo's own engine opens a file and a thread for every query. Here one connection writes, in a
thread of its own and one transaction after the other; a few connections read in threads; and one
answers look-ups by key on the event loop's own thread, since such a look-up takes microseconds and
a change of thread takes more. WAL lets them all read while one writes, and `synchronous = FULL`
puts every acknowledged write on the disk.
"""

import asyncio
import re
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from piccolo.engine.sqlite import SQLiteEngine, SQLiteTransaction, TransactionType, dict_factory
from piccolo.querystring import QueryString

from app.persistence.engine import Dialect, Row
from app.persistence.errors import DatabaseUnavailable, NotUnique, TextUnstorable
from app.strictjson import canonical, encode
from app.telemetry import statement

_READERS = 3
_BUSY_MS = 15_000
_PAUSE = 0.01
_PREPARED = 256
_OLDEST = (3, 38, 0)  # the first with the operator `->`
T = TypeVar("T")

# Piccolo's own converters, without the detours: times are stored in UTC with their offset.
sqlite3.register_converter("TIMESTAMPTZ", lambda raw: datetime.fromisoformat(raw.decode()))
sqlite3.register_converter("UUID", lambda raw: UUID(raw.decode()))
sqlite3.register_adapter(list, encode)  # for `= ANY($1)`
_LOCKING = re.compile(r"\s+FOR UPDATE( SKIP LOCKED)?")
_AMONG = re.compile(r"= ANY\((\?\d+)\)")


class LongLivedSqlite(SQLiteEngine):
    """One writer with a queue, kept readers, and look-ups on the loop's own thread."""

    dialect: Dialect = "sqlite"

    def __init__(self, path: Path) -> None:
        super().__init__(path=str(path))
        self._writer = ThreadPoolExecutor(1, "sqlite-writer")
        self._readers = ThreadPoolExecutor(_READERS, "sqlite-reader")
        self._turn = asyncio.Lock()
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._seen: ContextVar[_Seen | None] = ContextVar("seen", default=None)

    async def open(self) -> None:
        """Open the file, make it a WAL database, and see that it is one."""
        if sqlite3.sqlite_version_info < _OLDEST:
            raise DatabaseUnavailable(f"SQLite {sqlite3.sqlite_version} is too old; 3.38 will do.")
        try:
            self._lookup = self._create()
            await self._write(self._writing_connection)
            await self._write(
                lambda: self._run(self._main, "SELECT count(*) FROM sqlite_master", ())
            )
        except (sqlite3.Error, OSError, DatabaseUnavailable) as error:
            await self.close()
            raise DatabaseUnavailable(f"{self.path} is no database we can use.") from error

    def pool_use(self) -> tuple[int, int]:
        """Count the one connection that writes; it is at work while somebody has the turn."""
        return 1, int(self._turn.locked())

    async def close(self) -> None:
        """Wait for what runs, then close every connection."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, self._readers.shutdown)
        await loop.run_in_executor(None, self._writer.shutdown)
        while self._connections:
            self._connections.pop().close()

    async def fetch(self, sql: str, args: Sequence[Any]) -> Sequence[Row]:
        """Run one statement in the open transaction, as a reader, or in one of its own."""
        translated = _translate(sql)
        seen = self._seen.get()
        if seen is not None:
            return await _in_thread(
                seen.thread, lambda: self._run(seen.connection, translated, args)
            )
        if self.current_transaction.get() is not None:
            return await self._write(lambda: self._run(self._main, translated, args))
        if _reads(translated):
            return await _in_thread(self._readers, lambda: self._read(translated, args))
        async with self.open_transaction():
            return await self.fetch(sql, args)

    async def fetch_row(self, sql: str, args: Sequence[Any]) -> Row | None:
        """Run one look-up by key, here and now."""
        if self.current_transaction.get() is not None or self._seen.get() is not None:
            rows = await self.fetch(sql, args)
            return rows[0] if rows else None
        rows = self._run(self._lookup, _translate(sql), args)
        return rows[0] if rows else None

    async def run_querystring(self, querystring: QueryString, in_pool: bool = False) -> Any:  # noqa: ANN401, ARG002, FBT001, FBT002  # Piccolo's signature
        """Run what Piccolo has composed."""
        sql, args = querystring.compile_string(engine_type=self.engine_type)
        with statement(sql, self.dialect):
            return await self.fetch(sql, args)

    async def copy(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows one after the other; SQLite has nothing that is faster."""
        names, marks = ", ".join(columns), ", ".join("?" for _ in columns)
        sql = f"INSERT INTO {table} ({names}) VALUES ({marks})"
        await self._write(lambda: self._run(self._main, sql, rows, many=True))

    async def lock(self, name: str) -> None:
        """Do nothing: a writing transaction holds the whole file already."""

    @asynccontextmanager
    async def open_transaction(self) -> AsyncIterator[None]:
        """Wait for the writer's turn and begin, or join the open transaction."""
        if self.current_transaction.get() is not None:
            yield
            return
        async with self._turn:
            token = self.current_transaction.set(_Open(self, TransactionType.immediate))
            try:
                await self._write(lambda: self._run(self._main, "BEGIN IMMEDIATE", ()))
                yield
                await self._write(lambda: self._run(self._main, "COMMIT", ()))
            finally:
                self.current_transaction.reset(token)
                # The writer works in order, so this runs after whatever a cancelled caller has
                # left behind, and before the next transaction.
                await asyncio.shield(self._write(self._abandon))

    @asynccontextmanager
    async def open_snapshot(self) -> AsyncIterator[None]:
        """Read on a connection of its own, in a transaction that sees what there was."""
        with ThreadPoolExecutor(1, "sqlite-snapshot") as thread:
            connection = await _in_thread(thread, self._connect)
            try:
                for sql in ("PRAGMA query_only = 1", "BEGIN"):
                    await _in_thread(thread, partial(self._run, connection, sql, ()))
                token = self._seen.set(_Seen(thread, connection))
                try:
                    yield
                finally:
                    self._seen.reset(token)
            finally:
                self._connections.remove(connection)
                await _in_thread(thread, connection.close)

    async def _write(self, work: Callable[[], T]) -> T:
        return await _in_thread(self._writer, work)

    def _abandon(self) -> None:
        if self._main.in_transaction:
            self._main.rollback()

    def _writing_connection(self) -> None:
        self._main = self._connect()
        _switch_to_wal(self._main)
        self._main.execute("PRAGMA synchronous = FULL")

    def _read(self, sql: str, args: Sequence[Any]) -> list[dict[str, Any]]:
        if not hasattr(self._local, "connection"):
            self._local.connection = self._connect()
            self._local.connection.execute("PRAGMA query_only = 1")
        return self._run(self._local.connection, sql, args)

    @staticmethod
    def _run(
        connection: sqlite3.Connection, sql: str, args: Sequence[Any], *, many: bool = False
    ) -> list[dict[str, Any]]:
        try:
            run = connection.executemany if many else connection.execute
            return run(sql, args).fetchall()
        except UnicodeEncodeError as error:
            raise TextUnstorable from error
        except sqlite3.IntegrityError as error:
            if error.sqlite_errorcode not in _UNIQUE:
                raise
            raise NotUnique(_constraint(str(error))) from error
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _UNUSABLE:
                raise
            raise DatabaseUnavailable from error

    def _create(self) -> sqlite3.Connection:
        """Open the file for the first time, for nobody else to read where it is made."""
        Path(self.path).touch(mode=0o600)
        return self._connect()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path,
            timeout=_BUSY_MS / 1000,
            isolation_level=None,
            detect_types=sqlite3.PARSE_DECLTYPES,
            check_same_thread=False,
            cached_statements=_PREPARED,
        )
        self._connections.append(connection)
        connection.row_factory = dict_factory
        connection.execute("PRAGMA foreign_keys = 1")
        connection.create_function("canonical_json", 1, _canonical, deterministic=True)
        return connection


_UNIQUE = (sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)
_UNUSABLE = (
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_CANTOPEN,
)


@dataclass(frozen=True, slots=True)
class _Seen:
    """An open snapshot."""

    thread: ThreadPoolExecutor
    connection: sqlite3.Connection


class _Open(SQLiteTransaction):
    """The open transaction, in the shape in which Piccolo looks for it."""


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    """Make the file a WAL database; SQLite does not wait its turn for that, so we do."""
    deadline = time.monotonic() + _BUSY_MS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE)
        else:
            return


async def _in_thread(executor: ThreadPoolExecutor, work: Callable[[], T]) -> T:
    try:
        waiting = asyncio.get_running_loop().run_in_executor(executor, work)
    except RuntimeError as error:  # it has been shut down
        raise DatabaseUnavailable from error
    return await waiting


@cache
def _translate(sql: str) -> str:
    """Write our SQL as SQLite reads it: `?1` for `$1`, lists as JSON, and no row locks."""
    plain = _LOCKING.sub("", sql.replace("$", "?"))
    return _AMONG.sub(r"IN (SELECT value FROM json_each(\1))", plain)


def _reads(sql: str) -> bool:
    return sql.lstrip().startswith(("SELECT", "WITH", "PRAGMA", "EXPLAIN"))


def _canonical(text: str | None) -> str | None:
    """Give SQLite what PostgreSQL's `jsonb` has: JSON that compares by what it means."""
    return None if text is None else canonical(text)


def _constraint(message: str) -> str:
    """Turn `UNIQUE constraint failed: email.address_key` into `email__address_key`."""
    return message.rpartition(": ")[2].split(",")[0].replace(".", "__")
