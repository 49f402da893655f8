"""Who writes what: a session writes its own user's unsafe bag, and nobody else writes anything."""

import json

import pytest
from faces.documents import call, guards, roots
from factories import make_session, make_user

from app.access import SYSTEM
from app.persistence import fetch
from app.users import NewEmail

FOREIGN = {"publicMetadata": {"x": 1}, "privateMetadata": {"x": 1}, "public_metadata": {"x": 1}}
FOREIGN |= {"private_metadata": {"x": 1}, "metadata": {"x": 1}, "private": {"x": 1}}
FOREIGN |= {"userId": "BOB", "user_id": "BOB", "id": "BOB", "sub": "BOB", "user": {"id": "BOB"}}
FOREIGN |= {
    "emails": [],
    "isVerified": True,
    "createdAt": "2020-01-01T00:00:00Z",
    "mode": "REPLACE",
}
HEADERS = ("x-user-id", "x-forwarded-user", "x-hanko-user", "x-sub", "x-http-method-override")
UNKNOWN_MEMBERS = ["userId", "user_id", "sub", "context", "session_token", "id"]
ARGUMENTS = ["id", "userId", "sub", "by"]


@pytest.fixture
async def ada(services):
    return await make_user(services, public={"p": 1}, private={"s": 1}, unsafe={"u": 1})


@pytest.fixture
async def bob(services):
    bob = await make_user(services, public={"p": 2}, private={"s": 2}, unsafe={"u": 2})
    await services.users.add_email(SYSTEM, bob.id, NewEmail("bob2@example.com"))
    await make_session(services, bob)
    return bob


@pytest.fixture
def token(services, ada):
    async def token():
        return (await make_session(services, ada)).token

    return token


async def all_of(user):
    """Everything that is kept of a user."""
    found = {}
    for table, column in (
        ("app_user", "id"),
        ("email", "user_id"),
        ("user_metadata", "user_id"),
        ("user_session", "user_id"),
    ):
        rows = await fetch(f"SELECT * FROM {table} WHERE {column} = $1", user.id)
        found[table] = sorted(map(str, rows))
    return found


async def guarded_bags(user):
    sql = "SELECT public_bag, private_bag FROM user_metadata WHERE user_id = $1"
    (row,) = await fetch(sql, user.id)
    return tuple(row.values())


async def ids_of(user):
    """Every id that names something of a user."""
    emails = await fetch("SELECT id FROM email WHERE user_id = $1", user.id)
    sessions = await fetch("SELECT id FROM user_session WHERE user_id = $1", user.id)
    return [str(user.id), *(str(row["id"]) for row in (*emails, *sessions))]


@pytest.mark.parametrize(
    ("listener", "whole"), [("public", False), ("public", True), ("admin", True)]
)
async def test_no_mutation_touches_another_user(  # noqa: PLR0917  # fixtures
    request, ada, bob, token, listener, whole
):
    """SEC-003, SEC-004: every mutation of the schema, with every id of somebody else."""
    face = request.getfixturevalue(listener)
    before = await all_of(bob)
    bags = await guarded_bags(ada)
    for kind, name, _ in roots():
        for an_id in await ids_of(bob):
            document, variables = call(kind, name, an_id=an_id, whole=whole)
            await face.gql(document, variables, token=await token())
            await face.gql(document, variables)
    assert await all_of(bob) == before
    assert await guarded_bags(ada) == bags


async def test_every_mutation_without_a_key_speaks_of_the_caller_alone():
    """SEC-004: none of them takes the id of a user."""
    marks = guards()
    for kind, name, field in roots():
        if kind == "mutation" and "requiresSecretKey" not in marks["Mutation", name]:
            assert not {"userId", "id", "user"} & set(field.args)


async def test_an_unknown_key_in_an_input_is_refused(public, ada, bob, token):
    """SEC-003, SEC-004"""
    for member in FOREIGN:
        value = json.loads(json.dumps(FOREIGN[member]).replace("BOB", str(bob.id)))
        before = await all_of(bob), await all_of(ada)
        given = {"input": {"unsafeMetadata": {"x": 1}, member: value}}
        bearing = await token()
        before = await all_of(bob), await all_of(ada)
        document, _ = call("mutation", "updateMe")
        answer = await public.gql(document, given, token=bearing)
        assert "data" not in answer
        literal = f'{{unsafeMetadata: {{x: 1}}, {member}: "{bob.id}"}}'
        document = f"mutation {{ updateMe(input: {literal}) {{ __typename }} }}"
        answer = await public.gql(document, token=bearing)
        assert "data" not in answer
        assert (await all_of(bob), await all_of(ada)) == before


async def test_an_unknown_argument_is_refused(public, bob, token):
    """SEC-004"""
    for argument in ARGUMENTS:
        bearing = await token()
        for document in (
            f'{{ me({argument}: "{bob.id}") {{ id }} }}',
            f'mutation {{ updateMe({argument}: "{bob.id}", input: {{}}) {{ __typename }} }}',
            f'mutation {{ signOut({argument}: "{bob.id}") {{ __typename }} }}',
        ):
            answer = await public.gql(document, token=bearing)
            assert "data" not in answer


async def test_an_unknown_member_of_the_request_is_refused(public, ada, bob, token):
    """SEC-004"""
    for member in UNKNOWN_MEMBERS:
        body = {"query": "{ me { id } }", member: str(bob.id)}
        answer = await public.post("/graphql", body, token=await token())
        assert answer.status_code == 400
        body = {"query": "{ me { id } }", "extensions": {member: str(bob.id)}}
        answer = await public.post("/graphql", body, token=await token())
        assert answer.json()["data"]["me"]["id"] == str(ada.id)
        body = {"query": "{ me { id } }", "variables": {member: str(bob.id)}}
        answer = await public.post("/graphql", body, token=await token())
        assert answer.json()["data"]["me"]["id"] == str(ada.id)


async def test_no_header_names_the_user(public, ada, bob, token):
    """SEC-004"""
    for header in HEADERS:
        bearing, given = await token(), {header: str(bob.id)}
        document = "mutation { updateMe(input: {unsafeMetadata: {x: 1}}) { user { id } } }"
        answer = await public.gql(document, token=bearing, headers=given)
        assert answer["data"]["updateMe"]["user"]["id"] == str(ada.id)
        answer = await public.get("/me", token=bearing, headers=given)
        assert answer.json()["id"] == str(ada.id)
        answer = await public.gql("{ me { id } }", headers=given)
        assert answer["data"] == {"me": None}


async def test_a_key_that_reads_like_a_bag_is_data_in_the_unsafe_bag(services, public, ada, token):
    """SEC-003, SEC-008"""
    patch = json.loads(json.dumps(FOREIGN).replace("BOB", "x")) | {"__proto__": {"private": 1}}
    document = """mutation ($p: JSON) { updateMe(input: {unsafeMetadata: $p}) {
      user { unsafeMetadata publicMetadata } } }"""
    answer = await public.gql(document, {"p": patch}, token=await token())
    user = answer["data"]["updateMe"]["user"]
    assert user == {"unsafeMetadata": {"u": 1, **patch}, "publicMetadata": {"p": 1}}
    assert await guarded_bags(ada) == ('{"p":1}', '{"s":1}')


@pytest.mark.parametrize("listener", ["public", "admin"])
async def test_no_rest_endpoint_writes_for_a_session_or_for_nobody(
    request, ada, bob, token, listener
):
    """SEC-003, SEC-004, SEC-016"""
    face = request.getfixturevalue(listener)
    bearing = await token()
    before = await all_of(bob), await all_of(ada)
    bags = {name: {"x": 1} for name in ("public_metadata", "private_metadata", "unsafe_metadata")}
    paths = ["/me", "/users", "/metadata", "/profile", "/api/server/v1/users"]
    for user in (ada, bob):
        paths += [
            f"/users/{user.id}",
            f"/users/{user.id}/metadata",
            f"/api/server/v1/users/{user.id}",
            f"/api/server/v1/users/{user.id}/metadata",
        ]
    for path in paths:
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            for credentials in ({"token": bearing}, {"cookie": bearing}, {}):
                answer = await face.call(method, path, bags, **credentials)
                begins_flow = (method, path) == ("POST", "/profile") and bool(credentials)
                assert begins_flow or answer.status_code in (401, 403, 404, 405), (method, path)
    assert (await all_of(bob), await all_of(ada)) == before


async def test_nobody_else_is_read_by_rest(public, bob, token):
    """SEC-004, SEC-068: somebody else and nobody are answered alike."""
    bearing = await token()
    answers = [
        await public.get(f"/users/{name}", token=bearing, headers={"x-request-id": "r"})
        for name in (bob.id, "0190c0de-0000-7000-8000-000000000001", "x", "me", "%00")
    ]
    assert {(a.status_code, a.text) for a in answers} == {(404, answers[0].text)}
