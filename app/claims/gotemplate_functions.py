"""The functions that a template can call; there are no others, and none can be added."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import quote_plus

from app.claims.errors import TemplateRunError
from app.claims.gjson_text import Work
from app.claims.gotemplate_comparison import equal, less
from app.claims.gotemplate_printf import sprintf
from app.claims.gotemplate_printing import sprint
from app.claims.gotemplate_values import (
    NO_VALUE,
    Byte,
    Kind,
    Value,
    as_bytes,
    as_text,
    as_value,
    is_cut,
    is_true,
    kind,
)

Arguments = Sequence[Value]


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """A function, and how many arguments it takes; without `most` there is no end to them."""

    call: Callable[[Arguments, Work], Value]
    least: int = 0
    most: int | None = None


def _not(arguments: Arguments, _work: Work) -> Value:
    return not is_true(arguments[0])


def _equal(arguments: Arguments, _work: Work) -> Value:
    first, *others = arguments
    if not others:
        raise TemplateRunError("eq compares at least two values.")
    return any(equal(first, other) for other in others)


def _unequal(arguments: Arguments, _work: Work) -> Value:
    return not equal(arguments[0], arguments[1])


def _less(arguments: Arguments, _work: Work) -> Value:
    return less(arguments[0], arguments[1])


def _less_or_equal(arguments: Arguments, _work: Work) -> Value:
    return less(arguments[0], arguments[1]) or equal(arguments[0], arguments[1])


def _greater(arguments: Arguments, work: Work) -> Value:
    return not _less_or_equal(arguments, work)


def _greater_or_equal(arguments: Arguments, _work: Work) -> Value:
    return not less(arguments[0], arguments[1])


def _length(arguments: Arguments, _work: Work) -> Value:
    match arguments[0]:
        case str() as text:
            return len(as_bytes(text))
        case list() | dict() as items:
            return len(items)
        case other:
            raise TemplateRunError(f"len cannot count {kind(other).value}.")


def _index(arguments: Arguments, _work: Work) -> Value:
    value, *indexes = arguments
    if kind(value) is Kind.NIL:
        raise TemplateRunError("index cannot look into nothing.")
    for index in indexes:
        value = _element(value, index)
    return value


def _element(value: Value, index: Value) -> Value:
    match value, index:
        case dict(), str():
            return as_value(value[index]) if index in value else NO_VALUE
        case list(), _:
            return as_value(value[_position(index, len(value) - 1)])
        case str(), _:
            data = as_bytes(value)
            return Byte(data[_position(index, len(data) - 1)])
        case _:
            kinds = kind(value).value, kind(index).value
            raise TemplateRunError(f"index does not look into {kinds[0]} by {kinds[1]}.")


def _slice(arguments: Arguments, work: Work) -> Value:
    value, *indexes = arguments
    if not isinstance(value, str | list) or len(indexes) > (3 if isinstance(value, list) else 2):
        raise TemplateRunError(f"slice cannot cut {kind(value).value} in this way.")
    items = as_bytes(value) if isinstance(value, str) else value
    bounds = [_position(index, len(items)) for index in indexes]
    if bounds != sorted(bounds):
        raise TemplateRunError("The bounds of slice are the wrong way round.")
    work.copy(len(items))
    start, stop, *_ = (*bounds, *(0, len(items))[len(bounds) :])
    return as_text(items[start:stop]) if isinstance(items, bytes) else items[start:stop]


def _position(index: Value, last: int) -> int:
    if kind(index) is not Kind.INT or not isinstance(index, int) or not 0 <= index <= last:
        raise TemplateRunError("There is nothing at that index.")
    return index


def _print(arguments: Arguments, work: Work) -> Value:
    return sprint(arguments, work)


def _print_line(arguments: Arguments, work: Work) -> Value:
    return sprint(arguments, work, is_spaced=True) + "\n"


def _print_formatted(arguments: Arguments, work: Work) -> Value:
    template, *values = arguments
    if not isinstance(template, str):
        raise TemplateRunError("printf takes a string first.")
    return sprintf(template, values, work)


def _html(arguments: Arguments, work: Work) -> Value:
    return _together(arguments, work, _ESCAPING).translate(_HTML)


def _js(arguments: Arguments, work: Work) -> Value:
    return _NOT_IN_JS.sub(_escaped_for_js, _together(arguments, work, _ESCAPING_FOR_JS))


def _url_query(arguments: Arguments, work: Work) -> Value:
    return quote_plus(as_bytes(_together(arguments, work, _ESCAPING)))


def _call(_arguments: Arguments, _work: Work) -> Value:
    raise TemplateRunError("There is no function that call could call.")


def _together(arguments: Arguments, work: Work, cost: int) -> str:
    shown = [str(NO_VALUE.value) if kind(a) is Kind.NIL else a for a in arguments]
    text = sprint(shown, work)
    work.copy(cost * len(text))
    return text


def _escaped_for_js(found: re.Match[str]) -> str:
    character = found[0]
    if character in "\\'\"":
        return "\\" + character
    is_shown = not character.isascii() and (character.isprintable() or is_cut(character))
    return character if is_shown else f"\\u{ord(character):04X}"


LAZY = {"and": False, "or": True}
"""Functions that take no argument more once they have one that is as false, or as true."""

FUNCTIONS = {
    "call": BuiltIn(_call, least=1),
    "eq": BuiltIn(_equal, least=1),
    "ge": BuiltIn(_greater_or_equal, least=2, most=2),
    "gt": BuiltIn(_greater, least=2, most=2),
    "html": BuiltIn(_html),
    "index": BuiltIn(_index, least=1),
    "js": BuiltIn(_js),
    "le": BuiltIn(_less_or_equal, least=2, most=2),
    "len": BuiltIn(_length, least=1, most=1),
    "lt": BuiltIn(_less, least=2, most=2),
    "ne": BuiltIn(_unequal, least=2, most=2),
    "not": BuiltIn(_not, least=1, most=1),
    "print": BuiltIn(_print),
    "printf": BuiltIn(_print_formatted, least=1),
    "println": BuiltIn(_print_line),
    "slice": BuiltIn(_slice, least=1),
    "urlquery": BuiltIn(_url_query),
}

_ESCAPING, _ESCAPING_FOR_JS = 12, 60
"""How much dearer escaping a text is than copying it."""

_HTML = str.maketrans(
    {
        '"': "&#34;",
        "'": "&#39;",
        "&": "&amp;",
        "<": "&lt;",
        ">": "&gt;",
        "\0": "\ufffd",
    }
)
_NOT_IN_JS = re.compile("[^ !#-%(-;?-\\[\\]-\x7f]")
