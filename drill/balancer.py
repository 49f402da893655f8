"""A balancer: it hands connections on, in turn, to the replicas that say that they are ready."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager

from drill.programs import PATIENCE, is_ready

_LOOK_EVERY = 0.1
_LOOK = 2.0
_PART = 65_536


class Balancer:
    """Listens on a port of its own.

    A connection that one replica refuses is handed to the next: nothing of it has been said yet.
    Where no replica is ready all are tried, so that clients are told what is the matter.
    """

    def __init__(self, ports: Sequence[int]) -> None:
        self._ports = ports
        self._ready: frozenset[int] = frozenset()
        self._turns: Iterator[int] = itertools.cycle(ports)
        self._open: set[asyncio.StreamWriter] = set()
        self._changed = asyncio.Event()
        self.port = 0

    @asynccontextmanager
    async def balancing(self) -> AsyncIterator["Balancer"]:
        """Hand on until the block ends."""
        server = await asyncio.start_server(self._carry, "127.0.0.1", 0, backlog=1024)
        self.port = server.sockets[0].getsockname()[1]
        looking = [asyncio.create_task(self._follow(port)) for port in self._ports]
        try:
            yield self
        finally:
            for task in looking:
                task.cancel()
            await asyncio.gather(*looking, return_exceptions=True)
            server.close()
            for writer in list(self._open):
                writer.transport.abort()
            await server.wait_closed()

    async def knows(self, port: int, *, ready: bool) -> None:
        """Wait until it takes a replica for ready, or for not ready."""
        async with asyncio.timeout(PATIENCE):
            while (port in self._ready) != ready:
                self._changed.clear()
                await self._changed.wait()

    async def _follow(self, port: int) -> None:
        while True:
            is_well = await is_ready(port, _LOOK)
            self._ready = self._ready | {port} if is_well else self._ready - {port}
            self._changed.set()
            await asyncio.sleep(_LOOK_EVERY)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for port in self._order():
            try:
                back, there = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                continue
            self._open |= {writer, there}
            try:
                await asyncio.gather(_pump(reader, there), _pump(back, writer))
            finally:
                self._open -= {writer, there}
            return
        writer.transport.abort()

    def _order(self) -> list[int]:
        """Give the replicas to try, whose turn it is first."""
        turn = next(self._turns)
        at = self._ports.index(turn)
        order = [*self._ports[at:], *self._ports[:at]]
        return [port for port in order if port in self._ready] or order


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while part := await reader.read(_PART):
            writer.write(part)
            await writer.drain()
    writer.close()
