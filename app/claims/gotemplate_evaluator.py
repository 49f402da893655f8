"""Evaluating pipelines: operands, fields, calls and variables."""

from collections.abc import Sequence

from app.claims.errors import TemplateRunError
from app.claims.gjson_text import Work
from app.claims.gotemplate_functions import FUNCTIONS, LAZY
from app.claims.gotemplate_tree import (
    Command,
    Dot,
    Function,
    Literal,
    Lookup,
    Nil,
    Operand,
    Pipeline,
    Variable,
)
from app.claims.gotemplate_values import (
    MAX_TEXT,
    NO_VALUE,
    NoValue,
    Object,
    Value,
    as_value,
    is_true,
    kind,
)

_OPERAND, _FIELD, _CALL, _DECLARATIONS_PER_STEP = 1, 1, 4, 16
"""Units of work: for one operand, field or call, and what one more buys in looking for a name."""

_Rest = tuple[Operand, ...]
_Piped = tuple[Value, ...]  # what the command before handed on: one value, or none


class Scope:
    """The variables of a template, innermost last; one name may stand there more than once."""

    def __init__(self, data: Value, work: Work) -> None:
        self._names = ["$"]
        self._values = [data]
        self._work = work

    def __len__(self) -> int:
        return len(self._names)

    def declare(self, name: str, value: Value) -> None:
        """Add a variable, in front of others of its name."""
        self._names.append(name)
        self._values.append(value)

    def assign(self, name: str, value: Value) -> None:
        """Change the innermost variable of this name.

        Raises:
            TemplateRunError: There is none.
        """
        self._values[self._find(name)] = value

    def look_up(self, name: str) -> Value:
        """Give the value of the innermost variable of this name.

        Raises:
            TemplateRunError: There is none.
        """
        return self._values[self._find(name)]

    def replace_last(self, distance: int, value: Value) -> None:
        """Change the variable declared last, or the one that many places before it."""
        self._values[-1 - distance] = value

    def forget(self, size: int) -> None:
        """Drop what was declared since there were *size* variables."""
        del self._names[size:], self._values[size:]

    def _find(self, name: str) -> int:
        for index in range(len(self._names) - 1, -1, -1):
            if self._names[index] == name:
                self._work.spend((len(self._names) - index) // _DECLARATIONS_PER_STEP)
                return index
        raise TemplateRunError(f"There is no {name} at this point.")


class Evaluator:
    """Evaluates the pipelines of one template, with the dot of the moment."""

    def __init__(self, data: Value, work: Work) -> None:
        self.scope = Scope(data, work)
        self._work = work

    def pipeline(self, pipeline: Pipeline, dot: Value) -> Value:
        """Run commands one into the other, and put the result where it is to go.

        Raises:
            TemplateRunError: One of them fails.
        """
        value: Value = NO_VALUE
        piped: _Piped = ()
        for command in pipeline.commands:
            value = self._command(command, dot, piped)
            value = NO_VALUE if value is None else value
            piped = (value,)
        for name in pipeline.variables:
            if pipeline.assigns:
                self.scope.assign(name, value)
            else:
                self.scope.declare(name, value)
        return value

    def _command(self, command: Command, dot: Value, piped: _Piped) -> Value:
        first, rest = command[0], command[1:]
        if isinstance(first, Function):
            return self._called(first.name, rest, dot, piped)
        if isinstance(first, Lookup) and first.names:
            return self._looked_up(first, rest, dot, piped)
        if rest or piped:
            raise TemplateRunError("What is no function takes no arguments.")
        if isinstance(first, Nil):
            raise TemplateRunError("nil alone says nothing.")
        return self._operand(first, dot)

    def _operand(self, operand: Operand, dot: Value) -> Value:
        self._work.spend(_OPERAND)
        match operand:
            case Literal():
                return operand.value
            case Lookup():
                return self._looked_up(operand, (), dot, ())
            case Function():
                return self._called(operand.name, (), dot, ())
            case Nil():
                return None
            case _:
                raise TemplateRunError("A number is too large.")

    def _looked_up(self, lookup: Lookup, rest: _Rest, dot: Value, piped: _Piped) -> Value:
        value = self._base(lookup, dot)
        if not lookup.names:
            return value
        for name in lookup.names[:-1]:
            value = self._field(value, name, (), dot, ())
        return self._field(value, lookup.names[-1], rest, dot, piped)

    def _base(self, lookup: Lookup, dot: Value) -> Value:
        match lookup.base:
            case Dot():
                return dot
            case Variable(name):
                return self.scope.look_up(name)
            case Function(name):
                return self._called(name, (), dot, ())
            case Pipeline() as inner:
                return self.pipeline(inner, dot)

    def _field(self, value: Value, name: str, rest: _Rest, dot: Value, piped: _Piped) -> Value:
        self._work.spend(_FIELD)
        match value:
            case NoValue():
                return value
            case Object() if name in value.methods:
                return self._method(value, name, self._arguments(rest, dot, piped))
            case Object() if name in value.fields:
                found = value.fields[name]
            case dict():
                found = as_value(value[name]) if name in value else NO_VALUE
            case _:
                raise TemplateRunError(f"There is no {name} in {kind(value).value}.")
        if rest or piped:
            raise TemplateRunError(f"{name} is no method and takes no arguments.")
        return found

    def _method(self, value: Object, name: str, arguments: Sequence[Value]) -> Value:
        texts = [argument for argument in arguments if isinstance(argument, str)]
        if len(texts) != len(arguments):
            raise TemplateRunError(f"{name} takes strings alone.")
        return self._checked(value.methods[name](texts, self._work))

    def _called(self, name: str, rest: _Rest, dot: Value, piped: _Piped) -> Value:
        self._work.spend(_CALL)
        if name in LAZY:
            return self._lazily(name, rest, dot, piped)
        function = FUNCTIONS[name]
        arguments = self._arguments(rest, dot, piped)
        most = len(arguments) if function.most is None else function.most
        if not function.least <= len(arguments) <= most:
            raise TemplateRunError(f"{name} does not take {len(arguments)} arguments.")
        return self._checked(function.call(arguments, self._work))

    def _lazily(self, name: str, rest: _Rest, dot: Value, piped: _Piped) -> Value:
        value: Value = NO_VALUE
        for operand in rest:
            value = self._operand(operand, dot)
            if is_true(value) is LAZY[name]:
                return value
        if not rest and not piped:
            raise TemplateRunError(f"{name} takes at least one argument.")
        return piped[0] if piped else value

    def _arguments(self, rest: _Rest, dot: Value, piped: _Piped) -> Sequence[Value]:
        values = (*(self._operand(operand, dot) for operand in rest), *piped)
        for value in values:
            if isinstance(value, str):
                self._work.copy(len(value))
        return values

    def _checked(self, value: Value) -> Value:
        if isinstance(value, str):
            self._work.copy(len(value))
            if len(value) > MAX_TEXT:
                raise TemplateRunError("The template makes too long a text.")
        return value
