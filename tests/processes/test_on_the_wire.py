"""What a real server makes of bytes that no client library would send."""

import json
import re
import socket
import struct

import pytest
from processes import servers
from processes.servers import ask

ALIVE = b"GET /health/alive HTTP/1.1\r\nHost: localhost\r\n\r\n"
BODY = json.dumps({"query": "{ server { name } }"}).encode()
LENGTH = b"Content-Length: %d\r\n" % len(BODY)
JSON = b"Content-Type: application/json\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    started = servers.start(tmp_path_factory.mktemp("wire"))
    try:
        started.wait_until_ready()
        yield started
    finally:
        started.stop()


def exchanged(server, request):
    """Send bytes and give the statuses of all answers until the server closes, or is silent."""
    with socket.create_connection(("127.0.0.1", server.public_port), timeout=5) as connection:
        connection.sendall(request)
        answered = b""
        while part := connection.recv(65536):
            answered += part
    return [int(status) for status in re.findall(rb"HTTP/1.1 (\d{3}) ", answered)]


def post(headers, body=BODY):
    return b"POST /graphql HTTP/1.1\r\nHost: localhost\r\n" + JSON + headers + b"\r\n" + body


def test_the_request_that_the_others_differ_from_is_answered(server):
    assert exchanged(server, post(LENGTH + b"Connection: close\r\n")) == [200]


CHUNKED = b"Transfer-Encoding: chunked\r\n"


@pytest.mark.parametrize(
    "request_",
    {
        "two lengths that differ": post(LENGTH + b"Content-Length: 1\r\n"),
        "two lengths alike": post(LENGTH + LENGTH),
        "a length that is a list": post(b"Content-Length: 3, 3\r\n"),
        "a length with a sign": post(b"Content-Length: +3\r\n"),
        "a length in hexadecimal": post(b"Content-Length: 0x3\r\n"),
        "a negative length": post(b"Content-Length: -1\r\n"),
        "chunks and a length": post(CHUNKED + LENGTH, b"0\r\n\r\n" + ALIVE),
        "a length and chunks": post(LENGTH + CHUNKED, b"0\r\n\r\n" + ALIVE),
        "chunks by another name": post(b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n" + ALIVE),
        "chunks not last": post(b"Transfer-Encoding: chunked, gzip\r\n", b"0\r\n\r\n" + ALIVE),
        "a chunk's size with a sign": post(CHUNKED, b"+1\r\n{\r\n0\r\n\r\n"),
        "a bare carriage return": post(b"X-A: 1\rX-B: 2\r\n" + LENGTH),
        "a folded header": post(b"X-A: 1\r\n 2\r\n" + LENGTH),
        "a blank in a name": post(b"Content-Length : 3\r\n"),
        "a header without colon": post(b"X-A\r\n" + LENGTH),
        "a zero byte": post(b"X-A: \x00\r\n" + LENGTH),
    }.items(),
    ids=lambda item: item[0],
)
def test_a_request_that_can_be_read_in_two_ways_is_refused_and_the_connection_closed_sec_109(
    server, request_
):
    statuses = exchanged(server, request_[1] + ALIVE)
    assert len(statuses) <= 1, "more than one request was seen"
    assert statuses in ([], [400])


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (b"".join(b"X-%d: 1\r\n" % n for n in range(98)), 200),
        (b"".join(b"X-%d: 1\r\n" % n for n in range(101)), 431),
        (b"X-A: " + b"x" * 15_000 + b"\r\n", 200),
        (b"X-A: " + b"x" * 17_000 + b"\r\n", 431),
    ],
    ids=["100 headers", "103 headers", "15 KiB", "17 KiB"],
)
def test_headers_are_bounded_sec_109(server, headers, status):
    line = b"GET /health/alive HTTP/1.1\r\nHost: localhost\r\n"
    close = b"Connection: close\r\n" if status == 200 else b""
    assert exchanged(server, line + close + headers + b"\r\n") == [status]


@pytest.mark.parametrize("header", [b"X-A: " + b"x" * 1000 + b"\r\n", b"X: 1\r\n"])
def test_headers_without_end_are_not_read_to_their_end_sec_109(server, header):
    line = b"GET /health/alive HTTP/1.1\r\nHost: localhost\r\n"
    with socket.create_connection(("127.0.0.1", server.public_port), timeout=5) as connection:
        connection.sendall(line)
        with pytest.raises(OSError, match=r"Broken pipe|reset"):
            for _ in range(100_000):
                connection.sendall(header)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert server.is_ready()


@pytest.mark.parametrize(
    "hosts",
    [b"", b"Host: localhost\r\nHost: localhost\r\n", b"Host: evil.example.com\r\n", b"Host:\r\n"],
    ids=["none", "two", "another", "empty"],
)
@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_a_host_that_is_not_the_configured_one_is_refused_sec_102(server, version, hosts):
    forwarded = b"X-Forwarded-Host: localhost\r\n"
    request = b"GET /me HTTP/%s\r\n%s%s\r\n" % (version, hosts, forwarded)
    assert exchanged(server, request) == [400]


def test_a_body_that_is_too_long_is_refused_before_it_is_sent_sec_094(server):
    assert exchanged(server, post(b"Content-Length: 100000000\r\n", b"")) == [413]


def test_a_chunked_body_is_measured_as_it_comes_sec_094(server):
    chunk = b"8000\r\n" + b" " * 0x8000 + b"\r\n"
    assert exchanged(server, post(CHUNKED, chunk * 5)) == [413]


def test_a_websocket_is_not_to_be_had_sec_100(server):
    upgrade = (
        b"GET /graphql HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, close\r\n"
        b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    assert exchanged(server, upgrade) == [405]


def test_no_answer_names_the_server_sec_140(server):
    with socket.create_connection(("127.0.0.1", server.public_port), timeout=5) as connection:
        connection.sendall(ALIVE.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        head = connection.makefile("rb").read().lower()
    assert b"\r\nserver:" not in head
    assert not re.search(rb"uvicorn|litestar|python|sekisho", head)


def test_after_all_this_the_server_is_well_and_has_logged_no_defect(server):
    assert ask(server.url, "{ server { name } }")["data"] == {"server": {"name": "Sekisho"}}
    lines = [json.loads(line) for line in server.errors.splitlines()]
    assert [line for line in lines if line.get("level") == "error"] == []
