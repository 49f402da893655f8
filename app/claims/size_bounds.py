"""Bounds of what templates write: each is run on bounds of values instead of on values.

A bound here is two bounds of the same text: of the bytes it takes *inside* the quotes of a JSON
string, and of the bytes of a claim that consists of it *alone*, when JSON in it is turned into
JSON and loses its blanks and escapes. What is counted:

* Compact JSON holds no control characters, so inside a string its quotes and backslashes double
  and nothing else grows: two bytes for a byte. A character has at most four bytes.
* The text of a JSON string in a bag takes no more bytes in a claim than it took in the bag: what
  needs an escape had one there.
* A number becomes text without a power of ten, which can be as long as the smallest and largest
  there are; where it stays JSON, it keeps its spelling (see `jsontext`).
* JSON that is made of a user, and put into a string, is escaped twice, and before that `<`, `>`
  and `&` become six characters each: at most seven bytes for one.
* Escaping for HTML, for a URL or for a script makes a character at most five, three or seven.
* Cutting can leave up to three bytes at each end that belong to no character; each becomes U+FFFD.

Loops, recursion, widths, and paths that write something themselves have no bound.
"""

import re
from functools import reduce
from operator import or_

from app.claims.gotemplate_functions import LAZY
from app.claims.gotemplate_tree import (
    Action,
    Block,
    Branch,
    Call,
    Command,
    Dot,
    Function,
    Literal,
    Lookup,
    Pipeline,
    Statement,
    Templates,
    Text,
    Variable,
)
from app.claims.shortcodes import Shortcode
from app.claims.size_objects import Bound, Objects, Unbounded, in_string, together, written
from app.claims.sizes import Caps, Size, total


def bound_of(templates: Templates, caps: Caps) -> Size:
    """Give a bound of the claim that a template makes.

    Raises:
        Unbounded: There is none.
    """
    objects = Objects(caps)
    return _Bounds(templates, objects).template("", objects.data()).alone


_Bounded = tuple[Bound, ...]
_MOST_STEPS = 1_000
_NO_VALUE = written("<no value>")
_NUMBER, _LITERAL_NUMBER = in_string(Size(20)), in_string(Size(64))
_ESCAPING = {"html": 5, "js": 7, "urlquery": 3}
_CUT_BYTES = Size(18)  # three bytes at each end, and three for each
_PLAIN_FORMAT = re.compile("(?:[^%]|%[svdtq%])*+", re.DOTALL)
_QUOTING, _BESIDE_A_VALUE, _BESIDE_A_DIRECTIVE = 5, 64, 16


class _Bounds:
    """Runs a template on bounds; what either branch can leave behind holds after both."""

    def __init__(self, templates: Templates, objects: Objects) -> None:
        self._templates = templates
        self._objects = objects
        self._variables: dict[str, Bound] = {}
        self._running: list[str] = []
        self._steps = _MOST_STEPS

    def template(self, name: str, data: Bound) -> Bound:
        if name in self._running:
            raise Unbounded
        outer, self._variables = self._variables, {"$": data}
        self._running.append(name)
        written_by_it = self._block(self._templates.get(name, ()), data)
        self._running.pop()
        self._variables = outer
        return written_by_it

    def _block(self, block: Block, dot: Bound) -> Bound:
        return together([self._statement(statement, dot) for statement in block])

    def _statement(self, statement: Statement, dot: Bound) -> Bound:
        self._take_step()
        match statement:
            case Text(text):
                return written(text)
            case Action(pipeline):
                value = self._pipeline(pipeline, dot)
                return written("") if pipeline.variables else value
            case Branch():
                return self._branch(statement, dot)
            case Call(name, pipeline):
                return self.template(name, self._pipeline(pipeline, dot) if pipeline else _NO_VALUE)
            case Shortcode():
                shown = self._objects.shortcode(statement)
                return in_string(shown.inside)
            case _:
                raise Unbounded

    def _branch(self, branch: Branch, dot: Bound) -> Bound:
        before = dict(self._variables)
        value = self._pipeline(branch.pipeline, dot)
        at_start = dict(self._variables)
        then = self._block(branch.then, value if branch.rebinds else dot)
        after_then, self._variables = self._variables, at_start
        otherwise = self._block(branch.otherwise, dot)
        for known in (before, after_then):
            for name, bound in known.items():
                self._variables[name] = self._variables.get(name, bound) | bound
        return then | otherwise

    def _pipeline(self, pipeline: Pipeline, dot: Bound, *, is_certain: bool = True) -> Bound:
        value, piped = _NO_VALUE, _Bounded()
        for command in pipeline.commands:
            value = self._command(command, dot, piped)
            piped = (value,)
        for name in pipeline.variables:
            before = value if is_certain else self._variables.get(name, value)
            self._variables[name] = before | value
        return value

    def _command(self, command: Command, dot: Bound, piped: _Bounded = ()) -> Bound:
        self._take_step()
        first, rest = command[0], command[1:]
        match first:
            case Function(name):
                return _called(name, self._arguments(rest, dot, piped))
            case Lookup(base, names):
                value = self._base(base, dot)
                for name in names[:-1]:
                    value = self._field(value, name, ())
                for name in names[-1:]:
                    value = self._field(value, name, self._arguments(rest, dot, piped))
                return value
            case Literal(str() as text):
                return written(text)
            case _:
                return _LITERAL_NUMBER

    def _arguments(self, operands: Command, dot: Bound, piped: _Bounded) -> _Bounded:
        return (*(self._command((operand,), dot) for operand in operands), *piped)

    def _base(self, base: Dot | Variable | Function | Pipeline, dot: Bound) -> Bound:
        match base:
            case Dot():
                return dot
            case Variable(name):
                return self._variables.get(name, _NO_VALUE)
            case Function(name):
                return _called(name, ())
            case Pipeline():
                # As an argument of `and` or `or` it may never be run.
                return self._pipeline(base, dot, is_certain=False)

    def _take_step(self) -> None:
        self._steps -= 1
        if self._steps < 0:
            raise Unbounded

    def _field(self, value: Bound, name: str, arguments: _Bounded) -> Bound:
        found = [self._objects.member(item, name, arguments) for item in value.objects]
        return reduce(or_, (bound for bound in found if bound), _NO_VALUE)


def _called(name: str, arguments: _Bounded) -> Bound:
    if name in LAZY:
        return reduce(or_, arguments, _NO_VALUE)
    if name in _ESCAPING:
        return in_string(_printed(arguments).inside * _ESCAPING[name])
    return _BOUNDS[name](arguments) if name in _BOUNDS else _NUMBER


def _indexed(arguments: _Bounded) -> Bound:
    return reduce(or_, arguments[:1], _NUMBER)


def _cut(arguments: _Bounded) -> Bound:
    return in_string(total(argument.inside for argument in arguments[:1]) + _CUT_BYTES)


def _printed(arguments: _Bounded) -> Bound:
    spaces = written(" " * (len(arguments) - 1))
    return together((*arguments, spaces))


def _printed_as_line(arguments: _Bounded) -> Bound:
    return in_string(_printed(arguments).inside + written("\n").inside)


def _formatted(arguments: _Bounded) -> Bound:
    template = arguments[0].literal if arguments else None
    if template is None or not _PLAIN_FORMAT.fullmatch(template):
        raise Unbounded
    shown = total(argument.inside for argument in arguments[1:])
    beside = _BESIDE_A_VALUE * len(arguments) + _BESIDE_A_DIRECTIVE * template.count("%")
    return in_string(
        written(template).inside + shown * (_QUOTING if "%q" in template else 1) + Size(beside)
    )


_BOUNDS = {
    "index": _indexed,
    "print": _printed,
    "printf": _formatted,
    "println": _printed_as_line,
    "slice": _cut,
}
