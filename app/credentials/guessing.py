"""How often in succession an account's codes may be guessed wrong, whatever the flow or replica.

The count is a row, so that it outlives a process and all replicas share it. It ends with a code
that is right, or a day after the last that was wrong; and a hundred wrong ones close the account's
codes for just that day (SEC-042, SEC-057). A stranger who waits between guesses gains nothing.
"""

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from app.clock import Clock
from app.keyedhash import KeyedHash
from app.persistence import fetch, fetch_row, transaction
from app.sweeping import in_parts

Kind = Literal["passcode", "second_factor"]

MOST_IN_SUCCESSION = 100
PAUSE = timedelta(hours=24)
_TAKE = """
INSERT INTO guess_count (digest, guesses, expires_at) VALUES ($1, 1, $2)
ON CONFLICT (digest) DO UPDATE SET
    guesses = CASE WHEN guess_count.expires_at <= $3 THEN 1 ELSE guess_count.guesses + 1 END,
    expires_at = excluded.expires_at
WHERE guess_count.guesses < $4 OR guess_count.expires_at <= $3
RETURNING guesses
"""
_ENDS = "SELECT expires_at FROM guess_count WHERE digest = $1"
_CLEAR = "DELETE FROM guess_count WHERE digest = $1"
_SWEEP = """
DELETE FROM guess_count WHERE digest IN (
    SELECT digest FROM guess_count WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)
    AND expires_at <= $1
RETURNING digest
"""


@dataclass(frozen=True, slots=True)
class Paused:
    """So many were wrong that none is looked at for so many whole seconds."""

    retry_after: int


@dataclass(frozen=True, slots=True)
class Guesses:
    """Counts guesses; called inside the transaction that evaluates one."""

    hash: KeyedHash
    clock: Clock

    async def take(self, kind: Kind, account: str) -> Paused | None:
        """Count a guess that is about to be evaluated, unless there have been too many.

        The row stays locked until the transaction ends, so guesses at one account come one after
        the other.
        """
        digest, now = self.hash.digest(kind, account), self.clock()
        async with transaction():
            if await fetch(_TAKE, digest, now + PAUSE, now, MOST_IN_SUCCESSION):
                return None
            row = await fetch_row(_ENDS, digest)
        return Paused(_seconds(row["expires_at"] - now) if row else 1)

    async def clear(self, kind: Kind, account: str) -> None:
        """Forget the wrong guesses: one was right."""
        await fetch(_CLEAR, self.hash.digest(kind, account))

    async def sweep(self) -> None:
        """Remove the counts that have ended."""
        await in_parts(_SWEEP, self.clock())


def _seconds(span: timedelta) -> int:
    return max(1, math.ceil(span.total_seconds()))
