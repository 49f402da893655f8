"""With hints off nobody learns whether an account exists (SEC-066, SEC-067)."""

import re

import pytest
from databases import emptied
from flows.people import (
    ADA,
    at_code,
    at_password,
    named,
    person,
    with_passkey,
)
from flows.walking import RestClient, deliver, preflight

NOBODY = "eve@example.com"
IDS = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|[\w-]{43}|[0-9A-Za-z]{32}")


async def raw(rest, kind, steps):
    """The answers of a walk to the letter, but for what is random; and their headers."""
    answers = []
    answer = await rest.face.post(f"/{kind}")
    rest.kind = kind
    for action, inputs in steps:
        step = rest._shown(answer)
        assert step.name
        path = f"/{kind}?action={action}%40{rest.flow_id}"
        answer = await rest.face.post(path, {"input_data": inputs, "csrf_token": rest.csrf})
        headers = {k: v for k, v in answer.headers.items() if k != "x-request-id"}
        answers.append((answer.status_code, IDS.sub("…", answer.text), headers))
    return answers


def login(address, *more):
    device = {"webauthn_available": True, "webauthn_conditional_mediation_available": True}
    return [
        ("register_client_capabilities", device),
        ("continue_with_login_identifier", {"email": address}),
        *more,
    ]


WALKS = {
    "password": [
        ("continue_to_password_login", {}),
        ("password_login", {"password": "wrong"}),
        ("password_login", {"password": ""}),
        ("back", {}),
        ("back", {}),
    ],
    "passcode": [
        ("continue_to_passcode_confirmation", {}),
        ("verify_passcode", {"code": "000000"}),
        ("resend_passcode", {}),
        ("verify_passcode", {"code": "000000"}),
        ("verify_passcode", {"code": "000000"}),
        ("verify_passcode", {"code": "000000"}),
        ("back", {}),
    ],
    "recovery": [
        ("continue_to_password_login", {}),
        ("continue_to_passcode_confirmation_recovery", {}),
        ("verify_passcode", {"code": "000000"}),
        ("back", {}),
    ],
    "passkey": [("webauthn_generate_request_options", {}), ("back", {})],
}


@pytest.mark.parametrize("walk", WALKS)
async def test_known_and_unknown_addresses_are_answered_alike_sec_066(rest, services, walk):
    account = await person(services)
    await with_passkey(services, account)
    known = await raw(rest, "login", login(ADA, *WALKS[walk]))
    unknown = await raw(rest, "login", login(NOBODY, *WALKS[walk]))
    assert known == unknown


async def test_known_and_unknown_addresses_sign_up_alike_sec_066(rest, services):
    await person(services)
    steps = [
        ("verify_passcode", {"code": "000000"}),
        ("resend_passcode", {}),
        ("verify_passcode", {"code": "000000"}),
        ("back", {}),
    ]

    def walk(address):
        device = ("register_client_capabilities", {"webauthn_available": True})
        return [device, ("register_login_identifier", {"email": address}), *steps]

    known = await raw(rest, "registration", walk(ADA))
    assert known == await raw(rest, "registration", walk(NOBODY))


async def named_people(services):
    """Ada, who reads mail; Bob, who has no address; and nobody of the name of Eve."""
    await named(services, "ada", address=ADA)
    await named(services, "bob")
    return "ada", "bob", "eve"


@pytest.mark.configured(username__enabled=True)
@pytest.mark.parametrize("walk", ["password", "passcode", "recovery"])
async def test_known_and_unknown_user_names_are_answered_alike_sec_066(rest, services, walk):
    """SEC-066 is stricter here than the reference, which tells of user names always."""
    answers = []
    for name in await named_people(services):
        typed = ("continue_with_login_identifier", {"identifier": name})
        steps = [("register_client_capabilities", {}), typed, *WALKS[walk]]
        answers.append(await raw(rest, "login", steps))
    assert answers[0] == answers[1] == answers[2]


OPTIONS = {
    "an address may be left out": {"email__optional": True},
    "names alone say who it is": {"email__use_as_login_identifier": False},
    "codes alone sign in": {"password__enabled": False},
    "passwords alone sign in": {"email__use_for_authentication": False},
    "addresses cannot be given": {"email__enabled": False, "username__optional": False},
}


@pytest.mark.one_database
@pytest.mark.parametrize("option", OPTIONS)
async def test_the_first_state_tells_nothing_of_a_user_name_sec_066(house, clock, option):
    """SEC-066: neither whether somebody has it, nor whether mail reaches them."""
    changes = {"username__enabled": True, **OPTIONS[option]}
    await emptied(but="signing_key")
    services, face = await house.of({"username__enabled": True})
    names = await named_people(services)
    services, face = await house.of(changes)
    rest = RestClient(face)
    (key,) = (await preflight(rest)).actions["continue_with_login_identifier"]
    answers = []
    for name in names:
        device = ("register_client_capabilities", {"webauthn_available": True})
        typed = ("continue_with_login_identifier", {key: name})
        answers.append(await raw(rest, "login", [device, typed]))
        shown = await preflight(rest)
        shown = await rest.act("continue_with_login_identifier", **{key: name})
        answers[-1].append(await everywhere(rest, shown))
    assert answers[0] == answers[1] == answers[2]


async def everywhere(rest, shown):
    """What every action without an input leads to, and what it offers."""
    found = {}
    for action, inputs in shown.actions.items():
        if action != "back" and not inputs:
            there = await rest.act(action)
            found[action] = (there.name, there.status, there.error, sorted(there.actions))
            if "back" in there.actions:
                await rest.act("back")
    return found


@pytest.mark.configured(username__enabled=True)
async def test_somebody_without_an_address_gets_in_by_no_code(rest, services):
    await named(services, "bob")
    for way in (
        ["continue_to_passcode_confirmation"],
        ["continue_to_password_login", "continue_to_passcode_confirmation_recovery"],
    ):
        await preflight(rest)
        await rest.act("continue_with_login_identifier", identifier="bob")
        for action in way:
            shown = await rest.act(action)
        assert (shown.name, shown.status) == ("passcode_confirmation", 200)
        assert await deliver(services) == []


@pytest.mark.configured(username__enabled=True, privacy__show_account_existence_hints=True)
async def test_with_hints_somebody_without_an_address_is_asked_for_the_password(client, services):
    await named(services, "bob")
    await preflight(client)
    shown = await client.act("continue_with_login_identifier", identifier="bob")
    assert shown.name == "login_password"
    assert "continue_to_passcode_confirmation_recovery" not in shown.actions


@pytest.mark.configured(rate_limiter__enabled=True)
async def test_limits_answer_known_and_unknown_alike_sec_072(client, services):
    await person(services)
    seen = []
    for address in (ADA, NOBODY):
        await at_password(client, address)
        seen.append([await client.act("password_login", password="wrong") for _ in range(6)])
        seen[-1] += [await at_code(client, address)]
        seen[-1] += [await client.act("resend_passcode") for _ in range(3)]
    assert seen[0] == seen[1]
    assert seen[0][5].status == seen[0][9].status == 429


@pytest.mark.configured(rate_limiter__enabled=True)
async def test_guesses_at_registration_count_for_taken_and_free_alike_sec_042_066(
    client, services, clock
):
    """Wrong codes count for the address over all flows, whether somebody has it or not."""
    await person(services)
    seen = []
    for address in (ADA, NOBODY):
        for tries in (30, 1):
            clock.advance(minutes=2)
            await preflight(client, "registration")
            await client.act("register_login_identifier", email=address)
            tried = [await client.act("verify_passcode", code="000000") for _ in range(tries)]
        seen.append([(shown.status, shown.error) for shown in tried])
        assert tried[-1].name == "passcode_confirmation"
    assert seen[0] == seen[1] == [(429, "rate_limit_exceeded")]


@pytest.mark.configured(privacy__show_account_existence_hints=True, username__enabled=True)
async def test_with_hints_it_is_told(client, services):
    await person(services)
    await preflight(client)
    for typed, code in ((NOBODY, "unknown_email_error"), ("eve", "unknown_username_error")):
        shown = await client.act("continue_with_login_identifier", identifier=typed)
        assert (shown.name, shown.problems) == ("login_init", {"identifier": code})


async def test_mail_to_nobody_names_no_account(rest, services):
    await person(services)
    await at_code(rest, NOBODY)
    (mail,) = await deliver(services)
    assert mail.to == NOBODY
    assert ADA not in mail.text


STEPS = {
    "password": [("password_login", {"password": "wrong"})],
    "passcode": [("verify_passcode", {"code": "000000"})],
}


@pytest.mark.parametrize("walk", STEPS)
async def test_known_and_unknown_take_as_many_statements_sec_067(rest, services, statements, walk):
    """SEC-067: every step asks the database as often, so that only what it finds can differ."""
    await person(services)
    await person(services, "bob@example.com", password=None)
    steps = [
        ("continue_with_login_identifier", None),
        *WALKS[walk][:1],
        *STEPS[walk],
    ]
    counts = {}
    for address in (ADA, "bob@example.com", NOBODY):
        await preflight(rest, "login")
        for action, inputs in steps:
            statements.clear()
            await rest.act(action, **(inputs if inputs is not None else {"email": address}))
            counts.setdefault(action, {})[address] = len(statements)
    assert all(len(set(counted.values())) == 1 for counted in counts.values()), counts


async def test_known_and_unknown_addresses_sign_up_by_as_many_statements_sec_067(
    rest, services, statements
):
    """SEC-067: see above."""
    await person(services)
    counts = {}
    for address in (ADA, NOBODY):
        await preflight(rest, "registration")
        statements.clear()
        await rest.act("register_login_identifier", email=address)
        counts[address] = len(statements)
    assert len(set(counts.values())) == 1, counts
