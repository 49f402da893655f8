"""Other processes of the product, told over a pipe what to do.

Run as a program, this module is such a process: it reads one JSON command a line and answers each
with one line. What two replicas must not do to each other is shown with real ones.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from app.access import SYSTEM
from app.assembly import Services, assemble
from app.clock import utc_now
from app.config import Config, load
from app.credentials.passcodes import Binding
from app.errors import IdentityError
from app.federation.exchange import Redemption
from app.federation.saml import replay
from app.flows.step import FlowRequest
from app.metadata import BagChanges
from app.persistence import Migrations, connect, disconnect, fetch, transaction
from app.ratelimit import Operation

ROOT = Path(__file__).parents[1]
PATIENCE = 60.0
"""Seconds an answer may take."""


class Replica:
    """One other process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._turn = asyncio.Lock()

    async def ask(self, command: str, **given: Any) -> Any:
        """Tell the process to do something and give its answer.

        Raises:
            RuntimeError: It failed there; the message is the name of the error.
        """
        async with self._turn:
            await self.tell(command, **given)
            return await self.answer()

    async def tell(self, command: str, **given: Any) -> None:
        """Tell the process to do something, without waiting."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"command": command, **given}).encode() + b"\n")
        await self._process.stdin.drain()

    async def answer(self) -> Any:
        """Wait for the answer to what was told."""
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            answer = json.loads(await self._process.stdout.readline())
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["result"]

    async def end(self) -> None:
        """Let the process end by itself."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()


@asynccontextmanager
async def started(count: int) -> AsyncIterator[list[Replica]]:
    """Keep so many other processes."""
    pipe = asyncio.subprocess.PIPE
    command = (sys.executable, "-m", "tests.replicas")
    replicas = [
        Replica(await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, cwd=ROOT))
        for _ in range(count)
    ]
    try:
        yield replicas
    finally:
        await asyncio.gather(*(replica.end() for replica in replicas))


class _Commands:
    """What a process can be told."""

    services: Services

    async def begin(self, environment: dict[str, str]) -> list[str]:
        """Start as a replica does: connect, migrate, read or make the keys."""
        self.services = assemble(_config(environment))
        return await self.services.open()

    async def finish(self) -> None:
        """Close the database."""
        await self.services.close()

    async def migrate(self, environment: dict[str, str]) -> list[str]:
        """Bring a database up to date and leave it."""
        await connect(_config(environment))
        try:
            return await Migrations(utc_now).up()
        finally:
            await disconnect()

    async def merge(self, user: str, bag: str, keys: list[str]) -> int:
        """Merge each key into a bag, all at once, and count what succeeded."""
        change = self.services.metadata.change
        merges = (change(SYSTEM, UUID(user), BagChanges(**{bag: {key: 1}})) for key in keys)
        return len(await asyncio.gather(*merges))

    async def hold(self, user: str) -> bool:
        """Lock a user's bags and say so; change and let go of them at the next line."""
        changes = BagChanges(public={"there": 1})
        async with transaction():
            await fetch("SELECT 1 FROM user_metadata WHERE user_id = $1 FOR UPDATE", UUID(user))
            _answer({"result": "held"})
            await _next_line()
            await self.services.metadata.change(SYSTEM, UUID(user), changes)
        return True

    async def authenticate(self, token: str) -> str:
        """Say what a session token is worth here."""
        found = await self.services.sessions.authenticate(token)
        return found if isinstance(found, str) else "live"

    async def opens(self, secret: str) -> bool:
        """Say whether a secret key opens anything here."""
        return await self.services.secret_keys.authenticate(secret) is not None

    async def issue(self, user: str, times: int) -> dict[str, str]:
        """Begin sessions, all at once, and give their ids with the time each began."""
        issue = self.services.sessions.issue
        made = await asyncio.gather(*(issue(SYSTEM, UUID(user)) for _ in range(times)))
        return {str(one.session.id): one.session.created_at.isoformat() for one in made}

    async def try_passcode(self, binding: dict[str, str], codes: list[str]) -> list[str]:
        """Enter codes into a flow, all at once, and name what came of each."""
        asked = Binding(UUID(binding["flow_id"]), binding["purpose"], binding["address"])
        verify = self.services.passcodes.verify
        return _names(await asyncio.gather(*(verify(asked, code) for code in codes)))

    async def try_totp(self, user: str, codes: list[str]) -> list[str]:
        """Enter codes of an authenticator app, all at once, and name what came of each."""
        verify = self.services.totp.verify
        return _names(await asyncio.gather(*(verify(UUID(user), code) for code in codes)))

    async def try_recovery_code(self, user: str, codes: list[str]) -> list[str]:
        """Enter recovery codes, all at once, and name what came of each."""
        redeem = self.services.recovery_codes.redeem
        return _names(await asyncio.gather(*(redeem(SYSTEM, UUID(user), code) for code in codes)))

    async def take_state(self, state: str, browser_secret: str, times: int) -> list[str]:
        """Take what is pending at a provider, all at once, and name what came of each."""
        take = self.services.federation.states.take
        takes = (take(state, browser_secret) for _ in range(times))
        return _names(await asyncio.gather(*takes, return_exceptions=True))

    async def redeem(self, token: str, times: int) -> list[str]:
        """Redeem an exchange token, so many times at once, and name what came of each."""
        tokens = self.services.federation.tokens
        wanted = Redemption("token_exchange", code_verifier="v" * 64)
        redeems = (tokens.redeem(token, wanted) for _ in range(times))
        return _names(await asyncio.gather(*redeems, return_exceptions=True))

    async def take_saml(self, response: str, assertion: str, times: int) -> list[str]:
        """Take a SAML response, so many times at once, and name what came of each."""
        ends = utc_now() + timedelta(minutes=5)
        takes = (replay.take_once("https://idp", response, assertion, ends) for _ in range(times))
        return _names(await asyncio.gather(*takes, return_exceptions=True))

    async def advance(
        self, flow: str, action: str, csrf: str, given: dict[str, Any], times: int
    ) -> list[str]:
        """Take one step of a flow, so many times at once, and name where each has led."""

        async def step() -> str:
            try:
                result = await self.services.flows.advance(
                    None,
                    UUID(flow),
                    action,
                    csrf_token=csrf,
                    given=given,
                    request=FlowRequest(SYSTEM),
                )
            except IdentityError as error:
                return error.code
            return result.state.name

        return await asyncio.gather(*(step() for _ in range(times)))

    async def take(self, operation: Operation, account: str, times: int) -> int:
        """Count attempts at an account, all at once, and say how many may go on."""
        limits = self.services.rate_limits
        assert limits.shared is not None
        limits.shared._patience = PATIENCE  # the machine may be busy
        attempts = (
            limits.take(operation, account=account, address=f"192.0.2.{n % 250}")
            for n in range(times)
        )
        return (await asyncio.gather(*attempts)).count(None)

    async def tell_hooks(self) -> int:
        """Deliver to hooks what is due, in four lanes for each, and say how much that was."""
        dispatch = self.services.dispatch

        async def lane(hook: UUID) -> int:
            told = 0
            while await dispatch.deliver_next(hook):
                told += 1
            return told

        while await dispatch.spread():
            pass
        lanes = [lane(hook) for hook in await dispatch.due() for _ in range(4)]
        return sum(await asyncio.gather(*lanes))

    async def kids(self) -> list[str]:
        """Name the signing keys."""
        return [key["kid"] for key in self.services.signing_keys.jwks()["keys"]]


async def _serve() -> None:
    commands = _Commands()
    while line := await _next_line():
        given = json.loads(line)
        try:
            _answer({"result": await getattr(commands, given.pop("command"))(**given)})
        except Exception as error:  # noqa: BLE001  # told to the one who asked
            _answer({"error": type(error).__name__})


def _names(outcomes: Iterable[object]) -> list[str]:
    return [type(outcome).__name__ for outcome in outcomes]


async def _next_line() -> str:
    return await asyncio.to_thread(sys.stdin.readline)


def _answer(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)  # noqa: T201  # the pipe


def _config(environment: dict[str, str]) -> Config:
    return load(Path("/dev/null"), environment)


if __name__ == "__main__":
    asyncio.run(_serve())
