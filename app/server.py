"""The server: a Litestar application for each listener, run by uvicorn until it is told to stop."""

import asyncio
import contextlib
import gc
import signal
import socket
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import uvicorn
from litestar import Litestar, Request, asgi
from litestar.di import Provide
from litestar.handlers import ASGIRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app import __version__, explorer, quickstart
from app.assembly import Services
from app.bundles import ASSET_CACHE_CONTROL, Bundle
from app.config import Config, parse_listener
from app.errors import IdentityError
from app.graphql import GraphQLEndpoint
from app.http import Caller, Callers, Gate, Listener, SessionCookie, answer, asked_of, problem
from app.http.body import MAX_BODY
from app.http.gate import MAX_HEADER_BYTES, MAX_HEADERS
from app.http.listener import Name
from app.logs import RequestLog
from app.rest import EXCEPTION_HANDLERS, StrictRequest, routes
from app.worker import working

KEEP_ALIVE = 75
_LOG_EVERY = 0.25
_BACKLOG = 2048


def application(services: Services, name: Name, log: RequestLog | None = None) -> Gate:
    """Build the ASGI application of one listener."""
    config = services.config
    listener = Listener(name, config)
    callers = Callers(services.sessions, services.secret_keys, SessionCookie(config.session))
    app = Litestar(
        [
            _graphql(GraphQLEndpoint(services, callers, listener)),
            _assets(explorer.BUNDLE),
            *([] if config.is_production else [_assets(quickstart.BUNDLE)]),
            *routes(listener),
        ],
        dependencies=_dependencies(services, callers),
        exception_handlers=EXCEPTION_HANDLERS,
        request_class=StrictRequest,
        request_max_body_size=MAX_BODY,
        openapi_config=None if config.is_production else _openapi(config),
        logging_config=None,
        signature_types=[Services, Caller, Callers],
    )
    return Gate(app, listener, config, log or RequestLog(), services.metrics)


class AddressRefused(IdentityError):
    """A listener cannot have its address; the message says which and why."""

    code = "address_refused"
    message = "An address cannot be listened on."


@contextlib.contextmanager
def listening(config: Config, names: Sequence[Name]) -> Iterator[dict[Name, socket.socket]]:
    """Open the listeners' sockets, so that a taken port is told before anything is made.

    Raises:
        AddressRefused: One cannot be opened.
    """
    with contextlib.ExitStack() as held:
        yield {name: held.enter_context(_listen(config, name)) for name in names}


async def serve(services: Services, sockets: Mapping[Name, socket.socket]) -> None:
    """Answer and work until SIGINT or SIGTERM, then finish what is in flight (SEC-139)."""
    log = RequestLog()
    servers = {name: _Server(services, name, log) for name in sockets}
    async with _stopping(list(servers.values())), _flushing(log), working(services):
        gc.collect()
        gc.freeze()
        await asyncio.gather(
            *(server.serve(sockets=[sockets[name]]) for name, server in servers.items())
        )


def address_of(config: Config, name: Name) -> tuple[str, int]:
    """Give the host and port of a listener."""
    return parse_listener(_address(config, name))


class _Gathering:
    """A transport that hands the head and the body of an answer to the system together.

    uvicorn writes them one after the other; each write is a call to the system, and on a short
    answer that call is a good part of the price.
    """

    __slots__ = ("_loop", "_parts", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Keep a part until the loop comes round."""
        if not self._parts:
            self._loop.call_soon(self._flush)
        self._parts.append(data)

    def close(self) -> None:
        """Write what is kept, then close."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._parts:
            parts, self._parts = self._parts, []
            self._transport.write(b"".join(parts))

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # the transport's own
        return getattr(self._transport, name)


class _BoundedHttp(HttpToolsProtocol):
    """Stops reading a request whose head outgrows its limit (SEC-109)."""

    _read = 0
    _fields = 0
    _in_head = True
    _head = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # always one
        """Begin a connection."""
        gathering: Any = _Gathering(transport, self.loop)
        super().connection_made(gathering)

    def data_received(self, data: bytes) -> None:
        """Take what has come; a head that has not ended after so much of it never will.

        The parser keeps an unfinished header to itself, so its own count would come too late.
        """
        if self._in_head:
            self._head += len(data)
        super().data_received(data)
        if self._in_head and self._head > 4 * MAX_HEADER_BYTES:
            self.transport.close()

    def on_message_begin(self) -> None:
        """Begin to count."""
        self._read = 0
        self._fields = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Count no further: what follows is the body."""
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Wait for the next head."""
        self._in_head = True
        self._head = 0
        super().on_message_complete()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a header; one too many ends the connection."""
        self._read += len(name) + len(value)
        self._fields += 1
        if self._read > 2 * MAX_HEADER_BYTES or self._fields > 2 * MAX_HEADERS:
            raise ValueError("headers too large")
        super().on_header(name, value)


class _Server(uvicorn.Server):
    """One listener; signals are ours to handle, since two of these share the process."""

    def __init__(self, services: Services, name: Name, log: RequestLog) -> None:
        timeout = services.config.server.drain_timeout
        super().__init__(
            uvicorn.Config(
                application(services, name, log),
                http=_BoundedHttp,
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                ws="none",
                timeout_keep_alive=KEEP_ALIVE,
                timeout_graceful_shutdown=max(1, int(timeout.total_seconds())),
                backlog=_BACKLOG,
            )
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


@contextlib.contextmanager
def _listen(config: Config, name: Name) -> Iterator[socket.socket]:
    """Open a listener's socket; without a host it takes IPv6 and IPv4 alike where both exist."""
    host, port = address_of(config, name)
    try:
        if not host and socket.has_dualstack_ipv6():
            sock = socket.create_server(
                ("", port), family=socket.AF_INET6, backlog=_BACKLOG, dualstack_ipv6=True
            )
        else:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            sock = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        reason = str(error.strerror).partition(" (")[0]
        raise AddressRefused(
            f"Cannot listen on {_address(config, name)} (server.{name}.address): {reason}."
        ) from error
    with sock:
        yield sock


def _address(config: Config, name: Name) -> str:
    server = config.server
    return server.public.address if name == "public" else server.admin.address


@contextlib.asynccontextmanager
async def _stopping(servers: list[_Server]) -> AsyncIterator[None]:
    """Let a signal end every listener: once, and they drain; twice, and they end at once."""

    def stop() -> None:
        for server in servers:
            server.force_exit = server.should_exit
            server.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


@contextlib.asynccontextmanager
async def _flushing(log: RequestLog) -> AsyncIterator[None]:
    """Write gathered log lines every moment, and the last ones at the end."""

    async def keep_flushing() -> None:
        while True:
            await asyncio.sleep(_LOG_EVERY)
            log.flush()

    task = asyncio.create_task(keep_flushing())
    try:
        yield
    finally:
        task.cancel()
        log.flush()


def _graphql(endpoint: GraphQLEndpoint) -> ASGIRouteHandler:
    @asgi("/graphql", copy_scope=False)
    async def graphql(scope: Scope, receive: Receive, send: Send) -> None:
        """Answer GraphQL."""
        await endpoint(asked_of(scope), receive, send)  # type: ignore[arg-type]  # ASGI either way

    return graphql


def _assets(bundle: Bundle) -> ASGIRouteHandler:
    @asgi(bundle.path.rstrip("/"), is_mount=True, copy_scope=False)
    async def asset(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001  # ASGI's three
        """Give a file of a page."""
        asked = asked_of(scope)  # type: ignore[arg-type]  # a scope is a dict
        found = bundle.asset(asked.path.rpartition("/")[2]) if asked.method == "GET" else None
        if found is None:
            body = problem(HTTPStatus.NOT_FOUND, "not_found", "Not Found", asked.request_id)
            await answer(send, HTTPStatus.NOT_FOUND, body)  # type: ignore[arg-type]  # ASGI either way
            return
        content, media = found
        headers = (
            (b"cache-control", ASSET_CACHE_CONTROL.encode()),
            (b"content-security-policy", bundle.content_security_policy.encode()),
        )
        await answer(send, HTTPStatus.OK, content, media.encode(), headers)  # type: ignore[arg-type]  # ASGI either way

    return asset


def _dependencies(services: Services, callers: Callers) -> dict[str, Provide]:
    async def caller(request: Request[Any, Any, Any]) -> Caller:
        return await callers.of(asked_of(request.scope))  # type: ignore[arg-type]  # a scope is a dict

    return {
        "services": Provide(lambda: services, sync_to_thread=False),
        "callers": Provide(lambda: callers, sync_to_thread=False),
        "caller": Provide(caller),
    }


def _openapi(config: Config) -> OpenAPIConfig:
    return OpenAPIConfig(
        title=config.service.name,
        version=__version__,
        path="/schema",
        use_handler_docstrings=True,
        render_plugins=[JsonRenderPlugin()],
    )
