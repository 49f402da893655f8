"""Clients of a listener: one that speaks through httpx, one that hands over raw ASGI messages."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import httpx

from app.assembly import Services
from app.http.listener import Name
from app.logs import RequestLog
from app.server import application

ORIGIN = "http://localhost:8000"
PEER = ("127.0.0.1", 50_000)
MODERN = "application/graphql-response+json"

Pairs = Sequence[tuple[str, str]]


class Face:
    """A listener in this process, with the credentials of a call beside the call."""

    def __init__(
        self,
        services: Services,
        name: Name = "public",
        *,
        log: RequestLog | None = None,
        peer: tuple[str, int] = PEER,
    ) -> None:
        self.gate = application(services, name, log)
        transport = httpx.ASGITransport(self.gate, client=peer)
        self._client = httpx.AsyncClient(transport=transport, base_url=ORIGIN)

    async def gql(
        self, query: str, variables: Mapping[str, Any] | None = None, **call: Any
    ) -> dict[str, Any]:
        """Ask GraphQL and give the answer's body."""
        return (await self.ask(query, variables, **call)).json()

    async def ask(
        self, query: str, variables: Mapping[str, Any] | None = None, **call: Any
    ) -> httpx.Response:
        """Ask GraphQL and give the whole answer."""
        body: dict[str, Any] = {"query": query}
        if variables is not None:
            body["variables"] = dict(variables)
        return await self.post("/graphql", body, **call)

    async def get(self, path: str, **call: Any) -> httpx.Response:
        return await self.call("GET", path, **call)

    async def post(self, path: str, body: object = ..., **call: Any) -> httpx.Response:
        """Send JSON, unless `content` is given or the body is left out."""
        return await self.call("POST", path, body, **call)

    async def patch(self, path: str, body: object = ..., **call: Any) -> httpx.Response:
        return await self.call("PATCH", path, body, **call)

    async def call(
        self,
        method: str,
        path: str,
        body: object = ...,
        *,
        key: str | None = None,
        token: str | None = None,
        cookie: str | None = None,
        headers: Mapping[str, str] | Pairs = (),
        content: bytes | None = None,
    ) -> httpx.Response:
        """Send a request: a secret key or token as bearer, another token in the cookie."""
        lines = list(headers.items() if isinstance(headers, Mapping) else headers)
        if body is not ... and content is None:
            content = json.dumps(body).encode()
        if content is not None and not any(name.lower() == "content-type" for name, _ in lines):
            lines.append(("content-type", "application/json"))
        bearers = [bearer for bearer in (key, token) if bearer is not None]
        lines += [("authorization", f"Bearer {bearer}") for bearer in bearers]
        if cookie is not None:
            lines.append(("cookie", f"hanko={cookie}"))
        self._client.cookies.clear()
        raw = [(name.encode(), value.encode("latin-1")) for name, value in lines]
        return await self._client.request(method, path, headers=raw, content=content)


class Answer:
    """What an application sent back over ASGI."""

    def __init__(self, messages: list[dict[str, Any]], received: int) -> None:
        start = next(m for m in messages if m["type"] == "http.response.start")
        self.status: int = start["status"]
        self.headers: list[tuple[bytes, bytes]] = list(start["headers"])
        self.body = b"".join(m.get("body", b"") for m in messages)
        self.received = received
        """How many pieces of the request's body were taken."""


async def exchange(  # a request as no client library would write it
    face: Face,
    method: str,
    path: str,
    headers: Iterable[tuple[bytes, bytes]] = (),
    chunks: Sequence[bytes] = (b"",),
    *,
    host: bytes | None = b"localhost:8000",
) -> Answer:
    """Hand a request to the listener as a server would, without any of a client's scruples."""
    named = [] if host is None else [(b"host", host)]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(errors="replace"),
        "query_string": b"",
        "root_path": "",
        "headers": [*named, *headers],
        "client": PEER,
        "server": ("localhost", 8000),
        "state": {},
    }
    waiting = list(chunks)
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if not waiting:
            return {"type": "http.disconnect"}
        part = waiting.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(waiting)}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await face.gate(scope, receive, send)
    return Answer(sent, len(chunks) - len(waiting))
