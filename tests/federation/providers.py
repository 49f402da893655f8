"""Providers that answer what a test has told them, without a network."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from app.access import SYSTEM
from app.assembly import Services
from app.federation.browsers import BrowserSecrets
from app.federation.connector import Answer, Connector, OutsideIdentity, Provider, Start
from app.federation.errors import (
    CodeNotExchanged,
    IdTokensNotTaken,
    IssuerMismatch,
    ProviderDisabled,
    ProviderUnknown,
)
from app.federation.pkce import challenge_of
from app.federation.sign_in import Begun, CallbackAnswer, SignInRequest
from app.persistence import in_transaction

ISSUER = "https://idp.example"
TARGET = "https://app.example.com/in"
ERRORS = "https://app.example.com/error"
VERIFIER = "v" * 64


@dataclass
class Double:
    """A provider whose people sign in by a code that the test has made up."""

    provider: Provider
    people: dict[str, OutsideIdentity] = field(default_factory=dict)
    started: list[Start] = field(default_factory=list)
    answered: list[Answer] = field(default_factory=list)
    failure: Exception | None = None

    async def get_ready(self) -> None:
        assert not in_transaction()
        if self.failure is not None:
            raise self.failure

    def authorization_url(self, start: Start) -> str:
        self.started.append(start)
        return f"{ISSUER}/authorize?{urlencode({'state': start.state})}"

    async def check_issuer(self, issuer: str | None) -> None:
        if issuer not in (None, ISSUER):
            raise IssuerMismatch

    async def identify(self, answer: Answer) -> OutsideIdentity:
        assert not in_transaction()
        await asyncio.sleep(0)
        self.answered.append(answer)
        if self.failure is not None:
            raise self.failure
        challenges = [challenge_of(answer.code_verifier) == s.code_challenge for s in self.started]
        if not any(challenges) or answer.code not in self.people:
            raise CodeNotExchanged
        return self.people[answer.code]

    async def identify_by_token(self, id_token: str, nonce: str) -> OutsideIdentity:
        if id_token not in self.people:
            raise IdTokensNotTaken
        return self.people[id_token]

    def knows(self, code: str = "code", **given: Any) -> OutsideIdentity:
        """Let somebody sign in by a code."""
        somebody = OutsideIdentity(
            **{
                "provider": self.provider.id,
                "issuer": ISSUER,
                "subject": "subject-1",
                "email": "ada@example.com",
                "email_verified": True,
                "claims": {"name": "Ada Lovelace"},
                **given,
            }
        )
        self.people[code] = somebody
        return somebody


@dataclass
class Doubles:
    """The providers of a deployment; a test switches them off."""

    doubles: dict[str, Double]
    off: set[str] = field(default_factory=set)

    def enabled(self) -> Sequence[Provider]:
        return [one.provider for name, one in self.doubles.items() if name not in self.off]

    def get(self, provider_id: str) -> Connector:
        if provider_id in self.off:
            raise ProviderDisabled
        if provider_id not in self.doubles:
            raise ProviderUnknown
        return self.doubles[provider_id]

    async def close(self) -> None:
        """Hold nothing."""


def doubles() -> Doubles:
    """Google, whose identities link, and a provider of one's own, whose do not."""
    kinds = {"google": ("Google", True), "custom_corp": ("Corp", False)}
    made = {id_: Double(Provider(id_, name, links)) for id_, (name, links) in kinds.items()}
    return Doubles(made)


def request(**given: Any) -> SignInRequest:
    """A sign-in that no flow begins, unless told otherwise; `VERIFIER` holds its token."""
    wanted = replace(SignInRequest("google", TARGET, "token_exchange"), **given)
    if wanted.kind != "token_exchange" or wanted.code_verifier or "code_challenge" in given:
        return wanted
    return replace(wanted, code_challenge=challenge_of(VERIFIER))


async def begun(services: Services, **given: Any) -> tuple[Begun, str]:
    """Begin a sign-in, and give its state beside."""
    wanted = request(**given)
    await services.federation.get_ready(wanted.provider)
    made = await services.federation.begin(wanted)
    return made, parse_qs(urlsplit(made.redirect_url).query)["state"][0]


async def finished(services: Services, answer: CallbackAnswer) -> dict[str, str]:
    """Come back from a provider, and give what the browser is sent on with."""
    done = await services.federation.finish(SYSTEM, answer)
    return told(done.redirect_url)


def told(url: str) -> dict[str, str]:
    """What a redirect says, with where it leads under `to`."""
    parts = urlsplit(url)
    found = {name: values[0] for name, values in parse_qs(parts.query).items()}
    return {"to": f"{parts.scheme}://{parts.netloc}{parts.path}", **found}


async def round_trip(services: Services, code: str = "code", **given: Any) -> dict[str, str]:
    """Begin, sign in at the provider, and come back."""
    made, state = await begun(services, **given)
    answer = CallbackAnswer(state=state, code=code, browser_secret=made.browser_secret)
    return await finished(services, answer)


async def come_back(
    services: Services, url: str, cookie: str, code: str = "code"
) -> dict[str, str]:
    """Sign in at the provider that a flow has sent the browser to, and come back."""
    state = parse_qs(urlsplit(url).query)["state"][0]
    secret = BrowserSecrets.of(cookie).of_state(state)
    answer = CallbackAnswer(state=state, code=code, browser_secret=secret)
    return await finished(services, answer)


async def token_of(services: Services, code: str = "code", **given: Any) -> str:
    """The exchange token of a sign-in that goes well."""
    back = await round_trip(services, code, **given)
    assert back.keys() == {"to", "hanko_token"}, back
    return back["hanko_token"]
