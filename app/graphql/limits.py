"""What an operation may ask for, counted before it runs and after its fragments are expanded.

A fragment is counted once and its counts are added wherever it is spread, so neither a fragment
that spreads itself nor one that multiplies another costs more than the document is long (SEC-095).
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
)

from app.paging import DEFAULT_PAGE, MAX_PAGE

MAX_CHARACTERS = 15_000
MAX_TOKENS = 1_000
MAX_DEPTH = 10
MAX_ALIASES = 15
MAX_ROOT_FIELDS = 15
MAX_DIRECTIVES = 50
MAX_INTROSPECTION_DEPTH = 20
_UNCOUNTED = 1 << 40
_INTROSPECTION = frozenset({"__schema", "__type", "__typename"})


class Counts(NamedTuple):
    """What a selection asks for."""

    depth: int = 0
    aliases: int = 0
    directives: int = 0
    cost: int = 0

    def plus(self, other: "Counts") -> "Counts":
        """Add what stands beside it."""
        return Counts(
            max(self.depth, other.depth),
            min(self.aliases + other.aliases, _UNCOUNTED),
            min(self.directives + other.directives, _UNCOUNTED),
            min(self.cost + other.cost, _UNCOUNTED),
        )


@dataclass(frozen=True, slots=True)
class Asked:
    """What one operation asks for."""

    counts: Counts
    root_fields: tuple[str, ...]

    @property
    def introspects(self) -> bool:
        """Say whether it asks for the schema."""
        return "__schema" in self.root_fields or "__type" in self.root_fields

    @property
    def only_introspects(self) -> bool:
        """Say whether it asks for nothing but the schema."""
        return _INTROSPECTION.issuperset(self.root_fields)


def too_expensive(why: str) -> GraphQLError:
    """Make the refusal of an operation that asks for too much."""
    return GraphQLError(why, extensions={"code": "QUERY_TOO_EXPENSIVE"})


def judge(asked: Asked, solo: frozenset[str], max_cost: int) -> GraphQLError | None:
    """Refuse an operation that asks for too much."""
    counts = asked.counts
    deepest = MAX_INTROSPECTION_DEPTH if asked.only_introspects else MAX_DEPTH
    checks = (
        (counts.depth, deepest, "nests fields {} deep"),
        (counts.aliases, MAX_ALIASES, "uses {} aliases"),
        (counts.directives, MAX_DIRECTIVES, "uses {} directives"),
        (len(asked.root_fields), MAX_ROOT_FIELDS, "asks for {} root fields"),
        (counts.cost, max_cost, "costs {}"),
    )
    for number, limit, sentence in checks:
        if number > limit:
            shown = number if number < _UNCOUNTED else "too many"
            return too_expensive(f"The operation {sentence.format(shown)}; {limit} is the most.")
    if sum(name in solo for name in asked.root_fields) > 1:
        return too_expensive("One operation may hold one field marked @solo, and that once.")
    return None


@dataclass(slots=True)
class Counter:
    """Counts the operations of one document."""

    fragments: dict[str, FragmentDefinitionNode]
    _done: dict[str, Counts | None] = field(default_factory=dict)
    _named: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, document: DocumentNode) -> "Counter":
        """Begin with a document."""
        found = [d for d in document.definitions if isinstance(d, FragmentDefinitionNode)]
        return cls({definition.name.value: definition for definition in found})

    def operation(self, node: OperationDefinitionNode) -> Asked:
        """Count one operation."""
        directives = Counts(directives=len(node.directives or ()))
        counts = self._set(node.selection_set).plus(directives)
        return Asked(counts, self._roots(node.selection_set))

    def _set(self, selections: SelectionSetNode | None) -> Counts:
        total = Counts()
        for node in selections.selections if selections else ():
            if isinstance(node, FieldNode):
                found = self._field(node)
            elif isinstance(node, InlineFragmentNode):
                found = self._set(node.selection_set)
            elif isinstance(node, FragmentSpreadNode):
                found = self._fragment(node.name.value)
            total = total.plus(found).plus(Counts(directives=len(node.directives or ())))
        return total

    def _field(self, node: FieldNode) -> Counts:
        inner = self._set(node.selection_set)
        times = _page_size(node)
        return Counts(
            depth=inner.depth + 1,
            aliases=inner.aliases + (node.alias is not None),
            directives=inner.directives,
            cost=min(1 + inner.cost * times, _UNCOUNTED),
        )

    def _fragment(self, name: str) -> Counts:
        """Count a fragment once; one that reaches itself is beyond every limit."""
        if name not in self._done:
            self._done[name] = None
            definition = self.fragments.get(name)
            self._done[name] = self._set(definition.selection_set) if definition else Counts()
        return self._done[name] or Counts(_UNCOUNTED, _UNCOUNTED, _UNCOUNTED, _UNCOUNTED)

    def _roots(self, selections: SelectionSetNode) -> tuple[str, ...]:
        """Collect the root fields as often as they are asked for, and not far past the limit."""
        names: tuple[str, ...] = ()
        for node in selections.selections:
            if isinstance(node, FieldNode):
                names += (node.name.value,)
            elif isinstance(node, InlineFragmentNode):
                names += self._roots(node.selection_set)
            elif isinstance(node, FragmentSpreadNode):
                names += self._fragment_roots(node.name.value)
            if len(names) > MAX_ROOT_FIELDS:
                break
        return names[: MAX_ROOT_FIELDS + 1]

    def _fragment_roots(self, name: str) -> tuple[str, ...]:
        """Collect a fragment's root fields once; one that reaches itself adds none there."""
        if name not in self._named:
            self._named[name] = ()
            definition = self.fragments.get(name)
            self._named[name] = self._roots(definition.selection_set) if definition else ()
        return self._named[name]


def solo_fields(schema: GraphQLSchema) -> frozenset[str]:
    """Give the names of the root fields that stand alone."""
    root = schema.mutation_type
    return (
        frozenset(name for name, item in root.fields.items() if _is_solo(item))
        if root
        else frozenset()
    )


def _is_solo(item: object) -> bool:
    from app.graphql.guards import Solo  # noqa: PLC0415

    definition = getattr(item, "extensions", {}).get("strawberry-definition")
    return any(isinstance(d, Solo) for d in getattr(definition, "directives", ()))


def _page_size(node: FieldNode) -> int:
    """Say how many rows a field may bring; where a variable decides, the most there may be."""
    for argument in node.arguments or ():
        if argument.name.value in ("first", "last"):
            value = argument.value
            if isinstance(value, IntValueNode) and len(value.value) < 10:  # noqa: PLR2004  # digits
                return max(int(value.value), 1)
            return MAX_PAGE
    return DEFAULT_PAGE if node.name.value in _CONNECTIONS else 1


_CONNECTIONS = frozenset({"users", "sessions", "webhookDeliveries", "auditLog"})
