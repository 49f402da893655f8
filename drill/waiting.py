"""Clients who let a server wait."""

import asyncio
import contextlib
import time
from dataclasses import dataclass

import asyncpg

from drill.finding import Finding
from drill.line import Answer, Line
from drill.stream import CREATE_USER
from drill.world import World

HEALTH_WITHIN = 0.25
HEAD_WITHIN = 10.0
BODY_WITHIN = 30.0
OPERATION_WITHIN = 10.0
_SLACK = 3.0
"""Seconds by which a limit may be met late."""

_LOOK_AGAIN = 0.02
_HEAD = b"POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
_MERGE = """mutation ($user: ID!) {
  updateUserMetadata(userId: $user, input: {publicMetadata: {late: true}}) {
    userErrors { code } } }"""
_WAITING = """
SELECT count(*) AS number FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


@dataclass(frozen=True, slots=True)
class Slow:
    """How many send a head that does not end, and how many a body."""

    heads: int
    bodies: int


async def slow_clients(world: World, slow: Slow, health: int) -> Finding:
    """Keep slow clients waiting at one replica, and ask for its health meanwhile."""
    finding = Finding(
        "SEC-125",
        f"{slow.heads} clients whose head and {slow.bodies} whose body does not end, "
        "health asked meanwhile",
        "health p99 below 250 ms; closed after 10 s and 30 s",
    )
    port = world.replicas[0].port
    async with asyncio.TaskGroup() as group:
        sent = [_HEAD] * slow.heads + [_HEAD + b"Content-Length: 100\r\n\r\n{"] * slow.bodies
        closing = [group.create_task(_closed_after(port, text)) for text in sent]
        answers = await _health(port, health)
    times = sorted(answer.seconds for answer in answers)
    p99 = times[int(len(times) * 0.99) - 1]
    finding.expect(so=p99 < HEALTH_WITHIN * world.slack, or_else=f"health took {p99:.2f} s")
    limits = [HEAD_WITHIN] * slow.heads + [BODY_WITHIN] * slow.bodies
    most = [
        (task.result(), limit)
        for task, limit in zip(closing, limits, strict=True)
        if not limit - 1 <= task.result() <= limit + _SLACK * world.slack
    ]
    finding.expect(so=not most, or_else=f"closed after other times: {most[:5]}")
    last = max(task.result() for task in closing)
    finding.longest = f"health p99 {p99 * 1000:.0f} ms; the last closed after {last:.1f} s"
    return finding.of(answers=answers)


async def long_operation(world: World) -> Finding:
    """Let an operation wait for a row that another transaction holds, longer than it may."""
    finding = Finding(
        "SEC-125",
        "an operation that waits for a lock",
        "cancelled after 10 s, with its database work, and nothing written",
    )
    line = world.line()
    made = await line.gql(CREATE_USER, world.key, name=f"w{time.monotonic_ns()}")
    user = made.data("createUser")["user"]["id"]
    holder = await asyncpg.connect(world.url)
    try:
        async with holder.transaction():
            await holder.execute("SELECT 1 FROM user_metadata WHERE user_id = $1 FOR UPDATE", user)
            answer = await line.gql(_MERGE, world.key, user=user)
            waiting = await world.fetch(_WAITING)
            deadline = time.monotonic() + _SLACK * world.slack
            while waiting[0]["number"] and time.monotonic() < deadline:
                await asyncio.sleep(_LOOK_AGAIN)
                waiting = await world.fetch(_WAITING)
    finally:
        await holder.close()
    refused = bool(answer.failure) and not answer.data("updateUserMetadata")
    finding.expect(so=refused, or_else=f"it was answered {answer.status}: {answer.body}")
    within = OPERATION_WITHIN + _SLACK * world.slack
    finding.expect(so=answer.seconds <= within, or_else=f"it took {answer.seconds:.1f} s")
    finding.expect(so=not waiting[0]["number"], or_else="the database works on it still")
    bags = await world.fetch("SELECT public_bag FROM user_metadata WHERE user_id = $1", user)
    finding.expect(so="late" not in str(bags), or_else="it was carried out")
    line.hang_up()
    finding.longest = f"{answer.seconds:.2f} s"
    return finding.of(answers=[made, answer])


async def _closed_after(port: int, text: bytes) -> float:
    """Send a part of a request, then nothing, and give the seconds until we were hung up on."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    began = time.monotonic()
    try:
        writer.write(text)
        with contextlib.suppress(OSError):
            await reader.read()
        return time.monotonic() - began
    finally:
        writer.transport.abort()


async def _health(port: int, times: int) -> list[Answer]:
    """Ask for health one time after the other."""
    line, answers = Line(port), []
    for _ in range(times):
        answers.append(await line.get("/health/ready"))
        await asyncio.sleep(_LOOK_AGAIN)
    line.hang_up()
    return answers
