"""`auditLog`: what happened, for a secret key that may read it."""

from factories import make_key, make_session, make_user

from app.access import SYSTEM
from app.graphql import printed_schema
from app.ids import new_id

LOG = """query ($first: Int, $after: String, $filter: AuditFilter) {
  auditLog(first: $first, after: $after, filter: $filter) {
    nodes { id at type actorKind actorId subjectId address userAgent requestId details }
    pageInfo { hasNextPage endCursor }
  }
}"""


async def asked(face, key, **variables):
    answer = await face.gql(LOG, variables, key=key)
    assert "errors" not in answer, answer
    return answer["data"]["auditLog"]


async def test_the_newest_come_first_and_pages_go_on(services, public, admin):
    key = await make_key(services, "audit:read")
    user = await make_user(services, username="ada_lovelace")
    await services.users.delete(SYSTEM, user.id)
    for face in (public, admin):
        page = await asked(face, key, first=1)
        (newest,) = page["nodes"]
        assert newest["type"] == "user_deleted"
        assert newest["subjectId"] == str(user.id)
        assert newest["actorKind"] == "SYSTEM"
        assert page["pageInfo"]["hasNextPage"]
        page = await asked(face, key, first=1, after=page["pageInfo"]["endCursor"])
        assert page["nodes"][0]["type"] == "user_created"


async def test_a_filter_narrows_it_down(services, public):
    key = await make_key(services, "*")
    user, other = await make_user(services), await make_user(services)
    for one in (user, other):
        await public.gql(
            "mutation ($id: ID!) { revokeUserSessions(userId: $id) { userErrors { code } } }",
            {"id": str(one.id)},
            key=key,
        )
    wanted = {"subjectId": str(user.id), "types": ["user_created", "user_deleted"]}
    page = await asked(public, key, filter=wanted)
    assert [node["type"] for node in page["nodes"]] == ["user_created"]
    assert (await asked(public, key, filter={"address": "203.0.113.1"}))["nodes"] == []
    assert (await asked(public, key, filter={"actorId": str(new_id())}))["nodes"] == []
    late = {"after": "2130-01-01T00:00:00Z"}
    assert (await asked(public, key, filter=late))["nodes"] == []


async def test_a_write_by_a_key_names_the_key_and_the_request_sec_118(services, public):
    key = await make_key(services, "users:write", "audit:read")
    answer = await public.ask(
        'mutation { createUser(input: {username: "grace_hopper"}) { user { id } } }',
        key=key,
        headers={"user-agent": "Backend/2"},
    )
    made = answer.json()["data"]["createUser"]["user"]["id"]
    page = await asked(public, key, filter={"subjectId": made})
    node = page["nodes"][-1]
    assert (node["actorKind"], node["userAgent"]) == ("SECRET_KEY", "Backend/2")
    assert node["requestId"] == answer.headers["x-request-id"]
    assert node["address"] == "127.0.0.1"


async def test_a_session_another_scope_and_nobody_are_refused_sec_015(services, public):
    token = (await make_session(services, await make_user(services))).token
    other = await make_key(services, "users:read", "webhooks:read")
    for credentials, code in (
        ({}, "UNAUTHENTICATED"),
        ({"token": token}, "FORBIDDEN"),
        ({"key": other}, "FORBIDDEN"),
    ):
        answer = await public.gql(LOG, {}, **credentials)
        assert answer["data"] is None
        assert answer["errors"][0]["extensions"]["code"] == code


async def test_what_is_no_id_or_no_page_is_refused(services, public):
    key = await make_key(services, "audit:read")
    for variables in (
        {"first": 101},
        {"first": -1},
        {"after": "x"},
        {"filter": {"actorId": "x"}},
        {"filter": {"address": "\0"}},
        {"filter": {"types": ["x"] * 101}},
    ):
        answer = await public.gql(LOG, variables, key=key)
        assert answer["data"] is None, variables
        assert answer["errors"][0]["extensions"]["code"] != "INTERNAL"


def test_nothing_in_the_schema_changes_a_record_sec_118():
    mutations = printed_schema().partition("type Mutation")[2].partition("\n}")[0]
    assert "audit" not in mutations.lower()
