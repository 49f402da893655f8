"""Numbers that are read when they are asked for: what waits, and how full everything is."""

import os
import time
from pathlib import Path

from app.assembly import Services
from app.errors import Unavailable
from app.metrics import Sample
from app.persistence import fetch, pool_use

_MEMORY, _FILES = Path("/proc/self/statm"), Path("/proc/self/fd")
_DISABLED = """
SELECT disabled_reason, COUNT(*) AS number FROM webhook WHERE disabled_reason IS NOT NULL
GROUP BY disabled_reason ORDER BY disabled_reason
"""
# By when it is due it is found among what waits alone: an index holds no others in that order.
_OLDEST_DELIVERY = """
SELECT created_at FROM (
    SELECT created_at FROM webhook_delivery WHERE state = 'waiting' ORDER BY due_at LIMIT 100000
) AS waiting
ORDER BY created_at LIMIT 1
"""
_QUEUES = (
    (
        "mail",
        "SELECT COUNT(*) AS number FROM mail_outbox WHERE state = 'waiting'",
        "SELECT created_at FROM mail_outbox WHERE state = 'waiting' ORDER BY created_at LIMIT 1",
    ),
    (
        "webhook_deliveries",
        "SELECT COUNT(*) AS number FROM webhook_delivery WHERE state = 'waiting'",
        _OLDEST_DELIVERY,
    ),
    (
        "webhook_events",
        "SELECT COUNT(*) AS number FROM webhook_event WHERE NOT is_spread",
        "SELECT created_at FROM webhook_event WHERE NOT is_spread ORDER BY sequence LIMIT 1",
    ),
)


async def read(services: Services) -> list[Sample]:
    """Read everything; where the database does not answer, what can be read without it."""
    try:
        clock = await _clock(services)  # first: it learns soonest that nobody answers
        stored = [*await _waiting(services), *await _disabled(), *clock, *_pool()]
    except Unavailable:
        return [*_process(), _up(0), *_hashing(services)]
    return [*_process(), _up(1), *_hashing(services), *stored]


def _process() -> list[Sample]:
    """Read what the process takes; of memory and files Linux alone tells."""
    seconds = time.process_time()
    found = [
        Sample("process_cpu_seconds_total", "Time on processors.", seconds, kind="counter"),
    ]
    if _MEMORY.exists() and _FILES.exists():
        resident = int(_MEMORY.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        files = sum(1 for _ in _FILES.iterdir())
        found += [
            Sample("process_resident_memory_bytes", "Memory in use.", resident),
            Sample("process_open_fds", "Files and connections that are open.", files),
        ]
    return found


def _up(value: int) -> Sample:
    return Sample("sekisho_database_up", "Whether the database answers.", value)


async def _waiting(services: Services) -> list[Sample]:
    depths, ages = [], []
    for queue, count, oldest in _QUEUES:
        labels = (("queue", queue),)
        (row,), first = await fetch(count), await fetch(oldest)
        waiting = row["number"]
        age = (services.clock() - first[0]["created_at"]).total_seconds() if first else 0.0
        depths.append(
            Sample("sekisho_outbox_waiting", "What waits to be delivered.", waiting, labels)
        )
        text = "For how long the oldest of it has waited."
        ages.append(Sample("sekisho_outbox_oldest_seconds", text, max(age, 0.0), labels))
    return [*depths, *ages]


async def _disabled() -> list[Sample]:
    return [
        Sample(
            "sekisho_webhooks_disabled",
            "Webhooks that are told nothing, by why.",
            row["number"],
            (("reason", row["disabled_reason"]),),
        )
        for row in await fetch(_DISABLED)
    ]


async def _clock(services: Services) -> list[Sample]:
    skew = (await services.clock_watch.skew()).total_seconds()
    text = "By how much our clock is ahead of the database's."
    return [Sample("sekisho_clock_skew_seconds", text, skew)]


def _pool() -> list[Sample]:
    size, used = pool_use()
    name, text = "sekisho_database_connections", "Connections of the pool."
    return [
        Sample(name, text, size, (("state", "open"),)),
        Sample(name, text, used, (("state", "in_use"),)),
    ]


def _hashing(services: Services) -> list[Sample]:
    held, most = services.passwords.hasher.load
    name, text = "sekisho_password_hashing", "Password hashes under way or waiting, and the most."
    return [
        Sample(name, text, held, (("kind", "held"),)),
        Sample(name, text, most, (("kind", "most"),)),
    ]
