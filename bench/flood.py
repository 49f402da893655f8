"""People who sign in, one after the other on each connection: a process that takes orders.

It reads an order a line from stdin and reports on stdout. It is also the mail server of what it
signs in to; the port for that is its argument.
"""

import asyncio
import itertools
import sys
import time
from collections.abc import Iterator
from typing import Literal

import msgspec
import uvloop

from bench import rows
from bench.postbox import Postbox
from bench.visitor import Visitor

Method = Literal["password", "passcode"]


class Order(msgspec.Struct, frozen=True):
    """Who signs in how, where, and for how long: users by number, from the first to the last."""

    port: int
    method: Method
    first: int
    last: int
    connections: int
    seconds: float
    warm_up: float


class Outcome(msgspec.Struct, frozen=True):
    """How often somebody signed in within the measured while, and how long it took them."""

    logins: int
    seconds: float
    times: list[float]
    failure: str = ""


class Flood:
    """Carries out one order."""

    def __init__(self, order: Order, postbox: Postbox, numbers: Iterator[int]) -> None:
        self._order, self._postbox, self._numbers = order, postbox, numbers
        self._begins = time.perf_counter() + order.warm_up
        self._ends = self._begins + order.seconds
        self._times: list[float] = []

    async def run(self) -> Outcome:
        """Sign in until the time is over; whoever is on the way then hangs up."""
        failure = ""
        try:
            async with asyncio.timeout_at(asyncio.get_running_loop().time() + self._left()):
                async with asyncio.TaskGroup() as group:
                    for _ in range(self._order.connections):
                        group.create_task(self._one_after_the_other())
        except TimeoutError:
            pass
        except ExceptionGroup as errors:
            failure = str(errors.exceptions[0]) or repr(errors.exceptions[0])
        return Outcome(len(self._times), self._order.seconds, self._times, failure)

    def _left(self) -> float:
        return self._ends - time.perf_counter()

    async def _one_after_the_other(self) -> None:
        visitor = await Visitor.connect(self._order.port)
        try:
            while True:
                began = time.perf_counter()
                await self._sign_in(visitor, rows.address(next(self._numbers)))
                now = time.perf_counter()
                if self._begins <= now <= self._ends:
                    self._times.append(now - began)
        finally:
            visitor.close()

    async def _sign_in(self, visitor: Visitor, address: str) -> None:
        await visitor.begin("login")
        await visitor.act("continue_with_login_identifier", email=address)
        if self._order.method == "password":
            await visitor.act("continue_to_password_login")
            await visitor.act("password_login", password=rows.PASSWORD)
        else:
            code = self._postbox.expect(address)
            await visitor.act("continue_to_passcode_confirmation")
            await visitor.act("verify_passcode", code=await code)
        await visitor.skip_to_the_end()


async def main(port: int) -> None:
    """Carry out one order a line until there are no more."""
    loop = asyncio.get_running_loop()
    postbox = Postbox()
    await postbox.listen(port)
    numbers: dict[int, Iterator[int]] = {}
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        order = msgspec.json.decode(line, type=Order)
        # Each user comes round as seldom as can be: mail to one is limited by the hour.
        everybody = itertools.cycle(range(order.first, order.last + 1))
        outcome = await Flood(order, postbox, numbers.setdefault(order.port, everybody)).run()
        print(msgspec.json.encode(outcome).decode(), flush=True)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(int(sys.argv[1])))
