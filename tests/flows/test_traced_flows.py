"""Traces of signing up and in: where the time goes, and nothing of what was typed (SEC-116)."""

import pytest
from faces.clients import Face
from flows.people import ADA, PASSWORD, at_password, otp, person, registered_to_code, with_totp
from flows.walking import RestClient, mailed_code
from traces import Kept

from app.telemetry import tracing

CHOSEN = "a boat on the river"  # made up


@pytest.fixture
def kept():
    return Kept()


@pytest.fixture
def traced(services, kept):
    return RestClient(Face(kept.on(services)))


def paths(kept, name):
    return [kept.path(one) for one in kept.named(name)]


async def delivered(services, kept):
    with tracing(kept.tracer):
        while await services.mail.deliver_next():
            pass


async def test_a_sign_in_shows_its_password_check_and_no_secret_sec_116(services, traced, kept):
    account = await person(services)
    secret = await with_totp(services, account)
    await at_password(traced)
    await traced.act("password_login", password="not the right one 736455918273")
    shown = await traced.act("password_login", password=PASSWORD)
    assert shown.name == "login_otp"
    code = otp(services, secret)
    shown = await traced.act("otp_code_validate", otp_code=code)
    while shown.name != "success":
        shown = await traced.act("skip" if "skip" in shown.actions else "continue")
    assert shown.token
    checks = paths(kept, "password check")
    assert len(checks) == 2
    assert all(path[0] == "POST /login" for path in checks)
    assert ["POST /login", "transaction"] in paths(kept, "transaction")
    told = kept.text()
    hidden = {PASSWORD, "736455918273", secret, shown.token, *shown.token.split("."), traced.csrf}
    hidden |= {ADA, "example.com", str(account.id), traced.flow_id, *traced.cookies.values()}
    for one in hidden:
        assert one not in told
    assert f"={code}" not in told


async def test_a_registration_shows_its_hash_and_its_mail_and_no_secret_sec_116(
    services, traced, kept
):
    await registered_to_code(traced)
    await delivered(services, kept)
    code = await mailed_code(services, ADA)
    shown = await traced.act("verify_passcode", code=code)
    if "register_password" not in shown.actions:
        shown = await traced.act("continue_to_password_registration")
    shown = await traced.act("register_password", new_password=CHOSEN)
    assert shown.error is None
    assert paths(kept, "password hash")[0][0] == "POST /registration"
    assert paths(kept, "mail") == [["mail"]]
    told = kept.text()
    for one in (CHOSEN, ADA, "example.com", traced.csrf, traced.flow_id, f"={code}", f" {code}"):
        assert one not in told
