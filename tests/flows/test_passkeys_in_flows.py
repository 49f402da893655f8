"""Signing in with a passkey, in the form and beside it."""

import json

import pytest
from credentials.authenticator import UP, Authenticator
from factories import make_user
from flows.people import (
    PASSWORD,
    at_password,
    audited,
    identified,
    otp,
    person,
    with_passkey,
    with_totp,
)
from flows.walking import preflight

from app.access import SYSTEM
from app.credentials.webauthn_challenges import MOST
from app.persistence import fetch


def signed(authenticator, shown, **falsified):
    return authenticator.get(shown.payload["request_options"]["publicKey"], **falsified)


async def test_a_passkey_signs_in_from_the_form(client, services):
    account = await person(services)
    authenticator = await with_passkey(services, account)
    shown = await preflight(client, webauthn=True)
    options = shown.payload["request_options"]["publicKey"]
    assert "allowCredentials" not in options
    assert options["userVerification"] == "preferred"
    shown = await client.act(
        "webauthn_verify_assertion_response", assertion_response=signed(authenticator, shown)
    )
    assert (shown.name, shown.payload["user"]["id"]) == ("success", str(account.id))
    (record,) = await audited("login_success")
    assert '"passkey"' in record["details"]


async def test_a_passkey_signs_in_by_the_button(client, services):
    account = await person(services)
    authenticator = await with_passkey(services, account)
    await preflight(client, webauthn=True)
    shown = await client.act("webauthn_generate_request_options")
    assert shown.name == "login_passkey"
    assert shown.actions.keys() == {"webauthn_verify_assertion_response", "back"}
    shown = await client.act(
        "webauthn_verify_assertion_response", assertion_response=signed(authenticator, shown)
    )
    assert shown.name == "success"


async def test_an_assertion_may_come_as_a_text(client, services):
    account = await person(services)
    authenticator = await with_passkey(services, account)
    shown = await preflight(client, webauthn=True)
    text = json.dumps(signed(authenticator, shown))
    shown = await client.act("webauthn_verify_assertion_response", assertion_response=text)
    assert shown.name == "success"


async def test_going_back_after_a_failed_ceremony_gives_a_challenge_that_works_q_02(
    client, services
):
    account = await person(services)
    authenticator = await with_passkey(services, account)
    first = await preflight(client, webauthn=True)
    await client.act("webauthn_generate_request_options")
    shown = await client.act("back")
    assert shown.name == "login_init"
    assert shown.payload["request_options"] != first.payload["request_options"]
    shown = await client.act(
        "webauthn_verify_assertion_response", assertion_response=signed(authenticator, shown)
    )
    assert shown.name == "success"


async def test_a_challenge_that_comes_with_a_refusal_works_q_02(client, services):
    account = await person(services)
    authenticator = await with_passkey(services, account)
    await preflight(client, webauthn=True)
    shown = await client.act("continue_with_login_identifier", email="nonsense")
    assert shown.status == 400
    shown = await client.act(
        "webauthn_verify_assertion_response", assertion_response=signed(authenticator, shown)
    )
    assert shown.name == "success"


@pytest.mark.parametrize(
    "nonsense",
    [None, "", {}, [], "text", 7, True, {"id": "x"}, {"response": None}, "{", "null", "\ud83d"],
)
async def test_what_is_no_assertion_is_refused_and_the_flow_goes_on(rest, services, nonsense):
    account = await person(services)
    authenticator = await with_passkey(services, account)
    await preflight(rest, webauthn=True)
    shown = await rest.act("webauthn_verify_assertion_response", assertion_response=nonsense)
    assert (shown.name, shown.status, shown.error) == ("login_init", 401, "passkey_invalid")
    shown = await rest.act(
        "webauthn_verify_assertion_response", assertion_response=signed(authenticator, shown)
    )
    assert shown.name == "success"


async def test_an_unknown_credential_is_refused_like_any_other_sec_067(client, services):
    await person(services)
    shown = await preflight(client, webauthn=True)
    stranger = Authenticator()
    other = await make_user(services, email="grace@example.com")
    await with_passkey(services, other)
    options = shown.payload["request_options"]["publicKey"]
    stranger.create(
        {
            **options,
            "user": {"id": "AAAA", "name": "x", "displayName": "x"},
            "rp": {"id": "localhost"},
            "pubKeyCredParams": [{"type": "public-key", "alg": -7}],
        }
    )
    shown = await client.act(
        "webauthn_verify_assertion_response", assertion_response=stranger.get(options)
    )
    assert (shown.name, shown.status, shown.error) == ("login_init", 401, "passkey_invalid")
    assert await audited("login_failure")


async def test_an_assertion_works_once_sec_044(client, services):
    account = await person(services)
    authenticator = await with_passkey(services, account)
    shown = await preflight(client, webauthn=True)
    assertion = signed(authenticator, shown)
    await client.act("webauthn_verify_assertion_response", assertion_response=assertion)
    await preflight(client, webauthn=True)
    shown = await client.act("webauthn_verify_assertion_response", assertion_response=assertion)
    assert (shown.status, shown.error) == (401, "passkey_invalid")


async def test_the_challenge_of_another_flow_is_refused_sec_044(client, services):
    account = await person(services)
    authenticator = await with_passkey(services, account)
    shown = await preflight(client, webauthn=True)
    assertion = signed(authenticator, shown)
    await preflight(client, webauthn=True)
    shown = await client.act("webauthn_verify_assertion_response", assertion_response=assertion)
    assert shown.error == "passkey_invalid"


async def test_a_security_key_is_no_first_factor(client, services):
    account = await person(services)
    authenticator = await with_passkey(services, account, "security_key")
    shown = await preflight(client, webauthn=True)
    shown = await client.act(
        "webauthn_verify_assertion_response", assertion_response=signed(authenticator, shown)
    )
    assert (shown.name, shown.status) == ("login_init", 401)
    assert shown.error == "webauthn_credential_invalid_mfa_only"


async def test_a_verified_passkey_is_both_factors_sec_047(client, services):
    account = await person(services)
    authenticator = await with_passkey(services, account)
    await with_totp(services, account)
    shown = await preflight(client, webauthn=True)
    shown = await client.act(
        "webauthn_verify_assertion_response", assertion_response=signed(authenticator, shown)
    )
    assert shown.name == "success"


async def test_a_passkey_without_verification_is_one_factor_sec_032_047(client, services):
    """SEC-032, SEC-047: who holds the device is not yet its owner."""
    account = await person(services)
    authenticator = await with_passkey(services, account)
    secret = await with_totp(services, account)
    shown = await preflight(client, webauthn=True)
    assertion = signed(authenticator, shown, flags=UP)
    shown = await client.act("webauthn_verify_assertion_response", assertion_response=assertion)
    assert (shown.name, shown.token) == ("login_otp", None)
    shown = await client.act("otp_code_validate", otp_code=otp(services, secret))
    assert shown.name in ("success", "device_trust")


@pytest.mark.configured(passkey__enabled=False)
async def test_without_passkeys_none_is_offered(client, services):
    await person(services)
    shown = await preflight(client, webauthn=True)
    assert shown.payload == {}
    assert shown.actions.keys() == {"continue_with_login_identifier"}


async def test_without_webauthn_none_is_offered(client):
    shown = await preflight(client)
    assert shown.payload == {}
    assert shown.actions.keys() == {"continue_with_login_identifier"}


async def test_without_conditional_mediation_the_button_alone_is_offered(client):
    await client.start("login")
    shown = await client.act("register_client_capabilities", webauthn_available=True)
    assert shown.payload == {}
    assert "webauthn_generate_request_options" in shown.actions


async def test_whoever_has_a_passkey_may_sign_in_whoever_was_named(client, services):
    """The choice of a passkey without a name leaves the name aside."""
    await person(services)
    grace = await make_user(services, email="grace@example.com")
    authenticator = await with_passkey(services, grace)
    await identified(client, webauthn=True)
    shown = await client.act("webauthn_generate_request_options")
    shown = await client.act(
        "webauthn_verify_assertion_response", assertion_response=signed(authenticator, shown)
    )
    assert shown.payload["user"]["id"] == str(grace.id)
    assert shown.payload["user"]["emails"][0]["address"] == "grace@example.com"


@pytest.mark.configured(privacy__only_show_actual_login_methods=True)
async def test_a_passkey_of_another_user_ends_the_flow_where_one_is_named(client, services):
    account = await person(services)
    await with_passkey(services, account)
    grace = await make_user(services, email="grace@example.com")
    foreign = await with_passkey(services, grace)
    await identified(client, webauthn=True)
    shown = await client.act("webauthn_generate_request_options")
    assert len(shown.payload["request_options"]["publicKey"]["allowCredentials"]) == 1
    options = dict(shown.payload["request_options"]["publicKey"])
    options.pop("allowCredentials")
    shown = await client.act(
        "webauthn_verify_assertion_response", assertion_response=foreign.get(options)
    )
    assert shown.error == "passkey_invalid"
    assert shown.token is None


# Only what the account has


ONLY = pytest.mark.configured(privacy__only_show_actual_login_methods=True)


@ONLY
@pytest.mark.parametrize("has_password", [True, False])
@pytest.mark.parametrize("has_passkey", [True, False])
async def test_only_what_the_account_has_is_offered(client, services, has_password, has_passkey):
    account = await person(services, password=PASSWORD if has_password else None)
    if has_passkey:
        await with_passkey(services, account)
    shown = await identified(client, webauthn=True)
    if not has_password and not has_passkey:
        assert shown.name == "passcode_confirmation"
        return
    assert shown.name == "login_method_chooser"
    offered = {
        *(["continue_to_password_login"] if has_password else []),
        *(["webauthn_generate_request_options"] if has_passkey else []),
    }
    assert shown.actions.keys() == offered | {"continue_to_passcode_confirmation", "back"}


@ONLY
@pytest.mark.configured(email__use_for_authentication=False)
async def test_a_single_method_is_taken_at_once(client, services):
    account = await person(services, password=None)
    authenticator = await with_passkey(services, account)
    shown = await identified(client, webauthn=True)
    assert shown.name == "login_passkey"
    shown = await client.act(
        "webauthn_verify_assertion_response", assertion_response=signed(authenticator, shown)
    )
    assert shown.name == "success"


@ONLY
@pytest.mark.configured(email__use_for_authentication=False)
async def test_an_account_without_any_method_ends_the_flow(client, services):
    await person(services, password=None)
    shown = await identified(client)
    assert (shown.name, shown.status, shown.error) == ("error", 500, "flow_discontinuity_error")
    assert shown.actions == {}


@ONLY
async def test_an_unknown_address_sees_a_neutral_page_q_09(client, services):
    account = await person(services)
    await with_passkey(services, account)
    known = await identified(client, webauthn=True)
    assert known.name == "login_method_chooser"
    assert await identified(client, "nobody@example.com", webauthn=True) == known


async def test_the_sign_in_form_shows_no_payload_of_an_older_step(client, services):
    await person(services)
    shown = await identified(client, webauthn=True)
    assert (shown.name, shown.payload) == ("login_method_chooser", {})


async def test_a_recovery_code_needs_nothing_of_the_device(client, services):
    account = await person(services)
    await with_passkey(services, account, "security_key")
    await at_password(client)
    shown = await client.act("password_login", password=PASSWORD)
    assert (shown.name, shown.status, shown.error) == (
        "error",
        401,
        "platform_authenticator_required",
    )
    code, *_ = await services.recovery_codes.generate(SYSTEM, account.id)
    await at_password(client)
    shown = await client.act("password_login", password=PASSWORD)
    assert (shown.name, shown.actions.keys()) == ("login_security_key", {"recovery_code_validate"})
    shown = await client.act("recovery_code_validate", recovery_code=code)
    assert shown.name in ("device_trust", "success")


async def test_one_flow_keeps_few_challenges_however_often_it_asks_sec_126(client, services, clock):
    account = await person(services)
    authenticator = await with_passkey(services, account)
    await preflight(client, webauthn=True)
    for _ in range(8):
        clock.advance(seconds=1)
        shown = await client.act("webauthn_generate_request_options")
        await client.act("back")
    kept = await fetch("SELECT purpose FROM webauthn_challenge WHERE bound_to IS NOT NULL")
    assert len(kept) == MOST
    shown = await client.act(
        "webauthn_verify_assertion_response", assertion_response=signed(authenticator, shown)
    )
    assert shown.name == "success", "the page may wait for an earlier answer"


@pytest.mark.configured(rate_limiter__enabled=True)
async def test_wrong_assertions_are_limited_by_network_sec_069(client, services):
    await preflight(client, webauthn=True)
    tried = [
        await client.act("webauthn_verify_assertion_response", assertion_response={"id": "x"})
        for _ in range(31)
    ]
    assert {shown.status for shown in tried[:30]} == {401}
    assert (tried[30].status, tried[30].error) == (429, "rate_limit_exceeded")
    assert len(await audited("login_failure")) == 30
