"""Looking a password up among those that have become known."""

import asyncio
import contextlib
import hashlib
import logging
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.config.sections import BreachCheck
from app.config.values import Duration
from app.credentials.password_breaches import Breaches, is_listed, stands_in
from app.outbound import Limits

KNOWN = "correct horse battery staple"
FRESH = "a password that nobody has lost"


def digest_of(password: str) -> str:
    return hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()


def line_of(password: str, count: int = 3) -> str:
    return f"{digest_of(password)[5:]}:{count}\r\n"


class Api:
    """An HTTP server that answers each request with the same bytes, and keeps what it was asked."""

    def __init__(self, answer: bytes, *, silent: bool = False) -> None:
        self.asked: list[bytes] = []
        self.url = ""
        self._answer, self._silent = answer, silent

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked.append(await reader.readuntil(b"\r\n\r\n"))
        if self._silent:
            await reader.read()  # until the client has gone
        writer.write(self._answer)
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        writer.close()


def answer_of(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    lines = (f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers)
    return "\r\n".join([*lines, "", ""]).encode() + body


@contextlib.asynccontextmanager
async def api(answer: bytes, *, silent: bool = False):
    one = Api(answer, silent=silent)
    async with await asyncio.start_server(one.serve, "127.0.0.1", 0) as server:
        one.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/range"
        yield one


@contextlib.asynccontextmanager
async def asking(url: str = "", file: str = "", *, private: bool = True, seconds: float = 10):
    settings = BreachCheck(
        url=url, file=file, timeout=Duration(seconds=seconds), allow_private_addresses=private
    )
    breaches = Breaches(settings)
    yield breaches
    await breaches.close()


@pytest.fixture
def file(tmp_path):
    """Writes a file of breached passwords, in the order of their hashes."""

    def write(*passwords: str, ending: str = ":7\r\n") -> str:
        path = tmp_path / "breached.txt"
        path.write_text("".join(sorted(digest_of(one) + ending for one in passwords)), newline="")
        return str(path)

    return write


class TestApi:
    async def test_a_listed_password_is_found_and_another_is_not_sec_036(self):
        body = f"{'0' * 35}:1\r\n{line_of(KNOWN)}{'F' * 35}:9".encode()
        async with api(answer_of(body)) as there, asking(there.url) as breaches:
            assert await breaches.hold(KNOWN)
            assert not await breaches.hold(FRESH)

    async def test_it_is_told_five_digits_and_no_more_sec_036(self):
        async with api(answer_of(b"")) as there, asking(there.url + "/") as breaches:
            await breaches.hold(KNOWN)
        (request,) = there.asked
        assert request.startswith(f"GET /range/{digest_of(KNOWN)[:5]} HTTP/1.1\r\n".encode())
        assert b"Add-Padding: true" in request
        assert digest_of(KNOWN)[5:].encode() not in request

    async def test_what_was_seen_no_times_is_padding(self):
        padding = answer_of(line_of(KNOWN, 0).encode())
        async with api(padding) as there, asking(there.url) as breaches:
            assert not await breaches.hold(KNOWN)

    @pytest.mark.parametrize(
        "answer",
        [
            answer_of(line_of(KNOWN).encode(), "503 Service Unavailable"),
            answer_of(line_of(KNOWN).encode(), "404 Not Found"),
            answer_of(line_of(KNOWN).encode() * (Limits().size // 30)),
            b"this is no HTTP\r\n\r\n",
            b"",
        ],
    )
    async def test_an_answer_that_is_none_refuses_nothing_and_is_logged(self, caplog, answer):
        async with api(answer) as there, asking(there.url) as breaches:
            assert not await breaches.hold(KNOWN)
        (record,) = [one for one in caplog.records if one.name == "sekisho.passwords"]
        assert record.levelno == logging.ERROR

    async def test_no_redirect_is_followed(self):
        async with api(answer_of(line_of(KNOWN).encode())) as other:
            body = line_of(KNOWN).encode()
            moved = answer_of(body, "302 Found", f"Location: {other.url}/ABCDE")
            async with api(moved) as there, asking(there.url) as breaches:
                assert not await breaches.hold(KNOWN)
            assert (len(there.asked), other.asked) == (1, [])

    async def test_a_private_address_is_not_called_unless_it_is_allowed(self):
        async with api(answer_of(line_of(KNOWN).encode())) as there:
            async with asking(there.url, private=False) as breaches:
                assert not await breaches.hold(KNOWN)
            async with asking(there.url.replace("127.0.0.1", "localhost"), private=False) as other:
                assert not await other.hold(KNOWN)
            assert there.asked == []

    async def test_who_does_not_answer_is_not_waited_for(self):
        async with api(b"", silent=True) as there:
            async with asking(there.url, seconds=0.05) as breaches:
                assert not await breaches.hold(KNOWN)
            assert len(there.asked) <= 1

    async def test_nobody_there_refuses_nothing(self):
        with socket.create_server(("127.0.0.1", 0)) as gone:
            port = gone.getsockname()[1]
        async with asking(f"http://127.0.0.1:{port}/range") as breaches:
            assert not await breaches.hold(KNOWN)

    async def test_without_a_source_nothing_is_known(self):
        async with asking() as breaches:
            assert not await breaches.hold(KNOWN)

    async def test_no_log_tells_a_password_or_its_hash_sec_116(self, caplog):
        caplog.set_level(logging.DEBUG)
        async with api(b"") as there, asking(there.url, "/nowhere") as breaches:
            await breaches.hold(KNOWN)
        ours = [one for one in caplog.records if one.name.startswith("sekisho")]
        assert len(ours) == 2
        for record in ours:
            assert KNOWN not in str(record.__dict__)
            assert digest_of(KNOWN)[:5] not in str(record.__dict__)


class TestFile:
    async def test_a_listed_password_is_found_and_another_is_not_sec_036(self, file):
        async with asking(file=file(KNOWN, "another one")) as breaches:
            assert await breaches.hold(KNOWN)
            assert not await breaches.hold(FRESH)

    async def test_a_file_that_is_not_there_refuses_nothing_and_is_logged(self, tmp_path, caplog):
        async with asking(file=str(tmp_path / "nothing")) as breaches:
            assert not await breaches.hold(KNOWN)
        assert [one.levelno for one in caplog.records if one.name == "sekisho.passwords"] == [40]

    async def test_where_the_file_knows_the_api_is_not_asked(self, file):
        async with api(answer_of(b"")) as there, asking(there.url, file(KNOWN)) as breaches:
            assert await breaches.hold(KNOWN)
        assert there.asked == []

    @pytest.mark.parametrize("ending", [":1\r\n", "\n", ":123456789\n"])
    def test_every_line_is_found_and_nothing_between_them(self, file, ending):
        passwords = [f"password number {n}" for n in range(200)]
        path = file(*passwords, ending=ending)
        assert all(stands_in(path, digest_of(one)) for one in passwords)
        assert not any(stands_in(path, digest_of(one + "x")) for one in passwords)
        for beyond in ("0" * 40, "F" * 40):
            assert not stands_in(path, beyond)

    def test_an_empty_file_knows_nothing(self, file):
        assert not stands_in(file(), digest_of(KNOWN))

    @given(st.binary(max_size=400))
    def test_a_file_of_anything_is_searched_without_an_error(self, tmp_path_factory, content):
        path = tmp_path_factory.getbasetemp() / "anything.txt"
        path.write_bytes(content)
        assert not stands_in(str(path), digest_of(KNOWN))


@given(st.binary())
def test_an_answer_of_anything_is_read_without_an_error(lines):
    assert not is_listed(lines, digest_of(KNOWN)[5:])
