"""The one open database of the process, and what the domains ask of it."""

import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, cast

from piccolo.conf.apps import table_finder
from piccolo.querystring import QueryString

from app.config.sections import Config
from app.persistence.engine import Dialect, Engine, Row
from app.persistence.errors import DatabaseUnavailable
from app.persistence.postgres import PooledPostgres
from app.persistence.sqlite import LongLivedSqlite
from app.telemetry import span, statement

TABLES = (
    "app.audit.tables",
    "app.credentials.tables",
    "app.federation.saml.tables",
    "app.federation.tables",
    "app.flows.tables",
    "app.keys.tables",
    "app.mail.tables",
    "app.metadata.tables",
    "app.secretkeys.tables",
    "app.sessions.tables",
    "app.templates.tables",
    "app.users.tables",
    "app.webhooks.tables",
)
"""Where the tables stand, by name: this layer imports no domain."""

SQLITE_FILE = "sekisho.sqlite"
_open: list[Engine] = []
_savepoints = itertools.count(1)
_deeds: ContextVar[list[Callable[[], None]] | None] = ContextVar("deeds", default=None)


async def connect(config: Config) -> None:
    """Open the database that *config* names and let every table use it.

    Raises:
        DatabaseUnavailable: It cannot be reached, or the file is no database.
    """
    engine = _engine_for(config)
    await engine.open()
    _open[:] = [engine]
    for table in table_finder(list(TABLES)):
        table._meta.db = cast("Any", engine)  # noqa: SLF001  # Piccolo's own switch


async def disconnect() -> None:
    """Close the database."""
    if _open:
        await _open.pop().close()


def transaction() -> AbstractAsyncContextManager[None]:
    """Begin a transaction, or join the one that is open."""
    return _transaction(_engine())


def after_commit(deed: Callable[[], None]) -> None:
    """Do what no rollback could undo once the open transaction has been committed, or now."""
    deeds = _deeds.get()
    if deeds is None:
        deed()
    else:
        deeds.append(deed)


def snapshot() -> AbstractAsyncContextManager[None]:
    """Read everything inside as of one moment, without holding up who writes."""
    return _engine().open_snapshot()


@asynccontextmanager
async def savepoint() -> AsyncIterator[None]:
    """Guard a part of the open transaction: an error raised out of it undoes that part alone."""
    name = f"savepoint_{next(_savepoints)}"  # from a counter: no input reaches it (SEC-121)
    deeds = _deeds.get() or []
    done = len(deeds)
    await fetch(f"SAVEPOINT {name}")
    try:
        yield
    except DatabaseUnavailable:  # a full disk, a lost connection: the whole transaction is gone
        del deeds[done:]
        raise
    except BaseException:
        del deeds[done:]
        await fetch(f"ROLLBACK TO SAVEPOINT {name}")
        await fetch(f"RELEASE SAVEPOINT {name}")
        raise
    await fetch(f"RELEASE SAVEPOINT {name}")


async def fetch(sql: str, *args: Any) -> Sequence[Row]:  # noqa: ANN401  # what a column can hold
    """Run one statement with `$1`-style parameters and give its rows."""
    engine = _engine()
    with statement(sql, engine.dialect):
        return await engine.fetch(sql, args)


async def fetch_row(sql: str, *args: Any) -> Row | None:  # noqa: ANN401  # what a column can hold
    """Run one quick look-up by key and give its row."""
    engine = _engine()
    with statement(sql, engine.dialect):
        return await engine.fetch_row(sql, args)


async def copy_rows(table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Write many rows at once, in the open transaction; the names come from code alone."""
    with span("COPY", {"db.collection.name": table, "sekisho.rows": len(rows)}, kind="client"):
        await _engine().copy(table, columns, rows)


async def fetch_composed(query: QueryString) -> Sequence[Row]:
    """Run a statement that was composed of parts."""
    engine = _engine()
    sql, args = query.compile_string(engine_type=engine.dialect)
    with statement(sql, engine.dialect):
        return await engine.fetch(sql, args)


async def exclusive(name: str) -> None:
    """Let no other replica into the part called *name* until the open transaction ends."""
    await _engine().lock(name)


def in_transaction() -> bool:
    """Say whether a transaction is open here: no place for what takes its time."""
    return _engine().transaction_exists()


def speaks() -> Dialect:
    """Say which dialect of SQL the open database speaks."""
    return _engine().dialect


def pool_use() -> tuple[int, int]:
    """Say how many connections there are, and how many of them are at work."""
    return _engine().pool_use()


async def is_reachable() -> bool:
    """Say whether the database answers."""
    try:
        return await fetch_row("SELECT 1 AS one") is not None
    except DatabaseUnavailable:
        return False


@asynccontextmanager
async def _transaction(engine: Engine) -> AsyncIterator[None]:
    if _deeds.get() is not None:
        async with engine.open_transaction():
            yield
        return
    deeds: list[Callable[[], None]] = []
    token = _deeds.set(deeds)
    try:
        with span("transaction"):
            async with engine.open_transaction():
                yield
    finally:
        _deeds.reset(token)
    for deed in deeds:
        deed()


def _engine() -> Engine:
    if not _open:
        raise DatabaseUnavailable
    return _open[0]


def _engine_for(config: Config) -> Engine:
    url = config.database.url.reveal()
    dialect = url.partition(":")[0] if url else config.database.dialect
    if dialect == "sqlite":
        path = Path(url.removeprefix("sqlite:///")) if url else Path(config.data_dir) / SQLITE_FILE
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return LongLivedSqlite(path)
    return PooledPostgres(config.database)
