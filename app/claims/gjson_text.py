"""JSON as text: where values begin and end, and what they say.

The path language answers with the exact spelling of its source, so a value here is a stretch of
text and never a Python object. Documents may be malformed: what is read from them is then
unspecified, but nothing fails. Every pattern is possessive (`*+`), so none of them backtracks, and
all work is counted, so that one lookup ends in bounded time (SEC-124).
"""

import json
import math
import re
from collections.abc import Iterator
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple, Never

MAX_DEPTH = 512
"""Levels of arrays and objects that a document may have; metadata has at most 32."""

MAX_NESTING = 32
"""Paths that may run inside one another: multipaths, queries, parts after `#.`, and `@dig`."""

MAX_STEPS = 30_000
"""Units of work that one lookup may take, each about half a microsecond."""

CHARACTERS_PER_STEP = 64
"""Characters that copying or decoding handles in one unit of work."""

_SCANNING, _UNQUOTING, _UNESCAPING = 3, 2, 6
"""Units of work for the next element or member, for a string's text, and for one with escapes."""

STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?+'
"""The pattern of a JSON string; one left open runs to the end of the text."""

_VALUE = rf"(?:([\[{{])|({STRING})|([0-9+\-tfniIN][^\x00-\x20,:\]}}]*+))"
_NO_VALUE = r'[^"\[\]{}0-9+\-tfniIN]*+'
_FIRST = re.compile(rf"[\x00-\x20]*+{_VALUE}?", re.DOTALL)
_ELEMENT = re.compile(rf"{_NO_VALUE}{_VALUE}?", re.DOTALL)
_MEMBER = re.compile(rf'[^"\[\]{{}}]*+(?:({STRING}){_NO_VALUE}{_VALUE})?', re.DOTALL)
_CONTAINER, _KEY = 1, 1  # groups: what opens a container, in a member counted from its key on
_BRACKET = re.compile(rf'(?:[^"\[\]{{}}]++|{STRING})*+([\[\]{{}}])?', re.DOTALL)
_NO_SPACE = re.compile(rf'(?:{STRING}|[^"\x00-\x20]++)++', re.DOTALL)
_DECODABLE = re.compile(r'(?:[^\\"]++|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*+')
_SURROGATE = re.compile("[\ud800-\udfff]")
_INTEGER = re.compile(r"-?[0-9]++")
_NUMBER = re.compile(
    r"[+-]?(?:(?:[0-9]++\.?+[0-9]*+|\.[0-9]++)(?:e[+-]?[0-9]++)?|inf(?:inity)?)|nan",
    re.IGNORECASE,
)
_UNSAFE_IN_HTML = str.maketrans({c: f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"})


class Refused(Exception):
    """The lookup would take more work, or go deeper, than a lookup may."""


class Type(StrEnum):
    """What a result is; `NONE` where there is none."""

    NONE = "none"
    NULL = "Null"
    FALSE = "False"
    NUMBER = "Number"
    TRUE = "True"
    STRING = "String"
    JSON = "JSON"


_TYPES = dict.fromkeys("0123456789+-iIN", Type.NUMBER) | {
    "{": Type.JSON,
    "[": Type.JSON,
    '"': Type.STRING,
    "t": Type.TRUE,
    "f": Type.FALSE,
}


class Work:
    """What one lookup may still do."""

    __slots__ = ("nesting", "steps")

    def __init__(self) -> None:
        self.steps = MAX_STEPS
        self.nesting = MAX_NESTING

    def spend(self, steps: int) -> None:
        """Pay for work about to be done.

        Raises:
            Refused: Nothing is left to pay with.
        """
        self.steps -= steps
        if self.steps < 0:
            raise Refused

    def copy(self, characters: int) -> None:
        """Pay for going through that many characters at the speed of copying.

        Raises:
            Refused: Nothing is left to pay with.
        """
        self.spend(characters // CHARACTERS_PER_STEP)

    def enter(self) -> None:
        """Begin a path inside another.

        Raises:
            Refused: Too many are under way.
        """
        self.nesting -= 1
        if self.nesting < 0:
            raise Refused

    def leave(self) -> None:
        """End the path begun last."""
        self.nesting += 1


class Source:
    """A JSON text and, as far as they were asked for, the ends of its arrays and objects."""

    __slots__ = ("_ends", "text", "work")

    def __init__(self, text: str, work: Work) -> None:
        work.copy(len(text))
        self.text = text
        self.work = work
        self._ends: dict[int, int] = {}

    def value(self) -> "Value":
        """Give the first value; an array or object takes in all the text behind it."""
        if (found := self.scan(_FIRST, 0)) and (group := found.lastindex):
            start, end = found.span(group)
            return Value(self, start, len(self.text) if group == _CONTAINER else end)
        return Value(self, 0, 0)

    def scan(self, wanted: re.Pattern[str], position: int) -> re.Match[str] | None:
        """Match what comes next, with a group for what it holds or none where nothing is left."""
        found = wanted.match(self.text, position)
        length = found.end() - position if found else 0
        self.work.spend(_SCANNING + length // CHARACTERS_PER_STEP)
        return found

    def end(self, start: int) -> int:
        """Find where the array or object starting here ends; one left open ends with the text."""
        if start not in self._ends:
            self._find_ends(start)
        return self._ends[start]

    def check_depth(self) -> None:
        """Make sure that the value is not nested deeper than `MAX_DEPTH`.

        Raises:
            Refused: It is.
        """
        # Counting is far quicker than scanning and clears nearly every document.
        if self.text.count("[") + self.text.count("{") > MAX_DEPTH:
            root = self.value()
            if root.type is Type.JSON:
                self.end(root.start)

    def _find_ends(self, start: int) -> None:
        # Notes the ends of everything inside as well, so that nothing is scanned twice.
        still_open: list[int] = []
        for found in _BRACKET.finditer(self.text, start):
            self.work.spend(1 + (found.end() - found.start()) // CHARACTERS_PER_STEP)
            if found[1] is None:
                break
            if found[1] in "[{":
                still_open.append(found.start(1))
                if len(still_open) > MAX_DEPTH:
                    raise Refused
            else:
                self._ends[still_open.pop()] = found.end()
                if not still_open:
                    return
        self._ends.update(dict.fromkeys(still_open, len(self.text)))


class Value(NamedTuple):
    """A value in a text; an empty stretch stands for no value."""

    source: Source
    start: int
    end: int

    @property
    def raw(self) -> str:
        """The value as its source spells it."""
        return self.source.text[self.start : self.end]

    @property
    def type(self) -> Type:
        """What the value is, which its first character tells."""
        if self.start == self.end:
            return Type.NONE
        first = self.source.text[self.start]
        if first == "n":
            # `nul` is still null, but `nan` and, for want of anything better, `not` are numbers.
            return Type.NULL if self.raw[1:2] in ("", "u") else Type.NUMBER
        return _TYPES.get(first, Type.NONE)

    @property
    def exists(self) -> bool:
        """Whether there is a value."""
        return self.start < self.end

    @property
    def is_array(self) -> bool:
        """Whether the value is an array."""
        return self.exists and self.source.text[self.start] == "["

    @property
    def is_object(self) -> bool:
        """Whether the value is an object."""
        return self.exists and self.source.text[self.start] == "{"

    def string(self) -> str:
        """Convert the value to a string: what a template prints."""
        match self.type:
            case Type.STRING:
                body = self.raw[1:].removesuffix('"')
                self.source.work.spend(_UNESCAPING if "\\" in body else _UNQUOTING)
                self.source.work.copy(len(body))
                return unescape(body)
            case Type.NUMBER:
                return _decimal(self.raw)
            case Type.TRUE | Type.FALSE:
                return self.type.lower()
            case Type.JSON:
                return self.raw
            case _:
                return ""

    def elements(self) -> "Iterator[Value]":
        """Go through the elements of an array."""
        source, position = self.source, self.start + 1
        while (found := source.scan(_ELEMENT, position)) and (group := found.lastindex):
            start, end = found.span(group)
            position = source.end(start) if group == _CONTAINER else end
            yield Value(source, start, position)

    def members(self) -> "Iterator[tuple[Value, Value]]":
        """Go through the keys and values of an object."""
        source, position = self.source, self.start + 1
        while (found := source.scan(_MEMBER, position)) and (group := found.lastindex):
            start, end = found.span(group)
            position = source.end(start) if group == _KEY + _CONTAINER else end
            yield Value(source, *found.span(_KEY)), Value(source, start, position)

    def children(self) -> "Iterator[Value]":
        """Go through what an array or object holds; nothing for any other value."""
        if self.is_array:
            yield from self.elements()
        elif self.is_object:
            yield from (value for _, value in self.members())

    def as_lines(self) -> str:
        """Give the text to read as JSON lines: of a text's first value, all that follows too."""
        is_first = self == self.source.value()
        return self.source.text[self.start :] if is_first else self.raw

    def derive(self, text: str) -> "Value":
        """Give the value of a new text, made from this one at this lookup's expense."""
        return Source(text, self.source.work).value()


def unescape(body: str) -> str:
    r"""Decode what stands between the quotes of a JSON string.

    An escape that JSON does not know ends the text. Half of a surrogate pair becomes U+FFFD.
    """
    if "\\" not in body:
        return body
    known = _DECODABLE.match(body)
    decoded: str = json.loads(f'"{known[0] if known else ""}"', strict=False)
    return _SURROGATE.sub("\ufffd", decoded)


def quote(text: str) -> str:
    """Write text as a JSON string that is also safe inside HTML."""
    return json.dumps(text, ensure_ascii=False).translate(_UNSAFE_IN_HTML)


def is_valid(text: str) -> bool:
    """Say whether the text is one valid JSON value."""
    try:
        # As text, numbers cost nothing to convert and none has too many digits.
        json.loads(text, parse_int=str, parse_float=str, parse_constant=_refuse_constant)
    except ValueError:
        return False
    return True


def without_spaces(text: str) -> str:
    """Remove the spaces between the tokens of a JSON text."""
    return "".join(_NO_SPACE.findall(text))


def number(text: str) -> float:
    """Read a number; whatever is none counts as 0."""
    return float(text) if _NUMBER.fullmatch(text) else 0.0


def _decimal(raw: str) -> str:
    if _INTEGER.fullmatch(raw):
        return raw
    value = number(raw)
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if math.isnan(value):
        return "NaN"
    return format(Decimal(repr(value)), "f").removesuffix(".0")


def _refuse_constant(_name: str) -> Never:
    raise ValueError
