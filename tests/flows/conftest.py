"""One house for the tests of flows, and a browser on either face of it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from databases import emptied
from faces.clients import Face
from federation.providers import Doubles, doubles
from flows.walking import Client, GraphQLClient, RestClient

from app.assembly import Services, assemble
from app.config import Config


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "configured(**settings): runs with other settings")


@dataclass(frozen=True)
class Built:
    """The services of one configuration; to build them and their doors is dearer than most tests.

    Where no provider is configured, nothing knows of the connectors.
    """

    services: Services
    face: Face
    connectors: Doubles

    def forget(self) -> None:
        """Let no limit be used up, no refusal be noted, and nobody be known to a provider."""
        self.services.rate_limits.memory._entries.clear()
        self.services.rate_limits.noted._entries.clear()
        self.services.secret_keys.refusals.noted._entries.clear()
        self.connectors.doubles.clear()
        self.connectors.doubles.update(doubles().doubles)
        self.connectors.off.clear()


@dataclass
class House:
    """Services over one database, one for each configuration that was asked for."""

    config: Config
    clock: Any
    built: dict[str, Built] = field(default_factory=dict)

    async def of(self, changes: dict[str, Any]) -> tuple[Services, Face]:
        """Give the services of a configuration: `email.optional` is written `email__optional`."""
        key = repr(sorted(changes.items()))
        if key not in self.built:
            connectors = doubles()
            config = changed(self.config, changes)
            services = assemble(
                config,
                clock=self.clock,
                connectors=connectors if "third_party" in changes else None,
            )
            self.built[key] = Built(services, Face(services, "public"), connectors)
        built = self.built[key]
        built.forget()
        await built.services.signing_keys.load()
        return built.services, built.face


def changed(config: Config, changes: dict[str, Any]) -> Config:
    for path, value in changes.items():
        config = _set(config, path.split("__"), value)
    return config


def _set(section: Any, path: list[str], value: Any) -> Any:
    name, *rest = path
    new = _set(getattr(section, name), rest, value) if rest else value
    return msgspec.structs.replace(section, **{name: new})


@pytest.fixture(scope="session")
async def house(schema: Config, clock_at_start: Any) -> House:
    calm = {"rate_limiter__enabled": False}
    return House(changed(schema, calm), type(clock_at_start)())


@pytest.fixture
def clock(house: House) -> Any:
    house.clock.now = datetime.now(UTC)
    return house.clock


@pytest.fixture
async def pair(request: pytest.FixtureRequest, house: House, clock: Any) -> tuple[Services, Face]:
    await emptied(but="signing_key")
    changes: dict[str, Any] = {}
    for mark in request.node.iter_markers("configured"):
        changes = {**mark.kwargs, **changes}
    return await house.of(changes)


@pytest.fixture
def services(pair: tuple[Services, Face]) -> Services:
    return pair[0]


@pytest.fixture
def public(pair: tuple[Services, Face]) -> Face:
    return pair[1]


@pytest.fixture(params=["rest", "graphql"])
def client(request: pytest.FixtureRequest, public: Face) -> Client:
    """A browser on either face; a test that asks for it runs on each."""
    return RestClient(public) if request.param == "rest" else GraphQLClient(public)


@pytest.fixture
def rest(public: Face) -> RestClient:
    """A browser that speaks the reference's JSON."""
    return RestClient(public)


@pytest.fixture
def graphql(public: Face) -> GraphQLClient:
    """A browser that speaks the typed face."""
    return GraphQLClient(public)
