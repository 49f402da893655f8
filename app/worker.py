"""What a process does beside answering: it delivers the outbox and removes what has expired.

Every process of the product has one worker, and they share the rows: each mail and each event for a
hook is taken by one, and one asks a SAML provider for its metadata.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable

from app import upkeep
from app.assembly import Services
from app.errors import Unavailable
from app.telemetry import tracing
from app.webhooks.lanes import Lanes

LANES = 3
"""Mails that are under way at the same time, so that a slow one does not hold up the rest."""

LOOK_EVERY = 1.0
PAUSE = 10.0
SWEEP_EVERY = 60.0
_LAST = 10.0
_log = logging.getLogger("sekisho.worker")


@contextlib.asynccontextmanager
async def working(services: Services) -> AsyncIterator[None]:
    """Work until the block ends, then finish what is in hand (SEC-139)."""
    stop = asyncio.Event()
    lanes = Lanes(services.dispatch, stop)
    steps = [_deliver] * LANES + [_sweep, _refresh, _telling(lanes)]
    with tracing(services.tracer):
        tasks = [asyncio.create_task(_repeat(step, services, stop)) for step in steps]
    try:
        yield
    finally:
        stop.set()
        _, late = await asyncio.wait([*tasks, *lanes.tasks()], timeout=_LAST)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)


async def _repeat(
    step: Callable[[Services], Awaitable[float]], services: Services, stop: asyncio.Event
) -> None:
    """Take one step after the other, each as long after the last as that has said."""
    while not stop.is_set():
        try:
            pause = await step(services)
            services.metrics.beat(step.__name__.strip("_"))
        except Unavailable:  # requests already report it
            pause = PAUSE
        except Exception:  # noqa: BLE001  # a defect must not end the work
            _log.exception("worker failed")
            pause = PAUSE
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), pause)


async def _deliver(services: Services) -> float:
    outcome = await services.mail.deliver_next()
    if outcome is None:
        return LOOK_EVERY
    services.metrics.mail(outcome.kind)
    return PAUSE if outcome.kind == "unreachable" else 0.0


def _telling(lanes: Lanes) -> Callable[[Services], Awaitable[float]]:
    """Make the step that looks for events to tell; the lanes deliver them beside it."""

    async def tell(_: Services) -> float:
        return 0.0 if await lanes.look() else LOOK_EVERY

    return tell


async def _sweep(services: Services) -> float:
    await upkeep.sweep(services)
    return SWEEP_EVERY


async def _refresh(services: Services) -> float:
    """Ask SAML providers again whose time has come."""
    if services.saml is not None:
        await services.saml.work()
    return SWEEP_EVERY
