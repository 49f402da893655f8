"""The server: a Litestar application for each listener, run by uvicorn until it is told to stop."""

import asyncio
import contextlib
import functools
import gc
import signal
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import uvicorn
from litestar import Litestar, Request, Router, asgi
from litestar.datastructures import State
from litestar.di import Provide
from litestar.handlers import ASGIRouteHandler
from litestar.types import Receive, Scope, Send

from app import explorer, quickstart
from app.assembly import Services
from app.bundles import ASSET_CACHE_CONTROL, Bundle
from app.config import Config, parse_listener
from app.errors import IdentityError, ScopeMissing
from app.graphql import GraphQLEndpoint
from app.http import App, Caller, Callers, Gate, Listener, SessionCookie, answer, asked_of, problem
from app.http.body import MAX_BODY
from app.http.connections import BoundedHttp, ConnectionLimit
from app.http.listener import Name
from app.logs import RequestLog
from app.rest import EXCEPTION_HANDLERS, StrictRequest, caller_of, given, openapi_config, routes
from app.rest.deadline import within_time
from app.telemetry import Tracer
from app.worker import working

KEEP_ALIVE = 75
FAREWELL = 0.5
"""Seconds in which who still comes is answered, and asked not to come again, before nobody is."""

_LOG_EVERY = 0.25
_TICK = 0.05
_BACKLOG = 2048
_GRAPHQL = frozenset({"/graphql", "/graphql/"})


def application(
    services: Services,
    name: Name,
    log: RequestLog | None = None,
    stopping: asyncio.Event | None = None,
) -> Gate:
    """Build the ASGI application of one listener.

    Args:
        services: What it is a face of.
        name: Which listener.
        log: Where requests are noted.
        stopping: Is set when the listener has been told to end.
    """
    config = services.config
    listener = Listener(name, config)
    callers = Callers(services.sessions, services.secret_keys, SessionCookie(config.session))
    app = Litestar(
        [
            _assets(explorer.BUNDLE),
            *([] if config.is_production else [_assets(quickstart.BUNDLE)]),
            Router("/", route_handlers=routes(listener), middleware=[within_time]),
        ],
        dependencies=_dependencies(services, callers),
        state=State({"callers": callers}),
        after_exception=[_noting(services)],
        exception_handlers=EXCEPTION_HANDLERS,
        request_class=StrictRequest,
        request_max_body_size=MAX_BODY,
        openapi_config=(
            None if config.is_production else openapi_config(config.service.name, name)
        ),
        logging_config=None,
        signature_types=[Services, Caller, Callers],
    )
    return Gate(
        _before(GraphQLEndpoint(services, callers, listener), app),
        listener,
        config,
        log or RequestLog(),
        services.metrics,
        stopping,
        services.tracer,
    )


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
    async with (
        _stopping(list(servers.values())),
        _flushing(log),
        _sending(services.tracer),
        working(services),
    ):
        gc.collect()
        gc.freeze()
        await asyncio.gather(
            *(server.serve(sockets=[sockets[name]]) for name, server in servers.items())
        )


def address_of(config: Config, name: Name) -> tuple[str, int]:
    """Give the host and port of a listener."""
    return parse_listener(_address(config, name))


class _Server(uvicorn.Server):
    """One listener; signals are ours to handle, since two of these share the process."""

    def __init__(self, services: Services, name: Name, log: RequestLog) -> None:
        timeout = services.config.server.drain_timeout
        limit = ConnectionLimit.of(services.config.server.ip)
        self._stopping = asyncio.Event()
        super().__init__(
            uvicorn.Config(
                application(services, name, log, self._stopping),
                http=functools.partial(BoundedHttp, limit=limit),  # type: ignore[arg-type]  # it makes one
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

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Be found not ready for a moment, then take no connection any more, and drain.

        A balancer that asks for readiness sends nobody here by then, and every answer of that
        moment closes its connection: no request comes upon a closed door (SEC-139).
        """
        self._stopping.set()
        until = time.monotonic() + FAREWELL
        while time.monotonic() < until and not self.force_exit:  # noqa: ASYNC110  # uvicorn sets a flag
            await asyncio.sleep(_TICK)
        await super().shutdown(sockets)


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


@contextlib.asynccontextmanager
async def _sending(tracer: Tracer | None) -> AsyncIterator[None]:
    """Send the last spans at the end, when there are no others."""
    try:
        yield
    finally:
        if tracer is not None:
            await tracer.close()


def _before(endpoint: GraphQLEndpoint, app: Litestar) -> App:
    """Answer GraphQL; the rest is for Litestar, whose routing costs a tenth of what `me` does."""

    async def route(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401  # ASGI's three
        if scope["type"] == "http" and scope["path"] in _GRAPHQL:
            scope["path_template"] = "/graphql"  # as Litestar names a route
            await endpoint(asked_of(scope), receive, send)
        else:
            await app(scope, receive, send)

    return route


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


def _noting(services: Services) -> Callable[[Exception, Scope], Awaitable[None]]:
    async def note(error: Exception, scope: Scope) -> None:
        """Record that a secret key lacks a scope (SEC-118)."""
        actor = asked_of(scope).actor  # type: ignore[arg-type]  # a scope is a dict
        if isinstance(error, ScopeMissing) and actor is not None:
            await services.secret_keys.refusals.note_scopes(actor, error.required)

    return note


def _dependencies(services: Services, callers: Callers) -> dict[str, Provide]:
    """Give what handlers may ask for.

    Each asks for the one before: Litestar finds things that do not in tasks of their own, which
    cost more than the finding.
    """

    def beside(services: given.Services) -> Callers:  # noqa: ARG001  # see above
        return callers

    async def caller(request: Request[Any, Any, Any], callers: given.Callers) -> Caller:  # noqa: ARG001  # see above
        return await caller_of(request)

    return {
        "services": Provide(lambda: services, sync_to_thread=False),
        "callers": Provide(beside, sync_to_thread=False),
        "caller": Provide(caller),
    }
