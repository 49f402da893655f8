"""What a template says, as a tree: statements that run in order, and expressions in them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass

from app.claims.gotemplate_values import Value
from app.claims.shortcodes import Shortcode


@dataclass(frozen=True, slots=True)
class Literal:
    """A value that stands in the template itself."""

    value: Value


@dataclass(frozen=True, slots=True)
class TooLargeNumber:
    """A number that no value can hold; it fails when it is used."""


@dataclass(frozen=True, slots=True)
class Nil:
    """The word `nil`."""


@dataclass(frozen=True, slots=True)
class Function:
    """A function, called with the operands that follow it."""

    name: str


@dataclass(frozen=True, slots=True)
class Dot:
    """The current value."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable, named with its dollar sign."""

    name: str


@dataclass(frozen=True, slots=True)
class Lookup:
    """A value, and the names of fields looked up in it one after the other."""

    base: "Dot | Variable | Function | Pipeline"
    names: tuple[str, ...] = ()


Operand = Literal | TooLargeNumber | Nil | Function | Lookup
Command = tuple[Operand, ...]
"""One operand, or a function or method and its arguments."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Commands that hand on their results, and the variables that the last one goes to."""

    variables: tuple[str, ...]
    assigns: bool
    commands: tuple[Command, ...]


@dataclass(frozen=True, slots=True)
class Text:
    """Text to copy."""

    text: str


@dataclass(frozen=True, slots=True)
class Action:
    """A pipeline whose result is printed, unless it goes to variables."""

    pipeline: Pipeline


@dataclass(frozen=True, slots=True)
class Branch:
    """`if`, or `with` where the value also becomes the dot."""

    pipeline: Pipeline
    rebinds: bool
    then: "Block"
    otherwise: "Block"


@dataclass(frozen=True, slots=True)
class Range:
    """What is run for every element, or else once."""

    pipeline: Pipeline
    body: "Block"
    otherwise: "Block"


@dataclass(frozen=True, slots=True)
class Call:
    """Another template, run with the pipeline's value as its data."""

    name: str
    pipeline: Pipeline | None


@dataclass(frozen=True, slots=True)
class Break:
    """The end of the innermost `range`."""


@dataclass(frozen=True, slots=True)
class Continue:
    """The end of one round of the innermost `range`."""


Statement = Text | Action | Shortcode | Branch | Range | Call | Break | Continue
Block = tuple[Statement, ...]

Templates = Mapping[str, Block]
"""The templates that one source defines by name; what stands outside them is named ``""``."""


def names_in(templates: Templates) -> Iterator[str]:
    """Walk all names of fields that are looked up anywhere in the templates."""
    todo: list[object] = [*templates.values()]
    while todo:
        node = todo.pop()
        if isinstance(node, tuple):
            todo += node
        elif is_dataclass(node) and not isinstance(node, Literal):
            todo += [getattr(node, field.name) for field in fields(node)]
        if isinstance(node, Lookup):
            yield from node.names
