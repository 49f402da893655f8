"""The load generator: a process of its own that takes orders on stdin and reports on stdout.

Each connection sends its next request as soon as the last one is answered, so the server decides
the pace. Nothing is parsed but what tells where an answer ends and whether it is the right one.
"""

import asyncio
import sys
import time
from collections.abc import Sequence
from typing import Any

import msgspec
import uvloop

PATIENCE = 15.0
"""Seconds after the end for the answers that are still out."""


class Order(msgspec.Struct, frozen=True):
    """What to ask of whom, and for how long."""

    port: int
    pid: int
    requests: list[str]
    expect: str
    connections: int
    seconds: float
    warm_up: float


class Outcome(msgspec.Struct, frozen=True):
    """What came of it; times in seconds, `cpu` being the server's over the measured while."""

    answers: int
    seconds: float
    p50: float
    p99: float
    cpu: float
    own_cpu: float
    failures: int
    failure: str


class _Tally:
    """What all connections of one order have seen."""

    def __init__(self, order: Order, now: float) -> None:
        self.begins = now + order.warm_up
        self.ends = self.begins + order.seconds
        self.expect = order.expect.encode()
        self.times: list[float] = []
        self.failures = 0
        self.failure = ""

    def fail(self, answer: bytes) -> None:
        """Count a wrong answer and remember the first one."""
        self.failures += 1
        self.failure = self.failure or answer.decode("latin-1")[:600]


class _Connection(asyncio.Protocol):
    """Sends its requests round and round."""

    def __init__(
        self, requests: Sequence[bytes], tally: _Tally, done: asyncio.Future[None]
    ) -> None:
        self._requests, self._next = requests, 0
        self._tally, self._done = tally, done
        self._rest = b""
        self._wanted = 0

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        if self._rest:
            data = self._rest + data
        if not self._wanted:
            self._wanted = _length(data)
        if not self._wanted or len(data) < self._wanted:
            self._rest = data
            return
        now = time.perf_counter()
        self._rest, self._wanted = b"", 0
        tally = self._tally
        if not data.startswith(b"HTTP/1.1 200") or tally.expect not in data:
            tally.fail(data)
        if tally.begins <= now <= tally.ends:
            tally.times.append(now - self._sent)
        if now < tally.ends:
            self._send()
        else:
            self._transport.close()

    def connection_lost(self, _error: Exception | None) -> None:
        if time.perf_counter() < self._tally.ends:
            self._tally.fail(b"The connection was closed.")
        if not self._done.done():
            self._done.set_result(None)

    def _send(self) -> None:
        request = self._requests[self._next]
        self._next = (self._next + 1) % len(self._requests)
        self._sent = time.perf_counter()
        self._transport.write(request)


def _length(data: bytes) -> int:
    """Say how long an answer is, headers included; 0 where its headers are not all there."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return 0
    head = data[:end].lower()
    at = head.index(b"content-length:") + 15
    stop = head.find(b"\r", at)
    return end + 4 + int(head[at : stop if stop > 0 else end])


async def carry_out(order: Order) -> Outcome:
    """Carry out an order."""
    loop = asyncio.get_running_loop()
    requests = [request.encode() for request in order.requests]
    tally = _Tally(order, time.perf_counter())
    done = [loop.create_future() for _ in range(order.connections)]
    for n, future in enumerate(done):
        share = requests[n % len(requests) :: order.connections] or requests
        await loop.create_connection(
            lambda share=share, future=future: _Connection(share, tally, future),  # type: ignore[misc]
            "127.0.0.1",
            order.port,
        )
    await asyncio.sleep(tally.begins - time.perf_counter())
    cpu, own = _cpu(order.pid), time.process_time()
    await asyncio.sleep(tally.ends - time.perf_counter())
    cpu, own = _cpu(order.pid) - cpu, time.process_time() - own
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*done)
    return _outcome(tally, order.seconds, cpu, own)


def _outcome(tally: _Tally, seconds: float, cpu: float, own: float) -> Outcome:
    times = sorted(tally.times)
    count = len(times)
    p50, p99 = (times[int(count * part)] if count else 0.0 for part in (0.5, 0.99))
    return Outcome(count, seconds, p50, p99, cpu, own, tally.failures, tally.failure)


def _cpu(pid: int) -> float:
    """Give the CPU seconds a process has used, by the kernel's clock of that process."""
    if sys.platform != "linux":
        return 0.0
    return time.clock_gettime((~pid << 3) | 2)  # how Linux numbers such clocks, see clock_getres(2)


async def main() -> None:
    """Carry out one order a line until there are no more."""
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        outcome = await carry_out(msgspec.json.decode(line, type=Order))
        print(msgspec.json.encode(outcome).decode(), flush=True)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
