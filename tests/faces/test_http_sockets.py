"""What only a real socket shows: requests that two parsers read in two ways (SEC-109)."""

import asyncio
import contextlib
import io
import json
import socket

import pytest
from factories import make_session, make_user

from app.assembly import assemble
from app.logs import RequestLog
from app.server import _Server

pytestmark = pytest.mark.one_database

PATIENCE = 10.0
HOST = b"Host: localhost\r\n"
ASK = b'{"query": "{ me { id } }"}'
JSON = b"Content-Type: application/json\r\n"


@contextlib.asynccontextmanager
async def served(services):
    """Serve the public listener as in earnest, and tell its port."""
    server = _Server(services, "public", RequestLog(io.StringIO()))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        task = asyncio.create_task(server.serve(sockets=[listening]))
        yield listening.getsockname()[1]
        server.should_exit = True
        await asyncio.wait_for(task, PATIENCE)


@pytest.fixture(scope="module")
async def port(schema):
    """The port of a listener that serves every test here."""
    services = assemble(schema)
    await services.signing_keys.load()
    async with served(services) as number:
        yield number


class Answered:
    """Everything that came back before the connection was closed, or the wish to read on ended."""

    def __init__(self, raw, closed):
        self.raw, self.closed = raw, closed
        self.status = int(raw.split(b" ")[1]) if raw.startswith(b"HTTP/1.1 ") else None
        self.head, _, self.body = raw.partition(b"\r\n\r\n")

    @property
    def answers(self):
        return self.raw.count(b"HTTP/1.1 ")


async def send(port, *parts, end=False):
    """Write parts to a connection of its own and read what comes back until it is closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    raw, closed = b"", False
    try:
        async with asyncio.timeout(PATIENCE):
            with contextlib.suppress(ConnectionError):
                for part in parts:
                    writer.write(part)
                    await writer.drain()
                if end:
                    writer.write_eof()
            with contextlib.suppress(ConnectionError):
                while chunk := await reader.read(65_536):
                    raw += chunk
            closed = True
    except TimeoutError:
        pass
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
    return Answered(raw, closed)


def request(method=b"GET", target=b"/health/alive", headers=HOST, body=b"", version=b"HTTP/1.1"):
    last = b"Connection: close\r\n"
    return b"%b %b %b\r\n%b%b\r\n%b" % (method, target, version, headers, last, body)


async def test_a_plain_request_is_answered_without_naming_the_server(port):
    """SEC-103"""
    answer = await send(port, request())
    assert (answer.status, answer.body) == (200, b'{"alive":true}')
    assert b"\r\nserver:" not in answer.head.lower()
    assert b"uvicorn" not in answer.raw.lower()
    assert answer.closed


SMUGGLED = b"POST /logout HTTP/1.1\r\nHost: localhost\r\n\r\n"
AMBIGUOUS = {
    "two lengths that differ": b"Content-Length: 5\r\nContent-Length: 6\r\n",
    "two lengths that agree": b"Content-Length: 5\r\nContent-Length: 5\r\n",
    "a list of lengths": b"Content-Length: 5, 6\r\n",
    "a list of equal lengths": b"Content-Length: 5, 5\r\n",
    "a negative length": b"Content-Length: -1\r\n",
    "a length with a sign": b"Content-Length: +5\r\n",
    "a length in hexadecimal": b"Content-Length: 0x5\r\n",
    "a length that is no number": b"Content-Length: five\r\n",
    "a length that overflows": b"Content-Length: 18446744073709551621\r\n",
    "an empty length": b"Content-Length:\r\n",
    "both framings": b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
    "both framings the other way": b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
    "two codings": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    "a coding that ends elsewhere": b"Transfer-Encoding: chunked, identity\r\n",
    "an unknown coding": b"Transfer-Encoding: xchunked\r\n",
    "a compressed coding": b"Transfer-Encoding: gzip\r\n",
    "a space before the colon": b"Content-Length : 5\r\n",
    "a space before the coding's colon": b"Transfer-Encoding : chunked\r\n",
    "a folded header": b"X-A: 1\r\n Content-Length: 5\r\n",
    "a bare line feed": b"X-A: 1\nContent-Length: 5\r\n",
    "a bare carriage return": b"X-A: 1\rContent-Length: 5\r\n",
    "a carriage return in a value": b"X-A: 1\r2\r\n",
    "a null in a value": b"X-A: 1\x002\r\n",
    "a null in a name": b"X-\x00A: 1\r\n",
    "a control character in a name": b"X\x01A: 1\r\n",
    "a name that is none": b": 1\r\n",
    "a line without a colon": b"nonsense\r\n",
    "a space in a name": b"X A: 1\r\n",
}


@pytest.mark.parametrize("kind", AMBIGUOUS)
async def test_a_request_that_can_be_read_in_two_ways_is_refused(port, kind):
    """SEC-109"""
    headers = HOST + JSON + AMBIGUOUS[kind]
    raw = b"POST /graphql HTTP/1.1\r\n" + headers + b"\r\n0\r\n\r\n" + SMUGGLED
    answer = await send(port, raw)
    assert answer.status is None or answer.status in (400, 413, 431, 501)
    assert answer.closed
    assert answer.answers <= 1


@pytest.mark.parametrize(
    "raw",
    [
        b"GET /health/alive HTTP/1.1\nHost: localhost\n\n",
        b"GET /health/alive HTTP/1.1\r\nHost: localhost\n\r\n",
        b"GET /health/alive HTTP/1.1\rHost: localhost\r\r",
        b"GET /health/alive HTTP/1.2\r\nHost: localhost\r\n\r\n",
        b"GET /health/alive HTTPS/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /health/alive\x00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /health/\xff HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET health HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"get /health/alive HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"{}\r\n\r\n",
        b"\x00" * 100 + b"\r\n\r\n",
    ],
    ids=range(13),
)
async def test_what_is_no_http_is_refused(port, raw):
    """SEC-109"""
    answer = await send(port, raw + SMUGGLED, end=True)
    assert answer.status in (None, 400, 405, 431)
    assert answer.closed
    assert answer.answers <= 1
    assert b'"alive"' not in answer.raw


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"5\r\nhello", "a chunk that ends early"),
        (b"5\nhello\n0\n\n", "bare line feeds"),
        (b"5\r\nhelloX\r\n0\r\n\r\n", "a chunk longer than it says"),
        (b"-5\r\nhello\r\n0\r\n\r\n", "a negative size"),
        (b"0x5\r\nhello\r\n0\r\n\r\n", "a size with a prefix"),
        (b"5 \r\nhello\r\n0\r\n\r\n", "a size with a space"),
        (b"fffffffffffffffff\r\nhello\r\n0\r\n\r\n", "a size that overflows"),
        (b"5;a=\nb\r\nhello\r\n0\r\n\r\n", "a line feed in an extension"),
        (b"zz\r\nhello\r\n0\r\n\r\n", "no size"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_body_in_broken_pieces_is_refused(port, body, what):
    """SEC-109"""
    head = b"POST /graphql HTTP/1.1\r\n" + HOST + JSON + b"Transfer-Encoding: chunked\r\n\r\n"
    answer = await send(port, head + body + SMUGGLED, end=True)
    assert answer.status in (None, 400)
    assert answer.closed
    assert b'"data"' not in answer.raw


class TestHeaders:
    """SEC-109"""

    @pytest.mark.parametrize("count", [98, 99, 150, 250, 5000])
    async def test_a_hundred_headers_are_the_most(self, port, count):
        lines = b"".join(b"X-%d: 1\r\n" % n for n in range(count - 1))
        answer = await send(port, request(headers=HOST + lines))
        if count <= 99:
            assert answer.status == 200
        else:
            assert answer.status in (None, 400, 431)
        assert answer.closed

    @pytest.mark.parametrize("size", [15_000, 16_500, 33_000, 300_000])
    async def test_sixteen_kibibytes_of_headers_are_the_most(self, port, size):
        for lines in (b"X-A: " + b"x" * size + b"\r\n", b"X-" + b"x" * size + b": 1\r\n"):
            answer = await send(port, request(headers=HOST + lines))
            if size == 15_000:
                assert answer.status == 200
            else:
                assert answer.status in (None, 400, 431)
            assert answer.closed

    @pytest.mark.parametrize("start", [b"GET /", b"GET / HTTP/1.1\r\nX", b"GET / HTTP/1.1\r\nX: "])
    async def test_one_line_that_never_ends_is_cut_off(self, port, start):
        """SEC-109"""
        answer = await send(port, start, *[b"a" * 65_536] * 40)
        assert answer.closed
        assert answer.status in (None, 400)

    async def test_headers_that_never_end_are_cut_off(self, port):
        endless = (b"X-%d: %s\r\n" % (n, b"x" * 1000) for n in range(2000))
        answer = await send(port, b"GET /me HTTP/1.1\r\n", *endless)
        assert answer.status in (None, 400, 431)
        assert answer.closed

    async def test_one_header_that_never_ends_is_cut_off(self, port):
        for start in (b"GET /me HTTP/1.1\r\nX-A: ", b"GET /me HTTP/1.1\r\nX-", b"GET /"):
            answer = await send(port, start, *[b"x" * 10_000] * 50)
            assert answer.status in (None, 400, 414, 431)
            assert answer.closed

    async def test_a_target_that_never_ends_is_cut_off(self, port):
        answer = await send(port, request(target=b"/" + b"x" * 100_000))
        assert answer.status in (None, 400, 414)
        answer = await send(port, request(target=b"/health/alive?" + b"x" * 10_000))
        assert answer.status in (200, 400, 414)

    async def test_what_is_refused_closes_the_connection(self, port):
        lines = b"".join(b"X-%d: 1\r\n" % n for n in range(120))
        raw = b"GET /health/alive HTTP/1.1\r\n" + HOST + lines + b"\r\n"
        answer = await send(port, raw + request())
        assert answer.status == 431
        assert b"connection: close" in answer.head.lower()
        assert answer.answers == 1


class TestHosts:
    """SEC-102"""

    @pytest.mark.parametrize(
        ("raw", "status"),
        [
            (b"GET /me HTTP/1.0\r\n\r\n", 400),
            (b"GET /health/alive HTTP/1.0\r\nHost: localhost\r\n\r\n", 200),
            (b"GET /me HTTP/1.1\r\nConnection: close\r\n\r\n", 400),
            (request(headers=HOST + b"Host: evil.example\r\n"), 400),
            (
                request(
                    target=b"/me", headers=b"Host: evil.example\r\nX-Forwarded-Host: localhost\r\n"
                ),
                400,
            ),
            (request(target=b"http://localhost/health/alive"), 200),
            (request(target=b"http://localhost/users/x/metadata", method=b"PATCH"), 404),
            (request(target=b"http://localhost:8001/users/x/metadata"), 404),
            (request(target=b"http://localhost/nowhere", headers=b"Host: evil.example\r\n"), 400),
        ],
        ids=range(9),
    )
    async def test_the_host_is_known_or_the_request_is_refused(self, port, raw, status):
        answer = await send(port, raw)
        assert answer.status == status
        assert answer.closed

    @pytest.mark.parametrize("target", [b"*", b"localhost:80", b"//", b"http://", b"/%zz", b"/%"])
    async def test_odd_targets_do_no_harm(self, port, target):
        for method in (b"GET", b"OPTIONS", b"CONNECT"):
            answer = await send(port, request(method=method, target=target))
            assert answer.status in (None, 200, 204, 400, 404, 405)
            assert answer.closed


class TestBodies:
    """SEC-104"""

    async def test_a_body_that_is_announced_too_long_is_refused_before_it_comes(self, port):
        headers = HOST + JSON + b"Content-Length: 1000000000\r\n"
        answer = await send(port, request(method=b"POST", target=b"/graphql", headers=headers))
        assert answer.status == 413
        assert answer.closed

    async def test_a_body_that_is_promised_is_not_asked_for_where_it_is_too_long(self, port):
        headers = HOST + JSON + b"Content-Length: 1000000\r\nExpect: 100-continue\r\n"
        answer = await send(port, request(method=b"POST", target=b"/graphql", headers=headers))
        assert b"100 Continue" not in answer.raw
        assert answer.status == 413

    @pytest.mark.parametrize("target", [b"/graphql", b"/sessions/validate"])
    async def test_a_body_in_endless_pieces_is_cut_off(self, port, target):
        piece = b"10000\r\n" + b" " * 65_536 + b"\r\n"
        headers = HOST + JSON + b"Transfer-Encoding: chunked\r\n"
        head = request(method=b"POST", target=target, headers=headers)
        answer = await send(port, head, *[piece] * 400, b"0\r\n\r\n")
        assert answer.status in (413, None)
        assert answer.closed

    async def test_a_body_in_pieces_is_read(self, port):
        pieces = b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in (ASK[:5], ASK[5:])) + b"0\r\n\r\n"
        headers = HOST + JSON + b"Transfer-Encoding: chunked\r\n"
        answer = await send(
            port, request(method=b"POST", target=b"/graphql", headers=headers, body=pieces)
        )
        assert json.loads(answer.body)["data"] == {"me": None}

    async def test_a_client_that_leaves_in_the_middle_does_no_harm(self, port):
        headers = HOST + JSON + b"Content-Length: 100\r\n"
        raw = request(method=b"POST", target=b"/graphql", headers=headers, body=b"{")
        await send(port, raw, end=True)
        assert (await send(port, request())).status == 200


class TestConnections:
    async def test_requests_in_a_row_are_answered_in_order(self, port):
        first = b"GET /health/alive HTTP/1.1\r\n" + HOST + b"\r\n"
        second = b"GET /nowhere HTTP/1.1\r\n" + HOST + b"\r\n"
        answer = await send(port, first + second + request())
        assert answer.answers == 3
        assert answer.raw.index(b'"alive"') < answer.raw.index(b"not_found")
        assert answer.raw.rindex(b'"alive"') > answer.raw.index(b"not_found")

    async def test_requests_in_a_row_keep_their_callers_apart(self, services):
        user = await make_user(services)
        token = (await make_session(services, user)).token.encode()
        bearing = HOST + b"Authorization: Bearer " + token + b"\r\n"
        raw = b"GET /me HTTP/1.1\r\n" + bearing + b"\r\n"
        raw += b"GET /me HTTP/1.1\r\n" + HOST + b"\r\n"
        async with served(services) as port:
            answer = await send(port, raw + request())
        _, first, second, _ = answer.raw.split(b"HTTP/1.1 ")
        assert first.startswith(b"200")
        assert second.startswith(b"401")
        assert str(user.id).encode() not in second

    async def test_after_a_refusal_nothing_more_is_read(self, port):
        """SEC-109: what stands behind a refused body is no request."""
        headers = HOST + JSON + b"Content-Length: 200000\r\n"
        raw = b"POST /graphql HTTP/1.1\r\n" + headers + b"\r\n" + SMUGGLED + request()
        answer = await send(port, raw)
        assert answer.status == 413
        assert answer.answers == 1

    async def test_no_upgrade_is_made(self, port):
        """SEC-100"""
        for protocol in (b"websocket", b"h2c", b"TLS/1.0"):
            headers = HOST + b"Upgrade: %b\r\nSec-WebSocket-Version: 13\r\n" % protocol
            headers += b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            raw = b"GET /graphql HTTP/1.1\r\n" + headers + b"Connection: Upgrade, close\r\n\r\n"
            answer = await send(port, raw)
            assert b" 101 " not in answer.raw
            assert answer.status in (None, 400, 405)

    async def test_a_head_is_answered_without_a_body(self, port):
        for target in (b"/health/alive", b"/nowhere", b"/me", b"/graphql"):
            answer = await send(port, request(method=b"HEAD", target=target))
            assert answer.status in (200, 401, 404, 405)
            assert answer.body == b""
