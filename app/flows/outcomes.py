"""How an action ends: in one of five ways, or it raises.

What is raised leaves no trace: the transaction rolls back, the flow keeps its state and its CSRF
token, and the caller gets an early failure. Every way here is committed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.errors import IdentityError
from app.flows.inputs import Problem
from app.flows.state import State


class Move:
    """Go on: to the first of the states that the step has scheduled, these, and those stored.

    Args:
        states: Classes of states; a first one that is an instance brings its payload along.
        no_back: The state that follows offers no way back.
        error: A refusal that is told with the state that follows ("continue with error").
    """

    __slots__ = ("error", "no_back", "states")

    def __init__(
        self,
        *states: State | type[State],
        no_back: bool = False,
        error: IdentityError | None = None,
    ) -> None:
        self.states = states
        self.no_back = no_back
        self.error = error


@dataclass(frozen=True, slots=True)
class Stay:
    """Remain in the state, and remember what the action has put into the stash.

    Attributes:
        error: A refusal that is told all the same.
    """

    error: IdentityError | None = None


@dataclass(frozen=True, slots=True)
class Refuse:
    """Remain in the state; what the action has put into the stash is forgotten.

    Attributes:
        error: What is said of the step.
        inputs: What is said of inputs.
        show: Members of the state's payload that this answer has beside the usual ones.
    """

    error: IdentityError
    inputs: Mapping[str, Problem] = field(default_factory=dict)
    show: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class End:
    """The flow is over: it goes to its state `error` and offers nothing any more."""

    error: IdentityError


@dataclass(frozen=True, slots=True)
class Back:
    """Return to the state before, with the stash as it was then."""


Outcome = Move | Stay | Refuse | End | Back
