"""The use cases of webhooks: who is told, and of what."""

import ipaddress
from dataclasses import dataclass, replace
from datetime import timedelta
from urllib.parse import urlsplit
from uuid import UUID

from app.access import SYSTEM, Actor
from app.audit import AuditLog
from app.clock import Clock
from app.config.check_webhooks import callback_fault
from app.config.webhook_sections import SUBSCRIBABLE
from app.ids import new_id
from app.persistence import exclusive, fetch, fetch_row, transaction
from app.sweeping import in_parts
from app.webhooks import signatures
from app.webhooks.courier import Courier
from app.webhooks.errors import (
    WebhookConfigured,
    WebhookInvalid,
    WebhookLimitReached,
    WebhookNotFound,
)
from app.webhooks.hooks import EXPIRY, Hooks, Webhook, place

MOST_HOOKS = 50
MAX_GRACE = timedelta(days=90)
_MAIL = frozenset({"email", "email.send"})
_COUNT = "SELECT count(*) AS n FROM webhook"
_INSERT = """
INSERT INTO webhook (id, callback, events, is_enabled, sealed_secret, failures, expires_at,
                     created_at, updated_at)
VALUES ($1, $2, $3, TRUE, $4, 0, $5, $6, $6)
"""
_UPDATE = """
UPDATE webhook SET callback = $2, events = $3, is_enabled = $4, disabled_reason = $5, failures = 0,
                   failing_since = NULL, expires_at = $6, updated_at = $7
WHERE id = $1
"""
_DELETE_LOG = """
DELETE FROM webhook_delivery WHERE sequence IN (
    SELECT sequence FROM webhook_delivery WHERE webhook_id = $1 ORDER BY created_at, id LIMIT $2
)
RETURNING sequence
"""
_DELETE = "DELETE FROM webhook WHERE id = $1"
_ROTATE = """
UPDATE webhook SET sealed_previous_secret = sealed_secret, previous_secret_ends_at = $3,
                   sealed_secret = $2, updated_at = $4
WHERE id = $1
"""


@dataclass(frozen=True, slots=True)
class WebhookChanges:
    """What of a hook is to change; None stays."""

    callback: str | None = None
    events: tuple[str, ...] | None = None
    is_enabled: bool | None = None


@dataclass(frozen=True, slots=True)
class Webhooks:
    """Hooks: made, changed, deleted, and given other secrets."""

    hooks: Hooks
    courier: Courier
    audit: AuditLog
    clock: Clock

    async def listed(self) -> list[Webhook]:
        """List all hooks, those of the configuration first."""
        return await self.hooks.listed()

    async def find(self, hook_id: UUID) -> Webhook | None:
        """Give a hook, or None."""
        return await self.hooks.find(hook_id)

    async def get(self, hook_id: UUID) -> Webhook:
        """Give a hook.

        Raises:
            WebhookNotFound: There is none.
        """
        hook = await self.find(hook_id)
        if hook is None:
            raise WebhookNotFound
        return hook

    async def create(
        self, actor: Actor, callback: str, events: tuple[str, ...]
    ) -> tuple[Webhook, str]:
        """Make a hook and give its secret, once.

        Args:
            actor: On whose behalf; the audit record names it.
            callback: Where events are posted to.
            events: What is told, by the names of events or of what stands above them.

        Raises:
            ScopeMissing: It would be told of mails, and the caller may not be any user (SEC-015).
            WebhookInvalid: It cannot be like this.
            WebhookLimitReached: There are as many as there may be.
        """
        _require_mail(actor, events)
        self._check(callback, events)
        hook_id, secret, now = new_id(), signatures.generate(), self.clock()
        sealed = self.hooks.sealer.seal(secret, place(hook_id))
        async with transaction():
            await exclusive("webhooks")
            counted = await fetch_row(_COUNT)
            if counted is not None and counted["n"] >= MOST_HOOKS:
                raise WebhookLimitReached
            await fetch(_INSERT, hook_id, callback, " ".join(events), sealed, now + EXPIRY, now)
            await self.audit.record(
                "webhook_created", actor, subject=hook_id, details=_told(callback, events)
            )
            return await self.get(hook_id), secret

    async def update(self, actor: Actor, hook_id: UUID, changes: WebhookChanges) -> Webhook:
        """Change a hook; what has failed before counts no more.

        Raises:
            WebhookNotFound, WebhookConfigured: There is none that can be changed.
            ScopeMissing: It is or would be told of mails, and the caller may not be any user
                (SEC-015).
            WebhookInvalid: It cannot be like this.
        """
        async with transaction():
            before = await self._locked(hook_id)
            after = replace(
                before,
                callback=before.callback if changes.callback is None else changes.callback,
                events=before.events if changes.events is None else changes.events,
                is_enabled=before.is_enabled if changes.is_enabled is None else changes.is_enabled,
            )
            _require_mail(actor, (*before.events, *after.events))  # what waits goes there as well
            self._check(after.callback, after.events)
            reason = None if after.is_enabled else before.disabled_reason or "operator"
            now, events = self.clock(), " ".join(after.events)
            await fetch(
                _UPDATE,
                *(hook_id, after.callback, events, after.is_enabled, reason, now + EXPIRY, now),
            )
            details = _told(after.callback, after.events) | {"enabled": after.is_enabled}
            await self.audit.record("webhook_updated", actor, subject=hook_id, details=details)
            return await self.get(hook_id)

    async def delete(self, actor: Actor, hook_id: UUID) -> None:
        """Delete a hook with its log; what waits is not delivered.

        The log goes last, a part at a time, so that none is too long to be deleted; what is left
        when that is interrupted goes with the sweep, and the record of the deletion stands.

        Raises:
            WebhookNotFound, WebhookConfigured: There is none that can be deleted.
        """
        async with transaction():
            hook = await self._locked(hook_id)
            await fetch(_DELETE, hook_id)
            details = _told(hook.callback, hook.events)
            await self.audit.record("webhook_deleted", actor, subject=hook_id, details=details)
        await in_parts(_DELETE_LOG, hook_id)

    async def rotate_secret(
        self, actor: Actor, hook_id: UUID, grace: timedelta
    ) -> tuple[Webhook, str]:
        """Make a new secret and give it, once; the old one signs as well until *grace* is over.

        Raises:
            WebhookNotFound, WebhookConfigured: There is none that can be changed.
            WebhookInvalid: The grace period is negative or above 90 days.
        """
        if not timedelta(0) <= grace <= MAX_GRACE:
            raise WebhookInvalid("The grace period is between 0 and 90 days.", path=("grace",))
        secret, now = signatures.generate(), self.clock()
        async with transaction():
            await self._locked(hook_id)
            sealed = self.hooks.sealer.seal(secret, place(hook_id))
            await fetch(_ROTATE, hook_id, sealed, now + grace, now)
            details = {"ends": (now + grace).isoformat()}
            await self.audit.record(
                "webhook_secret_rotated", actor, subject=hook_id, details=details
            )
            return await self.get(hook_id), secret

    async def reseal(self) -> None:
        """Seal under the first secret what an older one has sealed (SEC-120)."""
        await self.hooks.reseal()

    async def _locked(self, hook_id: UUID) -> Webhook:
        hook = await self.hooks.locked(hook_id)
        if hook is None:
            raise WebhookConfigured if await self.hooks.find(hook_id) else WebhookNotFound
        return hook

    def _check(self, callback: str, events: tuple[str, ...]) -> None:
        fault = callback_fault(callback, is_production=self.courier.https_only)
        if fault is not None:
            raise WebhookInvalid(f"The callback {fault}.", path=("callback",))
        if not self._may_be_called(callback):
            raise WebhookInvalid("The callback may not be called.", path=("callback",))
        if not events or len(set(events)) < len(events) or not SUBSCRIBABLE.issuperset(events):
            message = "A webhook needs at least one event, each once, and only events that exist."
            raise WebhookInvalid(message, path=("events",))

    def _may_be_called(self, callback: str) -> bool:
        """Judge an address that stands in the callback itself; names are judged when called."""
        parts = urlsplit(callback)
        host = parts.hostname or ""
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return True
        return self.courier.reach.permits(host, plain=parts.scheme == "http")


def _require_mail(actor: Actor, events: tuple[str, ...]) -> None:
    """Let mails, which hold the codes that users sign in with, be told for who may be any user."""
    if actor is not SYSTEM and not _MAIL.isdisjoint(events):
        actor.require_scopes("webhooks:write", "sessions:write")


def _told(callback: str, events: tuple[str, ...]) -> dict[str, object]:
    """Tell of a hook without the path of its callback, which may hold a secret (SEC-116)."""
    return {"host": urlsplit(callback).hostname, "events": list(events)}
