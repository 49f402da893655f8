"""A database that takes what it is told and says nothing, as one does whose machine is gone."""

import asyncio
import contextlib
import time
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from databases import administer, elsewhere
from faces.clients import Face

from app.assembly import assemble
from app.config import load
from app.http import caller
from app.keys import reading as keys
from app.persistence import DatabaseUnavailable, connect, fetch, fetch_row, postgres, transaction

PATIENCE = 10.0
SHORT = 0.2
TOLD_WITHIN = 5.0
START = "mutation { startFlow(kind: LOGIN) { flow { id csrfToken } } }"
CONTINUE = """mutation ($f: ID!, $c: String!) { continueFlow(flowId: $f, csrfToken: $c,
  action: {registerClientCapabilities: {webauthnAvailable: false}}) { flow { id } } }"""


class Network:
    """What lies between us and the database; what is connected can be made to hear nothing."""

    def __init__(self, url):
        self._parts = urlsplit(url)
        self._silent = asyncio.Event()
        self._is_deaf = False
        self._open = []

    async def open(self):
        self._listener = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        port = self._listener.sockets[0].getsockname()[1]
        user = self._parts.netloc.rpartition("@")[0]
        return self._parts._replace(netloc=f"{user}@127.0.0.1:{port}").geturl()

    def silence(self):
        """Let nothing more through, either way, but for those who connect from now on."""
        self._silent.set()
        self._silent = asyncio.Event()

    def deafen(self):
        """Let nothing more through, nor for those who connect: they are connected to nobody."""
        self._is_deaf = True
        self.silence()

    def hear(self):
        """Let those through again who connect from now on."""
        self._is_deaf = False

    async def close(self):
        self._listener.close()
        for writer in self._open:
            writer.transport.abort()
        await self._listener.wait_closed()
        await asyncio.gather(
            *(writer.wait_closed() for writer in self._open), return_exceptions=True
        )

    async def _carry(self, reader, writer):
        silent = self._silent
        if self._is_deaf:
            self._open.append(writer)
            return
        there, back = await asyncio.open_connection(self._parts.hostname, self._parts.port)
        self._open += [writer, back]
        await asyncio.gather(self._pump(reader, back, silent), self._pump(there, writer, silent))

    async def _pump(self, reader, writer, silent):
        with contextlib.suppress(OSError):
            while part := await reader.read(65536):
                if not silent.is_set():
                    writer.write(part)
                    await writer.drain()
        writer.close()


@pytest.fixture
async def network(postgres_database, monkeypatch):
    """A database of our own is open, by way of a network."""
    monkeypatch.setattr(postgres, "_LETTING_GO", SHORT)
    network = Network(postgres_database)
    url = await network.open()
    async with elsewhere():
        await connect(load(Path("/dev/null"), {"DATABASE_URL": url, "DATABASE_POOL": "2"}))
        await fetch("CREATE TABLE note (text TEXT)")
        yield network
    await network.close()


@pytest.fixture
async def postgres_database(request):
    url = request.getfixturevalue("postgres")
    name = f"sekisho_silence_{uuid4().hex}"
    await administer(url, f"CREATE DATABASE {name}")
    yield urlsplit(url)._replace(path=f"/{name}").geturl()
    await administer(url, f"DROP DATABASE {name} WITH (FORCE)")


async def by_look_up():
    return await fetch_row("SELECT 1 AS one")


async def by_statement():
    return await fetch("SELECT 1 AS one")


async def by_transaction():
    async with transaction():
        await fetch("INSERT INTO note (text) VALUES ('late')")


async def noted():
    """What is there, asked anew until there is an answer."""
    while True:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SHORT):
                return await fetch("SELECT text FROM note")


@pytest.mark.parametrize("ask", [by_look_up, by_transaction])
async def test_a_request_learns_soon_that_nobody_answers_sec_130(network, monkeypatch, ask):
    """Who begins with one of these is told within five seconds, without asking for it."""
    for _ in range(4):
        await ask()
    network.silence()
    with monkeypatch.context() as hurried:
        hurried.setattr(postgres, "_FIRST_WORD", SHORT)
        for _ in range(2):  # as many as there are connections
            async with asyncio.timeout(PATIENCE / 2):
                with pytest.raises(DatabaseUnavailable):
                    await ask()
    async with asyncio.timeout(PATIENCE):
        await ask()


async def test_a_statement_that_takes_its_time_is_not_hurried_sec_125(network, monkeypatch):
    monkeypatch.setattr(postgres, "_FIRST_WORD", 0.5)
    assert len(await fetch("SELECT pg_sleep(0.8)")) == 1
    async with transaction():
        assert await fetch_row("SELECT pg_sleep(0.8)") is not None


@pytest.mark.parametrize("ask", [by_look_up, by_transaction])
async def test_however_many_ask_all_learn_soon_that_nobody_answers_sec_130(
    network, monkeypatch, ask
):
    """Those too who have to wait for a connection, and those for whom one is opened anew."""
    await ask()
    network.deafen()
    with monkeypatch.context() as hurried:
        for name, seconds in (("_FIRST_WORD", SHORT), ("_LOOKING_UP", 2 * SHORT)):
            hurried.setattr(postgres, name, seconds)
        began = time.monotonic()
        async with asyncio.timeout(2 * TOLD_WITHIN):
            for _ in range(2):
                told = await asyncio.gather(*(ask() for _ in range(6)), return_exceptions=True)
                assert {type(one) for one in told} == {DatabaseUnavailable}
                assert time.monotonic() - began < TOLD_WITHIN
                began = time.monotonic()
    network.hear()
    async with asyncio.timeout(PATIENCE):
        await ask()


def test_the_first_word_and_letting_go_take_less_than_five_seconds_sec_130():
    connecting = (postgres._FIRST_WORD, postgres._CONNECT_TIMEOUT)
    assert max(*connecting, keys.PATIENCE, caller.PATIENCE) + postgres._LETTING_GO < 5
    assert postgres._LOOKING_UP < 5


async def test_who_needs_no_look_up_of_who_asks_learns_it_as_soon_sec_130(network, monkeypatch):
    """A flow on either face, and what reads the keys or the figures."""
    services = assemble(load(Path("/dev/null"), {"DATABASE_URL": "postgres://elsewhere/x"}))
    await services.migrations.up()
    await services.signing_keys.load()
    public, admin = Face(services, "public"), Face(services, "admin")
    flow = (await public.gql(START))["data"]["startFlow"]["flow"]
    asked = {
        "startFlow": lambda: public.ask(START),
        "continueFlow": lambda: public.ask(CONTINUE, {"f": flow["id"], "c": flow["csrfToken"]}),
        "POST /login": lambda: public.post("/login", {}),
        "a passkey": lambda: public.post("/webauthn/login/initialize", {}),
        "a token": lambda: public.post("/sessions/validate", {"session_token": "x.y.z"}),
        "the keys": lambda: public.get("/.well-known/jwks.json"),
        "the figures": lambda: admin.get("/metrics"),
    }
    monkeypatch.setattr(postgres, "_FIRST_WORD", SHORT)
    monkeypatch.setattr(keys, "PATIENCE", SHORT)
    statuses = {}
    for name, ask in asked.items():
        network.silence()
        services.signing_keys.reader.ring.read_at -= 3600
        async with asyncio.timeout(TOLD_WITHIN):
            statuses[name] = (await ask()).status_code
    assert statuses == {**dict.fromkeys(asked, 503), "the keys": 200, "the figures": 200}


@pytest.mark.parametrize("ask", [by_look_up, by_statement, by_transaction])
async def test_who_gives_up_is_let_go_and_the_next_ones_are_served_anew_sec_130(network, ask):
    for _ in range(4):  # what is kept at hand for the next one, too
        await ask()
    await fetch("DELETE FROM note")
    network.silence()
    for _ in range(2):  # as many as there are connections
        async with asyncio.timeout(PATIENCE):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(SHORT):
                    await ask()
    async with asyncio.timeout(PATIENCE):
        assert await fetch("SELECT text FROM note") == []
        await ask()


async def test_what_was_begun_is_undone_where_nobody_says_so_sec_130(network):
    with pytest.raises(DatabaseUnavailable):
        async with asyncio.timeout(PATIENCE), transaction():
            await fetch("INSERT INTO note (text) VALUES ('half')")
            network.silence()
            async with asyncio.timeout(SHORT):
                await fetch("INSERT INTO note (text) VALUES ('other half')")
    async with asyncio.timeout(PATIENCE):
        assert await noted() == []
