"""Printing values: all that templates write goes through here, and none of it without end."""

from collections.abc import Sequence
from dataclasses import replace

from app.claims.errors import TemplateRunError
from app.claims.gjson_text import Work
from app.claims.gotemplate_format import Directive, Scalar, padded, scalar
from app.claims.gotemplate_values import (
    MAX_TEXT,
    NO_VALUE,
    Byte,
    Kind,
    NoValue,
    Object,
    Value,
    as_value,
    joined,
    kind,
)

MAX_DEPTH = 64
"""How deep lists and maps may nest that are printed."""

_PLAIN = Directive("v")


class Printer:
    """A text in the making, paid for as it grows."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._parts: list[str] = []
        self._room = MAX_TEXT

    def write(self, text: str) -> None:
        """Add text.

        Raises:
            TemplateRunError: The whole becomes too long.
        """
        self._room -= len(text)
        if self._room < 0:
            raise TemplateRunError("The template makes too long a text.")
        self._work.copy(len(text))
        self._parts.append(text)

    def value(self, value: Value, directive: Directive = _PLAIN) -> None:
        """Add a value.

        Raises:
            TemplateRunError: The whole becomes too long, or the value nests too deeply.
        """
        if max(directive.width or 0, directive.precision or 0) > MAX_TEXT:
            raise TemplateRunError("A width or precision is too great.")
        if value is None or value is NO_VALUE:
            is_fit = directive.verb in "Tv"
            self.write(padded("<nil>", directive) if is_fit else f"%!{directive.verb}(<nil>)")
        elif directive.verb == "T":
            self.write(padded(type_name(value)[: directive.precision], directive))
        else:
            self._any(value, directive, MAX_DEPTH)

    def text(self) -> str:
        """Give the text as a whole."""
        return joined("".join(self._parts))

    def _any(self, data: object, directive: Directive, depth: int) -> None:
        self._work.spend(_VALUE)
        match as_value(data):
            case list() as items:
                self._list(items, directive, depth)
            case dict() as members:
                self._map(members, directive, depth)
            case Object() as value:
                text = value.text()
                self._work.copy(_COMPOSING * len(text))
                self._scalar(value, text, directive)
            case None | NoValue():
                self.write("interface {}(nil)" if directive.in_go_syntax else "<nil>")
            case value:
                self._scalar(value, value, directive)

    def _scalar(self, value: Value, shown: Scalar, directive: Directive) -> None:
        if directive.verb == "q" and isinstance(shown, str):
            self._work.copy(_QUOTING * len(shown))
        elif directive.precision and isinstance(shown, float):
            self._work.copy(_FIGURING * directive.precision)
        text = scalar(shown, directive)
        if text is None:
            plain = scalar(shown, replace(directive, verb="v"))
            text = f"%!{directive.verb}({type_name(value)}={plain})"
        self.write(text)

    def _list(self, items: list[object], directive: Directive, depth: int) -> None:
        start, comma, end = _LIST_IN_GO if directive.in_go_syntax else _LIST
        self.write(start)
        for position, item in enumerate(items):
            self.write(comma if position else "")
            self._any(item, directive, _deeper(depth))
        self.write(end)

    def _map(self, members: dict[str, object], directive: Directive, depth: int) -> None:
        start, comma, end = _MAP_IN_GO if directive.in_go_syntax else _MAP
        self.write(start)
        self._work.spend(len(members))
        for position, key in enumerate(sorted(members, key=str)):
            self.write(comma if position else "")
            self._any(key, directive, depth)
            self.write(":")
            self._any(members[key], directive, _deeper(depth))
        self.write(end)


def sprint(values: Sequence[Value], work: Work, *, is_spaced: bool = False) -> str:
    """Print values one after the other.

    A space goes between two of which neither is a string, or everywhere with *is_spaced*.
    """
    printer = Printer(work)
    for position, value in enumerate(values):
        beside = (value, values[position - 1])
        if position and (is_spaced or not any(isinstance(v, str) for v in beside)):
            printer.write(" ")
        printer.value(value)
    return printer.text()


def type_name(value: Value) -> str:
    """Name the type of a value as the language does."""
    if isinstance(value, Object):
        return f"*{value.name}"
    if isinstance(value, Byte):
        return "uint8"
    return _TYPE_NAMES[kind(value)]


_VALUE = 4
"""Units of work for one value."""

_COMPOSING, _QUOTING, _FIGURING = 8, 40, 8
"""How much dearer it is to print an object, to quote a text, to work out a figure than to copy."""

_LIST, _LIST_IN_GO = ("[", " ", "]"), ("[]interface {}{", ", ", "}")
_MAP, _MAP_IN_GO = ("map[", " ", "]"), ("map[string]interface {}{", ", ", "}")
_TYPE_NAMES = {
    Kind.NIL: "<nil>",
    Kind.BOOL: "bool",
    Kind.INT: "int",
    Kind.FLOAT: "float64",
    Kind.COMPLEX: "complex128",
    Kind.STRING: "string",
    Kind.LIST: "[]interface {}",
    Kind.MAP: "map[string]interface {}",
}


def _deeper(depth: int) -> int:
    if not depth:
        raise TemplateRunError("A value is nested too deeply to be printed.")
    return depth - 1
