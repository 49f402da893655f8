"""The machine room: databases, mail, receivers of events, two replicas, and the balancer."""

import asyncio
import contextlib
import json
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from drill.balancer import Balancer
from drill.line import Line
from drill.peers import Hook, Postbox
from drill.programs import Postgres, Redis, Replica, free_port
from drill.stream import Stream

_LIMITS = ("NETWORK", "MAIL_NETWORK", "FLOW", "OTP", "TOKEN")
_DATABASE = "drill"


@dataclass(frozen=True, slots=True)
class World:
    """Everything that is started, and may be stopped.

    Attributes:
        key: A secret key with every scope.
        url: The replicas' database.
        hooks: Two receivers of events; both are told of users.
        slack: How many times as long as promised something may take, where others use the machine.
    """

    folder: Path
    settings: dict[str, str]
    postgres: Postgres
    redis: Redis
    postbox: Postbox
    hooks: tuple[Hook, Hook]
    replicas: tuple[Replica, Replica]
    balancer: Balancer
    key: str
    url: str
    slack: float

    @property
    def stream(self) -> Stream:
        """Make a stream of clients through the balancer."""
        return Stream(self.balancer.port, self.key)

    def line(self, replica: Replica | None = None) -> Line:
        """Make a connection to one replica, or to whichever the balancer chooses."""
        return Line(replica.port if replica else self.balancer.port)

    async def fetch(self, sql: str, *args: Any) -> list[Any]:
        """Ask the database itself."""
        connection = await asyncpg.connect(self.url)
        try:
            return list(await connection.fetch(sql, *args))
        finally:
            await connection.close()

    async def well(self) -> None:
        """Start what has ended, and wait until both replicas are ready and the balancer knows."""
        await self.postgres.start()
        await self.redis.start()
        await self.postbox.open()
        for hook in self.hooks:
            hook.is_down = False
        for replica in self.replicas:
            if not replica.is_running:
                replica.start()
        for replica in self.replicas:
            await replica.ready()
            await self.balancer.knows(replica.port, ready=True)


@asynccontextmanager
async def opened(slack: float = 1.0) -> AsyncIterator[World]:
    """Start everything, and end all of it with the block.

    Args:
        slack: See `World`.
    """
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sekisho-drill-")))
        postgres = await asyncio.to_thread(Postgres, _place(folder, "postgres"))
        redis, postbox, hooks = Redis(folder / "redis"), Postbox(), (Hook(), Hook())
        for service in (postgres, redis):
            stack.push_async_callback(service.stop)
            await service.start()
        for peer in (postbox, *hooks):
            stack.push_async_callback(peer.close)
            await peer.open()
        url = await postgres.empty(_DATABASE)
        settings = _settings(folder, url, redis, postbox, hooks)
        replicas = (
            Replica(folder / "one", free_port(), settings),
            Replica(folder / "other", free_port(), settings),
        )
        stack.push_async_callback(_stop, replicas)
        for replica in replicas:
            replica.start()
        for replica in replicas:
            await replica.ready()
        keys = [key for key in (replica.first_key() for replica in replicas) if key]
        balancer = Balancer([replica.port for replica in replicas])
        await stack.enter_async_context(balancer.balancing())
        world = World(
            folder,
            settings,
            postgres,
            redis,
            postbox,
            hooks,
            replicas,
            balancer,
            keys[0],
            url,
            slack,
        )
        await world.well()
        yield world


async def _stop(replicas: tuple[Replica, Replica]) -> None:
    await asyncio.gather(*(replica.stop() for replica in replicas))


def _place(folder: Path, name: str) -> Path:
    """Make a folder that PostgreSQL can reach where it has to run under another account."""
    folder.chmod(0o755)
    place = folder / name
    place.mkdir()
    return place


def _settings(
    folder: Path, url: str, redis: Redis, postbox: Postbox, hooks: tuple[Hook, Hook]
) -> dict[str, str]:
    """Give the replicas' settings: wide limits, since all clients come from one address."""
    told = [{"callback": hook.url, "events": ["user.create", "user.update"]} for hook in hooks]
    return {
        "DATA_DIR": str(folder / "data"),
        "DATABASE_URL": url,
        "AUDIT_LOG_CONSOLE_OUTPUT_ENABLED": "false",
        "EMAIL_DELIVERY_SMTP_HOST": "127.0.0.1",
        "EMAIL_DELIVERY_SMTP_PORT": str(postbox.port),
        "RATE_LIMITER_STORE": "redis",
        "RATE_LIMITER_REDIS_CONFIG_ADDRESS": redis.address,
        **{f"RATE_LIMITER_{name}_LIMITS_TOKENS": "1000" for name in _LIMITS},
        **{f"RATE_LIMITER_{name}_LIMITS_INTERVAL": "1s" for name in _LIMITS},
        "SESSION_LIMIT": "100000",
        "WEBHOOKS_ENABLED": "true",
        "WEBHOOKS_HOOKS": ";".join(json.dumps(one) for one in told),
    }
