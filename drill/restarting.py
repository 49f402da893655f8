"""Replicas that are told to end, killed, or started at once."""

import asyncio
import random
import signal
import time
from collections.abc import Sequence

from drill.finding import Finding, times
from drill.line import Line
from drill.programs import Replica, free_port, run
from drill.registrar import Registrar
from drill.visitor import Visitor
from drill.world import World

NOT_READY_WITHIN = 1.0
READY_WITHIN = 10.0
_LONGEST_LIFE = 1.0
"""Seconds that a replica may live, at most, before it is killed."""

_NEWER = 3
"""Migrations that an old database lacks."""


async def rolling_restart(world: World, clients: int, count: int, requests: int) -> Finding:
    """End each replica in turn and start it again, while clients go on."""
    finding = Finding(
        "SEC-139",
        f"each replica in turn ended and started again, {times(count)}, {clients} clients",
        "not ready within 1 s; status 0; no request dropped",
    )
    stream, slowest = world.stream, 0.0
    async with stream.flowing(clients):
        await stream.until(requests // 4)
        for replica in world.replicas * count:
            replica.send(signal.SIGTERM)
            told = time.monotonic()
            await world.balancer.knows(replica.port, ready=False)
            slowest = max(slowest, time.monotonic() - told)
            status = await replica.ended()
            finding.expect(so=status == 0, or_else=f"{replica.name} ended with {status}")
            await replica.restart()
            await world.balancer.knows(replica.port, ready=True)
        await stream.until(max(requests - stream.answered, 1))
    within = NOT_READY_WITHIN * world.slack
    finding.expect(so=slowest <= within, or_else=f"a replica was ready for {slowest:.2f} s more")
    finding.expect(so=not stream.failures, or_else=f"requests failed: {dict(stream.failures)}")
    finding.longest = f"{slowest:.2f} s until it was seen not to be ready"
    return finding.of(stream)


async def kills(world: World, clients: int, count: int) -> Finding:
    """Kill one replica after the other at random instants; then look at what is left."""
    finding = Finding(
        "SEC-129",
        f"a replica killed at a random instant, {times(count)}, {clients} clients",
        "nothing acknowledged lost, nothing half done, no code twice; ready within 10 s",
    )
    stream, registrar, slowest = world.stream, Registrar(world), 0.0
    async with stream.flowing(clients), registrar.registering():
        for number in range(count):
            replica = random.choice(world.replicas)  # noqa: S311  # no secret
            address = f"code{number}.{time.monotonic_ns()}@example.com"
            seconds = await _killed_with_a_code(world, finding, replica, address)
            slowest = max(slowest, seconds)
            await world.balancer.knows(replica.port, ready=True)
        await stream.until(1)
    for fault in (*stream.history.faults(), *await registrar.faults()):
        finding.expect(so=False, or_else=fault)
    within = READY_WITHIN * world.slack
    finding.expect(so=slowest <= within, or_else=f"ready after {slowest:.1f} s")
    finding.longest = f"{slowest:.2f} s until it was ready again"
    return finding.of(stream, registrar.answers)


async def history(world: World, clients: int, seconds: float, every: float) -> Finding:
    """Let clients see what they see for a while, with a kill now and then, and judge it."""
    finding = Finding(
        "SEC-138",
        f"{clients} clients and as many who look on, {seconds:g} s, kills about every {every:g} s",
        "no ended session accepted, no acknowledged write lost, nothing read backwards",
    )
    stream, killed = world.stream, 0
    ends = time.monotonic() + seconds
    async with stream.flowing(clients):
        while time.monotonic() < ends:
            await asyncio.sleep(random.uniform(0.5, 1.5) * every)  # noqa: S311  # no secret
            replica = random.choice(world.replicas)  # noqa: S311  # no secret
            await replica.kill()
            killed += 1
            await replica.restart()
            await world.balancer.knows(replica.port, ready=True)
        await stream.until(1)
    for fault in stream.history.faults():
        finding.expect(so=False, or_else=fault)
    finding.longest = f"{stream.pause(stream.answers[0].began):.2f} s without any answer"
    finding.deed += f": {killed} of them, {len(stream.history.events):,} events"
    return finding.of(stream)


async def migrations(world: World, count: int) -> Finding:
    """Start two replicas at once on an empty database, and on one that is some versions old."""
    finding = Finding(
        "SEC-135",
        f"two replicas started at once on an empty and on an old schema, {times(count)} each",
        "each migration applied once, both ready",
    )
    slowest = 0.0
    for number in range(count):
        name = f"migrating_{number}"
        url = await world.postgres.empty(name)
        settings = {
            **world.settings,
            "DATABASE_URL": url,
            "DATA_DIR": str(world.folder / name),
            "WEBHOOKS_ENABLED": "false",
        }
        slowest = max(slowest, await _start_at_once(world, finding, settings, f"{name}_empty"))
        place = world.folder / f"{name}_down"
        await run(place, settings, "migrate", "down", str(_NEWER), "--yes")
        slowest = max(slowest, await _start_at_once(world, finding, settings, f"{name}_old"))
        await world.postgres.drop(name)
    finding.longest = f"{slowest:.2f} s until both were ready"
    return finding


async def _start_at_once(
    world: World, finding: Finding, settings: dict[str, str], name: str
) -> float:
    replicas = [
        Replica(world.folder / f"{name}_{which}", free_port(), settings)
        for which in ("one", "other")
    ]
    for replica in replicas:
        replica.start()
    try:
        took = max(await asyncio.gather(*(replica.ready() for replica in replicas)))
    finally:
        for replica in replicas:
            await replica.stop()
    applied = [replica.output.count("migration(s) applied") for replica in replicas]
    finding.expect(so=sum(applied) == 1, or_else=f"{name}: {sum(applied)} replicas migrated")
    for replica in replicas:
        bad = replica.process is None or replica.process.returncode or '"error"' in replica.errors
        finding.expect(so=not bad, or_else=f"{name}: {replica.name} met an error")
    return took


async def _killed_with_a_code(
    world: World, finding: Finding, replica: Replica, address: str
) -> float:
    """Kill a replica while a code is entered there and elsewhere; give the time to readiness."""
    visitor = await _with_code(world, address)
    lines = [world.line(one) for one in world.replicas]
    code = await world.postbox.code(address)
    entering = asyncio.create_task(_enter(visitor, lines, code))
    await asyncio.sleep(random.uniform(0, _LONGEST_LIFE) ** 3)  # noqa: S311  # no secret; soon, mostly
    await replica.kill()
    seconds = await replica.restart()
    accepted = await entering + await _enter(visitor, lines, code)
    for line in lines:
        line.hang_up()
    begun = await world.fetch(
        "SELECT s.id FROM user_session s JOIN email e ON e.user_id = s.user_id "
        "WHERE e.address = $1",
        address,
    )
    finding.expect(so=accepted <= 1 and len(begun) <= 1, or_else=f"the code of {address} twice")
    finding.expect(so=len(begun) >= accepted, or_else=f"the session of {address} was lost")
    return seconds


async def _with_code(world: World, address: str) -> Visitor:
    """Make a user and go as far as a code is mailed to it; from the start, where that fails."""
    line = world.line()
    query = """mutation ($address: String!) {
      createUser(input: {emails: [{address: $address, isVerified: true}]}) { user { id } } }"""
    made = await line.gql(query, world.key, address=address)
    if made.failure:
        raise RuntimeError(f"no user could be made: {made}")
    visitor = Visitor(line)
    await visitor.to_passcode(address)
    line.hang_up()
    return visitor


async def _enter(visitor: Visitor, lines: Sequence[Line], code: str) -> int:
    """Enter a code over each connection at once, and count how often it was accepted."""
    sends = (visitor.send("verify_passcode", line, code=code) for line in lines)
    answers = await asyncio.gather(*sends)
    return sum(answer.status == 200 for answer in answers)
