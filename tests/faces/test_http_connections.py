"""What bounds a connection in time and in number (SEC-125), and how one is left (SEC-139)."""

import asyncio
import contextlib
import io
import json
import resource
import socket
from collections.abc import AsyncIterator

import pytest
from faces.clients import Face
from factories import make_user

from app import server as server_module
from app.assembly import services as all_services
from app.config.sections import ClientAddress
from app.http import caller, connections
from app.http.connections import ConnectionLimit
from app.logs import RequestLog
from app.rest import deadline
from app.server import _Server

pytestmark = pytest.mark.one_database

PATIENCE = 10.0
SHORT = 0.2
NEVER = 60.0
HEAD = b"POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
ALIVE = b"GET /health/alive HTTP/1.1\r\nHost: localhost\r\n\r\n"
LONG = b"GET /schema/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
READY = b"GET /health/ready HTTP/1.1\r\nHost: localhost\r\n\r\n"


@contextlib.asynccontextmanager
async def served(services) -> AsyncIterator[_Server]:
    """Serve the public listener as in earnest; `port` tells where."""
    server = _Server(services, "public", RequestLog(io.StringIO()))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server.port, server.writers = listening.getsockname()[1], []
        task = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            yield server
        finally:
            for writer in server.writers:
                writer.close()
                with contextlib.suppress(ConnectionError):
                    await writer.wait_closed()
            server.should_exit = True
            await asyncio.wait_for(task, PATIENCE)


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    """No timer but those that a test shortens, and no farewell."""
    for name in ("HEAD_SECONDS", "BODY_SECONDS", "UNTAKEN_SECONDS"):
        monkeypatch.setattr(connections, name, NEVER)
    monkeypatch.setattr(server_module, "FAREWELL", 0.0)


async def opened(server):
    """A connection, which is closed with the server."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    server.writers.append(writer)
    return reader, writer


async def left(server):
    """Wait until the server has no connection any more."""
    while server.server_state.connections:  # noqa: ASYNC110  # uvicorn sets no event
        await asyncio.sleep(0.01)


async def rest_of(reader):
    """Everything until the connection is closed."""
    async with asyncio.timeout(PATIENCE):
        try:
            return await reader.read()
        except ConnectionError:
            return b""


async def answer_of(reader):
    """One answer: its head and its body."""
    async with asyncio.timeout(PATIENCE):
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        return head, await reader.readexactly(length)


class TestTime:
    @pytest.mark.parametrize(
        "sent",
        [b"", b"\r\n", b"POST /gra", HEAD, ALIVE + b"GET /"],
        ids=["nothing", "blank", "a line", "headers", "a second one"],
    )
    async def test_a_head_that_does_not_end_is_waited_for_no_longer_sec_125(
        self, services, monkeypatch, sent
    ):
        monkeypatch.setattr(connections, "HEAD_SECONDS", SHORT)
        async with served(services) as server:
            reader, writer = await opened(server)
            writer.write(sent)
            answered = await rest_of(reader)
            assert answered.count(b"HTTP/1.1 200") == sent.count(ALIVE)

    async def test_what_trickles_in_prolongs_nothing_sec_125(self, services, monkeypatch):
        monkeypatch.setattr(connections, "HEAD_SECONDS", SHORT)
        async with served(services) as server:
            reader, writer = await opened(server)
            writer.write(HEAD)
            closing = asyncio.create_task(rest_of(reader))
            while not closing.done():
                writer.write(b"X: 1\r\n")
                await asyncio.wait([closing], timeout=SHORT / 20)
            assert closing.result() == b""

    async def test_a_body_that_does_not_end_is_waited_for_no_longer_and_not_carried_out_sec_125(
        self, services, monkeypatch, key
    ):
        monkeypatch.setattr(connections, "BODY_SECONDS", SHORT)
        body = b'{"query": "mutation { createUser(input: {username: \\"ada\\"}) { user { id } } }"}'
        bearer = b"Authorization: Bearer " + key.encode() + b"\r\n"
        async with served(services) as server:
            reader, writer = await opened(server)
            length = b"Content-Length: %d\r\n" % (len(body) + 1)
            writer.write(HEAD + bearer + length + b"\r\n" + body)
            assert await rest_of(reader) == b""
        asked = await Face(services).gql("{ users { nodes { id } } }", key=key)
        assert asked["data"] == {"users": {"nodes": []}}

    async def test_a_client_that_leaves_before_the_body_ends_has_nothing_carried_out_sec_125(
        self, services, key
    ):
        chunked = b"Transfer-Encoding: chunked\r\n"
        bearer = b"Authorization: Bearer " + key.encode() + b"\r\n"
        body = b'{"query": "mutation { createUser(input: {username: \\"eve\\"}) { user { id } } }"}'
        async with served(services) as server:
            _, writer = await opened(server)
            writer.write(HEAD + bearer + chunked + b"\r\n%x\r\n%b\r\n" % (len(body), body))
            await writer.drain()
            writer.close()
            await writer.wait_closed()
        asked = await Face(services).gql("{ users { nodes { id } } }", key=key)
        assert asked["data"] == {"users": {"nodes": []}}

    @pytest.mark.parametrize("path", [b"/graphql", b"/sessions/validate"])
    async def test_a_client_that_leaves_is_no_defect_of_ours(self, services, admin, path):
        async def defects():
            told = (await admin.get("/metrics")).text
            return [line for line in told.splitlines() if 'status="500"' in line]

        before = await defects()
        async with served(services) as server:
            _, writer = await opened(server)
            writer.write(HEAD.replace(b"/graphql", path) + b"Content-Length: 100\r\n\r\n{")
            await writer.drain()
            writer.close()
            await writer.wait_closed()
        assert await defects() == before

    async def test_a_request_that_is_whole_has_no_timer_of_a_reader_sec_125(
        self, services, monkeypatch
    ):
        for name in ("HEAD_SECONDS", "BODY_SECONDS"):
            monkeypatch.setattr(connections, name, SHORT)
        held = asyncio.Event()
        until = asyncio.get_running_loop().time() + 2 * SHORT

        async def slow():
            asyncio.get_running_loop().call_at(until, held.set)
            await held.wait()
            return True

        monkeypatch.setattr(type(services), "is_ready", lambda _: slow())
        async with served(services) as server:
            reader, writer = await opened(server)
            writer.write(READY)
            head, _ = await answer_of(reader)
            assert head.startswith(b"HTTP/1.1 200")

    async def test_a_connection_that_rests_is_closed_sec_125(self, services, monkeypatch):
        monkeypatch.setattr(server_module, "KEEP_ALIVE", SHORT)
        async with served(services) as server:
            reader, writer = await opened(server)
            writer.write(ALIVE)
            assert b'"alive"' in await rest_of(reader)

    async def test_an_answer_that_is_not_taken_is_not_kept_sec_125(self, services, monkeypatch):
        monkeypatch.setattr(connections, "UNTAKEN_SECONDS", SHORT)
        async with served(services) as server:
            reader, writer = await opened(server)
            writer.transport.pause_reading()
            writer.write(LONG * 200)  # answers of more than any buffer on the way
            await asyncio.wait_for(left(server), PATIENCE)
            writer.transport.resume_reading()
            taken = await rest_of(reader)
            assert 0 < taken.count(b"HTTP/1.1 200") < 200

    async def test_a_request_by_rest_is_cancelled_when_it_takes_too_long_sec_125(
        self, services, public, monkeypatch
    ):
        cancelled = asyncio.Event()

        async def endless(_):
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()

        monkeypatch.setattr(type(services), "is_ready", endless)
        monkeypatch.setattr(deadline, "SECONDS", SHORT)
        answer = await public.get("/health/ready")
        assert answer.status_code == 503
        assert answer.json()["error"]["code"] == "unavailable"
        assert cancelled.is_set()

    async def test_a_body_that_takes_its_time_does_not_use_up_that_of_the_request_sec_125(
        self, services, monkeypatch
    ):
        monkeypatch.setattr(deadline, "SECONDS", SHORT)
        user = await make_user(services)
        head = HEAD.replace(b"/graphql", b"/sessions/validate")
        body = json.dumps({"session_token": str(user.id)}).encode()
        async with served(services) as server:
            reader, writer = await opened(server)
            writer.write(head + b"Content-Length: %d\r\n\r\n" % len(body))
            answering = asyncio.create_task(answer_of(reader))
            await asyncio.wait([answering], timeout=2 * SHORT)
            assert not answering.done()
            writer.write(body)
            assert (await answering)[0].startswith(b"HTTP/1.1 200")


class TestSilence:
    """SEC-130: a database that takes connections and says nothing."""

    @pytest.fixture
    def _silent(self, services, monkeypatch):
        async def endless(*_, **__):
            await asyncio.Event().wait()

        for service in (services.sessions, services.secret_keys):
            monkeypatch.setattr(type(service), "authenticate", endless)
        monkeypatch.setattr(all_services, "is_reachable", endless)
        monkeypatch.setattr(caller, "PATIENCE", SHORT)
        monkeypatch.setattr(all_services, "_READY_WITHIN", SHORT)

    @pytest.mark.usefixtures("_silent")
    @pytest.mark.parametrize("bearer", [{"key": "sk_x"}, {"token": "x"}])
    async def test_who_asks_is_told_so_soon_and_is_not_let_in_sec_130(self, public, bearer):
        asked = await public.ask("{ me { id } }", **bearer)
        assert asked.status_code == 503
        assert asked.json()["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
        answer = await public.get("/me", **bearer)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")

    @pytest.mark.usefixtures("_silent")
    async def test_a_server_is_not_ready_sec_140(self, public):
        answer = await public.get("/health/ready")
        assert (answer.status_code, answer.json()) == (503, {"ready": False})


class TestNumber:
    """SEC-125"""

    def test_one_network_cannot_use_up_all_connections(self):
        limit = ConnectionLimit(10, 3)
        held = [limit.acquire("192.0.2.1") for _ in range(3)]
        assert None not in held
        assert limit.acquire("192.0.2.1") is None
        assert limit.acquire("::ffff:192.0.2.1") is None
        assert limit.acquire("192.0.2.2") is not None
        limit.release(held[0])
        assert limit.acquire("192.0.2.1") is not None

    def test_addresses_of_one_ipv6_network_are_one_client(self):
        limit = ConnectionLimit(10, 2)
        assert limit.acquire("2001:db8::1") == limit.acquire("2001:db8::2")
        assert limit.acquire("2001:db8::3") is None
        assert limit.acquire("2001:db8:0:1::1") is not None

    def test_there_is_a_most_for_all_together(self):
        limit = ConnectionLimit(4, 3)
        held = [limit.acquire(f"192.0.2.{n}") for n in range(5)]
        assert held[4] is None
        assert None not in held[:4]

    def test_a_proxy_of_ours_speaks_for_many(self):
        limit = ConnectionLimit(10, 2, ["192.0.2.0/24"])
        assert None not in [limit.acquire("192.0.2.1") for _ in range(10)]
        assert limit.acquire("192.0.2.1") is None

    def test_proxies_count_where_their_headers_do(self):
        ranges = ["192.0.2.0/24"]
        direct = ConnectionLimit.of(ClientAddress(extractor="direct", trusted_proxies=ranges))
        behind = ConnectionLimit.of(ClientAddress("x_forwarded_for", ranges))
        taken = [limit.acquire("192.0.2.1") for limit in (direct, behind) for _ in range(3000)]
        assert taken[:3000].count(None) > 0
        assert taken[3000:].count(None) == 0

    def test_the_system_is_asked_for_the_files_that_this_takes(self, monkeypatch):
        asked = []
        monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 4096))
        monkeypatch.setattr(resource, "setrlimit", lambda _, pair: asked.append(pair))
        limit = ConnectionLimit.of(ClientAddress())
        assert asked == [(4096, 4096)]
        assert sum(limit.acquire(f"192.0.2.{n % 200}") is not None for n in range(5000)) == 3840

    async def test_one_too_many_is_closed_and_the_next_one_after_it_is_not(
        self, services, monkeypatch
    ):
        monkeypatch.setattr(ConnectionLimit, "of", lambda _: ConnectionLimit(2, 2))
        async with served(services) as server:
            held = [await opened(server) for _ in range(2)]
            reader, writer = await opened(server)
            assert await rest_of(reader) == b""
            held[0][1].close()
            for _ in range(1000):  # until the server has seen that one is gone
                reader, writer = await opened(server)
                writer.write(ALIVE)
                with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                    assert (await answer_of(reader))[0].startswith(b"HTTP/1.1 200")
                    break
            else:
                pytest.fail("no room was made")


class TestFarewell:
    """SEC-139"""

    async def test_who_comes_while_a_server_stops_is_answered_and_asked_not_to_come_again(
        self, services, monkeypatch
    ):
        monkeypatch.setattr(server_module, "FAREWELL", NEVER)
        async with served(services) as server:
            reader, writer = await opened(server)
            writer.write(READY)
            assert b"connection" not in (await answer_of(reader))[0].lower()
            server.should_exit = True
            await asyncio.wait_for(server._stopping.wait(), PATIENCE)
            writer.write(ALIVE)
            head, body = await answer_of(reader)
            assert head.startswith(b"HTTP/1.1 200")
            assert b"\r\nconnection: close\r\n" in head.lower()
            assert body == b'{"alive":true}'
            assert await rest_of(reader) == b""
            reader, writer = await opened(server)
            writer.write(READY)
            head, body = await answer_of(reader)
            assert head.startswith(b"HTTP/1.1 503")
            assert body == b'{"ready":false}'
            server.force_exit = True
