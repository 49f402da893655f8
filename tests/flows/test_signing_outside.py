"""A token that others sign is signed outside of the transaction; a failure loses nothing."""

import pytest
from factories import make_session
from flows.people import (
    ADA,
    NOTHING_ASKED,
    PASSWORD,
    at_code,
    at_password,
    flow_row,
    otp,
    person,
    registered_to_code,
    with_passkey,
    with_totp,
)
from flows.walking import mailed_code, preflight

from app.keys import SignerUnavailable
from app.keys.service import SigningKeys
from app.persistence import fetch, in_transaction

NOTHING_MORE = {
    "password__acquire_on_registration": "never",
    "passkey__acquire_on_registration": "never",
    "mfa__acquire_on_registration": False,
}
_ROWS = (
    "SELECT id FROM app_user ORDER BY id",
    "SELECT id FROM user_session ORDER BY id",
    "SELECT id FROM audit_event ORDER BY id",
    "SELECT * FROM passcode ORDER BY flow_id",
    "SELECT digest FROM webauthn_challenge ORDER BY digest",
)


class Signer:
    """Signs as ever, unless it is told not to answer once; it notes where it was asked."""

    def __init__(self, sign):
        self._sign = sign
        self.is_away = False
        self.in_transactions = []

    async def sign(self, keys, claims, *, typ="JWT"):
        self.in_transactions.append(in_transaction())
        if self.is_away:
            self.is_away = False
            raise SignerUnavailable
        return await self._sign(keys, claims, typ=typ)


@pytest.fixture(params=["here", "elsewhere"])
def signer(request, monkeypatch):
    signer = Signer(SigningKeys.sign)
    signer.is_here = request.param == "here"
    monkeypatch.setattr(SigningKeys, "signs_here", signer.is_here)

    async def sign(keys, claims, **given):
        return await signer.sign(keys, claims, **given)

    monkeypatch.setattr(SigningKeys, "sign", sign)
    return signer


async def stored(client):
    return [await fetch(sql) for sql in _ROWS], await flow_row(client.flow_id)


async def repeated(client, signer, action, **inputs):
    """Send an action while the signer is away, see that nothing has come of it, and repeat it."""
    before, csrf = await stored(client), client.csrf
    signer.is_away = True
    shown = await client.act(action, **inputs)
    assert (shown.name, shown.status, shown.token) == ("error", 503, None)
    assert await stored(client) == before
    assert client.csrf == csrf
    shown = await client.act(action, **inputs)
    assert any(signer.in_transactions) == signer.is_here
    return shown


@pytest.mark.configured(**NOTHING_ASKED)
async def test_a_login_by_password_is_repeated_and_ends_no_session(client, services, signer):
    account = await person(services)
    limit = services.config.session.limit
    mine = {(await make_session(services, account)).session.id for _ in range(limit)}
    await at_password(client)
    shown = await repeated(client, signer, "password_login", password=PASSWORD)
    assert (shown.name, shown.status) == ("success", 200)
    assert shown.token
    rows = {row["id"] for row in await fetch("SELECT id FROM user_session")}
    assert (len(rows), len(rows & mine)) == (limit, limit - 1)


@pytest.mark.configured(**NOTHING_ASKED)
async def test_a_login_by_code_does_not_use_up_the_code(client, services, signer):
    await person(services)
    await at_code(client)
    code = await mailed_code(services, ADA)
    assert (await repeated(client, signer, "verify_passcode", code=code)).name == "success"


@pytest.mark.configured(**NOTHING_ASKED, mfa__device_trust_policy="never")
async def test_a_second_factor_is_not_used_up(client, services, signer):
    secret = await with_totp(services, await person(services))
    await at_password(client)
    await client.act("password_login", password=PASSWORD)
    code = otp(services, secret)
    assert (await repeated(client, signer, "otp_code_validate", otp_code=code)).name == "success"


@pytest.mark.configured(**NOTHING_ASKED)
async def test_a_passkey_need_not_be_touched_again(client, services, signer):
    authenticator = await with_passkey(services, await person(services))
    shown = await preflight(client, webauthn=True)
    assertion = authenticator.get(shown.payload["request_options"]["publicKey"])
    action = "webauthn_verify_assertion_response"
    shown = await repeated(client, signer, action, assertion_response=assertion)
    assert shown.name == "success"


@pytest.mark.configured(**NOTHING_MORE)
async def test_a_registration_makes_no_account_until_its_token_is_signed(client, services, signer):
    await registered_to_code(client)
    code = await mailed_code(services, ADA)
    shown = await repeated(client, signer, "verify_passcode", code=code)
    assert shown.name == "success"
    assert len(await fetch("SELECT id FROM app_user")) == 1
    claims = (await services.sessions.authenticate(shown.token)).claims
    assert claims["email"] == {"address": ADA, "is_primary": True, "is_verified": True}
