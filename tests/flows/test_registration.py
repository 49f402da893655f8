"""Signing up."""

import pytest
from factories import make_session
from flows.people import (
    ADA,
    audited,
    enter_code,
    languages_of,
    named,
    person,
    registered_to_code,
)
from flows.walking import deliver, mailed_code, preflight

from app.persistence import fetch

PASSWORD = "an umbrella for tomorrow"
PLAIN = {
    "password__acquire_on_registration": "never",
    "passkey__acquire_on_registration": "never",
    "mfa__acquire_on_registration": False,
}
PLAINLY = pytest.mark.configured(**PLAIN)
WITH_NAMES = pytest.mark.configured(**PLAIN, username__enabled=True)


async def test_the_form_asks_for_what_an_account_has(client):
    shown = await preflight(client, "registration")
    assert (shown.name, shown.payload) == ("registration_init", {})
    assert shown.actions == {
        "register_login_identifier": {
            "email": {"name": "email", "type": "email", "max_length": 120, "required": True}
        }
    }


@PLAINLY
async def test_an_address_is_proved_and_then_the_user_is_made(client, services):
    shown = await registered_to_code(client)
    assert shown.name == "passcode_confirmation"
    assert shown.actions.keys() == {"verify_passcode", "resend_passcode", "back"}
    assert await fetch("SELECT id FROM app_user") == []
    shown = await enter_code(client, services)
    assert shown.name == "success"
    account = await services.users.by_email(ADA)
    assert shown.payload["user"]["id"] == str(account.id)
    assert "last_login" not in shown.payload
    (email,) = (await services.users.emails_of([account.id]))[account.id]
    assert (email.is_primary, email.is_verified) == (True, True)
    assert (await services.sessions.authenticate(shown.token)).account.id == account.id
    assert await audited("login_success") == []
    assert len(await audited("user_created")) == 1


@PLAINLY
async def test_nobody_is_made_without_the_code_sec_038(client, services):
    await registered_to_code(client)
    for _ in range(4):
        await client.act("verify_passcode", code="000000")
    assert await services.users.by_email(ADA) is None


@pytest.mark.parametrize(
    ("email", "code"),
    [
        ("", "value_missing_error"),
        (None, "value_missing_error"),
        ("not-an-address", "value_invalid_error"),
        ("a@b", "value_invalid_error"),
        ("a@b.c", "value_invalid_error"),
        ("a b@example.com", "value_invalid_error"),
        ("a@example.com\r\nBcc: x@example.com", "value_invalid_error"),
        ("a@example.com,b@example.com", "value_invalid_error"),
        ("\x00@example.com", "value_invalid_error"),
        (f"{'a' * 60}@{'b' * 57}.com", "value_too_long_error"),
    ],
)
async def test_what_is_no_address_is_refused_sec_113(client, services, email, code):
    await preflight(client, "registration")
    shown = await client.act("register_login_identifier", email=email)
    assert (shown.name, shown.status, shown.error) == (
        "registration_init",
        400,
        "form_data_invalid_error",
    )
    assert shown.problems == {"email": code}
    assert await deliver(services) == []


@pytest.mark.parametrize("value", [1, True, [], {}, ["ada@example.com"]])
async def test_what_is_no_text_is_no_value(rest, value):
    await preflight(rest, "registration")
    shown = await rest.act("register_login_identifier", email=value)
    assert shown.problems == {"email": "value_missing_error"}


@PLAINLY
async def test_the_user_can_go_back_and_give_another_address(client, services):
    await registered_to_code(client, "mistyped@example.com")
    shown = await client.act("back")
    assert shown.name == "registration_init"
    await client.act("register_login_identifier", email=ADA)
    assert (await enter_code(client, services)).name == "success"
    assert await services.users.by_email("mistyped@example.com") is None


@pytest.mark.configured(account__allow_signup=False)
async def test_nobody_signs_up_where_that_is_off(client):
    shown = await preflight(client, "registration")
    assert (shown.name, shown.actions) == ("registration_init", {})
    shown = await client.act("register_login_identifier", email=ADA)
    assert shown.error == "operation_not_permitted_error"


@pytest.mark.configured(email__acquire_on_registration=False)
async def test_nobody_signs_up_where_nothing_names_them(client):
    assert (await preflight(client, "registration")).actions == {}


@PLAINLY
@pytest.mark.configured(email__require_verification=False)
async def test_without_verification_the_user_is_made_at_once(client, services):
    shown = await registered_to_code(client)
    assert shown.name == "success"
    account = await services.users.by_email(ADA)
    (email,) = (await services.users.emails_of([account.id]))[account.id]
    assert (email.is_primary, email.is_verified) == (True, False)


@pytest.mark.configured(email__require_verification=False)
async def test_without_verification_an_address_in_use_is_told(client, services):
    await person(services)
    shown = await registered_to_code(client)
    assert shown.problems == {"email": "email_already_exists"}


@pytest.mark.configured(privacy__show_account_existence_hints=True)
async def test_with_hints_an_address_in_use_is_told(client, services):
    await person(services)
    shown = await registered_to_code(client, "ADA@example.com")
    assert shown.problems == {"email": "email_already_exists"}


async def test_the_owner_of_an_address_is_told_that_somebody_tried_sec_066(client, services):
    await person(services)
    shown = await registered_to_code(client)
    assert shown.name == "passcode_confirmation"
    (mail,) = await deliver(services)
    assert mail.to == ADA
    for code in ("000000", "123456"):
        assert (await client.act("verify_passcode", code=code)).status == 400


@pytest.mark.parametrize(("locale", "spoken"), [("de-AT", "de"), (None, "en")])
async def test_the_owner_is_told_in_their_own_language_sec_066(client, services, locale, spoken):
    """SEC-066: nothing that the stranger's page or browser wishes for shows in it."""
    await person(services, locale=locale)
    client.headers = {"x-language": "nl", "accept-language": "fr"}
    await registered_to_code(client)
    assert (await client.act("resend_passcode")).status == 200
    assert await languages_of("email_registration_attempted") == [spoken, spoken]
    await client.act("back")
    await client.act("register_login_identifier", email="grace@example.com")
    assert await languages_of("email_verification") == ["nl"]


@PLAINLY
async def test_an_address_that_is_taken_meanwhile_makes_nobody(client, services):
    await registered_to_code(client)
    code = await mailed_code(services, ADA)
    await person(services)
    shown = await client.act("verify_passcode", code=code)
    assert (shown.name, shown.status, shown.error) == ("error", 400, "email_already_exists")
    assert len(await fetch("SELECT id FROM app_user")) == 1
    assert await fetch("SELECT id FROM user_session") == []


@PLAINLY
async def test_a_session_that_the_request_bears_is_replaced_sec_026(client, services):
    other = await person(services, "grace@example.com")
    former = await make_session(services, other)
    client.cookies["hanko"] = former.token
    await registered_to_code(client)
    shown = await enter_code(client, services)
    assert shown.name == "success"
    assert await services.sessions.authenticate(former.token) == "revoked"


# User names


async def with_names(client, **given):
    await preflight(client, "registration")
    return await client.act("register_login_identifier", **given)


@WITH_NAMES
async def test_a_user_name_may_go_with_the_address(client, services):
    shown = await preflight(client, "registration")
    assert shown.actions["register_login_identifier"]["username"] == {
        "name": "username",
        "type": "string",
        "required": False,
        "min_length": 3,
        "max_length": 32,
    }
    await with_names(client, email=ADA, username=" Ada_1 ")
    assert (await enter_code(client, services)).name == "success"
    assert (await services.users.by_username("ada_1")).username == "ada_1"


@WITH_NAMES
@pytest.mark.parametrize(
    ("username", "code"),
    [
        ("ab", "value_too_short_error"),
        ("a" * 33, "value_too_long_error"),
        ("ada!", "invalid_username_error"),
        ("ädä", "invalid_username_error"),
        ("ada\nx", "invalid_username_error"),
        ("\uff41\uff44\uff41", "invalid_username_error"),
        ("ad\x00a", "value_invalid_error"),
    ],
)
async def test_what_is_no_user_name_is_refused(client, username, code):
    shown = await with_names(client, email=ADA, username=username)
    assert shown.problems == {"username": code}


@WITH_NAMES
async def test_a_user_name_in_use_is_told(client, services):
    await named(services, "Ada", address="grace@example.com")
    shown = await with_names(client, email=ADA, username="ada")
    assert shown.problems == {"username": "username_already_exists"}


@WITH_NAMES
@pytest.mark.configured(email__optional=True)
async def test_one_of_two_optional_identifiers_must_be_given(client):
    shown = await with_names(client)
    assert shown.problems == {"email": "value_invalid_error", "username": "value_invalid_error"}


@WITH_NAMES
@pytest.mark.configured(email__optional=True)
async def test_a_user_name_alone_makes_a_user(client, services):
    assert (await with_names(client, username="ada")).name == "success"
    account = await services.users.by_username("ada")
    assert (await services.users.emails_of([account.id]))[account.id] == []
