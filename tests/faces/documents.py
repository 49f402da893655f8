"""Documents made from the schema itself, so that a field to come is covered by itself."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    ListValueNode,
    ObjectTypeDefinitionNode,
    StringValueNode,
    get_named_type,
    is_leaf_type,
    is_required_argument,
    is_required_input_field,
    parse,
)

from app.graphql import printed_schema, schema

SCHEMA: GraphQLSchema = schema()
SDL: str = printed_schema()
ROOTS = ("query", "mutation")

_EXAMPLES = {
    "String": "x",
    "Int": 1,
    "Float": 1.5,
    "Boolean": True,
    "JSON": {"k": 1},
    "DateTime": "2030-01-01T00:00:00Z",
}


def guards(sdl: str = SDL) -> dict[tuple[str, str], dict[str, list[str]]]:
    """Read the guards as a client does, from the printed schema: type and field, then directive."""
    found: dict[tuple[str, str], dict[str, list[str]]] = {}
    for definition in parse(sdl).definitions:
        if isinstance(definition, ObjectTypeDefinitionNode):
            for field in definition.fields or ():
                marks = {d.name.value: _scopes(d.arguments) for d in field.directives or ()}
                found[definition.name.value, field.name.value] = marks
    return found


def roots() -> Iterator[tuple[str, str, GraphQLField]]:
    """Walk every root field: the kind of its operation, its name, itself."""
    for kind, root in zip(ROOTS, (SCHEMA.query_type, SCHEMA.mutation_type), strict=True):
        assert root is not None
        for name, field in root.fields.items():
            yield kind, name, field


def example(type_: Any, an_id: str | None = None, *, whole: bool = False, depth: int = 0) -> Any:
    """Make a value of an input type; `whole` fills what may be left out too."""
    if isinstance(type_, GraphQLNonNull):
        return example(type_.of_type, an_id, whole=whole, depth=depth)
    if isinstance(type_, GraphQLList):
        return [example(type_.of_type, an_id, whole=whole, depth=depth)]
    if isinstance(type_, GraphQLEnumType):
        return next(iter(type_.values))
    if isinstance(type_, GraphQLInputObjectType):
        fields = {
            name: field
            for name, field in type_.fields.items()
            if (whole and depth < 1) or is_required_input_field(field)
        }
        if type_.is_one_of:
            fields = dict(list(type_.fields.items())[:1])
        return {
            name: example(field.type, an_id, whole=whole, depth=depth + 1)
            for name, field in fields.items()
        }
    return (an_id or str(uuid4())) if type_.name == "ID" else _EXAMPLES[type_.name]


def call(
    kind: str,
    name: str,
    selected: str | None = None,
    *,
    an_id: str | None = None,
    whole: bool = False,
    head: str = "",
    tail: str = "",
) -> tuple[str, dict[str, Any]]:
    """Write an operation that asks for one root field, and its variables.

    Args:
        kind: Of the operation.
        name: Of the field.
        selected: What to ask of it; where left out, its `__typename`.
        an_id: Stands wherever the field takes an ID.
        whole: Give the arguments that may be left out, too.
        head: Further variables to declare.
        tail: Further definitions.
    """
    root = SCHEMA.query_type if kind == "query" else SCHEMA.mutation_type
    assert root is not None
    field = root.fields[name]
    wanted = {
        key: argument
        for key, argument in field.args.items()
        if whole or is_required_argument(argument)
    }
    declared = " ".join([f"${key}: {argument.type}" for key, argument in wanted.items()] + [head])
    given = ", ".join(f"{key}: ${key}" for key in wanted)
    inner = "" if is_leaf_type(get_named_type(field.type)) else selected or "__typename"
    document = "{} {} {{ {}{}{} }} {}".format(
        kind,
        f"({declared})" if declared.strip() else "",
        name,
        f"({given})" if given else "",
        f" {{ {inner} }}" if inner else "",
        tail,
    )
    return document, {key: example(a.type, an_id, whole=whole) for key, a in wanted.items()}


def everything(type_: Any, levels: int = 5, *, above: tuple[str, ...] = ()) -> str:
    """Select every field of a type that needs no argument, and theirs in turn."""
    named = get_named_type(type_)
    if is_leaf_type(named):
        return ""
    assert isinstance(named, GraphQLObjectType | GraphQLInterfaceType)
    parts = ["__typename"]
    for name, field in named.fields.items():
        inner = get_named_type(field.type)
        if is_leaf_type(inner):
            parts.append(name)
        elif levels > 1 and inner.name not in above:
            size = "(first: 2)" if "first" in field.args else ""
            below = everything(inner, levels - 1, above=(*above, named.name))
            parts.append(f"{name}{size} {{ {below} }}")
    if isinstance(named, GraphQLInterfaceType):
        for kind in SCHEMA.get_possible_types(named):
            own = [n for n, f in kind.fields.items() if is_leaf_type(get_named_type(f.type))]
            parts.append(f"... on {kind.name} {{ {' '.join(own)} }}")
    return " ".join(parts)


def ways_to(target: str) -> list[tuple[str, tuple[str, ...]]]:
    """Find every way from a root to a type: the kind of the operation, the names on the way."""
    found = []
    todo: list[tuple[str, tuple[str, ...], Any, tuple[str, ...]]] = [
        (kind, (name,), get_named_type(field.type), ()) for kind, name, field in roots()
    ]
    while todo:
        kind, names, type_, above = todo.pop()
        if type_.name == target:
            found.append((kind, names))
        elif isinstance(type_, GraphQLObjectType) and type_.name not in above:
            todo += [
                (kind, (*names, name), get_named_type(field.type), (*above, type_.name))
                for name, field in type_.fields.items()
            ]
    return sorted(found)


def _scopes(arguments: Any) -> list[str]:
    values = [a.value for a in arguments or () if a.name.value == "scopes"]
    return [
        item.value
        for value in values
        if isinstance(value, ListValueNode)
        for item in value.values
        if isinstance(item, StringValueNode)
    ]
