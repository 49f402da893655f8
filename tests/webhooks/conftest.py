"""What the tests of webhooks ask for: receivers on loopback, and services that tell them."""

import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from factories import reconfigured
from federation.connectors.loopback import Asked, Loopback, Reply, serving

from app.access import SYSTEM
from app.assembly import Services
from app.config.webhook_sections import Hook
from app.config.webhook_sections import Webhooks as Settings
from app.persistence import fetch
from app.strictjson import Json
from app.webhooks import Webhook


@dataclass
class Receiver:
    """An endpoint on loopback; `answers` are given one after the other, the last one for good."""

    there: Loopback
    path: str
    answers: list[Reply] = field(default_factory=lambda: [Reply()])

    @property
    def url(self) -> str:
        return f"{self.there.url}{self.path}"

    @property
    def asked(self) -> list[Asked]:
        return [one for one in self.there.asked if one.path == self.path]

    @property
    def events(self) -> list[str]:
        """The names of what was told, in its order."""
        return [json.loads(body_of(one))["event"] for one in self.asked]

    def answer(self, _: Asked) -> Reply:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def says(self, *statuses: int) -> None:
        """Answer with statuses, one after the other, the last one for good."""
        self.answers[:] = [Reply(status=status) for status in statuses]


def body_of(asked: Asked) -> bytes:
    return asked.raw.partition(b"\r\n\r\n")[2]


def claims_of(services: Services, asked: Asked) -> dict[str, Json]:
    """What the token of a request claims; its signature and kind are good."""
    return services.signing_keys.verify(json.loads(body_of(asked))["token"], typ="webhook+jwt")


async def hooked(services: Services, receiver: Receiver | str, *events: str) -> Webhook:
    """A hook that tells a receiver of events, all of users where none are named."""
    url = receiver if isinstance(receiver, str) else receiver.url
    hook, _ = await services.webhooks.create(SYSTEM, url, events or ("user",))
    return hook


async def told(services: Services) -> int:
    """Deliver all that is due, and say how many attempts that took."""
    attempts = 0
    while await services.dispatch.spread():
        pass
    for hook_id in await services.dispatch.due():
        while await services.dispatch.deliver_next(hook_id):
            attempts += 1
    return attempts


async def happen(services: Services, *names: str, user_id: Any = None, **data: Json) -> None:
    """Events of these names."""
    for name in names:
        await services.events.record(name, data, user_id=user_id)


async def log() -> list[dict[str, Any]]:
    """The deliveries, oldest first."""
    return [dict(row) for row in await fetch("SELECT * FROM webhook_delivery ORDER BY sequence")]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """An endpoint."""
    async with receiving() as one:
        yield one


@contextlib.asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    async with serving() as there:
        made = Receiver(there, "/hook")
        there.paths["/hook"] = made.answer
        yield made


@pytest.fixture
def configured(services: Services) -> Callable[..., Any]:
    """Makes services with hooks in their configuration."""

    async def make(*hooks: Hook, enabled: bool = True, **given: Any) -> Services:
        settings = Settings(enabled=enabled, hooks=list(hooks), **given)
        return await reconfigured(services, webhooks=settings)

    return make
