"""Events: written in the transaction of what they tell of, and gone with it if that is undone.

Whoever changes a user holds the lock on the user's row until the transaction ends; so the rows of
one user are in the order in which things have happened, on any number of replicas.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from app import strictjson
from app.access import Actor
from app.clock import Clock
from app.config.webhook_sections import EventName
from app.ids import new_id
from app.persistence import fetch, transaction
from app.sealing import Sealing
from app.sweeping import in_parts
from app.webhooks.person import user_object

KEPT = timedelta(days=3)
"""How long an event is kept, for those who want to be told of it again."""

_INSERT = """
INSERT INTO webhook_event (id, name, user_id, sealed_data, created_at, is_spread)
VALUES ($1, $2, $3, $4, $5, $6)
"""
_CLEAN = """
DELETE FROM webhook_event WHERE sequence IN (
    SELECT sequence FROM webhook_event WHERE created_at <= $1 ORDER BY created_at LIMIT $2
)
RETURNING sequence
"""


@dataclass(frozen=True, slots=True)
class Events:
    """Keeps events for those who want to be told.

    Their data never holds anything of the private bag, a credential, a hash or a token (SEC-112).
    It names people, and where mail is left to a receiver it holds what is to be mailed; so it is
    sealed (SEC-119).
    """

    sealer: Sealing
    clock: Clock

    async def record(
        self, name: EventName, data: Mapping[str, strictjson.Json], *, user_id: UUID | None = None
    ) -> None:
        """Write one event; call it inside the transaction of what it tells of.

        Args:
            name: What has happened.
            data: What receivers are told.
            user_id: To whom it has happened.
        """
        await self._insert(name, data, user_id, is_spread=False)

    async def record_for_one(self, name: str) -> UUID:
        """Write an event that is for one hook alone and tells nothing; give its id."""
        return await self._insert(name, {}, None, is_spread=True)

    async def record_user(self, name: EventName, actor: Actor, user_id: UUID) -> None:
        """Write an event that shows the user as they are at this moment of the transaction.

        Args:
            name: What has happened.
            actor: Who has done it, and from where.
            user_id: To whom.
        """
        async with transaction():
            shown = await user_object(user_id)
            if shown is not None:
                origin = actor.origin
                seen = {"ip_address": origin.address, "user_agent": origin.user_agent}
                data = shown | {key: value for key, value in seen.items() if value}
                await self.record(name, data, user_id=user_id)

    async def sweep(self) -> None:
        """Delete what was long ago, a part at a time."""
        await in_parts(_CLEAN, self.clock() - KEPT)

    async def _insert(
        self,
        name: str,
        data: Mapping[str, strictjson.Json],
        user_id: UUID | None,
        *,
        is_spread: bool,
    ) -> UUID:
        event_id = new_id()
        sealed = self.sealer.seal(strictjson.encode(dict(data)), place(event_id))
        await fetch(_INSERT, event_id, name, user_id, sealed, self.clock(), is_spread)
        return event_id


def place(event_id: UUID) -> str:
    """Say where the data of an event belong, so that they open nowhere else (SEC-119)."""
    return f"webhook_event:{event_id}"
