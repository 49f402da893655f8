"""Hooks: who is told of which events, by the configuration or by the API."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID, uuid5

from app.clock import Clock
from app.config.webhook_sections import Hook, Webhooks
from app.keys import Sealer
from app.persistence import Row, fetch, fetch_row

EXPIRY = timedelta(days=30)
"""How long a hook may go without a delivery, where such hooks are disabled."""

DisabledReason = Literal["operator", "failing", "unused"]

_NAMESPACE = UUID("6f1c7d0e-4f0b-5c2a-9d55-0a3f6c1b7e42")
_SHOWN = (
    "id, callback, events, is_enabled, failures, failing_since, last_success_at, expires_at, "
    "disabled_reason, previous_secret_ends_at, created_at, updated_at"
)
_ALL = f"SELECT {_SHOWN} FROM webhook ORDER BY created_at, id"
_ENABLED = f"SELECT {_SHOWN} FROM webhook WHERE is_enabled ORDER BY created_at, id"
_ONE = f"SELECT {_SHOWN}, sealed_secret, sealed_previous_secret FROM webhook WHERE id = $1"
_LOCK = f"{_ONE} FOR UPDATE"
_SEALED = "SELECT id, sealed_secret, sealed_previous_secret FROM webhook"
_RESEAL = """
UPDATE webhook SET sealed_secret = $2, sealed_previous_secret = $3
WHERE id = $1 AND sealed_secret = $4
"""


@dataclass(frozen=True, slots=True)
class Webhook:
    """A hook as its operator sees it: everything but its secrets.

    Attributes:
        is_configured: Whether it stands in the configuration; it has no history then.
        failures: Attempts that have failed since the last one that did not.
        expires_at: When it is disabled unless something is delivered, where that is configured.
        previous_secret_ends_at: Until when the secret before a rotation signs as well.
    """

    id: UUID
    callback: str
    events: tuple[str, ...]
    is_enabled: bool
    is_configured: bool
    failures: int = 0
    failing_since: datetime | None = None
    last_success_at: datetime | None = None
    expires_at: datetime | None = None
    disabled_reason: DisabledReason | None = None
    previous_secret_ends_at: datetime | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None

    def asks_for(self, name: str) -> bool:
        """Say whether an event is one of those it asks for, by dotted segments (SEC-112)."""
        return any(name == one or name.startswith(f"{one}.") for one in self.events)

    def is_told(self, name: str, at: datetime) -> bool:
        """Say whether an event of a time is to be delivered to it: one since it was made."""
        return self.asks_for(name) and (self.created_at is None or at >= self.created_at)


@dataclass(frozen=True, slots=True)
class Target:
    """A hook that is to be told, with the secrets that sign."""

    hook: Webhook
    secrets: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Target({self.hook.id})"


@dataclass(frozen=True, slots=True)
class Hooks:
    """The hooks of the configuration and those in the database."""

    config: Webhooks
    sealer: Sealer
    clock: Clock

    def configured(self) -> list[Webhook]:
        """List the hooks of the configuration; entries for one callback are one hook."""
        found: dict[UUID, Webhook] = {}
        for entry in self.config.hooks:
            hook_id = _id_of(entry)
            known = found[hook_id].events if hook_id in found else ()
            events = tuple(dict.fromkeys((*known, *entry.events)))
            enabled = self.config.enabled
            found[hook_id] = Webhook(hook_id, entry.callback, events, enabled, is_configured=True)
        return list(found.values())

    async def listed(self) -> list[Webhook]:
        """List all hooks, those of the configuration first."""
        return [*self.configured(), *(webhook_of(row) for row in await fetch(_ALL))]

    async def enabled(self) -> list[Webhook]:
        """List the hooks that are to be told."""
        configured = self.configured() if self.config.enabled else []
        return [*configured, *(webhook_of(row) for row in await fetch(_ENABLED))]

    async def find(self, hook_id: UUID) -> Webhook | None:
        """Give a hook, or None."""
        row = await fetch_row(_ONE, hook_id)
        if row is not None:
            return webhook_of(row)
        return next((one for one in self.configured() if one.id == hook_id), None)

    async def locked(self, hook_id: UUID) -> Webhook | None:
        """Give a hook in the database and keep others from changing it; None where it is none."""
        rows = await fetch(_LOCK, hook_id)
        return webhook_of(rows[0]) if rows else None

    async def target(self, hook_id: UUID) -> Target | None:
        """Give a hook that is to be told, with its secrets; None where it is not any more.

        Raises:
            KeysUnreadable: No configured secret opens its own.
        """
        row = await fetch_row(_ONE, hook_id)
        if row is None:
            return self._configured_target(hook_id)
        hook = webhook_of(row)
        if not hook.is_enabled:
            return None
        secrets = [self.sealer.open(row["sealed_secret"], place(hook_id))]
        ends = hook.previous_secret_ends_at
        if row["sealed_previous_secret"] and ends is not None and self.clock() < ends:
            secrets.append(self.sealer.open(row["sealed_previous_secret"], place(hook_id)))
        return Target(hook, tuple(secrets))

    async def reseal(self) -> None:
        """Seal under the first secret what an older one has sealed (SEC-120)."""
        for row in await fetch(_SEALED):
            sealed = (row["sealed_secret"], row["sealed_previous_secret"])
            if any(one and not self.sealer.is_current(one) for one in sealed):
                anew = (one and self._resealed(one, row["id"]) for one in sealed)
                await fetch(_RESEAL, row["id"], *anew, row["sealed_secret"])

    def _resealed(self, sealed: str, hook_id: UUID) -> str:
        return self.sealer.seal(self.sealer.open(sealed, place(hook_id)), place(hook_id))

    def _configured_target(self, hook_id: UUID) -> Target | None:
        if not self.config.enabled:
            return None
        hook = next((one for one in self.configured() if one.id == hook_id), None)
        return Target(hook, _secrets_of(hook_id, self.config.hooks)) if hook is not None else None


def webhook_of(row: Row) -> Webhook:
    """Make a hook of a row."""
    shown = {name: row[name] for name in _SHOWN.split(", ")}
    shown["events"] = tuple(row["events"].split())
    shown["is_enabled"] = bool(row["is_enabled"])
    return Webhook(**shown, is_configured=False)


def place(hook_id: UUID) -> str:
    """Say where a secret of a hook belongs, so that it opens nowhere else (SEC-119)."""
    return f"webhook:{hook_id}"


def _id_of(entry: Hook) -> UUID:
    """Give a hook of the configuration an id that stays, whatever stands around it."""
    return uuid5(_NAMESPACE, entry.callback)


def _secrets_of(hook_id: UUID, entries: Iterable[Hook]) -> tuple[str, ...]:
    ours = (entry for entry in entries if _id_of(entry) == hook_id)
    named = (secret.reveal() for entry in ours for secret in entry.secrets)
    return tuple(dict.fromkeys(named))
