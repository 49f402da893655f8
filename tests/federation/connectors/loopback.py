"""A small HTTP server on loopback that answers what a test tells it to."""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Asked:
    """A request, as it came over the socket."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    form: dict[str, str]
    raw: bytes = field(repr=False)


@dataclass
class Reply:
    """An answer; one that stalls sends nothing until the client has gone."""

    body: object = b""
    status: int = 200
    content_type: str = "application/json"
    headers: tuple[str, ...] = ()
    stalls: bool = False

    def written(self) -> bytes:
        body = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        lines = (
            f"HTTP/1.1 {self.status} Answer",
            f"Content-Type: {self.content_type}",
            f"Content-Length: {len(body)}",
            "Connection: close",
            *self.headers,
        )
        return "\r\n".join([*lines, "", ""]).encode() + body


Answering = Callable[[Asked], Awaitable[Reply]]


@dataclass
class Loopback:
    """The server; `paths` tells what each path answers, `asked` keeps what came."""

    paths: dict[str, Callable[[Asked], Reply]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            asked = await read(reader)
            self.asked.append(asked)
            found = self.paths.get(asked.path)
            reply = found(asked) if found else Reply({"error": "not_found"}, 404)
            if reply.stalls:
                await reader.read()
            else:
                writer.write(reply.written())
                await writer.drain()
        writer.close()

    def count(self, path: str) -> int:
        return sum(asked.path == path for asked in self.asked)


async def read(reader: asyncio.StreamReader) -> Asked:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")[:-2]
    method, target, _ = first.split(" ")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    parts = urlsplit(target)
    form = dict(parse_qsl(body.decode(), keep_blank_values=True))
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    return Asked(method, parts.path, query, headers, form, head + body)


@contextlib.asynccontextmanager
async def serving(**paths: Callable[[Asked], Reply]):
    server = Loopback({f"/{name}": answer for name, answer in paths.items()})
    async with await asyncio.start_server(server.serve, "127.0.0.1", 0) as listening:
        server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        yield server
