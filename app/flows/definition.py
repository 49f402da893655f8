"""A flow as data: its states, the actions of each, and the hooks between them.

Both faces, the documents and the tests walk these; the engine runs them.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import Literal

from app.flows.domains import Domains
from app.flows.state import State
from app.flows.step import Action, FlowRequest, Hook

Kind = Literal["login", "registration", "profile", "token_exchange"]
Actions = Mapping[type[State], tuple[type[Action], ...]]
Hooks = Mapping[type[State], tuple[Hook, ...]]
Guard = Callable[[Domains, FlowRequest], None]


@dataclass(frozen=True)
class SubFlow:
    """States that belong together and stand in several flows.

    Attributes:
        name: How it is called.
        states: The actions of each state, in the order in which they are shown.
        before: What happens whenever one of the states is about to be shown, whatever the flow.
    """

    name: str
    states: Actions
    before: Hooks = field(default_factory=dict)


@dataclass(frozen=True)
class Flow:
    """A whole flow.

    Attributes:
        kind: Its name, which is also its place in the API.
        start: The first state; the others are scheduled behind it.
        states: The states that are its own. One that a sub-flow has too is the flow's.
        parts: The sub-flows it is made of.
        error: The state of a flow that is over.
        lifetime: How long one lives.
        before: Hooks before a state is shown, in their order; after those of its sub-flow.
        after: Hooks after a state is left by an action, in their order.
        after_part: Hooks after a sub-flow is left, by its name.
        before_action: Hooks before each action.
        after_action: Hooks after each action, when what it leads to is known.
        on_start: Hooks before a flow begins.
        guards: What refuses a request before its flow is looked at.
    """

    kind: Kind
    start: tuple[type[State], ...]
    states: Actions
    parts: tuple[SubFlow, ...]
    error: type[State]
    lifetime: timedelta = timedelta(hours=24)
    before: Hooks = field(default_factory=dict)
    after: Hooks = field(default_factory=dict)
    after_part: Mapping[str, tuple[Hook, ...]] = field(default_factory=dict)
    before_action: tuple[Hook, ...] = ()
    after_action: tuple[Hook, ...] = ()
    on_start: tuple[Hook, ...] = ()
    guards: tuple[Guard, ...] = ()

    @cached_property
    def actions(self) -> Actions:
        """The actions of every state, the flow's own states first."""
        found = dict(self.states)
        for part in self.parts:
            for state, actions in part.states.items():
                found.setdefault(state, actions)
        return found

    @cached_property
    def by_name(self) -> Mapping[str, type[State]]:
        """The states by name."""
        return {state.name: state for state in self.actions}

    def action(self, state: type[State], name: str) -> type[Action] | None:
        """Find an action of a state by its name."""
        return next((one for one in self.actions[state] if one.name == name), None)

    def owner(self, state: type[State]) -> str:
        """Name the sub-flow that a state is of, or the flow itself."""
        if state in self.states:
            return self.kind
        return next(part.name for part in self.parts if state in part.states)

    def hooks_before(self, state: type[State]) -> Iterator[Hook]:
        """Walk the hooks before a state."""
        if state not in self.states:
            for part in self.parts:
                yield from part.before.get(state, ())
        yield from self.before.get(state, ())
