"""A value that others publish, kept for a while, and not asked for again and again in vain."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from app.clock import Clock
from app.federation.errors import ProviderUnreachable

LIFETIME = 3600.0
"""Seconds for which a value is kept."""

RENEWAL = 60.0
"""Seconds that pass at least before a value is fetched anew because something is missing in it."""

_LONGEST_PAUSE = 60.0
T = TypeVar("T")


class Remembered(Generic[T]):
    """Fetches a value when it is needed, and keeps it.

    After a failure nobody asks again for a second, then two, then four, up to a minute; meanwhile
    everybody is refused at once. A value that is too old is not used.

    Args:
        fetch: Gets the value, or raises ProviderUnreachable.
        clock: Tells the time.
    """

    def __init__(self, fetch: Callable[[], Awaitable[T]], clock: Clock) -> None:
        self._fetch, self._clock = fetch, clock
        self._lock = asyncio.Lock()
        self._kept: T | None = None
        self._fetched_at = self._asked_at = float("-inf")
        self._failures = 0

    @property
    def kept(self) -> T:
        """The value as it was fetched last.

        Raises:
            ProviderUnreachable: It never was.
        """
        if self._kept is None:
            raise ProviderUnreachable
        return self._kept

    async def get(self) -> T:
        """Give the value, fetched if need be.

        Raises:
            ProviderUnreachable: It cannot be had now.
        """
        async with self._lock:
            if self._age() >= LIFETIME:
                await self._renew()
            return self.kept

    async def renewed(self) -> T:
        """Give the value, fetched anew unless that was done a moment ago.

        Raises:
            ProviderUnreachable: It cannot be had now.
        """
        async with self._lock:
            if self._now() - self._asked_at >= RENEWAL:
                await self._renew()
            return self.kept

    async def _renew(self) -> None:
        pause = min(2.0 ** (self._failures - 1), _LONGEST_PAUSE) if self._failures else 0.0
        if self._now() - self._asked_at < pause:
            raise ProviderUnreachable
        self._asked_at = self._now()
        try:
            self._kept = await self._fetch()
        except ProviderUnreachable:
            self._failures += 1
            raise
        self._failures, self._fetched_at = 0, self._now()

    def _age(self) -> float:
        return self._now() - self._fetched_at

    def _now(self) -> float:
        return self._clock().timestamp()
