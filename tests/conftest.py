"""What every test may ask for: the services on both databases, a clock, clients for both faces."""

import gc
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import msgspec
import pytest
from databases import Fresh, administer, emptied, environment_of
from faces.clients import Face
from factories import make_key
from hypothesis import HealthCheck, settings
from processes import servers
from processes.servers import Server
from replicas import Replica, started
from services import postgres_url

from app import logs
from app.assembly import Services, assemble
from app.config import Config, load
from app.config.sections import Argon2
from app.graphql import execute
from app.persistence import Migrations, connect, disconnect
from app.persistence import database as database_module
from app.persistence import postgres as postgres_module
from app.rest import deadline

settings.register_profile(
    "tests",
    deadline=None,  # the machine may be busy
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("tests")

_MOST_GARBAGE = 300_000
"""Objects that may have been made since garbage was last looked for."""

_TRACED_ON_BOTH = {"persistence", "transfer", "users"}
"""Folders whose tests reach what speaks to PostgreSQL alone."""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "one_database: says nothing of the database; SQLite alone")
    config.addinivalue_line("markers", "untraced: adds nothing to coverage")


def pytest_collection_finish() -> None:
    """Let garbage be looked for between tests alone, and not among what has been collected.

    What is collected is hundreds of thousands of objects, which stay; what tests share comes to it.
    To look through all of that takes seconds, which a test would take for a silent database.
    """
    gc.collect()
    gc.freeze()
    gc.disable()


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run on SQLite alone what is marked so."""
    marked = metafunc.definition.get_closest_marker("one_database")
    if marked and "database" in metafunc.fixturenames:
        once = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
        metafunc.definition.add_marker(once)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Judge coverage by what a run can add to it.

    To be traced makes a test half as dear again, and a second run, on PostgreSQL, runs the same
    lines. (pytest-cov's own `no_cover` does nothing in the processes that share the tests out.)
    """
    tracer = sys.gettrace()
    if item.get_closest_marker("untraced") or _has_run_on_sqlite(item):
        sys.settrace(None)
    try:
        return (yield)
    finally:
        sys.settrace(tracer)
        if gc.get_count()[0] > _MOST_GARBAGE:
            gc.collect()


def _has_run_on_sqlite(item: pytest.Item) -> bool:
    given = getattr(item, "callspec", None)
    is_second = given is not None and given.params.get("database") == "postgres"
    return is_second and item.path.parent.name not in _TRACED_ON_BOTH


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
    return _hashing_cheaply(load(_nothing(folder), environment))


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
    await emptied()
    return schema


@pytest.fixture
async def services(empty: Config, clock: FakeClock) -> Services:
    """The services over an empty database."""
    assembled = assemble(empty, clock=clock)
    await assembled.signing_keys.load()
    return assembled


@pytest.fixture
def public(services: Services) -> Face:
    """The public listener."""
    return Face(services, "public")


@pytest.fixture
def admin(services: Services) -> Face:
    """The admin listener."""
    return Face(services, "admin")


@pytest.fixture
async def key(services: Services) -> str:
    """A secret key with every scope."""
    return await make_key(services)


@pytest.fixture
async def fresh(database: Config, tmp_path: Path) -> AsyncIterator[Fresh]:
    """Makes configurations, each of an empty database of its own, of the kind under test."""
    url = database.database.url.reveal()
    made: list[str] = []

    async def make(**environment: str) -> Config:
        made.append(f"sekisho_test_{uuid4().hex}")
        folder = tmp_path / made[-1]
        folder.mkdir()
        values = {"DATA_DIR": str(folder), **environment}
        if url:
            await administer(url, f"CREATE DATABASE {made[-1]}")
            values["DATABASE_URL"] = urlsplit(url)._replace(path=f"/{made[-1]}").geturl()
        return load(_nothing(folder), values)

    yield make
    for name in made if url else ():
        await administer(url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
async def processes() -> AsyncIterator[list[Replica]]:
    """Five other processes of the product, which serve one test after the other."""
    async with started(5) as replicas:
        yield replicas


@pytest.fixture
async def replicas(services: Services, processes: list[Replica]) -> AsyncIterator[list[Replica]]:
    """Two other processes, open on the database of `services`."""
    environment = environment_of(services.config)
    for replica in processes[:2]:
        await replica.ask("begin", environment=environment)
    yield processes[:2]
    for replica in processes[:2]:
        await replica.ask("finish")


@pytest.fixture
def new_database(database: Config) -> Iterator[dict[str, str]]:
    """The variables that lead a process to an empty database of the kind under test."""
    with servers.empty_database(database) as variables:
        yield variables


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts real servers, which end with the test; keywords are variables."""
    started: list[Server] = []

    def start(name: str = "server", which: str = "all", **environment: str) -> Server:
        started.append(servers.start(tmp_path / name, which, **environment))
        started[-1].wait_until_ready()
        return started[-1]

    yield start
    for server in started:
        server.stop()


@pytest.fixture(autouse=True, scope="session")
def _quiet() -> None:
    logs.configure("ERROR")


@pytest.fixture(autouse=True, scope="session")
def _patient() -> None:
    """Let no request be too slow because the machine is busy; who tests those limits sets them."""
    execute.TIMEOUT = deadline.SECONDS = 600.0
    postgres_module._STATEMENT_TIMEOUT = "10min"


@pytest.fixture
def statements(services, monkeypatch):
    """What the database is asked, one entry a statement."""
    asked, engine = [], database_module._open[0]
    fetch, fetch_row = engine.fetch, engine.fetch_row

    async def noting(sql, args):
        asked.append(sql)
        return await fetch(sql, args)

    async def noting_row(sql, args):
        if not engine.transaction_exists():  # else `fetch` is what is used
            asked.append(sql)
        return await fetch_row(sql, args)

    monkeypatch.setattr(engine, "fetch", noting)
    monkeypatch.setattr(engine, "fetch_row", noting_row)
    return asked


def _hashing_cheaply(config: Config) -> Config:
    """Let a password cost next to nothing; what it costs by default is tested where it is hashed.

    No configuration that is loaded may go so low.
    """
    password = msgspec.structs.replace(config.password, argon2=Argon2(memory=1, iterations=1))
    return msgspec.structs.replace(config, password=password)


def _nothing(folder: Path) -> Path:
    """An empty configuration file, so that none lying about is read."""
    file = folder / "config.yaml"
    file.write_text("")
    return file
