"""Passwords, passkeys, keys and the app in the profile, walked on both faces by one body (§2.3)."""

from datetime import timedelta

import pytest
from credentials.authenticator import Authenticator
from credentials.ceremonies import events, logged_in
from factories import make_session, make_user
from flows.members import (
    ADA,
    PASSWORD,
    ada_with_password,
    code_of,
    later,
    to_password,
    to_profile,
    with_app,
    with_key,
)
from flows.walking import deliver

from app.access import SYSTEM
from app.credentials.passkey_values import Accepted
from app.persistence import fetch
from app.users import NewUser, ProfileChanges

NEW = "a staple of new batteries"
OPTIONAL = {"password__optional": True}
STEP_UP = {"session__step_up__max_age": timedelta(minutes=5)}


async def refused(client, action, **inputs):
    """See that an action which is not offered is not done either (SEC-060)."""
    shown = await client.act(action, **inputs)
    assert (shown.name, shown.error) == ("error", "operation_not_permitted_error")


async def sessions_of(services, user):
    return await fetch("SELECT id FROM user_session WHERE user_id = $1", user.id)


# Passwords


async def test_a_password_is_set(client, services):
    user = await make_user(services, email=ADA)
    shown = await to_profile(client, services, user)
    asked = shown.actions["password_create"]["password"]
    assert (asked["required"], asked["min_length"]) == (True, 8)
    await refused(client, "password_update", password=PASSWORD)
    await refused(client, "password_delete")
    shown = await client.act("password_create", password=PASSWORD)
    assert (shown.name, shown.status) == ("profile_init", 200)
    assert "password_update" in shown.actions
    assert "password_create" not in shown.actions
    (record,) = await events("password_changed")
    assert record["context"] == "profile"
    assert (await to_password(client)).name == "success"


async def test_a_password_is_changed_and_ends_what_the_old_one_opened(client, services):
    """SEC-027, SEC-037."""
    user = await ada_with_password(services)
    await make_session(services, user)
    await services.trusted_devices.issue(SYSTEM, user.id)
    await to_profile(client, services, user)
    assert len(await sessions_of(services, user)) == 2
    shown = await client.act("password_update", password=NEW)
    assert (shown.name, shown.status) == ("profile_init", 200)
    assert len(await sessions_of(services, user)) == 1
    assert await services.trusted_devices.of(user.id) == []
    (notice,) = await deliver(services)
    assert (notice.to, "password" in notice.subject) == (ADA, True)
    assert (await to_password(client)).problems == {"password": "value_invalid_error"}


@pytest.mark.parametrize("password", ["", "short", "password1", "x" * 2000, ADA])
async def test_a_password_that_breaks_a_rule_is_refused(client, services, password):
    """SEC-035, SEC-036."""
    user = await ada_with_password(services)
    await to_profile(client, services, user)
    shown = await client.act("password_update", password=password)
    assert (shown.name, shown.status, shown.error) == (
        "profile_init", 400, "form_data_invalid_error"
    )  # fmt: skip
    assert set(shown.problems) == {"password"}
    assert (await to_password(client)).name == "success"


@pytest.mark.configured(**OPTIONAL)
async def test_a_password_goes_where_mail_signs_in(client, services):
    """SEC-027."""
    user = await ada_with_password(services)
    await make_session(services, user)
    await to_profile(client, services, user)
    shown = await client.act("password_delete")
    assert (shown.name, shown.status) == ("profile_init", 200)
    assert await services.passwords.changed_at(user.id) is None
    assert len(await sessions_of(services, user)) == 1
    await refused(client, "password_delete")


@pytest.mark.configured(**OPTIONAL, email__use_for_authentication=False)
async def test_a_password_that_is_the_only_way_in_stays(client, services):
    """SEC-037."""
    user = await ada_with_password(services)
    await with_key(services, user)  # a second factor is no way in
    shown = await to_profile(client, services, user)
    assert "password_delete" not in shown.actions
    await refused(client, "password_delete")
    await with_key(services, user, "passkey")
    shown = await client.act("patch_metadata", patch_metadata={})
    assert "password_delete" in shown.actions


async def test_a_password_that_everybody_has_stays(client, services):
    user = await ada_with_password(services)
    await to_profile(client, services, user)
    await refused(client, "password_delete")


@pytest.mark.configured(password__enabled=False)
async def test_where_there_are_no_passwords_none_is_offered(client, services):
    user = await make_user(services)
    await to_profile(client, services, user)
    for action in ("password_create", "password_update", "password_delete"):
        await refused(client, action, **({"password": NEW} if action != "password_delete" else {}))


# Passkeys


async def creating(client, action):
    shown = await client.act(action)
    assert shown.name == "webauthn_credential_verification"
    assert set(shown.actions) == {"webauthn_verify_attestation_response", "back"}
    return shown.payload["creation_options"]["publicKey"]


async def test_a_passkey_is_made_named_and_deleted(client, services):
    """SEC-027, SEC-037."""
    user = await ada_with_password(services)
    await to_profile(client, services, user, webauthn=True)
    authenticator = Authenticator()
    options = await creating(client, "webauthn_credential_create")
    assert options["user"]["name"] == ADA
    shown = await client.act(
        "webauthn_verify_attestation_response", public_key=authenticator.create(options)
    )
    assert (shown.name, shown.status) == ("profile_init", 200)
    assert isinstance(await logged_in(services, authenticator), Accepted)
    (notice,) = await deliver(services)
    assert (notice.to, "passkey" in notice.subject) == (ADA, True)
    (passkey,) = await services.passkeys.list(user.id)
    shown = await client.act(
        "webauthn_credential_rename", passkey_id=passkey.credential_id, passkey_name=" Blue "
    )
    assert (shown.name, shown.status) == ("profile_init", 200)
    assert (await services.passkeys.list(user.id))[0].name == "Blue"
    await make_session(services, user)
    shown = await client.act("webauthn_credential_delete", passkey_id=passkey.credential_id)
    assert (shown.name, shown.status) == ("profile_init", 200)
    assert await services.passkeys.list(user.id) == []
    assert len(await sessions_of(services, user)) == 1
    assert "webauthn_credential_delete" not in shown.actions


@pytest.mark.parametrize("given", [None, {}, "nonsense", {"id": "x"}])
@pytest.mark.parametrize("action", ["webauthn_credential_create", "security_key_create"])
async def test_a_failed_ceremony_leads_back(client, services, action, given):
    user = await ada_with_password(services)
    await to_profile(client, services, user, webauthn=True)
    await creating(client, action)
    shown = await client.act("webauthn_verify_attestation_response", public_key=given)
    assert (shown.name, shown.status, shown.error) == ("profile_init", 401, "passkey_invalid")
    assert shown.payload["user"]["id"] == str(user.id)
    assert await services.passkeys.list(user.id) == []


async def test_a_ceremony_of_another_origin_fails(client, services):
    """SEC-045."""
    user = await ada_with_password(services)
    await to_profile(client, services, user, webauthn=True)
    options = await creating(client, "webauthn_credential_create")
    made = Authenticator().create(options, origin="https://evil.example")
    shown = await client.act("webauthn_verify_attestation_response", public_key=made)
    assert (shown.name, shown.status, shown.error) == ("profile_init", 401, "passkey_invalid")
    assert await services.passkeys.list(user.id) == []


async def test_one_goes_back_from_a_ceremony(client, services):
    user = await ada_with_password(services)
    await to_profile(client, services, user, webauthn=True)
    await creating(client, "webauthn_credential_create")
    shown = await client.act("back")
    assert shown.name == "profile_init"
    assert "back" not in shown.actions


async def test_a_client_without_webauthn_makes_none(client, services):
    user = await ada_with_password(services)
    await to_profile(client, services, user)
    await refused(client, "webauthn_credential_create")
    await refused(client, "security_key_create")


@pytest.mark.configured(passkey__limit=1, mfa__security_keys__limit=1)
async def test_nobody_has_more_than_are_allowed(client, services):
    """Q-26: each kind counts for itself."""
    user = await ada_with_password(services)
    await with_key(services, user)
    shown = await to_profile(client, services, user, webauthn=True)
    assert "webauthn_credential_create" in shown.actions
    await refused(client, "security_key_create")
    await with_key(services, user, "passkey")
    await refused(client, "webauthn_credential_create")


@pytest.mark.configured(passkey__enabled=False, mfa__enabled=False)
async def test_where_there_are_none_none_is_made(client, services):
    user = await ada_with_password(services)
    await to_profile(client, services, user, webauthn=True)
    await refused(client, "webauthn_credential_create")
    await refused(client, "security_key_create")


async def test_only_ones_own_credential_is_found(client, services):
    """SEC-054."""
    user, other = await ada_with_password(services), await make_user(services)
    await with_key(services, user, "passkey")
    await with_key(services, user)
    await with_key(services, other, "passkey")
    (foreign,) = await services.passkeys.list(other.id)
    await to_profile(client, services, user)
    for action, inputs in (
        ("webauthn_credential_delete", {"passkey_id": foreign.credential_id}),
        ("security_key_delete", {"security_key_id": foreign.credential_id}),
        (
            "webauthn_credential_rename",
            {"passkey_id": foreign.credential_id, "passkey_name": "x"},
        ),
    ):
        shown = await client.act(action, **inputs)
        assert (shown.name, shown.status, shown.error) == ("profile_init", 404, "not_found")
    assert len(await services.passkeys.list(other.id)) == 1
    passkey, _ = await services.passkeys.list(user.id)
    shown = await client.act("security_key_delete", security_key_id=passkey.credential_id)
    assert (shown.status, shown.error) == (404, "not_found")


@pytest.mark.parametrize("name", ["", " ", "x" * 101, "a\u200bb"])
async def test_a_name_that_nobody_reads_is_refused(client, services, name):
    user = await ada_with_password(services)
    await with_key(services, user)
    (key,) = await services.passkeys.list(user.id)
    await to_profile(client, services, user)
    shown = await client.act(
        "webauthn_credential_rename", passkey_id=key.credential_id, passkey_name=name
    )
    assert (shown.name, shown.status) == ("profile_init", 400)
    assert set(shown.problems) == {"passkey_name"}


async def test_who_has_no_credential_names_and_deletes_none(client, services):
    user = await ada_with_password(services)
    await to_profile(client, services, user)
    await refused(client, "webauthn_credential_rename", passkey_id="x", passkey_name="x")
    await refused(client, "webauthn_credential_delete", passkey_id="x")
    await refused(client, "security_key_delete", security_key_id="x")


@pytest.mark.configured(passkey__optional=False)
async def test_the_last_passkey_stays_where_everybody_has_one(client, services):
    user = await ada_with_password(services)
    await with_key(services, user, "passkey")
    (first,) = await services.passkeys.list(user.id)
    await to_profile(client, services, user)
    await refused(client, "webauthn_credential_delete", passkey_id=first.credential_id)
    await with_key(services, user, "passkey")
    shown = await client.act("webauthn_credential_delete", passkey_id=first.credential_id)
    assert (shown.name, shown.status) == ("profile_init", 200)


@pytest.mark.configured(email__use_for_authentication=False)
async def test_a_passkey_that_is_the_only_way_in_stays(client, services):
    """SEC-037: even while a security key may go, which pages ask of the same action (Q-27)."""
    user = await make_user(services, email=ADA)
    await with_key(services, user, "passkey")
    await with_key(services, user)
    passkey, key = await services.passkeys.list(user.id)
    await to_profile(client, services, user)
    shown = await client.act("webauthn_credential_delete", passkey_id=passkey.credential_id)
    assert (shown.name, shown.status) == ("profile_init", 403)
    assert shown.error == "operation_not_permitted_error"
    shown = await client.act("webauthn_credential_delete", passkey_id=key.credential_id)
    assert (shown.name, shown.status) == ("profile_init", 200)
    await refused(client, "webauthn_credential_delete", passkey_id=passkey.credential_id)
    assert len(await services.passkeys.list(user.id)) == 1


# Security keys


async def test_a_security_key_is_made_and_deleted(client, services):
    """SEC-027, SEC-037, SEC-059: trust in devices ends with either."""
    user = await ada_with_password(services)
    await services.trusted_devices.issue(SYSTEM, user.id)
    await to_profile(client, services, user, webauthn=True)
    options = await creating(client, "security_key_create")
    assert options["authenticatorSelection"]["residentKey"] == "discouraged"
    shown = await client.act(
        "webauthn_verify_attestation_response", public_key=Authenticator().create(options)
    )
    assert (shown.name, shown.status) == ("profile_init", 200)
    (key,) = await services.passkeys.list(user.id)
    assert key.is_mfa_only
    assert await services.trusted_devices.of(user.id) == []
    await services.trusted_devices.issue(SYSTEM, user.id)
    await services.recovery_codes.generate(SYSTEM, user.id)
    shown = await client.act("security_key_delete", security_key_id=key.credential_id)
    assert (shown.name, shown.status) == ("profile_init", 200)
    assert await services.passkeys.list(user.id) == []
    assert await services.trusted_devices.of(user.id) == []
    assert await services.recovery_codes.left(user.id) == 0
    removed, added = await deliver(services)
    assert (removed.to, added.to) == (ADA, ADA)
    assert "removed" in removed.subject
    assert "added" in added.subject


@pytest.mark.configured(mfa__optional=False)
async def test_the_last_second_factor_stays_where_everybody_has_one(client, services):
    user = await ada_with_password(services)
    await with_key(services, user)
    (key,) = await services.passkeys.list(user.id)
    await to_profile(client, services, user)
    await refused(client, "security_key_delete", security_key_id=key.credential_id)
    await with_app(services, user)
    shown = await client.act("security_key_delete", security_key_id=key.credential_id)
    assert (shown.name, shown.status) == ("profile_init", 200)
    await refused(client, "otp_secret_delete")
    await with_key(services, user)
    assert (await client.act("otp_secret_delete")).status == 200


# The authenticator app


async def test_an_app_is_set_up_and_removed(client, services):
    """SEC-027, SEC-037, SEC-055, SEC-059."""
    user = await ada_with_password(services)
    shown = await to_profile(client, services, user)
    await refused(client, "otp_secret_delete")
    shown = await client.act("continue_to_otp_secret_creation")
    assert shown.name == "mfa_otp_secret_creation"
    assert set(shown.actions) == {"otp_code_verify", "back"}
    secret = shown.payload["otp_secret"]
    shown = await client.act("otp_code_verify", otp_code=code_of(services, secret, steps=9))
    assert shown.problems == {"otp_code": "passcode_invalid"}
    assert shown.payload["otp_secret"] == secret
    assert await services.totp.of(user.id) is None
    shown = await client.act("otp_code_verify", otp_code=code_of(services, secret))
    assert (shown.name, shown.status) == ("profile_init", 200)
    assert await services.totp.of(user.id) is not None
    await refused(client, "continue_to_otp_secret_creation")
    (notice,) = await deliver(services)
    assert (notice.to, "added" in notice.subject) == (ADA, True)
    await services.trusted_devices.issue(SYSTEM, user.id)
    await make_session(services, user)
    shown = await client.act("otp_secret_delete")
    assert (shown.name, shown.status) == ("profile_init", 200)
    assert await services.totp.of(user.id) is None
    assert await services.trusted_devices.of(user.id) == []
    assert len(await sessions_of(services, user)) == 1


async def test_a_secret_that_was_only_looked_at_is_nobodys(client, services):
    """SEC-055."""
    user = await ada_with_password(services)
    await to_profile(client, services, user)
    first = (await client.act("continue_to_otp_secret_creation")).payload["otp_secret"]
    assert (await client.act("back")).name == "profile_init"
    second = (await client.act("continue_to_otp_secret_creation")).payload["otp_secret"]
    assert first != second
    shown = await client.act("otp_code_verify", otp_code=code_of(services, first))
    assert shown.problems == {"otp_code": "passcode_invalid"}
    assert await services.totp.of(user.id) is None


async def test_who_has_no_address_sets_up_an_app_by_name(client, services):
    """Q-23, Q-24."""
    new = NewUser(profile=ProfileChanges(username="ada"))
    user, _ = await services.users.create(SYSTEM, new)
    await to_profile(client, services, user)
    shown = await client.act("continue_to_otp_secret_creation")
    assert shown.name == "mfa_otp_secret_creation"
    shown = await client.act(
        "otp_code_verify", otp_code=code_of(services, shown.payload["otp_secret"])
    )
    assert (shown.name, shown.status) == ("profile_init", 200)


@pytest.mark.configured(mfa__totp__enabled=False)
async def test_where_apps_do_not_count_none_is_set_up(client, services):
    user = await ada_with_password(services)
    await to_profile(client, services, user)
    await refused(client, "continue_to_otp_secret_creation")


# A recent sign-in


@pytest.mark.configured(**STEP_UP, username__enabled=True, account__allow_deletion=True)
async def test_what_opens_the_account_is_changed_soon_after_the_sign_in(client, services):
    """SEC-037: where it is so configured."""
    user = await ada_with_password(services, username="ada")
    await with_app(services, user)
    (email,) = (await services.users.emails_of([user.id]))[user.id]
    await to_profile(client, services, user, webauthn=True)
    later(services, minutes=4)
    assert (await client.act("username_update", username="lovelace")).status == 200
    later(services, minutes=2)
    for action, inputs in (
        ("username_update", {"username": "ada"}),
        ("username_delete", {}),
        ("password_update", {"password": NEW}),
        ("email_create", {"email": "eve@example.com"}),
        ("email_delete", {"email_id": str(email.id)}),
        ("webauthn_credential_create", {}),
        ("security_key_create", {}),
        ("otp_secret_delete", {}),
        ("account_delete", {}),
    ):
        shown = await client.act(action, **inputs)
        assert (shown.name, shown.status) == ("profile_init", 403), action
        assert shown.error == "operation_not_permitted_error"
    shown = await client.act("patch_metadata", patch_metadata={"theme": "dark"})
    assert shown.status == 200
    assert (await services.users.by_id(user.id)).username == "lovelace"


async def test_by_default_the_profile_asks_for_no_recent_sign_in(client, services):
    user = await ada_with_password(services)
    await to_profile(client, services, user)
    later(services, hours=6)
    assert (await client.act("password_update", password=NEW)).status == 200
