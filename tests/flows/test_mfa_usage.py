"""The second factor at a sign-in, walked on both faces by one body (§3.5)."""

import pytest
from credentials.authenticator import Authenticator
from credentials.ceremonies import events, passkey_of
from factories import make_user
from flows.members import (
    ADA,
    ada_with_password,
    code_of,
    later,
    to_password,
    with_app,
    with_key,
)
from flows.walking import mailed_code, preflight

from app.access import SYSTEM
from app.persistence import fetch


async def at_otp(client, services):
    user = await ada_with_password(services)
    secret = await with_app(services, user)
    shown = await to_password(client)
    assert shown.name == "login_otp"
    return user, secret, shown


async def at_key(client, services, *, with_totp=False):
    user = await ada_with_password(services)
    key = await with_key(services, user)
    secret = await with_app(services, user) if with_totp else ""
    shown = await to_password(client, webauthn=True)
    assert shown.name == "login_security_key"
    return user, key, secret, shown


def assertion_for(authenticator, shown):
    return authenticator.get(shown.payload["request_options"]["publicKey"])


# The authenticator app


async def test_a_code_of_the_app_signs_in(client, services):
    """SEC-032: nothing of a session exists before it."""
    _, secret, shown = await at_otp(client, services)
    assert shown.token is None
    assert shown.payload == {}
    assert set(shown.actions) == {"otp_code_validate"}
    assert shown.actions["otp_code_validate"]["otp_code"]["required"] is True
    shown = await client.act("otp_code_validate", otp_code=code_of(services, secret))
    assert shown.name == "device_trust"
    shown = await client.act("skip")
    assert shown.name == "success"
    assert shown.token
    (record,) = await events("login_success")
    assert (record["login_method"], record["mfa_method"]) == ("password", "totp")


async def test_a_code_works_once(client, services):
    """SEC-056."""
    _, secret, _ = await at_otp(client, services)
    code = code_of(services, secret)
    await client.act("otp_code_validate", otp_code=code)
    assert (await to_password(client)).name == "login_otp"
    shown = await client.act("otp_code_validate", otp_code=code)
    assert (shown.name, shown.status) == ("login_otp", 400)
    assert shown.problems == {"otp_code": "otp_code_already_used"}


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("", "value_missing_error"),
        ("12345", "value_invalid_error"),
        ("1234567", "value_invalid_error"),
        ("abcdef", "value_invalid_error"),
        ("١٢٣٤٥٦", "value_invalid_error"),
    ],
)
async def test_what_is_no_code_is_refused_without_a_failure(client, services, code, problem):
    """Q-16."""
    await at_otp(client, services)
    shown = await client.act("otp_code_validate", otp_code=code)
    assert (shown.name, shown.status, shown.error) == ("login_otp", 400, "form_data_invalid_error")
    assert shown.problems == {"otp_code": problem}


async def test_a_wrong_code_is_refused_and_recorded(client, services):
    _, secret, _ = await at_otp(client, services)
    shown = await client.act("otp_code_validate", otp_code=code_of(services, secret, steps=9))
    assert shown.problems == {"otp_code": "otp_code_invalid"}
    (record,) = await events("login_failure")
    assert record["mfa_method"] == "totp"
    shown = await client.act("otp_code_validate", otp_code=code_of(services, secret))
    assert shown.name == "device_trust"


async def test_a_hundred_wrong_codes_close_the_second_factor(client, services):
    """SEC-057: whatever the flow."""
    user, secret, _ = await at_otp(client, services)
    for _ in range(100):
        await services.totp.verify(user.id, code_of(services, secret, steps=9))
    shown = await client.act("otp_code_validate", otp_code=code_of(services, secret))
    assert (shown.name, shown.status, shown.error) == ("login_otp", 429, "rate_limit_exceeded")
    assert shown.retry_after


@pytest.mark.configured(rate_limiter__enabled=True)
async def test_codes_are_limited_by_the_minute(client, services):
    """SEC-057: a right one does not help either."""
    _, secret, _ = await at_otp(client, services)
    for _ in range(3):
        await client.act("otp_code_validate", otp_code=code_of(services, secret, steps=9))
    shown = await client.act("otp_code_validate", otp_code=code_of(services, secret))
    assert (shown.name, shown.status, shown.error) == ("login_otp", 429, "rate_limit_exceeded")
    assert 0 < shown.payload["retry_after"] <= 60
    later(services, seconds=shown.payload["retry_after"])
    shown = await client.act("otp_code_validate", otp_code=code_of(services, secret))
    assert shown.name == "device_trust"


async def test_nothing_but_a_factor_leaves_the_second_factor(client, services):
    """SEC-058."""
    await at_otp(client, services)
    for action in (
        "back",
        "skip",
        "continue_to_login_security_key",
        "continue_to_otp_secret_creation",
        "password_recovery",
        "exchange_token",
        "recovery_code_validate",
        "continue_to_passcode_confirmation_recovery",
    ):
        refused = await client.act(action)
        assert (refused.name, refused.error) == ("error", "operation_not_permitted_error"), action


async def test_a_mailed_code_does_not_spare_it(client, services):
    """SEC-032."""
    user = await make_user(services, email=ADA)
    await with_app(services, user)
    await preflight(client)
    await client.act("continue_with_login_identifier", email=ADA)
    await client.act("continue_to_passcode_confirmation")
    shown = await client.act("verify_passcode", code=await mailed_code(services, ADA))
    assert shown.name == "login_otp"
    assert shown.token is None


async def test_recovery_does_not_spare_it(client, services):
    """SEC-038, SEC-058."""
    user = await ada_with_password(services)
    secret = await with_app(services, user)
    await preflight(client)
    await client.act("continue_with_login_identifier", email=ADA)
    await client.act("continue_to_password_login")
    await client.act("continue_to_passcode_confirmation_recovery")
    shown = await client.act("verify_passcode", code=await mailed_code(services, ADA))
    assert shown.name == "login_otp"
    shown = await client.act("otp_code_validate", otp_code=code_of(services, secret))
    assert shown.name == "login_password_recovery"


@pytest.mark.configured(mfa__enabled=False)
async def test_where_there_are_no_second_factors_none_is_asked_for(client, services):
    user = await ada_with_password(services)
    await with_app(services, user)
    assert (await to_password(client)).name == "success"


# Security keys


async def test_a_security_key_signs_in(client, services):
    """SEC-032."""
    _, key, _, shown = await at_key(client, services)
    assert set(shown.actions) == {"webauthn_generate_request_options"}
    shown = await client.act("webauthn_generate_request_options")
    assert shown.name == "login_passkey"
    options = shown.payload["request_options"]["publicKey"]
    assert options["userVerification"] == "discouraged"
    assert options["timeout"] == 120_000
    assert len(options["allowCredentials"]) == 1
    assert set(shown.actions) == {"webauthn_verify_assertion_response", "back"}
    shown = await client.act(
        "webauthn_verify_assertion_response", assertion_response=key.get(options)
    )
    assert shown.name == "onboarding_create_passkey"
    await client.act("skip")
    shown = await client.act("skip")
    assert shown.name == "success"
    (record,) = await events("login_success")
    assert record["mfa_method"] == "security_key"


async def test_a_passkey_is_a_second_factor_too(client, services):
    user = await ada_with_password(services)
    await with_key(services, user)
    passkey = await with_key(services, user, "passkey")
    await to_password(client, webauthn=True)
    shown = await client.act("webauthn_generate_request_options")
    assert len(shown.payload["request_options"]["publicKey"]["allowCredentials"]) == 2
    shown = await client.act(
        "webauthn_verify_assertion_response", assertion_response=assertion_for(passkey, shown)
    )
    assert shown.name == "device_trust"


async def test_somebody_elses_key_is_refused(client, services):
    """SEC-048, SEC-058."""
    await at_key(client, services)
    other = await make_user(services)
    foreign = Authenticator()
    await passkey_of(services, other.id, foreign, "security_key")
    shown = await client.act("webauthn_generate_request_options")
    options = shown.payload["request_options"]["publicKey"]
    options["allowCredentials"] = []
    shown = await client.act(
        "webauthn_verify_assertion_response", assertion_response=foreign.get(options)
    )
    assert (shown.status, shown.error) == (401, "passkey_invalid")
    assert shown.token is None


async def test_back_from_the_key_leads_to_the_second_factor_alone(client, services):
    """SEC-058."""
    await at_key(client, services)
    await client.act("webauthn_generate_request_options")
    shown = await client.act("back")
    assert shown.name == "login_security_key"
    refused = await client.act("back")
    assert (refused.name, refused.error) == ("error", "operation_not_permitted_error")


async def test_one_goes_from_the_key_to_the_app_and_back(client, services):
    _, _, secret, shown = await at_key(client, services, with_totp=True)
    assert "continue_to_login_otp" in shown.actions
    shown = await client.act("continue_to_login_otp")
    assert shown.name == "login_otp"
    assert set(shown.actions) == {"otp_code_validate", "continue_to_login_security_key"}
    shown = await client.act("continue_to_login_security_key")
    assert shown.name == "login_security_key"
    await client.act("continue_to_login_otp")
    shown = await client.act("otp_code_validate", otp_code=code_of(services, secret))
    assert shown.name == "onboarding_create_passkey"


async def test_a_passkey_alone_leads_from_the_app_to_the_key(client, services):
    """Q-15: what is accepted is offered."""
    user = await ada_with_password(services)
    secret = await with_app(services, user)
    passkey = await with_key(services, user, "passkey")
    shown = await to_password(client, webauthn=True)
    assert "continue_to_login_security_key" in shown.actions
    await client.act("continue_to_login_security_key")
    shown = await client.act("webauthn_generate_request_options")
    shown = await client.act(
        "webauthn_verify_assertion_response", assertion_response=assertion_for(passkey, shown)
    )
    assert shown.name == "device_trust"
    assert secret


@pytest.mark.configured(passkey__enabled=False)
async def test_a_passkey_that_is_not_accepted_is_not_offered(client, services):
    """Q-15."""
    user = await ada_with_password(services)
    await with_app(services, user)
    await services.passkeys.list(user.id)
    shown = await to_password(client, webauthn=True)
    assert "continue_to_login_security_key" not in shown.actions


async def test_a_key_that_is_not_there_is_not_asked_for(client, services):
    await at_key(client, services)
    await fetch("DELETE FROM webauthn_credential")
    shown = await client.act("webauthn_generate_request_options")
    assert shown.name == "login_security_key"
    assert (shown.status, shown.error) == (403, "operation_not_permitted_error")


async def test_a_client_without_webauthn_cannot_ask_for_the_key(client, services):
    user = await ada_with_password(services)
    await with_key(services, user)
    shown = await to_password(client)
    assert (shown.name, shown.status) == ("error", 401)
    assert shown.error == "platform_authenticator_required"


@pytest.mark.configured(mfa__security_keys__authenticator_attachment="platform")
async def test_a_device_that_cannot_use_the_key_ends_the_login(client, services):
    user = await ada_with_password(services)
    await with_key(services, user)
    shown = await to_password(client)
    assert (shown.name, shown.status) == ("error", 401)
    assert shown.error == "platform_authenticator_required"


# Recovery codes


async def test_a_recovery_code_signs_in_once(client, services):
    """SEC-057, SEC-058: it is a factor, under the limits of all of them."""
    user = await ada_with_password(services)
    await with_app(services, user)
    first, second, *_ = await services.recovery_codes.generate(SYSTEM, user.id)
    shown = await to_password(client)
    assert set(shown.actions) == {"otp_code_validate", "recovery_code_validate"}
    shown = await client.act("recovery_code_validate", recovery_code=f" {first.lower()} ")
    assert shown.name == "device_trust"
    await client.act("skip")
    (record,) = await events("login_success")
    assert record["mfa_method"] == "recovery_code"
    await to_password(client)
    shown = await client.act("recovery_code_validate", recovery_code=first)
    assert (shown.name, shown.status) == ("login_otp", 400)
    assert shown.problems == {"recovery_code": "otp_code_invalid"}
    shown = await client.act("recovery_code_validate", recovery_code=second)
    assert shown.name == "device_trust"


async def test_a_recovery_code_stands_in_for_a_lost_key(client, services):
    user = await ada_with_password(services)
    await with_key(services, user)
    code, *_ = await services.recovery_codes.generate(SYSTEM, user.id)
    shown = await to_password(client, webauthn=True)
    assert shown.name == "login_security_key"
    shown = await client.act("recovery_code_validate", recovery_code=code)
    assert shown.name == "onboarding_create_passkey"


@pytest.mark.parametrize("text", ["", "nonsense", "AAAA-BBBB-CCCC-DDDD", "0" * 500])
async def test_what_is_no_recovery_code_of_the_user_is_refused(client, services, text):
    user = await ada_with_password(services)
    await with_app(services, user)
    await services.recovery_codes.generate(SYSTEM, user.id)
    await to_password(client)
    shown = await client.act("recovery_code_validate", recovery_code=text)
    assert (shown.name, shown.status) == ("login_otp", 400)
    assert shown.token is None


@pytest.mark.configured(rate_limiter__enabled=True)
async def test_recovery_codes_and_the_app_share_their_limit(client, services):
    """SEC-057."""
    user = await ada_with_password(services)
    secret = await with_app(services, user)
    code, *_ = await services.recovery_codes.generate(SYSTEM, user.id)
    await to_password(client)
    for _ in range(3):
        await client.act("otp_code_validate", otp_code=code_of(services, secret, steps=9))
    shown = await client.act("recovery_code_validate", recovery_code=code)
    assert (shown.status, shown.error) == (429, "rate_limit_exceeded")


async def test_a_hundred_wrong_guesses_close_recovery_codes(client, services):
    """SEC-057."""
    user = await ada_with_password(services)
    secret = await with_app(services, user)
    code, *_ = await services.recovery_codes.generate(SYSTEM, user.id)
    await to_password(client)
    for _ in range(100):
        await services.totp.verify(user.id, code_of(services, secret, steps=9))
    shown = await client.act("recovery_code_validate", recovery_code=code)
    assert (shown.status, shown.error) == (429, "rate_limit_exceeded")
