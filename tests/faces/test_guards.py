"""Who may ask what: every guarded field of the schema, for every kind of caller, on both doors."""

import base64
import json
import re

import pytest
from faces.documents import SCHEMA, call, everything, guards, roots
from factories import make_key, make_session, make_user
from graphql import GraphQLInterfaceType, GraphQLObjectType, get_named_type, is_leaf_type

from app.access import ALL_SCOPES, SCOPES, SYSTEM
from app.keys.pairs import private_jwk
from app.persistence import fetch

pytestmark = pytest.mark.one_database

GUARDS = guards()
KEYED = {
    f"{kind} {name}": (kind, name, GUARDS[kind.title(), name]["requiresSecretKey"])
    for kind, name, _ in roots()
    if "requiresSecretKey" in GUARDS[kind.title(), name]
}
OWN = [name for kind, name, _ in roots() if "requiresSession" in GUARDS[kind.title(), name]]
OPEN = {
    name
    for kind, name, _ in roots()
    if not GUARDS[kind.title(), name].keys() & {"requiresSecretKey", "requiresSession"}
}
LISTENERS = pytest.mark.parametrize("listener", ["public", "admin"])


@pytest.fixture
async def token(services):
    return (await make_session(services, await make_user(services))).token


@pytest.fixture
def face(request, services, listener):
    return request.getfixturevalue(listener)


def code_of(answer):
    """The code of an operation's one error, which must have left no data behind."""
    (error,) = answer["errors"]
    assert answer.get("data") is None or not any(answer["data"].values())
    assert "trace" not in json.dumps(answer).lower()
    return error["extensions"]["code"]


async def test_only_these_fields_are_open_to_everybody():
    """SEC-012: what is new must say who may ask it."""
    assert {*("me", "session", "server"), *("refreshSession", "startFlow", "continueFlow")} == OPEN
    assert set(OWN) >= {"updateMe", "signOut", "revokeSession", "revokeOtherSessions"}
    assert len(KEYED) >= 16


async def test_every_scope_of_a_guard_exists():
    asked = {scope for _, _, scopes in KEYED.values() for scope in scopes}
    asked |= {s for marks in GUARDS.values() for s in marks.get("requiresSecretKey", ())}
    assert asked <= set(SCOPES)
    assert all(scopes for _, _, scopes in KEYED.values())


@LISTENERS
class TestKeyedField:
    async def test_it_is_shut_for_everybody_without_the_right_key(
        self, services, face, listener, token
    ):
        """SEC-012, SEC-015, SEC-016"""
        for kind, name, scopes in KEYED.values():
            document, variables = call(kind, name)
            assert code_of(await face.gql(document, variables)) == "UNAUTHENTICATED"
            for bearing in ({"token": token}, {"cookie": token}):
                answer = await face.gql(document, variables, **bearing)
                assert code_of(answer) == "FORBIDDEN"
                assert answer["errors"][0]["extensions"]["requiredScopes"] == scopes
            for missing in scopes:
                narrow = await make_key(services, *(set(SCOPES) - {missing}))
                for bearing in ({"key": narrow}, {"key": narrow, "cookie": token}):
                    answer = await face.gql(document, variables, **bearing)
                    assert code_of(answer) == "FORBIDDEN"
                    assert answer["errors"][0]["extensions"]["requiredScopes"] == scopes

    async def test_it_opens_for_a_key_with_just_its_scopes(self, services, face, listener):
        """SEC-015"""
        for kind, name, scopes in KEYED.values():
            document, variables = call(kind, name)
            for held in (scopes, [ALL_SCOPES]):
                answer = await face.gql(document, variables, key=await make_key(services, *held))
                codes = {e["extensions"]["code"] for e in answer.get("errors", ())}
                assert "UNAUTHENTICATED" not in codes
                if "FORBIDDEN" in codes:  # it would grant what the key does not have
                    assert name == "createSecretKey"


BAD_KEYS = [
    "sk_",
    "sk_x",
    "SK_abcdefghijkl_" + "0" * 49,
    "sk_abcdefghijkl_" + "0" * 49,
    "sk_é",
    "sk_" + "x" * 5000,
]


@LISTENERS
@pytest.mark.parametrize("bad", BAD_KEYS, ids=range(len(BAD_KEYS)))
async def test_what_only_looks_like_a_key_opens_nothing(face, listener, bad):
    """SEC-012"""
    answer = await face.gql("{ users { nodes { id } } }", key=bad)
    assert code_of(answer) == "UNAUTHENTICATED"


@LISTENERS
async def test_a_key_that_has_ended_opens_nothing(services, face, listener, clock):
    """SEC-014"""
    revoked, expired = await make_key(services), await make_key(services)
    keys = await services.secret_keys.list(None)
    await services.secret_keys.revoke(SYSTEM, keys[0].id, None)
    await fetch("UPDATE secret_key SET expires_at = $1 WHERE id = $2", clock.now, keys[1].id)
    for key in (revoked, expired):
        assert code_of(await face.gql("{ users { nodes { id } } }", key=key)) == "UNAUTHENTICATED"


@LISTENERS
async def test_a_key_is_taken_from_the_authorization_header_alone(face, listener, key, token):
    """SEC-013"""
    query = "{ users { nodes { id } } }"
    basic = base64.b64encode(f"{key}:".encode()).decode()
    places = [
        {"cookie": key},
        {"headers": {"cookie": f"sk={key}; hanko={key}; authorization=Bearer {key}"}},
        {"headers": {"authorization": key}},
        {"headers": {"authorization": f"Basic {basic}"}},
        {"headers": {"authorization": f"Token {key}"}},
        {"headers": {"authorization": f"Bearer x {key}"}},
        {"headers": {"x-api-key": key, "x-auth-token": key, "api-key": key, "sec-key": key}},
        {"headers": {"proxy-authorization": f"Bearer {key}"}},
    ]
    for place in places:
        assert code_of(await face.gql(query, **place)) == "UNAUTHENTICATED", place
    for path in (f"/graphql?access_token={key}", f"/graphql?key={key}", f"/graphql?sk={key}"):
        answer = await face.post(path, {"query": query})
        assert code_of(answer.json()) == "UNAUTHENTICATED"
    answer = await face.post("/graphql", {"query": query, "extensions": {"authorization": key}})
    assert code_of(answer.json()) == "UNAUTHENTICATED"
    two = [("authorization", f"Bearer {token}"), ("authorization", f"Bearer {key}")]
    answer = await face.post("/graphql", {"query": query}, headers=two)
    assert answer.status_code == 400
    answer = await face.gql(query, headers={"authorization": f"bEARER   {key}"})
    assert "errors" not in answer


async def test_a_session_token_is_taken_from_its_header_or_cookie_alone(public, token):
    """SEC-013"""
    for place in ("access_token", "token", "session_token", "hanko"):
        answer = await public.post(f"/graphql?{place}={token}", {"query": "{ me { id } }"})
        assert answer.json()["data"] == {"me": None}
        answer = await public.get(f"/me?{place}={token}")
        assert answer.status_code == 401
        answer = await public.get(f"/sessions/validate?{place}={token}")
        assert answer.json() == {"is_valid": False}
    for headers in (
        {"authorization": token},
        {"authorization": f"Basic {token}"},
        {"x-auth-token": token},
        {"cookie": f"Hanko={token}"},
        {"cookie": f"hanko2={token}"},
        {"cookie": f"hanko ={token}"},
    ):
        answer = await public.gql("{ me { id } }", headers=headers)
        assert answer["data"] == {"me": None}, headers


class TestOwnField:
    @LISTENERS
    @pytest.mark.parametrize("name", OWN)
    async def test_it_is_shut_without_a_session(self, face, listener, key, name):
        """SEC-016"""
        document, variables = call("mutation", name)
        assert code_of(await face.gql(document, variables)) == "UNAUTHENTICATED"
        assert code_of(await face.gql(document, variables, key=key)) == "UNAUTHENTICATED"

    @LISTENERS
    @pytest.mark.parametrize("name", OWN)
    async def test_it_opens_for_a_session(self, face, listener, token, name):
        document, variables = call("mutation", name)
        answer = await face.gql(document, variables, token=token)
        assert "errors" not in answer


class TestBothCredentials:
    """SEC-016: each operation is judged by its own requirement."""

    async def test_each_field_takes_the_credential_it_asks_for(self, services, admin, key, token):
        document = """{ me { id privateMetadata } session { isCurrent }
          users { nodes { id privateMetadata } } }"""
        answer = await admin.gql(document, key=key, cookie=token)
        assert "errors" not in answer
        (node,) = answer["data"]["users"]["nodes"]
        assert answer["data"]["me"]["id"] == node["id"]

    async def test_a_narrow_key_is_not_widened_by_a_session(self, services, admin, token):
        key = await make_key(services, "users:read")
        answer = await admin.gql("{ me { id privateMetadata } }", key=key, cookie=token)
        assert answer["data"]["me"]["privateMetadata"] is None
        assert code_of({"errors": answer["errors"]}) == "FORBIDDEN"

    async def test_a_stale_session_does_not_spoil_a_key(self, services, admin, key, token, clock):
        clock.advance(hours=13)
        answer = await admin.gql("{ users { nodes { id } } }", key=key, cookie=token)
        assert "errors" not in answer
        assert answer["extensions"]["session"] == "expired"
        answer = await admin.gql("{ me { id } }", key=key, cookie=token)
        assert code_of(answer) == "FORBIDDEN"

    async def test_a_bad_key_does_not_spoil_a_session(self, admin, token):
        answer = await admin.gql("{ me { id } }", key="sk_x", cookie=token)
        assert answer["data"]["me"] is not None
        answer = await admin.gql("{ users { nodes { id } } }", key="sk_x", cookie=token)
        assert code_of(answer) == "FORBIDDEN"

    async def test_the_record_names_the_key(self, services, admin, key, token):
        user = await make_user(services)
        mutation = """mutation ($u: ID!) { updateUserMetadata(userId: $u,
          input: {publicMetadata: {a: 1}}) { userErrors { code } } }"""
        await admin.gql(mutation, {"u": str(user.id)}, key=key, cookie=token)
        sql = "SELECT actor_kind FROM audit_event WHERE type = 'metadata_updated'"
        assert [row["actor_kind"] for row in await fetch(sql)] == ["secret_key"]


class TestNothingSecretIsAnswered:
    """SEC-017"""

    async def test_no_field_of_the_schema_is_called_like_a_secret(self):
        like = re.compile(
            r"hash|digest|sealed|password|token|secret|private.?key|otp", re.IGNORECASE
        )
        found = {
            (type_.name, name)
            for type_ in SCHEMA.type_map.values()
            if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType)
            for name, field in type_.fields.items()
            if like.search(name) and is_leaf_type(get_named_type(field.type))
        }
        assert found == {
            ("SecretKeyPayload", "secret"),
            *(("WebhookPayload", "secret"), ("Webhook", "previousSecretEndsAt")),
            *(("FlowPayload", "token"), ("Flow", "csrfToken")),
            *(("MfaOtpSecretCreation", name) for name in ("otpSecret", "otpImageSource")),
            ("TotpEnrolmentPayload", "secret"),
            *(("SessionPayload", name) for name in ("token", "refreshToken", "tokenExpiresAt")),
        }

    @LISTENERS
    async def test_no_answer_holds_what_is_stored_as_secret(self, services, face, listener, key):
        secrets = {key, key.rpartition("_")[2]}
        user = await make_user(services)
        issued = await make_session(services, user)
        secrets.add(issued.token)
        secrets |= {row["digest"] for row in await fetch("SELECT digest FROM secret_key")}
        (ring,) = await fetch("SELECT sealed_private_key FROM signing_key")
        secrets.add(ring["sealed_private_key"])
        secrets.add(json.loads(private_jwk(services.signing_keys.reader.ring.active))["d"])
        answers = []
        for kind, name, field in roots():
            if kind == "query":
                document, variables = call(kind, name, everything(field.type), an_id=str(user.id))
                for bearing in ({"key": key}, {"token": issued.token}, {}):
                    answer = await face.ask(document, variables, **bearing)
                    assert "QUERY_TOO_EXPENSIVE" not in answer.text
                    assert "data" in answer.json(), answer.text
                    answers.append(answer)
        for path in (
            "/me",
            f"/users/{user.id}",
            f"/users/{user.id}/metadata",
            f"/api/server/v1/users/{user.id}",
            "/sessions/validate",
            "/.well-known/jwks.json",
            "/schema/openapi.json",
        ):
            answers += [await face.get(path, **b) for b in ({"key": key}, {"token": issued.token})]
        for answer in answers:
            text = answer.text + str(answer.headers)
            assert not [secret for secret in secrets if secret in text]
            assert '"d"' not in answer.text
