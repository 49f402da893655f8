"""Structured logs: one JSON object a line, whatever the values hold (SEC-116, SEC-117).

Callers name what they log; nothing here prints a whole object, so a secret can only be logged by
writing its name down. Requests have a stream of their own that gathers lines and writes them
together, since a write for every request would cost more than answering it.
"""

import json
import logging
import sys
import traceback
import unicodedata
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Protocol, TextIO

import msgspec

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "color_message"}
_encoder = msgspec.json.Encoder(enc_hook=str)
_FLUSH_AT = 64
AUDIT = "sekisho.audit"


class Named(Protocol):
    """What a line can belong to."""

    def named(self) -> Mapping[str, str]:
        """Give the ids that the line is to carry."""


asked_by: ContextVar[Named | None] = ContextVar("asked_by", default=None)
"""The request that is being answered, whose ids every line carries that is written meanwhile."""


def configure(
    level: str = "INFO", stream: TextIO | None = None, *, audit: TextIO | None = None
) -> None:
    """Send every logger of the process through the JSON formatter.

    Args:
        level: The least level that is written.
        stream: Where to; the standard error unless given.
        audit: Where audit records go, whatever the level; where the rest goes unless given.
    """
    root = logging.getLogger()
    root.handlers[:] = [_handler(stream or sys.stderr)]
    root.setLevel(level)
    records = logging.getLogger(AUDIT)
    records.handlers[:] = [] if audit is None else [_handler(audit)]
    records.setLevel(logging.NOTSET if audit is None else logging.INFO)
    records.propagate = audit is None
    for chatty in ("uvicorn", "piccolo", "asyncio", "httpx2", "httpcore2", "urllib3"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _handler(stream: TextIO) -> logging.Handler:
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    return handler


class JsonLines(logging.Formatter):
    """Turns a record into one line: time, level, logger, message, then the fields.

    First the ids of the request that is being answered, then the caller's own.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Give the line without its newline."""
        fields: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        request = asked_by.get()
        if request is not None:
            fields |= request.named()
        fields |= {k: v for k, v in record.__dict__.items() if k not in _STANDARD}
        if record.exc_info and record.exc_info[1]:
            fields["trace"] = _trace(record.exc_info[1])
        return line(fields)


class RequestLog:
    """The access log: what was asked, how it was answered, how long it took.

    Lines wait until a few have gathered or `flush` is called; the server calls it every moment and
    when it stops.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._lines: list[str] = []

    def write(self, fields: dict[str, Any]) -> None:
        """Add a line."""
        self._lines.append(line(fields))
        if len(self._lines) >= _FLUSH_AT:
            self.flush()

    def flush(self) -> None:
        """Hand everything gathered to the stream."""
        if self._lines:
            lines, self._lines = self._lines, []
            self._stream.write("\n".join(lines) + "\n")
            self._stream.flush()


def line(fields: dict[str, Any]) -> str:
    """Write *fields* as one line of JSON in which no character starts a new one (SEC-117)."""
    try:
        return _printable(_encoder.encode(fields).decode("utf-8"))
    except UnicodeEncodeError:  # half of a surrogate pair, which only the slower printer escapes
        return json.dumps(fields, default=str, skipkeys=True)


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    if unicodedata.category(character) == "Zs":
        return character
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))


def _trace(error: BaseException) -> list[str]:
    """Name the frames of *error* and its kind; its own words may quote a caller's value."""
    frames = traceback.extract_tb(error.__traceback__)
    return [f"{f.filename}:{f.lineno} {f.name}" for f in frames] + [type(error).__name__]
