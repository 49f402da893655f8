"""The use cases of webhooks: who is told, that they are told, and what became of it."""

import ipaddress
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from urllib.parse import urlsplit
from uuid import UUID

from app.access import SYSTEM, Actor
from app.audit import AuditLog
from app.clock import Clock
from app.config.check_webhooks import callback_fault
from app.config.sections import Config
from app.config.webhook_sections import SUBSCRIBABLE
from app.ids import new_id
from app.keys import Sealer, SigningKeys
from app.outbound import Limits
from app.paging import Page, PageRequest
from app.persistence import after_commit, exclusive, fetch, fetch_row, transaction
from app.telemetry import work
from app.webhooks import signatures
from app.webhooks.courier import PING_LIMITS, Courier
from app.webhooks.deliveries import LEASE, Deliveries, Delivery, DeliveryState, Outcome, Taken
from app.webhooks.errors import (
    DeliveryNotFound,
    WebhookConfigured,
    WebhookDisabled,
    WebhookInvalid,
    WebhookLimitReached,
    WebhookNotFound,
)
from app.webhooks.events import Events
from app.webhooks.hooks import EXPIRY, DisabledReason, Hooks, Target, Webhook, place

MOST_HOOKS = 50
MAX_GRACE = timedelta(days=90)
REPLAYED_AT_ONCE = 1000
FAILING_FOR = timedelta(days=3)
"""How long every attempt must have failed before a hook is disabled."""

PING = "ping"
"""The event that tells nothing but that the hook is reached."""

_MAIL = frozenset({"email", "email.send"})
_NOTED_EVERY = timedelta(minutes=1)
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
_DELETE_LOG = "DELETE FROM webhook_delivery WHERE webhook_id = $1"
_DELETE = "DELETE FROM webhook WHERE id = $1"
_ROTATE = """
UPDATE webhook SET sealed_previous_secret = sealed_secret, previous_secret_ends_at = $3,
                   sealed_secret = $2, updated_at = $4
WHERE id = $1
"""
_SUCCEEDED = """
UPDATE webhook SET failures = 0, failing_since = NULL, last_success_at = $2, expires_at = $3
WHERE id = $1 AND (failures > 0 OR last_success_at IS NULL OR last_success_at <= $4)
"""
_FAILED = """
UPDATE webhook SET failures = failures + 1, failing_since = COALESCE(failing_since, $2)
WHERE id = $1 AND is_enabled RETURNING failing_since, failures
"""
_DISABLE = """
UPDATE webhook SET is_enabled = FALSE, disabled_reason = $2, updated_at = $3
WHERE id = $1 AND is_enabled RETURNING failures
"""
_UNUSED = "SELECT id FROM webhook WHERE is_enabled AND expires_at <= $1"
_EVENT = "SELECT id, name, user_id FROM webhook_event WHERE id = $1"
_log = logging.getLogger("sekisho.webhooks")


@dataclass(frozen=True, slots=True)
class WebhookChanges:
    """What of a hook is to change; None stays."""

    callback: str | None = None
    events: tuple[str, ...] | None = None
    is_enabled: bool | None = None


@dataclass(frozen=True, slots=True)
class Attempted:
    """An attempt that was made, for logs and counters."""

    webhook_id: UUID
    event: str
    outcome: Outcome
    state: DeliveryState | None


@dataclass(frozen=True, slots=True)
class Webhooks:
    """Hooks, and the delivery of events to them.

    Attributes:
        expires: Whether hooks that are told nothing for a month are disabled.
    """

    hooks: Hooks
    deliveries: Deliveries
    courier: Courier
    events: Events
    expires: bool
    audit: AuditLog
    clock: Clock

    @classmethod
    def of(  # noqa: PLR0913, PLR0917  # what it stands on
        cls,
        config: Config,
        keys: SigningKeys,
        sealer: Sealer,
        events: Events,
        audit: AuditLog,
        clock: Clock,
    ) -> "Webhooks":
        """Build the service as it is configured."""
        hooks = Hooks(config.webhooks, sealer, clock)
        deliveries, courier = Deliveries(hooks, clock), Courier.of(config, keys, sealer, clock)
        expires = config.webhooks.allow_time_expiration
        return cls(hooks, deliveries, courier, events, expires, audit, clock)

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

        Raises:
            WebhookNotFound, WebhookConfigured: There is none that can be deleted.
        """
        async with transaction():
            await fetch(_DELETE_LOG, hook_id)  # in the order of those who settle deliveries
            hook = await self._locked(hook_id)
            await fetch(_DELETE, hook_id)
            details = _told(hook.callback, hook.events)
            await self.audit.record("webhook_deleted", actor, subject=hook_id, details=details)

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

    async def ping(self, actor: Actor, hook_id: UUID) -> Delivery:
        """Tell a hook at once that it is reached, and say what became of it.

        It is the event `ping`; where it fails, the worker goes on trying. It is waited for less
        long than usual, so that a hook that hangs is told of before the caller's own time is over.

        Raises:
            WebhookNotFound, WebhookDisabled: There is none that is told.
        """
        await self.get(hook_id)
        target = await self.hooks.target(hook_id)
        if target is None:
            raise WebhookDisabled
        async with transaction():
            event_id = await self.events.record_for_one(PING)
            event = {"id": event_id, "name": PING, "user_id": None}
            taken = await self.deliveries.put(hook_id, event, due_in=LEASE)
            details = {"delivery": str(taken.id)}
            await self.audit.record("webhook_pinged", actor, subject=hook_id, details=details)
        await self._deliver(target, taken, PING_LIMITS)
        return await self.delivery(taken.id)

    async def replay(self, actor: Actor, delivery_id: UUID) -> Delivery:
        """Deliver an event again, whatever became of it before, by the same id.

        Raises:
            DeliveryNotFound: There is no such delivery, or its event is kept no longer.
            WebhookDisabled: Its hook is disabled, or gone.
        """
        async with transaction():
            before = await self.delivery(delivery_id)
            hook = await self.hooks.find(before.webhook_id)
            if hook is None or not hook.is_enabled:
                raise WebhookDisabled
            event = await fetch_row(_EVENT, before.event_id)
            if event is None:
                raise DeliveryNotFound
            taken = await self.deliveries.put(hook.id, event)
            details = {"delivery": str(delivery_id), "event": before.event}
            await self.audit.record(
                "webhook_delivery_replayed", actor, subject=hook.id, details=details
            )
            return await self.delivery(taken.id)

    async def replay_all(
        self, actor: Actor, delivery_ids: Sequence[UUID], *, failed_of: UUID | None = None
    ) -> list[Delivery]:
        """Deliver events again, all of them or none.

        Args:
            actor: On whose behalf; the audit records name it.
            delivery_ids: Which.
            failed_of: A hook whose failed deliveries are meant as well, at most a thousand.

        Raises:
            WebhookNotFound, DeliveryNotFound, WebhookDisabled: One of them cannot be.
        """
        async with transaction():
            found = list(delivery_ids)
            if failed_of is not None:
                await self.get(failed_of)
                found += await self.deliveries.failed(failed_of, REPLAYED_AT_ONCE)
            return [await self.replay(actor, one) for one in dict.fromkeys(found)]

    async def delivery(self, delivery_id: UUID) -> Delivery:
        """Give a delivery of the log.

        Raises:
            DeliveryNotFound: There is none.
        """
        found = await self.deliveries.find(delivery_id)
        if found is None:
            raise DeliveryNotFound
        return found

    async def page(
        self, hook_id: UUID, asked: PageRequest, *, state: DeliveryState | None = None
    ) -> Page[Delivery]:
        """List the deliveries to a hook, newest first.

        Raises:
            WebhookNotFound: There is no such hook.
        """
        await self.get(hook_id)
        return await self.deliveries.page(hook_id, asked, state=state)

    async def spread(self) -> int:
        """Make deliveries of new events; say of how many."""
        return await self.deliveries.spread()

    async def due(self) -> list[UUID]:
        """Name the hooks that there is something to deliver to."""
        return await self.deliveries.due()

    async def deliver_next(self, hook_id: UUID) -> Attempted | None:
        """Try what has been due to a hook for longest; None where there is nothing to do.

        Raises:
            KeysUnreadable: No configured secret opens that of the hook.
            SignerUnavailable, DatabaseUnavailable: It could not be tried, and will be.
        """
        target = await self.hooks.target(hook_id)
        taken = await self.deliveries.take(hook_id) if target is not None else None
        if target is None or taken is None:
            return None
        return await self._deliver(target, taken)

    async def reseal(self) -> None:
        """Seal under the first secret what an older one has sealed (SEC-120)."""
        await self.hooks.reseal()

    async def sweep(self) -> None:
        """Give up what was not told in time, delete what was long ago, and disable the unused.

        Events are not among it: they are swept by themselves.
        """
        for _ in range(await self.deliveries.sweep()):
            self.audit.metrics.webhook_settled("failed")
        for row in await fetch(_UNUSED, self.clock()) if self.expires else ():
            async with transaction():
                await self._disable(row["id"], "unused")

    async def _deliver(
        self, target: Target, taken: Taken, limits: Limits | None = None
    ) -> Attempted:
        named = {"sekisho.webhook": str(taken.webhook_id), "sekisho.event": taken.event}
        with work("webhook", named) as attempt:
            event = await self.deliveries.event_of(taken)
            outcome = await self.courier.attempt(target, event, limits)
            attempt.set("sekisho.outcome", outcome.kind)
            if outcome.kind != "delivered":
                attempt.fail(outcome.kind)
            state = await self._settle(target, taken, outcome)
        told = {"webhook": taken.webhook_id, "delivery": taken.id, "event": taken.event}
        level = logging.INFO if outcome.kind == "delivered" else logging.WARNING
        status = {} if outcome.status is None else {"status": outcome.status}
        _log.log(level, "webhook %s", outcome.kind, extra=told | status)
        return Attempted(taken.webhook_id, taken.event, outcome, state)

    async def _settle(self, target: Target, taken: Taken, outcome: Outcome) -> DeliveryState | None:
        """Note what became of an attempt; None where another has noted it."""
        async with transaction():
            state = await self.deliveries.settle(taken, outcome)
            if state is not None:
                after_commit(partial(self._count, outcome, state))
                if not target.hook.is_configured:
                    await self._note(target.hook.id, outcome)
            return state

    def _count(self, outcome: Outcome, state: DeliveryState) -> None:
        self.audit.metrics.webhook_attempt(outcome.kind)
        if state != "waiting":
            self.audit.metrics.webhook_settled(state)

    async def _note(self, hook_id: UUID, outcome: Outcome) -> None:
        """Remember how a hook fares, and disable one that has long failed."""
        now = self.clock()
        if outcome.kind == "delivered":
            await fetch(_SUCCEEDED, hook_id, now, now + EXPIRY, now - _NOTED_EVERY)
        elif not outcome.is_final:  # the others say nothing of the hook
            rows = await fetch(_FAILED, hook_id, now)
            if rows and now - rows[0]["failing_since"] >= FAILING_FOR:
                await self._disable(hook_id, "failing")

    async def _disable(self, hook_id: UUID, reason: DisabledReason) -> None:
        rows = await fetch(_DISABLE, hook_id, reason, self.clock())
        if rows:
            details = {"reason": reason, "failures": rows[0]["failures"]}
            await self.audit.record("webhook_disabled", SYSTEM, subject=hook_id, details=details)
            _log.warning("webhook disabled", extra={"webhook": hook_id, **details})

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
