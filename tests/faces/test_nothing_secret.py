"""No answer holds what opens anything, and nothing that opens anything is taken from a URL."""

import json
import re
from urllib.parse import urlencode
from uuid import UUID

import pytest
from faces.documents import call, everything, roots
from factories import TABLES, make_identity, make_session, make_user
from flows.members import ADA, PASSWORD, code_of, to_password, with_app, with_key
from flows.walking import RestClient, mailed_code, preflight

from app.access import SYSTEM
from app.persistence import fetch

pytestmark = pytest.mark.one_database

STORED = re.compile(r"hash|digest|sealed|secret|verifier|csrf")
"""Columns that hold what is secret, or what is kept in place of it."""


@pytest.fixture
async def ada(services):
    """A user who has everything that can be kept of one."""
    user = await make_user(services, email=ADA)
    await services.passwords.set(SYSTEM, user.id, PASSWORD)
    await with_key(services, user, "passkey")
    await with_key(services, user)
    await services.trusted_devices.issue(SYSTEM, user.id, "")
    await make_identity(services, user)
    return user


async def stored() -> set[str]:
    """Every secret, hash and sealed text that there is."""
    found: set[str] = set()
    for table in TABLES:
        for row in await fetch(f"SELECT * FROM {table}"):
            found |= {str(value) for name, value in dict(row).items() if STORED.search(name)}
    return {text for text in found - {"None"} if len(text) > 8}


def paths_of(document: dict, *, user_id: UUID) -> list[str]:
    """Every path that a listener can be asked to read, the user's id in it."""
    return [
        re.sub(r"\{[^}]*\}", str(user_id), path)
        for path, methods in document["paths"].items()
        if "get" in methods
    ]


@pytest.mark.parametrize("listener", ["public", "admin"])
async def test_no_answer_holds_anything_secret_sec_017(request, services, key, ada, listener):
    """SEC-017: a password, app secret, code, token, private key, or the digest of one."""
    face = request.getfixturevalue(listener)
    app_secret = await with_app(services, ada)
    codes = await services.recovery_codes.generate(SYSTEM, ada.id)
    issued = await make_session(services, ada)
    browser = RestClient(request.getfixturevalue("public"))
    await to_password(browser)
    _, hook_secret = await services.webhooks.create(SYSTEM, "https://hooks.example.com/", ("user",))
    secrets = await stored()
    secrets |= {key, app_secret, issued.token, hook_secret, PASSWORD, browser.csrf, *codes}
    assert len(secrets) > 15
    answers = []
    for kind, name, field in roots():
        if kind == "query":
            asked = call(kind, name, everything(field.type), an_id=str(ada.id))
            answers += [
                await face.ask(*asked, **one) for one in ({"key": key}, {"token": issued.token})
            ]
    document = (await face.get("/schema/openapi.json")).json()
    for path in (*paths_of(document, user_id=ada.id), f"/users/{ada.id}", "/me"):
        if "mailbox" not in path:  # development's own, where mails are read
            answers += [await face.get(path, **b) for b in ({"key": key}, {"token": issued.token})]
    assert len(answers) > 20
    for answer in answers:
        told = answer.text + str(answer.headers)
        assert not [one for one in secrets if one in told], answer.request.url


async def test_a_password_is_not_taken_from_a_url_sec_013(public, services):
    """SEC-013: what stands in an address is in logs, histories and referrers."""
    user = await make_user(services, email=ADA)
    await services.passwords.set(SYSTEM, user.id, PASSWORD)
    browser = RestClient(public)
    await preflight(browser)
    await browser.act("continue_with_login_identifier", email=ADA)
    await browser.act("continue_to_password_login")
    for name in ("password", "input_data[password]", "input_data.password"):
        query = urlencode({"action": f"password_login@{browser.flow_id}", name: PASSWORD})
        body = {"csrf_token": browser.csrf, "input_data": {}}
        answer = await public.post(f"/login?{query}", body)
        step = answer.json()
        assert step["name"] == "login_password"
        assert "set-cookie" not in answer.headers
        browser.csrf = step["csrf_token"] or browser.csrf
    query = urlencode({"action": f"password_login@{browser.flow_id}", "csrf_token": browser.csrf})
    answer = await public.post(f"/login?{query}", {"input_data": {"password": PASSWORD}})
    assert answer.json()["error"]["code"] == "operation_not_permitted_error"
    shown = await browser.act("password_login", password=PASSWORD)
    assert shown.error is None


async def test_a_mailed_code_and_that_of_an_app_are_taken_from_the_body_alone_sec_013(
    public, services
):
    """SEC-013"""
    user = await make_user(services, email=ADA)
    secret = await with_app(services, user)
    browser = RestClient(public)
    await preflight(browser)
    await browser.act("continue_with_login_identifier", email=ADA)
    shown = await browser.act("continue_to_passcode_confirmation")
    assert shown.name == "passcode_confirmation"
    code = await mailed_code(services, ADA)
    for state, action, argument, value in (
        ("passcode_confirmation", "verify_passcode", "code", code),
        ("login_otp", "otp_code_validate", "otp_code", code_of(services, secret)),
    ):
        query = urlencode({"action": f"{action}@{browser.flow_id}", argument: value})
        answer = await public.post(f"/login?{query}", {"csrf_token": browser.csrf})
        assert answer.json()["name"] == state
        browser.csrf = answer.json()["csrf_token"]
        shown = await browser.act(action, **{argument: value})
        assert shown.error is None, json.dumps(browser.body)
