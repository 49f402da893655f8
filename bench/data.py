"""What is in the databases: users by the thousand or million, some of them with a session."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg

from app import strictjson
from app.access import ALL_SCOPES, SYSTEM
from app.assembly import Services, assemble
from app.config import load
from app.persistence import fetch
from app.secretkeys import NewSecretKey
from bench import rows

SESSIONS = 256
"""Users with a session; requests go round among them."""

_PASSWORDS = 8_192
_SET_PASSWORDS = """
INSERT INTO user_password (user_id, id, hash, imported, changed_at)
SELECT id, id, $1, $2, $3 FROM app_user ORDER BY id DESC LIMIT $4
"""


@dataclass(frozen=True, slots=True)
class Signed:
    """A user's id and the token of a session of theirs."""

    user: UUID
    token: str


@dataclass(frozen=True, slots=True)
class Filled:
    """A database with users, and what opens it."""

    name: str
    users: int
    environment: dict[str, str]
    signed: tuple[Signed, ...]
    secret: str
    jwks: str

    @property
    def url(self) -> str:
        """The database's address."""
        return self.environment["DATABASE_URL"]


async def create_database(server: str, name: str) -> str:
    """Make an empty database on a PostgreSQL server and give its URL."""
    connection = await asyncpg.connect(server)
    try:
        await connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        await connection.execute(f"CREATE DATABASE {name}")
    finally:
        await connection.close()
    return urlsplit(server)._replace(path=f"/{name}").geturl()


async def drop_database(server: str, name: str) -> None:
    """Drop a database that was made here."""
    connection = await asyncpg.connect(server)
    try:
        await connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    finally:
        await connection.close()


async def fill(name: str, users: int, environment: dict[str, str], empty: Path) -> Filled:
    """Bring a database up to date, load users into it, and begin sessions for the newest."""
    url = environment["DATABASE_URL"]
    async with _opened(environment, empty):
        pass  # opening makes the tables
    if url.startswith("sqlite"):
        _load_sqlite(url.removeprefix("sqlite:///"), users)
    else:
        await _load_postgres(url, users)
    async with _opened(environment, empty) as services:
        await _set_passwords(services, with_passwords(users))
        signed = tuple([await _signed(services, users - 1 - n) for n in range(SESSIONS)])
        # The server notes a session's use once a minute; here it would do so for all of them in
        # the same moment, and one round would bear what a minute does.
        later = services.clock() + timedelta(hours=2)
        await fetch("UPDATE user_session SET last_used_at = $1", later)
        new = NewSecretKey("bench", (ALL_SCOPES,))
        _, secret = await services.secret_keys.create(SYSTEM, new, None)
        jwks = strictjson.encode(services.signing_keys.jwks())
    return Filled(name, users, environment, signed, secret, jwks)


@asynccontextmanager
async def _opened(environment: dict[str, str], empty: Path) -> AsyncIterator[Services]:
    services = assemble(load(empty, environment))
    try:
        await services.open()
        yield services
    finally:
        await services.close()


def with_passwords(users: int) -> range:
    """Say which of so many users have a password: the newest, and never all."""
    return range(users - min(_PASSWORDS, users // 2), users)


async def _set_passwords(services: Services, numbers: range) -> None:
    """Give users one password by one hash, which takes as long to check as any other."""
    text = await services.passwords.hasher.hash(rows.PASSWORD)
    await fetch(_SET_PASSWORDS, text, False, services.clock(), len(numbers))  # noqa: FBT003


async def _signed(services: Services, number: int) -> Signed:
    user = rows.user_id(number)
    return Signed(user, (await services.sessions.issue(SYSTEM, user)).token)


async def _load_postgres(url: str, users: int) -> None:
    """COPY the rows, parents first, without asking for each whether its parent is there."""
    connection = await asyncpg.connect(url)
    try:
        with suppress(asyncpg.InsufficientPrivilegeError):  # slower, and as good
            await connection.execute("SET session_replication_role = replica")
        for table, columns in rows.COLUMNS.items():
            await connection.copy_to_table(
                table, source=rows.copied(table, users), columns=columns.split(", ")
            )
        await connection.execute("VACUUM ANALYZE")
        with suppress(asyncpg.InsufficientPrivilegeError):
            await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


def _load_sqlite(path: str, users: int) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        for table, columns in rows.COLUMNS.items():
            marks = ", ".join("?" for _ in columns.split(", "))
            sql = f"INSERT INTO {table} ({columns}) VALUES ({marks})"
            connection.executemany(sql, rows.values(table, range(users)))
        connection.execute("COMMIT")
        connection.execute("ANALYZE")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        connection.close()
