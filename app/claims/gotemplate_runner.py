"""Running a template's tree.

Every step is paid for out of the work that a run may do, so that no template lasts; what stands
inside one another is counted, so that none goes deeper than Python's stack (SEC-124).
"""

from collections.abc import Callable, Iterator

from app.claims.errors import TemplateRunError, TooMuchWork
from app.claims.gjson_text import Refused, Work
from app.claims.gotemplate_evaluator import Evaluator
from app.claims.gotemplate_printing import sprint
from app.claims.gotemplate_tree import (
    Action,
    Block,
    Branch,
    Break,
    Call,
    Continue,
    Pipeline,
    Range,
    Templates,
    Text,
)
from app.claims.gotemplate_values import (
    MAX_TEXT,
    NO_VALUE,
    NoValue,
    Value,
    as_value,
    finished,
    is_true,
    kind,
)
from app.claims.shortcodes import Shortcode

MAX_DEPTH = 210
"""Templates and control structures that may run inside one another."""

MAX_WORK = 20_000
"""Units of work that a run may do, reading metadata included; each is half a microsecond."""

Resolver = Callable[[Shortcode], str]
"""Gives the text that stands for a shortcode."""

_STATEMENT, _ROUND, _SORTED_PER_STEP = 3, 4, 4
"""Units of work for a statement and a round of a range, and what one buys in sorting keys."""


def allowance(steps: int = MAX_WORK) -> Work:
    """Give the work that one run may do, or that much of it."""
    work = Work()
    work.steps = steps
    return work


def run(templates: Templates, data: object, work: Work, resolve: Resolver | None = None) -> str:
    """Run the template named ``""`` and give its output.

    Raises:
        TemplateRunError: It fails, or would go deeper or write more than a template may.
        TooMuchWork: It would do more work than is left.
    """
    try:
        root = NO_VALUE if data is None else as_value(data)
        return finished(_Runner(templates, work, resolve).output(root))
    except Refused:
        raise TooMuchWork from None
    except RecursionError:
        raise TemplateRunError("The template goes too deep.") from None


class _Left(Exception):
    """The end of a range, or of one round of it."""

    def __init__(self, *, for_good: bool) -> None:
        super().__init__()
        self.for_good = for_good


class _Runner:
    """What a run knows: its output so far, and how deep it is in."""

    def __init__(self, templates: Templates, work: Work, resolve: Resolver | None) -> None:
        self._templates = templates
        self._work = work
        self._resolve = resolve
        self._parts: list[str] = []
        self._room = MAX_TEXT
        self._depth = 0

    def output(self, data: Value) -> str:
        self._evaluator = Evaluator(data, self._work)
        self._block(self._templates[""], data)
        return "".join(self._parts)

    def _block(self, block: Block, dot: Value) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise TemplateRunError("The template goes too deep.")
        for statement in block:
            self._work.spend(_STATEMENT)
            match statement:
                case Text(text):
                    self._write(text)
                case Action(pipeline):
                    self._action(pipeline, dot)
                case Branch():
                    self._branch(statement, dot)
                case Range():
                    self._range(statement, dot)
                case Call():
                    self._call(statement, dot)
                case Shortcode():
                    self._write(self._resolve(statement) if self._resolve else "")
                case Break() | Continue():
                    raise _Left(for_good=isinstance(statement, Break))
        self._depth -= 1

    def _write(self, text: str) -> None:
        self._room -= len(text)
        if self._room < 0:
            raise TemplateRunError("The template writes too much.")
        self._work.copy(len(text))
        self._parts.append(text)

    def _action(self, pipeline: Pipeline, dot: Value) -> None:
        value = self._evaluator.pipeline(pipeline, dot)
        if not pipeline.variables:
            self._write(self._shown(value))

    def _shown(self, value: Value) -> str:
        match value:
            case str():
                return value
            case bool() | int():
                return str(value).lower()
            case NoValue():
                return value.value
            case _:
                return sprint((value,), self._work)

    def _branch(self, branch: Branch, dot: Value) -> None:
        scope = self._evaluator.scope
        known = len(scope)
        value = self._evaluator.pipeline(branch.pipeline, dot)
        if is_true(value):
            self._block(branch.then, value if branch.rebinds else dot)
        else:
            self._block(branch.otherwise, dot)
        scope.forget(known)

    def _range(self, loop: Range, dot: Value) -> None:
        scope, depth = self._evaluator.scope, self._depth
        known = len(scope)
        value = self._evaluator.pipeline(loop.pipeline, dot)
        self._work.spend(len(value) // _SORTED_PER_STEP if isinstance(value, dict) else 0)
        size, has_run = len(scope), False
        for key, item in _rounds(value, has_two=len(loop.pipeline.variables) > 1):
            self._work.spend(_ROUND)
            has_run = True
            self._bind(loop.pipeline, key, item)
            try:
                self._block(loop.body, item)
            except _Left as left:
                self._depth = depth
                if left.for_good:
                    break
            finally:
                scope.forget(size)
        if not has_run:
            self._block(loop.otherwise, dot)
        scope.forget(known)

    def _bind(self, pipeline: Pipeline, key: Value, item: Value) -> None:
        values = (key, item) if len(pipeline.variables) > 1 else (item,)
        for distance, name in enumerate(reversed(pipeline.variables)):
            if pipeline.assigns:
                self._evaluator.scope.assign(name, values[-1 - distance])
            else:
                self._evaluator.scope.replace_last(distance, values[-1 - distance])

    def _call(self, call: Call, dot: Value) -> None:
        if call.name not in self._templates:
            raise TemplateRunError("A template is called that is not defined.")
        outer = self._evaluator
        value = outer.pipeline(call.pipeline, dot) if call.pipeline else NO_VALUE
        self._evaluator = Evaluator(value, self._work)
        self._block(self._templates[call.name], value)
        self._evaluator = outer


def _rounds(value: Value, *, has_two: bool) -> Iterator[tuple[Value, Value]]:
    match value:
        case None | NoValue():
            pass
        case list():
            yield from ((index, as_value(item)) for index, item in enumerate(value))
        case dict():
            yield from ((key, as_value(value[key])) for key in sorted(value, key=str))
        case int() if not isinstance(value, bool) and not has_two:
            yield from ((number, number) for number in range(value))
        case _:
            raise TemplateRunError(f"range does not go through {kind(value).value}.")
