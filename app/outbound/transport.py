"""The transport under every request that the server makes (SEC-083, SEC-110).

A name is resolved once, every one of its addresses is judged, and the connection goes to the
address that was judged, so that no second look-up can take its place. Answers are read whole,
within one time limit and one size limit, and as they are: compressed ones are refused, since they
could grow. Nothing here follows a redirect, keeps a cookie, or asks the environment for a proxy.
"""

import asyncio
import functools
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

import httpcore2
import httpx2

from app.outbound.addresses import Reach
from app.outbound.lookups import LookUps
from app.telemetry import Part, span

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
_POOL = 20
_KEPT_OPEN = 5.0
_WEB = ("https", "http")
_LEFT_OUT = (b"set-cookie", b"transfer-encoding")
_look_ups = LookUps()


class Unanswered(httpx2.TransportError):
    """There is no answer, or none that is used."""


class AddressRefused(Unanswered):
    """The address, or the way to it, is not one that may be called."""


class GuardedTransport(httpx2.AsyncBaseTransport):
    """Sends requests where they may go, and reads answers as far as they may be read.

    Args:
        reach: What may be called.
        seconds: How long a request may take in all.
        size: The longest body that an answer may have, in bytes.
        resolve: Gives the addresses of a name, in place of the look-ups that all others share.
    """

    def __init__(
        self, reach: Reach, seconds: float, size: int, resolve: Resolve | None = None
    ) -> None:
        self._seconds, self._size = seconds, size
        ask = resolve or _look_ups.resolve
        self._pools = {
            scheme: httpcore2.AsyncConnectionPool(
                ssl_context=_tls(),
                max_connections=_POOL,
                keepalive_expiry=_KEPT_OPEN,
                network_backend=_Judging(reach, ask, plain=scheme == "http"),
            )
            for scheme in _WEB
        }

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request and give its answer, its body read already.

        Raises:
            AddressRefused: It would go where nothing may go.
            Unanswered: There is no answer in time, or one that is too long or compressed.
        """
        pool = self._pools.get(request.url.scheme)
        if pool is None or request.url.userinfo:
            raise AddressRefused("Only https is spoken, and no user stands in the URL.")
        try:
            with _call(request) as call:
                async with asyncio.timeout(self._seconds):
                    answer = await self._answer(pool, request)
                call.set("http.response.status_code", answer.status_code)
                return answer
        except (
            httpcore2.NetworkError,
            httpcore2.ProtocolError,
            httpcore2.TimeoutException,
            OSError,
        ) as error:
            raise Unanswered("There is no answer.", request=request) from error

    async def aclose(self) -> None:
        """Close the connections."""
        for pool in self._pools.values():
            await pool.aclose()

    async def _answer(
        self, pool: httpcore2.AsyncConnectionPool, request: httpx2.Request
    ) -> httpx2.Response:
        url = httpcore2.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        content = await request.aread()
        method, headers = request.method.encode(), request.headers.raw
        async with pool.stream(method, url, headers=headers, content=content) as answer:
            body = await self._body(answer)
            kept = [(name, value) for name, value in answer.headers if is_kept(name)]
            return httpx2.Response(answer.status, headers=kept, content=body)

    async def _body(self, answer: httpcore2.Response) -> bytes:
        named = {name.lower(): value for name, value in answer.headers}
        if named.get(b"content-encoding", b"identity").lower() != b"identity":
            raise Unanswered("The answer is compressed.")
        body = bytearray()
        async for part in answer.aiter_stream():
            body += part
            if len(body) > self._size:
                raise Unanswered("The answer is too long.")
        return bytes(body)


class _Judging(httpcore2.AsyncNetworkBackend):
    """Opens connections to addresses that may be called, and to nothing else."""

    def __init__(self, reach: Reach, resolve: Resolve, *, plain: bool) -> None:
        self._reach, self._resolve, self._plain = reach, resolve, plain
        self._inner = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # the library's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect to the address that was judged."""
        address = self._reach.choose(await self._resolve(host, port), plain=self._plain)
        if address is None:
            raise AddressRefused("The name leads to an address that may not be called.")
        found = await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
        return _Connection(found)


class _Connection(httpcore2.AsyncNetworkStream):
    """A connection that is closed where TLS does not come about, or not in time."""

    def __init__(self, inner: httpcore2.AsyncNetworkStream) -> None:
        self._inner = inner

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        """Read some bytes."""
        return await self._inner.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        """Write bytes."""
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        """Close the connection."""
        await self._inner.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109  # the library's signature
    ) -> httpcore2.AsyncNetworkStream:
        """Speak TLS from now on; who gives up waiting for it leaves no socket behind."""
        try:
            return await self._inner.start_tls(ssl_context, server_hostname, timeout)
        except BaseException:
            await self._inner.aclose()
            raise

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401  # the library's signature
        """Tell something of the socket."""
        return self._inner.get_extra_info(info)


@functools.cache
def _tls() -> ssl.SSLContext:
    """Read the system's certificates, once: that takes time."""
    return httpcore2.default_ssl_context()


def _call(request: httpx2.Request) -> Part:
    """Begin the span of a request; of its URL it tells the host, since a path may be secret."""
    named = {"http.request.method": request.method, "server.address": request.url.host}
    return span(request.method, named, kind="client")


def is_kept(name: bytes) -> bool:
    """Say whether a header of an answer is handed on."""
    return name.lower() not in _LEFT_OUT
