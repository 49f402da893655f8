"""The one client for requests that the server itself makes."""

from dataclasses import dataclass
from typing import Any, Self

import httpx2

from app.config.sections import Config
from app.outbound.addresses import Reach
from app.outbound.transport import GuardedTransport, Resolve

_HEADERS = {"User-Agent": "sekisho", "Accept-Encoding": "identity"}


@dataclass(frozen=True, slots=True)
class Limits:
    """What a request may take: SEC-083's figures, where a caller has no stricter ones.

    Attributes:
        seconds: How long it may take in all.
        size: The longest body of an answer, in bytes.
    """

    seconds: float = 5.0
    size: int = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Outbound:
    """A guarded transport, and the plain client that stands on it."""

    transport: GuardedTransport
    client: httpx2.AsyncClient

    @classmethod
    def of(cls, config: Config, limits: Limits | None = None) -> Self:
        """Build it from the configuration: in development this machine may be called."""
        reach = Reach.of(config.outbound.allowed_networks, local=not config.is_production)
        return cls.within(reach, limits or Limits())

    @classmethod
    def within(cls, reach: Reach, limits: Limits, resolve: Resolve | None = None) -> Self:
        """Build it for a reach and limits of one's own."""
        transport = GuardedTransport(reach, limits.seconds, limits.size, resolve)
        return cls(transport, httpx2.AsyncClient(**client_settings(transport)))

    async def close(self) -> None:
        """Close the connections."""
        await self.client.aclose()


def client_settings(transport: GuardedTransport) -> dict[str, Any]:
    """Give what every client on the transport is made with, a library's own ones too."""
    return {"transport": transport, "trust_env": False, "headers": _HEADERS}
