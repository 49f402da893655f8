"""JSON texts turned into claims: numbers as they were written, the last of equal keys counts.

A value read here and written again is never longer than the text that it was read from: blanks
and escapes that JSON does not demand go, numbers keep their spelling.
"""

import re
from json.decoder import JSONDecoder
from typing import Never

from app.strictjson import Json, depth, exact_number

MAX_DEPTH = 48
"""How deep a claim may nest, with room for a bag of 32 levels inside other things."""

_SURROGATE = re.compile("[\ud800-\udfff]")


def read(text: str) -> Json:
    """Read one JSON value.

    Raises:
        ValueError: It is none, or has a number out of range, or nests too deeply.
    """
    try:
        value = _decoder.decode(text)
    except RecursionError:
        raise ValueError from None
    if text.count("[") + text.count("{") > MAX_DEPTH and depth(value) > MAX_DEPTH:
        raise ValueError
    # Half of a surrogate pair can only come from an escape.
    return without_halves(value) if "\\u" in text else value


def without_halves(value: Json) -> Json:
    """Put U+FFFD in the place of every half of a surrogate pair, which UTF-8 cannot carry."""
    match value:
        case str():
            return _SURROGATE.sub("\ufffd", value)
        case list():
            return [without_halves(item) for item in value]
        case dict():
            return {without_halves(k): without_halves(item) for k, item in value.items()}
        case _:
            return value


def _refuse_constant(_name: str) -> Never:
    raise ValueError


_decoder = JSONDecoder(
    parse_float=exact_number, parse_int=exact_number, parse_constant=_refuse_constant
)
