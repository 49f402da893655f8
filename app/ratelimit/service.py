"""The limits, by the name of what is tried."""

import logging
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from app.access import Actor, Origin
from app.audit import AuditLog
from app.clock import Clock
from app.config import sections
from app.errors import RateLimited
from app.ids import parse_id
from app.keyedhash import KeyedHash
from app.ratelimit.rules import Operation, Rule, Window, network_of, rules_of, rules_without_store
from app.ratelimit.shared import RedisWindows, StoreAway
from app.ratelimit.windows import MemoryWindows, Slot

NOTED_FOR = timedelta(minutes=1)
NOTED_AT_MOST = 20
_FOR_KNOWN_BROWSERS: tuple[Operation, ...] = ("password", "passcode_guess")
_WARN_EVERY = 60.0
_log = logging.getLogger("sekisho.ratelimit")


@dataclass(frozen=True, slots=True)
class Limited:
    """Too often; there is room again after so many whole seconds, one at least."""

    retry_after: int


@dataclass(slots=True)
class _Alarm:
    """When it was last said that the shared counter is away."""

    sounded_at: float = -math.inf


@dataclass(frozen=True, slots=True)
class RateLimits:
    """Counts attempts before they are evaluated, successes included."""

    enabled: bool
    rules: Mapping[Operation, Rule]
    rules_without_store: Mapping[Operation, Rule]
    hash: KeyedHash
    memory: MemoryWindows
    shared: RedisWindows | None
    noted: MemoryWindows
    audit: AuditLog
    _alarm: _Alarm = field(default_factory=_Alarm)

    @classmethod
    def of(
        cls,
        config: sections.RateLimiter,
        secrets: Sequence[str],
        clock: Clock,
        audit: AuditLog,
    ) -> "RateLimits":
        """Build the limits that *config* asks for."""
        rules = rules_of(config)
        return cls(
            enabled=config.enabled,
            rules=rules,
            rules_without_store=rules_without_store(rules),
            hash=KeyedHash(secrets, "rate limits"),
            memory=MemoryWindows(clock),
            shared=RedisWindows(config.redis_config) if config.store == "redis" else None,
            noted=MemoryWindows(clock),
            audit=audit,
        )

    async def take(
        self,
        operation: Operation,
        *,
        account: str = "",
        address: str,
        known_browser: bool = False,
        actor: Actor | None = None,
    ) -> Limited | None:
        """Count an attempt that is about to be made; where it must not be made, say so.

        It is counted for the account and for the network, or, where either has no room, for
        neither. With the counters in Redis this asks the network: call it outside of transactions.

        Args:
            operation: What is tried.
            account: Whom it is tried on: the user's id; of somebody unknown the folded address or
                name, so that both are refused alike (SEC-072). Empty where there is nobody.
            address: The client's address.
            known_browser: Whether the browser has shown a session or a trusted device of that very
                account; its guesses have a budget of their own, which strangers cannot use up
                (SEC-042). Mail and second factors have one budget, whoever asks (SEC-057, SEC-073).
            actor: Who tries, for the record of a refusal; without it that has the address alone.

        Returns:
            None where the attempt may be made.
        """
        if not self.enabled:
            return None
        apart = known_browser and operation in _FOR_KNOWN_BROWSERS
        who = (f"{'known' if apart else 'any'}:{account}" if account else "", address)
        wait = await self._wait(operation, *who)
        if wait <= 0:
            return None
        self.audit.metrics.limit_hit(operation)
        who_tries = actor or Actor(origin=Origin(address=address))
        await self._note(operation, account, address, who_tries)
        return Limited(max(1, math.ceil(wait)))

    async def charge(
        self,
        operation: Operation,
        *,
        account: str = "",
        address: str,
        known_browser: bool = False,
        actor: Actor | None = None,
    ) -> None:
        """Count an attempt like `take`, where a refusal ends the request (SEC-069, SEC-126).

        Raises:
            RateLimited: There were too many.
        """
        limited = await self.take(
            operation, account=account, address=address, known_browser=known_browser, actor=actor
        )
        if limited is not None:
            raise RateLimited(limited.retry_after)

    async def close(self) -> None:
        """Let go of Redis."""
        if self.shared is not None:
            await self.shared.close()

    async def _note(self, operation: Operation, account: str, address: str, actor: Actor) -> None:
        """Record that a limit is hit: once a minute of an account and network (SEC-118).

        Of one network a few are recorded in a minute, whomever it tries, so that being refused
        fills no table (SEC-126). What was typed to name an account is not repeated (SEC-116).
        """
        network = network_of(address)
        who = (
            Slot(self.hash.digest(operation, "noted", network, account), 1, NOTED_FOR),
            Slot(self.hash.digest(operation, "noted", network), NOTED_AT_MOST, NOTED_FOR),
        )
        if self.noted.take(who) > 0:
            return
        details = {"operation": operation}
        await self.audit.record(
            "rate_limit_exceeded", actor, subject=parse_id(account), details=details
        )

    async def _wait(self, operation: Operation, account: str, address: str) -> float:
        if self.shared is None:
            return self.memory.take(self._slots(self.rules, operation, account, address))
        try:
            return await self.shared.take(self._slots(self.rules, operation, account, address))
        except StoreAway:
            self.audit.metrics.limits_apart()
            self._warn()
            slots = self._slots(self.rules_without_store, operation, account, address)
            return self.memory.take(slots)

    def _slots(
        self, rules: Mapping[Operation, Rule], operation: Operation, account: str, address: str
    ) -> list[Slot]:
        rule = rules[operation]
        slots = list(self._slots_of(rule.network, operation, "network", network_of(address)))
        if account:
            slots += self._slots_of(rule.account, operation, "account", account)
        return slots

    def _slots_of(
        self, windows: Sequence[Window], operation: Operation, kind: str, who: str
    ) -> Iterator[Slot]:
        for window in windows:
            key = self.hash.digest(operation, kind, who, f"{window.tokens}/{window.span}")
            yield Slot(key, window.tokens, window.span)

    def _warn(self) -> None:
        """Raise the alarm, once a minute at most."""
        now = time.monotonic()
        if now - self._alarm.sounded_at >= _WARN_EVERY:
            self._alarm.sounded_at = now
            _log.warning("Redis does not answer; this process counts by itself, more strictly")
