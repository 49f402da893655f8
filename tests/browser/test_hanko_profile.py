"""Looking after one's account with Hanko's published components."""

from itertools import count

import pytest
from browser.hanko import NO_PASSWORDS, user, visiting
from playwright.async_api import expect

pytestmark = pytest.mark.browser

SETTINGS = {"USERNAME_ENABLED": "true", "USERNAME_ACQUIRE_ON_LOGIN": "false"}
PASSWORD = "a horse that nobody rode"
COUNTED = count(1)


async def enter(person, address, password=PASSWORD):
    """Sign in with a password, past what is offered on the way."""
    await person.settles("login_init")
    await person.write("Email or username", address)
    await person.press("Continue")
    await person.choose("Password")
    await person.give_password(password)
    await person.skip("Create a passkey")
    return await person.is_signed_in()


@pytest.fixture
async def ada(person):
    """Somebody with a password, signed in; each test has one with an address of its own."""
    person.address = f"ada{next(COUNTED)}@example.com"
    await person.open_signed_in(user(person.server, person.address, password=PASSWORD))
    return person


def shown(person, text):
    return person.profile.locator("label", has_text=text)


async def add_email(person, address):
    await person.unfold("Add email")
    await person.write("New email address", address)
    await person.take("Save")


class TestEmails:
    async def test_an_address_is_added_made_primary_and_the_old_one_deleted(self, ada):
        await add_email(ada, "new.ada@example.com")
        await ada.type_mailed_code("new.ada@example.com")
        await expect(shown(ada, "new.ada@example.com")).to_be_visible()
        await ada.unfold("new.ada@example.com")
        await ada.take("Set as primary")
        await expect(shown(ada, "new.ada@example.com - primary")).to_be_visible()
        await ada.unfold(ada.address)
        await ada.delete()
        await expect(shown(ada, ada.address)).to_have_count(0)
        await ada.page.reload()
        me = await ada.is_signed_in()
        assert me["emails"] == [
            {"address": "new.ada@example.com", "isPrimary": True, "isVerified": True}
        ]

    async def test_an_address_is_verified(self, person):
        address = "unproved@example.com"
        user_id = user(person.server, address, password=PASSWORD, verified=False)
        assert (await person.open_signed_in(user_id))["emails"][0]["isVerified"] is False
        await person.unfold(address)
        await person.take("Verify")
        await person.type_mailed_code(address)
        await expect(shown(person, f"{address} - primary")).to_be_visible()
        await person.page.reload()
        assert (await person.is_signed_in())["emails"][0]["isVerified"] is True

    async def test_the_only_address_cannot_be_deleted(self, ada):
        await ada.unfold(ada.address)
        await expect(ada.part.get_by_text("email address will be used")).to_be_visible()
        await expect(ada.part.get_by_role("button", name="Delete")).to_have_count(0)

    async def test_an_address_of_ones_own_is_taken(self, ada):
        await add_email(ada, ada.address)
        await ada.reads("The email is already taken.", 400)

    async def test_what_is_no_address_is_told(self, ada):
        await add_email(ada, "ada@localhost")
        await ada.reads("The entered value is invalid.", 400)

    async def test_what_is_no_address_is_held_back_by_the_form(self, ada):
        await add_email(ada, "ada@localhost@example")
        field = ada.page.get_by_placeholder("New email address", exact=True)
        assert not await field.evaluate("(field) => field.validity.valid")

    async def test_a_wrong_code_is_told_and_one_can_go_back(self, ada):
        await add_email(ada, "wrong.ada@example.com")
        await ada.sees("Enter passcode")
        code = ada.mailbox.code("wrong.ada@example.com")
        await ada.type_code("000000" if code != "000000" else "111111")
        await ada.is_told("The passcode provided was not correct.", 400)
        await ada.press("Back")
        await ada.sees("Emails")
        await expect(shown(ada, "wrong.ada@example.com")).to_have_count(0)


class TestUsernames:
    async def test_a_name_is_set_and_changed(self, ada):
        for label, name in (("Set username", "ada_l"), ("Change username", "ada_lovelace")):
            await ada.unfold(label)
            await ada.write("Username", name)
            await ada.take("Save")
            await expect(ada.profile.get_by_text(name, exact=True)).to_be_visible()
        await ada.page.reload()
        assert (await ada.is_signed_in())["username"] == "ada_lovelace"

    async def test_a_name_is_given_up(self, person):
        user_id = user(person.server, "former@example.com", username="former", password=PASSWORD)
        await person.open_signed_in(user_id)
        await person.unfold("Change username")
        await person.delete()
        await expect(shown(person, "Set username")).to_be_visible()
        await person.page.reload()
        assert (await person.is_signed_in())["username"] is None

    async def test_with_a_name_somebody_signs_in(self, person):
        user(person.server, "named@example.com", username="named", password=PASSWORD)
        assert (await enter(person, "named"))["username"] == "named"

    @pytest.mark.parametrize(
        ("name", "sentence"),
        [
            ("taken", "The username is already taken."),
            ("ada lovelace", "The username must contain only letters, numbers, and underscores."),
        ],
    )
    async def test_a_name_is_refused(self, ada, name, sentence):
        if name == "taken":
            user(ada.server, "taken@example.com", username="taken")
        await ada.unfold("Set username")
        await ada.write("Username", name)
        await ada.take("Save")
        await ada.reads(sentence, 400)


class TestPasswords:
    async def test_a_password_is_changed(self, ada):
        await ada.unfold("Change password")
        await ada.write("New password", "another horse, unridden")
        await ada.take("Save")
        await expect(ada.part.get_by_role("radio")).not_to_be_checked()
        await ada.sign_out()
        await enter(ada, ada.address, "another horse, unridden")

    async def test_a_first_password_that_everybody_uses_or_that_has_no_length_is_told_sec_034(
        self, person
    ):
        await person.open_signed_in(user(person.server, "first@example.com"))
        await person.unfold("Set password")
        for password, sentence in NO_PASSWORDS.items():
            await person.write("New password", password)
            await person.take("Save")
            await person.reads(sentence, 400)
        await person.write("New password", PASSWORD)
        await person.take("Save")
        await expect(shown(person, "Change password")).to_be_visible()

    async def test_a_changed_one_is_refused_alike_of_which_the_component_tells_nothing(self, ada):
        await ada.unfold("Change password")
        for password in NO_PASSWORDS:
            await ada.write("New password", password)
            async with ada.page.expect_response(lambda answer: "password_update" in answer.url):
                await ada.take("Save")
            await expect(ada.page.get_by_placeholder("New password")).to_be_empty()
            ada.refused.append(400)
        await ada.sign_out()
        await enter(ada, ada.address)

    async def test_a_password_that_is_too_short_is_held_back_by_the_form(self, ada):
        await ada.unfold("Change password")
        field = ada.page.get_by_placeholder("New password", exact=True)
        await field.press_sequentially("short")
        await ada.take("Save")
        assert await field.evaluate("(field) => field.validity.tooShort")


class TestPasskeys:
    async def test_a_passkey_is_made_renamed_and_deleted(self, ada):
        async with ada.holding() as device:
            await ada.unfold("Create a passkey")
            await ada.take("Create a passkey")
            await expect(shown(ada, "Passkey-")).to_have_count(1)
            assert len(await device.credentials()) == 1
            await ada.unfold("Passkey-")
            await ada.take("Rename")
            await ada.sees("Rename passkey")
            await ada.write("New passkey name", "Laptop")
            await ada.press("Save")
            await expect(shown(ada, "Laptop")).to_be_visible()
            await ada.unfold("Laptop")
            await ada.delete()
            await expect(shown(ada, "Laptop")).to_have_count(0)

    async def test_a_device_that_is_known_is_told(self, ada):
        async with ada.holding():
            await ada.unfold("Create a passkey")
            await ada.take("Create a passkey")
            await expect(shown(ada, "Passkey-")).to_be_visible()
            await ada.unfold("Create a passkey")
            await ada.take("Create a passkey")
            await ada.is_told(
                "The request either timed out, was canceled or the device is already registered. "
                "Please try again or try using another device."
            )


class TestSessions:
    async def test_a_session_is_revoked_and_its_browser_learns_of_it(self, browser, ada):
        async with visiting(browser, ada.server) as other:
            await enter(other, ada.address)
            await ada.page.reload()
            await ada.is_signed_in()
            await expect(shown(ada, "Current session")).to_have_count(1)
            await ada.unfold("Chrome")
            await ada.take("Revoke")
            await ada.take("yes")
            await expect(shown(ada, "Chrome")).to_have_count(0)
            await other.page.reload()
            await other.is_signed_out()

    async def test_what_expired_meanwhile_is_told(self, ada):
        await ada.page.context.clear_cookies()
        await ada.unfold("Set username")
        await ada.write("Username", "too_late")
        await ada.take("Save")
        await ada.is_told("Your session has expired. Please log in again.", 401)
