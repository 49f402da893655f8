"""Device trust, walked on both faces by one body (§3.7)."""

import pytest
from flows.members import ada_with_password, code_of, later, to_password, with_app
from flows.walking import preflight

from app.access import SYSTEM


async def at_device_trust(client, services):
    user = await ada_with_password(services)
    secret = await with_app(services, user)
    await to_password(client)
    shown = await client.act("otp_code_validate", otp_code=code_of(services, secret))
    assert shown.name == "device_trust"
    assert shown.payload == {}
    assert set(shown.actions) == {"trust_device", "skip"}
    return user, secret


async def test_a_trusted_device_is_spared_the_second_factor_next_time(client, services):
    """SEC-059: and the token is one of this user's."""
    user, _ = await at_device_trust(client, services)
    shown = await client.act("trust_device")
    assert shown.name == "success"
    cookie = next(line for line in shown.cookies if line.startswith("hanko-device-token="))
    assert cookie.startswith(f"hanko-device-token={user.id}:")
    assert all(part in cookie for part in ("Path=/", "HttpOnly", "Secure", "SameSite=None"))
    assert "Max-Age=2592000" in cookie
    assert (await to_password(client)).name == "success"


async def test_skipping_trusts_nothing(client, services):
    await at_device_trust(client, services)
    shown = await client.act("skip")
    assert shown.name == "success"
    assert not [line for line in shown.cookies if line.startswith("hanko-device-token=")]
    assert (await to_password(client)).name == "login_otp"


async def test_trust_ends_with_any_change_of_factors(client, services):
    """SEC-059."""
    user, _ = await at_device_trust(client, services)
    await client.act("trust_device")
    await services.totp.delete(SYSTEM, user.id)
    await with_app(services, user)
    assert (await to_password(client)).name == "login_otp"


async def test_trust_expires(client, services):
    """SEC-059."""
    await at_device_trust(client, services)
    await client.act("trust_device")
    later(services, hours=719)
    assert (await to_password(client)).name == "success"
    later(services, hours=2)
    assert (await to_password(client)).name == "login_otp"


@pytest.mark.configured(mfa__device_trust_policy="never")
async def test_nobody_is_asked_where_no_device_is_trusted(client, services):
    user = await ada_with_password(services)
    secret = await with_app(services, user)
    await to_password(client)
    shown = await client.act("otp_code_validate", otp_code=code_of(services, secret))
    assert shown.name == "success"


async def test_who_has_no_second_factor_is_not_asked(client, services):
    await ada_with_password(services)
    assert (await to_password(client)).name == "success"


async def test_neither_action_is_done_elsewhere(client, services):
    """SEC-060."""
    await preflight(client)
    for action in ("trust_device", "skip"):
        refused = await client.act(action)
        assert (refused.name, refused.error) == ("error", "operation_not_permitted_error")
