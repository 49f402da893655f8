"""Many at once, through both replicas."""

import asyncio
import itertools
import time

from drill.finding import Finding
from drill.line import Answer, Line
from drill.programs import Replica
from drill.stream import CREATE_USER
from drill.visitor import Visitor
from drill.world import World

MERGED_WITHIN = 2.0
_MERGE = """mutation ($user: ID!, $bag: JSON) {
  updateUserMetadata(userId: $user, input: {publicMetadata: $bag}) { userErrors { code } } }"""
_BAG = "query ($user: ID!) { user(by: {id: $user}) { publicMetadata metadataVersion } }"
_WITH_ADDRESS = """mutation ($address: String!) {
  createUser(input: {emails: [{address: $address, isVerified: true}]}) {
    user { id } userErrors { code } } }"""


async def merges(world: World, count: int, rounds: int) -> Finding:
    """Merge distinct keys into one bag, all at once, over connections that are open already."""
    finding = Finding(
        "SEC-136",
        f"{count} merges of distinct keys into one bag at once, {rounds} rounds",
        "every key there, no 5xx, p99 below 2 s",
    )
    answers: list[Answer] = []
    slowest = 0.0
    lines = [world.line(one) for one in _in_turn(world, count)]
    for _ in range(rounds):
        user = await _user(world)
        keys = [f"k{n}" for n in range(count)]
        merged = await asyncio.gather(
            *(
                line.gql(_MERGE, world.key, user=user, bag={key: 1})
                for line, key in zip(lines, keys, strict=True)
            )
        )
        answers += merged
        slowest = max(slowest, sorted(a.seconds for a in merged)[int(count * 0.99) - 1])
        found = (await lines[0].gql(_BAG, world.key, user=user)).data("user")
        whole = (dict.fromkeys(keys, 1), count)
        so = found and (found["publicMetadata"], found["metadataVersion"]) == whole
        finding.expect(so=bool(so), or_else=f"the bag holds {found}")
    _hang_up(lines)
    finding.of(answers=answers)
    finding.expect(so=not finding.failures, or_else=f"requests failed: {dict(finding.failures)}")
    within = MERGED_WITHIN * world.slack
    finding.expect(so=slowest < within, or_else=f"99 of 100 took {slowest:.2f} s")
    finding.longest = f"p99 {slowest:.2f} s"
    return finding


async def redemptions(world: World, count: int, rounds: int) -> Finding:
    """Enter one mailed code many times at once, and register one address and one name so."""
    finding = Finding(
        "SEC-137",
        f"one code entered, one address and one name registered {count} times at once, "
        f"{rounds} rounds",
        "one success each",
    )
    answers: list[Answer] = []
    lines = [world.line(one) for one in _in_turn(world, count)]
    for _ in range(rounds):
        address = f"c{time.monotonic_ns()}@example.com"
        made = await asyncio.gather(
            *(line.gql(_WITH_ADDRESS, world.key, address=address) for line in lines)
        )
        name = f"n{time.monotonic_ns()}"
        variants = itertools.cycle((name, name.upper()))
        named = await asyncio.gather(
            *(line.gql(CREATE_USER, world.key, name=next(variants)) for line in lines)
        )
        visitor = Visitor(world.line())
        await visitor.to_passcode(address)
        code = await world.postbox.code(address)
        entered = await asyncio.gather(
            *(visitor.send("verify_passcode", line, code=code) for line in lines)
        )
        visitor.line.hang_up()
        answers += [*made, *named, *entered]
        for what, many in (("address", made), ("name", named)):
            created = sum(bool((a.data("createUser") or {}).get("user")) for a in many)
            finding.expect(so=created == 1, or_else=f"one {what} was registered {created} times")
        accepted = sum(answer.status == 200 for answer in entered)
        finding.expect(so=accepted == 1, or_else=f"one code was accepted {accepted} times")
        sessions = await world.fetch(
            "SELECT s.id FROM user_session s JOIN email e ON e.user_id = s.user_id "
            "WHERE e.address = $1",
            address,
        )
        finding.expect(so=len(sessions) == 1, or_else=f"one code began {len(sessions)} sessions")
    _hang_up(lines)
    finding.longest = f"{max(answer.seconds for answer in answers):.2f} s for an answer"
    return finding.of(answers=answers)


async def _user(world: World) -> str:
    line = world.line()
    made = await line.gql(CREATE_USER, world.key, name=f"m{time.monotonic_ns()}")
    line.hang_up()
    user: str = made.data("createUser")["user"]["id"]
    return user


def _in_turn(world: World, count: int) -> list[Replica]:
    return list(itertools.islice(itertools.cycle(world.replicas), count))


def _hang_up(lines: list[Line]) -> None:
    for line in lines:
        line.hang_up()
