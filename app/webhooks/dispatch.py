"""The delivery of events to webhooks: that they are told, again if wanted, and how it went."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from uuid import UUID

from app.access import SYSTEM, Actor
from app.audit import AuditLog
from app.clock import Clock
from app.outbound import Limits
from app.paging import Page, PageRequest
from app.persistence import after_commit, fetch, fetch_row, transaction
from app.telemetry import work
from app.webhooks.courier import PING_LIMITS, Courier
from app.webhooks.deliveries import LEASE, Deliveries, Delivery, DeliveryState, Outcome, Taken
from app.webhooks.errors import DeliveryNotFound, WebhookDisabled
from app.webhooks.events import Events
from app.webhooks.hooks import EXPIRY, DisabledReason, Target
from app.webhooks.service import Webhooks

REPLAYED_AT_ONCE = 1000
FAILING_FOR = timedelta(days=3)
"""How long every attempt must have failed before a hook is disabled."""

PING = "ping"
"""The event that tells nothing but that the hook is reached."""

_NOTED_EVERY = timedelta(minutes=1)
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
class Attempted:
    """An attempt that was made, for logs and counters."""

    webhook_id: UUID
    event: str
    outcome: Outcome
    state: DeliveryState | None


@dataclass(frozen=True, slots=True)
class Dispatch:
    """Tells hooks of events, and keeps a log of it.

    Attributes:
        expires: Whether hooks that are told nothing for a month are disabled.
    """

    webhooks: Webhooks
    deliveries: Deliveries
    courier: Courier
    events: Events
    expires: bool
    audit: AuditLog
    clock: Clock

    async def ping(self, actor: Actor, hook_id: UUID) -> Delivery:
        """Tell a hook at once that it is reached, and say what became of it.

        It is the event `ping`; where it fails, the worker goes on trying. It is waited for less
        long than usual, so that a hook that hangs is told of before the caller's own time is over.

        Raises:
            WebhookNotFound, WebhookDisabled: There is none that is told.
        """
        await self.webhooks.get(hook_id)
        target = await self.webhooks.hooks.target(hook_id)
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
            hook = await self.webhooks.hooks.find(before.webhook_id)
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
                await self.webhooks.get(failed_of)
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
        await self.webhooks.get(hook_id)
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
            KeysUnreadable: No secret configured here opens the hook's own; nothing was taken.
            SignerUnavailable, DatabaseUnavailable: It could not be tried, and will be.
        """
        target = await self.webhooks.hooks.target(hook_id)
        taken = await self.deliveries.take(hook_id) if target is not None else None
        if target is None or taken is None:
            return None
        return await self._deliver(target, taken)

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
