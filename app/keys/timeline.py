"""When a signing key is next, signs, is retired and is gone: told by its times alone. Pure.

Every replica works this out for itself from the same rows, so a switch needs no coordination and
no job in the background.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Literal
from uuid import UUID

LEEWAY = timedelta(seconds=60)
"""How long a key outlives the last token it can have signed; clocks differ."""

State = Literal["next", "active", "retired"]


@dataclass(frozen=True, slots=True)
class Life:
    """The times of a key.

    Attributes:
        kid: The key's id.
        created_at: When it was made, and published.
        activates_at: From when on it signs; None where it waits to be told.
        published_until: When it is gone; None where that is not known yet.
    """

    kid: UUID
    created_at: datetime
    activates_at: datetime | None
    published_until: datetime | None


def signing(lives: Iterable[Life], now: datetime) -> Life | None:
    """Give the key that signs at a time: of those that have begun the one that began last.

    Where none has begun it is the first that will: a clock that lags behind another replica's
    leaves nobody without a key.
    """
    dated = _dated(lives)
    begun = [life for at, life in dated if at <= now]
    return begun[-1] if begun else next((life for _, life in dated), None)


def states(lives: Iterable[Life], now: datetime) -> dict[UUID, State]:
    """Give the state of each key that is published at a time, newest key first."""
    newest_first = sorted(lives, key=lambda life: (life.created_at, life.kid), reverse=True)
    active = signing(newest_first, now)
    found: dict[UUID, State] = {}
    for life in newest_first:
        if life is active:
            found[life.kid] = "active"
        elif life.activates_at is None or life.activates_at > now:
            found[life.kid] = "next"
        elif life.published_until is None or life.published_until > now:
            found[life.kid] = "retired"
    return found


def change_after(lives: Iterable[Life], now: datetime) -> datetime | None:
    """Give the next moment at which the state of some key may change by itself."""
    times = (time for life in lives for time in (life.activates_at, life.published_until))
    return min((time for time in times if time is not None and time > now), default=None)


def ends(
    lives: Iterable[Life], lifespan: timedelta, latest: datetime | None
) -> dict[UUID, datetime | None]:
    """Say until when each key must be published: until its last token has expired (SEC-033).

    Args:
        lives: All keys.
        lifespan: How long a token lives at most that is signed from now on.
        latest: When the last token of those signed so far expires.

    Returns:
        The end of each key that has a date. A key with a successor signs until that begins, so its
        tokens end a lifespan later, or at *latest*; an end once told is never brought forward. A
        key without a successor has none.
    """
    dated = _dated(lives)
    found: dict[UUID, datetime | None] = {life.kid: None for _, life in dated[-1:]}
    for (_, life), (successor_begins, _) in pairwise(dated):
        last = successor_begins + lifespan
        if life.published_until is not None:
            found[life.kid] = max(life.published_until, last + LEEWAY)
        else:
            found[life.kid] = max(last, latest or last) + LEEWAY
    return found


def _dated(lives: Iterable[Life]) -> list[tuple[datetime, Life]]:
    """Give the keys that have a date, each with it, in the order in which they sign."""
    dated = [(life.activates_at, life) for life in lives if life.activates_at is not None]
    return sorted(dated, key=lambda one: (one[0], one[1].kid))
