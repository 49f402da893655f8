"""JSON, read strictly and written compactly: the one parser and the one printer (SEC-105).

Numbers keep what the sender wrote: an integer beyond 64 bits and every fraction stay text
(`msgspec.Raw`) inside the parsed value, so that `1.10` and a 40-digit account number come back as
they went in.
"""

import json
import math
from collections.abc import Iterator
from decimal import Decimal
from json.decoder import JSONDecoder
from typing import Any

import msgspec

Json = Any
"""A parsed value: dict, list, str, bool, None, int, or `msgspec.Raw` for a number kept as text."""

MAX_DEPTH = 32
"""How deep a value may nest; the envelope that carries it (GraphQL variables) adds four more."""

ENVELOPE_DEPTH = 4
_INT64 = range(-(2**63), 2**63)
_MAX_DIGITS = 4_000
_MAX_EXPONENT = 400  # PostgreSQL's numeric ends at 16,383 digits behind the point
_encoder = msgspec.json.Encoder()
_sorting_encoder = msgspec.json.Encoder(order="deterministic")


class NotJson(ValueError):
    """The text is not JSON as we accept it; the message says why and quotes nothing."""


def parse(body: bytes) -> Json:
    """Read one JSON value.

    Raises:
        NotJson: Not UTF-8, a byte order mark, a syntax error, trailing text, a key twice in an
            object, NaN or Infinity, a number no computer can hold, or nesting deeper than
            `MAX_DEPTH` below its envelope.
    """
    try:
        value = _decoder.decode(body.decode("utf-8"))
    except UnicodeDecodeError:
        raise NotJson("The text is not UTF-8.") from None
    except json.JSONDecodeError as error:
        raise NotJson(f"The text is no JSON value (at character {error.pos}).") from None
    except RecursionError:
        raise NotJson("The value is nested too deeply.") from None
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH:
        _refuse_depth(value)
    return value


def encode(value: Json) -> str:
    """Write *value* compactly: no spaces, no escapes but those JSON demands."""
    return _encoder.encode(value).decode("utf-8")


def encode_bytes(value: Json) -> bytes:
    """Write *value* as UTF-8; `msgspec.Raw` parts pass through untouched."""
    return _encoder.encode(value)


def exact_number(text: str) -> int | msgspec.Raw:
    """Keep a JSON number: as `int` where 64 bits hold it, else as its own text.

    Raises:
        NotJson: Its magnitude has no finite double, or it has too many digits or too great an
            exponent for a database to compute with.
    """
    if len(text) > _MAX_DIGITS or not math.isfinite(float(text)) or _is_extreme(text):
        raise NotJson("A number is out of range.")
    if text.lstrip("-").isdigit():
        number = int(text)
        return number if number in _INT64 and text != "-0" else msgspec.Raw(text.encode())
    return msgspec.Raw(text.encode())


def canonical(text: str) -> str:
    """Rewrite JSON so that equal values are equal texts: sorted keys, one spelling of numbers."""
    value = json.loads(text, parse_int=_one_spelling, parse_float=_one_spelling)
    return _sorting_encoder.encode(value).decode("utf-8")


def has_more_than(value: Json, most: int) -> bool:
    """Say whether *value* is made of more than *most* values."""
    todo, count = [value], 0
    while todo:
        node = todo.pop()
        count += 1
        if count > most:
            return True
        if isinstance(node, dict | list):
            todo.extend(_children(node))
    return False


def depth(value: Json) -> int:
    """Count how many objects and arrays stand around the innermost value."""
    deepest = 0
    todo = [(value, 0)]
    while todo:
        node, above = todo.pop()
        if isinstance(node, dict | list):
            deepest = max(deepest, above + 1)
            todo.extend((child, above + 1) for child in _children(node))
    return deepest


def _children(node: dict[str, Json] | list[Json]) -> Iterator[Json]:
    return iter(node.values() if isinstance(node, dict) else node)


def _refuse_depth(value: Json) -> None:
    if depth(value) > MAX_DEPTH + ENVELOPE_DEPTH:
        raise NotJson("The value is nested too deeply.")


def _is_extreme(number: str) -> bool:
    exponent = number.lower().partition("e")[2]
    return abs(int(exponent or 0)) > _MAX_EXPONENT


def _one_spelling(number: str) -> msgspec.Raw:
    """Write a number as its digits without trailing zeros, and a power of ten."""
    sign, digits, exponent = Decimal(number).as_tuple()
    kept = "".join(map(str, digits)).rstrip("0")
    if not kept:
        return msgspec.Raw(b"0")
    power = int(exponent) + len(digits) - len(kept)
    return msgspec.Raw(f"{'-' * sign}{kept}e{power}".encode())


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NotJson("An object holds the same key twice.")
    return found


def _refuse_constant(_name: str) -> Json:
    raise NotJson("NaN and Infinity are not JSON.")


_decoder = JSONDecoder(
    object_pairs_hook=_unique,
    parse_float=exact_number,
    parse_int=exact_number,
    parse_constant=_refuse_constant,
)
