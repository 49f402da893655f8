"""Literals: what the numbers, characters and quoted strings of a template stand for."""

import math
import re
from enum import Enum
from typing import Final

from app.claims.gotemplate_values import as_text


class TooLarge(Enum):
    """The type of `TOO_LARGE`."""

    TOO_LARGE = "too large"


TOO_LARGE: Final = TooLarge.TOO_LARGE
"""Stands for a whole number of 64 bits, which fails only where a run comes upon it."""

Number = int | float | complex | TooLarge

_NAMED = dict(zip("abfnrtv", b"\a\b\f\n\r\t\v", strict=True))
_ESCAPE = re.compile(
    r"\\(?:(?P<name>[abfnrtv\\'\"])|x(?P<byte>[0-9a-fA-F]{2})|(?P<octal>[0-7]{3})"
    r"|u(?P<short>[0-9a-fA-F]{4})|U(?P<long>[0-9a-fA-F]{8})|)"
)
_INTEGER = re.compile(
    r"[+-]?(?:0[xX](?:_?[0-9a-fA-F])++|0[oO](?:_?[0-7])++|0[bB](?:_?[01])++"
    r"|0(?:_?[0-7])*+|[1-9](?:_?[0-9])*+)"
)
_DIGITS = r"[0-9](?:_?[0-9])*+"
_DECIMAL = rf"[+-]?(?:{_DIGITS}(?:\.(?:{_DIGITS})?)?|\.{_DIGITS})(?:[eE][+-]?{_DIGITS})?"
_HEXADECIMAL = r"[+-]?0[xX][0-9a-fA-F_]*+\.?[0-9a-fA-F]*+[pP][+-]?[0-9]++"
_FLOAT = re.compile(rf"{_HEXADECIMAL}|{_DECIMAL}")
_COMPLEX = re.compile(rf"(?:({_FLOAT.pattern})(?=[+-]))?({_FLOAT.pattern})i")
_OCTAL = re.compile(r"([+-]?)0_?([0-7][0-7_]*+)")
_INT64_END, _UINT64_END = 2**63, 2**64
_MAX_CODE = 0x10FFFF


def unquote(token: str) -> str:
    """Give what a string in quotes or backquotes says.

    Raises:
        ValueError: It has an escape that the language does not know.
    """
    body = token[1:-1]
    if token.startswith("`"):
        return body.replace("\r", "")
    if "\\" not in body:
        return body
    parts, position = [], 0
    for found in _ESCAPE.finditer(body):
        parts += [body[position : found.start()].encode(), _escaped(found, '"')]
        position = found.end()
    return as_text(b"".join([*parts, body[position:].encode()]))


def character(token: str) -> int:
    """Give the code point of the one character between single quotes.

    Raises:
        ValueError: There is none, or more than one, or its escape is unknown.
    """
    body = token[1:-1]
    if found := _ESCAPE.fullmatch(body):
        data = _escaped(found, "'")
        return data[0] if len(data) == 1 else ord(data.decode())
    if len(body) != 1:
        raise ValueError
    return ord(body)


def number(token: str) -> Number:
    """Read a number.

    Raises:
        ValueError: It is none, or greater than any that the language can hold.
    """
    if parts := _COMPLEX.fullmatch(token):
        return complex(_float(parts[1]) if parts[1] else 0, _float(parts[2]))
    if _INTEGER.fullmatch(token):
        return _integer(token)
    if not _FLOAT.fullmatch(token) or not re.search("[.eEpP]", token):
        raise ValueError
    return _float(token)


def _escaped(found: re.Match[str], quote: str) -> bytes:
    written = found[found.lastgroup] if found.lastgroup else ""
    match found.lastgroup:
        case "name" if written in ("\\", quote):
            return written.encode()
        case "name":
            return bytes([_NAMED[written]]) if written in _NAMED else _refuse()
        case "byte":
            return bytes.fromhex(written)
        case "octal":
            return bytes([int(written, 8)])
        case "short" | "long" if int(written, 16) <= _MAX_CODE:
            return chr(int(written, 16)).encode()
        case _:
            return _refuse()


def _refuse() -> bytes:
    raise ValueError


def _integer(token: str) -> int | TooLarge:
    octal = _OCTAL.fullmatch(token)
    value = int(octal[1] + octal[2], 8) if octal else int(token, 0)
    if -_INT64_END <= value < _INT64_END:
        return value
    if token[0] in "+-" or value >= _UINT64_END:
        raise ValueError
    return TOO_LARGE


def _float(token: str) -> float:
    try:
        is_hexadecimal = "x" in token.lower()
        value = float.fromhex(token.replace("_", "")) if is_hexadecimal else float(token)
    except OverflowError:
        raise ValueError from None
    if math.isinf(value):
        raise ValueError
    return value
