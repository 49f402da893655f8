"""Walks a flow through every state that it can be in.

The real engine, actions and hooks run; the services are doubles over a `World`. A state of the
exploration is what a flow remembers together with the world. A step runs once for all
configurations that read the same values while it runs: what it has read stands in a tree that the
next configuration is looked up in. What is offered where it leads reads much more, so that is asked
for by itself, and remembered in a tree of its own.
"""

from collections.abc import Coroutine, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import msgspec
import pytest
from flows.model.doubles import ORIGIN, Place, domains_over
from flows.model.moments import NOW
from flows.model.sending import Sent, sendings
from flows.model.settings import Traced, Values
from flows.model.world import ADA, FLOW, SESSION, World

from app.access import Actor, SessionPrincipal
from app.errors import IdentityError
from app.flows import engine
from app.flows.definition import Flow
from app.flows.definitions import FLOWS
from app.flows.engine import Turn
from app.flows.errors import FlowError, OperationNotPermitted, status_of
from app.flows.stash import Stash
from app.flows.step import Action, FlowRequest, NeededOutside, Step
from app.flows.store import Content, Past

ENDS = ("success", "error", "account_deleted")
_OFFERS = engine._offers


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client sees of a step, but for values that are drawn by lot."""

    state: str
    status: int
    error: str
    problems: tuple[tuple[str, str, str], ...]
    payload: tuple[str, ...]
    actions: tuple[tuple[str, tuple[Any, ...]], ...]


@dataclass(eq=False, slots=True)
class Node:
    """A state of a flow, with all that it remembers, in a world."""

    number: int
    kind: str
    state: str
    content: Content
    world: World
    is_trusted: bool
    moves: "list[Move] | None" = None
    essence: int = -1

    @property
    def stash(self) -> Stash:
        return self.content.stash


@dataclass(eq=False, slots=True)
class Edge:
    """A step that was taken: what led on, and to what."""

    action: str
    sent: Sent
    target: Node
    answer: Answer | None = None
    failure: str = ""
    """The code of an early failure; the flow is as it was."""

    @property
    def label(self) -> str:
        return f"{self.action}({self.sent.label})" if self.sent.label else self.action


@dataclass(eq=False, slots=True)
class Move:
    """Something that can be sent in a state, and a tree of what comes of it."""

    action: type[Action]
    sent: Sent
    tree: Any = None


@dataclass(eq=False, slots=True)
class Landing:
    """Where a step has led, and a tree of what is offered there; each leaf is an edge."""

    move: Move
    target: Node
    turn: Turn
    tree: Any = None


class _Open:
    """A place in a tree where no configuration has been yet."""


OPEN = _Open()


@dataclass(slots=True)
class Graph:
    """All that can be reached under one configuration from one beginning."""

    start: Node
    edges: dict[Node, list[Edge]]
    offered: dict[Node, set[str]]
    """What each node accepts, for those where the walk has gone on."""

    def reach(
        self, start: Node, *, without: frozenset[str] = frozenset(), back: bool = True
    ) -> set[Node]:
        """The nodes that are reached without some proofs of Ada's, and maybe without going back."""
        found, todo = {start}, [start]
        while todo:
            for edge in self.edges[todo.pop()]:
                if edge.target in found or edge.sent.proof in without:
                    continue
                if back or edge.action != "back":
                    found.add(edge.target)
                    todo.append(edge.target)
        return found

    def finishing(self, ends: tuple[str, ...]) -> set[Node]:
        """The nodes from which one of some states can be reached."""
        before: dict[Node, list[Node]] = {}
        for node, edges in self.edges.items():
            for edge in edges:
                before.setdefault(edge.target, []).append(node)
        found = {node for node in self.edges if node.state in ends}
        todo = list(found)
        while todo:
            for node in before.get(todo.pop(), ()):
                if node not in found:
                    found.add(node)
                    todo.append(node)
        return found

    def path(
        self, to: Node, *, start: Node | None = None, without: frozenset[str] = frozenset()
    ) -> str:
        """A shortest way to a node, as one reads it."""
        first = start or self.start
        came: dict[Node, tuple[Node, Edge] | None] = {first: None}
        todo = [first]
        for node in todo:
            for edge in self.edges[node]:
                if edge.target not in came and edge.sent.proof not in without:
                    came[edge.target] = (node, edge)
                    todo.append(edge.target)
        if to not in came:
            return f"(no way to {to.state})"
        steps = []
        at: Node = to
        while (step := came[at]) is not None:
            steps.append(f"{step[1].label} -> {at.state}")
            at = step[0]
        return "; ".join([first.state, *reversed(steps)])


@dataclass(slots=True)
class Explorer:
    """Explores; it remembers every step that it has ever taken."""

    place: Place = field(default_factory=Place)
    config: Traced = field(default_factory=Traced)
    nodes: dict[Any, Node] = field(default_factory=dict)
    answers: dict[Answer, Answer] = field(default_factory=dict)
    essences: dict[Any, int] = field(default_factory=dict)
    taken: int = 0
    domains: Any = None
    seen: set[tuple[str, str, str, str]] = field(default_factory=set)
    """Each step by flow, state, action and the state it led to."""

    def __post_init__(self) -> None:
        self.domains = domains_over(self.place, self.config)

    def begin(self, kind: str, world: World, *, is_trusted: bool = False) -> Node:
        """Give the first state of a flow in a world."""
        flow = FLOWS[kind]
        self.place.world = world
        step = self._step(flow, Content(Stash()), flow.start[0].name, is_trusted=is_trusted)
        turn = run(engine.begin(flow, step))
        return self._node(kind, flow.start[0].name, turn.content, is_trusted=is_trusted)

    def explore(self, values: Values, start: Node, *, stop: Any = None) -> Graph:
        """Walk everything from a node, under one configuration.

        Args:
            values: The configuration.
            start: Where to begin.
            stop: Says of a node whether to go no further there.
        """
        self.config.values = values
        graph = Graph(start, {start: []}, {})
        todo = [start]
        while todo:
            node = todo.pop()
            edges = graph.edges[node]
            if stop is not None and stop(node):
                continue
            offered = graph.offered[node] = set()
            for move in self._moves(node):
                edge = self._look(node, move, values)
                if edge is None:
                    continue
                offered.add(edge.action)
                edges.append(edge)
                if edge.target not in graph.edges:
                    graph.edges[edge.target] = []
                    todo.append(edge.target)
        return graph

    def forget(self) -> None:
        """Let go of all that is remembered; it holds itself in circles that are broken here."""
        for node in self.nodes.values():
            for move in node.moves or ():
                move.tree = None
            node.moves = None
        self.nodes.clear()

    def _moves(self, node: Node) -> list[Move]:
        if node.moves is None:
            flow = FLOWS[node.kind]
            node.moves = [
                Move(action, sent, OPEN)
                for action in flow.actions[flow.by_name[node.state]]
                for sent in sendings(action.name, node.world)
            ]
        return node.moves

    def _look(self, node: Node, move: Move, values: Values) -> Edge | None:
        found = _leaf(move.tree, values)
        if found is OPEN:
            found = self._take(node, move)
            move.tree = _grown(move.tree, list(self.config.read.items()), found)
        if type(found) is not Landing:
            return found
        edge = _leaf(found.tree, values)
        if edge is OPEN:
            self.config.read.clear()
            edge = self._edge(found)
            found.tree = _grown(found.tree, list(self.config.read.items()), edge)
        return edge

    def _take(self, node: Node, move: Move) -> Landing | Edge | None:
        """Take a step for the first time; None where it is not offered, an edge where it fails."""
        self.taken += 1
        self.config.read.clear()
        flow, answers = FLOWS[node.kind], {}
        while True:
            self.place.world = node.world
            step = self._step(flow, node.content, node.state, node.is_trusted, answers)
            try:
                action = run(engine.check(flow, step, move.action.name))
            except OperationNotPermitted:
                return None
            try:
                turn = run(engine.take(flow, step, action, move.sent.values, step_content(node)))
            except NeededOutside as needed:
                self.place.world = node.world
                answers[needed.key] = run(needed.work())
                continue
            except FlowError as failed:
                return Edge(action.name, move.sent, node, failure=failed.code)
            except Exception as failed:  # noqa: BLE001  # what a caller is told is technical_error
                return Edge(action.name, move.sent, node, failure=repr(failed))
            state = type(turn.step.state).name
            target = self._node(node.kind, state, turn.content, is_trusted=node.is_trusted)
            self.seen.add((node.kind, node.state, move.action.name, state))
            return Landing(move, target, turn, OPEN)

    def _edge(self, landing: Landing) -> Edge:
        answer = answer_of(landing.turn)
        answer = self.answers.setdefault(answer, answer)
        return Edge(landing.move.action.name, landing.move.sent, landing.target, answer)

    def _node(self, kind: str, state: str, content: Content, *, is_trusted: bool) -> Node:
        content = msgspec.structs.replace(content, past=_within_reach(kind, content.past))
        past = tuple(
            (one.state, one.previous, one.schedule, one.visited, _packed(one.stash))
            for one in content.past
        )
        essence = (kind, state, content.previous, content.schedule, _packed(content.stash))
        world = self.place.world.at(state)
        key = (essence, content.visited, past, world, is_trusted)
        found = self.nodes.get(key)
        if found is None:
            kept = msgspec.structs.replace(content, stash=content.stash.snapshot())
            found = Node(len(self.nodes), kind, state, kept, world, is_trusted)
            found.essence = self.essences.setdefault(essence, len(self.essences))
            self.nodes[key] = found
        return found

    def _step(
        self,
        flow: Flow,
        content: Content,
        state: str,
        is_trusted: bool = False,  # noqa: FBT001, FBT002
        answers: Mapping[str, Any] | None = None,
    ) -> Step:
        """Make a step as the service makes it, of what it has read anew."""
        session = SessionPrincipal(SESSION, ADA) if flow.kind == "profile" else None
        request = FlowRequest(Actor(session, origin=ORIGIN), "en", "cookie" if is_trusted else "")
        return Step(
            self.domains,
            FLOW,
            flow.kind,
            request,
            NOW,
            content.stash.snapshot(),
            flow.by_name[state](),
            previous=flow.by_name[content.previous] if content.previous else None,
            can_go_back=bool(content.past),
            visited=content.visited,
            stored=tuple(flow.by_name[name] for name in content.schedule),
            answers=dict(answers or {}),
        )


def replace_offers(patch: pytest.MonkeyPatch) -> None:
    """Let the engine put off what it offers until it is asked for."""
    patch.setattr(engine, "_offers", lambda *of: partial(_OFFERS, *of))


def step_content(node: Node) -> Content:
    """Give what is remembered as the store gives it: a copy that a step may do with as it likes."""
    past = tuple(
        Past(one.state, one.previous, one.schedule, one.visited, one.stash.snapshot())
        for one in node.content.past
    )
    return msgspec.structs.replace(node.content, stash=node.content.stash.snapshot(), past=past)


def _within_reach(kind: str, past: tuple[Past, ...]) -> tuple[Past, ...]:
    """Leave out what no `back` ever comes to: whatever lies behind a state that has none."""
    flow = FLOWS[kind]
    for depth, entry in enumerate(reversed(past), 1):
        if flow.action(flow.by_name[entry.state], "back") is None:
            return past[-depth:]
    return past


def answer_of(turn: Turn) -> Answer:
    """Say what of a turn a client can tell apart."""
    error: IdentityError | None = turn.step.error
    state, offers = turn.step.state, turn.actions()
    problems = tuple(
        (offered.action.name, shown.input.name, shown.problem.error.code)
        for offered in offers
        for shown in offered.inputs
        if shown.problem is not None
    )
    payload = tuple(one for one in state.__struct_fields__ if getattr(state, one) not in (None, ()))
    actions = tuple((one.action.name, tuple(_shape(s.input) for s in one.inputs)) for one in offers)
    status = 200 if error is None else status_of(error)
    code = "" if error is None else error.code
    return Answer(type(state).name, status, code, problems, payload, actions)


def _shape(one: Any) -> tuple[Any, ...]:
    return (one.name, one.kind, one.required, one.hidden, one.min_length, one.max_length)


def _packed(stash: Stash) -> bytes:
    return msgspec.msgpack.encode(stash)


def _leaf(tree: Any, values: Values) -> Any:
    while type(tree) is tuple:
        path, branches = tree
        tree = branches.get(values[path], OPEN)
    return tree


def _grown(tree: Any, read: list[tuple[str, Any]], leaf: Edge | None) -> Any:
    """Let a tree have another way through it."""
    if not read:
        return leaf
    (path, value), *rest = read
    if tree is OPEN:
        tree = (path, {})
    if type(tree) is not tuple or tree[0] != path:
        raise AssertionError(f"a step is not the same twice: {path}, {tree}")
    tree[1][value] = _grown(tree[1].get(value, OPEN), rest, leaf)
    return tree


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run what never waits."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("a step waits for something")


def transitions(explorer: Explorer) -> Iterator[tuple[str, str, str, str]]:
    """List each step that was ever taken, once."""
    yield from sorted(explorer.seen)
