"""The identity providers of this deployment, and whose addresses they speak for."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from app.clock import Clock
from app.config.saml_sections import IdentityProvider
from app.config.sections import Config
from app.errors import Unavailable
from app.federation.connector import Provider
from app.federation.saml.attributes import names_of
from app.federation.saml.entities import EntityIds
from app.federation.saml.errors import SamlProviderUnknown
from app.federation.saml.metadata import Metadata
from app.federation.saml.sources import Source
from app.outbound import Outbound
from app.text import email_key

_log = logging.getLogger("sekisho.federation.saml")


@dataclass(frozen=True, slots=True)
class SamlProvider:
    """An identity provider that is on.

    Attributes:
        settings: What is set of it.
        source: Where its metadata come from.
        attribute_names: The attribute of each of our names.
    """

    settings: IdentityProvider
    source: Source
    attribute_names: Mapping[str, str]

    @property
    def key(self) -> str:
        """Its first domain, by which requests name it."""
        return self.settings.all_domains[0]

    @property
    def metadata(self) -> Metadata | None:
        """Its metadata, as far as they are known and valid."""
        return self.source.known

    @property
    def shown(self) -> Provider | None:
        """The provider as the rest of federation knows it; its id is the entity id.

        An identity joins the account of the same address: the provider speaks for its own domains
        alone, whose people it makes (SEC-092).
        """
        found = self.metadata
        if found is None:
            return None
        return Provider(found.entity_id, self.settings.name, allow_linking=True, is_saml=True)


@dataclass(frozen=True, slots=True)
class SamlDirectory:
    """The providers that are on. One that was switched off or taken away is not there (SEC-084)."""

    providers: Sequence[SamlProvider]
    outbound: Outbound

    @classmethod
    def of(cls, config: Config, clock: Clock) -> Self:
        """Build it; nothing is read yet."""
        outbound, allows_http = Outbound.of(config), not config.is_production
        enabled = config.saml.enabled_providers()
        entity_ids = EntityIds(enabled, clock)
        return cls(
            [
                SamlProvider(
                    one,
                    Source(one, entity_ids, outbound, clock, allows_http),
                    names_of(one.attribute_map, one.name),
                )
                for one in enabled
            ],
            outbound,
        )

    def find(self, provider_id: str) -> Provider | None:
        """Give an enabled provider by its entity id."""
        found = self.by_entity_id(provider_id)
        return found.shown if found else None

    def speaks_for(self, provider_id: str, address: str) -> bool:
        """Say whether an address is in one of the provider's own domains (SEC-092)."""
        found = self.by_entity_id(provider_id)
        return found is not None and _domain(address) in found.settings.all_domains

    def by_entity_id(self, entity_id: str) -> SamlProvider | None:
        """Give the provider of an entity id; none where two have it: either could be meant."""
        found = [
            one
            for one in self.providers
            if (known := one.metadata) is not None and known.entity_id == entity_id
        ]
        if len(found) > 1:
            _log.error("two SAML providers have one entity id", extra={"entity_id": entity_id})
        return found[0] if len(found) == 1 else None

    def of_domain(self, domain: str) -> SamlProvider:
        """Give the provider of a domain.

        Raises:
            SamlProviderUnknown: None is on.
        """
        found = self.for_address(f"a@{domain}")
        if found is None:
            raise SamlProviderUnknown
        return found

    def for_address(self, address: str) -> SamlProvider | None:
        """Give the provider that somebody with an address signs in at."""
        domain = _domain(address)
        found = (one for one in self.providers if domain in one.settings.all_domains)
        return next(found, None) if domain else None

    async def load(self) -> None:
        """Take over what is known of all providers; no network is used.

        Raises:
            SamlMetadataRefused: A file, or a text in the settings, cannot be used.
        """
        for provider in self.providers:
            await provider.source.load()

    async def refresh(self) -> None:
        """Ask the providers whose time has come, and take over what others have asked.

        One that fails keeps no other from being asked.
        """
        for provider in self.providers:
            try:
                await provider.source.refresh()
                await provider.source.load()
            except Unavailable:
                raise
            except Exception:  # noqa: BLE001  # what one provider publishes must not stop the rest
                extra = {"provider": provider.settings.name}
                _log.warning("SAML metadata failed", exc_info=True, extra=extra)

    async def close(self) -> None:
        """Let go of connections."""
        await self.outbound.close()


def _domain(address: str) -> str:
    """Give the domain of an address, folded; empty where it is none."""
    return (email_key(address) or "").rpartition("@")[2]
