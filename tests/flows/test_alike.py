"""With hints off nobody learns whether an account exists (SEC-066, SEC-067)."""

import re
from statistics import median
from time import perf_counter

import pytest
from flows.people import (
    ADA,
    at_code,
    at_password,
    named,
    person,
    with_passkey,
)
from flows.walking import deliver, preflight

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


@pytest.mark.configured(username__enabled=True)
@pytest.mark.parametrize("walk", ["password", "passcode", "recovery"])
async def test_known_and_unknown_user_names_are_answered_alike_sec_066(rest, services, walk):
    """SEC-066 is stricter here than the reference, which tells of user names always."""
    await named(services, "ada", address=ADA)

    def steps(name):
        return [
            ("register_client_capabilities", {}),
            ("continue_with_login_identifier", {"identifier": name}),
            *WALKS[walk],
        ]

    assert await raw(rest, "login", steps("ada")) == await raw(rest, "login", steps("eve"))


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


@pytest.mark.one_database
async def test_equal_work_is_done_for_known_and_unknown_sec_067(rest, services):
    """SEC-067: a few interleaved pairs; the whole measure is taken apart from the tests."""
    await person(services)
    took = {ADA: [], NOBODY: []}
    for _ in range(12):
        for address, times in took.items():
            await at_password(rest, address)
            started = perf_counter()
            await rest.act("password_login", password="wrong")
            times.append(perf_counter() - started)
    known, unknown = median(took[ADA]), median(took[NOBODY])
    assert abs(known - unknown) < max(0.02, 0.5 * known)
