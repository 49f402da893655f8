"""Webhooks through GraphQL: who may, what comes back, what is refused and where."""

import pytest
from faces.clients import Face
from factories import make_key, make_session, make_user
from federation.connectors.loopback import Reply
from webhooks.conftest import Receiver, configured, happen, hooked, log, receiver, told

from app.config.webhook_sections import Hook
from app.graphql.execute import TIMEOUT
from app.outbound import Limits
from app.persistence import fetch
from app.webhooks import dispatch
from app.webhooks.courier import PING_LIMITS

__all__ = ["configured", "receiver"]

URL = "https://hooks.example.com/in"
NOBODY = "0190c0de-0000-7000-8000-00000000000a"
HOOK = """id callback events enabled source disabledReason failures failingSince lastSuccessAt
  expiresAt previousSecretEndsAt createdAt updatedAt"""
DELIVERY = """id webhookId eventId event userId state attempts outcome status createdAt
  attemptedAt dueAt settledAt"""
LIST = f"{{ webhooks {{ {HOOK} }} }}"
CREATE = f"""mutation ($input: CreateWebhookInput!) {{ createWebhook(input: $input) {{
  webhook {{ {HOOK} }} secret userErrors {{ code message path }} }} }}"""
UPDATE = f"""mutation ($id: ID!, $input: UpdateWebhookInput!) {{
  updateWebhook(webhookId: $id, input: $input) {{
    webhook {{ {HOOK} }} secret userErrors {{ code path }} }} }}"""
DELETE = """mutation ($id: ID!) { deleteWebhook(webhookId: $id) {
  deletedId userErrors { code path } } }"""
ROTATE = """mutation ($id: ID!, $grace: Int! = 86400) {
  rotateWebhookSecret(webhookId: $id, input: {grace: $grace}) {
    webhook { previousSecretEndsAt } secret userErrors { code path } } }"""
PING = f"""mutation ($id: ID!) {{ pingWebhook(webhookId: $id) {{
  delivery {{ {DELIVERY} }} userErrors {{ code path }} }} }}"""
REPLAY = f"""mutation ($id: ID!) {{ replayWebhookDelivery(deliveryId: $id) {{
  delivery {{ {DELIVERY} }} userErrors {{ code path }} }} }}"""
LOG = f"""query ($id: ID!, $state: WebhookDeliveryState, $first: Int, $after: String) {{
  webhookDeliveries(webhookId: $id, state: $state, first: $first, after: $after) {{
    nodes {{ {DELIVERY} }} edges {{ cursor }} pageInfo {{ hasNextPage endCursor }} }} }}"""


async def made(admin, key, **given):
    return await asked(admin, key, CREATE, input={"callback": URL, "events": ["user"], **given})


async def asked(admin, key, document, **given):
    """What one root field answers."""
    answer = await admin.gql(document, given, key=key)
    assert "errors" not in answer, answer
    (value,) = answer["data"].values()
    return value


def moment(at):
    return at.isoformat().replace("+00:00", "Z")


@pytest.mark.parametrize("name", ["callback", "events", "enabled"])
async def test_a_null_where_a_value_may_only_be_left_out_tells_nothing_from_inside_sec_097(
    admin, key, name
):
    for document, given in (
        (UPDATE, {"id": NOBODY, "input": {name: None}}),
        (
            UPDATE.replace("$input)", f"{{{name}: null}})").replace(
                ", $input: UpdateWebhookInput!", ""
            ),
            {"id": NOBODY},
        ),
    ):
        (error,) = (await admin.gql(document, given, key=key))["errors"]
        assert error["message"] == "A value that may be left out here cannot be null."
        assert error["extensions"]["code"] == "BAD_REQUEST"


async def test_a_hook_is_made_and_its_secret_shown_once(admin, key, clock):
    payload = await made(admin, key, events=["user", "email.send"])
    hook = payload["webhook"]
    assert payload["userErrors"] == []
    assert payload["secret"].startswith("whsec_")
    assert hook | {"id": ""} == {
        "id": "",
        "callback": URL,
        "events": ["user", "email.send"],
        "enabled": True,
        "source": "DATABASE",
        "disabledReason": None,
        "failures": 0,
        "failingSince": None,
        "lastSuccessAt": None,
        "expiresAt": hook["expiresAt"],
        "previousSecretEndsAt": None,
        "createdAt": moment(clock.now),
        "updatedAt": moment(clock.now),
    }
    assert await asked(admin, key, LIST) == [hook]


async def test_mails_need_a_key_that_may_be_any_user(services, admin):
    """SEC-015"""
    key = await make_key(services, "webhooks:write")
    given = {"input": {"callback": URL, "events": ["email"]}}
    answer = await admin.gql(CREATE, given, key=key)
    told = {"code": "FORBIDDEN", "requiredScopes": ["webhooks:write", "sessions:write"]}
    assert answer["errors"][0]["extensions"] == told
    assert await services.webhooks.listed() == []


async def test_what_is_left_out_of_a_change_stays(admin, key):
    hook = (await made(admin, key))["webhook"]
    payload = await asked(admin, key, UPDATE, id=hook["id"], input={"enabled": False})
    changed = payload["webhook"]
    assert (changed["callback"], changed["events"]) == (URL, ["user"])
    assert (changed["enabled"], changed["disabledReason"]) == (False, "OPERATOR")
    assert payload["secret"] is None
    given = {"callback": f"{URL}/2", "events": ["session"], "enabled": True}
    changed = (await asked(admin, key, UPDATE, id=hook["id"], input=given))["webhook"]
    assert (changed["callback"], changed["events"]) == (f"{URL}/2", ["session"])
    assert (changed["enabled"], changed["disabledReason"]) == (True, None)


async def test_a_deleted_hook_is_gone(admin, key):
    hook = (await made(admin, key))["webhook"]
    payload = await asked(admin, key, DELETE, id=hook["id"])
    assert payload == {"deletedId": hook["id"], "userErrors": []}
    assert await asked(admin, key, LIST) == []


async def test_a_new_secret_is_shown_once_and_the_old_one_ends(admin, key, clock):
    before = await made(admin, key)
    payload = await asked(admin, key, ROTATE, id=before["webhook"]["id"], grace=0)
    assert payload["secret"].startswith("whsec_")
    assert payload["secret"] != before["secret"]
    assert payload["webhook"] == {"previousSecretEndsAt": moment(clock.now)}


async def test_a_ping_says_what_became_of_it(services, admin, key, receiver: Receiver, clock):
    hook = await hooked(services, receiver)
    payload = await asked(admin, key, PING, id=str(hook.id))
    delivery = payload["delivery"]
    assert payload["userErrors"] == []
    assert delivery | {"id": "", "eventId": ""} == {
        "id": "",
        "webhookId": str(hook.id),
        "eventId": "",
        "event": "ping",
        "userId": None,
        "state": "DELIVERED",
        "attempts": 1,
        "outcome": "DELIVERED",
        "status": 200,
        "createdAt": moment(clock.now),
        "attemptedAt": moment(clock.now),
        "dueAt": None,
        "settledAt": moment(clock.now),
    }
    assert receiver.asked[0].headers["webhook-id"] == delivery["eventId"]


async def test_a_ping_of_a_hook_that_hangs_says_that_it_is_not_answered_sec_125(
    services, admin, key, receiver, monkeypatch
):
    """SEC-125: it is over before the time of the operation is; here it is shorter."""
    assert PING_LIMITS.seconds <= TIMEOUT - 2
    monkeypatch.setattr(dispatch, "PING_LIMITS", Limits(seconds=0.05))
    receiver.answers[:] = [Reply(stalls=True)]
    hook = await hooked(services, receiver)
    delivery = (await asked(admin, key, PING, id=str(hook.id)))["delivery"]
    assert (delivery["state"], delivery["outcome"]) == ("WAITING", "UNANSWERED")
    (kept,) = await log()
    assert kept["claim"] is None


async def test_the_log_is_read_a_page_at_a_time_and_told_again(
    services, admin, key, receiver, clock
):
    receiver.says(200, 500)
    hook = await hooked(services, receiver)
    user = await make_user(services)
    await told(services)
    clock.advance(seconds=1)
    await happen(services, "user.login")
    await told(services)
    log = await asked(admin, key, LOG, id=str(hook.id), first=1)
    (newest,) = log["nodes"]
    assert (newest["state"], newest["outcome"], newest["status"]) == ("WAITING", "REFUSED", 500)
    assert newest["dueAt"] > moment(clock.now)
    assert log["pageInfo"]["hasNextPage"]
    after = log["pageInfo"]["endCursor"]
    rest = await asked(admin, key, LOG, id=str(hook.id), after=after)
    (oldest,) = rest["nodes"]
    assert (oldest["event"], oldest["userId"]) == ("user.create", str(user.id))
    done = await asked(admin, key, LOG, id=str(hook.id), state="DELIVERED")
    assert done["nodes"] == [oldest]
    again = (await asked(admin, key, REPLAY, id=oldest["id"]))["delivery"]
    assert (again["state"], again["attempts"], again["outcome"]) == ("WAITING", 0, None)
    assert again["eventId"] == oldest["eventId"]
    assert await told(services) == 1


async def test_there_is_no_log_of_nothing(admin, key):
    for nothing in (NOBODY, "no-id"):
        answer = await admin.gql(LOG, {"id": nothing}, key=key)
        assert (answer["data"], "errors" in answer) == ({"webhookDeliveries": None}, False)


async def test_a_hook_of_the_configuration_is_shown_and_not_changed(configured, key):
    services = await configured(Hook(callback=URL, events=["user"]))
    admin = Face(services, "admin")
    (hook,) = await asked(admin, key, LIST)
    assert (hook["source"], hook["enabled"], hook["createdAt"]) == ("CONFIGURATION", True, None)
    refused = [{"code": "WEBHOOK_CONFIGURED", "path": ["webhookId"]}]
    for document, given in ((UPDATE, {"input": {"enabled": False}}), (DELETE, {}), (ROTATE, {})):
        payload = await asked(admin, key, document, id=hook["id"], **given)
        assert payload["userErrors"] == refused


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"callback": "nonsense"}, ["input", "callback"]),
        ({"callback": "http://169.254.169.254/"}, ["input", "callback"]),
        ({"events": []}, ["input", "events"]),
        ({"events": ["users"]}, ["input", "events"]),
    ],
)
async def test_what_cannot_be_is_refused_where_it_stands(admin, key, given, path):
    payload = await made(admin, key, **given)
    assert payload["webhook"] is None
    assert payload["secret"] is None
    (error,) = payload["userErrors"]
    assert (error["code"], error["path"]) == ("WEBHOOK_INVALID", path)


@pytest.mark.parametrize("nothing", [NOBODY, "no-id", ""])
async def test_what_is_not_there_is_not_found(admin, key, nothing):
    for document, given in (
        (UPDATE, {"input": {}}),
        (DELETE, {}),
        (ROTATE, {}),
        (PING, {}),
        (REPLAY, {}),
    ):
        payload = await asked(admin, key, document, id=nothing, **given)
        argument = "deliveryId" if document == REPLAY else "webhookId"
        assert payload["userErrors"] == [{"code": "NOT_FOUND", "path": [argument]}]


async def test_a_grace_period_that_cannot_be_is_refused(admin, key):
    hook = (await made(admin, key))["webhook"]
    payload = await asked(admin, key, ROTATE, id=hook["id"], grace=-1)
    assert payload["userErrors"] == [{"code": "WEBHOOK_INVALID", "path": ["input", "grace"]}]


class TestWhoMay:
    """SEC-012"""

    NEEDS = (
        (LIST, {}, "webhooks:read"),
        (LOG, {"id": NOBODY}, "webhooks:read"),
        (CREATE, {"input": {"callback": URL, "events": ["user"]}}, "webhooks:write"),
        (UPDATE, {"id": NOBODY, "input": {}}, "webhooks:write"),
        (DELETE, {"id": NOBODY}, "webhooks:write"),
        (ROTATE, {"id": NOBODY}, "webhooks:write"),
        (PING, {"id": NOBODY}, "webhooks:write"),
        (REPLAY, {"id": NOBODY}, "webhooks:write"),
    )

    @pytest.mark.parametrize(("document", "given", "scope"), NEEDS)
    async def test_a_key_without_the_scope_is_turned_away(
        self, services, admin, document, given, scope
    ):
        """SEC-012"""
        others = {"users:write", "keys:write", "webhooks:read", "webhooks:write"} - {scope}
        key = await make_key(services, *sorted(others))
        answer = await admin.gql(document, given, key=key)
        assert answer["errors"][0]["extensions"] == {
            "code": "FORBIDDEN",
            "requiredScopes": [scope],
        }
        assert await fetch("SELECT id FROM webhook") == []

    @pytest.mark.parametrize(("document", "given", "scope"), NEEDS)
    async def test_a_session_and_nobody_are_turned_away(
        self, services, public, document, given, scope
    ):
        """SEC-012"""
        token = (await make_session(services, await make_user(services))).token
        answer = await public.gql(document, given, token=token)
        assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN", scope
        answer = await public.gql(document, given)
        assert answer["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"

    async def test_one_secret_is_made_in_an_operation(self, admin, key):
        twice = 'a: createWebhook(input: {callback: "x", events: []}) { secret }'
        both = f"mutation {{ {twice} {twice.replace('a:', 'b:')} }}"
        answer = await admin.gql(both, {}, key=key)
        assert answer["errors"][0]["extensions"]["code"] == "QUERY_TOO_EXPENSIVE"
