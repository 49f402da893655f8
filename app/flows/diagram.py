"""Draws a flow from its definition, for the documents (Mermaid)."""

from collections.abc import Iterator, Mapping

from app.flows.definition import Flow
from app.flows.state import State
from app.flows.step import Action


def diagram(flow: Flow) -> str:
    """Draw the states of a flow by sub-flow, each with its actions, and where it begins."""
    lines = ["flowchart TB"]
    shown: set[type[State]] = set()
    own = {state: flow.states[state] for state in flow.states}
    for name, states in (
        *((part.name, part.states) for part in flow.parts),
        (f"{flow.kind} (its own)", own),
    ):
        mine = {s: a for s, a in states.items() if s not in shown and _is_of(flow, s, name)}
        shown |= mine.keys()
        lines += _group(name, mine)
    first, *rest = flow.start
    lines += [f"  begin((begin)) --> {first.name}"]
    lines += [f"  {first.name} --> {state.name}" for state in rest]
    return "\n".join(lines)


def _is_of(flow: Flow, state: type[State], name: str) -> bool:
    return (state in flow.states) == name.endswith("(its own)")


def _group(name: str, states: Mapping[type[State], tuple[type[Action], ...]]) -> Iterator[str]:
    yield f'  subgraph {name.partition(" ")[0]} ["{name.replace("_", " ")}"]'
    for state, actions in states.items():
        named = "".join(f"<br>{action.name}" for action in actions)
        yield f'    {state.name}["<b>{state.name}</b>{named}"]'
    yield "  end"
