"""Second factors with Hanko's published components."""

import pytest
from browser.hanko import SECURITY_KEY, secret_of, set_up_app, totp, user, wrong_totp
from playwright.async_api import expect

pytestmark = pytest.mark.browser

PASSWORD = "a horse that nobody rode"


async def give_password(person, address):
    await person.begin_sign_in(address)
    await person.choose("Password")
    await person.give_password(PASSWORD)


async def test_an_app_is_set_up_at_registration_and_asked_at_the_next_login_sec_055(person):
    address = "ada@example.com"
    await person.begin_sign_up(address)
    await person.type_mailed_code(address)
    await person.set_password(PASSWORD)
    await person.sees("Set up MFA")
    await person.press("Authenticator app")
    await person.sees("Set up authenticator app")
    secret = await secret_of(person)
    await person.type_code(wrong_totp(secret))
    await person.is_told("The passcode provided was not correct.", 400)
    assert await secret_of(person) == secret
    await person.type_code(totp(secret))
    await person.skip("Create a passkey")
    await person.is_signed_in()
    await person.sign_out()
    await give_password(person, address)
    await person.sees("Authentication code")
    await person.type_code(totp(secret, ahead=1))
    await person.skip("Create a passkey")
    await person.skip("Trust this browser?")
    await person.is_signed_in()


async def test_a_trusted_browser_is_not_asked_again_sec_059(person):
    await person.open_signed_in(user(person.server, "bob@example.com", password=PASSWORD))
    secret, _ = await set_up_app(person)
    await person.sign_out()
    await give_password(person, "bob@example.com")
    await person.sees("Authentication code")
    await person.type_code(totp(secret, ahead=1))
    await person.skip("Create a passkey")
    await person.sees("Trust this browser?")
    await person.press("Trust this browser")
    await person.is_signed_in()
    await person.sign_out()
    await give_password(person, "bob@example.com")
    await person.skip("Create a passkey")
    await person.is_signed_in()


async def test_a_code_counts_once_and_a_wrong_one_never_sec_056(person):
    await person.open_signed_in(user(person.server, "cas@example.com", password=PASSWORD))
    secret, used = await set_up_app(person)
    await person.sign_out()
    await give_password(person, "cas@example.com")
    await person.sees("Authentication code")
    await person.type_code(used)
    await person.is_told("The code has been used already. Please wait for the next one.", 400)
    await person.type_code(wrong_totp(secret))
    await person.is_told("The code is not correct.", 400)
    await person.type_code(totp(secret, ahead=1))
    await person.sees("Create a passkey")


async def test_a_wrong_code_in_the_profile_is_told_and_the_right_one_still_counts(person):
    await person.open_signed_in(user(person.server, "gil@example.com", password=PASSWORD))
    await person.unfold("Manage authenticator app")
    await person.take("Set up")
    await person.sees("Set up authenticator app")
    secret = await secret_of(person)
    await person.type_code(wrong_totp(secret))
    await person.is_told("The passcode provided was not correct.", 400)
    assert await secret_of(person) == secret
    await person.type_code(totp(secret))
    await expect(person.profile.get_by_text("configured")).to_be_visible()


async def test_the_app_is_taken_away_in_the_profile(person):
    await person.open_signed_in(user(person.server, "dina@example.com", password=PASSWORD))
    await set_up_app(person)
    await person.unfold("Manage authenticator app")
    await person.delete()
    await expect(person.profile.get_by_text("configured")).to_have_count(0)
    await person.sign_out()
    await give_password(person, "dina@example.com")
    await person.skip("Create a passkey")
    await person.is_signed_in()


async def test_a_security_key_is_added_renamed_asked_for_and_deleted_sec_048(person):
    await person.open_signed_in(user(person.server, "eve@example.com", password=PASSWORD))
    async with person.holding(SECURITY_KEY) as key:
        await person.unfold("Add a security key")
        await person.take("Add a security key")
        await expect(person.profile.get_by_text("SecurityKey-")).to_be_visible()
        assert len(await key.credentials()) == 1
        await person.unfold("SecurityKey-")
        await person.take("Rename")
        await person.sees("Rename security key")
        await person.write("New security key name", "Key ring")
        await person.press("Save")
        await expect(person.profile.get_by_text("Key ring")).to_be_visible()
        await person.sign_out()
        await give_password(person, "eve@example.com")
        await person.sees("Security key")
        await person.press("Use security key")
        await person.skip("Create a passkey")
        await person.skip("Trust this browser?")
        await person.is_signed_in()
        await person.unfold("Key ring")
        await person.delete()
        await expect(person.profile.get_by_text("Key ring")).to_have_count(0)


async def test_a_security_key_is_set_up_at_registration_and_asked_for_at_the_next_login(person):
    address = "hal@example.com"
    async with person.holding(SECURITY_KEY) as key:
        await person.begin_sign_up(address)
        await person.type_mailed_code(address)
        await person.set_password(PASSWORD)
        await person.sees("Set up MFA")
        await person.press("Security key")
        await person.sees("Add security key")
        await person.press("Add a security key")
        await person.skip("Create a passkey")
        await person.is_signed_in()
        assert len(await key.credentials()) == 1
        await person.sign_out()
        await give_password(person, address)
        await person.sees("Security key")
        await person.press("Use security key")
        await person.skip("Create a passkey")
        await person.skip("Trust this browser?")
        await person.is_signed_in()


async def test_recovery_of_a_password_asks_for_the_second_factor_sec_038(person):
    await person.open_signed_in(user(person.server, "fay@example.com", password=PASSWORD))
    secret, _ = await set_up_app(person)
    await person.sign_out()
    await person.begin_sign_in("fay@example.com")
    await person.choose("Password")
    await person.sees("Enter password")
    await person.press("Forgot your password?")
    await person.type_mailed_code("fay@example.com")
    await person.sees("Authentication code")
    await person.type_code(totp(secret, ahead=1))
    await person.set_password("another horse, unridden")
    await person.skip("Create a passkey")
    await person.skip("Trust this browser?")
    await person.is_signed_in()
