"""Cuts a file into its entries, a chunk at a time, whatever its length.

Two formats are told apart by how they begin: Hanko's is a JSON array, ours an object a line. An
entry comes as its bytes; what they say is judged elsewhere.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, Protocol

import msgspec

from app import strictjson
from app.transfer.errors import FileRefused
from app.transfer.records import FORMAT, VERSION, Header

MAX_ENTRY = 4 * 1024 * 1024
"""Bytes that an entry may have; a user with every bag full has a fifth of it."""

MAX_DEPTH = strictjson.MAX_DEPTH + strictjson.ENVELOPE_DEPTH
_CHUNK = 64 * 1024
_SPACE = b" \t\r\n"
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[{}\[\]]|"', re.DOTALL)

Format = Literal["sekisho", "hanko"]


class Source(Protocol):
    """A file that is open for reading bytes."""

    def read(self, size: int, /) -> bytes:
        """Give as many bytes as there are, at most so many; none at the end."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry as its bytes; the first of a file has the number 1."""

    number: int
    raw: bytes = field(repr=False)


class Reading:
    """A file that is being read: what it is, and its entries one after the other.

    Raises:
        FileRefused: It is neither a JSON array nor a header of ours.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._held = b""
        self.bytes_read = 0
        self.header: Header | None = None
        while not self._held:
            if not self._more():
                raise FileRefused("The file is empty.")
            self._held = self._held.lstrip(_SPACE)
        self.format: Format = "hanko" if self._held.startswith(b"[") else "sekisho"
        if self.format == "sekisho":
            self.header = _header(self._line() or b"")

    def entries(self) -> Iterator[Entry]:
        """Give the entries.

        Raises:
            FileRefused: Where an entry ends cannot be told, or it is too long; or lines are missing
                that the header has announced.
        """
        found = self._elements() if self.format == "hanko" else self._lines()
        number = 0
        for number, raw in enumerate(found, 1):
            yield Entry(number, raw)
        announced = None if self.header is None else self.header.users
        if announced not in (None, number):
            raise FileRefused(f"The file announces {announced} users and holds {number}.")

    def _more(self) -> bool:
        chunk = self._source.read(_CHUNK)
        self._held += chunk
        self.bytes_read += len(chunk)
        return bool(chunk)

    def _line(self) -> bytes | None:
        """Take a line without its end; None where there is none left."""
        searched = 0
        while (end := self._held.find(b"\n", searched)) < 0:
            searched = len(self._held)
            if searched > MAX_ENTRY:
                raise FileRefused(f"A line is longer than {MAX_ENTRY} bytes.")
            if not self._more():
                line, self._held = self._held, b""
                return line or None
        line, self._held = self._held[:end], self._held[end + 1 :]
        return line

    def _lines(self) -> Iterator[bytes]:
        while True:
            *lines, rest = self._held.split(b"\n")
            self._held = rest
            for line in lines:
                if stripped := line.strip(_SPACE):
                    yield stripped
            if len(rest) > MAX_ENTRY:
                raise FileRefused(f"A line is longer than {MAX_ENTRY} bytes.")
            if not self._more():
                break
        if last := self._held.strip(_SPACE):
            yield last

    def _elements(self) -> Iterator[bytes]:
        """Take the elements of the array, by nothing but its brackets, braces and quotes."""
        self._held = self._held[1:]
        number = 0
        closed = self._next(b"{]", number) == b"]"
        while not closed:
            number += 1
            end = self._end(number)
            yield self._held[:end]
            self._held = self._held[end:]
            closed = self._next(b",]", number) == b"]"
            if not closed:
                self._held = self._held[1:]
                self._next(b"{", number)
        self._held = self._held[1:]
        while self._held.strip(_SPACE) or self._more():
            if self._held.strip(_SPACE):
                raise FileRefused("Something stands behind the array.")
            self._held = b""

    def _next(self, expected: bytes, number: int) -> bytes:
        """Skip spaces and see what stands next, without taking it."""
        while not (found := self._held.lstrip(_SPACE)):
            self._held = b""
            if not self._more():
                raise FileRefused(f"The file breaks off behind entry {number}.")
        self._held = found
        if found[:1] not in (expected[i : i + 1] for i in range(len(expected))):
            raise FileRefused(f"The file is no JSON array of objects behind entry {number}.")
        return found[:1]

    def _end(self, number: int) -> int:
        """Find the end of the object that stands next."""
        depth = searched = 0
        while True:
            for token in _TOKEN.finditer(self._held, searched):
                mark = token[0]
                searched = token.end()
                if mark == b'"':  # a text that goes on in the next chunk
                    searched = token.start()
                    break
                depth += (mark in b"{[") - (mark in b"}]") if len(mark) == 1 else 0
                if depth == 0:
                    return searched
                if depth > MAX_DEPTH:
                    raise FileRefused(f"Entry {number} is nested too deeply.")
            else:
                searched = len(self._held)
            if len(self._held) > MAX_ENTRY:
                raise FileRefused(f"Entry {number} is longer than {MAX_ENTRY} bytes.")
            if not self._more():
                raise FileRefused(f"The file breaks off in entry {number}.")


def _header(line: bytes) -> Header:
    try:
        header = msgspec.json.decode(line, type=Header)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise FileRefused(
            "The file is neither a JSON array of users nor begins with the header of an export."
        ) from None
    if header.format != FORMAT:
        raise FileRefused(f"The header names another format than {FORMAT}.")
    if header.version != VERSION:
        raise FileRefused(
            f"The file has version {header.version} of the format; known is {VERSION}."
        )
    return header
