"""The scalars of the schema that GraphQL does not bring."""

import re
from datetime import UTC, datetime
from typing import Any, NewType

import msgspec
import strawberry
from graphql import (
    BooleanValueNode,
    EnumValueNode,
    FloatValueNode,
    GraphQLError,
    IntValueNode,
    ListValueNode,
    NullValueNode,
    ObjectValueNode,
    StringValueNode,
    ValueNode,
    VariableNode,
)
from strawberry.types.scalar import ScalarDefinition

from app import strictjson
from app.clock import STORABLE_YEARS

JSON = NewType("JSON", object)

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")


def raw(text: str) -> JSON:
    """Let JSON text that we store go into the answer as it stands."""
    return JSON(msgspec.Raw(text.encode()))


def _json_literal(node: ValueNode, variables: dict[str, Any] | None = None) -> Any:  # noqa: ANN401  # any JSON
    """Read a value written into the document, keeping its numbers exactly."""
    match node:
        case NullValueNode():
            return None
        case StringValueNode() | BooleanValueNode():
            return node.value
        case IntValueNode() | FloatValueNode():
            return _json_number(node.value)
        case ListValueNode():
            return [_json_literal(item, variables) for item in node.values]
        case ObjectValueNode():
            fields = {field.name.value: field.value for field in node.fields}
            return {
                name: _json_literal(value, variables)
                for name, value in fields.items()
                if not _is_left_out(value, variables)
            }
        case VariableNode():
            return (variables or {}).get(node.name.value)
        case EnumValueNode() | _:
            raise GraphQLError("JSON has no bare words; put the text in quotes.", node)


def _is_left_out(node: ValueNode, variables: dict[str, Any] | None) -> bool:
    """Say whether a member stands for a variable that was not given; it is then not there.

    GraphQL has it so for input objects (October 2021 §3.10), and null would delete the key.
    """
    return isinstance(node, VariableNode) and node.name.value not in (variables or {})


def _json_number(text: str) -> int | msgspec.Raw:
    try:
        return strictjson.exact_number(text)
    except strictjson.NotJson as error:
        raise GraphQLError(str(error)) from None


def _print_time(value: datetime) -> str:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _parse_time(value: object) -> datetime:
    if not isinstance(value, str) or not _RFC3339.fullmatch(value):
        raise GraphQLError("A DateTime is written as RFC 3339 says: 2026-01-31T12:00:00Z.")
    try:
        found = datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise GraphQLError("There is no such day or time.") from None
    if found.year not in STORABLE_YEARS:
        raise GraphQLError("A DateTime lies in the years 1900 to 9998.")
    return found


SCALARS: dict[object, ScalarDefinition] = {
    JSON: strawberry.scalar(
        name="JSON",
        description="Any JSON value. Integers and fractions keep every digit they are sent with.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc8259",
        serialize=lambda value: value,
        parse_value=lambda value: value,
        parse_literal=_json_literal,
    ),
    datetime: strawberry.scalar(
        name="DateTime",
        description="A moment as RFC 3339 writes it, in UTC: `2026-01-31T12:00:00Z`.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
        serialize=_print_time,
        parse_value=_parse_time,
    ),
}
