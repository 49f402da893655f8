"""The JSON Schema that editors check a configuration file against.

It takes what the server takes: every key may be left without a value, a text may stand for a
number, one value for a list of it; names that files for Hanko hold are there, marked as deprecated.
"""

from typing import Any

from app.config import schema as strict_schema
from app.config.moved import MOVED, UNUSED

Node = dict[str, Any]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_NULL: Node = {"type": "null"}
_NUMERAL: Node = {"type": "string", "pattern": "^[+-]?[0-9][0-9a-fA-FxXoObB_]*$"}
_TRUTH: Node = {"enum": [*"1tT0fF", "TRUE", "true", "True", "FALSE", "false", "False", ""]}
_SAID_ABOUT = ("title", "description", "default", "examples", "writeOnly", "deprecated")
_OTHER_SERVERS = ["mysql", "mariadb"]


def file_schema() -> Node:
    """Give the schema of the configuration file."""
    found = strict_schema()
    definitions = found["$defs"]
    for definition in definitions.values():
        properties = definition.get("properties", {})
        definition["properties"] = {name: _lenient(one) for name, one in properties.items()}
    _take_other_servers(definitions["Database"]["properties"]["dialect"])
    for name, new in sorted(MOVED.items()):
        _add(definitions, name, f"An older name of `{new}`.")
    for unused in sorted(UNUSED, key=lambda one: one.key):
        _add(definitions, unused.key, f"Has no effect: {unused.why}.")
    return {"$schema": _DIALECT, "title": "Configuration of Sekisho", **found}


def _lenient(node: Node) -> Node:
    """Take what the server makes a value of, and nothing at all."""
    about = {key: value for key, value in node.items() if key in _SAID_ABOUT}
    return {**about, "anyOf": [*_kinds(node), _NULL]}


def _kinds(node: Node) -> list[Node]:
    """List what can stand for a value, beginning with what is meant to."""
    kind = {key: value for key, value in node.items() if key not in _SAID_ABOUT}
    match kind.get("type"):
        case "integer":
            return [kind, _NUMERAL]
        case "boolean":
            return [kind, _TRUTH, {"type": "integer"}]
        case "string" if "examples" in node:  # a duration
            return [kind, {"const": 0}]
        case "string":
            return [kind, {"type": ["number", "boolean"]}]
        case "array":
            items = _kinds(kind["items"])
            return [{**kind, "items": {"anyOf": items}}, *items]
    choices: list[Node] = kind.get("anyOf", [kind])
    return choices


def _take_other_servers(dialect: Node) -> None:
    """Take servers that there is no driver for: development keeps its rows in SQLite instead."""
    dialect["anyOf"].insert(1, {"enum": _OTHER_SERVERS, "deprecated": True})


def _add(definitions: dict[str, Node], name: str, why: str) -> None:
    """Add a key that files may hold, whatever its value."""
    *above, last = name.split(".")
    properties = definitions["Config"]["properties"]
    for part in above:
        node = properties.setdefault(part, _old_section())
        if node.get("deprecated") and "anyOf" not in node:
            return  # all below it is taken already
        properties = _properties(definitions, node)
    properties.setdefault(last, {"deprecated": True, "description": why})


def _old_section() -> Node:
    section = {"type": "object", "properties": {}, "additionalProperties": False}
    return {"deprecated": True, "anyOf": [section, _NULL]}


def _properties(definitions: dict[str, Node], node: Node) -> Node:
    section: Node = node["anyOf"][0]
    if "$ref" in section:
        section = definitions[section["$ref"].removeprefix("#/$defs/")]
    properties: Node = section["properties"]
    return properties
