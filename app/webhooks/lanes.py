"""Who delivers, within one process: some lanes for each hook, which know nothing of the others.

A hook that fails, or lets us wait, holds up its own lanes alone (SEC-133).
"""

import asyncio
import logging
from uuid import UUID

from app.errors import Unavailable
from app.webhooks.dispatch import Dispatch

LANES = 4
"""Deliveries to one hook that are under way at the same time, in each process."""

_log = logging.getLogger("sekisho.webhooks")


class Lanes:
    """The lanes of one process.

    Args:
        dispatch: The service.
        stop: Is set when no other delivery is to be taken.
    """

    def __init__(self, dispatch: Dispatch, stop: asyncio.Event) -> None:
        self._dispatch, self._stop = dispatch, stop
        self._of: dict[UUID, set[asyncio.Task[None]]] = {}

    def tasks(self) -> list[asyncio.Task[None]]:
        """Give what is under way."""
        return [task for lanes in self._of.values() for task in lanes]

    async def look(self) -> bool:
        """Spread new events, and open a lane more for each hook that there is something for.

        Returns:
            Whether there may be more new events.
        """
        more = bool(await self._dispatch.spread())
        for hook_id in await self._dispatch.due():
            lanes = self._of.setdefault(hook_id, set())
            if len(lanes) < LANES and not self._stop.is_set():
                lane = asyncio.create_task(self._deliver(hook_id))
                lanes.add(lane)
                lane.add_done_callback(lanes.discard)
        return more

    async def _deliver(self, hook_id: UUID) -> None:
        """Deliver until there is nothing left, or nothing can be done."""
        try:
            while not self._stop.is_set() and await self._dispatch.deliver_next(hook_id):
                pass
        except Unavailable:  # requests already report it
            return
        except Exception:  # noqa: BLE001  # a defect must not end the work
            _log.exception("webhook failed", extra={"webhook": hook_id})
