"""The order in which a request is checked (§1.6), and what each refusal leaves behind."""

import asyncio
import json
from uuid import uuid4

import pytest
from faces.clients import Face
from factories import make_session
from flows.people import ADA, PASSWORD, at_password, flow_row, identified, person
from flows.walking import preflight

from app.flows.definitions import FLOWS
from app.persistence import fetch, transaction

FAILURE = {"name", "status", "csrf_token", "actions", "error", "links"}


def failed(answer, status, code):
    """An early failure: nothing of the flow, and its shape to the letter."""
    step = answer.json()
    assert step.keys() == FAILURE
    assert (step["name"], step["csrf_token"], step["actions"], step["links"]) == (
        "error",
        "",
        {},
        None,
    )
    assert (answer.status_code, step["status"], step["error"]["code"]) == (status, status, code)
    assert isinstance(step["error"]["message"], str)
    return True


async def act(rest, body=None, *, action="register_client_capabilities", **call):
    path = call.pop("path", f"/{rest.kind}?action={action}%40{rest.flow_id}")
    good = {"input_data": {"webauthn_available": True}, "csrf_token": rest.csrf}
    return await rest.face.post(path, good if body is None else body, **call)


@pytest.fixture
async def begun(rest):
    await rest.start("login")
    return rest


async def unchanged(rest):
    """The flow is as it was, and its token still good."""
    row = await flow_row(rest.flow_id)
    assert (row["version"], row["state"], row["lease"]) == (0, "preflight", None)
    return (await act(rest)).status_code == 200


# Beginning


@pytest.mark.parametrize("query", ["", "?action=", "?other=1"])
@pytest.mark.parametrize("content", [None, b"", b"{", b"nonsense", b'{"csrf_token": 1}'])
async def test_a_flow_begins_without_an_action_whatever_the_body(rest, query, content):
    headers = {"content-type": "application/json"}
    answer = await rest.face.post(f"/login{query}", content=content, headers=headers)
    assert (answer.status_code, answer.json()["name"]) == (200, "preflight")


async def test_a_flow_begins_without_any_content_type(rest):
    assert (await rest.face.post("/registration")).json()["name"] == "preflight"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("kind", FLOWS)
async def test_other_methods_are_refused_outside_of_flows(rest, kind, method):
    answer = await rest.face.call(method, f"/{kind}")
    assert (answer.status_code, answer.json()["code"]) == (405, 405)


async def test_ids_and_tokens_are_new_for_every_flow(rest):
    seen = set()
    for _ in range(3):
        await rest.start("login")
        seen |= {rest.flow_id, rest.csrf}
    assert len(seen) == 6
    assert all(len(one) in (32, 36) for one in seen)


async def test_nobody_is_on_the_admin_listener(services):
    assert (await Face(services, "admin").post("/login")).status_code == 404


# Step 0


async def test_a_profile_needs_a_session_on_every_request_sec_060(rest, services):
    assert failed(await rest.face.post("/profile"), 401, "unauthorized")
    account = await person(services)
    rest.cookies["hanko"] = (await make_session(services, account)).token
    assert (await rest.start("profile")).name == "preflight"
    rest.cookies.clear()
    assert failed(await act(rest), 401, "unauthorized")


async def test_no_session_comes_before_anything_that_is_wrong_with_the_request(rest):
    answer = await rest.face.post("/profile?action=x", content=b"{")
    assert failed(answer, 401, "unauthorized")


async def test_a_stale_session_cookie_is_taken_back_q_42(rest, services):
    account = await person(services)
    rest.cookies["hanko"] = (await make_session(services, account)).token
    await fetch("DELETE FROM user_session")
    answer = await rest.face.post("/profile", headers=rest.sent())
    assert failed(answer, 401, "unauthorized")
    assert "hanko=;" in answer.headers["set-cookie"]


async def test_a_profile_flow_is_for_the_session_that_began_it_sec_060(client, services):
    account = await person(services)
    client.cookies["hanko"] = (await make_session(services, account)).token
    await client.start("profile")
    client.cookies["hanko"] = (await make_session(services, account)).token
    shown = await client.act("register_client_capabilities", webauthn_available=False)
    assert (shown.name, shown.error) == ("error", "operation_not_permitted_error")


async def test_token_exchange_is_forbidden_while_there_is_no_provider(rest):
    assert failed(await rest.face.post("/token_exchange"), 403, "forbidden")
    assert failed(await rest.face.post("/token_exchange?action=a%40b"), 403, "forbidden")


# Step 1


@pytest.mark.parametrize(
    "content",
    [b"{", b"[]", b"null", b'"text"', b"1", b'{"csrf_token": 1}', b'{"input_data": []}',
     b'{"a": 1, "a": 1}', b"\xff", b'{"input_data": "x"}'],
)  # fmt: skip
async def test_a_body_that_does_not_bind_is_a_technical_error(begun, content):
    assert failed(await act(begun, content=content), 500, "technical_error")
    assert await unchanged(begun)


async def test_another_content_type_is_a_technical_error_sec_107(begun):
    body = json.dumps({"input_data": {}, "csrf_token": begun.csrf}).encode()
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        headers = {"content-type": kind}
        answer = await act(begun, content=body, headers=headers)
        assert failed(answer, 500, "technical_error")
    assert await unchanged(begun)


async def test_an_empty_body_binds_to_nothing_and_has_no_token(begun):
    answer = await act(begun, content=b"", headers={"content-type": "application/json"})
    assert failed(answer, 403, "operation_not_permitted_error")
    assert await unchanged(begun)


@pytest.mark.parametrize(
    "token",
    ["x", "x%40", "%40{flow}", "x%40y", "a%40b%40{flow}", "x%40{flow}%40", "x%40{{{flow}}}",
     "x%40urn:uuid:{flow}"],
)  # fmt: skip
async def test_an_action_token_that_does_not_parse_is_a_technical_error(begun, token):
    path = f"/login?action={token.format(flow=begun.flow_id)}"
    assert failed(await act(begun, path=path), 500, "technical_error")
    assert await unchanged(begun)


async def test_a_body_that_does_not_bind_comes_before_a_flow_that_is_not_there(rest):
    path = f"/login?action=x%40{uuid4()}"
    assert failed(await act(rest, path=path, content=b"{"), 500, "technical_error")


# Step 2


async def test_a_flow_that_is_at_work_is_refused_at_once_sec_062(begun, services):
    """SEC-062: whoever holds the lease is the one action that runs."""
    kept = await services.flows.store.find((await flow_row(begun.flow_id))["id"])
    lease = await services.flows.store.lease(kept, services.clock())
    assert await services.flows.store.lease(kept, services.clock()) is None
    assert failed(await act(begun), 500, "technical_error")
    wrong = {"input_data": {}, "csrf_token": "wrong"}
    assert failed(await act(begun, wrong), 500, "technical_error")
    await services.flows.store.release(kept, lease)
    assert await unchanged(begun)


async def test_a_flow_that_another_has_is_not_held_sec_062(begun, services):
    """SEC-062: nor is one that has moved on."""
    store, now = services.flows.store, services.clock()
    kept = await store.find((await flow_row(begun.flow_id))["id"])
    lease = await store.lease(kept, now)
    async with transaction():
        assert not await store.hold(kept, now)
    await store.release(kept, lease)
    async with transaction():
        assert await store.hold(kept, now)
    assert (await act(begun)).status_code == 200
    async with transaction():
        assert not await store.hold(kept, now)


async def test_a_lease_whose_holder_died_ends_by_itself(begun, services, clock):
    kept = await services.flows.store.find((await flow_row(begun.flow_id))["id"])
    await services.flows.store.lease(kept, services.clock())
    clock.advance(seconds=14)
    assert failed(await act(begun), 500, "technical_error")
    clock.advance(seconds=2)
    assert (await act(begun)).status_code == 200


async def test_of_many_simultaneous_actions_one_is_taken_sec_062(begun):
    answers = await asyncio.gather(*(act(begun) for _ in range(20)))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses.count(200) == 1
    assert set(statuses) <= {200, 403, 500}
    assert (await flow_row(begun.flow_id))["version"] == 1


async def test_who_has_lost_the_lease_changes_nothing(begun, services):
    store = services.flows.store
    kept = await store.find((await flow_row(begun.flow_id))["id"])
    content = store.open(kept)
    assert not await store.save(kept, uuid4(), "login_init", content, "x")
    assert await unchanged(begun)


# Steps 3 to 5


async def test_a_flow_that_is_not_there_may_not_be_used_sec_060(client):
    await client.start("login")
    shown = await client.act(
        "register_client_capabilities", flow_id=str(uuid4()), webauthn_available=True
    )
    assert (shown.name, shown.status, shown.error) == (
        "error",
        403,
        "operation_not_permitted_error",
    )


async def test_an_id_is_read_however_it_is_cased(begun):
    begun.flow_id = begun.flow_id.upper()
    assert (await act(begun)).status_code == 200


async def test_a_flow_is_for_the_endpoint_that_began_it_q_06_sec_060(begun):
    begun.kind = "registration"
    assert failed(await act(begun), 403, "operation_not_permitted_error")
    begun.kind = "login"
    assert await unchanged(begun)


async def test_a_flow_is_over_after_a_day_whether_used_or_not(client, clock):
    await client.start("login")
    clock.advance(hours=23)
    await client.act("register_client_capabilities", webauthn_available=False)
    clock.advance(minutes=59, seconds=59)
    shown = await client.act("continue_with_login_identifier", email=ADA)
    assert shown.name == "login_method_chooser"
    clock.advance(seconds=1)
    shown = await client.act("continue_to_password_login")
    assert (shown.status, shown.error) == (410, "flow_expired_error")


async def test_expiry_comes_before_the_token(begun, clock):
    clock.advance(days=1)
    wrong = {"input_data": {}, "csrf_token": "wrong"}
    assert failed(await act(begun, wrong), 410, "flow_expired_error")


async def test_expired_flows_are_swept_away(begun, services, clock):
    clock.advance(hours=25)
    await services.flows.sweep()
    assert await fetch("SELECT id FROM flow") == []


@pytest.mark.parametrize("csrf", ["", "wrong", "x" * 32, "é" * 32])
async def test_a_wrong_token_is_refused_and_changes_nothing_sec_061(client, csrf):
    await client.start("login")
    shown = await client.act("register_client_capabilities", csrf=csrf)
    assert shown.error == "operation_not_permitted_error"
    assert (await client.act("register_client_capabilities")).name == "login_init"


async def test_a_missing_token_is_refused_sec_061(begun):
    for body in ({"input_data": {}}, {"csrf_token": None}, {"csrf_token": ""}, {}):
        assert failed(await act(begun, body), 403, "operation_not_permitted_error")
    assert await unchanged(begun)


async def test_the_token_of_another_flow_is_refused_sec_061(begun):
    mine, flow = begun.csrf, begun.flow_id
    await begun.start("login")
    foreign, begun.flow_id = begun.csrf, flow
    body = {"input_data": {}, "csrf_token": foreign}
    assert failed(await act(begun, body), 403, "operation_not_permitted_error")
    begun.csrf = mine
    assert await unchanged(begun)


async def test_the_token_changes_with_every_action_and_a_replay_is_refused(client, services):
    """SEC-061: also after a refusal."""
    await person(services)
    await at_password(client)
    used = [client.csrf]
    shown = await client.act("password_login", password="wrong")
    assert shown.status == 400
    assert client.csrf not in used
    replayed = await client.act("password_login", csrf=used[0], password=PASSWORD)
    assert replayed.error == "operation_not_permitted_error"
    assert (await client.act("password_login", password=PASSWORD)).name == "success"


async def test_the_token_is_kept_as_a_digest_sec_061(begun):
    row = await flow_row(begun.flow_id)
    assert begun.csrf not in str(dict(row))


# Steps 6 to 9


async def test_a_state_that_the_flow_does_not_know_is_a_technical_error(begun):
    await fetch("UPDATE flow SET state = 'profile_init'")
    assert failed(await act(begun), 500, "technical_error")


@pytest.mark.parametrize(
    "action", ["password_login", "verify_passcode", "exchange_token", "account_delete", "unknown"]
)
async def test_an_action_of_another_state_is_refused_sec_060(begun, action):
    assert failed(await act(begun, action=action), 403, "operation_not_permitted_error")
    assert await unchanged(begun)


@pytest.mark.parametrize(
    "action", ["webauthn_verify_assertion_response", "remember_me", "thirdparty_oauth"]
)
async def test_an_action_that_is_not_offered_is_refused_sec_060(client, action):
    shown = await preflight(client)
    assert action not in shown.actions
    shown = await client.act(action)
    assert (shown.name, shown.error) == ("error", "operation_not_permitted_error")


async def test_an_empty_post_passes_no_state_sec_060(client, services):
    """SEC-060: what an action needs cannot be left out."""
    await person(services)
    await at_password(client)
    assert (await client.act("password_login")).name == "login_password"


# Step 10


async def test_what_fails_leaves_the_flow_as_it_was(client, services):
    """The transaction rolls back, the token is still good, and the lease has ended."""
    await person(services)
    await at_password(client)
    await fetch("ALTER TABLE user_session RENAME TO elsewhere")
    try:
        shown = await client.act("password_login", password=PASSWORD)
    finally:
        await fetch("ALTER TABLE elsewhere RENAME TO user_session")
    assert (shown.name, shown.status, shown.error) == ("error", 500, "technical_error")
    row = await flow_row(client.flow_id)
    assert (row["state"], row["lease"]) == ("login_password", None)
    assert (await client.act("password_login", password=PASSWORD)).name == "success"


async def test_a_refusal_is_committed(client, services):
    await person(services)
    await identified(client)
    before = (await flow_row(client.flow_id))["version"]
    await client.act("continue_to_password_login")
    await client.act("password_login", password="wrong")
    assert (await flow_row(client.flow_id))["version"] == before + 2


# What is neither shown nor taken


async def test_what_a_flow_remembers_is_sealed_for_its_own_row_sec_063_119(rest, services):
    """SEC-063, SEC-119: neither a reader of the database nor a swapped row learns or gains."""
    await identified(rest)
    row = await flow_row(rest.flow_id)
    assert ADA not in str(dict(row))
    first = rest.flow_id
    await rest.start("login")
    await fetch("UPDATE flow SET content = $2 WHERE id = $1", rest.flow_id, row["content"])
    assert rest.flow_id != first
    assert failed(await act(rest), 500, "technical_error")


async def test_inputs_reach_nothing_of_the_stash_sec_063(rest, services):
    account = await person(services)
    await rest.start("login")
    await rest.act(
        "register_client_capabilities",
        webauthn_available=False,
        user_id=str(account.id),
        stash={"user_id": str(account.id), "login_method": "password"},
        onboarding_scheduled=True,
        state="success",
    )
    shown = await rest.act(
        "continue_with_login_identifier", email=ADA, login_method="password", email_verified=True
    )
    assert shown.name == "login_method_chooser"
    assert (await rest.act("continue_to_password_login", state="success")).name == "login_password"


async def test_an_unknown_input_is_no_error(rest):
    await rest.start("login")
    assert (await rest.act("register_client_capabilities", nonsense={"a": [1]})).status == 200


async def test_another_site_cannot_take_a_step_with_a_cookie_sec_107(rest, services):
    await rest.start("login")
    headers = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
    answer = await act(rest, headers={**headers, "cookie": "hanko=x"})
    assert answer.status_code == 403
    assert await unchanged(rest)
