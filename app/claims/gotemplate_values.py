"""The values that templates work on: JSON, objects of ours, and nothing at all.

No attribute of a Python object can be reached. A value is one of JSON's kinds, or an `Object` that
lists by name what a template may ask of it.

Strings count as UTF-8 bytes wherever a template counts or cuts. A character that was cut apart is
kept as lone surrogates, one for each byte, until its parts are joined again or leave as U+FFFD.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

import msgspec

from app.claims.errors import TemplateRunError
from app.claims.gjson_text import Work

MAX_TEXT = 16 * 1024
"""Characters that a text made by a template may have, and its whole output too."""


class NoValue(Enum):
    """The type of `NO_VALUE`."""

    NO_VALUE = "<no value>"


NO_VALUE: Final = NoValue.NO_VALUE
"""What a key gives that a map lacks, and everything looked up in that."""


class Byte(int):
    """A byte of a string, which is a number of its own kind only where a type is printed."""

    __slots__ = ()


Method = Callable[[Sequence[str], Work], str]
"""What an object does when it is called: texts and the work left in, a text out."""


@dataclass(frozen=True, slots=True, eq=False)
class Object:
    """An object of ours, of which templates reach the names listed here and nothing else.

    With `is_nil` it stands for an object that is absent: it has methods and a text, no fields.
    """

    name: str
    fields: Mapping[str, "Value"]
    methods: Mapping[str, Method]
    text: Callable[[], str]
    is_nil: bool = False


Value = (
    bool | int | float | complex | str | list[object] | dict[str, object] | Object | NoValue | None
)
"""Whatever a template can hold; what lists and maps hold passes through `as_value` when taken."""


class Kind(Enum):
    """What counts as the same kind where values are compared; the value names it in messages."""

    NIL = "nothing"
    BOOL = "a bool"
    INT = "an integer"
    FLOAT = "a float"
    COMPLEX = "a complex number"
    STRING = "a string"
    LIST = "a list"
    MAP = "a map"
    OBJECT = "an object"


def as_value(data: object) -> Value:
    """Take a value out of the data.

    Raises:
        TemplateRunError: It is nothing that JSON knows.
    """
    if isinstance(data, str | bool | float | list | dict | complex | Object | NoValue):
        return data
    if data is None or isinstance(data, Byte):
        return data
    if isinstance(data, int):
        return data if -_INT64_END <= data < _INT64_END else _as_float(data)
    if isinstance(data, msgspec.Raw):
        return _number(bytes(data))
    raise TemplateRunError("The data holds a value that templates do not know.")


def kind(value: Value) -> Kind:
    """Say of what kind a value is."""
    for known, type_ in _KINDS:
        if isinstance(value, type_):
            return known
    return Kind.NIL


def is_true(value: Value) -> bool:
    """Say whether a condition holds: all but false, zero, nothing and what is empty counts."""
    if isinstance(value, Object):
        return not value.is_nil
    return value is not NO_VALUE and bool(value)


def as_bytes(text: str) -> bytes:
    """Give a text's bytes, those of characters that were cut apart included."""
    if text.isascii():
        return text.encode()
    return _FOREIGN.sub("\ufffd", text).encode("utf-8", "surrogateescape")


def as_text(data: bytes) -> str:
    """Give the text of bytes that may begin or end inside a character."""
    return data.decode("utf-8", "surrogateescape")


def is_cut(character: str) -> bool:
    """Say whether this is one byte of a character that was cut apart."""
    return "\udc80" <= character <= "\udcff"


def joined(text: str) -> str:
    """Make whole the characters whose parts have come together again."""
    if text.isascii() or not _SURROGATE.search(text):
        return text
    return as_text(as_bytes(text))


def finished(text: str) -> str:
    """Make a text that UTF-8 can carry: what is left of a character becomes U+FFFD."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", joined(text))


_INT64_END = 2**63
_SURROGATE = re.compile("[\ud800-\udfff]")
_FOREIGN = re.compile("[\ud800-\udc7f\udd00-\udfff]")  # what surrogateescape does not know
_KINDS: tuple[tuple[Kind, type], ...] = (
    (Kind.STRING, str),
    (Kind.BOOL, bool),
    (Kind.INT, int),
    (Kind.FLOAT, float),
    (Kind.LIST, list),
    (Kind.MAP, dict),
    (Kind.OBJECT, Object),
    (Kind.COMPLEX, complex),
)


def _as_float(number: int) -> float:
    try:
        return float(number)
    except OverflowError:
        return float("inf") if number > 0 else float("-inf")


def _number(spelling: bytes) -> int | float:
    try:
        number = float(spelling)
        if spelling.removeprefix(b"-").isdigit() and abs(number) <= _INT64_END:
            exact = int(spelling)
            return exact if -_INT64_END <= exact < _INT64_END else number
    except ValueError:
        raise TemplateRunError("The data holds a number that cannot be read.") from None
    return number
