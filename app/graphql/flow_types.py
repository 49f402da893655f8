"""The types of flows, derived from the flows themselves: a type a state, a key an action.

Nothing here names a state or an action: what `app.flows` defines is what the schema has.
"""

import types
from collections.abc import Callable, Iterator
from enum import Enum
from functools import cache
from typing import Any, Union, get_args, get_origin

import msgspec
import strawberry
from msgspec import Meta, Struct
from strawberry.types.base import StrawberryType

from app.access import Actor
from app.flows.definitions import FLOWS
from app.flows.inputs import Choice
from app.flows.person import Person
from app.flows.state import State, description_of
from app.flows.states import ALWAYS, LastLogin
from app.flows.step import Action
from app.graphql.errors import camel
from app.graphql.scalars import JSON
from app.graphql.session_type import SessionType
from app.graphql.user_type import UserType
from app.sessions import Session

Shape = Callable[[Any, Actor], Any]


@strawberry.interface(name="FlowState", description="Where a flow stands, and what that shows.")
class FlowStateType:
    """A state."""

    name: str = strawberry.field(description="The state's name, as the flow API has it.")


@strawberry.type(description="A provider one can sign in with.")
class Provider:
    """A provider."""

    id: strawberry.ID = strawberry.field(description="What names it in an action.")
    name: str = strawberry.field(description="What a person reads.")


@strawberry.enum(description="Does an action that takes no inputs.")
class Confirm(Enum):
    """The one way to do it."""

    CONFIRM = strawberry.enum_value("confirm", description="Do it.")


class Described(msgspec.Struct, frozen=True):
    """A field of a struct: its bare type, and what its `Meta` says."""

    name: str
    kind: Any
    about: str
    is_always: bool


def described(struct: type[Struct]) -> list[Described]:
    """List the fields of a state, an action, or a part of one."""
    return [_described(field.name, field.type) for field in msgspec.structs.fields(struct)]


def _described(name: str, kind: Any) -> Described:  # noqa: ANN401  # a type
    marks = [one for one in get_args(kind)[1:] if isinstance(one, Meta)]
    about = next(one.description for one in marks if one.description)
    extra = next((one.extra for one in marks if one.extra), None) or {}
    return Described(name, get_args(kind)[0], about, bool(extra.get(ALWAYS)))


def pascal(name: str) -> str:
    """Write a name of the flow API as a GraphQL type."""
    return "".join(part.capitalize() for part in name.split("_"))


def every_state() -> list[type[State]]:
    """List the states of all flows, each once."""
    return list(dict.fromkeys(state for flow in FLOWS.values() for state in flow.actions))


def every_action() -> dict[str, type[Action]]:
    """List the actions of all flows by name; those of one name have the same inputs."""
    found = (
        action for flow in FLOWS.values() for actions in flow.actions.values() for action in actions
    )
    return {action.name: action for action in found}


# Values


def _bare(kind: Any) -> Any:  # noqa: ANN401  # a type
    """Take None out of a union."""
    if get_origin(kind) in (Union, types.UnionType):
        rest = [one for one in get_args(kind) if one is not type(None)]
        return rest[0] if len(rest) == 1 else kind
    return kind


def _shape_of(kind: Any) -> tuple[Any, Shape]:  # noqa: ANN401  # a type
    """Give the GraphQL type of a field, and how its value becomes one."""
    bare = _bare(kind)
    if get_origin(bare) is tuple:
        inner, shape = _shape_of(get_args(bare)[0])
        many = types.GenericAlias(list, (inner,))
        return many, lambda value, actor: [shape(one, actor) for one in value]
    if bare is LastLogin:
        made = struct_type(LastLogin)
        return made, lambda value, _: made(**msgspec.structs.asdict(value))
    if _is_words(bare):
        return str, _as_it_is
    return _SHAPES.get(bare, (JSON, _as_it_is))


def _is_words(kind: Any) -> bool:  # noqa: ANN401  # a type
    """Say whether a type is made of fixed texts."""
    return all(isinstance(one, str) for one in get_args(kind)) and bool(get_args(kind))


def _as_it_is(value: Any, _actor: Actor) -> Any:  # noqa: ANN401  # any value
    return value


_SHAPES: dict[Any, tuple[Any, Shape]] = {
    Person: (UserType, lambda value, _: UserType.of(value.account, value.bags)),
    Session: (SessionType, SessionType.of),
    Choice: (
        Provider,
        lambda value, _: Provider(id=strawberry.ID(value.value), name=value.name),
    ),
    **{kind: (kind, _as_it_is) for kind in (str, int, bool)},
}


@cache
def struct_type(struct: type[Struct]) -> Any:  # noqa: ANN401  # a class made here
    """Make the type of a part of a state."""
    return _make(struct.__name__, (), described(struct), description_of(struct))


@cache
def state_type(state: type[State]) -> Any:  # noqa: ANN401  # a class made here
    """Make the type of a state."""
    return _make(pascal(state.name), (FlowStateType,), described(state), description_of(state))


def _make(name: str, bases: tuple[type, ...], fields: list[Described], about: str) -> Any:  # noqa: ANN401  # see above
    members: dict[str, Any] = {"__doc__": about, "__module__": __name__}
    annotations: dict[str, Any] = {}
    for one in fields:
        kind, _ = _shape_of(one.kind)
        annotations[one.name] = kind if _is_required(one) else kind | None
        members[one.name] = strawberry.field(description=one.about)
    made = type(name, bases, {**members, "__annotations__": annotations})
    return strawberry.type(made, name=name, description=about)


def _is_required(one: Described) -> bool:
    """Say whether a field is never null: it says so, or its type has no None."""
    is_optional = type(None) in get_args(one.kind) or one.kind is Any
    return one.is_always or not is_optional


def shown_state(state: State, actor: Actor) -> FlowStateType:
    """Show a state."""
    values: dict[str, Any] = {"name": state.name}
    for one in described(type(state)):
        value = getattr(state, one.name)
        values[one.name] = None if value is None else _shape_of(one.kind)[1](value, actor)
    made: FlowStateType = state_type(type(state))(**values)
    return made


# Actions


def _input_type(action: type[Action]) -> Any:  # noqa: ANN401  # a class made here
    """Make the input of an action, or the enum for one that takes none."""
    fields = described(action)
    if not fields:
        return Confirm
    members: dict[str, Any] = {"__doc__": description_of(action), "__module__": __name__}
    annotations: dict[str, Any] = {}
    for one in fields:
        kind, _ = _shape_of(one.kind)
        annotations[one.name] = kind | None
        members[one.name] = strawberry.field(description=one.about, default=strawberry.UNSET)
    name = pascal(action.name) + "Input"
    made = type(name, (), {**members, "__annotations__": annotations})
    return strawberry.input(made, name=name, description=description_of(action))


def _action_input() -> Any:  # noqa: ANN401  # a class made here
    """Make the input that is one action."""
    members: dict[str, Any] = {"__doc__": "One action.", "__module__": __name__}
    annotations: dict[str, Any] = {}
    for name, action in sorted(every_action().items()):
        annotations[name] = strawberry.Maybe[_input_type(action)]  # type: ignore[misc]  # made here
        members[name] = strawberry.field(description=description_of(action))
    made = type("FlowAction", (), {**members, "__annotations__": annotations})
    about = "One action of a flow, with its inputs; `CONFIRM` where it takes none."
    return strawberry.input(made, name="FlowAction", description=about, one_of=True)


FlowAction = _action_input()
STATE_TYPES: list[StrawberryType | type] = [state_type(state) for state in every_state()]


def chosen(action: Any) -> tuple[str, dict[str, Any]]:  # noqa: ANN401  # a FlowAction
    """Give the name of the action that was chosen, and what was given for its inputs."""
    name, value = next(_given(action))
    return name, {} if isinstance(value, Confirm) else dict(_set(value))


def _given(action: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401  # see above
    for name in every_action():
        found = getattr(action, name)
        if found is not None:
            yield name, found.value


def _set(value: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401  # an input
    for name, one in vars(value).items():
        if one is not strawberry.UNSET:
            yield name, one


def key_of(name: str) -> str:
    """Write the name of an action or input as the schema's keys are."""
    return camel(name)
