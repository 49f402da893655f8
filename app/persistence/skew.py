"""Whether our clock and the database's agree (SEC-134).

Times that replicas compare were written by other replicas. Up to a minute apart does no harm; more
than that, and whoever is wrong must not answer.
"""

import logging
import math
import time
from dataclasses import dataclass, field
from datetime import timedelta

from app.clock import Clock
from app.persistence.database import fetch_row, speaks

MOST_APART = timedelta(seconds=60)
_WARN_EVERY = 60.0
_NOW = "SELECT clock_timestamp() AS now"
_log = logging.getLogger("sekisho.clock")


@dataclass(slots=True)
class _Alarm:
    """When it was last said that the clocks disagree."""

    sounded_at: float = -math.inf


@dataclass(frozen=True, slots=True)
class ClockWatch:
    """Compares the clocks; SQLite has none but ours."""

    clock: Clock
    _alarm: _Alarm = field(default_factory=_Alarm)

    async def skew(self) -> timedelta:
        """Say by how much our clock is ahead of the database's.

        Raises:
            DatabaseUnavailable: It does not answer.
        """
        if speaks() == "sqlite":
            return timedelta(0)
        row = await fetch_row(_NOW)
        return self.clock() - row["now"] if row is not None else timedelta(0)

    async def agrees(self) -> bool:
        """Say whether the clocks are at most a minute apart, and raise the alarm where not.

        Raises:
            DatabaseUnavailable: It does not answer.
        """
        skew = await self.skew()
        if abs(skew) <= MOST_APART:
            return True
        now = time.monotonic()
        if now - self._alarm.sounded_at >= _WARN_EVERY:
            self._alarm.sounded_at = now
            _log.error(
                "our clock and the database's are too far apart; not ready",
                extra={"seconds_ahead": round(skew.total_seconds(), 3)},
            )
        return False
