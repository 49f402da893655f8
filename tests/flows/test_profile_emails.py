"""Addresses in the profile, walked on both faces by one body (§2.3)."""

import pytest
from factories import make_user
from flows.members import ADA, ada_with_password, to_profile, with_key
from flows.people import languages_of
from flows.walking import deliver, mailed_code

from app.access import SYSTEM
from app.users import NewEmail, NewUser, ProfileChanges

EVE = "eve@example.com"


async def emails_of(services, user):
    found = (await services.users.emails_of([user.id]))[user.id]
    return [(email.address, email.is_primary, email.is_verified) for email in found]


async def add(services, user, address, *, verified=True):
    new = NewEmail(address, is_verified=verified)
    return await services.users.add_email(SYSTEM, user.id, new)


async def test_an_address_is_added_when_it_is_proved(client, services):
    """SEC-037: the old address is told."""
    user = await ada_with_password(services)
    shown = await to_profile(client, services, user)
    asked = shown.actions["email_create"]["email"]
    assert (asked["type"], asked["required"], asked["max_length"]) == ("email", True, 120)
    shown = await client.act("email_create", email=" Eve@Example.com ")
    assert shown.name == "passcode_confirmation"
    assert set(shown.actions) == {"verify_passcode", "resend_passcode", "back"}
    assert await emails_of(services, user) == [(ADA, True, True)]
    shown = await client.act("verify_passcode", code=await mailed_code(services, EVE))
    assert shown.name == "profile_init"
    assert await emails_of(services, user) == [(ADA, True, True), (EVE, False, True)]
    assert len(shown.payload["user"]["emails"]) == 2
    (notice, *_) = await deliver(services)
    assert notice.to == ADA
    assert EVE in notice.text


async def test_a_wrong_code_adds_nothing(client, services):
    """SEC-040, SEC-041."""
    user = await ada_with_password(services)
    await to_profile(client, services, user)
    await client.act("email_create", email=EVE)
    for _ in range(2):
        shown = await client.act("verify_passcode", code="no code")
        assert shown.problems == {"code": "passcode_invalid"}
    shown = await client.act("verify_passcode", code="no code")
    assert (shown.status, shown.error) == (401, "passcode_max_attempts_reached")
    shown = await client.act("verify_passcode", code=await mailed_code(services, EVE))
    assert shown.status == 401
    assert await emails_of(services, user) == [(ADA, True, True)]


async def test_one_goes_back_from_the_code(client, services):
    """SEC-040: a code for one address proves no other."""
    user = await ada_with_password(services)
    await to_profile(client, services, user)
    await client.act("email_create", email=EVE)
    code = await mailed_code(services, EVE)
    assert (await client.act("back")).name == "profile_init"
    await client.act("email_create", email="other@example.com")
    shown = await client.act("verify_passcode", code=code)
    assert shown.problems == {"code": "passcode_invalid"}
    assert await emails_of(services, user) == [(ADA, True, True)]


async def test_ones_own_address_is_not_added_again(client, services):
    """SEC-114."""
    user = await ada_with_password(services)
    await to_profile(client, services, user)
    shown = await client.act("email_create", email="ADA@EXAMPLE.COM")
    assert (shown.name, shown.status) == ("profile_init", 400)
    assert shown.problems == {"email": "email_already_exists"}


async def test_a_strangers_address_looks_free_and_cannot_be_proved(client, services):
    """SEC-066, Q-49: its owner is told."""
    await make_user(services, email="grace@example.com")
    user = await ada_with_password(services)
    await to_profile(client, services, user)
    shown = await client.act("email_create", email="Grace@example.com")
    assert shown.name == "passcode_confirmation"
    (mail, *_) = await deliver(services)
    assert mail.to == "grace@example.com"
    shown = await client.act("verify_passcode", code="000000")
    assert shown.problems == {"code": "passcode_invalid"}
    assert (await client.act("back")).name == "profile_init"
    assert await emails_of(services, user) == [(ADA, True, True)]


@pytest.mark.parametrize(("locale", "spoken"), [("de-AT", "de"), (None, "en")])
async def test_its_owner_is_told_in_their_own_language_sec_066(client, services, locale, spoken):
    """SEC-066: neither the locale of who has typed it shows in it, nor what they wish for."""
    await make_user(services, email="grace@example.com", locale=locale)
    user = await ada_with_password(services, locale="es")
    client.headers = {"x-language": "nl", "accept-language": "fr"}
    await to_profile(client, services, user)
    await client.act("email_create", email="grace@example.com")
    assert (await client.act("resend_passcode")).status == 200
    assert await languages_of("email_registration_attempted") == [spoken, spoken]
    await client.act("back")
    await client.act("email_create", email=EVE)
    assert await languages_of("email_verification") == ["nl"]


async def test_free_and_taken_addresses_take_as_many_statements_sec_067(
    client, services, statements
):
    await make_user(services, email="grace@example.com")
    user = await ada_with_password(services)
    await to_profile(client, services, user)
    counts = []
    for address in ("grace@example.com", EVE):
        statements.clear()
        shown = await client.act("email_create", email=address)
        counts.append((shown.name, len(statements)))
        await client.act("back")
    assert counts[0] == counts[1]


@pytest.mark.configured(privacy__show_account_existence_hints=True)
async def test_with_hints_a_strangers_address_is_refused(client, services):
    await make_user(services, email=EVE)
    user = await ada_with_password(services)
    await to_profile(client, services, user)
    shown = await client.act("email_create", email=EVE)
    assert shown.problems == {"email": "email_already_exists"}


@pytest.mark.configured(email__require_verification=False)
async def test_where_nothing_is_proved_an_address_is_added_at_once(client, services):
    user = await ada_with_password(services)
    await to_profile(client, services, user)
    shown = await client.act("email_create", email=EVE)
    assert (shown.name, shown.status) == ("profile_init", 200)
    assert await emails_of(services, user) == [(ADA, True, True), (EVE, False, False)]
    (notice,) = await deliver(services)
    assert notice.to == ADA


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "value_missing_error"),
        ("nonsense", "value_invalid_error"),
        ("a" * 120 + "@example.com", "value_too_long_error"),
    ],
)
async def test_what_is_no_address_is_refused(client, services, text, problem):
    user = await ada_with_password(services)
    await to_profile(client, services, user)
    shown = await client.act("email_create", email=text)
    assert shown.problems == {"email": problem}


@pytest.mark.configured(email__limit=1)
async def test_nobody_has_more_addresses_than_are_allowed(client, services):
    user = await ada_with_password(services)
    shown = await to_profile(client, services, user)
    assert "email_create" not in shown.actions
    refused = await client.act("email_create", email=EVE)
    assert (refused.name, refused.error) == ("error", "operation_not_permitted_error")


# Proved later


async def test_an_address_is_proved_later(client, services):
    user = await ada_with_password(services)
    email = await add(services, user, EVE, verified=False)
    shown = await to_profile(client, services, user)
    asked = shown.actions["email_verify"]["email_id"]
    assert (asked["required"], asked["hidden"]) == (True, True)
    shown = await client.act("email_verify", email_id=str(email.id))
    assert shown.name == "passcode_confirmation"
    shown = await client.act("verify_passcode", code=await mailed_code(services, EVE))
    assert shown.name == "profile_init"
    assert (EVE, False, True) in await emails_of(services, user)
    assert "email_verify" not in shown.actions
    refused = await client.act("email_verify", email_id=str(email.id))
    assert (refused.name, refused.error) == ("error", "operation_not_permitted_error")


@pytest.mark.parametrize("action", ["email_verify", "email_set_primary"])
async def test_only_ones_own_address_is_found(client, services, action):
    """SEC-068."""
    user = await ada_with_password(services)
    await add(services, user, EVE, verified=False)
    other = await make_user(services)
    ((foreign),) = (await services.users.emails_of([other.id]))[other.id]
    await to_profile(client, services, user)
    for email_id in (str(foreign.id), "nonsense", str(user.id)):
        shown = await client.act(action, email_id=email_id)
        assert (shown.name, shown.status, shown.error) == ("profile_init", 404, "not_found")


# The primary one


async def test_another_address_becomes_the_primary_one(client, services):
    """SEC-037, Q-33: the old one is told."""
    user = await ada_with_password(services)
    email = await add(services, user, EVE)
    await to_profile(client, services, user)
    shown = await client.act("email_set_primary", email_id=str(email.id))
    assert (shown.name, shown.status) == ("profile_init", 200)
    assert await emails_of(services, user) == [(ADA, False, True), (EVE, True, True)]
    (notice,) = await deliver(services)
    assert notice.to == ADA
    shown = await client.act("email_set_primary", email_id=str(email.id))
    assert shown.status == 200
    assert len(await deliver(services)) == 1


async def test_the_only_address_stays_the_primary_one(client, services):
    user = await ada_with_password(services)
    shown = await to_profile(client, services, user)
    assert "email_set_primary" not in shown.actions
    refused = await client.act("email_set_primary", email_id="x")
    assert (refused.name, refused.error) == ("error", "operation_not_permitted_error")


# Taken away


async def test_an_address_that_is_not_primary_may_go(client, services):
    """SEC-037."""
    user = await ada_with_password(services)
    email = await add(services, user, EVE)
    shown = await to_profile(client, services, user)
    allowed = shown.actions["email_delete"]["email_id"]["allowed_values"]
    assert allowed == [{"value": str(email.id), "name": EVE}]
    shown = await client.act("email_delete", email_id=str(email.id))
    assert (shown.name, shown.status) == ("profile_init", 200)
    assert await emails_of(services, user) == [(ADA, True, True)]
    (notice,) = await deliver(services)
    assert notice.to == ADA
    assert EVE in notice.text


async def test_the_only_address_stays(client, services):
    """SEC-037, Q-28, Q-29: the action is there and does nothing."""
    user = await ada_with_password(services)
    (email,) = (await services.users.emails_of([user.id]))[user.id]
    shown = await to_profile(client, services, user)
    assert "allowed_values" not in shown.actions["email_delete"]["email_id"]
    shown = await client.act("email_delete", email_id=str(email.id))
    assert (shown.name, shown.status) == ("profile_init", 403)
    assert shown.error == "operation_not_permitted_error"
    shown = await client.act("email_delete", email_id="nonsense")
    assert (shown.status, shown.error) == (400, "form_data_invalid_error")
    assert await emails_of(services, user) == [(ADA, True, True)]


async def test_a_value_that_is_not_offered_is_refused(client, services):
    user = await ada_with_password(services)
    await add(services, user, EVE)
    await to_profile(client, services, user)
    (primary, _) = (await services.users.emails_of([user.id]))[user.id]
    shown = await client.act("email_delete", email_id=str(primary.id))
    assert shown.problems == {"email_id": "value_invalid_error"}


@pytest.mark.configured(email__optional=True, username__enabled=True)
async def test_the_last_address_goes_where_a_name_signs_in(client, services):
    user = await ada_with_password(services, username="ada")
    (email,) = (await services.users.emails_of([user.id]))[user.id]
    shown = await to_profile(client, services, user)
    assert shown.actions["email_delete"]["email_id"]["allowed_values"]
    shown = await client.act("email_delete", email_id=str(email.id))
    assert (shown.name, shown.status) == ("profile_init", 200)
    assert await emails_of(services, user) == []
    (notice,) = await deliver(services)
    assert notice.to == ADA
    assert "email_delete" in shown.actions


@pytest.mark.configured(email__optional=True)
async def test_the_last_address_stays_where_nothing_else_names_the_user(client, services):
    """SEC-037: a passkey signs in, and still mail is the only way to reach anybody."""
    user = await ada_with_password(services)
    await with_key(services, user, "passkey")
    (email,) = (await services.users.emails_of([user.id]))[user.id]
    await to_profile(client, services, user)
    shown = await client.act("email_delete", email_id=str(email.id))
    assert (shown.status, shown.error) == (403, "operation_not_permitted_error")


async def test_the_address_that_codes_reach_stays_where_nothing_else_signs_in(client, services):
    """SEC-037: an address that nobody has proved is no way in."""
    new = NewUser(
        emails=(NewEmail(EVE, is_primary=True), NewEmail(ADA, is_verified=True)),
        profile=ProfileChanges(),
    )
    user, _ = await services.users.create(SYSTEM, new)
    shown = await to_profile(client, services, user)
    assert "allowed_values" not in shown.actions["email_delete"]["email_id"]
    (_, proved) = (await services.users.emails_of([user.id]))[user.id]
    shown = await client.act("email_delete", email_id=str(proved.id))
    assert (shown.status, shown.error) == (403, "operation_not_permitted_error")


async def test_an_address_that_was_never_proved_is_told_nothing(client, services):
    """SEC-037: notices go to the verified primary address."""
    emails = (NewEmail(EVE, is_primary=True), NewEmail(ADA, is_verified=True))
    user, _ = await services.users.create(SYSTEM, NewUser(emails=emails))
    await to_profile(client, services, user)
    (_, mine) = (await services.users.emails_of([user.id]))[user.id]
    shown = await client.act("email_set_primary", email_id=str(mine.id))
    assert shown.status == 200
    assert await deliver(services) == []


@pytest.mark.configured(
    security_notifications__notifications__email_delete__enabled=False,
)
async def test_a_notice_can_be_switched_off(client, services):
    """Q-33."""
    user = await ada_with_password(services)
    email = await add(services, user, EVE)
    await to_profile(client, services, user)
    assert (await client.act("email_delete", email_id=str(email.id))).status == 200
    assert await deliver(services) == []
