"""Mail that waits: written in the transaction that causes it, taken by one worker at a time.

To take a mail is to push its time back and to leave a claim. A worker that dies leaves a mail that
is due again when its lease has run out; one that comes back too late finds its claim gone. Of what
is settled neither the values are kept nor, but for the domain, to whom it went.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import SystemRandom
from uuid import UUID

import msgspec

from app import strictjson
from app.audit import mask
from app.clock import Clock
from app.ids import new_id
from app.mail.outcomes import Outcome
from app.mail.templates import Template
from app.persistence import fetch, fetch_row, speaks, transaction
from app.persistence.engine import Dialect
from app.sealing import Sealing
from app.sweeping import AT_ONCE, in_parts

LEASE = timedelta(minutes=3)
"""Thrice as long as a mail may take, so that clocks may differ by a minute."""

MOST_ATTEMPTS = 8
"""How often a mail may be handed over that may have arrived, or whose recipient is refused."""

KEPT = timedelta(days=7)
_SOON = timedelta(seconds=5)
_LATEST = timedelta(seconds=40)
_FIRST_PAUSE = timedelta(seconds=30)
_LONGEST_PAUSE = timedelta(hours=6)
_SPREAD = (0.8, 1.2)
_random = SystemRandom()

_PUT = """
INSERT INTO mail_outbox (id, template, language, recipient, sealed_values, state, attempts, due_at,
                         claim, created_at, expires_at)
VALUES ($1, $2, $3, $4, $5, 'waiting', $6, $7, $8, $9, $10)
"""
_IS_DUE = "SELECT 1 AS one FROM mail_outbox WHERE state = 'waiting' AND due_at <= $1 LIMIT 1"
_NEXT = """
SELECT id, template, language, recipient, sealed_values, attempts, created_at, expires_at
FROM mail_outbox WHERE state = 'waiting' AND due_at <= $1 ORDER BY due_at, id LIMIT 1
"""
_TAKE: dict[Dialect, str] = {
    "sqlite": _NEXT,  # whoever writes has the file to itself
    "postgres": f"{_NEXT} FOR UPDATE SKIP LOCKED",
}
_CLAIM = "UPDATE mail_outbox SET claim = $2, due_at = $3, attempts = $4 WHERE id = $1"
_SETTLE = """
UPDATE mail_outbox SET state = $3, answer = $4, settled_at = $5, recipient = $6,
    sealed_values = NULL, claim = NULL
WHERE id = $1 AND claim = $2
"""
_PUT_BACK = """
UPDATE mail_outbox SET due_at = $3, answer = $4, attempts = $5, claim = NULL
WHERE id = $1 AND claim = $2
"""
_TOO_LATE = """
SELECT id, recipient FROM mail_outbox WHERE state = 'waiting' AND expires_at <= $1
ORDER BY expires_at, id LIMIT $2 FOR UPDATE
"""
_EXPIRE = """
UPDATE mail_outbox SET state = 'expired', settled_at = $2, sealed_values = NULL, claim = NULL,
    recipient =
"""
_EXPIRE_IN: dict[Dialect, str] = {
    "sqlite": f"""{_EXPIRE} (SELECT value FROM json_each($3) WHERE key = mail_outbox.id)
WHERE id = ANY($1)""",
    "postgres": f"{_EXPIRE} CAST($3 AS JSONB) ->> CAST(id AS TEXT) WHERE id = ANY($1)",
}
_CLEAN = """
DELETE FROM mail_outbox WHERE id IN (
    SELECT id FROM mail_outbox WHERE settled_at <= $1 ORDER BY settled_at LIMIT $2
)
RETURNING id
"""


@dataclass(frozen=True, slots=True)
class Draft:
    """A mail to add: which, in what language, to whom, with what in it, and until when.

    The values are kept sealed.
    """

    template: Template
    language: str
    recipient: str
    values: Mapping[str, str]
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Taken:
    """A mail in the hands of one worker."""

    id: UUID
    template: Template
    language: str
    recipient: str
    sealed_values: str
    attempts: int
    created_at: datetime
    expires_at: datetime
    claim: UUID


@dataclass(frozen=True, slots=True)
class Outbox:
    """The mails that wait."""

    sealer: Sealing
    clock: Clock

    async def put(self, draft: Draft, *, due_in: timedelta = timedelta(0)) -> Taken:
        """Add a mail, in the open transaction where there is one.

        Args:
            draft: The mail.
            due_in: When the workers may have it, if not at once: until then it is the caller's.
        """
        mail_id, claim, now = new_id(), new_id(), self.clock()
        sealed = self.sealer.seal(strictjson.encode(dict(draft.values)), _place(mail_id))
        attempts = 1 if due_in else 0
        whose = (draft.template, draft.language, draft.recipient)
        times = (now, draft.expires_at)
        await fetch(
            _PUT, mail_id, *whose, sealed, attempts, now + due_in, claim if due_in else None, *times
        )
        return Taken(mail_id, *whose, sealed, attempts, *times, claim)

    async def take(self) -> Taken | None:
        """Take the mail that has been due for longest; None where none is due."""
        if not await fetch_row(_IS_DUE, self.clock()):
            return None
        async with transaction():
            now = self.clock()
            rows = await fetch(_TAKE[speaks()], now)
            if not rows:  # other workers were here first
                return None
            row, claim = rows[0], new_id()
            attempts = row["attempts"] + 1
            await fetch(_CLAIM, row["id"], claim, now + LEASE, attempts)
            return Taken(**dict(row) | {"attempts": attempts, "claim": claim})

    def values(self, mail: Taken) -> dict[str, str]:
        """Open what comes into a mail.

        Raises:
            IdentityError: The secret that sealed it is not configured any more.
        """
        opened = self.sealer.open(mail.sealed_values, _place(mail.id))
        return msgspec.json.decode(opened, type=dict[str, str])

    async def settle(self, mail: Taken, outcome: Outcome) -> None:
        """Note what became of a mail that was taken; nothing, where the claim is gone."""
        now, answer, who = self.clock(), outcome.answer, mask(mail.recipient)
        match outcome.kind:
            case "sent" | "expired" as state:
                await fetch(_SETTLE, mail.id, mail.claim, state, answer, now, who)
            case "unreachable":  # says nothing of this mail, and counts for nothing
                await fetch(_PUT_BACK, mail.id, mail.claim, now, answer, mail.attempts - 1)
            case "deferred" if not outcome.counts:
                due_at = min(now + pause_at(now - mail.created_at), mail.expires_at)
                await fetch(_PUT_BACK, mail.id, mail.claim, due_at, answer, mail.attempts - 1)
            case "deferred" if mail.attempts < MOST_ATTEMPTS:
                due_at = min(now + pause_after(mail.attempts), mail.expires_at)
                await fetch(_PUT_BACK, mail.id, mail.claim, due_at, answer, mail.attempts)
            case _:
                await fetch(_SETTLE, mail.id, mail.claim, "failed", answer, now, who)

    async def sweep(self) -> int:
        """Mark what has expired, and delete what was settled long ago; say how many expired."""
        total = 0
        while expired := await self._expire():
            total += expired
        await in_parts(_CLEAN, self.clock() - KEPT)
        return total

    async def _expire(self) -> int:
        """Mark some of what has expired, and say how many they were."""
        now = self.clock()
        async with transaction():
            rows = await fetch(_TOO_LATE, now, AT_ONCE)
            if rows:
                masked = {str(row["id"]): mask(row["recipient"]) for row in rows}
                told = strictjson.encode(masked)
                await fetch(_EXPIRE_IN[speaks()], [row["id"] for row in rows], now, told)
            return len(rows)


def pause_at(age: timedelta) -> timedelta:
    """Say how long a mail of this age waits that was refused for now: half as long again, spread.

    Never a minute, so that it leaves within one of the server's changing its mind (SEC-132).
    """
    pause: timedelta = min(max(age / 2, _SOON), _LATEST)
    return pause * _random.uniform(*_SPREAD)


def pause_after(attempts: int) -> timedelta:
    """Say how long to wait after so many attempts: four times as long each time, and spread."""
    pause: timedelta = min(_FIRST_PAUSE * 2 ** (2 * attempts - 2), _LONGEST_PAUSE)
    return pause * _random.uniform(*_SPREAD)


def _place(mail_id: UUID) -> str:
    return f"mail_outbox:{mail_id}"
