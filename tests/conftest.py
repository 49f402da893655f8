"""What every test may ask for: the services on both databases, a clock, clients for both faces."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from factories import TABLES
from services import postgres_url

from app import logs
from app.assembly import Services, assemble
from app.config import Config, load
from app.persistence import Migrations, connect, disconnect, fetch


class FakeClock:
    """A clock that stands until it is told to move."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **span: float) -> None:
        self.now += timedelta(**span)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL that is ours to fill and empty."""
    with postgres_url() as url:
        yield url


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Config:
    """The configuration of one database; a test that asks for it runs on each."""
    folder = tmp_path_factory.mktemp(request.param)
    environment = {"DATA_DIR": str(folder), "LOG_REQUESTS": "false"}
    if request.param == "postgres":
        environment["DATABASE_URL"] = request.getfixturevalue("postgres")
    return load(_nothing(folder), environment)


@pytest.fixture(scope="session")
async def schema(database: Config, clock_at_start: FakeClock) -> AsyncIterator[Config]:
    """An open database with today's schema, made by the migrations."""
    await connect(database)
    await Migrations(clock_at_start).up()
    yield database
    await disconnect()


@pytest.fixture(scope="session")
def clock_at_start() -> FakeClock:
    return FakeClock()


@pytest.fixture
def clock() -> FakeClock:
    """The clock of the services."""
    return FakeClock()


@pytest.fixture
async def empty(schema: Config) -> Config:
    """The open database with no row in it."""
    for table in TABLES:
        await fetch(f"DELETE FROM {table}")
    return schema


@pytest.fixture
async def services(empty: Config, clock: FakeClock) -> Services:
    """The services over an empty database."""
    assembled = assemble(empty, clock=clock)
    await assembled.signing_keys.load()
    return assembled


@pytest.fixture(autouse=True, scope="session")
def _quiet() -> None:
    logs.configure("ERROR")


def _nothing(folder: Path) -> Path:
    """An empty configuration file, so that none lying about is read."""
    file = folder / "config.yaml"
    file.write_text("")
    return file
