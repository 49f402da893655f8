"""The client of an API that lists breached passwords by the first digits of their hash."""

import asyncio
import ipaddress
import socket
from collections.abc import Iterable

import httpcore

from app.config import sections

MAX_ANSWER = 1024 * 1024
_OK = 200


class Unanswered(OSError):  # as the other ways of getting no answer
    """The API's answer cannot be used."""


class PasswordRange:
    """Asks for ranges. It follows no redirect, and calls public addresses unless told otherwise."""

    def __init__(self, config: sections.BreachCheck) -> None:
        self._url = config.url.rstrip("/")
        self._timeout = config.timeout.total_seconds()
        backend = None if config.allow_private_addresses else _PublicAddresses()
        self._pool = httpcore.AsyncConnectionPool(network_backend=backend, max_connections=4)

    async def suffixes(self, prefix: str) -> bytes:
        """Give the lines for a prefix.

        Raises:
            OSError: There is no answer in time, or none that can be used.
        """
        try:
            async with asyncio.timeout(self._timeout):
                return await self._asked(f"{self._url}/{prefix}")
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException) as error:
            raise Unanswered("The API gives no answer.") from error

    async def close(self) -> None:
        """Close the connections."""
        await self._pool.aclose()

    async def _asked(self, url: str) -> bytes:
        headers = [("Add-Padding", "true"), ("User-Agent", "sekisho")]
        async with self._pool.stream("GET", url, headers=headers) as response:
            if response.status != _OK:
                raise Unanswered(f"The API answers with status {response.status}.")
            body = bytearray()
            async for part in response.aiter_stream():
                body += part
                if len(body) > MAX_ANSWER:
                    raise Unanswered("The API's answer is too long.")
            return bytes(body)


class _PublicAddresses(httpcore.AsyncNetworkBackend):
    """Connects to addresses of the public internet alone, judged after the name is resolved."""

    def __init__(self) -> None:
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # the library's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the address that was judged, so that no second look-up takes its place."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        address = public_one(str(entry[4][0]) for entry in found)
        return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)


def public_one(addresses: Iterable[str]) -> str:
    """Choose one of a name's addresses, all of which must be public.

    Raises:
        Unanswered: One is not, or there is none.
    """
    found = list(addresses)
    if not found or not all(is_public(address) for address in found):
        raise Unanswered("The API's name leads to an address that is not public.")
    return found[0]


def is_public(address: str) -> bool:
    """Say whether an address belongs to the public internet."""
    found = ipaddress.ip_address(address.partition("%")[0])
    return found.is_global and not found.is_multicast
