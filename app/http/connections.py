"""What one connection may do, and how many there may be (SEC-109, SEC-125).

uvicorn parses HTTP and closes a connection that rests for too long between two requests. What it
does not bound stands here: how long and how large a head may be, how long a body may take, how
long an answer may wait to be taken, and how many connections there may be.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.config.sections import ClientAddress
from app.http.asked import is_within, networks, plain_address
from app.http.gate import MAX_HEADER_BYTES, MAX_HEADERS
from app.ratelimit.rules import network_of

resource: ModuleType | None
try:
    import resource
except ImportError:  # no such thing on this platform
    resource = None

HEAD_SECONDS = 10.0
BODY_SECONDS = 30.0
UNTAKEN_SECONDS = 30.0
"""How long an answer that the client does not take is kept."""

MOST = 8192
"""Connections of one listener."""

_NETWORKS = 4
"""How many networks it takes to use up all connections; none does so alone."""

_RESERVED = 256
"""Files that are not connections of clients."""


class ConnectionLimit:
    """Counts the connections of one listener, together and by network.

    Args:
        most: How many there may be.
        of_one: How many of them may come from one network; of a proxy of ours as many as there may
            be, since it speaks for many.
        proxies: The ranges of our proxies.
    """

    def __init__(self, most: int, of_one: int, proxies: Sequence[str] = ()) -> None:
        self._most, self._of_one = most, of_one
        self._proxies = networks(tuple(proxies))
        self._open = 0
        self._open_of: Counter[str] = Counter()

    @classmethod
    def of(cls, ip: ClientAddress) -> "ConnectionLimit":
        """Allow as many as the system does, and no more than are of use."""
        most = max(min(MOST, _files() - _RESERVED), _RESERVED)
        return cls(most, most // _NETWORKS, () if ip.extractor == "direct" else ip.trusted_proxies)

    def acquire(self, address: str) -> str | None:
        """Count a connection.

        Returns:
            What to give back when it ends; None where it is one too many.
        """
        network = network_of(address)
        most = self._most if is_within(address, self._proxies) else self._of_one
        if self._open >= self._most or self._open_of[network] >= most:
            return None
        self._open += 1
        self._open_of[network] += 1
        return network

    def release(self, network: str) -> None:
        """Count a connection no more."""
        self._open -= 1
        self._open_of[network] -= 1
        if not self._open_of[network]:
            del self._open_of[network]


class BoundedHttp(HttpToolsProtocol):
    """A connection whose client can neither outgrow nor outwait us.

    Timers are armed for what has begun and is not there whole: a request that comes in one piece
    arms none.
    """

    _read = 0
    _fields = 0
    _in_head = True
    _head = 0
    _begun = False
    _stage = ""
    _timer: asyncio.TimerHandle | None = None
    _untaken: asyncio.TimerHandle | None = None
    _network: str | None = None

    def __init__(self, *, limit: ConnectionLimit, **given: Any) -> None:  # noqa: ANN401  # uvicorn's own
        super().__init__(**given)
        self._limit = limit

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # always one
        """Begin a connection, or end it at once where there are too many."""
        gathering: Any = _Gathering(transport, self.loop)
        super().connection_made(gathering)
        self._network = self._limit.acquire(plain_address((self.client or ("",))[0]))
        if self._network is None:
            transport.abort()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """End a connection."""
        if self._network is not None:
            self._limit.release(self._network)
            self._network = None
        self._unwatch()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what has come; a head that has not ended after so much of it never will.

        The parser keeps an unfinished header to itself, so its own count would come too late.
        """
        if self._in_head:
            self._head += len(data)
        super().data_received(data)
        if self._in_head and self._head > 4 * MAX_HEADER_BYTES:
            self.transport.close()
        self._watch()

    def on_message_begin(self) -> None:
        """Begin to count."""
        self._read = 0
        self._fields = 0
        self._begun = True
        self._unwatch()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Count no further: what follows is the body."""
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Wait for the next head."""
        self._in_head = True
        self._head = 0
        self._begun = False
        super().on_message_complete()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a header; one too many ends the connection."""
        self._read += len(name) + len(value)
        self._fields += 1
        if self._read > 2 * MAX_HEADER_BYTES or self._fields > 2 * MAX_HEADERS:
            raise ValueError("headers too large")
        super().on_header(name, value)

    def pause_writing(self) -> None:
        """Wait for the client to take what there is for it, and not for ever."""
        super().pause_writing()
        if self._untaken is None:
            self._untaken = self.loop.call_later(UNTAKEN_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on."""
        if self._untaken is not None:
            self._untaken.cancel()
            self._untaken = None
        super().resume_writing()

    def timeout_keep_alive_handler(self) -> None:
        """End a connection that has rested for too long, whatever its client has not taken."""
        self.transport.abort()

    def _watch(self) -> None:
        """Keep a timer for what is not there whole."""
        stage = self._awaited()
        if stage == self._stage or self.transport.is_closing():
            return
        self._unwatch()
        if stage:
            seconds = HEAD_SECONDS if stage == "head" else BODY_SECONDS
            self._timer = self.loop.call_later(seconds, self.transport.abort)
            self._stage = stage

    def _awaited(self) -> str:
        """Say what of a request is awaited: its head, its body, or nothing."""
        if not self._in_head:
            return "body"
        is_answering = self.cycle is not None and not self.cycle.response_complete
        return "" if is_answering and not self._begun else "head"

    def _unwatch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._stage = ""


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


def _files() -> int:
    """Say how many files this process may have open, after asking for as many as it may ask for."""
    if resource is None:
        return MOST + _RESERVED
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST + _RESERVED
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return int(allowed)
