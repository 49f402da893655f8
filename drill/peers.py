"""What the replicas talk to: a mail server, and servers that are told of events."""

import asyncio
import base64
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email import message_from_bytes
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope

from drill.programs import free_port

PATIENCE = 400.0
"""Seconds for which something is awaited: longer than anything may take."""

_CODE = re.compile(r"\b[0-9]{6}\b")
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


class Postbox:
    """A mail server, which can be away, and keeps of every mail the code in its subject."""

    def __init__(self) -> None:
        self.port = free_port()
        self.codes: dict[str, list[str]] = {}
        self._came = asyncio.Condition()
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Take mail from now on."""
        if self._server is not None:
            return
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: SMTP(self, loop=loop, enable_SMTPUTF8=True), "127.0.0.1", self.port
        )

    async def close(self) -> None:
        """Take none any more."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def code(self, recipient: str, number: int = 1) -> str:
        """Wait for somebody's mail, the first or a later one, and give its code."""
        async with asyncio.timeout(PATIENCE), self._came:
            await self._came.wait_for(lambda: len(self.codes.get(recipient, ())) >= number)
        return self.codes[recipient][number - 1]

    async def handle_DATA(self, _server: SMTP, _session: Any, envelope: Envelope) -> str:  # noqa: N802  # aiosmtpd's name
        """Take a mail."""
        content = envelope.content
        assert isinstance(content, bytes)
        found = _CODE.search(message_from_bytes(content)["Subject"] or "")
        async with self._came:
            for recipient in envelope.rcpt_tos:
                self.codes.setdefault(recipient, []).append(found[0] if found else "")
            self._came.notify_all()
        return "250 OK"


@dataclass(frozen=True, slots=True)
class Told:
    """One event as it came.

    Attributes:
        id: The event's id, the same in every attempt.
        user: Whom it is about.
        name: The user name it tells of.
        at: When it came.
    """

    id: str
    user: str
    name: str
    at: float


@dataclass(slots=True)
class Hook:
    """A server that is told of events; it refuses them while `is_down`."""

    is_down: bool = False
    port: int = field(default_factory=free_port)
    told: list[Told] = field(default_factory=list)
    refused: int = 0
    _came: asyncio.Condition = field(default_factory=asyncio.Condition)
    _server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/events"

    async def open(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def close(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()

    async def until(self, is_enough: Callable[[], bool]) -> None:
        """Wait until what has come is enough."""
        async with asyncio.timeout(PATIENCE), self._came:
            await self._came.wait_for(is_enough)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = _LENGTH.search(head)
            body = await reader.readexactly(int(length[1]) if length else 0)
            status = b"503 Service Unavailable" if self.is_down else b"200 OK"
            async with self._came:
                if self.is_down:
                    self.refused += 1
                else:
                    self.told.append(_told(body))
                self._came.notify_all()
            writer.write(b"HTTP/1.1 %b\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % status)
            await writer.drain()
        except (OSError, EOFError):
            return
        finally:
            writer.close()


def _told(body: bytes) -> Told:
    """Read an event; whether its signature is good is for other tests to say."""
    payload = json.loads(body)["token"].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    data = claims["data"]
    name = data["username"]["username"] if data.get("username") else ""
    return Told(claims["jti"], data["id"], name, time.monotonic())
