"""Sliding windows, counted in this process.

Of each key the times of its last entries are kept, no more than its limit. There is room for one
more when the oldest of them has left the window; so no span of that length ever holds more than the
limit, wherever it begins.
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from app.clock import Clock

MOST_KEYS = 50_000
"""Keys that are counted apart; further ones share."""

_SHARED = 1024
_SWEEP_EVERY = 60.0


@dataclass(frozen=True, slots=True)
class Slot:
    """One window of one account or network; the key is a digest and names nobody."""

    key: str
    tokens: int
    span: timedelta


@dataclass(slots=True)
class _Entries:
    span: float
    times: deque[float]

    def wait(self, tokens: int, now: float) -> float:
        """Say after how many seconds there is room for one more; 0 for now."""
        if len(self.times) < tokens:
            return 0.0
        return min(max(self.times[-tokens] + self.span - now, 0.0), self.span)

    def have_left(self, now: float) -> bool:
        return self.times[-1] + self.span <= now


class MemoryWindows:
    """Windows of this process; memory is bounded whoever asks (SEC-126).

    When there are more keys than are counted apart, further ones share some counters by their
    digest: they are limited sooner, and nobody can push out the count of another.
    """

    def __init__(self, clock: Clock, most: int = MOST_KEYS) -> None:
        self._clock = clock
        self._most = most
        self._entries: dict[str, _Entries] = {}
        self._sweep_at = -math.inf

    def take(self, slots: Sequence[Slot]) -> float:
        """Count one in every slot, or in none and say how many seconds it is until there is room.

        Nothing else runs in between, so parallel attempts cannot share a place (SEC-071).
        """
        now = self._clock().timestamp()
        self._sweep(now)
        found = [(self._entries_of(slot), slot) for slot in slots]
        wait = max((entries.wait(slot.tokens, now) for entries, slot in found), default=0.0)
        if wait == 0:
            for entries, _ in found:
                entries.times.append(now)
        return wait

    def __len__(self) -> int:
        return len(self._entries)

    def _entries_of(self, slot: Slot) -> _Entries:
        key = slot.key
        if key not in self._entries and len(self._entries) >= self._most:
            key = f"{int(key, 16) % _SHARED}/{slot.tokens}/{slot.span}"
        if key not in self._entries:
            times: deque[float] = deque(maxlen=slot.tokens)
            self._entries[key] = _Entries(slot.span.total_seconds(), times)
        return self._entries[key]

    def _sweep(self, now: float) -> None:
        if now < self._sweep_at:
            return
        self._sweep_at = now + _SWEEP_EVERY
        gone = [key for key, one in self._entries.items() if not one.times or one.have_left(now)]
        for key in gone:
            del self._entries[key]
