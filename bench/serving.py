"""How the bench's own servers are told what to do, and how they listen."""

import asyncio
import gc
import sys
from collections.abc import Coroutine
from typing import Any, Literal, Self

import msgspec
import uvicorn
import uvloop


class Settings(msgspec.Struct, frozen=True):
    """The one argument, as JSON: the port, the database, the public keys; whether to pool."""

    port: int
    database: str
    jwks: str
    pool: bool = True

    @property
    def is_postgres(self) -> bool:
        """Say whether the database is PostgreSQL."""
        return not self.database.startswith("sqlite")

    @property
    def sqlite_path(self) -> str:
        """Give the path of the SQLite file."""
        return self.database.removeprefix("sqlite:///")

    @classmethod
    def given(cls) -> Self:
        """Read the argument."""
        return msgspec.json.decode(sys.argv[1], type=cls)


async def serve(app: Any, port: int, lifespan: Literal["on", "off"] = "off") -> None:
    """Listen with uvicorn's fastest parts and without its access log, until told to stop."""
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=port,
        http="httptools",
        ws="none",
        lifespan=lifespan,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
    )
    gc.collect()
    gc.freeze()
    await uvicorn.Server(config).serve()


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run on uvloop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work)
