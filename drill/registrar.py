"""Somebody who registers one user after the other, and knows which of them there must be."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from drill.line import Answer
from drill.world import World

_CREATE = """mutation ($name: String!, $address: String!) {
  createUser(input: {
    username: $name, emails: [{address: $address}], publicMetadata: {name: $name}
  }) { user { id } userErrors { code } } }"""
_PARTS = """
SELECT u.username AS name,
    (SELECT count(*) FROM email e WHERE e.user_id = u.id) AS emails,
    (SELECT count(*) FROM user_metadata m WHERE m.user_id = u.id) AS bags,
    (SELECT count(*) FROM audit_event a WHERE a.subject_id = u.id) AS records,
    (SELECT count(*) FROM webhook_event w WHERE w.user_id = u.id) AS events
FROM app_user u WHERE u.username LIKE $1
"""


@dataclass(slots=True)
class Registrar:
    """Registers users through the balancer."""

    world: World
    answers: list[Answer] = field(default_factory=list)
    prefix: str = field(default_factory=lambda: f"r{time.monotonic_ns()}x")
    _acknowledged: set[str] = field(default_factory=set)

    @asynccontextmanager
    async def registering(self) -> AsyncIterator[None]:
        """Register until the block ends."""
        stop = asyncio.Event()
        task = asyncio.create_task(self._register(stop))
        try:
            yield
        finally:
            stop.set()
            await task

    async def faults(self) -> list[str]:
        """Say which users are lost, and which are there in part."""
        rows = await self.world.fetch(_PARTS, f"{self.prefix}%")
        found = {row["name"] for row in rows}
        lost = [f"{name} was acknowledged and is lost" for name in self._acknowledged - found]
        halves = [
            f"{row['name']} is there in part: {dict(row)}"
            for row in rows
            if (row["emails"], row["bags"], row["records"], row["events"]) != (1, 1, 1, 1)
        ]
        return lost + halves

    async def _register(self, stop: asyncio.Event) -> None:
        line = self.world.line()
        for number in itertools.count():
            if stop.is_set():
                break
            name = f"{self.prefix}{number}"
            answer = await line.gql(
                _CREATE, self.world.key, name=name, address=f"{name}@example.com"
            )
            self.answers.append(answer)
            if answer.data("createUser"):
                self._acknowledged.add(name)
            await asyncio.sleep(0.01)
        line.hang_up()
