"""PostgreSQL: Piccolo's engine over a warmed asyncpg pool."""

import asyncio
import contextlib
import hashlib
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

import asyncpg
from piccolo.engine.postgres import PostgresEngine, PostgresTransaction
from piccolo.querystring import QueryString

from app.config.sections import Database
from app.persistence.engine import Dialect, Row
from app.persistence.errors import DatabaseUnavailable, NotUnique, TextUnstorable
from app.telemetry import statement

_UNREACHABLE = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.InsufficientResourcesError,  # too many connections, a full disk, no memory
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # met between a server's last word and the end of its connection
)
_CONNECT_TIMEOUT = 3.0
_STATEMENT_TIMEOUT = "10s"
_PATIENCE = 12.0
"""Seconds to wait for a free connection, or for a server that keeps silent past its own limit."""

_FIRST_WORD = 3.0
"""Seconds a server has to answer a look-up by key, or to begin a transaction.

Neither takes long where the server is there, and nearly every request begins with one of them: so a
request learns within five seconds that it is not (SEC-130).
"""

_LOOKING_UP = 4.0
"""Seconds to wait for a free connection where something is only looked up."""

_LETTING_GO = 1.0
"""Seconds in which a server must have given up what we have given up (SEC-130)."""

_FAREWELL = 5.0
"""Seconds in which connections may end as they should."""

_COPY_PATIENCE = 300.0
"""Seconds for one batch of rows: nobody waits for an answer meanwhile."""

_MOST_SPARES = 4


class PooledPostgres(PostgresEngine):
    """Keeps its connections open and hands them out without resetting them.

    asyncpg's reset doubles the price of a read. It is safe to leave out: nothing here listens,
    changes a setting or takes a session lock, and an unfinished transaction is rolled back by the
    one function that begins it.
    """

    dialect: Dialect = "postgres"

    def __init__(self, settings: Database, *, patience: float = _PATIENCE) -> None:
        super().__init__(config=_connection_arguments(settings))
        self._settings = settings
        self._patience = patience
        # Connections set aside for look-ups: they change hands without the pool's bookkeeping,
        # which costs nearly as much as the look-up itself.
        self._spares: list[Any] = []
        self._most_spares = min(_MOST_SPARES, settings.pool // 2)
        # Transactions leave as many connections alone: a look-up that had to wait for one of them
        # would wait for all of its statements, and for its commit.
        self._transactions = asyncio.Semaphore(settings.pool - self._most_spares)
        self._silent_at = 0.0

    async def check_version(self) -> None:
        """Do nothing here: Piccolo would open a connection just to ask."""

    async def open(self) -> None:
        """Fill the pool."""
        idle = self._settings.conn_max_idletime.total_seconds()
        try:
            self.pool = await asyncpg.create_pool(
                **self.config,
                min_size=self._settings.pool,
                max_size=self._settings.pool,
                max_inactive_connection_lifetime=idle,
                reset=_keep,
                timeout=_CONNECT_TIMEOUT,
                command_timeout=self._patience,
                server_settings={
                    "application_name": "sekisho",
                    "statement_timeout": _STATEMENT_TIMEOUT,
                    "jit": "off",
                },
            )
        except (*_UNREACHABLE, asyncpg.PostgresError) as error:
            raise DatabaseUnavailable(f"PostgreSQL does not let us in ({_kind(error)}).") from error

    async def close(self) -> None:
        """Close the pool."""
        if self.pool is not None:
            pool, self.pool = self.pool, None
            while self._spares:
                await _give_back(pool, self._spares.pop())
            with contextlib.suppress(TimeoutError):  # then they are cut off
                async with asyncio.timeout(_FAREWELL):
                    await pool.close()

    def pool_use(self) -> tuple[int, int]:
        """Count the connections; those set aside for look-ups are at work only while one runs."""
        pool = self._pool
        idle = pool.get_idle_size() + len(self._spares)
        return pool.get_size(), pool.get_size() - idle

    async def fetch(self, sql: str, args: Sequence[Any]) -> Sequence[Row]:
        """Run one statement."""
        try:
            open_one = self.current_transaction.get()
            if open_one is not None:
                rows: Sequence[Row] = await open_one.connection.fetch(sql, *args)
                return rows
            async with self._connection() as connection:
                found: Sequence[Row] = await connection.fetch(sql, *args)
                return found
        except asyncpg.UniqueViolationError as error:
            raise NotUnique(error.constraint_name or "") from error
        except asyncpg.DataError as error:
            if _is_about_text(error):
                raise TextUnstorable from error
            raise
        except asyncpg.InsufficientPrivilegeError as error:
            raise DatabaseUnavailable("The database role lacks a privilege it needs.") from error
        except _UNREACHABLE as error:
            raise self._unavailable(error) from error

    async def fetch_row(self, sql: str, args: Sequence[Any]) -> Row | None:
        """Run one look-up by key."""
        if self.current_transaction.get() is not None:
            rows = await self.fetch(sql, args)
            return rows[0] if rows else None
        pool = self._pool
        try:
            connection = self._spare() or await pool.acquire(timeout=_LOOKING_UP)
            try:
                row: Row | None = await connection.fetchrow(sql, *args, timeout=_FIRST_WORD)
            except BaseException:  # given up, it may be: then it is in no state to be set aside
                await _give_back(pool, connection)
                raise
            await self._put_aside(pool, connection)
            return row  # noqa: TRY300  # what has been read is read, whatever comes of the connection
        except asyncpg.DataError as error:
            if _is_about_text(error):
                raise TextUnstorable from error
            raise
        except _UNREACHABLE as error:
            raise self._unavailable(error) from error

    def _spare(self) -> Any:  # noqa: ANN401  # a connection of the pool
        """Take a connection that was set aside and still lives, or none."""
        while self._spares:
            connection = self._spares.pop()
            if not _is_lost(connection):
                return connection
        return None

    async def _put_aside(self, pool: asyncpg.Pool, connection: Any) -> None:  # noqa: ANN401  # see above
        """Keep a connection for the next look-up, or give it back where enough are kept."""
        enough = len(self._spares) >= self._most_spares or self.pool is not pool
        if enough or _is_lost(connection):
            await _give_back(pool, connection)
        else:
            self._spares.append(connection)

    async def run_querystring(self, querystring: QueryString, in_pool: bool = True) -> Any:  # noqa: ANN401, ARG002, FBT001, FBT002  # Piccolo's signature
        """Run what Piccolo has composed."""
        sql, args = querystring.compile_string(engine_type=self.engine_type)
        with statement(sql, self.dialect):
            return await self.fetch(sql, args)

    async def copy(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Write rows by COPY, which is several times as fast as statements."""
        open_one = self.current_transaction.get()
        if open_one is None:
            raise RuntimeError("rows are copied outside a transaction")
        try:
            await open_one.connection.copy_records_to_table(
                table, records=rows, columns=columns, timeout=_COPY_PATIENCE
            )
        except asyncpg.UniqueViolationError as error:
            raise NotUnique(error.constraint_name or "") from error
        except _UNREACHABLE as error:
            raise DatabaseUnavailable from error

    async def lock(self, name: str) -> None:
        """Hold an advisory lock until the transaction ends."""
        number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)
        await self.fetch("SELECT pg_advisory_xact_lock($1)", (number,))

    @asynccontextmanager
    async def open_transaction(self) -> AsyncIterator[None]:
        """Begin a transaction, or join the open one.

        The connection goes back to the pool whatever happens to it in between.
        """
        if self.current_transaction.get() is not None:
            yield
            return
        async with self._turn(), self._connection() as connection:
            try:
                async with _all_or_nothing(connection):
                    token = self.current_transaction.set(_Open(self, connection))
                    try:
                        yield
                    finally:
                        self.current_transaction.reset(token)
            except _UNREACHABLE as error:
                raise self._unavailable(error) from error

    @asynccontextmanager
    async def open_snapshot(self) -> AsyncIterator[None]:
        """Begin a transaction that sees what there was, and changes nothing."""
        async with self.open_transaction():
            await self.fetch("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY", ())
            yield

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Wait until one more transaction may be open.

        Who waited for others that met silence is told at once, and does not wait for it once more.
        """
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._patience):
                await self._transactions.acquire()
        except TimeoutError as error:
            raise DatabaseUnavailable from error
        try:
            if self._silent_at >= began:
                raise DatabaseUnavailable
            yield
        finally:
            self._transactions.release()

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[asyncpg.Connection]:
        """Take a connection, and give it back whatever happens to it in between."""
        pool = self._pool
        try:
            connection = await pool.acquire(timeout=self._patience)
        except _UNREACHABLE as error:
            raise self._unavailable(error) from error
        try:
            yield connection
        finally:
            await _give_back(pool, connection)

    def _unavailable(self, error: BaseException) -> DatabaseUnavailable:
        """Say that the database is away; remember when it has kept silent."""
        if isinstance(error, TimeoutError):
            self._silent_at = time.monotonic()
        return DatabaseUnavailable()

    @property
    def _pool(self) -> asyncpg.Pool:
        if self.pool is None:
            raise DatabaseUnavailable
        return self.pool


class _Open(PostgresTransaction):
    """The open transaction, in the shape in which Piccolo looks for it."""

    def __init__(self, engine: PooledPostgres, connection: asyncpg.Connection) -> None:
        super().__init__(engine)
        self.connection = connection


@asynccontextmanager
async def _all_or_nothing(connection: Any) -> AsyncIterator[None]:  # noqa: ANN401  # of the pool
    """Commit what is done inside, or undo it; a server that keeps silent undoes it by itself."""
    transaction = connection.transaction()
    try:
        async with asyncio.timeout(_FIRST_WORD):
            await transaction.start()
    except BaseException:
        connection.terminate()  # nobody knows whether it is within a transaction
        raise
    try:
        yield
    except BaseException:
        if not _is_lost(connection):
            try:
                async with asyncio.timeout(_LETTING_GO):
                    await transaction.rollback()
            except (*_UNREACHABLE, asyncpg.PostgresError):
                connection.terminate()
        raise
    await transaction.commit()


async def _keep(_connection: asyncpg.Connection) -> None:
    """Reset nothing between two uses of a connection."""


def _is_lost(connection: Any) -> bool:  # noqa: ANN401  # a connection of the pool
    """Say whether a connection has ended; then the pool has taken it back by itself."""
    try:
        return bool(connection.is_closed())
    except asyncpg.InterfaceError:
        return True


async def _give_back(pool: asyncpg.Pool, connection: Any) -> None:  # noqa: ANN401  # see above
    """Return a connection to the pool it is of, even while that is closing.

    One whose statement was given up is ended if the server does not give it up soon.
    """
    with contextlib.suppress(asyncpg.InterfaceError, asyncpg.InternalClientError, TimeoutError):
        await pool.release(connection, timeout=_LETTING_GO)


def _connection_arguments(settings: Database) -> dict[str, Any]:
    url = settings.url.reveal()
    if not url:
        return {
            "host": settings.host,
            "port": int(settings.port),
            "user": settings.user,
            "password": settings.password.reveal() or None,
            "database": settings.database,
        }
    parts = urlsplit(url)
    return {
        "dsn": parts._replace(scheme="postgresql").geturl(),
        "database": unquote(parts.path[1:]),
    }


def _is_about_text(error: asyncpg.DataError) -> bool:
    """Say whether U+0000 or half of a surrogate pair is the cause."""
    unencodable = isinstance(error.__cause__, UnicodeEncodeError)
    return unencodable or isinstance(error, asyncpg.CharacterNotInRepertoireError)


def _kind(error: BaseException) -> str:
    return type(error).__name__
