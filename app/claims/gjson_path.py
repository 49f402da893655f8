"""The syntax of paths: a path's text taken apart, without a look at any document.

How a component reads depends on what it is applied to (`#(a.b=1)` is a query on an array and two
keys on an object), so a path is taken apart step by step, as the lookup meets arrays and objects.
What was taken apart once is remembered, since it is applied to every element of an array.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache

from app.claims.gjson_modifiers import MODIFIERS
from app.claims.gjson_text import STRING, is_valid, number, quote, unescape

DIG = "dig"
"""The one modifier whose argument is a path."""

_NAMES = {*MODIFIERS, DIG}
_REMEMBERED = 1024
_BLANKS = " \t\r\n"
_COMPONENT = re.compile(r"[^.|\\]*+(?:\\(?:.|\Z)[^.|\\]*+)*+", re.DOTALL)
_ESCAPE = re.compile(r"\\(.?)", re.DOTALL)
_CALL = re.compile(r"@([^.|:]*+)")
_QUOTED = re.compile(STRING, re.DOTALL)
# Unlike in a document, a quote that is never closed is an ordinary character.
_TOKEN = re.compile(
    r'\\.|"[^"\\]*+(?:\\.[^"\\]*+)*+"|[()\[\]{}]|[!<>=]=|!%|[!<>=%]|[,:|]', re.DOTALL
)


class Wild(Enum):
    """The wildcards of a pattern."""

    RUN = auto()
    ONE = auto()


Pattern = tuple[str | Wild, ...]
"""Text to match as a whole, character by character."""

_WILDCARDS: dict[str, str | Wild] = {"*": Wild.RUN, "?": Wild.ONE}


@dataclass(frozen=True, slots=True)
class Key:
    """The members of an object under a name, or under every name of a pattern."""

    name: str
    pattern: Pattern | None


@dataclass(frozen=True, slots=True)
class Index:
    """One element of an array."""

    position: int


@dataclass(frozen=True, slots=True)
class Count:
    """The number of elements of an array."""


@dataclass(frozen=True, slots=True)
class Each:
    """The results of a path on each element of an array, collected."""

    path: str


@dataclass(frozen=True, slots=True)
class Condition:
    """What a query asks of what the path `left` leads to.

    The type of that value decides whether `right` is read as text, as a number or as a pattern.
    """

    left: str
    operator: str
    right: str
    number: float
    pattern: Pattern


@dataclass(frozen=True, slots=True)
class Query:
    """The first element, or every element, that a condition holds for.

    `path` is applied to what was found, and `pipe` to what all of them gave.
    """

    condition: Condition
    every: bool
    path: str | None
    pipe: str | None


@dataclass(frozen=True, slots=True)
class Nothing:
    """A component that no element of an array answers to."""


@dataclass(frozen=True, slots=True)
class Step:
    """A component of a path and what follows it.

    With `descends` the rest belongs to the same walk; else it starts anew on the result.
    """

    selector: Key | Index | Count | Each | Query | Nothing
    rest: str | None
    descends: bool


@dataclass(frozen=True, slots=True)
class Modifier:
    """A named conversion of the whole value."""

    name: str
    argument: str
    rest: str | None


@dataclass(frozen=True, slots=True)
class Literal:
    """A value that stands in the path itself."""

    text: str
    rest: str | None


@dataclass(frozen=True, slots=True)
class Multipath:
    """Several paths whose results make a new array, or a new object where they have keys."""

    selections: tuple[tuple[str, str], ...]
    is_object: bool
    rest: str | None


@dataclass(frozen=True, slots=True)
class Lines:
    """The text taken as a sequence of values."""

    rest: str


Head = Modifier | Literal | Multipath | Lines


@lru_cache(_REMEMBERED)
def head(path: str) -> Head | None:
    """Read what only the start of a path can be; None where a plain component comes first."""
    if len(path) == 1:
        return None
    match path[:1]:
        case "@":
            return _modifier(path)
        case "!":
            return _literal(path)
        case "[" | "{":
            return _multipath(path)
        case _:
            return Lines(path[2:]) if path.startswith("..") else None


@lru_cache(_REMEMBERED)
def object_step(path: str) -> Step:
    """Read the first component as it applies to an object."""
    end = _component_end(path)
    return Step(_key(path[:end]), *_continuation(path, end))


@lru_cache(_REMEMBERED)
def array_step(path: str) -> Step:
    """Read the first component as it applies to an array."""
    end = _component_end(path)
    component = path[:end]
    if path.startswith(("#(", "#[")):
        return _query_step(path)
    if component == "#" and path[1:2] == ".":
        inner, pipe = _split_at_pipe(path[2:])
        return Step(Each(inner), pipe, descends=False)
    if component == "#":
        return Step(Count(), *_continuation(path, end))
    selector = Index(int(component)) if is_index(component) else Nothing()
    return Step(selector, *_continuation(path, end))


def is_index(component: str) -> bool:
    """Say whether a component, as written, is the index of an element."""
    return component.isascii() and component.isdigit()


@lru_cache(_REMEMBERED)
def after_pipe(path: str) -> str | None:
    """Give what a failed walk goes on with: the path behind its first pipe."""
    step = array_step(path)
    while step.descends and step.rest is not None:
        step = array_step(step.rest)
    return step.rest


def _key(component: str) -> Key:
    name = _ESCAPE.sub(r"\1", component)
    plain = _ESCAPE.sub("", component)
    if "*" not in plain and "?" not in plain:
        return Key(name, None)
    # One bare wildcard makes wildcards of the escaped ones too: GJSON unescapes before it matches.
    return Key(name, tuple(_WILDCARDS.get(character, character) for character in name))


def _pattern(text: str) -> Pattern:
    return tuple(
        _WILDCARDS.get(token, token.removeprefix("\\") or token)
        for token in re.findall(r"\\.|.", text, re.DOTALL)
    )


def _component_end(path: str) -> int:
    found = _COMPONENT.match(path)
    return found.end() if found else 0


def _continuation(path: str, end: int) -> tuple[str | None, bool]:
    if end == len(path):
        return None, False
    rest = path[end + 1 :]
    return rest, path[end] == "." and not _starts_anew(rest)


def _starts_anew(rest: str) -> bool:
    call = _CALL.match(rest)
    return rest.startswith(("[", "{")) or (call is not None and call[1] in _NAMES)


def _query_step(path: str) -> Step:
    close = _closing(path, 1)
    if close is None:
        return Step(Nothing(), None, descends=False)
    every = path.startswith("#", close + 1)
    tail = path[close + 1 + every :]
    if tail and not tail.startswith((".", "|")):
        return Step(Nothing(), None, descends=False)
    inner, pipe = _split_at_pipe(tail[1:]) if tail.startswith(".") else (None, _rest(tail))
    condition = _condition(path[2:close])
    if every and inner is not None:
        return Step(Query(condition, every, inner, pipe), None, descends=False)
    return Step(Query(condition, every, inner, None), pipe, descends=False)


def _condition(text: str) -> Condition:
    for token in _outside_brackets(text):
        if token[0][0] in "!<>=%":
            operator = "=" if token[0] == "==" else token[0]
            right = _unquoted(text[token.end() :].strip(_BLANKS))
            left = text[: token.start()].strip(_BLANKS)
            return Condition(left, operator, right, number(right), _pattern(right))
    return Condition(text.strip(_BLANKS), "", "", 0, ())


def _unquoted(text: str) -> str:
    is_quoted = len(text) > 1 and text.startswith('"') and text.endswith('"')
    return unescape(text[1:-1]) if is_quoted else text


def _modifier(path: str) -> Modifier | None:
    call = _CALL.match(path)
    if call is None or call[1] not in _NAMES:
        return None
    argument, tail = "", path[call.end() :]
    if tail.startswith(":"):
        argument, tail = _split_argument(tail[1:])
    return Modifier(call[1], argument, _rest(tail))


def _split_argument(text: str) -> tuple[str, str]:
    end = None
    if text.startswith(("{", "[")) and (close := _closing(text, 0)) is not None:
        end = close + 1
    elif quoted := _QUOTED.match(text):
        end = quoted.end()
    if end is None:
        end = text.find("|") if "|" in text else len(text)
    return text[:end], text[end:]


def _literal(path: str) -> Literal | None:
    if path.startswith(("{", "["), 1):
        close = _closing(path, 1)
        end = len(path) if close is None else close + 1
        return Literal(path[1:end], _rest(path[end:]))
    if path[1] in '"+-0123456789':
        return Literal(path[1:], None)
    end = _component_end(path)
    word = path[1:end].lower()
    known = word in ("true", "false", "null", "nan", "inf")
    return Literal(word, _rest(path[end:])) if known else None


def _multipath(path: str) -> Multipath | None:
    close = _closing(path, 0)
    if close is None or path[close + 1 : close + 2] not in ("", ".", "|"):
        return None
    selections = tuple(_selection(part) for part in _split_at_commas(path[1:close]))
    return Multipath(selections, path.startswith("{"), _rest(path[close + 1 :]))


def _selection(text: str) -> tuple[str, str]:
    colon = next((t.start() for t in _outside_brackets(text) if t[0] == ":"), None)
    if colon is None or _is_argument(text, colon):
        return quote(_last_name(text)), text
    name = text[:colon]
    if not (name.startswith('"') and is_valid(name)):
        name = quote(name)
    return name, text[colon + 1 :]


def _is_argument(text: str, colon: int) -> bool:
    # Only behind a `.` or `|`: at the very start, `@flatten:x` is the path x under that name.
    before, at, name = text[:colon].rpartition("@")
    return bool(at) and before.endswith((".", "|")) and name in _NAMES


def _last_name(path: str) -> str:
    name = re.split(r"(?<!\\)[.|]", path)[-1]
    return "_" if re.search(r"[\x00-\x1f\[\]{}()#|!]", name) else name


def _rest(tail: str) -> str | None:
    return tail[1:] if tail.startswith((".", "|")) else None


def _split_at_pipe(path: str) -> tuple[str, str | None]:
    for token in _outside_brackets(path):
        if token[0] == "|":
            return path[: token.start()], path[token.end() :]
    return path, None


def _split_at_commas(text: str) -> Iterator[str]:
    start = 0
    for token in _outside_brackets(text):
        if token[0] == ",":
            yield text[start : token.start()]
            start = token.end()
    yield text[start:]


def _outside_brackets(text: str) -> Iterator[re.Match[str]]:
    depth = 0
    for token in _TOKEN.finditer(text):
        if token[0] in "([{":
            depth += 1
        elif token[0] in ")]}":
            depth = max(depth - 1, 0)
        elif depth == 0:
            yield token


def _closing(text: str, start: int) -> int | None:
    depth = 0
    for token in _TOKEN.finditer(text, start):
        if token[0] in "([{":
            depth += 1
        elif token[0] in ")]}":
            depth -= 1
            if depth == 0:
                return token.start()
    return None
