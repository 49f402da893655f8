"""The facts of one request, gathered once by the gate."""

import ipaddress
import os
import re
from functools import lru_cache
from typing import Any

from app.access import Actor, Origin
from app.config.sections import ClientAddress
from app.telemetry import trace_id

Scope = dict[str, Any]
KEY = "sekisho.asked"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_SINGLE = (b"host", b"authorization", b"content-type", b"content-length", b"origin")


class Asked:
    """What a request says of itself; its headers by lower-case name, the last of a name winning."""

    __slots__ = (
        "_ip",
        "actor",
        "headers",
        "method",
        "operation",
        "path",
        "peer",
        "repeated",
        "request_id",
        "scope",
    )

    def __init__(self, scope: Scope, ip: ClientAddress) -> None:
        headers = scope["headers"]
        self.scope = scope
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.operation = ""
        self.actor: Actor | None = None
        self.headers: dict[bytes, bytes] = dict(headers)
        self.repeated = len(self.headers) != len(headers) and _has_repeated(headers)
        self.peer = plain_address((scope.get("client") or ("",))[0])
        self._ip = ip
        given = self.headers.get(b"x-request-id", b"").decode("latin-1")
        self.request_id = given if _REQUEST_ID.fullmatch(given) else os.urandom(16).hex()

    def header(self, name: bytes) -> str:
        """Give a header's value, or an empty text."""
        return self.headers.get(name, b"").decode("latin-1")

    def named(self) -> dict[str, str]:
        """Give the ids by which lines of the log belong to the request; they open nothing."""
        found = {"request_id": self.request_id}
        trace = trace_id()
        if trace:
            found["trace_id"] = trace
        if self.actor is not None and self.actor.session is not None:
            found["session_id"] = str(self.actor.session.id)
        return found

    @property
    def origin(self) -> Origin:
        """Where the request came from, for records, sessions and mails."""
        return Origin(
            self.request_id,
            self.address,
            self.header(b"user-agent"),
            self.header(b"x-language"),
            self.header(b"accept-language"),
        )

    @property
    def address(self) -> str:
        """The client's address: the socket's, unless the peer is a configured proxy (SEC-070)."""
        if self._ip.extractor == "direct":
            return self.peer
        trusted = networks(tuple(self._ip.trusted_proxies))
        if not is_within(self.peer, trusted):
            return self.peer
        if self._ip.extractor == "x_real_ip":
            return _valid(self.header(b"x-real-ip")) or self.peer
        return _right_most(self._forwarded(), trusted) or self.peer

    def _forwarded(self) -> list[str]:
        lines = [v for k, v in self.scope["headers"] if k == b"x-forwarded-for"]
        return [hop.strip() for hop in b",".join(lines).decode("latin-1").split(",")]


def asked_of(scope: Scope) -> Asked:
    """Give what the gate has gathered."""
    asked: Asked = scope[KEY]
    return asked


def _has_repeated(headers: list[tuple[bytes, bytes]]) -> bool:
    names = [name for name, _ in headers]
    return any(names.count(name) > 1 for name in _SINGLE)


Networks = tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]


@lru_cache(8)
def networks(ranges: tuple[str, ...]) -> Networks:
    """Read CIDR ranges."""
    return tuple(ipaddress.ip_network(entry) for entry in ranges)


def is_within(address: str, ranges: Networks) -> bool:
    """Say whether an address is of one of some ranges."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in ranges)


def plain_address(address: str) -> str:
    """Write an IPv4 address as such.

    A socket that takes both families writes it as a mapped one (RFC 4291 §2.5.5.2).
    """
    return address.removeprefix("::ffff:")


def _right_most(hops: list[str], trusted: Networks) -> str:
    """Find the last hop that is no proxy of ours; a malformed one ends the search."""
    for hop in reversed(hops):
        address = _valid(hop)
        if not address or not is_within(address, trusted):
            return address
    return ""


def _valid(address: str) -> str:
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return ""
