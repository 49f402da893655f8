"""Sliding windows, counted in Redis for all replicas together.

One script reads and writes all slots of an attempt, and Redis runs one script at a time: of any
number of attempts at once, on any number of replicas, exactly as many pass as there is room for
(SEC-071). Redis's own clock counts, so that those of the replicas need not agree (SEC-134).
"""

import asyncio
import time
from collections.abc import Sequence
from datetime import timedelta

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from app.clock import Clock
from app.config import sections
from app.ratelimit.windows import Slot
from app.telemetry import span

PATIENCE = 0.25
"""Seconds Redis may take (SEC-131)."""

PAUSE = 5.0
"""Seconds for which Redis is left alone after it did not answer."""

_AT_ONCE = 4
_PREFIX = "sekisho:limit:"
# What listens there may be no Redis, and what the client makes of that is not RedisError alone.
_NO_ANSWER = (RedisError, OSError, ValueError, TypeError, LookupError)
_MILLISECOND = timedelta(milliseconds=1)
_TAKE = """
local now = tonumber(ARGV[1])
if now < 0 then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local wait = 0
for i, key in ipairs(KEYS) do
  local tokens, span = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
  local oldest = redis.call('LINDEX', key, tokens - 1)
  if oldest then wait = math.max(wait, math.min(oldest + span - now, span)) end
end
if wait > 0 then return wait end
for i, key in ipairs(KEYS) do
  redis.call('LPUSH', key, string.format('%.0f', now))
  redis.call('LTRIM', key, 0, ARGV[2 * i] - 1)
  redis.call('PEXPIRE', key, ARGV[2 * i + 1])
end
return 0
"""


class StoreAway(Exception):
    """Redis does not answer, or not in time; whoever asked counts by itself."""


class RedisWindows:
    """Windows that replicas share.

    Args:
        config: Where Redis is.
        clock: The time that counts instead of Redis's own; for tests.
        patience: Seconds an answer may take.
        pause: Seconds for which Redis is left alone after it did not answer.
    """

    def __init__(
        self,
        config: sections.RedisConfig,
        clock: Clock | None = None,
        *,
        patience: float = PATIENCE,
        pause: float = PAUSE,
    ) -> None:
        self._client = Redis.from_url(
            config.url,
            password=config.password.reveal() or None,
            retry=Retry(NoBackoff(), 0),  # an attempt that is sent twice is counted twice
        )
        self._script = self._client.register_script(_TAKE)
        self._clock = clock
        self._patience, self._pause = patience, pause
        self._turn = asyncio.Semaphore(_AT_ONCE)
        self._away_until = 0.0

    async def take(self, slots: Sequence[Slot]) -> float:
        """Count one in every slot, or in none and say how many seconds it is until there is room.

        Raises:
            StoreAway: Redis does not answer, or has not answered a moment ago.
        """
        numbers = [-1 if self._clock is None else int(self._clock().timestamp() * 1000)]
        for slot in slots:
            numbers += [slot.tokens, slot.span // _MILLISECOND]
        async with self._turn:  # waiting for a turn is not waiting for Redis
            if time.monotonic() < self._away_until:
                raise StoreAway
            return await self._run([_PREFIX + slot.key for slot in slots], numbers) / 1000

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()

    async def _run(self, keys: list[str], numbers: list[int]) -> int:
        try:
            with span("EVALSHA", {"db.system.name": "redis"}, kind="client"):
                async with asyncio.timeout(self._patience):
                    return int(await self._script(keys, numbers))
        except _NO_ANSWER as error:
            self._away_until = time.monotonic() + self._pause
            raise StoreAway from error
