"""The short way through plain questions, such as the one every page asks: `{ me { … } }`.

A document that names fields and nothing else (no arguments, variables, directives or fragments),
all of them fields that nothing guards and that need no waiting, is turned once into a list of what
to read under which name. Whatever is not so plain has no plan, and whatever turns out not to be
while it runs (a value to wait for, an error, a null where none may be) is dropped: questions change
nothing, so graphql-core then answers from the start, as it answers everything else.
"""

from collections.abc import Callable
from types import CoroutineType
from typing import Any, NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLField,
    GraphQLID,
    GraphQLLeafType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLString,
    OperationDefinitionNode,
    OperationType,
    is_leaf_type,
    is_object_type,
)

from app.graphql.context import Context

SHORT = "sekisho-short"
"""Where a field's extensions hold the function `(source, info) -> value` that reads it."""

Read = Callable[[Any, Any], Any]
Shape = Callable[[Any, Any], Any]


class NotPlain(Exception):  # no error: the long way is taken
    """The answer is not as plain as the question."""


class _Entry(NamedTuple):
    """One field of an answer: its name, how to read it, how to show it, and whether it must be."""

    key: str
    read: Read
    shape: Shape
    required: bool


class _Info:
    """What a plain resolver may ask of its info."""

    __slots__ = ("context",)

    def __init__(self, context: Context) -> None:
        self.context = context


class Plan:
    """What to read for one operation, and under which names."""

    __slots__ = ("_entries", "name")

    def __init__(self, name: str | None, entries: tuple[_Entry, ...]) -> None:
        self.name = name
        self._entries = entries

    def run(self, context: Context) -> dict[str, Any] | None:
        """Give the answer's data, or None where the long way must be taken."""
        try:
            return _object(self._entries, None, _Info(context))
        except Exception:  # noqa: BLE001  # graphql-core meets it again, and answers for it
            return None


def plan_of(schema: GraphQLSchema, document: DocumentNode) -> Plan | None:
    """Make the plan of a document that has been validated, or none where it is not plain."""
    operation = document.definitions[0]
    if len(document.definitions) != 1 or not isinstance(operation, OperationDefinitionNode):
        return None
    if operation.operation is not OperationType.QUERY or schema.query_type is None:
        return None
    if operation.variable_definitions or operation.directives:
        return None
    try:
        entries = _entries(schema.query_type, operation.selection_set.selections)
    except NotPlain:
        return None
    return Plan(operation.name.value if operation.name else None, entries)


def _entries(kind: GraphQLObjectType, selections: Any) -> tuple[_Entry, ...]:  # noqa: ANN401  # nodes
    entries = tuple(_entry(kind, node) for node in selections)
    if len({entry.key for entry in entries}) != len(entries):
        raise NotPlain  # asked twice: the selections would have to be merged
    return entries


def _entry(kind: GraphQLObjectType, node: Any) -> _Entry:  # noqa: ANN401  # any selection
    if not isinstance(node, FieldNode) or node.arguments or node.directives:
        raise NotPlain
    field: GraphQLField | None = kind.fields.get(node.name.value)
    if field is None or SHORT not in field.extensions:
        raise NotPlain
    required = isinstance(field.type, GraphQLNonNull)
    inner: Any = field.type.of_type if isinstance(field.type, GraphQLNonNull) else field.type
    key = node.alias.value if node.alias else node.name.value
    return _Entry(key, field.extensions[SHORT], _shape(inner, node), required)


def _shape(kind: Any, node: FieldNode) -> Shape:  # noqa: ANN401  # any output type
    if is_leaf_type(kind):
        return _leaf(kind)
    if not is_object_type(kind) or node.selection_set is None:
        raise NotPlain
    entries = _entries(kind, node.selection_set.selections)
    return lambda value, info: _object(entries, value, info)


def _leaf(kind: GraphQLLeafType) -> Shape:
    show = kind.coerce_output_value
    if kind in (GraphQLID, GraphQLString):
        return lambda value, _info: value if type(value) is str else show(value)
    return lambda value, _info: show(value)


def _object(entries: tuple[_Entry, ...], source: Any, info: _Info) -> dict[str, Any]:  # noqa: ANN401  # a source
    shown = {}
    for key, read, shape, required in entries:
        value = read(source, info)
        if value is not None:
            if type(value) is CoroutineType:
                value.close()
                raise NotPlain
            shown[key] = shape(value, info)
        elif required:
            raise NotPlain
        else:
            shown[key] = None
    return shown
