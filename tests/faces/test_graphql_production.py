"""Production tells strangers nothing of the schema, and nobody of a defect (SEC-096, SEC-097)."""

import json
import logging
from dataclasses import replace

import pytest
from databases import visiting
from faces.clients import MODERN, Face
from factories import disguised, make_key, make_session, make_user, reconfigured
from graphql import get_introspection_query

from app import logs
from app.config.sections import GraphQL, PublicListener, Server
from app.config.values import Secret
from app.errors import RateLimited, Unavailable
from app.keys import KeysUnreadable, encryption_secrets
from app.metadata import Metadata
from app.persistence import disconnect
from app.secretkeys import SecretKeys
from app.sessions import Sessions
from app.users import Users, UserSearch

pytestmark = pytest.mark.one_database

SCHEMA = [
    get_introspection_query(),
    "{ __schema { queryType { name } } }",
    '{ __type(name: "User") { name } }',
    '{ me { id } __type(name: "User") { name } }',
    "{ s: __schema { types { name } } }",
    "{ ... { __schema { types { name } } } }",
    "{ ...f } fragment f on Query { __schema { types { name } } }",
    "query A { me { id } } query B { __schema { types { name } } }",
    "{ __schema @skip(if: true) { types { name } } }",
]
TYPOS = [
    "{ mee { id } }",
    "{ me { publicMetadat } }",
    "{ me { publicMetadata(pat: 1) } }",
    "{ me { id @includ(if: true) } }",
    "{ me { ... on Usr { id } } }",
    "query ($a: JSO) { me { publicMetadata(path: $a) } }",
    "mutation { updateMe(input: {unsafeMetadat: {}}) { user { id } } }",
    "{ users(orderBy: CREATED_AT_DES) { nodes { id } } }",
    "{ user(by: {i: 1}) { id } }",
    "mutation { updatMe { user { id } } }",
]
FILTER = "query ($f: UserFilter) { users(filter: $f) { nodes { id } } }"
CREATE = """mutation ($i: CreateUserInput!) { createUser(input: $i) {
  user { id } userErrors { message path } } }"""
STACK = ("Traceback", "File ", ".py", "line ", "SELECT", "sqlite", "asyncpg", "litestar", "Error:")


@pytest.fixture
async def production(services):
    """The services of a deployment that is in earnest."""
    secrets = [Secret(secret) for secret in encryption_secrets(services.config)]
    public = PublicListener(url="https://auth.example.com")
    server = Server(public=public, allowed_hosts=["localhost"])
    return await reconfigured(
        services, environment="production", secret_keys=secrets, server=server
    )


def code_of(answer):
    assert "data" not in answer
    (error,) = answer["errors"]
    return error["extensions"]["code"]


class TestIntrospection:
    @pytest.mark.parametrize("document", SCHEMA, ids=range(len(SCHEMA)))
    async def test_strangers_get_none_in_production(self, services, production, document):
        """SEC-012, SEC-096"""
        token = (await make_session(services, await make_user(services))).token
        for name in ("public", "admin"):
            face = Face(production, name)
            body = {"query": document}
            if "query B" in document:
                body["operationName"] = "A"
            for bearing in ({}, {"token": token}, {"cookie": token}, {"key": "sk_x"}):
                answer = await face.post("/graphql", body, **bearing)
                assert code_of(answer.json()) == "FORBIDDEN"
                assert "createUser" not in answer.text

    @pytest.mark.parametrize("document", SCHEMA[:5], ids=range(5))
    async def test_a_key_gets_it_in_production(self, services, production, document):
        key = await make_key(services, "users:read")
        answer = await Face(production).gql(document, key=key)
        assert "data" in answer
        assert {e["path"][0] for e in answer.get("errors", ())} <= {"me"}

    async def test_everybody_gets_it_in_development(self, public):
        answer = await public.gql(get_introspection_query())
        types = {t["name"] for t in answer["data"]["__schema"]["types"]}
        assert {"User", "MetadataRejected", "UserBy"} <= types
        one_of = await public.gql('{ __type(name: "UserBy") { isOneOf } }')
        assert one_of["data"] == {"__type": {"isOneOf": True}}

    async def test_it_can_be_switched_off_for_all_and_on_for_all(self, services, production):
        key = await make_key(services)
        off = Face(await reconfigured(services, graphql=GraphQL(introspection="off")))
        assert code_of(await off.gql(SCHEMA[1], key=key)) == "FORBIDDEN"
        on = Face(await reconfigured(production, graphql=GraphQL(introspection="on")))
        assert "errors" not in await on.gql(SCHEMA[1])

    async def test_typename_is_answered_everywhere(self, production):
        """SEC-096"""
        answer = await Face(production).gql("{ __typename me { __typename } }")
        assert answer == {"data": {"__typename": "Query", "me": None}}


class TestSuggestions:
    @pytest.mark.parametrize("document", TYPOS)
    async def test_nobody_is_helped_to_guess_in_production(self, services, production, document):
        """SEC-096"""
        key = await make_key(services)
        for bearing in ({}, {"key": key}):
            answer = await Face(production).ask(document, **bearing)
            assert "Did you mean" not in answer.text
            assert "data" not in answer.json()

    async def test_variables_are_no_way_to_guess_either(self, production):
        """SEC-096"""
        document = "mutation ($i: UpdateMeInput!) { updateMe(input: $i) { user { id } } }"
        answer = await Face(production).ask(document, {"i": {"unsafeMetadat": {}}})
        assert "Did you mean" not in answer.text

    async def test_a_developer_is_helped(self, public):
        assert "Did you mean" in (await public.ask(TYPOS[0])).text


class TestProduction:
    async def test_there_is_no_explorer(self, production):
        """SEC-096"""
        for name in ("public", "admin"):
            answer = await Face(production, name).get("/graphql", headers={"accept": "text/html"})
            assert answer.status_code == 405

    async def test_the_explorer_can_be_switched_on_and_shows_no_schema(self, production):
        """SEC-012"""
        on = await reconfigured(production, graphql=GraphQL(explorer="on"))
        answer = await Face(on).get("/graphql", headers={"accept": "text/html"})
        assert answer.status_code == 200
        assert "createUser" not in answer.text
        assert code_of(await Face(on).gql(SCHEMA[1])) == "FORBIDDEN"

    @pytest.mark.parametrize("path", ["/schema", "/schema/openapi.json", "/schema/"])
    async def test_rest_is_not_described_there(self, production, public, path):
        """SEC-096"""
        assert (await Face(production).get(path)).status_code == 404
        assert (await public.get("/schema/openapi.json")).status_code == 200

    async def test_the_cost_is_not_told(self, services, production):
        assert "extensions" not in await Face(production).gql("{ me { id } }")
        answer = await Face(production).gql("{ me { id } }", token="a.b.c")
        assert answer["extensions"] == {"session": "invalid"}

    async def test_persisted_documents_run_without_being_shown(self, services, production, key):
        answer = await Face(production).gql("{ users { nodes { id } } }", key=key)
        assert answer["data"]["users"]["nodes"] == []


class Broken:
    """Services of which one part has a defect; its words quote what a caller must not read."""

    words = "SELECT * FROM app_user WHERE secret = 'hunter2' /srv/app/users.py"

    async def page(self, *args):
        raise RuntimeError(self.words)

    async def private_of(self, *args):
        raise KeyError(self.words)

    async def emails_of(self, *args):
        raise ZeroDivisionError(self.words)

    async def create(self, *args, **named):
        raise TypeError(self.words)


@pytest.fixture
def broken(services):
    class BrokenUsers(Users):
        emails_of, create, words = Broken.emails_of, Broken.create, Broken.words

    class BrokenSearch(UserSearch):
        page, words = Broken.page, Broken.words

    class BrokenMetadata(Metadata):
        private_of, words = Broken.private_of, Broken.words

    bags = services.metadata
    metadata = BrokenMetadata(bags.config, bags.templates, bags.audit)
    broken_users = replace(disguised(services.users, BrokenUsers), metadata=bags)
    return replace(
        services,
        metadata=metadata,
        users=broken_users,
        user_search=BrokenSearch(),
        passwords=replace(services.passwords, users=broken_users),
    )


class TestDefects:
    """SEC-097"""

    @pytest.mark.parametrize(
        "case",
        [
            ("{ users { nodes { id } } }", None, ["users"]),
            (
                'mutation { createUser(input: {username: "hunter2"}) { user { id } } }',
                None,
                ["createUser"],
            ),
            (
                "query ($id: ID!) { user(by: {id: $id}) { privateMetadata } }",
                {"user": {"privateMetadata": None}},
                ["user", "privateMetadata"],
            ),
            (
                "query ($id: ID!) { user(by: {id: $id}) { emails { id } } }",
                {"user": None},
                ["user", "emails"],
            ),
        ],
    )
    async def test_a_defect_is_internal_with_the_request_id_alone(
        self, services, broken, key, case
    ):
        document, data, path = case
        user = await make_user(services)
        variables = {"id": str(user.id)} if "$id" in document else None
        for headers in ({}, {"accept": MODERN}):
            answer = await Face(broken).ask(
                document, variables, key=key, headers={"x-request-id": "r-1", **headers}
            )
            body = answer.json()
            assert answer.status_code == 200
            assert body["data"] == data
            (error,) = body["errors"]
            assert error["message"] == "Something went wrong."
            assert error["extensions"] == {"code": "INTERNAL", "requestId": "r-1"}
            assert error["path"] == path
            assert not [word for word in ("hunter2", *STACK) if word in answer.text]

    async def test_a_defect_is_logged_under_the_request_id_without_its_words(
        self, broken, key, capsys
    ):
        """SEC-116"""
        logs.configure("ERROR")
        await Face(broken).gql(
            "{ users { nodes { id } } }", key=key, headers={"x-request-id": "r-7"}
        )
        lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
        (line,) = [entry for entry in lines if entry.get("request_id") == "r-7"]
        assert line["trace"][-1] == "RuntimeError"
        assert "hunter2" not in json.dumps(lines)

    async def test_a_defect_in_rest_is_internal_too(self, services, broken, key):
        user = await make_user(services)
        token = (await make_session(services, user)).token
        face = Face(broken)
        for answer in (
            await face.get("/me", token=token, headers={"x-request-id": "r-1"}),
            await face.get(
                f"/api/server/v1/users/{user.id}", key=key, headers={"x-request-id": "r-1"}
            ),
            await face.post(
                "/api/server/v1/users",
                {"username": "hunter2"},
                key=key,
                headers={"x-request-id": "r-1"},
            ),
        ):
            assert answer.status_code == 500
            assert answer.json() == {
                "code": 500,
                "message": "Something went wrong.",
                "error": {
                    "code": "internal",
                    "message": "Something went wrong.",
                    "request_id": "r-1",
                },
            }

    @pytest.mark.parametrize(
        ("part", "raised"),
        [
            ("sessions", RuntimeError(Broken.words)),
            ("secret_keys", RuntimeError(Broken.words)),
            ("sessions", KeysUnreadable("The key in /srv/hunter2 cannot be read.")),
        ],
    )
    async def test_a_defect_before_the_operation_is_internal(self, services, part, raised):
        class BrokenSessions(Sessions):
            async def authenticate(self, *args, **kwargs):
                raise raised

        class BrokenKeys(SecretKeys):
            async def authenticate(self, *args, **kwargs):
                raise raised

        kind = {"sessions": BrokenSessions, "secret_keys": BrokenKeys}[part]
        whole = getattr(services, part)
        double = kind(**{name: getattr(whole, name) for name in type(whole).__slots__})
        face = Face(replace(services, **{part: double}))
        bearing = {"token": "a.b.c"} if part == "sessions" else {"key": "sk_x"}
        call = {**bearing, "headers": {"x-request-id": "r-1"}}
        for answer in (await face.ask("{ me { id } }", **call), await face.get("/me", **call)):
            assert answer.status_code == 500
            assert "r-1" in answer.text
            assert "Something went wrong." in answer.text
            assert not [word for word in ("hunter2", *STACK) if word in answer.text]

    @pytest.mark.parametrize(
        ("document", "variables"),
        [
            ("query ($n: Int) { users(first: $n) { nodes { id } } }", {"n": "sentinel"}),
            ("query ($n: Int) { users(first: $n) { nodes { id } } }", {"n": ["sentinel"]}),
            ("query ($b: UserBy!) { user(by: $b) { id } }", {"b": {"sentinel": "sentinel"}}),
            ("query ($b: UserBy!) { user(by: $b) { id } }", {"b": {"id": {"a": "sentinel"}}}),
            ("query ($b: UserBy!) { user(by: $b) { id } }", {"b": "sentinel"}),
            ("query ($b: UserBy!) { user(by: $b) { id } }", {"b": {"id": "x", "sentinel": "x"}}),
            ("query ($o: UserOrder) { users(orderBy: $o) { nodes { id } } }", {"o": "sentinel"}),
            (FILTER, {"f": {"sentinel": 1}}),
            (
                FILTER,
                {"f": {"createdAfter": "sentinel"}},
            ),
            (
                FILTER,
                {"f": {"and": [{"createdAfter": "sentinel"}]}},
            ),
            (
                FILTER,
                {"f": {"metadata": {"bag": "sentinel", "path": "sentinel"}}},
            ),
            ("query ($a: String) { users(after: $a) { nodes { id } } }", {"a": "sentinel"}),
            ("query ($i: ID!) { user(by: {id: $i}) { id } }", {"i": {"sentinel": 1}}),
            ("query ($i: ID!) { user(by: {id: $i}) { id } }", {"i": 1.5e300}),
            (CREATE, {"i": {"username": "sentinel !"}}),
            (CREATE, {"i": {"emails": [{"address": "sentinel"}]}}),
            (CREATE, {"i": {"emails": [{"address": 5, "sentinel": 1}]}}),
            (CREATE, {"i": {"username": "ok_name", "publicMetadata": "sentinel"}}),
        ],
        ids=range(18),
    )
    async def test_no_value_of_a_variable_is_told_back(self, public, key, document, variables):
        for headers in ({}, {"accept": MODERN}):
            answer = await public.ask(document, variables, key=key, headers=headers)
            assert "errors" in answer.json() or "userErrors" in answer.text
            assert "sentinel" not in answer.text
            assert "1.5e" not in answer.text

    async def test_a_variable_is_named_with_the_place_that_does_not_fit(self, public, key):
        document = """mutation ($i: UserMetadataInput!) {
          updateUserMetadata(userId: 1, input: $i) { __typename } }"""
        answer = await public.gql(document, {"i": {"ifMetadataVersion": "x"}}, key=key)
        (error,) = answer["errors"]
        assert error["extensions"] == {"code": "BAD_REQUEST"}
        assert "$i" in error["message"]
        assert "ifMetadataVersion" in error["message"]


class TestWaiting:
    """What time mends is told with the time."""

    @pytest.fixture
    def busy(self, services):
        class BusyUsers(Users):
            async def by_id(self, user_id):
                raise RateLimited(7)

            async def delete(self, actor, user_id):
                raise RateLimited(9)

        class BusySearch(UserSearch):
            async def page(self, *args):
                raise Unavailable

        double = disguised(services.users, BusyUsers)
        return Face(replace(services, users=double, user_search=BusySearch()))

    async def test_a_question_that_comes_too_often_is_told_when_to_come_again(self, busy, key):
        document = '{ user(by: {id: "0190c0de-0000-7000-8000-000000000001"}) { id } }'
        answer = await busy.gql(document, key=key)
        assert answer["data"] == {"user": None}
        assert answer["errors"][0]["extensions"] == {"code": "RATE_LIMITED", "retryAfter": 7}

    async def test_a_change_that_comes_too_often_is_told_so_in_its_payload(self, busy, key):
        document = """mutation { deleteUser(userId: "0190c0de-0000-7000-8000-000000000001") {
          userErrors { __typename code path ... on RateLimited { retryAfter } } } }"""
        (error,) = (await busy.gql(document, key=key))["data"]["deleteUser"]["userErrors"]
        assert error == {
            "__typename": "RateLimited",
            "code": "RATE_LIMITED",
            "path": [],
            "retryAfter": 9,
        }

    async def test_a_database_that_leaves_in_the_middle_is_unavailable(self, busy, key):
        """SEC-130"""
        answer = await busy.ask("{ server { name } users { nodes { id } } }", key=key)
        assert answer.status_code == 503
        (error,) = answer.json()["errors"]
        assert error["extensions"] == {"code": "UNAVAILABLE"}


class TestWithoutDatabase:
    """SEC-130: nothing is decided, and nothing is told."""

    async def test_every_door_says_unavailable_and_lives(self, services, key):
        token = (await make_session(services, await make_user(services))).token
        face = Face(services)
        logging.getLogger().setLevel(logging.CRITICAL)
        async with visiting(services.config):
            await disconnect()
            for answer in (
                await face.ask("{ me { id } }", token=token),
                await face.ask("{ users { nodes { id } } }", key=key),
                await face.ask("{ me { id } }", token=token, headers={"accept": MODERN}),
            ):
                assert answer.status_code == 503
                assert answer.json()["errors"][0]["extensions"] == {"code": "UNAVAILABLE"}
                assert not [word for word in STACK if word in answer.text]
            for path in ("/me", "/sessions/validate"):
                answer = await face.get(path, token=token)
                assert answer.status_code == 503
                assert answer.json()["error"]["code"] == "unavailable"
            assert (await face.ask("{ me { id } server { name } }")).status_code == 200
            ready = await face.get("/health/ready")
            assert (ready.status_code, ready.json()) == (503, {"ready": False})
            alive = await face.get("/health/alive")
            assert (alive.status_code, alive.json()) == (200, {"alive": True})
        logs.configure("ERROR")
        assert (await face.gql("{ me { id } }", token=token))["data"]["me"] is not None
        assert (await face.get("/health/ready")).json() == {"ready": True}
