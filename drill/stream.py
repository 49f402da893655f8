"""A stream of clients who sign in, ask, change, have sessions checked and end them."""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from drill.history import Deed, Event, History
from drill.line import Answer, Line

CREATE_USER = """mutation ($name: String!) {
  createUser(input: {username: $name}) { user { id } userErrors { code } } }"""
CREATE_SESSION = """mutation ($user: ID!) {
  createUserSession(userId: $user) { session { id } token userErrors { code } } }"""
ME = "{ me { id unsafeMetadata } }"
MERGE_OWN = """mutation ($bag: JSON) {
  updateMe(input: {unsafeMetadata: $bag}) { user { id } userErrors { code } } }"""
SIGN_OUT = "mutation { signOut { userErrors { code } } }"

PATIENCE = 300.0
_MERGES = 3
_AGAIN = 0.02
"""Seconds after which a client that got no answer tries again."""

_names = itertools.count()


@dataclass(slots=True)
class Stream:
    """Clients at a port, two connections for each: one that acts, and one that looks on.

    Attributes:
        answers: Everything that was asked and what became of it.
        history: The same, as it can be judged.
        answered: How many requests were answered, and not for want of something.
    """

    port: int
    key: str
    answers: list[Answer] = field(default_factory=list)
    history: History = field(default_factory=History)
    answered: int = 0
    _enough: asyncio.Condition = field(default_factory=asyncio.Condition)

    @asynccontextmanager
    async def flowing(self, clients: int) -> AsyncIterator["Stream"]:
        """Let so many clients ask until the block ends, each to the end of its last request."""
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for _ in range(clients):
                client = Client(self, stop, Line(self.port), Line(self.port))
                group.create_task(client.act())
                group.create_task(client.look_on())
            try:
                yield self
            finally:
                stop.set()

    async def until(self, count: int) -> None:
        """Wait until so many requests more have been answered well."""
        goal = self.answered + count
        async with asyncio.timeout(PATIENCE), self._enough:
            await self._enough.wait_for(lambda: self.answered >= goal)

    @property
    def failures(self) -> Counter[str]:
        """How many were not, by kind."""
        return Counter(answer.failure for answer in self.answers if answer.failure)

    def rate(self, since: float, until: float) -> float:
        """Give the good answers a second between two moments."""
        times = [answer.ended for answer in self.answers if not answer.failure]
        return sum(since <= at < until for at in times) / (until - since)

    def pause(self, since: float) -> float:
        """Give the longest time without a good answer, from a moment on."""
        times = sorted(a.ended for a in self.answers if not a.failure and a.ended >= since)
        return max((later - at for at, later in itertools.pairwise([since, *times])), default=0.0)

    async def note(self, answer: Answer) -> Answer:
        """Keep what became of a request; who got no answer waits a little."""
        self.answers.append(answer.bare)
        self.answered += not answer.failure
        async with self._enough:
            self._enough.notify_all()
        if answer.failure:
            await asyncio.sleep(_AGAIN)
        return answer


@dataclass(slots=True)
class Client:
    """One user: what it does, and what somebody sees who looks on."""

    stream: Stream
    stop: asyncio.Event
    acting: Line
    looking: Line
    user: str = ""
    session: str = ""
    token: str = ""
    number: int = 0

    async def act(self) -> None:
        """Sign in, change, sign out, and ask once more; again and again."""
        await self._register()
        while not self.stop.is_set():
            if not await self._sign_in():
                continue
            for _ in range(_MERGES):
                await self._merge()
                await self._read(self.acting)
            await self._sign_out()
            await self._read(self.acting)
        self.acting.hang_up()

    async def look_on(self) -> None:
        """Read the bag, and have the session checked, over a connection of its own."""
        while not self.stop.is_set():
            if self.token:
                await self._read(self.looking)
                await self._validate()
            else:
                await asyncio.sleep(_AGAIN)
        self.looking.hang_up()

    async def _register(self) -> None:
        while not self.user and not self.stop.is_set():
            name = f"client{next(_names)}x{time.monotonic_ns()}"
            answer = await self._ask(self.acting, CREATE_USER, self.stream.key, name=name)
            made = answer.data("createUser")
            self.user = made["user"]["id"] if made else ""

    async def _sign_in(self) -> bool:
        answer = await self._ask(self.acting, CREATE_SESSION, self.stream.key, user=self.user)
        made = answer.data("createUserSession")
        if not made:
            return False
        session = made["session"]["id"]
        self._note("sign in", answer, session)
        self.session, self.token = session, made["token"]
        return True

    async def _merge(self) -> None:
        self.number += 1
        number, session = self.number, self.session
        answer = await self._ask(self.acting, MERGE_OWN, self.token, bag={"n": number})
        done = bool(answer.data("updateMe"))
        self._note("merge", answer, session, number=number, acknowledged=done)

    async def _sign_out(self) -> None:
        answer = await self._ask(self.acting, SIGN_OUT, self.token)
        done = bool(answer.data("signOut"))
        self._note("revoke", answer, self.session, acknowledged=done)

    async def _read(self, line: Line) -> None:
        session, token = self.session, self.token
        answer = await self._ask(line, ME, token)
        if answer.failure:
            return
        me = answer.data("me")
        number = (me["unsafeMetadata"] or {}).get("n", 0) if me else 0
        self._note("read", answer, session, number=number, accepted=bool(me))

    async def _validate(self) -> None:
        session, token = self.session, self.token
        body = {"session_token": token}
        answer = await self.stream.note(await self.looking.post("/sessions/validate", body))
        if answer.failure:
            return
        self._note("check", answer, session, accepted=bool(answer.body["is_valid"]))

    async def _ask(self, line: Line, query: str, bearer: str, **variables: Any) -> Answer:
        return await self.stream.note(await line.gql(query, bearer, **variables))

    def _note(
        self, deed: Deed, answer: Answer, session: str, *, number: int = 0, **what: bool
    ) -> None:
        event = Event(deed, self.user, session, answer.began, answer.ended, number=number, **what)
        self.stream.history.add(event)
