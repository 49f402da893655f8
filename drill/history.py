"""What clients have seen, and whether one honest server could have shown it to them (SEC-138).

Every client has a user of its own, writes growing numbers into that user's bag, and begins and ends
sessions; others read the same user through other connections. A write that was never answered may
have happened or not, and may happen until its connection has ended.
"""

import itertools
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

Deed = Literal["sign in", "merge", "read", "check", "revoke"]


@dataclass(frozen=True, slots=True)
class Event:
    """One request.

    Attributes:
        deed: What it was.
        user: Whose bag, whose session.
        session: The session that it was made by, or that it began or ended.
        began: When it was sent.
        ended: When its answer was there.
        acknowledged: Whether it was answered, and well.
        number: The number that was written or read.
        accepted: Whether the session was accepted, where it was read by or checked.
    """

    deed: Deed
    user: str
    session: str
    began: float
    ended: float
    acknowledged: bool = True
    number: int = 0
    accepted: bool = True


@dataclass(slots=True)
class History:
    """Everything that was seen in one run."""

    events: list[Event] = field(default_factory=list)

    def add(self, event: Event) -> None:
        """Note a request once its end is known."""
        self.events.append(event)

    def faults(self) -> list[str]:
        """Say what no honest server could have shown."""
        by_user: dict[str, list[Event]] = {}
        for event in self.events:
            by_user.setdefault(event.user, []).append(event)
        return [
            f"{user}: {fault}"
            for user, mine in by_user.items()
            for fault in (*_registers(mine), *_sessions(mine))
        ]


class _Most:
    """The greatest number among events, up to a moment."""

    def __init__(self, numbers: Iterable[tuple[float, int]]) -> None:
        ordered = sorted(numbers)
        self._times = [at for at, _ in ordered]
        self._most = list(itertools.accumulate((number for _, number in ordered), max))

    def before(self, moment: float) -> int:
        """Give the greatest number of those that were earlier; 0 where there is none."""
        place = bisect_left(self._times, moment)
        return self._most[place - 1] if place else 0


def _registers(events: Sequence[Event]) -> Iterator[str]:
    """Hold what was read against what had been written, and against what was read before."""
    writes = [event for event in events if event.deed == "merge"]
    reads = [event for event in events if event.deed == "read" and event.accepted]
    acknowledged = _Most((write.ended, write.number) for write in writes if write.acknowledged)
    begun = _Most((write.began, write.number) for write in writes)
    seen = _Most((read.ended, read.number) for read in reads)
    for read in reads:
        least, before = acknowledged.before(read.began), seen.before(read.began)
        if read.number < least:
            yield f"{least} was written and acknowledged, then {read.number} was read"
        if read.number < before:
            yield f"{before} was read, and then {read.number}"
        if read.number > begun.before(read.ended):
            yield f"{read.number} was read before it was written"


def _sessions(events: Sequence[Event]) -> Iterator[str]:
    """Hold which sessions were accepted against which had been ended."""
    ends = {event.session: event for event in events if event.deed == "revoke"}
    for event in events:
        if event.deed not in ("read", "check"):
            continue
        end = ends.get(event.session)
        if event.accepted and end and end.acknowledged and end.ended < event.began:
            yield f"session {event.session} was accepted after its end"
        if not event.accepted and (end is None or event.ended < end.began):
            yield f"session {event.session} was refused before its end"
