"""The printed schema: equal to the file, described throughout, guarded visibly, and as agreed."""

import re
from pathlib import Path

import pytest
from faces.agreed import AGREED
from graphql import (
    EnumTypeDefinitionNode,
    InputObjectTypeDefinitionNode,
    InterfaceTypeDefinitionNode,
    ObjectTypeDefinitionNode,
    ScalarTypeDefinitionNode,
    build_schema,
    parse,
    print_ast,
    validate_schema,
)

from app.access import SCOPES
from app.errors import Conflict, Invalid, NotFound, RateLimited, leaves
from app.flows import errors as flow_errors
from app.graphql import printed_schema, schema

FILE = Path(__file__).parents[1] / "graphql" / "schema.graphql"
SDL = printed_schema()
TYPES = {d.name.value: d for d in parse(SDL).definitions if hasattr(d, "name")}

NAMED = {
    "Mutation": """addUserEmail setPrimaryUserEmail verifyUserEmail deleteUserEmail
        revokeUserSession revokeUserSessions createSecretKey rotateSecretKey revokeSecretKey
        signOut revokeSession revokeOtherSessions""",
}
"""What the page only names."""

AGREED_TYPES = {d.name.value: d for d in parse(AGREED).definitions}

PLAIN_ARGUMENTS = {
    ("startFlow", "kind"),
    ("continueFlow", "csrfToken"),
    ("continueFlow", "action"),
}
"""Arguments of mutations that are neither ids nor the change itself: those the page itself has."""

OPEN = {"refreshSession", "startFlow", "continueFlow"}
"""Mutations for everybody: what they take proves who asks."""


NAMED_INPUTS = ("UserBy", "AuditFilter", "UserFilter", "MetadataFilter", "FlowAction")
"""Inputs whose names the page fixes."""


def members(definition):
    """The fields or values of a type by name."""
    found = getattr(definition, "fields", None) or getattr(definition, "values", None) or ()
    return {member.name.value: member for member in found}


def bare(node):
    """A definition without its descriptions, however it is spaced."""
    text = re.sub(r'""".*?"""', "", print_ast(node), flags=re.DOTALL)
    return " ".join(re.findall(r'"[^"]*"|\w+|[^\s\w,]', text))


def plain(node):
    """The same without what no client sees: where it may stand, and a default that is none."""
    return bare(node).replace(" = null", "").replace(" @ solo", "")


def marks(node):
    """The directives of a definition by name."""
    return {directive.name.value: directive for directive in node.directives or ()}


def interfaces(node):
    return [interface.name.value for interface in getattr(node, "interfaces", None) or ()]


def test_the_file_is_what_the_code_prints():
    assert FILE.read_text("utf-8") == SDL


def test_the_printed_schema_is_a_valid_schema():
    assert validate_schema(build_schema(SDL)) == []
    assert validate_schema(schema()) == []


@pytest.mark.parametrize("name", AGREED_TYPES)
def test_what_is_agreed_stands_in_the_schema(name):
    agreed, found = AGREED_TYPES[name], TYPES[name]
    assert type(found) is type(agreed)
    assert interfaces(found) == interfaces(agreed)
    assert marks(found).keys() >= marks(agreed).keys()
    there = members(found)
    for member, node in members(agreed).items():
        given, wanted = plain(there[member]), plain(node)
        assert given == wanted or given.partition(" @")[0] == wanted


@pytest.mark.parametrize("name", NAMED)
def test_what_is_only_named_is_there(name):
    assert set(NAMED[name].split()) <= set(members(TYPES[name]))


def test_everything_is_described():
    bare_places = []
    for name, definition in TYPES.items():
        if not getattr(definition, "description", None):
            bare_places.append(name)
        for member, node in members(definition).items():
            if not node.description:
                bare_places.append(f"{name}.{member}")
            bare_places += [
                f"{name}.{member}({argument.name.value})"
                for argument in getattr(node, "arguments", None) or ()
                if not argument.description
            ]
    assert [place for place in bare_places if place != "oneOf"] == []


def test_descriptions_are_sentences():
    for name, definition in TYPES.items():
        for node in (definition, *members(definition).values()):
            text = node.description.value if node.description else "."
            assert text.rstrip("`)").endswith((".", "?")), (name, text)
            assert text == text.strip()


def test_guards_show_in_the_printed_schema():
    private = bare(members(TYPES["User"])["privateMetadata"])
    assert private == (
        "privateMetadata ( path : String ) : JSON "
        '@ requiresSecretKey ( scopes : [ "users.private:read" ] )'
    )
    for directive in ("requiresSecretKey", "requiresSession", "solo"):
        assert [n.value for n in TYPES[directive].locations] == ["FIELD_DEFINITION"]


def test_every_scope_that_is_asked_for_exists_and_every_mutation_says_who_may():
    for name in ("Query", "Mutation", "User"):
        for member, node in members(TYPES[name]).items():
            found = marks(node)
            if "requiresSecretKey" in found:
                (scopes,) = found["requiresSecretKey"].arguments
                assert {value.value for value in scopes.value.values} <= set(SCOPES)
            if name == "Mutation":
                assert found.keys() & {"requiresSecretKey", "requiresSession"} or member in OPEN, (
                    member
                )


def test_what_hands_out_a_secret_stands_alone():
    for member in ("createUserSession", "createSecretKey", "rotateSecretKey"):
        assert "solo" in marks(members(TYPES["Mutation"])[member])


def test_every_mutation_returns_a_payload_with_user_errors():
    for node in members(TYPES["Mutation"]).values():
        payload = print_ast(node.type)
        assert payload.endswith("Payload!")
        parts = members(TYPES[payload.rstrip("!")])
        assert print_ast(parts.pop("userErrors").type) == "[UserError!]!"
        assert parts
        assert not any(print_ast(part.type).endswith("!") for part in parts.values())


def test_a_mutation_takes_ids_as_arguments_and_the_change_as_input():
    for name, node in members(TYPES["Mutation"]).items():
        for argument in node.arguments or ():
            type_ = print_ast(argument.type)
            is_id = argument.name.value.endswith("Id") and type_ == "ID!"
            is_input = argument.name.value == "input" and type_.rstrip("!").endswith("Input")
            assert is_id or is_input or (name, argument.name.value) in PLAIN_ARGUMENTS


def test_names_follow_the_style():
    for name, definition in TYPES.items():
        if isinstance(definition, EnumTypeDefinitionNode):
            assert all(member == member.upper() for member in members(definition))
        elif isinstance(definition, ObjectTypeDefinitionNode | InterfaceTypeDefinitionNode):
            assert name[0].isupper()
            assert all(m[0].islower() and "_" not in m for m in members(definition))
        elif isinstance(definition, InputObjectTypeDefinitionNode):
            assert name.endswith("Input") or name in NAMED_INPUTS
        elif isinstance(definition, ScalarTypeDefinitionNode):
            assert "specifiedBy" in marks(definition)


def test_connections_have_the_shape_of_relay():
    for name, definition in TYPES.items():
        if name.endswith("Connection"):
            assert {"edges", "nodes", "pageInfo"} <= members(definition).keys()


def test_every_refusal_has_its_code():
    codes = set(members(TYPES["ErrorCode"]))
    families = (NotFound, Conflict, Invalid, RateLimited)
    every = [*(leaf for family in families for leaf in leaves(family)), *flow_errors.told()]
    told = {leaf.code.upper() for leaf in every if not leaf.__module__.startswith("app.rest")}
    assert told == codes


def test_no_global_id_is_offered():
    """SEC-099"""
    assert "node" not in members(TYPES["Query"])
    assert "Node" not in TYPES
