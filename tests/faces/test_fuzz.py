"""Whatever is sent, no door breaks: never a 5xx, never a word from inside (SEC-097)."""

import json
from uuid import UUID

import pytest
from faces.clients import exchange
from faces.documents import roots
from factories import make_session
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    get_named_type,
    is_leaf_type,
    is_required_argument,
    is_required_input_field,
)
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.access import SYSTEM
from app.metadata import BagChanges
from app.users import NewEmail, NewUser

STACK = ("Traceback", "site-packages", "File \\", "sqlite3", "asyncpg", "0x7")
ADA = "0190c0de-0000-7000-8000-00000000000a"
WRITES = [
    ("POST", "/graphql"),
    ("POST", "/api/server/v1/users"),
    ("PATCH", f"/api/server/v1/users/{ADA}/metadata"),
    ("PATCH", f"/users/{ADA}/metadata"),
    ("POST", "/sessions/validate"),
    ("POST", "/logout"),
]

HEADERS = [b"authorization", b"cookie", b"if-match", b"if-none-match", b"accept", b"origin"]
HEADERS += [b"x-request-id", b"sec-fetch-site", b"x-forwarded-for", b"content-type"]
HEADERS += [b"access-control-request-method", b"content-length", b"content-encoding"]

texts = st.text(st.characters(), max_size=30)
odd_texts = texts | st.sampled_from(
    ["\0", "\ud800", "\udfff", "\u202e", "' OR 1=1 --", "{{7*7}}", "a" * 5000, "é" * 300, ADA, ""]
)
numbers = st.integers() | st.floats() | st.sampled_from([2**31, 2**63, 10**40, 1e308, -0.0])
json_values = st.recursive(
    st.none() | st.booleans() | numbers | odd_texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(odd_texts, inner, max_size=3),
    max_leaves=8,
)
NAMES = ["query", "variables", "operationName", "extensions", "documentId", "public_metadata"]
NAMES += ["publicMetadata", "private_metadata", "unsafeMetadata", "session_token", "id", "email"]
NAMES += ["emails", "username", "createdAt", "picture", "address"]
listeners = st.sampled_from(["public", "admin"])
bodies = json_values | st.dictionaries(st.sampled_from(NAMES) | texts, json_values, max_size=4)


@pytest.fixture
async def bearing(services, key):
    new = NewUser(
        id=UUID(ADA),
        emails=(NewEmail("ada@example.com", is_primary=True),),
        bags=BagChanges(unsafe={"a": {"b": [1, "n", None]}, "n": 1}),
    )
    user, _ = await services.users.create(SYSTEM, new)
    token = (await make_session(services, user)).token
    return [
        (b"authorization", f"Bearer {key}".encode()),
        (b"cookie", f"hanko={token}".encode()),
    ]


def whole(answer):
    assert answer.status < 500, answer.body
    text = answer.body.decode()
    assert not [word for word in STACK if word in text]
    if text:
        json.loads(text)
    assert "INTERNAL" not in text
    return text


class TestBodies:
    @pytest.mark.one_database
    @given(
        body=st.binary(max_size=400),
        where=st.sampled_from(WRITES),
        media=st.sampled_from([b"application/json", b"application/json;charset=utf-8"]),
    )
    @example(body=b'{"query":"\xed\xa0\x80"}', where=WRITES[0], media=b"application/json")
    @settings(max_examples=60)
    async def test_arbitrary_bytes_are_answered(self, admin, bearing, body, where, media):
        """SEC-097, SEC-105"""
        headers = [*bearing, (b"content-type", media)]
        whole(await exchange(admin, *where, headers, [body]))

    @given(body=bodies, where=st.sampled_from(WRITES), listener=listeners)
    @example(body={"\ud800": 1}, where=WRITES[2], listener="admin")
    @example(body={"\ud800": 1}, where=WRITES[1], listener="admin")
    @example(body={"session_token": 1.5}, where=WRITES[4], listener="public")
    @example(body={"email": "a@example.com", "createdAt": 1.5}, where=WRITES[1], listener="public")
    @settings(max_examples=80)
    async def test_arbitrary_json_is_answered(self, request, bearing, body, where, listener):
        """SEC-097"""
        face = request.getfixturevalue(listener)
        headers = [*bearing, (b"content-type", b"application/json")]
        content = json.dumps(body, allow_nan=False, default=str) if finite(body) else "NaN"
        whole(await exchange(face, *where, headers, [content.encode()]))

    @pytest.mark.one_database
    @given(text=texts | st.text('{}()[]:!$@.#"\\, \n\tabme_quryid1-', max_size=60))
    @settings(max_examples=60)
    async def test_arbitrary_documents_are_answered(self, public, bearing, text):
        """SEC-097"""
        headers = [*bearing, (b"content-type", b"application/json")]
        content = json.dumps({"query": text}).encode()
        whole(await exchange(public, "POST", "/graphql", headers, [content]))

    @pytest.mark.one_database
    @given(path=st.text('abn.#|*?\\@!{}[]()":,=<>%~0123 \n', max_size=30) | odd_texts)
    @example(path='!"x')
    @example(path='{"a":!x}')
    @example(path="[!nul,!1e]")
    @settings(max_examples=100)
    async def test_arbitrary_paths_into_a_bag_give_json(self, public, bearing, path):
        """SEC-097, SEC-124"""
        query = "query ($p: String) { me { unsafeMetadata(path: $p) } }"
        headers = [*bearing, (b"content-type", b"application/json")]
        content = json.dumps({"query": query, "variables": {"p": path}}).encode()
        whole(await exchange(public, "POST", "/graphql", headers, [content]))

    @pytest.mark.one_database
    @given(
        method=st.sampled_from(["GET", "POST", "PATCH", "PUT", "DELETE", "HEAD", "OPTIONS"]),
        path=st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
        under=st.sampled_from(["/", "/users/", "/api/server/v1/users/", "/graphql/assets/", ""]),
    )
    @settings(max_examples=60)
    async def test_arbitrary_paths_are_answered(self, admin, bearing, method, path, under):
        """SEC-097"""
        answer = await exchange(admin, method, under + path or "/", bearing)
        assert answer.status < 500

    @pytest.mark.one_database
    @given(
        headers=st.lists(
            st.tuples(
                st.sampled_from(HEADERS),
                st.binary(max_size=40),
            ),
            max_size=4,
        ),
        where=st.sampled_from([*WRITES, ("GET", "/me"), ("GET", "/.well-known/jwks.json")]),
    )
    @settings(max_examples=60)
    async def test_arbitrary_headers_are_answered(self, public, services, headers, where):
        """SEC-097"""
        answer = await exchange(public, *where, headers, [b"{}"])
        assert answer.status < 500


def finite(value):
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True


def values(type_, depth=0):
    """A strategy for JSON that fits an input type, in its odder corners."""
    if isinstance(type_, GraphQLNonNull):
        return bare(type_.of_type, depth)
    return st.none() | bare(type_, depth)


def bare(type_, depth):
    if isinstance(type_, GraphQLList):
        return st.lists(values(type_.of_type, depth), max_size=2)
    if isinstance(type_, GraphQLEnumType):
        return st.sampled_from(list(type_.values))
    if isinstance(type_, GraphQLInputObjectType):
        if type_.is_one_of:
            return st.one_of(
                [st.fixed_dictionaries({n: bare(f.type, 9)}) for n, f in type_.fields.items()]
            )
        needed = {n: f for n, f in type_.fields.items() if is_required_input_field(f)}
        others = {n: f for n, f in type_.fields.items() if n not in needed and depth < 2}
        return st.fixed_dictionaries(
            {n: values(f.type, depth + 1) for n, f in needed.items()},
            optional={n: values(f.type, depth + 1) for n, f in others.items()},
        )
    return {
        "ID": st.just(ADA) | odd_texts,
        "String": odd_texts,
        "Int": st.integers(-(2**31), 2**31 - 1),
        "Float": st.floats(allow_nan=False, allow_infinity=False),
        "Boolean": st.booleans(),
        "JSON": json_values.filter(finite),
        "DateTime": st.datetimes().map(lambda at: at.isoformat() + "Z"),
    }[type_.name]


@st.composite
def selections(draw, type_, depth, variables):
    """A selection set of a type, with aliases, arguments, directives and fragments."""
    named = get_named_type(type_)
    if is_leaf_type(named):
        return ""
    assert isinstance(named, GraphQLObjectType | GraphQLInterfaceType)
    leaf = {n: f for n, f in named.fields.items() if is_leaf_type(get_named_type(f.type))}
    pool = named.fields if depth > 0 else leaf
    chosen = draw(st.lists(st.sampled_from(sorted(pool)), max_size=4)) if pool else []
    parts = ["__typename"]
    for n, name in enumerate(chosen):
        field = draw(selected(name, pool[name], depth, variables))
        alias = draw(st.sampled_from(["", f"a{n}_{len(variables)}: "]))
        mark = draw(st.sampled_from(["", " @include(if: true)", " @skip(if: false)"]))
        head, brace, rest = field.partition(" {")
        part = f"{alias}{head}{mark}{brace}{rest}"
        around = draw(st.sampled_from(["%s", "... { %s }", f"... on {named.name} {{ %s }}"]))
        parts.append(around % part)
    return f" {{ {' '.join(parts)} }}"


@st.composite
def selected(draw, name, field, depth, variables):
    wanted = []
    for key, argument in field.args.items():
        if is_required_argument(argument) or draw(st.booleans()):
            variable = f"v{len(variables)}"
            variables[variable] = (str(argument.type), draw(values(argument.type)))
            wanted.append(f"{key}: ${variable}")
    given_ = f"({', '.join(wanted)})" if wanted else ""
    return f"{name}{given_}{draw(selections(field.type, depth - 1, variables))}"


@st.composite
def operations(draw):
    kind = draw(st.sampled_from(["query", "query", "mutation"]))
    fields = {name: field for k, name, field in roots() if k == kind}
    variables = {}
    chosen = draw(st.lists(st.sampled_from(sorted(fields)), min_size=1, max_size=3))
    parts = [
        f"r{n}: {draw(selected(name, fields[name], 3, variables))}" for n, name in enumerate(chosen)
    ]
    declared = ", ".join(f"${name}: {type_}" for name, (type_, _) in variables.items())
    head = f"{kind} ({declared})" if declared else kind
    return f"{head} {{ {' '.join(parts)} }}", {n: value for n, (_, value) in variables.items()}


@given(operation=operations())
@settings(max_examples=80)
async def test_random_documents_of_the_schema_meet_no_defect(admin, bearing, operation):
    """SEC-097"""
    document, variables = operation
    headers = [*bearing, (b"content-type", b"application/json")]
    body = json.dumps({"query": document, "variables": variables}).encode()
    text = whole(await exchange(admin, "POST", "/graphql", headers, [body]))
    for error in json.loads(text).get("errors", ()):
        assert "Syntax" not in error["message"], document
        assert "Cannot query field" not in error["message"], document
