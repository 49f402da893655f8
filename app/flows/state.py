"""What every state of a flow is, and how it and its actions are described."""

import inspect
from functools import cache
from typing import ClassVar

from msgspec import Struct


class State(Struct, frozen=True):
    """Where a flow can be. Its fields are what a client may see; None is left out.

    A subclass says its `name`, describes itself in its docstring, and every field in a `Meta`.
    """

    name: ClassVar[str]


@cache
def description_of(defined: type[Struct]) -> str:
    """Give the first paragraph of what describes a state or an action."""
    return (inspect.getdoc(defined) or "").split("\n\n", maxsplit=1)[0].replace("\n", " ")
