"""What the replicas stand on goes away, and comes back."""

import asyncio
import itertools
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from drill.finding import Finding, times
from drill.line import Answer, Line
from drill.peers import Hook, Told
from drill.programs import until
from drill.stream import CREATE_SESSION, CREATE_USER, ME, Stream
from drill.visitor import Visitor
from drill.world import World

REFUSED_WITHIN = 5.0
BACK_WITHIN = 5.0
MAILED_WITHIN = 60.0
TOLD_WITHIN = 5.0
ARRIVED_WITHIN = 360.0
SAME_RATE = 0.8

_WITH_ADDRESS = """mutation ($address: String!, $password: String) {
  createUser(input: {emails: [{address: $address, isVerified: true}], password: $password}) {
    user { id } userErrors { code } } }"""
_RENAME = """mutation ($user: ID!, $name: String!) {
  updateUser(userId: $user, input: {username: $name}) { user { id } userErrors { code } } }"""
_EXPIRE = """
UPDATE mail_outbox SET expires_at = now() - interval '1 second' WHERE recipient = $1 RETURNING id
"""
_PASSWORD = "a lamp in the window"  # noqa: S105  # of users who are made up
_TOKENS = 5
"""Attempts at a password that the settings' default allows in a minute."""

_LOOK_AGAIN = 0.05
_numbers = itertools.count()


# The database


async def database(world: World, clients: int, count: int, rest: float) -> Finding:
    """Stop the database and start it again: once kindly, once without a farewell, and so on."""
    finding = Finding(
        "SEC-130",
        f"PostgreSQL stopped or crashed, and started again, {times(count)}, {clients} clients",
        "503 within 5 s, nobody let in, no process ends; former rate within 5 s of its return",
    )
    stream, token = world.stream, await _token(world)
    slowest, back, same = 0.0, 0.0, [0.0]
    async with stream.flowing(clients):
        await stream.until(50)
        for number in range(count):
            before = time.monotonic()
            await asyncio.sleep(rest)
            former = stream.rate(before, time.monotonic())
            probes = [Probe(world.line(one), token) for one in world.replicas]
            await (world.postgres.crash() if number % 2 else world.postgres.stop())
            gone = time.monotonic()
            await asyncio.gather(*(probe.ask(count=20) for probe in probes))
            leaving = time.monotonic()
            await world.postgres.start()
            returned = time.monotonic()
            await asyncio.gather(*(probe.until_accepted() for probe in probes))
            back = max(back, *(probe.accepted_at - returned for probe in probes))
            refused = [a for probe in probes for a in probe.answers if gone < a.began < leaving]
            slowest = max(slowest, *(answer.seconds for answer in refused))
            _expect_refused(finding, refused)
            same.append(await _at_its_rate(world, stream, former, rest) - returned)
    within = REFUSED_WITHIN * world.slack
    finding.expect(so=slowest <= within, or_else=f"an answer took {slowest:.1f} s")
    within = BACK_WITHIN * world.slack
    finding.expect(so=back <= within, or_else=f"back after {back:.1f} s")
    finding.expect(so=max(same) <= within, or_else=f"at its rate after {max(same):.1f} s")
    for replica in world.replicas:
        finding.expect(so=replica.is_running, or_else=f"{replica.name} has ended")
    for fault in stream.history.faults():
        finding.expect(so=False, or_else=fault)
    returning = f"back after {back:.2f} s, at the former rate after {max(same):.2f} s"
    finding.longest = f"{slowest:.2f} s for a refusal; {returning}"
    return finding.of(stream)


@dataclass(slots=True)
class Probe:
    """Asks one replica who the bearer of a token is, over and over."""

    line: Line
    token: str
    answers: list[Answer] = field(default_factory=list)
    accepted_at: float = 0.0

    async def ask(self, count: int) -> None:
        """Ask a few times."""
        for _ in range(count):
            self.answers.append(await self.line.gql(ME, self.token))
            await asyncio.sleep(_LOOK_AGAIN)

    async def until_accepted(self) -> None:
        """Ask until the bearer is known again."""
        while not self.accepted_at:
            answer = await self.line.gql(ME, self.token)
            self.answers.append(answer)
            if answer.data("me"):
                self.accepted_at = answer.ended
            await asyncio.sleep(_LOOK_AGAIN)
        self.line.hang_up()


async def _at_its_rate(world: World, stream: Stream, former: float, rest: float) -> float:
    """Wait until answers come nearly as often as before, and give the moment since when."""
    deadline = time.monotonic() + BACK_WITHIN * 2 * world.slack
    while True:
        await asyncio.sleep(rest)
        now = time.monotonic()
        if stream.rate(now - rest, now) >= SAME_RATE * former / world.slack or now > deadline:
            return now - rest


def _expect_refused(finding: Finding, answers: Sequence[Answer]) -> None:
    others = {(a.status, a.failure) for a in answers if a.status != 503 or a.data("me")}
    finding.expect(so=not others, or_else=f"answered without a database: {others}")


# Redis


async def redis(world: World) -> Finding:
    """Freeze Redis, then end it; guess passwords and have codes mailed all the while."""
    finding = Finding(
        "SEC-131",
        "Redis silent, then ended, then back; passwords guessed at both replicas",
        "never more guesses than with Redis, and some; mail limited; flows go on; an alarm",
    )
    answers: list[Answer] = []
    finding.expect(so=await _count_together(world, answers), or_else="Redis does not count")
    world.redis.freeze()
    for how in ("silent", "ended"):
        if how == "ended":
            await world.redis.stop()
        guessed = await _guesses(world, answers)
        fewer = 1 <= guessed < _TOKENS
        finding.expect(so=fewer, or_else=f"{guessed} guesses while Redis was {how}")
        mailed = await _mails(world, answers)
        finding.expect(so=mailed == 1, or_else=f"{mailed} codes while Redis was {how}")
    for replica in world.replicas:
        warned = '"sekisho.ratelimit"' in replica.errors
        finding.expect(so=warned, or_else=f"{replica.name} gave no alarm")
    await world.redis.start()
    finding.expect(so=await _count_together(world, answers), or_else="Redis counts no more")
    bad = {answer.failure for answer in answers if answer.failure}
    finding.expect(so=not bad, or_else=f"requests failed: {bad}")
    finding.longest = f"{max(answer.seconds for answer in answers):.2f} s for an answer"
    return finding.of(answers=answers)


async def _count_together(world: World, answers: list[Answer]) -> bool:
    """Wait until both replicas together allow what one limit allows; say whether they do."""
    deadline = time.monotonic() + BACK_WITHIN * 2 * world.slack
    while await _guesses(world, answers) != _TOKENS:
        if time.monotonic() > deadline:
            return False
    return True


async def _guesses(world: World, answers: list[Answer]) -> int:
    """Guess at a new user's password at both replicas, and count what was not limited."""
    address = await _user(world, _PASSWORD)
    allowed = 0
    for replica in world.replicas:
        visitor = Visitor(world.line(replica))
        answers.append(await visitor.to_password(address))
        for _ in range(_TOKENS):
            answer = await visitor.act("password_login", password="wrong")  # noqa: S106  # made up
            answers.append(answer)
            allowed += answer.status != 429
        visitor.line.hang_up()
    return allowed


async def _mails(world: World, answers: list[Answer]) -> int:
    """Ask one replica twice for a code, and count how often one was mailed."""
    address = await _user(world)
    mailed = 0
    for _ in range(2):
        visitor = Visitor(world.line(world.replicas[0]))
        answers.append(await visitor.to_passcode(address))
        mailed += answers[-1].status == 200
        visitor.line.hang_up()
    return mailed


# Mail


async def mail(world: World, mails: int, away: float) -> Finding:
    """Close the mail server, ask for codes, let one expire, and open it again."""
    finding = Finding(
        "SEC-132",
        f"SMTP away for {away:g} s; {mails} codes asked for, one of which expired",
        "flows answer as usual; the expired one never leaves, the others within 60 s",
    )
    people = [await _user(world) for _ in range(mails + 1)]
    usual = await _asked_for_codes(world, people[:1])
    await world.postbox.code(people[0])
    await world.postbox.close()
    answers = await _asked_for_codes(world, people[1:])
    shapes = {_shape(answer) for answer in (*usual, *answers)}
    finding.expect(so=len(shapes) == 1, or_else=f"answers differ: {shapes}")
    expired, *others = people[1:]
    (late,) = await world.fetch(_EXPIRE, expired)
    await asyncio.sleep(away)
    await until(lambda: _were_tried(world, people[1:]), "an attempt to mail")
    early = [one for one in people[1:] if one in world.postbox.codes]
    finding.expect(so=not early, or_else="mail left while there was nobody to take it")
    await world.postbox.open()
    returned = time.monotonic()
    await asyncio.gather(*(world.postbox.code(one) for one in others))
    took = time.monotonic() - returned
    within = MAILED_WITHIN * world.slack
    finding.expect(so=took <= within, or_else=f"the last mail took {took:.1f} s")
    await until(lambda: _has_expired(world, late["id"]), "the expired mail")
    never = expired not in world.postbox.codes
    finding.expect(so=never, or_else="the expired code was delivered")
    slowest = max(answer.seconds for answer in answers)
    finding.longest = f"{took:.1f} s until all had left; {slowest:.2f} s for an answer meanwhile"
    return finding.of(answers=[*usual, *answers])


async def _were_tried(world: World, recipients: Sequence[str]) -> bool:
    sql = "SELECT id FROM mail_outbox WHERE recipient = ANY($1::text[]) AND answer IS NOT NULL"
    return bool(await world.fetch(sql, list(recipients)))


async def _was_refused(hook: Hook) -> bool:
    return hook.refused > 0


async def _has_expired(world: World, mail_id: UUID) -> bool:
    sql = "SELECT id FROM mail_outbox WHERE id = $1 AND state = 'expired'"
    return bool(await world.fetch(sql, mail_id))


async def _asked_for_codes(world: World, people: Sequence[str]) -> list[Answer]:
    answers = []
    for address in people:
        visitor = Visitor(world.line())
        answers.append(await visitor.to_passcode(address))
        visitor.line.hang_up()
    return answers


def _shape(answer: Answer) -> str:
    """Give what an answer looks like, whatever it is about."""
    names = sorted(answer.body["actions"]) if answer.body else []
    return json.dumps([answer.status, answer.body and answer.body["name"], names])


# Receivers of events


async def hooks(world: World, users: int, changes: int, away: float) -> Finding:
    """Let one receiver refuse everything for a while, and then take it again."""
    finding = Finding(
        "SEC-133",
        f"one of two webhooks away for {away:g} s; {users} users changed, {times(changes)} each",
        "every event arrives in order per user within 6 min; the other hook's within 5 s (p99)",
    )
    down, well = world.hooks
    line, names = world.line(), [f"h{time.monotonic_ns()}x{n}" for n in range(users)]
    down.is_down = True
    made: dict[tuple[str, str], float] = {}
    answers, ids = [], []
    for name in names:
        answers.append(await line.gql(CREATE_USER, world.key, name=name))
        ids.append(answers[-1].data("createUser")["user"]["id"])
        made[ids[-1], name] = answers[-1].ended
    for number in range(changes):
        for user, name in zip(ids, names, strict=True):
            new = f"{name}_{number}"
            answers.append(await line.gql(_RENAME, world.key, user=user, name=new))
            made[user, new] = answers[-1].ended
    line.hang_up()
    await asyncio.sleep(away)
    await until(lambda: _was_refused(down), "an attempt at the hook that is away")
    down.is_down = False
    returned = time.monotonic()
    for hook in world.hooks:
        await hook.until(lambda hook=hook: made.keys() <= {(t.user, t.name) for t in hook.told})
    took = time.monotonic() - returned
    late = sorted(
        told.at - made[told.user, told.name] for told in well.told if (told.user, told.name) in made
    )
    p99 = late[int(len(late) * 0.99) - 1]
    for hook, what in ((down, "that was away"), (well, "that was not")):
        faults = [user for user in ids if not _is_in_order(made, hook.told, user)]
        finding.expect(so=not faults, or_else=f"the hook {what} was told out of order: {faults}")
    within = ARRIVED_WITHIN * world.slack
    finding.expect(so=took <= within, or_else=f"the last event took {took:.0f} s")
    finding.expect(so=p99 <= TOLD_WITHIN * world.slack, or_else=f"the other hook: {p99:.1f} s")
    finding.longest = f"{took:.1f} s until all had arrived; p99 of the other hook {p99:.2f} s"
    return finding.of(answers=answers)


def _is_in_order(made: dict[tuple[str, str], float], told: Sequence[Told], user: str) -> bool:
    """Say whether a user's events came first in the order in which they were made."""
    wanted = [name for of, name in made if of == user]
    seen = [one.name for one in told if one.user == user and (user, one.name) in made]
    return list(dict.fromkeys(seen)) == wanted


# What all of them need


async def _user(world: World, password: str | None = None) -> str:
    """Make a user and give its address."""
    line, address = world.line(), f"p{next(_numbers)}.{time.monotonic_ns()}@example.com"
    made = await line.gql(_WITH_ADDRESS, world.key, address=address, password=password)
    line.hang_up()
    if not made.data("createUser"):
        raise RuntimeError(f"no user could be made: {made}")
    return address


async def _token(world: World) -> str:
    """Begin a session of a new user and give its token."""
    line = world.line()
    made = await line.gql(CREATE_USER, world.key, name=f"t{time.monotonic_ns()}")
    user = made.data("createUser")["user"]["id"]
    begun = await line.gql(CREATE_SESSION, world.key, user=user)
    line.hang_up()
    token: str = begun.data("createUserSession")["token"]
    return token
