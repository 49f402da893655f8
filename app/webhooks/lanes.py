"""Who delivers, within one process: some lanes for each hook, which know nothing of the others.

A hook that fails, or lets us wait, holds up its own lanes alone; one whose secret does not open
here is left to the other processes (SEC-133).
"""

import asyncio
import logging
from datetime import datetime, timedelta
from uuid import UUID

from app.errors import Unavailable
from app.keys import KeysUnreadable
from app.webhooks.dispatch import Dispatch

LANES = 4
"""Deliveries to one hook that are under way at the same time, in each process."""

_PAUSE = timedelta(minutes=5)
"""How long a hook is left alone when no secret configured here opens its own."""

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
        self._until: dict[UUID, datetime] = {}

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
            if len(lanes) < LANES and not (self._stop.is_set() or self._is_paused(hook_id)):
                lane = asyncio.create_task(self._deliver(hook_id))
                lanes.add(lane)
                lane.add_done_callback(lanes.discard)
        return more

    async def _deliver(self, hook_id: UUID) -> None:
        """Deliver until there is nothing left, or nothing can be done."""
        try:
            while not self._stop.is_set() and await self._dispatch.deliver_next(hook_id):
                pass
        except KeysUnreadable:
            self._pause(hook_id)
        except Unavailable:  # requests already report it
            return
        except Exception:  # noqa: BLE001  # a defect must not end the work
            _log.exception("webhook failed", extra={"webhook": hook_id})

    def _pause(self, hook_id: UUID) -> None:
        if not self._is_paused(hook_id):  # by another of its lanes
            self._until[hook_id] = self._dispatch.clock() + _PAUSE
            _log.warning("webhook unreadable", extra={"webhook": hook_id})

    def _is_paused(self, hook_id: UUID) -> bool:
        until = self._until.get(hook_id)
        return until is not None and self._dispatch.clock() < until
