"""Codes by mail: sent, entered, sent again, and gone."""

import pytest
from factories import make_user
from flows.people import (
    ADA,
    at_code,
    audited,
    enter_code,
    identified,
    languages_of,
    person,
    registered_to_code,
)
from flows.walking import deliver, mailed_code, preflight


def another(code):
    return f"{(int(code) + 1) % 1_000_000:06}"


async def test_a_code_signs_in(client, services):
    account = await person(services)
    shown = await at_code(client)
    assert shown.name == "passcode_confirmation"
    assert shown.actions == {
        "verify_passcode": {"code": {"name": "code", "type": "string", "required": True}},
        "resend_passcode": {},
        "back": {},
    }
    assert shown.payload == {}
    shown = await enter_code(client, services)
    assert (shown.name, shown.payload["user"]["id"]) == ("success", str(account.id))


async def test_the_mail_holds_the_code_and_the_answer_does_not_sec_043(rest, services):
    await person(services)
    await preflight(rest)
    await rest.act("continue_with_login_identifier", email=ADA)
    path = f"/login?action=continue_to_passcode_confirmation%40{rest.flow_id}"
    answer = await rest.face.post(path, {"csrf_token": rest.csrf})
    assert await mailed_code(services, ADA) not in answer.text.replace(rest.flow_id, "")


async def test_the_third_wrong_try_kills_the_code_sec_041(client, services):
    await person(services)
    await at_code(client)
    code = await mailed_code(services, ADA)
    for _ in range(2):
        shown = await client.act("verify_passcode", code=another(code))
        assert (shown.name, shown.status) == ("passcode_confirmation", 400)
        assert shown.problems == {"code": "passcode_invalid"}
    for wrong in (another(code), code):
        shown = await client.act("verify_passcode", code=wrong)
        assert (shown.name, shown.status) == ("passcode_confirmation", 401)
        assert shown.error == "passcode_max_attempts_reached"
    assert len(await audited("login_failure")) == 4


async def test_the_typed_face_says_how_many_tries_are_left(graphql, services):
    await person(services)
    await at_code(graphql)
    code = await mailed_code(services, ADA)
    shown = await graphql.act("verify_passcode", code=another(code))
    assert shown.payload == {"attempts_left": 2}


async def test_the_reference_s_json_does_not(rest, services):
    await person(services)
    await at_code(rest)
    code = await mailed_code(services, ADA)
    assert (await rest.act("verify_passcode", code=another(code))).payload == {}


async def test_a_code_is_over_after_five_minutes_sec_039(client, services, clock):
    await person(services)
    await at_code(client)
    code = await mailed_code(services, ADA)
    clock.advance(minutes=5, seconds=1)
    shown = await client.act("verify_passcode", code=code)
    assert shown.problems == {"code": "passcode_invalid"}


async def test_a_code_works_once_sec_039(client, services):
    await person(services)
    await at_code(client)
    code, flow, csrf = await mailed_code(services, ADA), client.flow_id, client.csrf
    assert (await client.act("verify_passcode", code=code)).name == "success"
    again = await client.act("verify_passcode", code=code, flow_id=flow, csrf=csrf)
    assert again.error == "operation_not_permitted_error"


async def test_a_code_works_in_its_flow_alone_sec_040(client, services):
    await person(services)
    await at_code(client)
    code = await mailed_code(services, ADA)
    await at_code(client)
    newer = await mailed_code(services, ADA)
    if code != newer:
        shown = await client.act("verify_passcode", code=code)
        assert shown.problems == {"code": "passcode_invalid"}


@pytest.mark.parametrize("code", ["", " ", "x", "1234567", "\uff11" * 6, "\x00"])
async def test_what_is_no_code_is_refused(client, services, code):
    await person(services)
    await at_code(client)
    shown = await client.act("verify_passcode", code=code)
    assert shown.status == 400
    assert shown.problems["code"] in (
        "value_missing_error",
        "passcode_invalid",
        "value_invalid_error",
    )


async def test_a_code_is_not_trimmed(client, services):
    await person(services)
    await at_code(client)
    code = await mailed_code(services, ADA)
    shown = await client.act("verify_passcode", code=f" {code} ")
    assert shown.problems == {"code": "passcode_invalid"}


async def test_another_code_is_mailed_on_wish_and_the_first_is_dead_sec_039(client, services):
    await person(services)
    await at_code(client)
    first = await mailed_code(services, ADA)
    shown = await client.act("resend_passcode")
    assert (shown.name, shown.status, shown.error) == ("passcode_confirmation", 200, None)
    second = await mailed_code(services, ADA)
    assert len(await deliver(services)) == 2
    if first != second:
        assert (await client.act("verify_passcode", code=first)).status == 400
    assert (await client.act("verify_passcode", code=second)).name == "success"


async def test_a_code_outlives_going_back_and_is_not_mailed_again(client, services):
    await person(services)
    await at_code(client)
    code = await mailed_code(services, ADA)
    shown = await client.act("back")
    assert shown.name == "login_method_chooser"
    assert (await client.act("continue_to_passcode_confirmation")).name == "passcode_confirmation"
    assert len(await deliver(services)) == 1
    assert (await client.act("verify_passcode", code=code)).name == "success"


async def test_another_address_gets_another_code_q_08(client, services):
    await person(services)
    await make_user(services, email="grace@example.com")
    await at_code(client)
    await client.act("back")
    await client.act("back")
    await client.act("continue_with_login_identifier", email="grace@example.com")
    await client.act("continue_to_passcode_confirmation")
    assert [mail.to for mail in await deliver(services)] == ["grace@example.com", ADA]


async def test_a_dead_code_is_replaced_when_the_state_is_entered_anew(client, services):
    await person(services)
    await at_code(client)
    code = await mailed_code(services, ADA)
    for _ in range(3):
        await client.act("verify_passcode", code=another(code))
    assert len(await deliver(services)) == 1
    await client.act("back")
    await client.act("continue_to_passcode_confirmation")
    assert len(await deliver(services)) == 2
    assert (await enter_code(client, services)).name == "success"


async def test_nobody_is_signed_in_by_a_code_without_an_account_sec_066(client, services):
    """The mail holds no code, and none is right."""
    await at_code(client, "nobody@example.com")
    (mail,) = await deliver(services)
    assert not [word for word in mail.text.split() if word.isdigit() and len(word) == 6]
    for code in ("000000", "123456", "999999"):
        shown = await client.act("verify_passcode", code=code)
        assert shown.status in (400, 401)


@pytest.mark.configured(rate_limiter__enabled=True)
async def test_three_codes_a_minute_are_mailed_to_an_address_sec_073(client, services, clock):
    await person(services)
    await at_code(client)
    assert (await client.act("resend_passcode")).status == 200
    assert (await client.act("resend_passcode")).status == 200
    shown = await client.act("resend_passcode")
    assert (shown.name, shown.status, shown.error) == (
        "passcode_confirmation",
        429,
        "rate_limit_exceeded",
    )
    assert shown.payload["resend_after"] >= 1
    assert len(await deliver(services)) == 3
    clock.advance(seconds=61)
    assert (await client.act("resend_passcode")).status == 200


@pytest.mark.configured(rate_limiter__enabled=True)
async def test_the_limit_holds_whichever_flow_asks_sec_073(client, services):
    """SEC-073, and the state is entered all the same, as for an unknown address."""
    await person(services)
    for _ in range(3):
        assert (await at_code(client)).status == 200
    for address in (ADA, "ADA@example.com"):
        shown = await at_code(client, address)
        assert (shown.name, shown.status) == ("passcode_confirmation", 429)
        assert shown.payload["resend_after"] >= 1
    shown = await registered_to_code(client)
    assert shown.status == 429
    assert len(await deliver(services)) == 3


@pytest.mark.configured(rate_limiter__enabled=True)
async def test_guesses_are_limited_over_all_flows_sec_042(client, services, clock):
    """SEC-042: a code of its own for every flow buys no guess beyond the limit."""
    await person(services)
    statuses = []
    for _ in range(12):
        clock.advance(minutes=2)
        await at_code(client)
        statuses += [(await client.act("verify_passcode", code="000000")).status for _ in range(3)]
    assert 429 in statuses
    assert statuses.index(429) <= 31


async def test_mail_speaks_the_language_that_is_asked_for(rest, services):
    await person(services)
    for language, word in (("de", "ist Ihr"), ("undefined", "code"), ("xx-nonsense", "code")):
        rest.headers = {"x-language": language}
        await at_code(rest)
        subject = (await deliver(services))[0].subject
        assert word in subject


async def test_the_language_of_the_first_request_is_remembered(rest, services):
    await person(services)
    rest.headers = {"x-language": "de"}
    await identified(rest)
    rest.headers = {}
    await rest.act("continue_to_passcode_confirmation")
    german = (await deliver(services))[0].text
    await identified(rest)
    await rest.act("continue_to_passcode_confirmation")
    assert (await deliver(services))[0].text != german


async def test_what_the_browser_of_the_first_request_prefers_is_remembered(client, services):
    """A later request's own comes before it, and the user's locale before both."""
    await person(services)
    await person(services, "eve@example.com", locale="nl")
    for address, later, spoken in (
        (ADA, {}, "de"),
        (ADA, {"accept-language": "fr"}, "fr"),
        ("eve@example.com", {}, "nl"),
    ):
        client.headers = {"accept-language": "de"}
        await client.start("login")
        client.headers = later
        await client.act("register_client_capabilities")
        await client.act("continue_with_login_identifier", email=address)
        await client.act("continue_to_passcode_confirmation")
        await client.act("resend_passcode")
        assert (await languages_of("login"))[-2:] == [spoken, spoken]


async def said_in(rest, services):
    """The word by which the mail of a code shows its language, as a flow begun just now gets it."""
    await at_code(rest)
    return "ist Ihr" in (await deliver(services))[0].subject


async def test_a_language_that_is_asked_for_beats_the_users_and_that_beats_the_browsers(
    rest, services
):
    await person(services, locale="de-AT")
    for headers, german in (
        ({}, True),
        ({"accept-language": "fr"}, True),
        ({"x-language": "undefined"}, True),
        ({"x-language": "fr", "accept-language": "de"}, False),
    ):
        rest.headers = headers
        assert await said_in(rest, services) is german


async def test_a_browser_is_heard_where_the_user_has_said_nothing(rest, services):
    await person(services)
    rest.headers = {"accept-language": "de"}
    assert await said_in(rest, services)


async def test_the_language_of_one_user_is_not_that_of_the_next(rest, services):
    await person(services, locale="de")
    await person(services, "eve@example.com")
    await at_code(rest)
    await rest.act("back")
    await rest.act("back")
    await rest.act("continue_with_login_identifier", email="eve@example.com")
    await rest.act("continue_to_passcode_confirmation")
    mails = {mail.to: mail.subject for mail in await deliver(services)}
    assert "ist Ihr" in mails[ADA]
    assert "ist Ihr" not in mails["eve@example.com"]
