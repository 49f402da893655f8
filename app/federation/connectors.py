"""The providers of this deployment, as its settings name them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

from app.clock import Clock
from app.config.sections import Config
from app.federation.connector import Connector, Provider
from app.federation.errors import ProviderDisabled, ProviderUnknown


class Closing(Protocol):
    """What holds connections."""

    async def close(self) -> None:
        """Let go of them."""


@dataclass(frozen=True, slots=True)
class Connectors:
    """The connectors of the providers that are on, in the order of sign-in pages.

    Args:
        by_id: The connectors.
        configured: The ids of all providers that are built in or configured.
        outbound: What their requests go through, None where none is on.
    """

    by_id: Mapping[str, Connector]
    configured: Collection[str]
    outbound: Closing | None = None

    @classmethod
    def of(cls, config: Config, clock: Clock) -> Self:
        """Build the connectors; the libraries that they take are loaded only if one is on."""
        settings = config.third_party
        configured = {*settings.providers.by_name(), *settings.custom_by_id()}
        if not settings.enabled_providers():
            return cls({}, configured)
        from app.federation.making import connectors_of  # noqa: PLC0415
        from app.outbound import Outbound  # noqa: PLC0415

        outbound = Outbound.of(config)
        return cls(connectors_of(settings, outbound, clock), configured, outbound)

    def enabled(self) -> Sequence[Provider]:
        """Give the providers that are on."""
        return [connector.provider for connector in self.by_id.values()]

    def get(self, provider_id: str) -> Connector:
        """Give the connector of a provider that is on.

        Raises:
            ProviderUnknown, ProviderDisabled: There is none.
        """
        found = self.by_id.get(provider_id)
        if found is None:
            raise ProviderDisabled if provider_id in self.configured else ProviderUnknown
        return found

    async def close(self) -> None:
        """Let go of connections."""
        if self.outbound is not None:
            await self.outbound.close()
