"""Input that once did harm, on both faces."""

import time

import pytest
from factories import make_key, make_session, make_user

CREATE = "mutation ($i: CreateUserInput!) { createUser(input: $i) { user { id } } }"


@pytest.mark.parametrize(
    "moment",
    ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "0001-01-01T00:00:00+14:00"],
)
class TestMoments:
    async def test_a_time_that_no_database_keeps_is_refused_by_graphql(
        self, public, services, moment
    ):
        key = await make_key(services)
        given = {"username": "ada", "createdAt": moment}
        answer = await public.gql(CREATE, {"i": given}, key=key)
        assert answer["errors"][0]["extensions"]["code"] == "BAD_REQUEST"

    async def test_and_by_rest(self, public, services, moment):
        key = await make_key(services)
        body = {"username": "ada", "createdAt": moment}
        answer = await public.post("/api/server/v1/users", body, key=key)
        assert answer.status_code == 400
        assert answer.json()["error"]["code"] == "body_invalid"


@pytest.mark.parametrize("path", ["!nan", "!{bad}", '!"x', "!-", "[!inf]", "\\ud800"])
async def test_what_a_path_makes_up_never_spoils_the_answer(public, services, path):
    user = await make_user(services, public={"a": 1})
    token = (await make_session(services, user)).token
    query = "query ($p: String) { me { publicMetadata(path: $p) } }"
    answer = await public.gql(query, {"p": path}, token=token)
    assert answer["data"]["me"]["publicMetadata"] is None


async def test_variables_of_very_many_values_are_refused_before_they_are_read(public):
    answer = await public.gql("{ me { id } }", {"f": {"and": [{}] * 20_000}})
    assert answer["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


async def test_sec_124_a_name_that_is_slow_to_fold_is_refused_quickly(public, services):
    token = (await make_session(services, await make_user(services))).token
    name = "a" + "\u0345" * 9_000 + "\u0334" * 9_000
    query = "mutation ($n: String) { updateMe(input: {username: $n}) { userErrors { code } } }"
    started = time.process_time()
    answer = await public.gql(query, {"n": name}, token=token)
    assert time.process_time() - started < 2.0
    assert answer["data"]["updateMe"]["userErrors"] == [{"code": "USERNAME_INVALID"}]


async def test_sec_124_a_document_that_is_slow_to_validate_is_refused(public):
    fields = " ".join("emails { id }" for _ in range(120))
    query = f"{{ me {{ ...a {fields} }} }} fragment a on User {{ {fields} }}"
    answer = await public.gql(query)
    assert "data" not in answer
    assert answer["errors"]


@pytest.mark.parametrize("address", ["ada @example.com", "ada\u3000@example.com"])
async def test_an_address_with_a_blank_before_the_at_is_refused(public, services, address):
    key = await make_key(services)
    query = CREATE.replace("user { id }", "userErrors { code }")
    answer = await public.gql(query, {"i": {"emails": [{"address": address}]}}, key=key)
    assert answer["data"]["createUser"]["userErrors"] == [{"code": "EMAIL_INVALID"}]
