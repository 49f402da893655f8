"""Making a passkey or a password in a flow, walked on both faces by one body (§3.3)."""

import json

import pytest
from credentials.authenticator import Authenticator
from credentials.ceremonies import events, logged_in, passkey_of
from factories import make_user
from flows.members import ADA, PASSWORD, ada_with_password, to_password
from flows.walking import deliver, mailed_code, preflight

from app.credentials.passkey_values import Accepted
from app.persistence import fetch

QUIET = {"mfa__acquire_on_registration": False}
CHOICE = {
    **QUIET,
    "passkey__acquire_on_registration": "conditional",
    "password__acquire_on_registration": "conditional",
    "password__optional": True,
}


async def registered(client, services, *, webauthn=True):
    """A registration whose address is proved."""
    await preflight(client, "registration", webauthn=webauthn)
    await client.act("register_login_identifier", email=ADA)
    return await client.act("verify_passcode", code=await mailed_code(services, ADA))


async def creating(client):
    """The options for a new passkey."""
    shown = await client.act("webauthn_generate_creation_options")
    assert shown.name == "onboarding_verify_passkey_attestation"
    return shown.payload["creation_options"]["publicKey"]


# The password


@pytest.mark.configured(**QUIET)
async def test_a_password_is_chosen_at_registration(client, services):
    """SEC-034."""
    shown = await registered(client, services, webauthn=False)
    assert shown.name == "password_creation"
    assert shown.payload == {}
    assert set(shown.actions) == {"register_password"}
    asked = shown.actions["register_password"]["new_password"]
    assert (asked["type"], asked["required"], asked["min_length"]) == ("password", True, 8)
    shown = await client.act("register_password", new_password=PASSWORD)
    assert shown.name == "success"
    (row,) = await fetch("SELECT hash FROM user_password")
    assert row["hash"].startswith("$argon2id$")
    assert (await to_password(client)).name == "success"


@pytest.mark.configured(**QUIET)
@pytest.mark.parametrize(
    ("password", "problem"),
    [
        ("", "value_missing_error"),
        ("short", "value_too_short_error"),
        ("x" * 2000, "value_too_long_error"),
        ("password1", "value_invalid_error"),
        ("ada@example.com", "value_invalid_error"),
    ],
)
async def test_a_password_that_breaks_a_rule_is_refused(client, services, password, problem):
    """SEC-035, SEC-036."""
    await registered(client, services, webauthn=False)
    shown = await client.act("register_password", new_password=password)
    assert (shown.name, shown.status) == ("password_creation", 400)
    assert set(shown.problems) == {"new_password"}
    assert "value" not in shown.actions["register_password"]["new_password"]
    assert await fetch("SELECT id FROM app_user") == []
    exact = {problem, "password_too_long"} if problem == "value_too_long_error" else {problem}
    if problem != "value_invalid_error":
        assert shown.problems["new_password"] in exact


@pytest.mark.configured(**QUIET, password__optional=True)
async def test_one_may_go_without_a_password_where_mail_signs_in(client, services):
    shown = await registered(client, services, webauthn=False)
    assert set(shown.actions) == {"register_password", "skip"}
    assert shown.actions["register_password"]["new_password"]["required"] is False
    shown = await client.act("register_password", new_password="")
    assert shown.problems == {"new_password": "value_invalid_error"}
    shown = await client.act("skip")
    assert shown.name == "success"
    assert await fetch("SELECT id FROM user_password") == []


@pytest.mark.configured(
    **QUIET,
    password__optional=True,
    passkey__acquire_on_registration="never",
    email__use_for_authentication=False,
)
async def test_nobody_skips_the_only_way_to_sign_in(client, services):
    """SEC-037: no account is made that nothing opens."""
    shown = await registered(client, services)
    assert shown.name == "password_creation"
    assert set(shown.actions) == {"register_password"}
    refused = await client.act("skip")
    assert (refused.name, refused.error) == ("error", "operation_not_permitted_error")


@pytest.mark.configured(password__acquire_on_login="always", passkey__acquire_on_login="never")
async def test_a_password_is_chosen_after_a_login(client, services):
    user = await make_user(services, email=ADA)
    await preflight(client)
    await client.act("continue_with_login_identifier", email=ADA)
    await client.act("continue_to_passcode_confirmation")
    shown = await client.act("verify_passcode", code=await mailed_code(services, ADA))
    assert shown.name == "password_creation"
    shown = await client.act("register_password", new_password=PASSWORD)
    assert shown.name == "success"
    assert await services.passwords.changed_at(user.id) is not None
    assert (await to_password(client)).name == "success"


# The passkey


@pytest.mark.configured(**QUIET)
async def test_a_passkey_is_made_at_registration(client, services):
    """SEC-044."""
    await registered(client, services)
    shown = await client.act("register_password", new_password=PASSWORD)
    assert shown.name == "onboarding_create_passkey"
    assert shown.payload == {}
    assert set(shown.actions) == {"webauthn_generate_creation_options", "skip"}
    authenticator, options = Authenticator(), await creating(client)
    assert options["user"]["name"] == options["user"]["displayName"] == ADA
    assert options["authenticatorSelection"]["residentKey"] == "required"
    assert "excludeCredentials" not in options
    shown = await client.act(
        "webauthn_verify_attestation_response", public_key=authenticator.create(options)
    )
    assert shown.name == "success"
    user = await services.users.by_email(ADA)
    found = await logged_in(services, authenticator)
    assert isinstance(found, Accepted)
    assert found.user_id == user.id


async def test_a_passkey_is_made_after_a_login(client, services):
    """SEC-037: the user is told."""
    user = await ada_with_password(services)
    shown = await to_password(client, webauthn=True)
    assert shown.name == "onboarding_create_passkey"
    options = await creating(client)
    shown = await client.act(
        "webauthn_verify_attestation_response",
        public_key=json.dumps(Authenticator().create(options)),
    )
    assert shown.name == "success"
    (passkey,) = await services.passkeys.list(user.id)
    assert not passkey.is_mfa_only
    assert len(await events("passkey_created")) == 1
    (notice,) = await deliver(services)
    assert (notice.to, "passkey" in notice.subject) == (ADA, True)


@pytest.mark.configured(**QUIET)
@pytest.mark.parametrize("given", [None, {}, [], 7, "", "nonsense", "{", {"id": "x"}])
async def test_what_is_no_credential_is_refused(client, services, given):
    """Q-11: and nothing goes on."""
    await registered(client, services)
    await client.act("register_password", new_password=PASSWORD)
    await creating(client)
    shown = await client.act("webauthn_verify_attestation_response", public_key=given)
    assert shown.name == "onboarding_verify_passkey_attestation"
    assert (shown.status, shown.error) == (401, "passkey_invalid")
    assert shown.payload == {}
    assert await fetch("SELECT id FROM app_user") == []
    assert (await client.act("back")).name == "onboarding_create_passkey"


@pytest.mark.configured(**QUIET)
async def test_a_challenge_works_once(client, services):
    """SEC-044, Q-22."""
    await registered(client, services)
    await client.act("register_password", new_password=PASSWORD)
    authenticator, options = Authenticator(), await creating(client)
    wrong = authenticator.create(options, origin="https://evil.example")
    shown = await client.act("webauthn_verify_attestation_response", public_key=wrong)
    assert (shown.status, shown.error) == (401, "passkey_invalid")
    shown = await client.act(
        "webauthn_verify_attestation_response", public_key=Authenticator().create(options)
    )
    assert (shown.status, shown.error) == (401, "passkey_invalid")


async def test_a_challenge_belongs_to_its_flow(client, services):
    """SEC-044, SEC-048."""
    await ada_with_password(services)
    await to_password(client, webauthn=True)
    options = await creating(client)
    other = type(client)(client.face)
    await to_password(other, webauthn=True)
    await creating(other)
    shown = await other.act(
        "webauthn_verify_attestation_response", public_key=Authenticator().create(options)
    )
    assert (shown.status, shown.error) == (401, "passkey_invalid")


async def test_a_credential_that_somebody_has_is_nobody_elses(client, services):
    """SEC-053."""
    user, other = await ada_with_password(services), await make_user(services)
    mine, theirs = Authenticator(), Authenticator()
    await passkey_of(services, other.id, theirs)
    await to_password(client, webauthn=True)
    made = mine.create(await creating(client), credential_id=theirs.credentials[0].id)
    shown = await client.act("webauthn_verify_attestation_response", public_key=made)
    assert shown.name == "onboarding_verify_passkey_attestation"
    assert (shown.status, shown.error) == (401, "passkey_invalid")
    assert await services.passkeys.list(user.id) == []


@pytest.mark.configured(passkey__optional=False)
async def test_one_must_have_a_passkey_where_it_is_so_configured(client, services):
    await ada_with_password(services)
    shown = await to_password(client, webauthn=True)
    assert shown.name == "onboarding_create_passkey"
    assert set(shown.actions) == {"webauthn_generate_creation_options"}
    refused = await client.act("skip")
    assert (refused.name, refused.error) == ("error", "operation_not_permitted_error")


@pytest.mark.configured(
    **QUIET, password__acquire_on_registration="never", email__use_for_authentication=False
)
async def test_nobody_skips_a_passkey_that_is_the_only_way_to_sign_in(client, services):
    """SEC-037."""
    shown = await registered(client, services)
    assert shown.name == "onboarding_create_passkey"
    refused = await client.act("skip")
    assert (refused.name, refused.error) == ("error", "operation_not_permitted_error")


@pytest.mark.configured(
    **QUIET,
    password__optional=True,
    password__acquire_on_registration="conditional",
)
async def test_without_a_passkey_a_password_is_asked_for(client, services):
    shown = await registered(client, services)
    assert shown.name == "onboarding_create_passkey"
    shown = await client.act("skip")
    assert shown.name == "password_creation"
    assert (await client.act("back")).name == "onboarding_create_passkey"
    await client.act("skip")
    assert (await client.act("skip")).name == "success"


@pytest.mark.configured(
    **QUIET,
    password__optional=True,
    password__acquire_on_registration="conditional",
    email__use_for_authentication=False,
)
async def test_whoever_skipped_the_one_does_not_skip_the_other(client, services):
    """SEC-037, Q-03: a refusal in between changes nothing of that."""
    shown = await registered(client, services)
    assert shown.name == "onboarding_create_passkey"
    await client.act("skip")
    shown = await client.act("register_password", new_password="short")
    assert set(shown.actions) == {"register_password", "back"}
    refused = await client.act("skip")
    assert (refused.name, refused.error) == ("error", "operation_not_permitted_error")


@pytest.mark.configured(
    **QUIET, password__optional=True, passkey__acquire_on_registration="conditional"
)
async def test_without_a_password_a_passkey_is_asked_for(client, services):
    shown = await registered(client, services)
    assert shown.name == "password_creation"
    shown = await client.act("skip")
    assert shown.name == "onboarding_create_passkey"
    assert (await client.act("skip")).name == "success"


@pytest.mark.configured(passkey__limit=0)
async def test_where_nobody_may_have_one_none_is_made(client, services):
    await ada_with_password(services)
    shown = await to_password(client, webauthn=True)
    assert set(shown.actions) == {"skip"}
    refused = await client.act("webauthn_generate_creation_options")
    assert (refused.name, refused.error) == ("error", "operation_not_permitted_error")


# The choice between them


@pytest.mark.configured(**CHOICE)
async def test_one_chooses_a_passkey(client, services):
    shown = await registered(client, services)
    assert shown.name == "credential_onboarding_chooser"
    assert shown.payload == {}
    assert set(shown.actions) == {
        "continue_to_passkey_registration",
        "continue_to_password_registration",
        "skip",
    }
    shown = await client.act("continue_to_passkey_registration")
    assert shown.name == "onboarding_create_passkey"
    assert set(shown.actions) == {"webauthn_generate_creation_options", "back"}
    refused = await client.act("skip")
    assert (refused.name, refused.error) == ("error", "operation_not_permitted_error")
    made = Authenticator().create(await creating(client))
    shown = await client.act("webauthn_verify_attestation_response", public_key=made)
    assert shown.name == "success"


@pytest.mark.configured(**CHOICE)
async def test_one_chooses_a_password(client, services):
    await registered(client, services)
    shown = await client.act("continue_to_password_registration")
    assert shown.name == "password_creation"
    assert set(shown.actions) == {"register_password", "back"}
    assert (await client.act("back")).name == "credential_onboarding_chooser"
    await client.act("continue_to_password_registration")
    shown = await client.act("register_password", new_password=PASSWORD)
    assert shown.name == "success"


@pytest.mark.configured(**CHOICE)
async def test_one_chooses_neither(client, services):
    await registered(client, services)
    assert (await client.act("skip")).name == "success"


@pytest.mark.configured(**CHOICE, email__use_for_authentication=False)
async def test_one_must_choose_where_mail_does_not_sign_in(client, services):
    """SEC-037."""
    shown = await registered(client, services)
    assert shown.name == "credential_onboarding_chooser"
    assert "skip" not in shown.actions
    refused = await client.act("skip")
    assert (refused.name, refused.error) == ("error", "operation_not_permitted_error")


@pytest.mark.configured(**{**CHOICE, "password__optional": False, "passkey__optional": False})
async def test_one_must_choose_where_both_are_needed(client, services):
    await registered(client, services)
    refused = await client.act("skip")
    assert (refused.name, refused.error) == ("error", "operation_not_permitted_error")
