"""What Hanko's published components tell where accounts are no secret, and where limits are hit."""

import pytest
from browser.hanko import user

pytestmark = pytest.mark.browser

SETTINGS = {
    "PRIVACY_SHOW_ACCOUNT_EXISTENCE_HINTS": "true",
    "USERNAME_ENABLED": "true",
    "USERNAME_OPTIONAL": "false",
    "RATE_LIMITER_ENABLED": "true",
}
PASSWORD = "a horse that nobody rode"


async def give(person, **fields):
    """Fill in a form and send it."""
    for placeholder, text in fields.items():
        await person.write(placeholder, text)
    await person.press("Continue")


@pytest.mark.parametrize(
    ("identifier", "sentence"),
    [
        ("nobody@example.com", "The email address is unknown."),
        ("nobody", "The username is unknown."),
    ],
)
async def test_who_is_unknown_is_told(person, identifier, sentence):
    await person.settles("login_init")
    await give(person, **{"Email or username": identifier})
    await person.is_told(sentence, 400)


@pytest.mark.parametrize(
    ("address", "name", "sentence"),
    [
        ("ada@example.com", "ada_2", "The email is already taken."),
        ("ada2@example.com", "ada", "The username is already taken."),
        (
            "ada2@example.com",
            "ada lovelace",
            "The username must contain only letters, numbers, and underscores.",
        ),
    ],
)
async def test_what_is_taken_or_no_name_is_told(person, ada, address, name, sentence):
    await person.settles("login_init")
    await person.press("Create account")
    await person.settles("registration_init")
    await give(person, Email=address, Username=name)
    await person.is_told(sentence, 400)
    await give(person, Email="ada3@example.com", Username="ada_3")
    await person.sees("Enter passcode")


async def test_after_many_wrong_passwords_somebody_has_to_wait_sec_069(person):
    user(person.server, "bob@example.com", password=PASSWORD)
    await person.settles("login_init")
    await give(person, **{"Email or username": "bob@example.com"})
    await person.choose("Password")
    for _ in range(5):
        async with person.page.expect_response(lambda answer: "password_login" in answer.url):
            await person.give_password("a horse that somebody rode")
        await person.is_told("The entered value is invalid.", 400)
    await person.give_password(PASSWORD)
    await person.is_told(
        "Too many requests have been made. Please wait to repeat the requested operation.", 429
    )


@pytest.fixture(scope="module")
def ada(server):
    user(server, "ada@example.com", username="ada")
