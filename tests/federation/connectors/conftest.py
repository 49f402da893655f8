"""A provider's double, and the connector that is to stand it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest
from federation.connectors.doubles import (
    BY_NAME,
    CODE,
    NONCE,
    REDIRECT,
    VERIFIER,
    Case,
    Double,
)
from federation.connectors.loopback import Loopback, serving

from app.federation.connector import Answer, Connector, OutsideIdentity, Start
from app.federation.making import connectors_of
from app.federation.pkce import challenge_of
from app.outbound import Limits, Outbound, Reach
from app.outbound.addresses import LOOPBACK

START = Start("a-state", NONCE, challenge_of(VERIFIER))


@dataclass
class Meeting:
    """A connector and the double it speaks to."""

    case: Case
    double: Double
    connector: Connector

    @property
    def server(self) -> Loopback:
        return self.double.server

    async def start(self) -> str:
        await self.connector.get_ready()
        return self.connector.authorization_url(START)

    async def identify(self, **changes) -> OutsideIdentity:
        given = {"code": CODE, "code_verifier": VERIFIER, "nonce": NONCE} | changes
        return await self.connector.identify(Answer(**given))


@pytest.fixture
async def meet(clock) -> AsyncIterator[Callable]:
    """Lets a connector meet its double; *settings* are the provider's own."""
    async with AsyncExitStack() as stack:

        async def make(
            name: str, *, seconds: float = 5.0, callback: str = REDIRECT, **settings
        ) -> Meeting:
            case = BY_NAME[name]
            server = await stack.enter_async_context(serving())
            outbound = Outbound.within(Reach.of(LOOPBACK), Limits(seconds=seconds))
            stack.push_async_callback(outbound.close)
            double = Double(server)
            case.prepare(double)
            double.attach()
            asked = Case(**{**vars(case), "settings": case.settings | settings})
            third_party = asked.third_party(server.url, callback)
            made = connectors_of(third_party, outbound, clock, double.places())
            return Meeting(case, double, made[name])

        yield make
