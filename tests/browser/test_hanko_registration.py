"""Signing up with Hanko's published components."""

import pytest
from browser.hanko import NO_PASSWORDS, user

pytestmark = pytest.mark.browser

SETTINGS = {"ACCOUNT_ALLOW_DELETION": "true"}
PASSWORD = "a horse that nobody rode"


async def test_with_a_code_a_password_and_a_passkey_somebody_becomes_a_user(person):
    async with person.holding() as device:
        await person.begin_sign_up("ada@example.com")
        await person.type_mailed_code("ada@example.com")
        await person.set_password(PASSWORD)
        await person.skip("Set up MFA")
        await person.sees("Create a passkey")
        await person.press("Create a passkey")
        me = await person.is_signed_in()
        assert me["emails"] == [
            {"address": "ada@example.com", "isPrimary": True, "isVerified": True}
        ]
        assert len(await device.credentials()) == 1
        await person.page.reload()
        assert await person.is_signed_in() == me


async def test_without_an_authenticator_a_password_is_enough(person):
    await person.begin_sign_up("bob@example.com")
    await person.type_mailed_code("bob@example.com")
    await person.set_password(PASSWORD)
    await person.skip("Set up MFA")
    await person.skip("Create a passkey")
    assert (await person.is_signed_in())["emails"][0]["address"] == "bob@example.com"
    await person.sign_out()


async def test_who_lets_the_ceremony_fail_can_go_on_without_a_passkey(person):
    async with person.holding():
        await person.begin_sign_up("cas@example.com")
        await person.type_mailed_code("cas@example.com")
        await person.set_password(PASSWORD)
        await person.skip("Set up MFA")
        await person.sees("Create a passkey")
        await person.page.evaluate(
            "() => { navigator.credentials.create = () => Promise.reject(new Error('gone')); }"
        )
        await person.press("Create a passkey")
        await person.is_told(
            "The request either timed out, was canceled or the device is already registered. "
            "Please try again or try using another device."
        )
        await person.skip("Create a passkey")
        await person.is_signed_in()


async def test_somebody_goes_back_and_mends_the_address(person):
    await person.begin_sign_up("dina@example.con")
    await person.sees("Enter passcode")
    await person.press("Back")
    await person.sees("Create account")
    await person.write("Email", "dina@example.com")
    await person.press("Continue")
    await person.type_mailed_code("dina@example.com")
    await person.set_password(PASSWORD)


async def test_a_new_code_can_be_asked_for(person):
    await person.begin_sign_up("eve@example.com")
    await person.sees("Enter passcode")
    person.mailbox.code("eve@example.com")
    await person.press("Send new code")
    await person.type_mailed_code("eve@example.com")
    await person.sees("Set new password")


async def test_a_wrong_code_is_told_and_the_right_one_still_counts(person):
    await person.begin_sign_up("fay@example.com")
    await person.sees("Enter passcode")
    code = person.mailbox.code("fay@example.com")
    await person.type_code("000000" if code != "000000" else "111111")
    await person.is_told("The passcode provided was not correct.", 400)
    await person.type_code(code)
    await person.sees("Set new password")


async def test_after_three_wrong_codes_a_new_one_is_needed_sec_041(person):
    await person.begin_sign_up("gil@example.com")
    await person.sees("Enter passcode")
    code = person.mailbox.code("gil@example.com")
    wrong = "000000" if code != "000000" else "111111"
    for _ in range(2):
        await person.type_code(wrong)
        await person.is_told("The passcode provided was not correct.", 400)
    await person.type_code(wrong)
    await person.is_told(
        "The passcode was entered incorrectly too many times. Please request a new code.", 401
    )
    await person.press("Send new code")
    await person.type_mailed_code("gil@example.com")
    await person.sees("Set new password")


async def test_a_password_that_is_too_short_is_held_back_by_the_form(person):
    await person.begin_sign_up("hal@example.com")
    await person.type_mailed_code("hal@example.com")
    await person.set_password("short")
    field = person.page.get_by_placeholder("New password", exact=True)
    assert await field.evaluate("(field) => field.validity.tooShort")
    await field.fill(PASSWORD)
    await person.press("Continue")
    await person.sees("Set up MFA")


async def test_a_password_that_everybody_uses_or_that_has_no_length_is_refused_sec_034(person):
    await person.begin_sign_up("ida@example.com")
    await person.type_mailed_code("ida@example.com")
    for password, sentence in NO_PASSWORDS.items():
        await person.set_password(password)
        await person.is_told(sentence, 400)
    await person.set_password(PASSWORD)
    await person.sees("Set up MFA")


async def test_what_is_no_address_is_told(person):
    await person.begin_sign_up("lia@localhost")
    await person.is_told("The entered value is invalid.", 400)
    await person.write("Email", "lia@example.com")
    await person.press("Continue")
    await person.sees("Enter passcode")


async def test_a_taken_address_learns_nothing_on_the_page_and_all_in_its_mail_sec_067(person):
    user(person.server, "jan@example.com")
    await person.begin_sign_up("jan@example.com")
    await person.sees("Enter passcode")
    mail = person.mailbox.newest("jan@example.com")
    assert "already" in mail["text"] or "existing" in mail["text"], mail["text"]


async def test_an_account_is_deleted(person):
    await person.begin_sign_up("kim@example.com")
    await person.type_mailed_code("kim@example.com")
    await person.set_password(PASSWORD)
    await person.skip("Set up MFA")
    await person.skip("Create a passkey")
    await person.is_signed_in()
    await person.press("Delete account")
    await person.page.get_by_label("Yes, delete this account.").check()
    await person.press("Delete")
    await person.is_signed_out()
    await person.begin_sign_up("kim@example.com")
    await person.type_mailed_code("kim@example.com")
    await person.sees("Set new password")
