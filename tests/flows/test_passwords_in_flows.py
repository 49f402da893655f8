"""Signing in with a password, and replacing one that was forgotten."""

import asyncio
from uuid import UUID

import pytest
from factories import make_identity, make_session
from flows.people import (
    ADA,
    PASSWORD,
    at_password,
    audited,
    enter_code,
    identified,
    named,
    otp,
    person,
    unverified,
    with_passkey,
    with_totp,
)
from flows.walking import RestClient, deliver, mailed_code, preflight

from app import strictjson
from app.access import SYSTEM
from app.persistence import fetch
from app.users import NewEmail

NEW = "an umbrella for tomorrow"


async def test_a_password_signs_in(client, services):
    account = await person(services)
    shown = await preflight(client)
    assert shown.name == "login_init"
    shown = await client.act("continue_with_login_identifier", email=" Ada@Example.COM ")
    assert shown.name == "login_method_chooser"
    assert shown.actions.keys() == {
        "continue_to_password_login",
        "continue_to_passcode_confirmation",
        "back",
    }
    shown = await client.act("continue_to_password_login")
    assert shown.name == "login_password"
    assert shown.actions["password_login"]["password"] == {
        "name": "password",
        "type": "password",
        "required": True,
    }
    shown = await client.act("password_login", password=PASSWORD)
    assert (shown.name, shown.status, shown.error, shown.actions) == ("success", 200, None, {})
    assert shown.payload["user"]["id"] == str(account.id)
    assert shown.payload["user"]["emails"][0]["address"] == ADA
    found = await services.sessions.authenticate(shown.token)
    assert found.account.id == account.id
    assert found.account.last_sign_in_at == services.clock()


async def test_a_login_is_recorded(client, services):
    account = await person(services)
    await at_password(client)
    await client.act("password_login", password=PASSWORD)
    (record,) = await audited("login_success")
    assert record["subject_id"] == account.id
    assert '"login_method":"password"' in record["details"]
    assert client.flow_id in record["details"]


@pytest.mark.parametrize("wrong", ["wrong", PASSWORD.upper(), PASSWORD + " ", "é" * 600, "\x00"])
async def test_a_wrong_password_does_not(client, services, wrong):
    account = await person(services)
    await at_password(client)
    shown = await client.act("password_login", password=wrong)
    assert (shown.name, shown.status) == ("login_password", 400)
    assert shown.problems == {"password": "value_invalid_error"}
    assert (shown.token, shown.cookies) == (None, ())
    (record,) = await audited("login_failure")
    assert record["subject_id"] == account.id


async def test_a_password_of_nobody_is_a_failure_on_record_too_sec_118(client, services):
    await at_password(client)
    shown = await client.act("password_login", password="wrong")
    assert shown.problems == {"password": "value_invalid_error"}
    (record,) = await audited("login_failure")
    assert record["subject_id"] is None
    assert strictjson.parse(record["details"].encode())["login_method"] == "password"


async def test_an_empty_password_is_missing_and_no_attempt(client, services):
    await person(services)
    await at_password(client)
    shown = await client.act("password_login", password="")
    assert shown.problems == {"password": "value_missing_error"}
    assert await audited("login_failure") == []


async def test_a_password_that_changes_while_the_flow_rests_opens_nothing_sec_027(client, services):
    """SEC-027: the session would begin with a password that is none any more."""
    account = await person(services)
    secret = await with_totp(services, account)
    await at_password(client)
    assert (await client.act("password_login", password=PASSWORD)).name == "login_otp"
    await services.passwords.set(SYSTEM, account.id, NEW)
    shown = await client.act("otp_code_validate", otp_code=otp(services, secret))
    assert (shown.name, shown.error) == ("error", "operation_not_permitted_error")
    assert await fetch("SELECT id FROM user_session") == []


@pytest.mark.configured(username__enabled=True, username__use_as_login_identifier=False)
async def test_a_second_factor_that_is_added_while_the_flow_rests_is_asked_for_sec_032(
    client, services
):
    """SEC-032: a flow that has passed the first factor is no way around it."""
    account = await named(services, "ada", address=ADA)
    await at_password(client)
    await fetch("UPDATE app_user SET username = NULL, username_key = NULL")
    assert account.username
    shown = await client.act("password_login", password=PASSWORD)
    assert shown.name == "onboarding_username"
    await with_totp(services, account)
    shown = await client.act("skip")
    assert (shown.name, shown.error) == ("error", "operation_not_permitted_error")
    assert await fetch("SELECT id FROM user_session") == []


async def test_a_session_that_the_request_bears_is_replaced_sec_026(client, services):
    account = await person(services)
    former = await make_session(services, account)
    client.cookies["hanko"] = former.token
    await at_password(client)
    shown = await client.act("password_login", password=PASSWORD)
    assert shown.name == "success"
    assert await services.sessions.authenticate(former.token) == "revoked"
    (row,) = await fetch("SELECT id FROM user_session")
    assert row["id"] != former.session.id


async def test_a_session_id_that_the_client_brings_is_not_adopted_sec_026(client, services):
    await person(services)
    client.cookies["hanko"] = "made.up.token"
    await at_password(client)
    shown = await client.act("password_login", password=PASSWORD)
    assert shown.token != "made.up.token"


@pytest.mark.configured(rate_limiter__enabled=True)
async def test_too_many_passwords_wait_sec_069(client, services, clock):
    await person(services)
    await at_password(client)
    for _ in range(5):
        assert (await client.act("password_login", password="wrong")).status == 400
    client.headers |= {"x-request-id": "request-of-mine", "user-agent": "Firefox"}
    shown = await client.act("password_login", password=PASSWORD)
    assert (shown.name, shown.status, shown.error) == ("login_password", 429, "rate_limit_exceeded")
    assert shown.payload["retry_after"] >= 1
    assert int(shown.retry_after) == shown.payload["retry_after"]
    (record,) = await audited("rate_limit_exceeded")
    assert record["request_id"] == "request-of-mine"
    assert (record["user_agent"], record["address"]) == ("Firefox", "127.0.0.1")
    assert client.flow_id in record["details"]
    clock.advance(seconds=61)
    assert (await client.act("password_login", password=PASSWORD)).name == "success"


@pytest.mark.configured(rate_limiter__enabled=True)
async def test_another_flow_buys_no_further_attempt_sec_071(client, services, clock):
    await person(services)
    statuses = []
    for _ in range(7):
        await at_password(client)
        statuses.append((await client.act("password_login", password="wrong")).status)
    assert statuses == [400] * 5 + [429] * 2


@pytest.mark.configured(password__enabled=False)
async def test_without_passwords_a_code_is_mailed_at_once(client, services):
    await person(services, password=None)
    assert (await identified(client)).name == "passcode_confirmation"


@pytest.mark.configured(email__use_for_authentication=False)
async def test_without_codes_the_password_is_asked_for_at_once(client, services):
    await person(services)
    shown = await identified(client)
    assert shown.name == "login_password"
    assert "continue_to_passcode_confirmation_recovery" in shown.actions


@pytest.mark.configured(email__use_for_authentication=False, password__enabled=False)
async def test_without_either_nobody_is_asked_who_they_are(client):
    assert (await preflight(client)).actions == {}


# Recovery


async def recovering(client, services, address=ADA):
    await at_password(client, address)
    shown = await client.act("continue_to_passcode_confirmation_recovery")
    assert shown.name == "passcode_confirmation"
    return await enter_code(client, services, address)


async def test_a_forgotten_password_is_replaced_after_the_code_sec_038(client, services):
    account = await person(services)
    shown = await recovering(client, services)
    assert shown.name == "login_password_recovery"
    assert shown.actions == {
        "password_recovery": {
            "new_password": {
                "name": "new_password",
                "type": "password",
                "required": True,
                "min_length": 8,
                "max_length": 1024,
            }
        }
    }
    assert shown.token is None
    shown = await client.act("password_recovery", new_password=NEW)
    assert shown.name == "success"
    mails = await deliver(services)
    assert [(mail.to, "was changed" in mail.subject) for mail in mails] == [
        (ADA, True),
        (ADA, False),
    ], "SEC-037: the code, and word of the change"
    (record,) = (await audited("password_changed"))[1:]
    assert '"recovery"' in record["details"]
    await at_password(client)
    assert (await client.act("password_login", password=PASSWORD)).status == 400
    assert (await client.act("password_login", password=NEW)).name == "success"
    assert account.id


@pytest.mark.parametrize(("language", "spoken"), [("", "nl"), ("de", "de")])
async def test_what_a_recovery_mails_is_in_what_was_asked_for_else_in_the_users_language(
    rest, services, language, spoken
):
    """SEC-037: the language that the first request has named stands until the end."""
    await person(services, locale="nl")
    rest.headers = {"x-language": language, "accept-language": "fr"}
    await at_password(rest)
    rest.headers = {"accept-language": "fr"}
    await rest.act("continue_to_passcode_confirmation_recovery")
    await enter_code(rest, services)
    await rest.act("password_recovery", new_password=NEW)
    rows = await fetch("SELECT template, language FROM mail_outbox ORDER BY id")
    told = [(row["template"], row["language"]) for row in rows]
    assert told == [("recovery", spoken), ("password_update", spoken)]


async def test_a_recovery_ends_all_other_sessions_and_trusted_devices_sec_027(client, services):
    account = await person(services)
    former = await make_session(services, account)
    await services.trusted_devices.issue(SYSTEM, account.id)
    await recovering(client, services)
    shown = await client.act("password_recovery", new_password=NEW)
    assert await services.sessions.authenticate(former.token) == "revoked"
    assert await services.trusted_devices.of(account.id) == []
    assert shown.token


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("short", "value_too_short_error"),
        ("", "value_missing_error"),
        ("x" * 1025, "value_too_long_error"),
    ],
)
async def test_a_new_password_obeys_the_rules_sec_035(client, services, password, code):
    await person(services)
    await recovering(client, services)
    shown = await client.act("password_recovery", new_password=password)
    assert (shown.name, shown.status) == ("login_password_recovery", 400)
    assert shown.problems == {"new_password": code}


@pytest.mark.parametrize("password", ["password123", ADA, "12345678"])
async def test_a_common_or_guessable_password_is_refused_sec_036(rest, services, password):
    await person(services)
    await recovering(rest, services)
    shown = await rest.act("password_recovery", new_password=password)
    assert shown.problems == {"new_password": "value_invalid_error"}
    told = shown.actions["password_recovery"]["new_password"]["error"]
    assert told["cause"] in ("password_too_common", "password_guessable")


async def test_the_exact_reason_is_told_in_types(graphql, services):
    await person(services)
    await recovering(graphql, services)
    shown = await graphql.act("password_recovery", new_password="password123")
    assert shown.problems == {"new_password": "password_too_common"}


async def test_a_recovery_never_bypasses_a_second_factor_sec_038(client, services):
    account = await person(services)
    await with_totp(services, account)
    shown = await recovering(client, services)
    assert shown.name == "login_otp"
    assert "password_recovery" not in shown.actions
    shown = await client.act("password_recovery", new_password=NEW)
    assert shown.error == "operation_not_permitted_error"


async def test_a_recovery_asks_for_the_second_factor_in_a_trusted_browser_too_sec_038(
    client, services
):
    """SEC-038: it ends all trust, so that none may carry it."""
    account = await person(services)
    secret = await with_totp(services, account)
    trust = await services.trusted_devices.issue(SYSTEM, account.id)
    client.cookies["hanko-device-token"] = trust
    await at_password(client)
    assert (await client.act("password_login", password=PASSWORD)).name == "success"
    shown = await recovering(client, services)
    assert shown.name == "login_otp"
    services.clock.advance(seconds=30)
    shown = await client.act("otp_code_validate", otp_code=otp(services, secret))
    assert shown.name == "login_password_recovery"
    shown = await client.act("password_recovery", new_password=NEW)
    assert shown.name in ("device_trust", "success")


@pytest.mark.configured(username__enabled=True, email__enabled=False)
async def test_mail_is_no_way_in_where_there_is_no_e_mail_sec_038(client, services):
    """SEC-038: an address from before opens nothing."""
    await named(services, "ada", address=ADA)
    await preflight(client)
    shown = await client.act("continue_with_login_identifier", username="ada")
    assert (shown.name, shown.actions.keys()) == ("login_password", {"password_login", "back"})


async def test_a_recovery_cannot_be_had_by_choosing_another_way_sec_038(client, services):
    """SEC-038: going back forgets that a recovery was asked for."""
    await person(services)
    await at_password(client)
    await client.act("continue_to_passcode_confirmation_recovery")
    await client.act("back")
    shown = await client.act("password_login", password=PASSWORD)
    assert shown.name == "success"


async def test_a_code_to_sign_in_is_none_to_recover_sec_040(client, services):
    """SEC-040: another purpose takes another code, and the older one is dead."""
    await person(services)
    await identified(client)
    await client.act("continue_to_passcode_confirmation")
    login_code = await mailed_code(services, ADA)
    await client.act("back")
    await client.act("continue_to_password_login")
    await client.act("continue_to_passcode_confirmation_recovery")
    recovery_code = await mailed_code(services, ADA)
    if login_code != recovery_code:
        shown = await client.act("verify_passcode", code=login_code)
        assert shown.problems == {"code": "passcode_invalid"}
    shown = await client.act("verify_passcode", code=recovery_code)
    assert shown.name == "login_password_recovery"


@pytest.mark.configured(password__recovery=False)
async def test_recovery_is_not_offered_where_it_is_off(client, services):
    await person(services)
    shown = await at_password(client)
    assert shown.actions.keys() == {"password_login", "back"}


@pytest.mark.configured(
    username__enabled=True,
    email__optional=True,
    email__use_as_login_identifier=False,
    privacy__show_account_existence_hints=True,
)
async def test_recovery_is_not_offered_to_who_reads_no_mail_where_that_may_be_told(
    client, services
):
    await named(services, "ada")
    await preflight(client)
    shown = await client.act("continue_with_login_identifier", username="ada")
    assert shown.name == "login_password"
    assert shown.actions.keys() == {"password_login", "back"}


async def test_a_user_without_a_password_is_given_one_by_recovery(client, services):
    await person(services, password=None)
    assert (await recovering(client, services)).name == "login_password_recovery"
    assert (await client.act("password_recovery", new_password=NEW)).name == "success"


# Addresses that nobody has proved


async def test_proving_an_address_voids_what_was_attached_before_sec_064(client, services):
    """SEC-064: who registered another person's address and waited has nothing of the account."""
    account = await unverified(services)
    planted = await make_session(services, account)
    await with_passkey(services, account)
    await with_totp(services, account)
    await make_identity(services, account)
    await identified(client)
    await client.act("continue_to_passcode_confirmation")
    shown = await enter_code(client, services)
    assert shown.name == "success"
    (email,) = (await services.users.emails_of([account.id]))[account.id]
    assert email.is_verified
    assert await services.sessions.authenticate(planted.token) == "revoked"
    assert await services.passwords.changed_at(account.id) is None
    assert await services.passkeys.list(account.id) == []
    assert await services.totp.of(account.id) is None
    assert await services.federation.identities_of([account.id]) == {account.id: []}


async def test_recovery_of_an_unproved_address_voids_too_sec_064(client, services):
    account = await unverified(services)
    await with_totp(services, account)
    shown = await recovering(client, services)
    assert shown.name == "login_password_recovery"
    assert (await client.act("password_recovery", new_password=NEW)).name == "success"
    assert await services.totp.of(account.id) is None


async def test_what_was_attached_to_a_proved_address_stays(client, services):
    account = await person(services)
    await identified(client)
    await client.act("continue_to_passcode_confirmation")
    await enter_code(client, services)
    assert await services.passwords.changed_at(account.id) is not None


async def test_mail_goes_to_no_address_of_the_user_that_nobody_has_proved_sec_038(client, services):
    """SEC-038: a mistyped second address opens the account to no stranger."""
    account = await person(services)
    await services.users.add_email(SYSTEM, account.id, NewEmail("stranger@example.com"))
    await identified(client, "stranger@example.com")
    await client.act("continue_to_passcode_confirmation")
    assert {mail.to for mail in await deliver(services)} == {ADA}


async def test_mail_goes_to_the_address_as_it_is_stored_sec_040(client, services):
    """SEC-040: another spelling of an address may be another person's mailbox."""
    await person(services, "ada@example.com")
    await preflight(client)
    await client.act("continue_with_login_identifier", email="ADA@\uff25xample.com")
    await client.act("continue_to_passcode_confirmation")
    assert {mail.to for mail in await deliver(services)} == {ADA}


@pytest.mark.configured(
    password__hashing__threads=1,
    password__hashing__queue=0,
    password__argon2__memory=19,
    password__argon2__iterations=2,
)
async def test_who_comes_when_too_much_is_hashed_is_told_when_to_come_again_sec_123(
    public, services
):
    """SEC-123: the answer is a step's failure, and the flow is as it was."""
    await person(services)
    clients = [RestClient(public) for _ in range(6)]
    for client in clients:
        await at_password(client)
    tries = [client.act("password_login", password=PASSWORD) for client in clients]
    shown = await asyncio.gather(*tries)
    assert {one.status for one in shown} == {200, 503}
    late = next(i for i, one in enumerate(shown) if one.status == 503)
    assert (shown[late].name, shown[late].error) == ("error", "overloaded")
    assert int(shown[late].retry_after) >= 1
    assert (await clients[late].act("password_login", password=PASSWORD)).name == "success"


async def test_nobody_is_the_user_of_the_nil_id(client, services):
    """What is asked for nobody's sake finds nobody, though an older server let somebody have it."""
    nil, made = UUID(int=0), "INSERT INTO app_user (id, created_at, updated_at) VALUES ($1, $2, $2)"
    await fetch(made, nil, services.clock())
    await services.passwords.set(SYSTEM, nil, PASSWORD)
    await at_password(client, "nobody@example.com")
    shown = await client.act("password_login", password=PASSWORD)
    assert shown.problems == {"password": "value_invalid_error"}
