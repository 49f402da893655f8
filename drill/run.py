"""One run: every scenario in turn, each in the world as the last one has left it."""

import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

from drill import losing, racing, restarting, waiting
from drill.finding import Finding
from drill.waiting import Slow
from drill.world import World, opened

Scenario = Callable[[World], Awaitable[Finding]]


@dataclass(frozen=True, slots=True)
class Size:
    """How much is done."""

    clients: int
    restarts: int
    requests: int
    kills: int
    database_restarts: int
    rest: float
    mails: int
    changers: int
    changes: int
    away: float
    migrations: int
    rounds: int
    at_once: int
    merged: int
    history: float
    killed_every: float
    slow: Slow
    health: int


FULL = Size(
    clients=8,
    restarts=5,
    requests=10_000,
    kills=200,
    database_restarts=6,
    rest=5.0,
    mails=20,
    changers=20,
    changes=5,
    away=60.0,
    migrations=20,
    rounds=50,
    at_once=100,
    merged=200,
    history=600.0,
    killed_every=10.0,
    slow=Slow(500, 500),
    health=1_000,
)
SMALL = Size(
    clients=4,
    restarts=1,
    requests=1_000,
    kills=5,
    database_restarts=2,
    rest=2.0,
    mails=4,
    changers=5,
    changes=3,
    away=5.0,
    migrations=2,
    rounds=3,
    at_once=30,
    merged=100,
    history=15.0,
    killed_every=3.0,
    slow=Slow(200, 50),
    health=200,
)


def scenarios(size: Size) -> dict[str, Scenario]:
    """Name what there is, in the order in which it is run."""
    return {
        "restart": lambda world: restarting.rolling_restart(
            world, size.clients, size.restarts, size.requests
        ),
        "kill": lambda world: restarting.kills(world, size.clients, size.kills),
        "database": lambda world: losing.database(
            world, size.clients, size.database_restarts, size.rest
        ),
        "redis": losing.redis,
        "mail": lambda world: losing.mail(world, size.mails, size.away),
        "hooks": lambda world: losing.hooks(world, size.changers, size.changes, size.away),
        "migrations": lambda world: restarting.migrations(world, size.migrations),
        "merges": lambda world: racing.merges(world, size.merged, size.rounds),
        "redemptions": lambda world: racing.redemptions(world, size.at_once, size.rounds),
        "history": lambda world: restarting.history(
            world, size.clients, size.history, size.killed_every
        ),
        "slow": lambda world: waiting.slow_clients(world, size.slow, size.health),
        "operation": waiting.long_operation,
    }


async def run(size: Size, names: Sequence[str]) -> AsyncIterator[Finding]:
    """Run scenarios, all of them where none is named."""
    known = scenarios(size)
    async with opened() as world:
        for name in names or known:
            began = time.monotonic()
            finding = await known[name](world)
            await world.well()
            seconds = time.monotonic() - began
            print(f"{name}: {seconds:.0f} s; {finding.verdict}", file=sys.stderr, flush=True)
            yield finding
