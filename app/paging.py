"""Pages by key: a cursor says where the last row stood, so depth costs nothing."""

import base64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar
from uuid import UUID

from app.errors import Invalid

DEFAULT_PAGE = 20
MAX_PAGE = 100
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
T = TypeVar("T")


class PageRefused(Invalid):
    """The arguments do not describe a page."""

    code = "page_refused"
    message = "The page cannot be given."


@dataclass(frozen=True, slots=True)
class Position:
    """Where a row stands in an order by time, then id."""

    at: datetime
    id: UUID

    def cursor(self) -> str:
        """Write it as opaque text: eight bytes of microseconds, sixteen of id, in base64url."""
        micros = (self.at - _EPOCH) // timedelta(microseconds=1)
        raw = micros.to_bytes(8, signed=True) + self.id.bytes
        return base64.urlsafe_b64encode(raw).decode()

    @classmethod
    def read(cls, cursor: str, name: str) -> "Position":
        """Read a cursor; a forged one is at worst another place in the same list (SEC-098).

        Raises:
            PageRefused: It is no cursor of ours.
        """
        try:
            raw = base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True)
            micros = int.from_bytes(raw[:8], signed=True)
            return cls(_EPOCH + timedelta(microseconds=micros), UUID(bytes=raw[8:]))
        except (ValueError, OverflowError):
            raise PageRefused(f"`{name}` is no cursor of this list.", path=(name,)) from None


@dataclass(frozen=True, slots=True)
class PageRequest:
    """What a caller asks for: so many from one end, past a position."""

    size: int = DEFAULT_PAGE
    backwards: bool = False
    beyond: Position | None = None

    @classmethod
    def of(
        cls,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> "PageRequest":
        """Read the four arguments of a connection.

        Raises:
            PageRefused: Both directions at once, a size outside 0 to 100, or no cursor of ours.
        """
        backwards = last is not None or before is not None
        if backwards and (first is not None or after is not None):
            raise PageRefused("Ask for `first`/`after` or for `last`/`before`, not for both.")
        name, size = ("last", last) if backwards else ("first", first)
        wanted = DEFAULT_PAGE if size is None else size
        if not 0 <= wanted <= MAX_PAGE:
            raise PageRefused(f"`{name}` must be between 0 and {MAX_PAGE}.", path=(name,))
        cursor, where = (before, "before") if backwards else (after, "after")
        return cls(wanted, backwards, Position.read(cursor, where) if cursor is not None else None)


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows in order, and whether there are more on either side."""

    items: tuple[T, ...]
    has_next: bool
    has_previous: bool

    @classmethod
    def of(cls, found: list[T], asked: PageRequest) -> "Page[T]":
        """Make a page of the rows found, one more than asked for where there are more."""
        more = len(found) > asked.size
        kept = found[: asked.size]
        behind = asked.beyond is not None
        if asked.backwards:
            return cls(tuple(reversed(kept)), has_next=behind, has_previous=more)
        return cls(tuple(kept), has_next=more, has_previous=behind)
