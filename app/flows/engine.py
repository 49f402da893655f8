"""The engine: what an action's outcome makes of a flow. It touches no row of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from msgspec import UNSET, UnsetType

from app.errors import IdentityError
from app.flows.definition import Flow
from app.flows.errors import FormDataInvalid, OperationNotPermitted, TechnicalError
from app.flows.inputs import Given, Input, Problem, Read, read
from app.flows.outcomes import Back, End, Move, Outcome, Refuse, Stay
from app.flows.result import Offered, ShownInput
from app.flows.stash import Stash
from app.flows.state import State
from app.flows.step import Action, FlowEnds, Step
from app.flows.store import Content, Past

_MOST_STEPS_BACK = 32


@dataclass(frozen=True, slots=True)
class Sent:
    """The action that was sent, as far as the next state shows it again."""

    action: type[Action] | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    problems: Mapping[str, Problem] = field(default_factory=dict)


LONGEST_WISH = 500
"""Characters of a wish for languages; no more of one is read."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Where a step has led: the state to show and what to remember."""

    step: Step
    content: Content
    actions: tuple[Offered, ...]


async def begin(flow: Flow, step: Step) -> Turn:
    """Enter a flow's first state."""
    step.stash.language = step.language[:LONGEST_WISH]
    step.stash.browser_language = step.actor.origin.browser_language[:LONGEST_WISH]
    for hook in flow.on_start:
        await hook(step)
    first, *others = flow.start
    content = Content(step.stash, schedule=tuple(state.name for state in others))
    await _enter(flow, step, first)
    return Turn(step, content, _offers(flow, step, Sent()))


async def check(flow: Flow, step: Step, name: str) -> type[Action]:
    """Find the action to run, in the order in which the flow API checks (§1.6).

    Raises:
        OperationNotPermitted: The state has no such action, or does not offer it now (SEC-060).
    """
    found = flow.action(type(step.state), name)
    if found is None:
        raise OperationNotPermitted
    for hook in flow.before_action:
        await hook(step)
    if not found.offered(step):
        raise OperationNotPermitted
    return found


async def take(
    flow: Flow, step: Step, action: type[Action], given: Given, content: Content
) -> Turn:
    """Run an action and let its outcome take effect.

    Args:
        flow: The definition.
        step: The step, made from *content*.
        action: The action, which `check` has found.
        given: What was sent for its inputs.
        content: What was remembered of the flow.
    """
    inputs = action.inputs(step)
    found = read(inputs, given)
    before = step.stash.snapshot()
    if action.validates and found.problems:
        outcome: Outcome = Refuse(FormDataInvalid(), found.problems)
    else:
        outcome = await action(**found.values).run(step)
    sent = _sent(action, inputs, found, outcome, given)
    try:
        after = await _take_effect(flow, step, outcome, content, before)
    except FlowEnds as ends:
        after = await _end(flow, step, ends.error)
    for hook in flow.after_action:
        await hook(step)
    return Turn(step, after, _offers(flow, step, sent))


async def _take_effect(
    flow: Flow,
    step: Step,
    outcome: Outcome,
    content: Content,
    before: Stash,
) -> Content:
    match outcome:
        case Move():
            return await _move(flow, step, outcome, content, before)
        case Stay(error):
            step.error = error
            await _enter(flow, step, type(step.state))
            return _with(content, step)
        case Refuse(error, _, show):
            step.stash = before
            step.error = error
            await _enter(flow, step, type(step.state))
            step.show(**show)
            return _with(content, step)
        case End(error):
            return await _end(flow, step, error)
        case Back():
            return await _go_back(flow, step, content)


async def _move(
    flow: Flow,
    step: Step,
    move: Move,
    content: Content,
    before: Stash,
) -> Content:
    """Continue, as §1.7 has it."""
    current = type(step.state)
    payload = next((s for s in move.states[:1] if isinstance(s, State)), None)
    if step.scheduled:
        payload = None  # something comes before the state that it was made for
    step.error = move.error or step.error
    step.schedule(*(s if isinstance(s, type) else type(s) for s in move.states))
    upcoming = next(iter((*step.scheduled, *step.stored)), None)
    if upcoming is None or flow.owner(upcoming) != flow.owner(current):
        for hook in flow.after_part.get(flow.owner(current), ()):
            await hook(step)
    for hook in flow.after.get(current, ()):
        await hook(step)
    schedule = (*step.scheduled, *step.stored)
    if not schedule:
        raise TechnicalError
    following, *rest = schedule
    moved = Content(
        step.stash,
        content.previous,
        tuple(state.name for state in rest),
        content.visited,
        content.past,
    )
    if following is not current:
        moved = _left(moved, current, content, before, no_back=move.no_back)
        step.previous = current
    step.visited, step.can_go_back = moved.visited, bool(moved.past)
    step.stored = tuple(rest)
    await _enter(flow, step, payload or following)
    return _with(moved, step)


def _left(
    moved: Content,
    current: type[State],
    content: Content,
    before: Stash,
    *,
    no_back: bool,
) -> Content:
    """Remember the state that was left; after a step without a way back, nothing before it."""
    entry = Past(current.name, content.previous, content.schedule, content.visited, before)
    past = () if no_back else (*content.past, entry)[-_MOST_STEPS_BACK:]
    visited = moved.visited | {current.name}
    return Content(moved.stash, current.name, moved.schedule, visited, past)


async def _go_back(flow: Flow, step: Step, content: Content) -> Content:
    """Restore what was, and show it; what belongs to leaving a state does not happen."""
    *past, entry = content.past
    step.stash = entry.stash.snapshot()
    step.previous = flow.by_name[entry.previous] if entry.previous else None
    step.stored = tuple(flow.by_name[name] for name in entry.schedule)
    step.visited, step.can_go_back = entry.visited, bool(past)
    await _enter(flow, step, flow.by_name[entry.state])
    return Content(step.stash, entry.previous, entry.schedule, entry.visited, tuple(past))


async def _end(flow: Flow, step: Step, error: IdentityError) -> Content:
    """Let a flow be over."""
    step.error = error
    step.stored, step.can_go_back = (), False
    await _enter(flow, step, flow.error)
    return Content(step.stash)


async def _enter(flow: Flow, step: Step, state: State | type[State]) -> None:
    """Build what a state shows; its hooks may write to the stash, whatever led here (Q-02)."""
    step.state = state if isinstance(state, State) else state()
    for hook in flow.hooks_before(type(step.state)):
        await hook(step)


def _with(content: Content, step: Step) -> Content:
    return Content(step.stash, content.previous, content.schedule, content.visited, content.past)


def _sent(
    action: type[Action], inputs: Sequence[Input], found: Read, outcome: Outcome, given: Given
) -> Sent:
    """Keep of what was sent what may be shown again: the preserved values, and the problems."""
    shown = {one.name: found.values[one.name] for one in inputs if one.preserved}
    problems = outcome.inputs if isinstance(outcome, Refuse) else {}
    return Sent(action, {name: shown[name] for name in shown if name in given}, problems)


def _offers(flow: Flow, step: Step, sent: Sent) -> tuple[Offered, ...]:
    """List what can be done in the state that is shown."""
    return tuple(
        Offered(action, tuple(_shown(one, action, sent) for one in action.inputs(step)))
        for action in flow.actions[type(step.state)]
        if action.offered(step)
    )


def _shown(one: Input, action: type[Action], sent: Sent) -> ShownInput:
    if action is not sent.action:
        return ShownInput(one, None if one.preserved and one.shown is UNSET else one.shown)
    value: Any | UnsetType = one.shown
    if one.preserved:
        value = sent.values.get(one.name)
    return ShownInput(one, value, sent.problems.get(one.name))
