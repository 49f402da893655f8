"""The examples of the flow API, field by field (§1.10), and the headers that go with a session."""

import pytest
from faces.clients import Face
from factories import make_session
from flows.people import (
    ADA,
    PASSWORD,
    at_code,
    at_password,
    enter_code,
    otp,
    person,
    registered_to_code,
    with_passkey,
    with_totp,
)
from flows.walking import GraphQLClient, deliver, preflight

from app.rest.user_agents import readable

PREFLIGHT = {
    "webauthn_available": {
        "name": "webauthn_available",
        "type": "boolean",
        "required": True,
        "hidden": True,
    },
    "webauthn_conditional_mediation_available": {
        "name": "webauthn_conditional_mediation_available",
        "type": "boolean",
        "hidden": True,
    },
    "webauthn_platform_authenticator_available": {
        "name": "webauthn_platform_authenticator_available",
        "type": "boolean",
        "hidden": True,
    },
}
DEVICE = {
    "webauthn_available": True,
    "webauthn_conditional_mediation_available": True,
    "webauthn_platform_authenticator_available": True,
}


async def step(rest, action, inputs):
    path = f"/{rest.kind}?action={action}%40{rest.flow_id}"
    body = {"input_data": inputs, "csrf_token": rest.csrf}
    answer = await rest.face.post(path, body, headers=rest.sent())
    rest._shown(answer)
    return answer


def href(rest, action):
    return f"/{rest.kind}?action={action}%40{rest.flow_id}"


@pytest.mark.parametrize("kind", ["login", "registration"])
async def test_a_flow_begins_as_in_the_example(rest, kind):
    rest.kind = kind
    headers = {"accept": "application/json", "content-type": "application/json"}
    answer = await rest.face.post(f"/{kind}", content=b"", headers={**headers, "x-language": "en"})
    rest._shown(answer)
    body = answer.json()
    action = body["actions"]["register_client_capabilities"]
    assert body == {
        "name": "preflight",
        "status": 200,
        "payload": {},
        "csrf_token": rest.csrf,
        "actions": {
            "register_client_capabilities": {
                "href": href(rest, "register_client_capabilities"),
                "inputs": PREFLIGHT,
                "action": "register_client_capabilities",
                "description": action["description"],
            }
        },
        "links": None,
    }
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.headers["cache-control"] == "no-store"
    assert "set-cookie" not in answer.headers
    assert len(rest.csrf) == 32
    assert rest.csrf.isalnum()


async def test_the_second_step_is_as_in_the_example(rest):
    await rest.start("login")
    body = (await step(rest, "register_client_capabilities", DEVICE)).json()
    options = body["payload"]["request_options"]["publicKey"]
    assert body == {
        "name": "login_init",
        "status": 200,
        "payload": {
            "request_options": {
                "publicKey": {
                    "challenge": options["challenge"],
                    "timeout": 600000,
                    "rpId": "localhost",
                    "userVerification": "preferred",
                }
            }
        },
        "csrf_token": rest.csrf,
        "actions": {
            "continue_with_login_identifier": {
                "href": href(rest, "continue_with_login_identifier"),
                "inputs": {
                    "email": {
                        "name": "email",
                        "type": "email",
                        "min_length": 3,
                        "max_length": 120,
                        "required": True,
                    }
                },
                "action": "continue_with_login_identifier",
                "description": body["actions"]["continue_with_login_identifier"]["description"],
            },
            "webauthn_generate_request_options": {
                "href": href(rest, "webauthn_generate_request_options"),
                "inputs": {},
                "action": "webauthn_generate_request_options",
                "description": body["actions"]["webauthn_generate_request_options"]["description"],
            },
            "webauthn_verify_assertion_response": {
                "href": href(rest, "webauthn_verify_assertion_response"),
                "inputs": {
                    "assertion_response": {
                        "name": "assertion_response",
                        "type": "json",
                        "required": True,
                    }
                },
                "action": "webauthn_verify_assertion_response",
                "description": body["actions"]["webauthn_verify_assertion_response"]["description"],
            },
        },
        "links": None,
    }
    assert len(options["challenge"]) == 43


async def test_a_failed_submission_is_as_in_the_example(rest):
    await preflight(rest, "registration")
    before = rest.csrf
    answer = await step(rest, "register_login_identifier", {"email": "not-an-address"})
    body = answer.json()
    action = body["actions"]["register_login_identifier"]
    problem = action["inputs"]["email"]["error"]
    assert body == {
        "name": "registration_init",
        "status": 400,
        "payload": {},
        "csrf_token": rest.csrf,
        "actions": {
            "register_login_identifier": {
                "href": href(rest, "register_login_identifier"),
                "inputs": {
                    "email": {
                        "name": "email",
                        "type": "email",
                        "max_length": 120,
                        "required": True,
                        "error": {"code": "value_invalid_error", "message": problem["message"]},
                    }
                },
                "action": "register_login_identifier",
                "description": action["description"],
            }
        },
        "error": {"code": "form_data_invalid_error", "message": body["error"]["message"]},
        "links": None,
    }
    assert answer.status_code == 400
    assert rest.csrf != before


async def test_no_session_is_answered_as_in_the_example(rest):
    body = (await rest.face.post("/profile")).json()
    message = body["error"]["message"]
    assert body == {
        "name": "error",
        "status": 401,
        "csrf_token": "",
        "actions": {},
        "error": {"code": "unauthorized", "message": message},
        "links": None,
    }


@pytest.mark.configured(username__enabled=True)
async def test_either_identifier_has_a_name_of_its_own(rest):
    shown = await preflight(rest)
    assert shown.actions["continue_with_login_identifier"] == {
        "identifier": {
            "name": "identifier",
            "type": "string",
            "max_length": 255,
            "required": True,
        }
    }


@pytest.mark.configured(username__enabled=True, email__use_as_login_identifier=False)
async def test_a_user_name_alone_has_its_own(rest):
    shown = await preflight(rest)
    assert shown.actions["continue_with_login_identifier"] == {
        "username": {
            "name": "username",
            "type": "string",
            "min_length": 3,
            "max_length": 32,
            "required": True,
        }
    }


# Success


async def signed_in(rest, services, **given):
    await person(services, **given)
    await at_password(rest)
    return await step(rest, "password_login", {"password": PASSWORD})


async def test_success_has_user_claims_and_last_login(rest, services):
    answer = await signed_in(rest, services, username="ada", public={"plan": "pro"})
    body = answer.json()
    account = await services.users.by_email(ADA)
    (email,) = (await services.users.emails_of([account.id]))[account.id]
    assert body.keys() == {"name", "status", "payload", "csrf_token", "actions", "links"}
    assert (body["name"], body["actions"]) == ("success", {})
    user, claims = body["payload"]["user"], body["payload"]["claims"]
    created = claims["issued_at"]
    assert body["payload"]["last_login"] == {"login_method": "password"}
    assert user == {
        "id": str(account.id),
        "user_id": str(account.id),
        "emails": [{"id": str(email.id), "address": ADA, "is_verified": True, "is_primary": True}],
        "username": {
            "id": str(account.id),
            "username": "ada",
            "created_at": user["created_at"],
            "updated_at": user["updated_at"],
        },
        "mfa_config": {
            "auth_app_set_up": False,
            "totp_enabled": True,
            "security_keys_enabled": True,
        },
        "metadata": {"public_metadata": {"plan": "pro"}},
        "created_at": user["created_at"],
        "updated_at": user["updated_at"],
    }
    assert {k: claims[k] for k in ("subject", "audience", "username")} == {
        "subject": str(account.id),
        "audience": ["localhost"],
        "username": "ada",
    }
    assert claims["email"] == {"address": ADA, "is_primary": True, "is_verified": True}
    assert created.endswith("Z")
    assert claims["expiration"] > created


async def test_credentials_in_the_user_have_the_reference_s_shape(rest, services):
    account = await person(services)
    await with_passkey(services, account)
    await with_passkey(services, account, "security_key")
    rest.cookies["hanko"] = (await make_session(services, account)).token
    user = (await preflight(rest, "profile")).payload["user"]
    for name, mfa_only in (("passkeys", False), ("security_keys", True)):
        (shown,) = user[name]
        assert shown.keys() >= {
            "id",
            "public_key",
            "attestation_type",
            "aaguid",
            "created_at",
            "last_used_at",
        }
        assert (shown["mfa_only"], shown["transports"]) == (mfa_only, shown["transports"])
        assert isinstance(shown["backup_eligible"], bool)
        assert isinstance(shown["transports"], list)


async def test_a_session_comes_in_a_cookie_and_its_headers_sec_030(rest, services):
    answer = await signed_in(rest, services)
    (line,) = answer.headers.get_list("set-cookie")
    token = line.partition("=")[2].partition(";")[0]
    assert line == (f"hanko={token}; Path=/; Max-Age=43200; HttpOnly; Secure; SameSite=Strict")
    assert answer.headers["x-session-lifetime"] == "43200"
    assert answer.headers["x-session-retention"] == "persistent"
    assert "x-auth-token" not in answer.headers
    assert token not in answer.text


@pytest.mark.configured(session__enable_auth_token_header=True)
async def test_a_session_comes_in_a_header_where_that_is_on_sec_031(rest, services):
    answer = await signed_in(rest, services)
    assert answer.headers["x-auth-token"].count(".") == 2
    assert "set-cookie" not in answer.headers


@pytest.mark.configured(session__cookie__retention="session")
async def test_a_session_may_end_with_the_browser(rest, services):
    answer = await signed_in(rest, services)
    assert "Max-Age" not in answer.headers["set-cookie"]
    assert answer.headers["x-session-retention"] == "session"


@pytest.mark.configured(session__cookie__retention="prompt")
@pytest.mark.parametrize("answers", [[], [True], [False], [True, False], [False, True]])
async def test_a_person_may_choose_to_stay_signed_in(client, services, answers):
    await person(services)
    shown = await preflight(client)
    assert shown.actions["remember_me"] == {
        "remember_me": {"name": "remember_me", "type": "boolean", "required": True}
    }
    for answer in answers:
        shown = await client.act("remember_me", remember_me=answer)
        assert (shown.name, shown.status) == ("login_init", 200)
    await client.act("continue_with_login_identifier", email=ADA)
    await client.act("continue_to_password_login")
    shown = await client.act("password_login", password=PASSWORD)
    assert ("Max-Age" in shown.cookies[0]) == bool(answers and answers[-1])


@pytest.mark.configured(session__cookie__retention="prompt")
async def test_who_signs_up_may_choose_too(client):
    assert "remember_me" in (await preflight(client, "registration")).actions


# What the token says of how it was had


def methods(shown):
    return shown.payload["claims"]["amr"]


async def test_the_token_says_how_the_user_has_signed_in(client, services):
    await person(services)
    await at_password(client)
    shown = await client.act("password_login", password=PASSWORD)
    assert methods(shown) == ["pwd"]
    await at_code(client)
    assert methods(await enter_code(client, services)) == ["otp"]


async def test_after_a_recovery_it_says_both_q_45(client, services):
    await person(services)
    await at_password(client)
    await client.act("continue_to_passcode_confirmation_recovery")
    await enter_code(client, services)
    shown = await client.act("password_recovery", new_password="an umbrella for tomorrow")
    assert methods(shown) == ["otp", "pwd"]


async def test_a_passkey_and_a_second_factor_are_told(client, services):
    account = await person(services)
    authenticator = await with_passkey(services, account)
    shown = await preflight(client, webauthn=True)
    options = shown.payload["request_options"]["publicKey"]
    assertion = authenticator.get(options)
    shown = await client.act("webauthn_verify_assertion_response", assertion_response=assertion)
    assert methods(shown) == ["passkey"]
    secret = await with_totp(services, account)
    await at_password(client)
    await client.act("password_login", password=PASSWORD)
    await client.act("otp_code_validate", otp_code=otp(services, secret))
    assert methods(await client.act("skip")) == ["pwd", "totp"]


@pytest.mark.configured(
    password__acquire_on_registration="never",
    passkey__acquire_on_registration="never",
    mfa__acquire_on_registration=False,
)
async def test_a_registration_says_what_it_has_used(client, services):
    await registered_to_code(client)
    assert methods(await enter_code(client, services)) == ["otp"]


# The typed face


async def test_the_token_is_in_no_body_where_the_cookie_alone_may_carry_it_sec_031(
    graphql, services
):
    await person(services)
    await at_password(graphql)
    answer = await graphql.face.ask(
        """mutation ($f: ID!, $c: String!, $p: String!) {
          continueFlow(flowId: $f, csrfToken: $c, action: {passwordLogin: {password: $p}}) {
            token session { id isCurrent }
            flow { state { ... on Success { user { id sessions { nodes { id isCurrent } } } } } }
          } }""",
        {"f": graphql.flow_id, "c": graphql.csrf, "p": PASSWORD},
    )
    body = answer.json()["data"]["continueFlow"]
    assert body["token"] is None
    assert body["session"]["isCurrent"] is True
    assert body["flow"]["state"]["user"]["sessions"]["nodes"] == [
        {"id": body["session"]["id"], "isCurrent": True}
    ]
    assert answer.headers["set-cookie"].startswith("hanko=")


@pytest.mark.configured(session__enable_auth_token_header=True)
async def test_the_token_is_in_the_body_where_the_header_has_it(graphql, services):
    await person(services)
    await at_password(graphql)
    document = """mutation ($f: ID!, $c: String!, $p: String!) {
      continueFlow(flowId: $f, csrfToken: $c, action: {passwordLogin: {password: $p}})
      { token } }"""
    variables = {"f": graphql.flow_id, "c": graphql.csrf, "p": PASSWORD}
    answer = await graphql.face.ask(document, variables)
    assert answer.json()["data"]["continueFlow"]["token"] == answer.headers["x-auth-token"]


async def test_one_action_is_chosen_and_no_more(graphql):
    await graphql.start("login")
    document = """mutation ($f: ID!, $c: String!, $a: FlowAction!) {
      continueFlow(flowId: $f, csrfToken: $c, action: $a) { flow { id } } }"""
    for action in (
        {},
        {"back": "CONFIRM", "skip": "CONFIRM"},
        {"back": None},
        {"unknown": {}},
        {"back": "OTHER"},
        {"passwordLogin": {"password": "x", "unknown": 1}},
        {"passwordLogin": {"password": 1}},
    ):
        variables = {"f": graphql.flow_id, "c": graphql.csrf, "a": action}
        answer = await graphql.face.ask(document, variables)
        assert "errors" in answer.json(), action


async def test_a_profile_without_a_session_is_unauthenticated(graphql):
    shown = await graphql.start("profile")
    assert shown.error == "unauthenticated"


async def test_token_exchange_is_forbidden_in_types_too(graphql):
    answer = await graphql.face.gql("mutation { startFlow(kind: TOKEN_EXCHANGE) { flow { id } } }")
    assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"


async def test_what_is_no_id_is_no_flow(graphql):
    await graphql.start("login")
    shown = await graphql.act("back", flow_id="nonsense")
    assert shown.error == "operation_not_permitted_error"


async def test_the_language_may_be_named_in_types(graphql, services):
    await person(services)
    answer = await graphql.face.gql(
        """mutation { startFlow(kind: LOGIN, input: {language: "de"}) {
             flow { id csrfToken } } }"""
    )
    flow = answer["data"]["startFlow"]["flow"]
    graphql.flow_id, graphql.csrf = flow["id"], flow["csrfToken"]
    await graphql.act("register_client_capabilities")
    await graphql.act("continue_with_login_identifier", email=ADA)
    await graphql.act("continue_to_passcode_confirmation")
    assert "ist Ihr" in (await deliver(services))[0].subject


async def test_one_operation_takes_one_step(graphql):
    answer = await graphql.face.gql(
        "mutation { a: startFlow(kind: LOGIN) { flow { id } } b: startFlow(kind: LOGIN) "
        "{ flow { id } } }"
    )
    assert "errors" in answer


async def test_the_admin_listener_hands_the_token_over_in_the_body(services):
    await person(services)
    admin = GraphQLClient(Face(services, "admin"))
    await at_password(admin)
    document = """mutation ($f: ID!, $c: String!, $p: String!) {
      continueFlow(flowId: $f, csrfToken: $c, action: {passwordLogin: {password: $p}})
      { token } }"""
    variables = {"f": admin.flow_id, "c": admin.csrf, "p": PASSWORD}
    answer = await admin.face.ask(document, variables)
    assert "set-cookie" not in answer.headers
    token = answer.json()["data"]["continueFlow"]["token"]
    assert (await services.sessions.authenticate(token)).account.id


async def test_sessions_of_a_profile_have_the_reference_s_shape(rest, services):
    account = await person(services)
    issued = await make_session(services, account)
    rest.cookies["hanko"] = issued.token
    shown = await preflight(rest, "profile")
    assert shown.name == "profile_init"
    (entry,) = shown.payload["sessions"]
    assert entry.keys() >= {"id", "current", "created_at", "expires_at", "last_used"}
    assert (entry["id"], entry["current"]) == (str(issued.session.id), True)


@pytest.mark.parametrize(
    ("agent", "read"),
    [
        (None, None),
        ("curl/8.5.0", None),
        (
            "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0",
            "Linux (Firefox)",
        ),
        (
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) AppleWebKit/605.1.15 "
                "(KHTML, like Gecko) Version/17.5 Safari/605.1.15"
            ),
            "macOS (Safari)",
        ),
        (
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
                "Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0"
            ),
            "Windows (Edge)",
        ),
        (
            (
                "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) "
                "Chrome/126.0.0.0 Mobile Safari/537.36"
            ),
            "Android (Chrome)",
        ),
        ("MyApp/1.0 (iPhone; iOS 17.5)", "iOS"),
    ],
)
def test_a_user_agent_is_shown_as_a_person_reads_it(agent, read):
    assert readable(agent) == read
