"""The API as it is agreed: every type, field and argument of it, and every example, which run."""

import pytest
from faces.agreed import AGREED
from faces.clients import Face
from faces.documents import SDL, guards
from factories import make_key, make_session, make_user, reconfigured
from flows.walking import mailed_code
from graphql import build_schema, find_breaking_changes, parse, validate

from app.config.sections import Password, Username
from app.graphql import schema

"""`FlowPayload.flow` may be null, as everything in a payload but `userErrors`."""

FOR_SECRET_KEYS = """addUserEmail setPrimaryUserEmail verifyUserEmail deleteUserEmail
setUserPassword deleteUserPassword deleteUserPasskey deleteUserTotp createUserSession
revokeUserSession revokeUserSessions createSecretKey rotateSecretKey revokeSecretKey createWebhook
updateWebhook deleteWebhook replayWebhookDelivery rotateSigningKey setJwtTemplate"""
FOR_USERS = """addEmail verifyEmail setPrimaryEmail deleteEmail setPassword deletePassword
beginPasskeyRegistration finishPasskeyRegistration renamePasskey deletePasskey beginTotpEnrolment
finishTotpEnrolment deleteTotp regenerateRecoveryCodes connectIdentity disconnectIdentity signOut
revokeSession revokeOtherSessions forgetTrustedDevice deleteMe"""
"""What is agreed by name alone."""

ME = "{ me { publicMetadata unsafeMetadata } }"
USERS = "{ users(first: 100) { nodes { emails { address } passkeys { name } publicMetadata } } }"
START = """mutation { startFlow(kind: LOGIN) {
  flow { id csrfToken state { name } actions { name } } userErrors { code } } }"""
IDENTIFY = """mutation ($f: ID!, $c: String!) { continueFlow(flowId: $f, csrfToken: $c,
    action: { continueWithLoginIdentifier: { identifier: "ada@example.com" } }) {
  flow { csrfToken state { name ... on PasscodeConfirmation { attemptsLeft } } }
  userErrors { code path message } } }"""
VERIFY = """mutation ($f: ID!, $c: String!) { continueFlow(flowId: $f, csrfToken: $c,
    action: { verifyPasscode: { code: "483921" } }) {
  flow { state { ... on Success { user { id publicMetadata unsafeMetadata } } } } token
  userErrors { code } } }"""

CONTINUE = """mutation ($f: ID!, $c: String!, $a: FlowAction!) {
  continueFlow(flowId: $f, csrfToken: $c, action: $a) {
    flow { state { name } } userErrors { code } } }"""


class TestShape:
    """A client that was written against what is agreed works with what there is."""

    def test_nothing_that_is_agreed_is_missing_or_another(self):
        changes = find_breaking_changes(build_schema(AGREED), build_schema(SDL))
        assert [change.description for change in changes] == []

    def test_what_is_guarded_is_guarded_as_agreed(self):
        found = guards()
        for place, marks in guards(AGREED).items():
            assert {name: found[place].get(name) for name in marks} == marks, place

    def test_what_is_agreed_by_name_is_there_behind_its_guard(self):
        found = guards()
        assert all(found["Mutation", name]["requiresSecretKey"] for name in FOR_SECRET_KEYS.split())
        assert all("requiresSession" in found["Mutation", name] for name in FOR_USERS.split())
        assert "requiresSecretKey" in found["Query", "previewJwtTemplate"]

    @pytest.mark.parametrize("document", [ME, USERS, START, IDENTIFY, VERIFY])
    def test_every_example_is_valid(self, document):
        assert validate(schema(), parse(document)) == []
        assert validate(build_schema(AGREED), parse(document)) == []


class TestExamples:
    """Every example runs, as it is written."""

    async def test_the_question_of_every_page(self, services, public):
        user = await make_user(services, public={"plan": "pro"}, unsafe={"theme": "dark"})
        token = (await make_session(services, user)).token
        shown = {"publicMetadata": {"plan": "pro"}, "unsafeMetadata": {"theme": "dark"}}
        assert (await public.gql(ME, token=token))["data"]["me"] == shown
        assert (await public.gql(ME))["data"]["me"] is None

    async def test_the_list_of_a_backend(self, services, admin):
        await make_user(services, email="ada@example.com", public={"plan": "pro"})
        answer = await admin.gql(USERS, key=await make_key(services, "users:read"))
        (node,) = answer["data"]["users"]["nodes"]
        assert node == {
            "emails": [{"address": "ada@example.com"}],
            "passkeys": [],
            "publicMetadata": {"plan": "pro"},
        }

    async def test_a_login_whole(self, ada_at):
        """Its code is the one that was mailed."""
        services, face, user = ada_at
        flow = await _started(face)
        assert (flow["state"]["name"], len(flow["actions"])) == ("preflight", 1)
        asked = await _step(face, IDENTIFY, flow, flow["csrfToken"])
        assert asked["userErrors"] == []
        assert asked["flow"]["state"] == {"name": "passcode_confirmation", "attemptsLeft": None}
        code = await mailed_code(services, "ada@example.com")
        document = VERIFY.replace("483921", code)
        done = await _step(face, document, flow, asked["flow"]["csrfToken"])
        assert done["userErrors"] == []
        assert done["flow"]["state"]["user"] == {
            "id": str(user.id),
            "publicMetadata": {"plan": "pro"},
            "unsafeMetadata": {},
        }


async def _started(face, kind="LOGIN", token=None):
    answer = await face.gql(START.replace("LOGIN", kind), token=token)
    return answer["data"]["startFlow"]["flow"]


async def _step(face, document, flow, csrf):
    answer = await face.gql(document, {"f": flow["id"], "c": csrf})
    assert "errors" not in answer
    return answer["data"]["continueFlow"]


@pytest.fixture
async def ada_at(services):
    """Where one signs in by a code alone and is named by either identifier, and somebody there."""
    names = Username(enabled=True, acquire_on_login=False)
    others = await reconfigured(services, password=Password(enabled=False), username=names)
    user = await make_user(others, email="ada@example.com", public={"plan": "pro"})
    return others, Face(others, "public"), user


class TestPreflight:
    """A client that does not say what its device can do has said that it can nothing."""

    async def test_an_action_of_no_state_near_by_is_refused_in_the_state_behind_it(self, ada_at):
        _, face, _ = ada_at
        flow = await _started(face)
        refused = await _step(face, VERIFY, flow, flow["csrfToken"])
        assert [one["code"] for one in refused["userErrors"]] == ["OPERATION_NOT_PERMITTED_ERROR"]
        assert refused["flow"] is not None
        assert refused["token"] is None

    async def test_the_flow_goes_on_after_a_refusal(self, ada_at):
        _, face, _ = ada_at
        flow = await _started(face)
        document = VERIFY.replace("state {", "csrfToken state { name")
        refused = await _step(face, document, flow, flow["csrfToken"])
        assert refused["flow"]["state"] == {"name": "login_init"}
        asked = await _step(face, IDENTIFY, flow, refused["flow"]["csrfToken"])
        assert asked["flow"]["state"]["name"] == "passcode_confirmation"

    @pytest.mark.parametrize(
        ("kind", "action", "state"),
        [
            (
                "REGISTRATION",
                {"registerLoginIdentifier": {"email": "bob@example.com"}},
                "passcode_confirmation",
            ),
            ("PROFILE", {"patchMetadata": {"patchMetadata": {"theme": "dark"}}}, "profile_init"),
        ],
    )
    async def test_every_kind_of_flow_begins_so(self, ada_at, kind, action, state):
        services, face, user = ada_at
        token = (await make_session(services, user)).token
        flow = await _started(face, kind, token)
        variables = {"f": flow["id"], "c": flow["csrfToken"], "a": action}
        answer = await face.gql(CONTINUE, variables, token=token)
        payload = answer["data"]["continueFlow"]
        assert payload["userErrors"] == []
        assert payload["flow"]["state"]["name"] == state

    @pytest.mark.parametrize("wrong", ["csrf", "flow", "used"])
    async def test_it_is_left_out_by_nobody_without_the_token(self, ada_at, wrong):
        _, face, _ = ada_at
        flow = await _started(face)
        csrf = flow["csrfToken"]
        if wrong == "csrf":
            csrf = "x" * 32
        elif wrong == "flow":
            csrf = (await _started(face))["csrfToken"]
        else:
            await _step(face, IDENTIFY, flow, csrf)
        refused = await _step(face, IDENTIFY, flow, csrf)
        assert refused["flow"] is None
        assert [one["code"] for one in refused["userErrors"]] == ["OPERATION_NOT_PERMITTED_ERROR"]

    async def test_elsewhere_an_action_that_is_not_offered_changes_nothing_sec_060(self, ada_at):
        _, face, _ = ada_at
        flow = await _started(face)
        asked = await _step(face, IDENTIFY, flow, flow["csrfToken"])
        csrf = asked["flow"]["csrfToken"]
        refused = await _step(face, IDENTIFY, flow, csrf)
        assert refused["flow"] is None
        wrong = await _step(face, VERIFY.replace("483921", "x"), flow, csrf)
        assert wrong["flow"] is not None  # the token is the same as before
