"""Deliveries: one for each event and hook, taken by one worker at a time.

Events are spread over hooks by one worker at a time, in the order of what happened, so that the
deliveries of one user to one hook are in that order as well. Of those only the oldest is taken; who
follows waits until it is settled. Taking one postpones it and marks it with a claim: a worker that
dies leaves a delivery that is due again when its lease has run out, so that each is told at least
once (SEC-133).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import SystemRandom
from typing import Literal
from uuid import UUID

from piccolo.querystring import QueryString

from app.clock import Clock
from app.ids import new_id
from app.paging import Page, PageRequest
from app.persistence import Row, exclusive, fetch, fetch_composed, fetch_row, speaks, transaction
from app.persistence.engine import Dialect
from app.sweeping import in_parts
from app.webhooks.hooks import Hooks, Webhook

DeliveryState = Literal["waiting", "delivered", "failed"]
OutcomeKind = Literal[
    "delivered", "refused", "unanswered", "address_refused", "unreadable", "expired"
]

LEASE = timedelta(seconds=90)
"""Much longer than an attempt may take, so that clocks may differ by a minute."""

TRIED_FOR = timedelta(hours=24)
KEPT = timedelta(days=3)
_FIRST_PAUSE = timedelta(seconds=5)
_LONGEST_PAUSE = timedelta(minutes=5)
_JITTER = (0.6, 1.0)
_MOST_DOUBLINGS = 10
_GRACE = timedelta(hours=1)
_EVENTS_AT_ONCE = 50
_random = SystemRandom()

_IS_UNSPREAD = "SELECT 1 AS one FROM webhook_event WHERE NOT is_spread LIMIT 1"
_SPREAD_NEXT = """
UPDATE webhook_event SET is_spread = TRUE WHERE sequence IN (
    SELECT sequence FROM webhook_event WHERE NOT is_spread ORDER BY sequence LIMIT $1
)
RETURNING sequence, id, name, user_id, created_at
"""
_FORGET_NEXT = """
DELETE FROM webhook_event WHERE sequence IN (
    SELECT sequence FROM webhook_event WHERE NOT is_spread ORDER BY sequence LIMIT $1
)
RETURNING sequence
"""
_FORGET = "DELETE FROM webhook_event WHERE id = $1"
_PUT = """
INSERT INTO webhook_delivery (id, webhook_id, event_id, event, user_id, state, attempts, due_at,
                              claim, created_at, expires_at)
VALUES ($1, $2, $3, $4, $5, 'waiting', $6, $7, $8, $9, $10)
"""
_ANY_DUE = """
SELECT 1 AS one FROM webhook_delivery WHERE state = 'waiting' AND due_at <= $1 LIMIT 1
"""
_IS_DUE = """
SELECT 1 AS one FROM webhook_delivery WHERE webhook_id = $1 AND state = 'waiting' AND due_at <= $2
LIMIT 1
"""
_NEXT = """
SELECT d.id, d.webhook_id, d.event_id, d.event, d.user_id, d.attempts, d.created_at, d.expires_at
FROM webhook_delivery d
WHERE d.webhook_id = $1 AND d.state = 'waiting' AND d.due_at <= $2 AND NOT EXISTS (
    SELECT 1 FROM webhook_delivery e WHERE e.webhook_id = $1 AND e.user_id = d.user_id
        AND e.state = 'waiting' AND e.sequence < d.sequence)
ORDER BY d.due_at, d.sequence LIMIT 1
"""
_TAKE: dict[Dialect, str] = {
    "sqlite": _NEXT,  # whoever writes has the file to itself
    "postgres": f"{_NEXT} FOR UPDATE OF d SKIP LOCKED",
}
_CLAIM = "UPDATE webhook_delivery SET claim = $2, due_at = $3, attempts = $4 WHERE id = $1"
_SETTLE = """
UPDATE webhook_delivery
SET state = $3, outcome = $4, status = $5, attempted_at = $6, settled_at = $6, claim = NULL
WHERE id = $1 AND claim = $2 RETURNING id
"""
_PUT_BACK = """
UPDATE webhook_delivery
SET due_at = $3, outcome = $4, status = $5, attempted_at = $6, claim = NULL
WHERE id = $1 AND claim = $2 RETURNING id
"""
_HOLD_UP = """
UPDATE webhook_delivery SET due_at = $3
WHERE webhook_id = $1 AND user_id = $2 AND state = 'waiting' AND due_at < $3
"""
_EXPIRE = """
UPDATE webhook_delivery SET state = 'failed', outcome = 'expired', settled_at = $1, claim = NULL
WHERE state = 'waiting' AND sequence IN (
    SELECT sequence FROM webhook_delivery WHERE state = 'waiting' AND expires_at <= $2
    ORDER BY expires_at LIMIT $3
)
RETURNING id
"""
_CLEAN = """
DELETE FROM webhook_delivery WHERE sequence IN (
    SELECT sequence FROM webhook_delivery WHERE created_at <= $1 AND state <> 'waiting'
    ORDER BY created_at LIMIT $2
)
RETURNING sequence
"""
_SHOWN = (
    "id, webhook_id, event_id, event, user_id, state, attempts, outcome, status, created_at, "
    "due_at, expires_at, attempted_at, settled_at"
)
_ONE = f"SELECT {_SHOWN} FROM webhook_delivery WHERE id = $1"
_EVENT = "SELECT id, name, sealed_data FROM webhook_event WHERE id = $1"
_FAILED = """
SELECT d.id FROM webhook_delivery d
WHERE d.webhook_id = $1 AND d.state = 'failed'
    AND EXISTS (SELECT 1 FROM webhook_event v WHERE v.id = d.event_id)
    AND NOT EXISTS (
        SELECT 1 FROM webhook_delivery e
        WHERE e.event_id = d.event_id AND e.webhook_id = $1 AND e.sequence > d.sequence)
ORDER BY d.sequence LIMIT $2
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an attempt.

    Attributes:
        kind: `delivered`: taken, with a status of 2xx. `refused`: another status. `unanswered`: no
            answer, or none that is used. `address_refused`: the callback leads where nothing may
            go. `unreadable`: no secret opens the event, or it is kept no longer; `expired`: it is
            too late. The last two are final.
        status: The HTTP status, where there was one.
    """

    kind: OutcomeKind
    status: int | None = None

    @property
    def is_final(self) -> bool:
        """Say whether trying again could change nothing."""
        return self.kind in ("delivered", "unreadable", "expired")


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event for one hook, as the log shows it.

    Attributes:
        due_at: When it is tried next, while it waits.
        expires_at: Until when it is tried.
    """

    id: UUID
    webhook_id: UUID
    event_id: UUID
    event: str
    user_id: UUID | None
    state: DeliveryState
    attempts: int
    outcome: OutcomeKind | None
    status: int | None
    created_at: datetime
    due_at: datetime
    expires_at: datetime
    attempted_at: datetime | None
    settled_at: datetime | None


@dataclass(frozen=True, slots=True)
class Taken:
    """A delivery in the hands of one worker."""

    id: UUID
    webhook_id: UUID
    event_id: UUID
    event: str
    user_id: UUID | None
    attempts: int
    created_at: datetime
    expires_at: datetime
    claim: UUID


@dataclass(frozen=True, slots=True)
class KeptEvent:
    """An event that is to be told."""

    id: UUID
    name: str
    sealed_data: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Deliveries:
    """The deliveries that wait, and the log of those that do not."""

    hooks: Hooks
    clock: Clock

    async def spread(self) -> int:
        """Make a delivery of each new event for each hook that asks for it; say how many events.

        What nobody asks for is not kept.
        """
        if not await fetch_row(_IS_UNSPREAD):
            return 0
        async with transaction():
            await exclusive("webhook_events")
            hooks = await self.hooks.enabled()
            if not hooks:
                return len(await fetch(_FORGET_NEXT, _EVENTS_AT_ONCE))
            events = await fetch(_SPREAD_NEXT, _EVENTS_AT_ONCE)
            for event in sorted(events, key=lambda one: int(one["sequence"])):
                await self._spread(event, hooks)
            return len(events)

    async def due(self) -> list[UUID]:
        """Name the hooks that there is something to deliver to."""
        now = self.clock()
        if not await fetch_row(_ANY_DUE, now):
            return []
        enabled = [hook.id for hook in await self.hooks.enabled()]
        return [one for one in enabled if await fetch_row(_IS_DUE, one, now)]

    async def put(self, hook_id: UUID, event: Row, *, due_in: timedelta = timedelta(0)) -> Taken:
        """Add a delivery, in the open transaction where there is one.

        Args:
            hook_id: To whom.
            event: The event: its `id`, `name` and `user_id`.
            due_in: When the workers may have it, if not at once: until then it is the caller's.
        """
        delivery_id, claim, now = new_id(), new_id(), self.clock()
        whose = (delivery_id, hook_id, event["id"], event["name"], event["user_id"])
        attempts, ends = 1 if due_in else 0, now + TRIED_FOR
        kept_claim = claim if due_in else None
        await fetch(_PUT, *whose, attempts, now + due_in, kept_claim, now, ends)
        return Taken(*whose, attempts, now, ends, claim)

    async def take(self, hook_id: UUID) -> Taken | None:
        """Take what has been due to a hook for longest; None where nothing can be taken."""
        if not await fetch_row(_IS_DUE, hook_id, self.clock()):
            return None
        async with transaction():
            now = self.clock()
            rows = await fetch(_TAKE[speaks()], hook_id, now)
            if not rows:
                return None
            row, claim = rows[0], new_id()
            attempts = row["attempts"] + 1
            await fetch(_CLAIM, row["id"], claim, now + LEASE, attempts)
            return Taken(**dict(row) | {"attempts": attempts, "claim": claim})

    async def event_of(self, taken: Taken) -> KeptEvent | None:
        """Give the event of a delivery, or None where it is kept no longer."""
        row = await fetch_row(_EVENT, taken.event_id)
        return KeptEvent(**row) if row is not None else None

    async def settle(self, taken: Taken, outcome: Outcome) -> DeliveryState | None:
        """Note what became of an attempt, in the open transaction.

        Returns:
            The delivery's state, or None where the claim was gone and nothing is noted.
        """
        now, told = self.clock(), (outcome.kind, outcome.status)
        if outcome.is_final or now >= taken.expires_at:
            state: DeliveryState = "delivered" if outcome.kind == "delivered" else "failed"
            return state if await fetch(_SETTLE, taken.id, taken.claim, state, *told, now) else None
        due_at = min(now + pause_after(taken.attempts), taken.expires_at)
        if not await fetch(_PUT_BACK, taken.id, taken.claim, due_at, *told, now):
            return None
        if taken.user_id is not None:  # those that follow are not looked at before
            await fetch(_HOLD_UP, taken.webhook_id, taken.user_id, due_at)
        return "waiting"

    async def find(self, delivery_id: UUID) -> Delivery | None:
        """Give a delivery, or None."""
        row = await fetch_row(_ONE, delivery_id)
        return Delivery(**row) if row is not None else None

    async def failed(self, hook_id: UUID, limit: int) -> list[UUID]:
        """Name deliveries to a hook that have failed and could be replayed, oldest first.

        What was queued again since is not among them.
        """
        return [row["id"] for row in await fetch(_FAILED, hook_id, limit)]

    async def page(
        self, hook_id: UUID, asked: PageRequest, *, state: DeliveryState | None = None
    ) -> Page[Delivery]:
        """List the deliveries to a hook, newest first."""
        parts = [QueryString("webhook_id = {}", hook_id)]
        if state is not None:
            parts.append(QueryString("state = {}", state))
        if asked.beyond is not None:
            at, last = asked.beyond.at, asked.beyond.id
            sql = "(created_at < {} OR (created_at = {} AND id < {}))"
            parts.append(QueryString(sql, at, at, last))
        rows = await fetch_composed(
            QueryString(
                f"SELECT {_SHOWN} FROM webhook_delivery WHERE "
                f"{' AND '.join('{}' for _ in parts)} ORDER BY created_at DESC, id DESC LIMIT {{}}",
                *parts,
                asked.size + 1,
            )
        )
        return Page.of([Delivery(**row) for row in rows], asked)

    async def sweep(self) -> int:
        """Give up what was not told in time, and delete what was long ago; say how many it was."""
        now = self.clock()
        given_up = await in_parts(_EXPIRE, now, now - _GRACE)
        await in_parts(_CLEAN, now - KEPT)
        return given_up

    async def _spread(self, event: Row, hooks: Sequence[Webhook]) -> None:
        told = [one for one in hooks if one.is_told(event["name"], event["created_at"])]
        for hook in told:
            await self.put(hook.id, event)
        if not told:
            await fetch(_FORGET, event["id"])


def pause_after(attempts: int) -> timedelta:
    """Say how long to wait after so many attempts: twice as long each time, and spread."""
    doubled: timedelta = _FIRST_PAUSE * 2 ** min(attempts - 1, _MOST_DOUBLINGS)
    return min(doubled, _LONGEST_PAUSE) * _random.uniform(*_JITTER)
