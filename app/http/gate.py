"""The gate every request passes first, and every answer last (SEC-101…109).

It is the outermost ASGI application of a listener: it refuses what no face should see, counts and
names the request, adds the headers every answer carries, and turns a defect into one plain answer.
"""

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from uuid import UUID

from app.config.sections import Config
from app.errors import Unavailable
from app.http.answer import (
    NO_STORE,
    TOLD,
    Send,
    answer,
    note_unavailable,
    problem,
    retry_headers,
    status_of,
)
from app.http.asked import KEY, Asked, Scope
from app.http.body import MAX_BODY, MAX_SAML, BodyRefused, Receive, too_large
from app.http.listener import Listener
from app.logs import RequestLog, asked_by
from app.metrics import Metrics
from app.telemetry import Tracer, begin

App = Callable[[Any, Any, Any], Awaitable[None]]
MAX_HEADERS = 100
MAX_HEADER_BYTES = 16 * 1024
MAX_PATH = 2048
MAX_QUERY = 8 * 1024
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_LONGER = {"/saml/callback": MAX_SAML}  # SEC-104
_FROM_PROVIDERS = re.compile(r"/thirdparty/callback(/[^/]+)?|/saml/callback")
"""Where pages of providers send forms; nothing there rests on the session's cookie (SEC-107)."""

_HIDDEN_SLASH = re.compile(rb"%2f|%5c", re.IGNORECASE)
"""Part of an id to who writes it, and to who routes it the end of one (SEC-099)."""

_CHALLENGE = (b"www-authenticate", b"Bearer")
_EXPOSED = (
    "Retry-After, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, "
    "X-Session-Lifetime, X-Session-Retention"
)
_HEALTH = ("/health/", "/metrics")
_READY = "/health/ready"
_BY_ANY_HOST = {
    "public": frozenset({"/health/alive", _READY}),
    "admin": frozenset({"/health/alive", _READY, "/metrics"}),
}
"""What is asked by a replica's own address, and tells nothing of a caller (SEC-102)."""

_NOT_READY = b'{"ready":false}'
_METHOD_KEPT = 20
_TRACE_CONTEXT = ("traceparent", "tracestate")
_log = logging.getLogger("sekisho.http")


class Gate:
    """Stands before a listener's application."""

    def __init__(  # noqa: PLR0913, PLR0917  # what it stands before, and on
        self,
        app: App,
        listener: Listener,
        config: Config,
        log: RequestLog,
        metrics: Metrics,
        stopping: asyncio.Event | None = None,
        tracer: Tracer | None = None,
    ) -> None:
        self._app = app
        self._listener = listener
        self._ip = config.server.ip
        self._log = log if config.log.requests else None
        self._metrics = metrics
        self._stopping = stopping or asyncio.Event()
        self._tracer = tracer
        self._log_health = config.log.log_health_and_metrics
        self._always = _always(listener)
        self._exposed = _exposed(config)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; anything but HTTP goes through or is turned away."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # no WebSocket is mounted (SEC-100)
            await send({"type": "websocket.close", "code": 1008})
            return
        asked = scope[KEY] = Asked(scope, self._ip)
        token = asked_by.set(asked)
        try:
            if self._tracer is None or asked.path.startswith(_HEALTH):
                await self._answer(asked, receive, send)
            else:
                await self._traced(self._tracer, asked, receive, send)
        finally:
            asked_by.reset(token)

    async def _traced(self, tracer: Tracer, asked: Asked, receive: Receive, send: Send) -> None:
        """Answer in a span, which says by names of ours what was asked and what came of it."""
        named = {
            "http.request.method": asked.method if asked.method in _METHODS else "_OTHER",
            "sekisho.listener": self._listener.name,
            "sekisho.request_id": asked.request_id,
        }
        headers = ((name, asked.header(name.encode())) for name in _TRACE_CONTEXT)
        caller = {name: value for name, value in headers if value}
        with begin(tracer, "request", named, kind="server", caller=caller) as request:
            try:
                status = await self._answer(asked, receive, send)
            finally:
                request.rename(_operation(asked))
            route = asked.scope.get("path_template")
            if route:
                request.set("http.route", route)
            request.set("http.response.status_code", status)
            if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                request.fail(str(status))

    async def _answer(self, asked: Asked, receive: Receive, send: Send) -> int:
        """Answer, count and note it; give the status."""
        answering = _Answering(send, self._headers_for(asked))
        started = time.perf_counter()
        try:
            refused = self._refusal(asked)
            if refused is not None:
                await _refuse(answering, asked, refused)
            elif asked.path == _READY and self._stopping.is_set():
                await answer(answering, HTTPStatus.SERVICE_UNAVAILABLE, _NOT_READY)
            elif asked.method == "OPTIONS":
                await self._preflight(answering, asked)
            else:
                await self._app(asked.scope, receive, answering)
        except Exception as error:  # noqa: BLE001  # the last place to turn a defect into an answer
            await _fail(answering, asked, error)
        finally:
            seconds = time.perf_counter() - started
            self._metrics.request(self._listener.name, _operation(asked), answering.status, seconds)
            self._note(asked, answering.status, seconds)
        return answering.status

    def _refusal(self, asked: Asked) -> BodyRefused | None:
        """Judge what can be judged before anything is read; None where nothing is wrong."""
        if asked.repeated:
            return _bad("A header that may stand once stands more than once.")
        if not self._is_asked_of_us(asked):
            return _bad("This Host is not known here; server.allowed_hosts names those that are.")
        size = sum(len(name) + len(value) for name, value in asked.scope["headers"])
        if size > MAX_HEADER_BYTES or len(asked.scope["headers"]) > MAX_HEADERS:
            status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            return BodyRefused(status, "headers_too_large", "The headers are too long.")
        if asked.method not in _METHODS:
            status = HTTPStatus.METHOD_NOT_ALLOWED
            return BodyRefused(status, "method_not_allowed", "The method is not allowed.")
        refused = _target_refusal(asked)
        if refused is not None or asked.method in _SAFE:
            return refused
        return self._body_refusal(asked)

    def _is_asked_of_us(self, asked: Asked) -> bool:
        """Say whether the Host header names us, or need not."""
        if asked.path in _BY_ANY_HOST[self._listener.name]:
            return True
        return self._listener.accepts_host(asked.headers.get(b"host", b"").decode("latin-1"))

    def _body_refusal(self, asked: Asked) -> BodyRefused | None:
        headers = asked.headers
        if headers.get(b"content-encoding", b"identity") != b"identity":
            status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
            return BodyRefused(status, "unsupported_media_type", "Send the body uncompressed.")
        length = headers.get(b"content-length")
        most = _LONGER.get(asked.path, MAX_BODY)
        if length is not None and (not length.isdigit() or int(length[:20]) > most):
            return too_large()
        is_invited = self._listener.is_public and _FROM_PROVIDERS.fullmatch(asked.path)
        if b"cookie" in headers and not is_invited and self._is_cross_site(asked):
            status = HTTPStatus.FORBIDDEN
            return BodyRefused(status, "cross_site", "Another site may not do this here.")
        return None

    def _is_cross_site(self, asked: Asked) -> bool:
        """Say whether a browser sends this for a page that is not ours (SEC-107).

        Browsers say so in Sec-Fetch-Site, older ones in Origin; what sends neither is no browser.
        """
        origin = asked.headers.get(b"origin")
        if origin is not None and self._is_ours(origin.decode("latin-1"), asked):
            return False
        site = asked.headers.get(b"sec-fetch-site")
        if site is not None:
            return site not in (b"same-origin", b"same-site", b"none")
        return origin is not None

    def _is_ours(self, origin: str, asked: Asked) -> bool:
        listener = self._listener
        if origin == listener.own_origin or listener.accepts_origin(origin):
            return True
        scheme, _, host = origin.partition("://")
        return scheme in listener.own_schemes and host == asked.header(b"host")

    async def _preflight(self, send: Send, asked: Asked) -> None:
        """Answer OPTIONS; the headers that allow anything are there for allowed origins alone."""
        headers = []
        if b"access-control-request-method" in asked.headers and self._cors(asked):
            wanted = asked.headers.get(b"access-control-request-headers", b"")
            headers = [
                (b"access-control-allow-methods", b"GET,POST,PUT,PATCH,DELETE,OPTIONS"),
                (b"access-control-allow-headers", wanted),
                (b"access-control-max-age", b"7200"),
            ]
        vary = (b"vary", b"Access-Control-Request-Method, Access-Control-Request-Headers")
        start = {"type": "http.response.start", "status": 204, "headers": [*headers, vary]}
        await send(start)
        await send({"type": "http.response.body", "body": b""})

    def _headers_for(self, asked: Asked) -> list[tuple[bytes, bytes]]:
        headers = [*self._always, (b"x-request-id", asked.request_id.encode())]
        if b"origin" in asked.headers and self._listener.is_public:
            headers += self._cors(asked)
        if self._stopping.is_set():
            headers.append((b"connection", b"close"))
        return headers

    def _cors(self, asked: Asked) -> list[tuple[bytes, bytes]]:
        origin = asked.headers.get(b"origin", b"")
        if not self._listener.is_public:
            return []
        if self._listener.accepts_origin(origin.decode("latin-1")):
            return [
                (b"access-control-allow-origin", origin),
                (b"access-control-allow-credentials", b"true"),
                (b"access-control-expose-headers", self._exposed),
            ]
        if self._listener.allows_any_origin:
            return [(b"access-control-allow-origin", b"*")]
        return []

    def _note(self, asked: Asked, status: int, seconds: float) -> None:
        if self._log is None or (asked.path.startswith(_HEALTH) and not self._log_health):
            return
        self._log.write(
            {
                "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "level": "info",
                "logger": "sekisho.access",
                "listener": self._listener.name,
                **asked.named(),
                "address": asked.address,
                "method": asked.method[:_METHOD_KEPT],
                "path": asked.path[:MAX_PATH],
                "operation": _operation(asked),
                **_who(asked),
                "status": status,
                "ms": round(seconds * 1000, 3),
            }
        )


def _who(asked: Asked) -> dict[str, UUID]:
    """Name who has asked beside the session, by ids, which open nothing."""
    actor = asked.actor
    found: dict[str, UUID] = {}
    if actor is not None and actor.session is not None:
        found["user_id"] = actor.session.user_id
    if actor is not None and actor.secret_key is not None:
        found["secret_key_id"] = actor.secret_key.id
    return found


def _operation(asked: Asked) -> str:
    """Name what was asked for by names of ours alone, so that callers make no series (SEC-126)."""
    if asked.operation:
        return asked.operation
    template = asked.scope.get("path_template")
    return f"{asked.method} {template}" if template and asked.method in _METHODS else "other"


class _Answering:
    """Sends an answer with the headers of the house, and remembers its status."""

    __slots__ = ("_headers", "_send", "status")

    def __init__(self, send: Send, headers: list[tuple[bytes, bytes]]) -> None:
        self._send = send
        self._headers = headers
        self.status = 0

    async def __call__(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            own = message["headers"]
            present = {name for name, _ in own}
            extra = [pair for pair in self._headers if pair[0] not in present or pair[0] == b"vary"]
            if self.status == HTTPStatus.UNAUTHORIZED:  # RFC 9110 §15.5.2
                extra.append(_CHALLENGE)
            message = {**message, "headers": [*own, *extra]}
        await self._send(message)


def _always(listener: Listener) -> list[tuple[bytes, bytes]]:
    """Give the headers of every answer (SEC-103)."""
    headers = [
        (b"x-content-type-options", b"nosniff"),
        (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
        (b"referrer-policy", b"no-referrer"),
        NO_STORE,
    ]
    if listener.is_https:
        headers.append((b"strict-transport-security", b"max-age=31536000; includeSubDomains"))
    if listener.is_public:
        headers.append((b"vary", b"Origin"))
    return headers


def _exposed(config: Config) -> bytes:
    token = ", X-Auth-Token" if config.session.enable_auth_token_header else ""
    return (_EXPOSED + token).encode()


def _target_refusal(asked: Asked) -> BodyRefused | None:
    """Judge the path and the query as they were sent."""
    too_long = HTTPStatus.REQUEST_URI_TOO_LONG
    if len(asked.path) > MAX_PATH:
        return BodyRefused(too_long, "bad_request", "The path is too long.")
    if len(asked.scope["query_string"]) > MAX_QUERY:
        return BodyRefused(too_long, "bad_request", "The query is too long.")
    if _HIDDEN_SLASH.search(asked.scope["raw_path"]):
        return BodyRefused(HTTPStatus.NOT_FOUND, "not_found", "Not Found")
    return None


def _bad(message: str) -> BodyRefused:
    return BodyRefused(HTTPStatus.BAD_REQUEST, "bad_request", message)


async def _refuse(send: Send, asked: Asked, refused: BodyRefused) -> None:
    """Answer without having read the body, and close the connection it may still be coming on."""
    body = problem(refused.status, refused.code, refused.message, asked.request_id)
    await answer(send, refused.status, body, headers=((b"connection", b"close"),))


async def _fail(send: _Answering, asked: Asked, error: Exception) -> None:
    """Answer an error that nobody else has answered; a defect is logged and not described."""
    if isinstance(error, TOLD):
        status, code, message = status_of(error), error.code, error.message
    else:
        status, code, message = (
            HTTPStatus.INTERNAL_SERVER_ERROR,
            "internal",
            "Something went wrong.",
        )
    if isinstance(error, Unavailable):
        note_unavailable(error, request_id=asked.request_id)
    elif status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.error("request failed", exc_info=error, extra={"request_id": asked.request_id})
    if not send.status:
        body = problem(status, code, message, asked.request_id)
        await answer(send, status, body, headers=retry_headers(error))
