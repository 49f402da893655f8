"""Setting up a second factor, walked on both faces by one body (§3.6)."""

import base64
from urllib.parse import parse_qs, urlsplit

import pytest
from credentials.authenticator import Authenticator
from credentials.ceremonies import events
from flows.members import ADA, PASSWORD, ada_with_password, code_of, to_password, with_app
from flows.walking import deliver, mailed_code, preflight

from app.credentials.totp_codes import uri
from app.persistence import fetch

ASKED = pytest.mark.configured(mfa__acquire_on_login=True)


async def at_chooser(client, services, *, webauthn=False):
    user = await ada_with_password(services)
    shown = await to_password(client, webauthn=webauthn)
    assert shown.name == "mfa_method_chooser"
    assert shown.payload == {}
    return user, shown


async def registering(client, services, *, webauthn=False):
    """A registration, as far as the choice of a second factor."""
    await preflight(client, "registration", webauthn=webauthn)
    await client.act("register_login_identifier", email=ADA)
    await client.act("verify_passcode", code=await mailed_code(services, ADA))
    shown = await client.act("register_password", new_password=PASSWORD)
    assert shown.name == "mfa_method_chooser"
    return shown


@ASKED
async def test_an_app_is_set_up_at_sign_in(client, services):
    """SEC-037, SEC-055: active only after a code of it; the user is told."""
    user, shown = await at_chooser(client, services)
    assert set(shown.actions) == {"continue_to_otp_secret_creation", "skip"}
    shown = await client.act("continue_to_otp_secret_creation")
    assert shown.name == "mfa_otp_secret_creation"
    assert set(shown.actions) == {"otp_code_verify", "back"}
    secret = shown.payload["otp_secret"]
    assert len(base64.b32decode(secret)) == 20
    assert shown.payload["otp_image_source"].startswith("data:image/png;base64,")
    assert await services.totp.of(user.id) is None
    shown = await client.act("otp_code_verify", otp_code=code_of(services, secret))
    assert await services.totp.of(user.id) is not None
    assert len(await events("otp_created")) == 1
    (notice,) = await deliver(services)
    assert (notice.to, "second factor" in notice.subject) == (ADA, True)
    assert shown.name == "success"
    shown = await to_password(client)
    assert shown.name == "login_otp"
    shown = await client.act("otp_code_validate", otp_code=code_of(services, secret))
    assert shown.problems == {"otp_code": "otp_code_already_used"}
    shown = await client.act("otp_code_validate", otp_code=code_of(services, secret, steps=1))
    assert shown.name == "device_trust"


@ASKED
@pytest.mark.parametrize("header", ["x-language", "accept-language"])
async def test_the_notice_is_in_the_language_that_the_flow_began_with(rest, services, header):
    await ada_with_password(services)
    rest.headers = {header: "de"}
    await preflight(rest)
    rest.headers = {}
    await rest.act("continue_with_login_identifier", email=ADA)
    await rest.act("continue_to_password_login")
    await rest.act("password_login", password=PASSWORD)
    secret = (await rest.act("continue_to_otp_secret_creation")).payload["otp_secret"]
    await rest.act("otp_code_verify", otp_code=code_of(services, secret))
    rows = await fetch("SELECT language FROM mail_outbox WHERE template = 'mfa_create'")
    assert [row["language"] for row in rows] == ["de"]


@ASKED
async def test_the_secret_stays_while_one_remains_and_is_new_afterwards(client, services):
    """SEC-055."""
    user, _ = await at_chooser(client, services)
    secret = (await client.act("continue_to_otp_secret_creation")).payload["otp_secret"]
    shown = await client.act("otp_code_verify", otp_code=code_of(services, secret, steps=9))
    assert (shown.name, shown.status) == ("mfa_otp_secret_creation", 400)
    assert shown.problems == {"otp_code": "passcode_invalid"}
    assert shown.payload["otp_secret"] == secret
    shown = await client.act("back")
    assert shown.name == "mfa_method_chooser"
    shown = await client.act("continue_to_otp_secret_creation")
    assert shown.payload["otp_secret"] != secret
    shown = await client.act("otp_code_verify", otp_code=code_of(services, secret))
    assert shown.name == "mfa_otp_secret_creation"
    assert await services.totp.of(user.id) is None


@ASKED
@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef"])
async def test_what_is_no_code_is_refused(client, services, code):
    """Q-16."""
    await at_chooser(client, services)
    await client.act("continue_to_otp_secret_creation")
    shown = await client.act("otp_code_verify", otp_code=code)
    assert (shown.name, shown.status) == ("mfa_otp_secret_creation", 400)
    assert shown.problems == {"otp_code": "value_invalid_error"}


@ASKED
async def test_one_may_go_without(client, services):
    user, _ = await at_chooser(client, services)
    shown = await client.act("skip")
    assert shown.name == "success"
    assert await services.totp.of(user.id) is None


@pytest.mark.configured(mfa__acquire_on_login=True, mfa__optional=False)
async def test_one_must_have_one_where_it_is_so_configured(client, services):
    _, shown = await at_chooser(client, services)
    assert set(shown.actions) == {"continue_to_otp_secret_creation"}
    refused = await client.act("skip")
    assert (refused.name, refused.error) == ("error", "operation_not_permitted_error")


@pytest.mark.configured(mfa__acquire_on_login=True, mfa__totp__enabled=False)
async def test_without_apps_a_key_is_the_only_choice(client, services):
    _, shown = await at_chooser(client, services, webauthn=True)
    assert set(shown.actions) == {"continue_to_security_key_creation", "skip"}
    for action in ("continue_to_otp_secret_creation", "otp_code_verify"):
        refused = await client.act(action)
        assert (refused.name, refused.error) == ("error", "operation_not_permitted_error")


@ASKED
async def test_a_client_without_webauthn_makes_no_key(client, services):
    await at_chooser(client, services)
    refused = await client.act("continue_to_security_key_creation")
    assert (refused.name, refused.error) == ("error", "operation_not_permitted_error")


@ASKED
async def test_a_key_is_set_up_at_sign_in(client, services):
    user, shown = await at_chooser(client, services, webauthn=True)
    shown = await client.act("continue_to_security_key_creation")
    assert shown.name == "mfa_security_key_creation"
    assert set(shown.actions) == {"webauthn_generate_creation_options", "back"}
    shown = await client.act("webauthn_generate_creation_options")
    assert shown.name == "onboarding_verify_passkey_attestation"
    options = shown.payload["creation_options"]["publicKey"]
    assert options["authenticatorSelection"]["authenticatorAttachment"] == "cross-platform"
    assert options["authenticatorSelection"]["residentKey"] == "discouraged"
    assert options["user"]["name"] == ADA
    assert options["timeout"] == 120_000
    shown = await client.act(
        "webauthn_verify_attestation_response", public_key=Authenticator().create(options)
    )
    assert shown.name == "onboarding_create_passkey"
    (key,) = await services.passkeys.list(user.id)
    assert key.is_mfa_only
    shown = await client.act("skip")
    assert shown.name == "success", shown


@ASKED
async def test_one_goes_back_from_making_a_key(client, services):
    await at_chooser(client, services, webauthn=True)
    await client.act("continue_to_security_key_creation")
    await client.act("webauthn_generate_creation_options")
    assert (await client.act("back")).name == "mfa_security_key_creation"
    assert (await client.act("back")).name == "mfa_method_chooser"


@ASKED
async def test_who_has_a_second_factor_is_asked_for_it_and_not_for_another(client, services):
    """SEC-058: enrolling a new factor does not stand in for the one there is."""
    user = await ada_with_password(services)
    await with_app(services, user)
    assert (await to_password(client)).name == "login_otp"
    refused = await client.act("continue_to_otp_secret_creation")
    assert (refused.name, refused.error) == ("error", "operation_not_permitted_error")


async def test_an_app_is_set_up_at_registration(client, services):
    """SEC-055: it is stored with the user, its first code used up."""
    await registering(client, services)
    secret = (await client.act("continue_to_otp_secret_creation")).payload["otp_secret"]
    shown = await client.act("otp_code_verify", otp_code=code_of(services, secret))
    assert shown.name == "success"
    user = await services.users.by_email(ADA)
    assert await services.totp.of(user.id) is not None
    assert (await to_password(client)).name == "login_otp"
    shown = await client.act("otp_code_validate", otp_code=code_of(services, secret))
    assert shown.problems == {"otp_code": "otp_code_already_used"}


async def test_a_secret_that_was_only_looked_at_is_nobodys(client, services):
    """SEC-055."""
    await registering(client, services)
    await client.act("continue_to_otp_secret_creation")
    await client.act("back")
    shown = await client.act("skip")
    assert shown.name == "success"
    assert await fetch("SELECT id FROM user_totp") == []
    assert (await to_password(client)).name == "success"


async def test_a_key_is_set_up_at_registration(client, services):
    await registering(client, services, webauthn=True)
    await client.act("continue_to_security_key_creation")
    shown = await client.act("webauthn_generate_creation_options")
    made = Authenticator().create(shown.payload["creation_options"]["publicKey"])
    shown = await client.act("webauthn_verify_attestation_response", public_key=made)
    assert shown.name == "onboarding_create_passkey"
    shown = await client.act("skip")
    assert shown.name == "success"
    user = await services.users.by_email(ADA)
    (key,) = await services.passkeys.list(user.id)
    assert key.is_mfa_only
    assert (await to_password(client, webauthn=True)).name == "login_security_key"


@pytest.mark.configured(
    mfa__acquire_on_login=True,
    mfa__totp__enabled=False,
    mfa__security_keys__authenticator_attachment="platform",
    mfa__optional=False,
)
async def test_a_device_that_cannot_make_what_must_be_made_ends_the_flow(client, services):
    """Q-39."""
    await ada_with_password(services)
    shown = await to_password(client)
    assert (shown.name, shown.status) == ("error", 401)
    assert shown.error == "platform_authenticator_required"
    assert shown.token is None


def test_the_picture_holds_the_secret_under_the_name_of_the_account():
    parts = urlsplit(uri("JBSWY3DPEHPK3PXP", "Sekisho", ADA))
    assert parse_qs(parts.query)["secret"] == ["JBSWY3DPEHPK3PXP"]
    assert parts.path.endswith(ADA)
