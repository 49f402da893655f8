"""Asks whether a password has become known, without telling anybody which (SEC-036).

Two sources can be configured, both made of SHA-1 hashes: a file in the order of the hashes, and an
API that is told five of the forty digits and answers with all hashes that begin so (k-anonymity).
A question that cannot be answered refuses nothing; it is logged.
"""

import asyncio
import hashlib
import logging
import os
from typing import BinaryIO, Protocol

from app.config import sections

PREFIX = 5
_LONGEST_LINE = 128
_log = logging.getLogger("sekisho.passwords")


class RangeSource(Protocol):
    """An API that gives the hashes with a common beginning."""

    async def suffixes(self, prefix: str) -> bytes:
        """Give its lines: the other digits of a hash, a colon, how often it was seen.

        Raises:
            OSError: There is no answer, or none that can be used.
        """

    async def close(self) -> None:
        """Let go of connections."""


class Breaches:
    """The collections that a new password must not stand in."""

    def __init__(self, config: sections.BreachCheck) -> None:
        self._file = config.file
        self._source = _source(config) if config.url else None

    async def hold(self, password: str) -> bool:
        """Say whether any collection is known to have a password."""
        digest = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()
        return await self._in_file(digest) or await self._in_range(digest)

    async def close(self) -> None:
        """Let go of connections."""
        if self._source is not None:
            await self._source.close()

    async def _in_file(self, digest: str) -> bool:
        if not self._file:
            return False
        try:
            return await asyncio.to_thread(stands_in, self._file, digest)
        except OSError:
            _log.exception("the file of breached passwords cannot be read")
            return False

    async def _in_range(self, digest: str) -> bool:
        if self._source is None:
            return False
        try:
            lines = await self._source.suffixes(digest[:PREFIX])
        except OSError:
            _log.exception("the API of breached passwords gives no answer")
            return False
        return is_listed(lines, digest[PREFIX:])


def is_listed(lines: bytes, suffix: str) -> bool:
    """Find a suffix among an API's lines; what was seen no times is there to hide the answer."""
    for line in lines.splitlines():
        found, _, count = line.strip().partition(b":")
        if found.upper() == suffix.encode():
            return count.strip(b"0 ") != b""
    return False


def stands_in(path: str, digest: str) -> bool:
    """Find a hash in a file whose lines begin with hashes in their order, by bisection.

    Raises:
        OSError: The file cannot be read.
    """
    wanted = digest.encode()
    with open(path, "rb", buffering=_LONGEST_LINE) as file:  # noqa: PTH123  # a small buffer
        low, high = 0, os.fstat(file.fileno()).st_size
        while low < high:  # lines that begin before low are smaller, from high on they are not
            middle = (low + high) // 2
            line = _line_from(file, middle)
            if not line or line[: len(wanted)].upper() >= wanted:
                high = middle
            else:
                low = middle + 1
        return _line_from(file, low)[: len(wanted)].upper() == wanted


def _line_from(file: BinaryIO, position: int) -> bytes:
    """Give the first line that begins at a position or after it."""
    file.seek(max(position - 1, 0))
    if position:
        file.readline(_LONGEST_LINE)
    return file.readline(_LONGEST_LINE)


def _source(config: sections.BreachCheck) -> RangeSource:
    """Make the client of the API, which brings a library that nothing else needs."""
    from app.credentials.password_range import PasswordRange  # noqa: PLC0415

    return PasswordRange(config)
