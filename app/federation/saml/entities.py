"""Whose entity id is whose: a provider's word about its own name is not enough (SEC-092).

Identities are found by the entity id, and a provider writes its metadata itself. So the first
provider that an entity id is seen at keeps it for good, and keeps to it: another name, or the name
of another, is taken from the settings alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.clock import Clock
from app.config.saml_sections import IdentityProvider
from app.persistence import exclusive, fetch, fetch_row, transaction

_HELD = "SELECT entity_id, domain FROM saml_entity ORDER BY held_since, entity_id"
_HOLD = """
INSERT INTO saml_entity (entity_id, domain, held_since) VALUES ($1, $2, $3)
ON CONFLICT (entity_id) DO UPDATE SET domain = $2, held_since = $3
"""
_HAS_IDENTITIES = "SELECT 1 AS found FROM identity WHERE provider = $1 LIMIT 1"


@dataclass(frozen=True, slots=True)
class EntityIds:
    """Keeps which provider has which entity id.

    A provider is known by its domains, which are the operator's own words.
    """

    providers: Sequence[IdentityProvider]
    clock: Clock

    async def take(self, provider: IdentityProvider, entity_id: str) -> str | None:
        """Let a provider have an entity id, or say why it may not."""
        async with transaction():
            await exclusive("saml_entity")
            rows = await fetch(_HELD)
            held = {row["entity_id"]: row["domain"] for row in rows}
            own = [name for name, domain in held.items() if domain in provider.all_domains]
            if own and own[-1] == entity_id:
                return None
            objection = await self._objection(provider, entity_id, held)
            if objection is None:
                await fetch(_HOLD, entity_id, provider.all_domains[0], self.clock())
            return objection

    async def _objection(
        self, provider: IdentityProvider, entity_id: str, held: Mapping[str, str]
    ) -> str | None:
        """Say why an entity id that is not a provider's name by now must not become it."""
        holder, domains = held.get(entity_id), provider.all_domains
        for other in self.providers:
            if other is provider:
                continue
            if holder in other.all_domains or (holder is None and other.entity_id == entity_id):
                return f"the entity id {entity_id} is that of '{other.name}'"
        if provider.entity_id == entity_id:
            return None
        advice = f"set entity_id to {entity_id} if it is right"
        if holder is not None and holder not in domains:
            return f"the entity id was that of the provider of {holder}; {advice}"
        if any(domain in domains for domain in held.values()):
            return f"the entity id has changed; {advice}"
        if await fetch_row(_HAS_IDENTITIES, entity_id):
            return f"there are identities of this entity id already; {advice}"
        return None
