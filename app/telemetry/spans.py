"""Spans: the parts that the time of a request is made of.

What costs time says so by `with span(...)`. A span is made only inside of a trace, which the gate
and the worker begin where a tracer is configured; everywhere else `span` gives one object that does
nothing. No library is imported here.

Names and attributes are of our own making: a statement without its parameters, a host, an outcome.
Nothing that a caller has sent stands in them, and of an error no more than its kind (SEC-116).
"""

import contextlib
import re
from collections.abc import Iterator, Mapping
from contextvars import ContextVar, Token
from functools import lru_cache
from types import TracebackType
from typing import Literal, Protocol, Self

Kind = Literal["internal", "server", "client", "consumer"]
Value = str | int | bool
Attributes = Mapping[str, Value]
_NONE: Attributes = {}
_SUMMARY = re.compile(r'\s*(\w+)(?:(?:(?<=UPDATE)|.*?\b(?:FROM|INTO))\s+"?(\w+))?', re.DOTALL)
_SYSTEMS = {"postgres": "postgresql"}


class NoFailure(Exception):  # no error: it is a way out of a block
    """What is raised to leave a block, and not since something has failed; no span says it did."""


class Span(Protocol):
    """A span that is recorded."""

    @property
    def trace_id(self) -> str:
        """Give the id of its trace, in hexadecimal."""

    def child(self, name: str, kind: Kind, attributes: Attributes) -> "Span":
        """Begin a span within it."""

    def rename(self, name: str) -> None:
        """Name it, once more is known."""

    def set(self, name: str, value: Value) -> None:
        """Add an attribute."""

    def fail(self, kind: str) -> None:
        """Mark it as failed, by the kind of the error."""

    def end(self) -> None:
        """End it."""


class Tracer(Protocol):
    """Begins traces, and sends them where they are collected."""

    def begin(
        self, name: str, kind: Kind, attributes: Attributes, caller: Mapping[str, str]
    ) -> Span | None:
        """Begin a trace, or go on with the caller's; None where it is not recorded.

        Args:
            name: What it is called.
            kind: What part it plays.
            attributes: What is known of it.
            caller: The headers by which a caller names its own trace (W3C Trace Context).
        """

    async def close(self) -> None:
        """Send what is left, within a few seconds."""


_current: ContextVar[Span | None] = ContextVar("span", default=None)
_tracer: ContextVar[Tracer | None] = ContextVar("tracer", default=None)


class Part:
    """A span while it lasts: what is called inside of the block makes its children."""

    __slots__ = ("_span", "_token")

    def __init__(self, span: Span) -> None:
        self._span = span
        self._token: Token[Span | None]

    def __enter__(self) -> Self:
        self._token = _current.set(self._span)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _current.reset(self._token)
        self.end(kind)

    def end(self, error: type[BaseException] | None = None) -> None:
        """End the span where no block does, with the kind of what was raised."""
        if error is not None and not issubclass(error, NoFailure):
            self._span.fail(error.__name__)
        self._span.end()

    def rename(self, name: str) -> None:
        """Name the span, once more is known."""
        self._span.rename(name)

    def set(self, name: str, value: Value) -> None:
        """Add an attribute."""
        self._span.set(name, value)

    def fail(self, kind: str) -> None:
        """Mark the span as failed, by the kind of the error."""
        self._span.fail(kind)


class _Nothing(Part):
    """What stands for a span where nothing is traced."""

    __slots__ = ()

    def __init__(self) -> None:
        """Hold nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End nothing."""

    def end(self, error: type[BaseException] | None = None) -> None:
        """End nothing."""

    def rename(self, name: str) -> None:
        """Name nothing."""

    def set(self, name: str, value: Value) -> None:
        """Add nothing."""

    def fail(self, kind: str) -> None:
        """Mark nothing."""


NOTHING = _Nothing()


def span(name: str, attributes: Attributes = _NONE, *, kind: Kind = "internal") -> Part:
    """Begin a span within the one that is open; outside of a trace there is none."""
    parent = _current.get()
    return NOTHING if parent is None else Part(parent.child(name, kind, attributes))


def statement(sql: str, dialect: str) -> Part:
    """Begin the span of a statement: its text has `$1` where its parameters stand."""
    parent = _current.get()
    if parent is None:
        return NOTHING
    summary, text = _summary(sql)
    attributes = {
        "db.system.name": _SYSTEMS.get(dialect, dialect),
        "db.query.summary": summary,
        "db.query.text": text,
    }
    return Part(parent.child(summary, "client", attributes))


def begin(
    tracer: Tracer | None,
    name: str,
    attributes: Attributes = _NONE,
    *,
    kind: Kind = "internal",
    caller: Mapping[str, str] | None = None,
) -> Part:
    """Begin a trace.

    Args:
        tracer: Who records it; None where nobody does.
        name: What it is called.
        attributes: What is known of it.
        kind: What part it plays.
        caller: The headers by which a caller names its own trace.
    """
    begun = tracer.begin(name, kind, attributes, caller or {}) if tracer is not None else None
    return NOTHING if begun is None else Part(begun)


def work(name: str, attributes: Attributes = _NONE, *, kind: Kind = "consumer") -> Part:
    """Begin the span of a piece of work: within the open one, or else as a trace of its own."""
    if _current.get() is not None:
        return span(name, attributes, kind=kind)
    return begin(_tracer.get(), name, attributes, kind=kind)


@contextlib.contextmanager
def tracing(tracer: Tracer | None) -> Iterator[None]:
    """Let `work` in this block, and in the tasks that are made in it, begin traces."""
    token = _tracer.set(tracer)
    try:
        yield
    finally:
        _tracer.reset(token)


def is_traced() -> bool:
    """Say whether spans are recorded here."""
    return _current.get() is not None


def trace_id() -> str:
    """Give the id of the trace that is recorded here, or an empty text."""
    found = _current.get()
    return "" if found is None else found.trace_id


@lru_cache(512)
def _summary(sql: str) -> tuple[str, str]:
    """Name a statement by its verb and its table, and write it on one line."""
    found = _SUMMARY.match(sql)
    parts = found.groups() if found is not None else ()
    return " ".join(part for part in parts if part) or "SQL", " ".join(sql.split())
