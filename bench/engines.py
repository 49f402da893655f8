"""The server's SQLite engine beside Piccolo's own, in one process on one file.

Both run the same composed statement by key; ours also as the server asks on its hot path, on the
event loop's own thread. The file is in WAL mode for both.
"""

import asyncio
import random
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import UUID

import msgspec
from piccolo.engine.sqlite import SQLiteEngine
from piccolo.querystring import QueryString

from app.persistence.sqlite import LongLivedSqlite

_COLUMNS = "user_id, public_bag, unsafe_bag, version"
_READ = f"SELECT {_COLUMNS} FROM user_metadata WHERE user_id = {{}}"
_LOOK_UP = f"SELECT {_COLUMNS} FROM user_metadata WHERE user_id = $1"
_WRITE = "UPDATE user_metadata SET version = version + 1 WHERE user_id = {}"
Work = Callable[[UUID], Awaitable[object]]


class Job(msgspec.Struct, frozen=True):
    """The one argument, as JSON."""

    path: str
    ids: list[UUID]
    rounds: int
    times: int


class Taken(msgspec.Struct, frozen=True):
    """Seconds an operation took: on the clock, and of CPU in every thread."""

    clock: float
    cpu: float


async def measure(job: Job) -> dict[str, list[Taken]]:
    """Give, for each way, what an operation took in each round."""
    ours, stock = LongLivedSqlite(Path(job.path)), SQLiteEngine(path=job.path)
    await ours.open()
    ways: dict[str, Work] = {
        "read, ours": lambda key: ours.run_querystring(QueryString(_READ, key)),
        "read, stock": lambda key: stock.run_querystring(QueryString(_READ, key)),
        "look-up, ours": lambda key: ours.fetch_row(_LOOK_UP, (key,)),
        "write, ours": lambda key: ours.run_querystring(QueryString(_WRITE, key)),
        "write, stock": lambda key: stock.run_querystring(QueryString(_WRITE, key)),
    }
    found: dict[str, list[Taken]] = {name: [] for name in ways}
    for _ in range(job.rounds):
        for name in random.sample(list(ways), len(ways)):
            found[name].append(await _timed(ways[name], job))
    await ours.close()
    return found


async def _timed(work: Work, job: Job) -> Taken:
    keys = [random.choice(job.ids) for _ in range(job.times)]  # noqa: S311  # no secret
    started, cpu = time.perf_counter(), time.process_time()
    for key in keys:
        await work(key)
    clock, cpu = time.perf_counter() - started, time.process_time() - cpu
    return Taken(clock / job.times, cpu / job.times)


if __name__ == "__main__":
    given = msgspec.json.decode(sys.argv[1], type=Job)
    print(msgspec.json.encode(asyncio.run(measure(given))).decode())
