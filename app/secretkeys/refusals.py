"""Records what secret keys are refused, seldom enough that being refused fills no table."""

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

from app.access import Actor, Origin
from app.audit import AuditLog, Event
from app.clock import Clock
from app.ratelimit.rules import network_of
from app.ratelimit.windows import MemoryWindows, Slot

NOTED_FOR = timedelta(minutes=1)
NOTED_AT_MOST = 20

Reason = Literal["malformed", "unknown", "wrong", "revoked", "expired"]


@dataclass(frozen=True, slots=True)
class KeyRefusals:
    """Notes keys that are none and keys that lack a scope, each in every process (SEC-118)."""

    audit: AuditLog
    noted: MemoryWindows

    @classmethod
    def of(cls, audit: AuditLog, clock: Clock) -> "KeyRefusals":
        """Build it over an audit log."""
        return cls(audit, MemoryWindows(clock))

    async def note_key(self, origin: Origin, reason: Reason, key_id: UUID | None = None) -> None:
        """Record that a key is refused: once a minute of a network and a key that exists.

        Nothing of what was shown is repeated (SEC-116).
        """
        about = (network_of(origin.address), str(key_id or ""))
        await self._note(
            "secret_key_refused", Actor(origin=origin), about, key_id, {"reason": reason}
        )

    async def note_scopes(self, actor: Actor, required: tuple[str, ...]) -> None:
        """Record that a key lacks scopes: once a minute of a key and those scopes."""
        if actor.secret_key is not None:
            about = (str(actor.secret_key.id), " ".join(required))
            details = {"required": list(required)}
            await self._note("scope_missing", actor, about, actor.secret_key.id, details)

    async def _note(
        self,
        event: Event,
        actor: Actor,
        about: tuple[str, str],
        subject: UUID | None,
        details: dict[str, Any],
    ) -> None:
        who, what = about
        slots = (
            Slot(_digest(event, who, what), 1, NOTED_FOR),
            Slot(_digest(event, who), NOTED_AT_MOST, NOTED_FOR),
        )
        if self.noted.take(slots) == 0:
            await self.audit.record(event, actor, subject=subject, details=details)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
