"""The floor: the least that can answer `me`, as fast as it is reasonably written.

A bare ASGI application on uvicorn. It parses the body as JSON, finds the session token in a cache
of verified ones, reads one row of session and bags by primary key, and sends the stored JSON as it
is. It checks no host, header or document, names no request and writes no log. `/write` changes the
unsafe bag in one statement instead; that is the floor of a write.
"""

import asyncio
import sqlite3
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from typing import Any, NamedTuple, Protocol
from uuid import UUID

import asyncpg
import jwt
import msgspec
from asyncpg.prepared_stmt import PreparedStatement

from bench.serving import Settings, run, serve

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_POOL = 5  # as many connections as the server keeps unless it is told otherwise
_READ = """
SELECT s.user_id, m.public_bag, m.unsafe_bag
FROM user_session s JOIN user_metadata m ON m.user_id = s.user_id
WHERE s.id = $1
"""
_WRITE = """
UPDATE user_metadata SET unsafe_bag = $2, version = version + 1
WHERE user_id = (SELECT user_id FROM user_session WHERE id = $1)
RETURNING user_id
"""


class Verified(NamedTuple):
    """What a token with a good signature says."""

    session: UUID
    expires_at: float


class Body(msgspec.Struct):
    """What a request's body holds."""

    query: str
    variables: dict[str, msgspec.Raw] | None = None


class Rows(Protocol):
    """Reads and writes the two rows."""

    async def read(self, session: UUID) -> Any:
        """Give user, public bag and unsafe bag of a session; None where it is gone."""

    async def write(self, session: UUID, bag: str) -> Any:
        """Change the unsafe bag of a session's user."""


class PostgresRows:
    """One prepared statement on a pool that resets nothing."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def read(self, session: UUID) -> Any:
        async with self._pool.acquire() as connection:
            return await connection.fetchrow(_READ, session)

    async def write(self, session: UUID, bag: str) -> Any:
        async with self._pool.acquire() as connection:
            return await connection.fetchrow(_WRITE, session, bag)


class KeptRows:
    """The read without a pool: prepared statements that we hand out, first come first served.

    asyncpg's pool costs about as much as the query it hands a connection out for.
    """

    def __init__(self, statements: Iterable[PreparedStatement]) -> None:
        self._free = deque(statements)
        self._waiting: deque[asyncio.Future[PreparedStatement]] = deque()

    async def read(self, session: UUID) -> Any:
        statement = self._free.pop() if self._free else await self._turn()
        try:
            return await statement.fetchrow(session)
        finally:
            if self._waiting:
                self._waiting.popleft().set_result(statement)
            else:
                self._free.append(statement)

    async def write(self, session: UUID, bag: str) -> Any:
        raise NotImplementedError

    def _turn(self) -> "asyncio.Future[PreparedStatement]":
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        return turn


class SqliteRows:
    """The same on the event loop's own thread; a write is on the disk when it returns."""

    def __init__(self, path: str) -> None:
        self._reader = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
        self._writer = sqlite3.connect(path, timeout=15, isolation_level=None)
        self._writer.execute("PRAGMA synchronous = FULL")
        self._read, self._write = (sql.replace("$", "?") for sql in (_READ, _WRITE))

    async def read(self, session: UUID) -> Any:
        return self._reader.execute(self._read, (str(session),)).fetchone()

    async def write(self, session: UUID, bag: str) -> Any:
        return self._writer.execute(self._write, (str(session), bag)).fetchone()


class Floor:
    """The application."""

    def __init__(self, rows: Rows, keys: jwt.PyJWKSet) -> None:
        self._rows = rows
        self._keys = keys
        self._known: dict[bytes, Verified] = {}
        self._body = msgspec.json.Decoder(Body)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        message = await receive()
        text = message["body"]
        while message["more_body"]:
            message = await receive()
            text += message["body"]
        body = self._body.decode(text)
        token = dict(scope["headers"])[b"authorization"]
        verified = self._known.get(token) or self._verify(token)
        row = None
        if verified.expires_at > time.time():
            row = await self._row(scope["path"], verified.session, body)
        if row is None:
            await _answer(send, 401, b"{}")
        elif len(row) == 1:
            await _answer(send, 200, f'{{"data":{{"updateMe":{{"id":"{row[0]}"}}}}}}'.encode())
        else:
            await _answer(send, 200, _me(*row))

    def _row(self, path: str, session: UUID, body: Body) -> Awaitable[Any]:
        if path != "/write":
            return self._rows.read(session)
        return self._rows.write(session, bytes((body.variables or {})["bag"]).decode())

    def _verify(self, header: bytes) -> Verified:
        token = header.decode().removeprefix("Bearer ")
        key = self._keys[jwt.get_unverified_header(token)["kid"]]
        claims = jwt.decode(token, key, ["ES256"], options={"verify_aud": False})
        verified = Verified(UUID(claims["session_id"]), float(claims["exp"]))
        self._known[header] = verified
        return verified


def _me(user: UUID | str, public: str, unsafe: str) -> bytes:
    me = f'"id":"{user}","publicMetadata":{public},"unsafeMetadata":{unsafe}'
    return f'{{"data":{{"me":{{{me}}}}}}}'.encode()


async def _answer(send: Send, status: int, body: bytes) -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _keep(_connection: asyncpg.Connection) -> None:
    """Reset nothing between two uses of a connection."""


async def main(settings: Settings) -> None:
    """Serve until told to stop."""
    keys = jwt.PyJWKSet.from_json(settings.jwks)
    async with AsyncExitStack() as stack:
        await serve(Floor(await _rows(settings, stack), keys), settings.port)


async def _rows(settings: Settings, stack: AsyncExitStack) -> Rows:
    if not settings.is_postgres:
        return SqliteRows(settings.sqlite_path)
    pool = asyncpg.create_pool(settings.database, min_size=_POOL, max_size=_POOL, reset=_keep)
    await stack.enter_async_context(pool)
    if settings.pool:
        return PostgresRows(pool)
    connections = [await stack.enter_async_context(pool.acquire()) for _ in range(_POOL)]
    return KeptRows([await connection.prepare(_READ) for connection in connections])


if __name__ == "__main__":
    run(main(Settings.given()))
