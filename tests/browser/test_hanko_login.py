"""Signing in with Hanko's published components."""

import pytest
from browser.hanko import NO_PASSWORDS, user, visiting
from playwright.async_api import expect

pytestmark = pytest.mark.browser

PASSWORD = "a horse that nobody rode"
WRONG = "a horse that somebody rode"


async def sign_in_with_password(person, address, password=PASSWORD):
    await person.begin_sign_in(address)
    await person.choose("Password")
    await person.give_password(password)


async def make_passkey(person, address):
    """Sign in and take the passkey that is offered, then sign out."""
    await sign_in_with_password(person, address)
    await person.sees("Create a passkey")
    await person.press("Create a passkey")
    await person.is_signed_in()


async def test_by_a_code(person):
    user(person.server, "ada@example.com", password=PASSWORD)
    await person.begin_sign_in("ada@example.com")
    await person.choose("Passcode")
    await person.type_mailed_code("ada@example.com")
    await person.skip("Create a passkey")
    assert (await person.is_signed_in())["emails"][0]["address"] == "ada@example.com"


async def test_by_a_password(person):
    user(person.server, "bob@example.com", password=PASSWORD)
    await sign_in_with_password(person, "BOB@example.com")
    await person.skip("Create a passkey")
    await person.is_signed_in()
    await person.sign_out()
    await sign_in_with_password(person, "bob@example.com")
    await person.sees("Create a passkey")


async def test_by_a_passkey_through_the_button_and_through_autofill(person):
    user(person.server, "cas@example.com", password=PASSWORD)
    async with person.holding() as device:
        await make_passkey(person, "cas@example.com")
        await device.waits()
        await person.sign_out()
        await device.answers()
        await person.press("Sign in with a passkey")
        me = await person.is_signed_in()
        assert me["emails"][0]["address"] == "cas@example.com"
        await device.waits()
        await person.sign_out()
        await device.answers()
        await person.open()  # and touches nothing: the field asks for a passkey by itself
        assert await person.is_signed_in() == me


async def test_by_a_passkey_through_autofill_after_coming_back_to_the_address(person):
    user(person.server, "joe@example.com", password=PASSWORD)
    async with person.holding() as device:
        await make_passkey(person, "joe@example.com")
        await device.waits()
        await person.sign_out()
        await person.begin_sign_in_again("joe@example.com")
        await person.sees("Select login method")
        await device.answers()
        await person.press("Back")
        assert (await person.is_signed_in())["emails"][0]["address"] == "joe@example.com"


async def test_by_a_passkey_that_is_chosen_after_the_address(person):
    user(person.server, "dina@example.com", password=PASSWORD)
    async with person.holding() as device:
        await make_passkey(person, "dina@example.com")
        await device.waits()
        await person.sign_out()
        await person.begin_sign_in("dina@example.com")
        await device.answers()
        await person.choose("Passkey")
        await person.is_signed_in()


async def test_who_has_no_passkey_here_comes_back_to_where_they_were(person):
    user(person.server, "eve@example.com")
    async with person.holding() as device:
        await device.answers()
        await person.settles("login_init")
        await person.press("Sign in with a passkey")
        await person.sees("Sign in")
        await person.begin_sign_in_again("eve@example.com")
        await person.sees("Select login method")


async def test_a_passkey_that_was_deleted_is_told_sec_047(browser, person):
    user(person.server, "fay@example.com", password=PASSWORD)
    async with person.holding() as device:
        await make_passkey(person, "fay@example.com")
        await device.waits()
        async with visiting(browser, person.server) as other:
            await sign_in_with_password(other, "fay@example.com")
            await other.is_signed_in()
            await other.unfold("Passkey-")
            await other.delete()
            await expect(other.profile.get_by_text("Passkey-")).to_have_count(0)
        await person.sign_out()
        await device.answers()
        await person.press("Sign in with a passkey")
        await person.is_told("This passkey cannot be used anymore.")
        await device.waits()
        await person.open()
        await person.settles("login_init")
        person.refused = [401] * len(person.watch.complaints)  # autofill tries it again and again


async def test_a_wrong_password_and_an_unknown_address_are_told_alike_sec_067(person):
    user(person.server, "gil@example.com", password=PASSWORD)
    for address in ("gil@example.com", "nobody@example.com"):
        await person.open()
        await sign_in_with_password(person, address, WRONG)
        await person.is_told("The entered value is invalid.", 400)


async def test_what_is_no_address_is_told(person):
    await person.begin_sign_in("nobody@example.c")
    await person.is_told("The entered value is invalid.", 400)
    await person.begin_sign_in_again("nobody@example.com")
    await person.sees("Select login method")


async def test_a_code_for_an_unknown_address_is_not_mailed_sec_067(person):
    await person.begin_sign_in("nobody@example.org")
    await person.choose("Passcode")
    await person.sees("Enter passcode")
    assert "code" not in person.mailbox.newest("nobody@example.org")["subject"]
    await person.type_code("000000")
    await person.is_told("The passcode provided was not correct.", 400)


async def test_a_forgotten_password_is_replaced(person):
    user(person.server, "hal@example.com", password=PASSWORD)
    await person.begin_sign_in("hal@example.com")
    await person.choose("Password")
    await person.sees("Enter password")
    await person.press("Forgot your password?")
    await person.type_mailed_code("hal@example.com")
    for password, sentence in NO_PASSWORDS.items():
        await person.set_password(password)
        await person.is_told(sentence, 400)
    await person.set_password(WRONG)
    await person.skip("Create a passkey")
    await person.is_signed_in()
    await person.sign_out()
    await sign_in_with_password(person, "hal@example.com")
    await person.is_told("The entered value is invalid.", 400)
    await person.give_password(WRONG)
    await person.skip("Create a passkey")
    await person.is_signed_in()


async def test_the_way_back_leads_to_the_address(person):
    user(person.server, "ida@example.com", password=PASSWORD)
    await person.begin_sign_in("ida@example.com")
    await person.choose("Password")
    await person.sees("Enter password")
    await person.press("Back")
    await person.sees("Select login method")
    await person.press("Back")
    await person.sees("Sign in")
    await person.begin_sign_in_again("ida@example.com")
    await person.choose("Passcode")
    await person.type_mailed_code("ida@example.com")
    await person.sees("Create a passkey")
