"""The servers that are measured, each on a database of its own kind, all on one core."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bench import asking
from bench.data import Filled
from bench.processes import first_answer, free_port, python, wait_for
from bench.serving import Settings

_LIMITS = ("PASSCODE", "PASSWORD", "NETWORK", "MAIL_NETWORK", "FLOW")


@dataclass(frozen=True, slots=True)
class Target:
    """A server that listens."""

    port: int
    pid: int


def environment(database: str, folder: Path, mail_port: int) -> dict[str, str]:
    """The server's settings: production's defaults, and what production wants to be told.

    Limits count, and are wide: all requests here come from one network.
    """
    folder.mkdir()
    return {
        "ENVIRONMENT": "production",
        "SECRET_KEYS": secrets.token_hex(32),
        "SERVER_PUBLIC_URL": f"https://{asking.HOST}",
        "DATABASE_URL": database,
        "DATA_DIR": str(folder),
        "EMAIL_DELIVERY_SMTP_HOST": "127.0.0.1",
        "EMAIL_DELIVERY_SMTP_PORT": str(mail_port),
        **{f"RATE_LIMITER_{name}_LIMITS_TOKENS": "1000" for name in _LIMITS},
        **{f"RATE_LIMITER_{name}_LIMITS_INTERVAL": "1s" for name in _LIMITS},
    }


@contextmanager
def own(
    module: str, filled: Filled, log: Path, core: set[int], *, pool: bool = True
) -> Iterator[Target]:
    """Run one of the bench's own servers."""
    settings = Settings(free_port(), filled.url, filled.jwks, pool)
    argument = msgspec.json.encode(settings).decode()
    with python(["-m", module, argument], log, core) as process:
        wait_for(settings.port, process, log)
        yield Target(settings.port, process.pid)


@contextmanager
def server(filled: Filled, empty: Path, log: Path, core: set[int]) -> Iterator[Target]:
    """Run the server as it is shipped; its log goes to a file, a line for each request."""
    port = free_port()
    place = {"SERVER_PUBLIC_ADDRESS": f"127.0.0.1:{port}"}
    command = ["-m", "app", "--config", str(empty), "serve", "public"]
    with python(command, log, core, filled.environment | place) as process:
        wait_for(port, process, log)
        first_answer(port, asking.alive())  # it listens before it is ready
        yield Target(port, process.pid)
