"""Real servers: `sekisho serve` in processes of their own, with ports and folders of their own."""

import asyncio
import http.client
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
from databases import administer

from app.config import Config, settings

ROOT = Path(__file__).parents[2]
PATIENCE = 30.0
"""Seconds a server may take to start or to stop on a busy machine."""

_SECRET_KEY = re.compile(r"sk_\w{12}_\w{49}")


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    folder: Path
    environment: dict[str, str]
    public_port: int
    admin_port: int
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.public_port}"

    @property
    def admin_url(self) -> str:
        return f"http://127.0.0.1:{self.admin_port}"

    @property
    def output(self) -> str:
        """What it has printed so far."""
        return (self.folder / "out").read_text()

    @property
    def errors(self) -> str:
        """What it has logged so far."""
        return (self.folder / "err").read_text()

    @property
    def secret_key(self) -> str:
        """The key that its greeting shows."""
        found = _SECRET_KEY.search(self.output)
        assert found, self.output
        return found[0]

    def is_ready(self) -> bool:
        return health(self.public_port) == 200

    def wait_until_ready(self) -> None:
        """Wait until it answers.

        Raises:
            RuntimeError: It has ended, or takes too long.
        """
        until(lambda: self.is_ready() or self.process.poll() is not None)
        if self.process.poll() is not None:
            raise RuntimeError(f"the server did not start:\n{self.output}\n{self.errors}")

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self, seconds: float = PATIENCE) -> int:
        """Wait for its end and give its exit status."""
        return self.process.wait(seconds)

    def stop(self) -> None:
        """End it, kindly at first."""
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Client:
    """Asks a server over HTTP, with the credentials of each call beside the call."""

    def __init__(self, url: str) -> None:
        limits = httpx.Limits(max_connections=50)
        self.http = httpx.AsyncClient(base_url=url, timeout=PATIENCE, limits=limits)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()

    async def gql(self, query: str, bearer: str | None = None, **variables: Any) -> dict[str, Any]:
        """Ask GraphQL and give the answer's body."""
        return body_of(await self.ask(query, bearer, **variables))

    async def ask(self, query: str, bearer: str | None = None, **variables: Any) -> httpx.Response:
        """Ask GraphQL and give the whole answer."""
        return await self.http.post("/graphql", **_graphql(query, bearer, variables))


def ask(url: str, query: str, bearer: str | None = None, **variables: Any) -> dict[str, Any]:
    """Ask GraphQL once and give the answer's body."""
    return body_of(httpx.post(f"{url}/graphql", **_graphql(query, bearer, variables)))


def body_of(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def _graphql(query: str, bearer: str | None, variables: dict[str, Any]) -> dict[str, Any]:
    headers = {"authorization": f"Bearer {bearer}"} if bearer else {}
    return {"json": {"query": query, "variables": variables}, "headers": headers}


def start(
    folder: Path,
    which: str = "all",
    *,
    public_port: int | None = None,
    config: Path | None = None,
    **environment: str,
) -> Server:
    """Start a server without waiting for it; its data are in *folder* unless told otherwise."""
    folder.mkdir(parents=True, exist_ok=True)
    public, admin = public_port or free_port(), free_port()
    file = ["--config", str(config)] if config else []
    variables = {
        "DATA_DIR": str(folder / "data"),
        "SERVER_PUBLIC_ADDRESS": f"127.0.0.1:{public}",
        "SERVER_ADMIN_ADDRESS": f"127.0.0.1:{admin}",
        "SERVER_PUBLIC_URL": f"http://localhost:{public}",
        **environment,
    }
    with (folder / "out").open("ab") as out, (folder / "err").open("ab") as err:
        process = subprocess.Popen(
            command(*file, "serve", which),
            cwd=_empty(folder),
            env=inherited() | variables,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,  # so that a Ctrl-C for the tests is not for it
        )
    return Server(folder, variables, public, admin, process)


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        command(*arguments),
        cwd=_empty(folder),
        env=inherited() | {"DATA_DIR": str(folder / "data")} | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        text=True,
        timeout=PATIENCE,
    )


def command(*arguments: str) -> list[str]:
    """The command `sekisho`, of the interpreter that runs the tests."""
    return [sys.executable, "-m", "app", *arguments]


def inherited() -> dict[str, str]:
    """This process's variables without any that is a setting, and with the way to the package."""
    ours = {variable for setting in settings() for variable in setting.variables}
    kept = {name: value for name, value in os.environ.items() if name not in ours}  # noqa: TID251  # handed on
    return kept | {"PYTHONPATH": str(ROOT)}


def free_port() -> int:
    """A port that nobody listens on, below those that clients are given."""
    while True:
        port = random.randrange(20_000, 32_000)  # noqa: S311  # no secret
        try:
            with socket.create_server(("127.0.0.1", port)):
                return port
        except OSError:
            continue


@contextmanager
def empty_database(config: Config) -> Iterator[dict[str, str]]:
    """Give the variables of an empty database of the kind that *config* names.

    An SQLite file needs none: it stands in the data directory.
    """
    url = config.database.url.reveal()
    if not url:
        yield {}
        return
    name = f"sekisho_server_{uuid4().hex}"
    asyncio.run(administer(url, f"CREATE DATABASE {name}"))
    try:
        yield {"DATABASE_URL": urlsplit(url)._replace(path=f"/{name}").geturl()}
    finally:
        asyncio.run(administer(url, f"DROP DATABASE {name} WITH (FORCE)"))


def health(port: int, which: str = "ready") -> int | None:
    """The status of a health endpoint, or None where nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", f"/health/{which}")
        return connection.getresponse().status
    except OSError:
        return None
    finally:
        connection.close()


def until(is_true: Callable[[], bool], seconds: float = PATIENCE) -> None:
    """Wait until something is true.

    Raises:
        TimeoutError: It takes too long.
    """
    deadline = time.monotonic() + seconds
    while not is_true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not true after {seconds} s")
        time.sleep(0.02)


def _empty(folder: Path) -> Path:
    """A folder to stand in, in which no configuration lies about."""
    place = folder / "cwd"
    place.mkdir(parents=True, exist_ok=True)
    return place
