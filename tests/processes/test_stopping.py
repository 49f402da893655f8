"""A real server that is told to stop, or that loses its database, with requests in flight."""

import asyncio
import contextlib
import json
import signal
import time
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest
from databases import administer
from processes import servers
from processes.servers import Client, ask, free_port, health, until

CREATE_USER = """mutation ($name: String!) {
  createUser(input: {username: $name}) { user { id } userErrors { code } } }"""
MERGE = """mutation ($user: ID!) {
  updateUserMetadata(userId: $user, input: {publicMetadata: {a: 1}}) { userErrors { code } } }"""
SERVER = "{ server { name } }"


class SlowRequest:
    """A request whose body is withheld until the server has asked for it and beyond."""

    def __init__(self, reader, writer, body):
        self._reader, self._writer, self._body = reader, writer, body

    @classmethod
    async def begin(cls, port, query, bearer=None, **variables):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        body = json.dumps({"query": query, "variables": variables}).encode()
        lines = [
            "POST /graphql HTTP/1.1",
            "Host: localhost",
            *([f"Authorization: Bearer {bearer}"] if bearer else []),
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            "Expect: 100-continue",  # so that the server says when it waits for the body
        ]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(body[:10])
        return cls(reader, writer, body[10:])

    async def finish(self):
        """Send the rest, and give the status and the body of the answer."""
        self._writer.write(self._body)
        answer = await self._reader.read()  # to its end: the server closes the connection
        await self.leave()
        head, _, body = answer.partition(b"\r\n\r\n")
        return int(head.split()[1]), json.loads(body)

    async def leave(self):
        self._writer.close()
        await self._writer.wait_closed()


@asynccontextmanager
async def slow_requests(port, count, query, bearer=None):
    """So many requests in flight."""
    begun = [await SlowRequest.begin(port, query, bearer, name=f"user{n}") for n in range(count)]
    try:
        yield begun
    finally:
        for request in begun:
            await request.leave()


@pytest.mark.parametrize(("number", "count"), [(signal.SIGINT, 10), (signal.SIGTERM, 1000)])
async def test_a_signal_lets_every_request_in_flight_finish_and_ends_with_0_sec_139(
    start_server, number, count
):
    server = start_server()
    async with (
        Client(server.url) as idle,
        slow_requests(server.public_port, count, SERVER) as reading,
        slow_requests(server.admin_port, 5, CREATE_USER, server.secret_key) as writing,
    ):
        assert (await idle.http.get("/health/ready")).json() == {"ready": True}
        server.send(number)
        told = time.monotonic()
        until(lambda: not server.is_ready())
        assert time.monotonic() - told < 1
        until(lambda: health(server.public_port) is None and health(server.admin_port) is None)
        with pytest.raises(httpx.TransportError):
            await idle.http.get("/health/ready")
        assert server.process.poll() is None
        read = [await request.finish() for request in reading]
        written = [await request.finish() for request in writing]
    assert read == [(200, read[0][1])] * count
    assert read[0][1]["data"] == {"server": {"name": "Sekisho"}}
    assert [status for status, _ in written] == [200] * 5
    assert [body["data"]["createUser"]["userErrors"] for _, body in written] == [[]] * 5
    assert server.wait(5) == 0
    lines = [json.loads(line) for line in server.errors.splitlines()]
    assert sum(line.get("path") == "/graphql" for line in lines) == count + 5
    assert {line["level"] for line in lines if "level" in line} == {"info"}


async def test_a_request_that_never_ends_is_not_waited_for_beyond_the_drain_timeout_sec_139(
    start_server,
):
    server = start_server(SERVER_DRAIN_TIMEOUT="1s")
    async with slow_requests(server.public_port, 1, SERVER):
        told = time.monotonic()
        server.send(signal.SIGTERM)
        assert server.wait(10) == 0
        assert 0.9 < time.monotonic() - told < 5


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_second_signal_ends_the_server_at_once(start_server, number):
    server = start_server()
    async with slow_requests(server.public_port, 1, SERVER):
        server.send(number)
        until(lambda: not server.is_ready())
        assert server.process.poll() is None
        told = time.monotonic()
        server.send(number)
        server.wait(10)
        assert time.monotonic() - told < 2
    assert "Traceback" not in server.errors


@pytest.fixture
async def new_postgres(postgres):
    """The URL of an empty database on PostgreSQL."""
    name = f"sekisho_stopping_{time.time_ns()}"
    await administer(postgres, f"CREATE DATABASE {name}")
    yield urlsplit(postgres)._replace(path=f"/{name}").geturl()
    await administer(postgres, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def on_postgres(postgres, new_postgres, start_server):
    """A server on PostgreSQL, and a connection beside it."""
    beside = await asyncpg.connect(postgres)
    yield start_server(DATABASE_URL=new_postgres, SERVER_DRAIN_TIMEOUT="1s"), beside, new_postgres
    await beside.close()


@pytest.mark.parametrize("signals", [1, 2])
async def test_a_busy_database_does_not_keep_the_server_from_ending_sec_139(on_postgres, signals):
    server, beside, url = on_postgres
    key = server.secret_key
    made = ask(server.url, CREATE_USER, key, name="ada")
    user = made["data"]["createUser"]["user"]["id"]
    holder = await asyncpg.connect(url)
    async with holder.transaction():
        await holder.execute("SELECT 1 FROM user_metadata WHERE user_id = $1 FOR UPDATE", user)
        request = await SlowRequest.begin(server.public_port, MERGE, key, user=user)
        answer = asyncio.create_task(request.finish())
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        while not await beside.fetchval(waiting):  # noqa: ASYNC110  # PostgreSQL sets no event
            await asyncio.sleep(0.02)
        told = time.monotonic()
        server.send(signal.SIGTERM)
        if signals == 2:
            until(lambda: not server.is_ready())
            server.send(signal.SIGTERM)
        assert server.wait(9) == 0  # sooner than PostgreSQL gives up the statement
        assert time.monotonic() - told < (4 if signals == 2 else 6)
    await asyncio.gather(answer, return_exceptions=True)
    await holder.close()


# SEC-140


class Network:
    """What lies between a server and its database: it can be cut, and mended."""

    def __init__(self, url):
        self._parts = urlsplit(url)
        self._open = set()
        self._port = free_port()

    @property
    def url(self):
        """The database's URL by way of this network."""
        user = self._parts.netloc.rpartition("@")[0]
        return self._parts._replace(netloc=f"{user}@127.0.0.1:{self._port}").geturl()

    async def mend(self):
        self._listener = await asyncio.start_server(self._carry, "127.0.0.1", self._port)

    async def cut(self):
        self._listener.close()
        for writer in self._open:
            writer.transport.abort()
        await self._listener.wait_closed()

    async def _carry(self, reader, writer):
        there, back = await asyncio.open_connection(self._parts.hostname, self._parts.port)
        self._open |= {writer, back}
        await asyncio.gather(self._pump(reader, back), self._pump(there, writer))

    async def _pump(self, reader, writer):
        with contextlib.suppress(OSError):
            while part := await reader.read(65536):
                writer.write(part)
                await writer.drain()
        writer.close()


async def test_readiness_follows_the_database_and_liveness_does_not_sec_140(new_postgres, tmp_path):
    network = Network(new_postgres)
    await network.mend()
    server = servers.start(tmp_path, DATABASE_URL=network.url)
    try:
        await asyncio.to_thread(server.wait_until_ready)
        await network.cut()
        async with Client(server.url) as public, Client(server.admin_url) as admin:
            for client in (public, admin):
                ready = await client.http.get("/health/ready")
                assert (ready.status_code, ready.json()) == (503, {"ready": False})
                alive = await client.http.get("/health/alive")
                assert (alive.status_code, alive.json()) == (200, {"alive": True})
                told = str(ready.headers).lower()
                assert not any(word in told for word in ("uvicorn", "postgres", "sekisho"))
            refused = await public.ask(SERVER, server.secret_key)
            assert refused.status_code == 503
            assert refused.json()["errors"][0]["extensions"] == {"code": "UNAVAILABLE"}
            await network.mend()
            await asyncio.to_thread(until, server.is_ready)
            assert (await public.ask(SERVER, server.secret_key)).status_code == 200
    finally:
        await asyncio.to_thread(server.stop)
        await network.cut()
    assert server.process.returncode == 0
    assert server.secret_key not in server.errors
    assert urlsplit(new_postgres).password not in server.errors


async def test_readiness_follows_the_migrations_sec_140(on_postgres):
    server, _, url = on_postgres
    assert server.is_ready()
    await administer(url, "DELETE FROM schema_migration")
    assert not server.is_ready()
