"""Databases of a test's own, beside the one that most tests share."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import asyncpg
from factories import TABLES
from piccolo.conf.apps import table_finder

from app.config import Config
from app.persistence import connect, database, disconnect, fetch

Fresh = Callable[..., Awaitable[Config]]
"""Makes the configuration of an empty database; keywords are further variables."""


_FILLED = " UNION ALL ".join(
    f"SELECT '{table}' AS name WHERE EXISTS (SELECT 1 FROM {table})" for table in TABLES
)
"""Names the tables that have rows: to ask once is cheaper than to empty each."""


async def emptied(*, but: str = "") -> None:
    """Delete every row of the open database, but for those of one table."""
    filled = {row["name"] for row in await fetch(_FILLED)} - {but}
    for table in (one for one in TABLES if one in filled):
        await fetch(f"DELETE FROM {table}")


@asynccontextmanager
async def visiting(config: Config) -> AsyncIterator[None]:
    """Use another database for a while, then the shared one again."""
    async with elsewhere():
        await connect(config)
        yield


@asynccontextmanager
async def elsewhere() -> AsyncIterator[None]:
    """Have no database open for a while, then the shared one again."""
    shared = database._open[:]
    database._open.clear()
    try:
        yield
    finally:
        await disconnect()
        database._open[:] = shared
        for table in table_finder(list(database.TABLES)) if shared else ():
            table._meta.db = shared[0]


def environment_of(config: Config) -> dict[str, str]:
    """The variables that lead another process to the same database."""
    variables = {"DATA_DIR": config.data_dir, "DATABASE_URL": config.database.url.reveal()}
    return variables | {"LOG_LEVEL": "ERROR", "AUDIT_LOG_CONSOLE_OUTPUT_ENABLED": "false"}


async def administer(url: str, statement: str) -> None:
    """Run one statement on a PostgreSQL server."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
