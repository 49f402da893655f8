"""What an account lacks after a sign-in, walked on both faces by one body (§3.4)."""

import pytest
from factories import make_user
from flows.members import ADA, PASSWORD, ada_with_password, to_password
from flows.people import languages_of
from flows.walking import deliver, mailed_code, preflight

from app.access import SYSTEM
from app.users import NewUser, ProfileChanges

NAMES = {"username__enabled": True}
NAMED = pytest.mark.configured(**NAMES)
STRICT = pytest.mark.configured(**NAMES, username__optional=False)
GIVEN = {**NAMES, "email__optional": True, "password__optional": True}
WITH_EMAIL = pytest.mark.configured(**GIVEN)


async def at_username(client, services):
    user = await ada_with_password(services)
    await preflight(client)
    await client.act("continue_with_login_identifier", identifier=ADA)
    await client.act("continue_to_password_login")
    shown = await client.act("password_login", password=PASSWORD)
    assert shown.name == "onboarding_username"
    assert shown.payload == {}
    return user, shown


async def at_email(client, services):
    """Somebody who is known by name alone."""
    new = NewUser(profile=ProfileChanges(username="ada"))
    user, _ = await services.users.create(SYSTEM, new)
    await services.passwords.set(SYSTEM, user.id, PASSWORD)
    await preflight(client)
    shown = await client.act("continue_with_login_identifier", identifier="ada")
    if shown.name == "login_method_chooser":
        shown = await client.act("continue_to_password_login")
    shown = await client.act("password_login", password=PASSWORD)
    assert shown.name == "onboarding_email"
    assert shown.payload == {}
    return user, shown


# User names


@NAMED
async def test_a_name_is_chosen(client, services):
    user, shown = await at_username(client, services)
    assert set(shown.actions) == {"username_create", "skip"}
    asked = shown.actions["username_create"]["username"]
    assert (asked["required"], asked["min_length"], asked["max_length"]) == (False, 3, 32)
    assert "value" not in asked
    shown = await client.act("username_create", username=" Ada_L ")
    assert shown.name == "success"
    assert (await services.users.by_id(user.id)).username == "ada_l"


@NAMED
async def test_one_may_go_without_a_name(client, services):
    user, _ = await at_username(client, services)
    shown = await client.act("skip")
    assert shown.name == "success"
    assert (await services.users.by_id(user.id)).username is None


@STRICT
async def test_one_must_have_a_name_where_it_is_so_configured(client, services):
    _, shown = await at_username(client, services)
    assert set(shown.actions) == {"username_create"}
    assert shown.actions["username_create"]["username"]["required"] is True
    refused = await client.act("skip")
    assert (refused.name, refused.error) == ("error", "operation_not_permitted_error")
    shown = await client.act("username_create", username="")
    assert shown.problems == {"username": "value_missing_error"}


@NAMED
@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("a-b", "invalid_username_error"),
        ("a b", "invalid_username_error"),
        ("ädaäda", "invalid_username_error"),
        ("", "invalid_username_error"),
        ("ab", "value_too_short_error"),
        ("a" * 33, "value_too_long_error"),
        ("grace", "username_already_exists"),
        ("GRACE", "username_already_exists"),
    ],
)
async def test_a_name_that_cannot_be_is_refused(client, services, name, problem):
    """SEC-114."""
    await make_user(services, username="Grace")
    user, _ = await at_username(client, services)
    shown = await client.act("username_create", username=name)
    assert (shown.name, shown.status) == ("onboarding_username", 400)
    assert shown.problems == {"username": problem}
    assert (await services.users.by_id(user.id)).username is None


@NAMED
async def test_there_is_no_way_back_from_a_name(client, services):
    _, shown = await at_username(client, services)
    assert "back" not in shown.actions
    refused = await client.act("back")
    assert (refused.name, refused.error) == ("error", "operation_not_permitted_error")


# Addresses


@WITH_EMAIL
async def test_an_address_is_given_and_proved(client, services):
    """SEC-040."""
    user, shown = await at_email(client, services)
    assert set(shown.actions) == {"email_address_set", "skip"}
    asked = shown.actions["email_address_set"]["email"]
    assert (asked["required"], asked["max_length"], asked["type"]) == (False, 120, "string")
    shown = await client.act("email_address_set", email=" Ada@Example.com ")
    assert shown.name == "passcode_confirmation"
    assert (await services.users.emails_of([user.id]))[user.id] == []
    shown = await client.act("verify_passcode", code=await mailed_code(services, ADA))
    assert shown.name == "success"
    (email,) = (await services.users.emails_of([user.id]))[user.id]
    assert (email.address, email.is_primary, email.is_verified) == (ADA, True, True)


@WITH_EMAIL
async def test_one_goes_back_to_another_address(client, services):
    """SEC-040: the code of the first proves nothing of the second."""
    user, _ = await at_email(client, services)
    await client.act("email_address_set", email=ADA)
    code = await mailed_code(services, ADA)
    shown = await client.act("back")
    assert shown.name == "onboarding_email"
    shown = await client.act("email_address_set", email="eve@example.com")
    shown = await client.act("verify_passcode", code=code)
    assert shown.problems == {"code": "passcode_invalid"}
    assert (await services.users.emails_of([user.id]))[user.id] == []


@WITH_EMAIL
@pytest.mark.parametrize(("action", "inputs"), [("skip", {}), ("email_address_set", {"email": ""})])
async def test_one_may_go_without_an_address(client, services, action, inputs):
    """Q-10: to send nothing is to skip."""
    user, _ = await at_email(client, services)
    shown = await client.act(action, **inputs)
    assert shown.name == "success"
    assert (await services.users.emails_of([user.id]))[user.id] == []


@pytest.mark.configured(**NAMES)
async def test_one_must_have_an_address_where_it_is_so_configured(client, services):
    _, shown = await at_email(client, services)
    assert set(shown.actions) == {"email_address_set"}
    refused = await client.act("skip")
    assert (refused.name, refused.error) == ("error", "operation_not_permitted_error")
    shown = await client.act("email_address_set", email="")
    assert shown.problems == {"email": "value_missing_error"}


@WITH_EMAIL
@pytest.mark.parametrize("text", ["nonsense", "a@b", "a@@example.com", "a b@example.com"])
async def test_what_is_no_address_is_refused(client, services, text):
    """Q-10."""
    await at_email(client, services)
    shown = await client.act("email_address_set", email=text)
    assert (shown.name, shown.status) == ("onboarding_email", 400)
    assert shown.problems == {"email": "value_invalid_error"}
    assert shown.actions["email_address_set"]["email"]["value"] == text


@WITH_EMAIL
async def test_an_address_that_somebody_has_looks_free_and_cannot_be_proved(client, services):
    """SEC-066: its owner is told."""
    await make_user(services, email="grace@example.com")
    user, _ = await at_email(client, services)
    shown = await client.act("email_address_set", email="Grace@example.com")
    assert shown.name == "passcode_confirmation"
    (mail, *_) = await deliver(services)
    assert mail.to == "grace@example.com"
    assert "Registration attempt" in mail.subject
    for code in ("000000", "123456"):
        shown = await client.act("verify_passcode", code=code)
        assert shown.name == "passcode_confirmation"
    assert (await services.users.emails_of([user.id]))[user.id] == []


@WITH_EMAIL
@pytest.mark.parametrize(("locale", "spoken"), [("de-AT", "de"), (None, "en")])
async def test_the_owner_is_told_in_their_own_language_sec_066(client, services, locale, spoken):
    """SEC-066: nothing that the stranger's page or browser wishes for shows in it."""
    await make_user(services, email="grace@example.com", locale=locale)
    client.headers = {"x-language": "nl", "accept-language": "fr"}
    await at_email(client, services)
    await client.act("email_address_set", email="grace@example.com")
    assert (await client.act("resend_passcode")).status == 200
    assert await languages_of("email_registration_attempted") == [spoken, spoken]


@WITH_EMAIL
async def test_free_and_taken_addresses_take_as_many_statements_sec_067(
    client, services, statements
):
    await make_user(services, email="grace@example.com")
    await at_email(client, services)
    counts = []
    for address in ("grace@example.com", "eve@example.com"):
        statements.clear()
        shown = await client.act("email_address_set", email=address)
        counts.append((shown.name, len(statements)))
        await client.act("back")
    assert counts[0] == counts[1]


@pytest.mark.configured(**GIVEN, email__require_verification=False)
async def test_where_nothing_is_proved_an_address_is_taken_as_it_is(client, services):
    await make_user(services, email="grace@example.com")
    user, _ = await at_email(client, services)
    shown = await client.act("email_address_set", email="grace@example.com")
    assert (shown.name, shown.status) == ("onboarding_email", 400)
    assert shown.problems == {"email": "email_already_exists"}
    shown = await client.act("email_address_set", email=ADA)
    assert shown.name == "success"
    (email,) = (await services.users.emails_of([user.id]))[user.id]
    assert (email.address, email.is_primary, email.is_verified) == (ADA, True, False)


async def test_who_lacks_nothing_is_asked_nothing(client, services):
    await ada_with_password(services)
    assert (await to_password(client)).name == "success"
