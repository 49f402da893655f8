"""How long steps take for accounts that are there and for such as are not (SEC-067).

One visitor walks flow after flow over the wire and times the steps that might tell. The cases of a
walk come in turn, in an order drawn anew, so that whatever else the machine does meets all alike.
"""

import asyncio
import itertools
import random
import sys
from collections.abc import AsyncIterator, Callable, Iterator

import msgspec

from bench import rows
from bench.visitor import Visitor

WRONG = "a lamp in the cellar"
_UNCOUNTED = 5
CASES = WITH, UNKNOWN, WITHOUT = "known", "unknown", "known, without a password"


class Job(msgspec.Struct, frozen=True):
    """The one argument, as JSON: users by number, those with a password and those without."""

    port: int
    with_password: tuple[int, int]
    without: tuple[int, int]
    times: int


Seconds = dict[str, dict[str, list[float]]]
"""What a step took each time, by step and case."""


Times = AsyncIterator[tuple[str, float]]


async def _identified(visitor: Visitor, address: str) -> float:
    await visitor.begin("login")
    await visitor.act("continue_with_login_identifier", email=address)
    return visitor.seconds


async def _by_password(visitor: Visitor, address: str) -> Times:
    yield "login: identifier", await _identified(visitor, address)
    await visitor.act("continue_to_password_login")
    await visitor.act("password_login", status=400, password=WRONG)
    yield "login: wrong password", visitor.seconds


async def _by_passcode(visitor: Visitor, address: str) -> Times:
    await _identified(visitor, address)
    await visitor.act("continue_to_passcode_confirmation")
    yield "login: code asked for", visitor.seconds
    await visitor.act("verify_passcode", status=400, code="wrong")
    yield "login: wrong code", visitor.seconds


async def _registering(visitor: Visitor, address: str) -> Times:
    await visitor.begin("registration")
    await visitor.act("register_login_identifier", email=address)
    yield "registration: identifier", visitor.seconds


Walk = Callable[[Visitor, str], Times]
WALKS: tuple[tuple[Walk, tuple[str, ...]], ...] = (
    (_by_password, (WITH, UNKNOWN, WITHOUT)),
    (_by_passcode, (WITH, UNKNOWN)),
    (_registering, (WITH, UNKNOWN)),
)
"""Walks that pass steps which might tell, and who is asked about."""


async def measure(job: Job) -> Seconds:
    """Walk as often as it says and time the steps; the first few times are not counted."""
    whose: dict[str, Iterator[str]] = {
        WITH: map(rows.address, itertools.cycle(range(*job.with_password))),
        WITHOUT: map(rows.address, itertools.cycle(range(*job.without))),
        UNKNOWN: (f"nobody{n}@example.com" for n in itertools.count(1_000_000)),
    }
    visitor = await Visitor.connect(job.port)
    found: Seconds = {}
    for n in range(-_UNCOUNTED, job.times):
        for walk, cases in WALKS:
            for case in random.sample(cases, len(cases)):
                async for step, seconds in walk(visitor, next(whose[case])):
                    if n >= 0:
                        found.setdefault(step, {}).setdefault(case, []).append(seconds)
    visitor.close()
    return found


if __name__ == "__main__":
    given = msgspec.json.decode(sys.argv[1], type=Job)
    print(msgspec.json.encode(asyncio.run(measure(given))).decode())
