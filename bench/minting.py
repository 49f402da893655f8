"""What the claims of an application cost when a token is minted, beside signing alone.

The template is README's example, every user's public and unsafe bag is as full as the default caps
let it be, and no user comes twice, so nothing that is remembered of a rendering helps. What is read
from the database is read before the clock starts.
"""

import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec

from app.assembly import Services, assemble
from app.config.load import convert
from app.sessions import TokenClaims
from app.templates import PrimaryEmail, Subject
from bench.engines import Taken

TEMPLATE = {"plan": '{{ user.public_metadata.plan || "free" }}'}
_FULL = 2_990
Work = Callable[[Subject], Awaitable[object]]


class Job(msgspec.Struct, frozen=True):
    """The one argument, as JSON."""

    rounds: int
    times: int


async def measure(job: Job) -> dict[str, list[Taken]]:
    """Give, for each way, what a token took in each round."""
    with tempfile.TemporaryDirectory() as folder:
        claims = {"claims": TEMPLATE}
        config = convert({"data_dir": folder, "session": {"jwt_template": claims}})
        services = assemble(config)
        await services.open()
        try:
            return await _rounds(services, job)
        finally:
            await services.close()


async def _rounds(services: Services, job: Job) -> dict[str, list[Taken]]:
    claims, tokens = services.sessions.claims, services.sessions.tokens
    own = _token_of(services, _subject(0))
    ready = _complete(claims, own, _subject(0))
    ways: dict[str, Work] = {
        "mint": lambda user: tokens.mint(_complete(claims, own, user)),
        "sign": lambda _: tokens.mint(ready),
    }
    found: dict[str, list[Taken]] = {name: [] for name in ways}
    for number in range(job.rounds):
        users = [_subject(number * job.times + n) for n in range(job.times)]
        for name in random.sample(list(ways), len(ways)):
            found[name].append(await _timed(ways[name], users))
    return found


def _complete(claims: TokenClaims, token: dict[str, Any], user: Subject) -> dict[str, Any]:
    return claims._complete(token, user, report=True)  # noqa: SLF001  # what a session's issue calls


def _token_of(services: Services, user: Subject) -> dict[str, Any]:
    now = services.clock()
    identity = {"sub": str(user.user_id), "session_id": str(user.user_id)}
    return {**identity, **services.sessions.tokens.times(now, now + timedelta(hours=12))}


async def _timed(work: Work, users: list[Subject]) -> Taken:
    started, cpu = time.perf_counter(), time.process_time()
    for user in users:
        await work(user)
    clock, cpu = time.perf_counter() - started, time.process_time() - cpu
    return Taken(clock / len(users), cpu / len(users))


def _subject(number: int) -> Subject:
    email = PrimaryEmail(f"user{number}@example.com", is_verified=True)
    bags = (_bag("plan", number), _bag("theme", number))
    return Subject(
        UUID(int=number), email=email, public=bags[0], unsafe=bags[1], metadata_version=1
    )


def _bag(key: str, number: int) -> str:
    """Fill a bag to its cap with what bags hold: texts, numbers, flags, a level below the top."""
    items = [f'"{key}":"pro","number":{number}']
    size = len(items[0])
    while size < _FULL - 80:
        items.append(f'"key{len(items)}":{{"text":"value {len(items)}","n":{number},"ok":true}}')
        size += len(items[-1]) + 1
    items.append(f'"rest":"{"x" * (_FULL - size - len(",rest::") - 6)}"')
    return "{" + ",".join(items) + "}"


if __name__ == "__main__":
    given = msgspec.json.decode(sys.argv[1], type=Job)
    print(msgspec.json.encode(asyncio.run(measure(given))).decode())
