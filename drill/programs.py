"""Programs that can be ended in any way, and started again where they were."""

import asyncio
import os
import pwd
import random
import re
import secrets
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import DEVNULL, Popen, TimeoutExpired

import asyncpg

from bench.processes import ROOT
from tests import services

PATIENCE = 60.0
"""Seconds a program may take to start or to stop on a busy machine."""

_HANDED_ON = ("HOME", "LANG", "LD_LIBRARY_PATH", "PATH", "PYTHONPATH", "TMPDIR")
_SECRET_KEY = re.compile(r"sk_\w{12}_\w{49}")


@dataclass(slots=True)
class Program:
    """A program, and the process it runs in if it does."""

    command: Sequence[str | Path]
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    account: pwd.struct_passwd | None = None
    process: Popen[bytes] | None = None

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def output(self) -> str:
        """What it has printed so far."""
        return (self.folder / "out").read_text(errors="replace")

    @property
    def errors(self) -> str:
        """What it has logged so far."""
        return (self.folder / "err").read_text(errors="replace")

    def start(self) -> None:
        """Start it, without waiting until it can be used."""
        self.folder.mkdir(parents=True, exist_ok=True)
        variables = {name: os.environ[name] for name in _HANDED_ON if name in os.environ}  # noqa: TID251  # handed on
        with (self.folder / "out").open("ab") as out, (self.folder / "err").open("ab") as err:
            self.process = Popen(
                self.command,
                cwd=self.folder,
                env=variables | dict(self.environment),
                stdin=DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,  # a Ctrl-C is for us, and we end what we have started
                user=self.account and self.account.pw_uid,
                group=self.account and self.account.pw_gid,
                extra_groups=[] if self.account else None,
            )

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, if it runs."""
        if self.process is not None and self.is_running:
            self.process.send_signal(number)

    async def ended(self) -> int:
        """Wait until it has ended and give its exit status."""
        assert self.process is not None
        return await asyncio.to_thread(self.process.wait, PATIENCE)

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it, kindly at first."""
        if self.process is None:
            return
        self.send(number)
        try:
            await self.ended()
        except TimeoutExpired:
            self.process.kill()
            await self.ended()


class Postgres:
    """A PostgreSQL that keeps its promises: fsync is on, as in production."""

    def __init__(self, folder: Path) -> None:
        programs, account = services._postgres_programs(folder)  # noqa: SLF001  # one starter is enough
        password = secrets.token_hex(16)
        self._data = services._new_cluster(programs, folder, password, account)  # noqa: SLF001
        self._port = free_port()
        address = ["-h", "127.0.0.1", "-p", str(self._port), "-k", "", "-N", "200"]
        command: list[str | Path] = [programs / "postgres", "-D", self._data, *address]
        self._program = Program(command, folder, account=account)
        self._server = f"postgres://postgres:{password}@127.0.0.1:{self._port}"

    async def start(self) -> None:
        """Start it, if it does not run, and wait until it lets us in."""
        if not self._program.is_running:
            self._program.start()
        await until(self._answers, "PostgreSQL")

    async def stop(self) -> None:
        """End it at once; whoever is connected is thrown out."""
        await self._program.stop(signal.SIGINT)

    async def crash(self) -> None:
        """End it without a farewell, so that it has to recover when it starts again."""
        await self._program.stop(signal.SIGQUIT)

    async def empty(self, name: str) -> str:
        """Make an empty database and give its URL."""
        await self.administer(f"CREATE DATABASE {name}")
        return f"{self._server}/{name}"

    async def drop(self, name: str) -> None:
        """Remove a database and whoever is connected to it."""
        await self.administer(f"DROP DATABASE {name} WITH (FORCE)")

    async def administer(self, statement: str) -> None:
        """Run one statement."""
        connection = await asyncpg.connect(f"{self._server}/postgres")
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    async def _answers(self) -> bool:
        if not self._program.is_running:
            raise RuntimeError(f"PostgreSQL did not start:\n{self._program.errors[-3000:]}")
        try:
            await self.administer("SELECT 1")
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False
        return True


class Redis:
    """A Redis, or a Valkey, that forgets everything when it ends."""

    def __init__(self, folder: Path) -> None:
        self._port = free_port()
        address = ["--bind", "127.0.0.1", "--port", str(self._port)]
        program = services._redis_program()  # noqa: SLF001
        command: list[str | Path] = [program, *address, "--save", "", "--appendonly", "no"]
        self._program = Program(command, folder)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._port}"

    async def start(self) -> None:
        """Start it, if it does not run, and wait until it answers."""
        self.thaw()
        if not self._program.is_running:
            self._program.start()
        await until(self._answers, "Redis")

    async def stop(self) -> None:
        """End it, in whatever state it is."""
        self.thaw()
        await self._program.stop()

    def freeze(self) -> None:
        """Let it take connections, and answer nothing."""
        self._program.send(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._program.send(signal.SIGCONT)

    async def _answers(self) -> bool:
        return services._redis_is_ready(self._port)  # noqa: SLF001


class Replica(Program):
    """A server of the product."""

    def __init__(self, folder: Path, port: int, settings: Mapping[str, str]) -> None:
        own = {
            "PYTHONPATH": str(ROOT),
            "SERVER_PUBLIC_ADDRESS": f"127.0.0.1:{port}",
            "SERVER_PUBLIC_URL": "http://localhost:8000",
        }
        super().__init__(
            [sys.executable, "-m", "app", "serve", "public"], folder, {**settings, **own}
        )
        self.port = port

    @property
    def name(self) -> str:
        return self.folder.name

    async def ready(self) -> float:
        """Wait until it answers that it is ready, and give the seconds that took."""
        began = time.monotonic()
        await until(self._answers, f"the replica {self.name}")
        return time.monotonic() - began

    async def restart(self) -> float:
        """Start it anew and give the seconds until it was ready."""
        self.start()
        return await self.ready()

    async def drain(self) -> int:
        """Ask it to end, wait until it has, and give its exit status."""
        self.send(signal.SIGTERM)
        return await self.ended()

    async def kill(self) -> None:
        """End it in the midst of whatever it does."""
        self.send(signal.SIGKILL)
        await self.ended()

    def first_key(self) -> str | None:
        """Give the secret key that its greeting showed, if it did."""
        found = _SECRET_KEY.search(self.output)
        return found[0] if found else None

    async def _answers(self) -> bool:
        if not self.is_running:
            raise RuntimeError(f"{self.name} did not start:\n{self.errors[-3000:]}")
        return await is_ready(self.port)


async def run(folder: Path, settings: Mapping[str, str], *arguments: str) -> None:
    """Run a command of the product to its end.

    Raises:
        RuntimeError: It failed.
    """
    command = [sys.executable, "-m", "app", *arguments]
    program = Program(command, folder, {**settings, "PYTHONPATH": str(ROOT)})
    program.start()
    if await program.ended():
        raise RuntimeError(f"{arguments} failed:\n{program.errors[-3000:]}")


async def is_ready(port: int, patience: float = 5.0) -> bool:
    """Ask for readiness once."""
    try:
        async with asyncio.timeout(patience):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                head = b"GET /health/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
                writer.write(head)
                return (await reader.read(16)).startswith(b"HTTP/1.1 200")
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False


def free_port() -> int:
    """Find a port that nobody listens on, below those that clients are given."""
    while True:
        port = random.randrange(20_000, 32_000)  # noqa: S311  # no secret
        try:
            with socket.create_server(("127.0.0.1", port)):
                return port
        except OSError:
            continue


async def until(
    is_true: Callable[[], Awaitable[bool]], what: str, patience: float = PATIENCE
) -> None:
    """Wait until something is true.

    Raises:
        TimeoutError: It takes too long.
    """
    deadline = time.monotonic() + patience
    while not await is_true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not so after {patience:g} s")
        await asyncio.sleep(0.03)
