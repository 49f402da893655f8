"""What Hanko's published components tell where accounts are no secret, and where limits are hit."""

import pytest
from browser.hanko import set_up_app, totp, user, wrong_totp

pytestmark = pytest.mark.browser

SETTINGS = {
    "PRIVACY_SHOW_ACCOUNT_EXISTENCE_HINTS": "true",
    "USERNAME_ENABLED": "true",
    "USERNAME_OPTIONAL": "false",
    "RATE_LIMITER_ENABLED": "true",
}
PASSWORD = "a horse that nobody rode"
TOO_MANY = "Too many requests have been made. Please wait to repeat the requested operation."

NO_NAMES = {
    "ada": "The username is already taken.",
    "ida lovelace": "The username must contain only letters, numbers, and underscores.",
    "   ": "The value is missing.",
    "i  ": "The value is too short.",  # which the form counts as three
}


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


async def test_who_lacks_a_name_is_asked_for_one_that_is_free(person, ada):
    user(person.server, "ida@example.com", password=PASSWORD)
    await person.settles("login_init")
    await give(person, **{"Email or username": "ida@example.com"})
    await person.choose("Password")
    await person.give_password(PASSWORD)
    for name, sentence in NO_NAMES.items():
        await person.sees("Enter a new username")
        await give(person, Username=name)
        await person.is_told(sentence, 400)
    await give(person, Username="ida")
    await person.skip("Create a passkey")
    assert (await person.is_signed_in())["username"] == "ida"


async def test_who_lacks_an_address_is_asked_for_one(person):
    user(person.server, username="joe", password=PASSWORD)
    await person.settles("login_init")
    await give(person, **{"Email or username": "joe"})
    await person.give_password(PASSWORD)
    await person.sees("Enter a new email")
    await give(person, Email="joe@localhost")
    await person.is_told("The entered value is invalid.", 400)
    await give(person, Email="joe@example.com")
    await person.type_mailed_code("joe@example.com")
    await person.skip("Create a passkey")
    (email,) = (await person.is_signed_in())["emails"]
    assert email == {"address": "joe@example.com", "isPrimary": True, "isVerified": True}


async def test_after_three_codes_somebody_has_to_wait_sec_069(person):
    user(person.server, "cas@example.com", username="cas", password=PASSWORD)
    for _ in range(3):
        await ask_for_code(person, "cas@example.com")
        await person.sees("Enter passcode")
        await person.open()
    await ask_for_code(person, "cas@example.com")
    await person.is_told(TOO_MANY, 429)


async def ask_for_code(person, identifier):
    await person.settles("login_init")
    await give(person, **{"Email or username": identifier})
    await person.choose("Passcode")


async def test_after_three_wrong_codes_of_an_app_somebody_has_to_wait_sec_070(person):
    made = user(person.server, "dina@example.com", username="dina", password=PASSWORD)
    await person.open_signed_in(made)
    secret, _ = await set_up_app(person)
    await person.sign_out()
    await give(person, **{"Email or username": "dina"})
    await person.choose("Password")
    await person.give_password(PASSWORD)
    await person.sees("Authentication code")
    for _ in range(3):
        await person.type_code(wrong_totp(secret))
        await person.is_told("The code is not correct.", 400)
    await person.type_code(totp(secret, ahead=1))
    await person.is_told(TOO_MANY, 429)


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
    await person.is_told(TOO_MANY, 429)


@pytest.fixture(scope="module")
def ada(server):
    user(server, "ada@example.com", username="ada")
