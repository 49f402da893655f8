"""One client's connection: it is kept, and what becomes of each request is known exactly."""

import asyncio
import json
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

PATIENCE = 30.0
"""Seconds an answer may take: longer is a failure of its own."""

_NO_ANSWER = (OSError, EOFError, ValueError)


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one request.

    Attributes:
        status: The status; 0 where there was no answer.
        failure: Why there was none: `refused`, `cut` or `late`; or the status or the code, where
            they say that the server could not; else empty.
        body: What was answered, if that was JSON.
        began: When the request was sent.
        ended: When the answer was there, or its absence was known.
    """

    status: int
    failure: str
    body: Any
    began: float
    ended: float

    @property
    def seconds(self) -> float:
        return self.ended - self.began

    @property
    def bare(self) -> "Answer":
        """The same without its body: there may be many to keep."""
        return Answer(self.status, self.failure, None, self.began, self.ended)

    def data(self, field_name: str) -> Any:
        """Give a field of a GraphQL answer; None where it is not there."""
        found = self.body.get("data") if isinstance(self.body, dict) else None
        return found.get(field_name) if isinstance(found, dict) else None


@dataclass(slots=True)
class Line:
    """A connection to a port, opened when it is needed, and anew when the server has closed it."""

    port: int
    patience: float = PATIENCE
    _reader: asyncio.StreamReader | None = field(default=None, repr=False)
    _writer: asyncio.StreamWriter | None = field(default=None, repr=False)

    async def gql(self, query: str, bearer: str | None = None, **variables: Any) -> Answer:
        """Ask GraphQL."""
        return await self.post("/graphql", {"query": query, "variables": variables}, bearer)

    async def post(self, path: str, body: object, bearer: str | None = None) -> Answer:
        """Send JSON and wait for what becomes of it."""
        return await self._send(_request("POST", path, json.dumps(body).encode(), bearer))

    async def get(self, path: str) -> Answer:
        """Ask for a path."""
        return await self._send(_request("GET", path))

    def hang_up(self) -> None:
        """Close the connection."""
        if self._writer is not None:
            self._writer.transport.abort()
        self._reader = self._writer = None

    async def _send(self, request: bytes) -> Answer:
        began = time.monotonic()
        try:
            async with asyncio.timeout(self.patience):
                reader, writer = await self._connected()
                try:
                    writer.write(request)
                    status, given = await self._answer(reader)
                except _NO_ANSWER:
                    return self._failed("cut", began)
        except OSError as error:  # a TimeoutError is one
            return self._failed("late" if isinstance(error, TimeoutError) else "refused", began)
        return Answer(status, _failure(status, given), given, began, time.monotonic())

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._reader is not None and self._reader.at_eof():
            self.hang_up()
        if self._reader is None or self._writer is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self.port)
        return self._reader, self._writer

    async def _answer(self, reader: asyncio.StreamReader) -> tuple[int, Any]:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = int(head.partition("content-length: ")[2].partition("\r\n")[0] or 0)
        body = await reader.readexactly(length)
        if "\r\nconnection: close\r\n" in head:
            self.hang_up()
        return int(head.split()[1]), json.loads(body) if body else None

    def _failed(self, failure: str, began: float) -> Answer:
        self.hang_up()
        return Answer(0, failure, None, began, time.monotonic())


def _failure(status: int, body: Any) -> str:
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return str(status)
    errors = body.get("errors") if isinstance(body, dict) else None
    return str(errors[0]["extensions"]["code"]) if errors else ""


def _request(method: str, path: str, body: bytes = b"", bearer: str | None = None) -> bytes:
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: localhost",
        *([f"Authorization: Bearer {bearer}"] if bearer else []),
        *(["Content-Type: application/json", f"Content-Length: {len(body)}"] if body else []),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body
