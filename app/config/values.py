"""Kinds of values that YAML and the environment do not know: durations, secrets, addresses."""

import json
import re
from datetime import timedelta
from typing import Any

_UNITS = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "μs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_MAX_LENGTH = 64
_LONGEST = 1000 * 365 * 86400.0  # a clock that adds more runs out of years
_OCTAL = re.compile(r"[-+]?0[0-7]+")
_TRUE = ("1", "t", "T", "TRUE", "true", "True")
_FALSE = ("0", "f", "F", "FALSE", "false", "False")
_json = json.JSONDecoder()


class Secret:
    """A value that does not show itself when it is printed."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Give the value to the one place that needs it."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(********)" if self._value else "Secret(empty)"

    def __str__(self) -> str:
        return "********" if self._value else ""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)


class Duration(timedelta):
    """A span of time, written like `1h30m`."""


def parse_bool(text: str) -> bool:
    """Read a truth in one of the reference's spellings.

    Raises:
        ValueError: The text is none of them.
    """
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError("expected true or false")


def parse_int(text: str) -> int:
    """Read a whole number: decimal, `0x…`, `0o…`, `0b…`, or octal with a leading 0.

    Raises:
        ValueError: The text is none.
    """
    try:
        return int(text, 8 if _OCTAL.fullmatch(text) else 0)
    except ValueError:
        raise ValueError("expected a whole number") from None


def parse_objects(text: str) -> list[Any]:
    """Read JSON objects with `;` between them; one may hold a `;` itself.

    Raises:
        ValueError: The text is something else.
    """
    found, rest = [], text.strip()
    while rest:
        try:
            value, end = _json.raw_decode(rest)
        except ValueError:
            raise ValueError("expected JSON objects with ; between them") from None
        found.append(value)
        rest = rest[end:].lstrip()
        if rest and not rest.startswith(";"):
            raise ValueError("expected JSON objects with ; between them")
        rest = rest[1:].lstrip()
    return found


def parse_duration(text: str) -> Duration:
    """Read a duration such as `1h30m` or `500ms`; `0` needs no unit.

    Raises:
        ValueError: The text is no duration.
    """
    trimmed = text.strip()
    sign, body = (-1, trimmed[1:]) if trimmed.startswith("-") else (1, trimmed.removeprefix("+"))
    if body == "0":
        return Duration(0)
    if not body or len(body) > _MAX_LENGTH or _PART.sub("", body):
        raise ValueError(f"'{text}' is no duration; write it like 12h, 90m or 1h30m")
    seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(body))
    if seconds > _LONGEST:
        raise ValueError(f"'{text}' is longer than a thousand years")
    return Duration(seconds=sign * seconds)


def print_duration(value: timedelta) -> str:
    """Write a duration the way `parse_duration` reads it."""
    microseconds = value // timedelta(microseconds=1)
    if microseconds == 0:
        return "0s"
    sizes = (("h", 3600 * 10**6), ("m", 60 * 10**6), ("s", 10**6), ("ms", 1000), ("us", 1))
    return next(f"{microseconds // size}{unit}" for unit, size in sizes if microseconds % size == 0)


def parse_listener(text: str) -> tuple[str, int]:
    """Split `[host]:port`; no host means every interface.

    Raises:
        ValueError: There is no port between 0 and 65535.
    """
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:  # noqa: PLR2004  # the largest port
        raise ValueError(f"'{text}' is no address; write it like :8000 or 127.0.0.1:8000")
    return host.removeprefix("[").removesuffix("]"), int(port)
