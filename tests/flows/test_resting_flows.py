"""A flow may rest for a day; what was shown before counts only while the account is what it was.

The owner of the account changes something between two steps of a flow that somebody else has begun.
"""

import asyncio
import logging

import pytest
from credentials.authenticator import UP, Authenticator
from factories import make_session, make_user, session_actor
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
from flows.people import at_code, at_password, enter_code, identified, registered_to_code
from flows.walking import deliver, mailed_code, preflight

from app.access import SYSTEM
from app.credentials.passwords import Verified
from app.federation.connector import OutsideIdentity
from app.federation.identities import Identities
from app.persistence import fetch
from app.selfservice import Oneself
from app.users import NewEmail, NewUser, ProfileChanges

BOX = "b@example.com"
EVIL = "attackers choice of words"
AT_GOOGLE = OutsideIdentity("google", "https://accounts.google.com", "ada")
REFUSED = "operation_not_permitted_error"


async def sessions():
    return len(await fetch("SELECT id FROM user_session"))


async def addresses(services, user):
    return {one.address for one in (await services.users.emails_of([user.id]))[user.id]}


async def oneself(services, user):
    return Oneself(session_actor(await make_session(services, user)))


async def two_boxes(services):
    user = await ada_with_password(services)
    await services.users.add_email(SYSTEM, user.id, NewEmail(BOX, is_verified=True))
    return user


async def give_up_box(services, user):
    """The owner removes the second address, and ends every session."""
    emails = (await services.users.emails_of([user.id]))[user.id]
    (box,) = (one for one in emails if one.address == BOX)
    await services.self_service.delete_email(await oneself(services, user), box.id)
    await services.sessions.end_all(SYSTEM, user.id)


def its_options(shown, name):
    return shown.payload[name].get("publicKey", shown.payload[name])


async def make_key(client, device):
    """Make a security key where a second factor is chosen."""
    await client.act("continue_to_security_key_creation")
    shown = await client.act("webauthn_generate_creation_options")
    made = device.create(its_options(shown, "creation_options"), flags=UP)
    return await client.act("webauthn_verify_attestation_response", public_key=made)


async def use_passkey(client, device):
    await preflight(client, webauthn=True)
    shown = await client.act("webauthn_generate_request_options")
    signed = device.get(its_options(shown, "request_options"))
    return await client.act("webauthn_verify_assertion_response", assertion_response=signed)


async def holds_password(services, user, password):
    return isinstance(await services.passwords.verify(user.id, password), Verified)


class TestAddresses:
    """A mailed code says who signs in only while the address is theirs (SEC-038, SEC-040)."""

    async def test_a_code_of_an_address_that_was_given_up_is_a_wrong_one(self, client, services):
        """SEC-040: the code was mailed before; the answer is what a wrong code gets."""
        user = await two_boxes(services)
        await at_code(client, BOX)
        code = await mailed_code(services, BOX)
        await give_up_box(services, user)
        refused = await client.act("verify_passcode", code=code)
        assert (refused.name, refused.status) == ("passcode_confirmation", 400)
        assert refused.problems == {"code": "passcode_invalid"}
        assert (await fetch("SELECT tries FROM passcode"))[0]["tries"] == 1
        assert await addresses(services, user) == {ADA}
        assert not await sessions()

    @pytest.mark.parametrize("way", ["code", "recovery"])
    async def test_no_code_is_mailed_to_an_address_that_was_given_up(self, client, services, way):
        """SEC-038: who was named hours ago may have another address by now."""
        user = await two_boxes(services)
        await identified(client, BOX)
        await give_up_box(services, user)
        later(services, hours=20)
        await deliver(services)
        if way == "code":
            shown = await client.act("continue_to_passcode_confirmation")
        else:
            await client.act("continue_to_password_login")
            shown = await client.act("continue_to_passcode_confirmation_recovery")
        assert shown.name == "passcode_confirmation"
        (mail, *_) = [one for one in await deliver(services) if one.to == BOX]
        assert mail.subject.startswith("Sign-in attempt")
        refused = await client.act("verify_passcode", code="000000")
        assert refused.problems == {"code": "passcode_invalid"}

    async def test_another_code_is_not_mailed_there_either(self, client, services):
        user = await two_boxes(services)
        await at_code(client, BOX)
        await give_up_box(services, user)
        await client.act("resend_passcode")
        (mail, *_) = [one for one in await deliver(services) if one.to == BOX]
        assert mail.subject.startswith("Sign-in attempt")

    async def test_an_address_that_is_anothers_by_now_signs_the_other_in(self, client, services):
        """SEC-040: the code says who reads the mail, and that is its owner of today."""
        user = await two_boxes(services)
        await identified(client, BOX)
        await give_up_box(services, user)
        bob = await make_user(services, email=BOX)
        await client.act("continue_to_passcode_confirmation")
        await enter_code(client, services, BOX)
        (session,) = await fetch("SELECT user_id FROM user_session")
        assert session["user_id"] == bob.id
        assert await addresses(services, user) == {ADA}

    async def test_an_address_does_not_come_back_by_being_proved(self, client, services):
        """A profile that rests at the code of an address which was removed adds nothing."""
        user = await ada_with_password(services)
        box = await services.users.add_email(SYSTEM, user.id, NewEmail(BOX))
        await to_profile(client, services, user)
        await client.act("email_verify", email_id=str(box.id))
        code = await mailed_code(services, BOX)
        await services.users.delete_email(SYSTEM, user.id, box.id)
        refused = await client.act("verify_passcode", code=code)
        assert refused.error == REFUSED
        assert await addresses(services, user) == {ADA}


@pytest.mark.configured(mfa__acquire_on_login=True, passkey__acquire_on_login="never")
class TestSecondFactors:
    """SEC-032: a second factor that was enrolled meanwhile is asked for before one is made."""

    async def test_after_a_password_sec_032(self, client, services):
        user = await ada_with_password(services)
        await preflight(client, webauthn=True)
        await client.act("continue_with_login_identifier", email=ADA)
        await client.act("continue_to_password_login")
        await with_app(services, user)
        later(services, hours=10)
        shown = await client.act("password_login", password=PASSWORD)
        assert shown.name == "login_otp"
        refused = await client.act("continue_to_security_key_creation")
        assert refused.error == REFUSED

    async def test_after_a_code_sec_032(self, client, services):
        user = await ada_with_password(services)
        await preflight(client, webauthn=True)
        await client.act("continue_with_login_identifier", email=ADA)
        await client.act("continue_to_passcode_confirmation")
        await with_app(services, user)
        assert (await enter_code(client, services)).name == "login_otp"

    async def test_one_that_is_being_made_makes_way_for_the_owners_sec_032(self, client, services):
        user = await ada_with_password(services)
        shown = await to_password(client, webauthn=True)
        assert shown.name == "mfa_method_chooser"
        await with_app(services, user)
        refused = await client.act("continue_to_security_key_creation")
        assert refused.error == REFUSED

    async def test_the_flows_own_factor_does_not_end_it(self, client, services):
        user = await ada_with_password(services)
        await to_password(client, webauthn=True)
        shown = await make_key(client, Authenticator())
        assert shown.name in {"success", "device_trust"}
        assert (await services.passkeys.count_of(user.id)).security_keys == 1


class TestLostMeans:
    """SEC-027: what a flow was begun with is gone, and so is the flow."""

    async def test_a_recovery_that_rests_sec_027(self, client, services):
        user = await ada_with_password(services)
        await identified(client)
        await client.act("continue_to_password_login")
        await client.act("continue_to_passcode_confirmation_recovery")
        assert (await enter_code(client, services)).name == "login_password_recovery"
        made = await services.passwords.prepare("a wholly new secret of mine")
        await services.own_credentials.store_password(await oneself(services, user), made)
        await services.sessions.end_all(SYSTEM, user.id)
        later(services, hours=20)
        refused = await client.act("password_recovery", new_password=EVIL)
        assert refused.error == REFUSED
        assert not await holds_password(services, user, EVIL)
        assert not await sessions()

    @pytest.mark.configured(password__acquire_on_login="always")
    async def test_a_passkey_that_was_deleted_sec_027(self, client, services):
        user = await make_user(services, email=ADA)
        shown = await use_passkey(client, await with_key(services, user, "passkey"))
        assert shown.name == "password_creation"
        (passkey,) = await services.passkeys.list(user.id)
        await services.own_credentials.delete_passkey(
            await oneself(services, user), passkey.credential_id
        )
        await services.sessions.end_all(SYSTEM, user.id)
        refused = await client.act("register_password", new_password=EVIL)
        assert refused.error == REFUSED
        assert not await holds_password(services, user, EVIL)
        assert not await sessions()

    @pytest.mark.configured(email__require_verification=False, password__acquire_on_login="always")
    async def test_who_waits_while_the_address_is_proved_sec_064(self, public, services, client):
        """SEC-064: the flow of who came before is void with all the rest."""
        new = NewUser(emails=(NewEmail(ADA, is_primary=True),))
        user, _ = await services.users.create(SYSTEM, new)
        device = await with_key(services, user, "passkey")
        assert (await use_passkey(client, device)).name == "password_creation"
        owner = type(client)(public)
        await at_code(owner)
        await enter_code(owner, services)
        assert not await services.passkeys.list(user.id)
        refused = await client.act("register_password", new_password=EVIL)
        assert refused.error == REFUSED
        assert not await holds_password(services, user, EVIL)

    @pytest.mark.configured(email__require_verification=False)
    async def test_a_password_set_meanwhile_is_voided_too_sec_064(self, client, services):
        """SEC-064: the database is asked what there is, not the flow's memory."""
        new = NewUser(emails=(NewEmail(ADA, is_primary=True),))
        user, _ = await services.users.create(SYSTEM, new)
        await at_code(client)
        code = await mailed_code(services, ADA)
        await services.passwords.set(SYSTEM, user.id, EVIL)
        await client.act("verify_passcode", code=code)
        assert not await holds_password(services, user, EVIL)

    @pytest.mark.configured(mfa__device_trust_policy="prompt")
    async def test_a_device_is_not_trusted_for_another_app_sec_059(self, client, services):
        """SEC-059: the app that was shown has been replaced."""
        user = await ada_with_password(services)
        secret = await with_app(services, user)
        await to_password(client)
        shown = await client.act("otp_code_validate", otp_code=code_of(services, secret))
        assert shown.name == "device_trust"
        await services.totp.delete(SYSTEM, user.id)
        await with_app(services, user)
        refused = await client.act("trust_device")
        assert refused.error == REFUSED
        assert not await fetch("SELECT id FROM trusted_device")
        assert not await sessions()

    async def test_a_profile_dies_with_its_session_sec_060(self, client, services):
        user = await ada_with_password(services)
        await to_profile(client, services, user)
        await services.sessions.end_all(SYSTEM, user.id)
        refused = await client.act("password_update", password=EVIL)
        assert refused.status == 401
        assert not await holds_password(services, user, EVIL)


async def stamp(user):
    rows = await fetch("SELECT security_stamp FROM app_user WHERE id = $1", user.id)
    return rows[0]["security_stamp"]


class TestTheStamp:
    """It rises with whatever changes what opens the account, whoever changes it."""

    async def test_it_rises_with_every_change(self, services):
        user = await ada_with_password(services)
        seen, identities = await stamp(user), Identities(services.clock)

        async def key():
            await with_key(services, user, "security_key")

        async def no_key():
            (one,) = await services.passkeys.list(user.id)
            await services.passkeys.delete(SYSTEM, user.id, one.credential_id)

        async def box():
            new = NewEmail(BOX, is_verified=True)
            await services.users.add_email(SYSTEM, user.id, new)

        async def primary():
            emails = (await services.users.emails_of([user.id]))[user.id]
            (one,) = (e for e in emails if e.address == BOX)
            await services.users.set_primary_email(SYSTEM, user.id, one.id)

        async def no_box():
            emails = (await services.users.emails_of([user.id]))[user.id]
            (one,) = (e for e in emails if e.address == ADA)
            await services.users.delete_email(SYSTEM, user.id, one.id)

        for change in (
            key,
            no_key,
            lambda: with_app(services, user),
            lambda: services.totp.delete(SYSTEM, user.id),
            lambda: services.recovery_codes.generate(SYSTEM, user.id),
            lambda: services.recovery_codes.delete(SYSTEM, user.id),
            lambda: services.passwords.set(SYSTEM, user.id, EVIL),
            lambda: services.passwords.delete(SYSTEM, user.id),
            box,
            primary,
            no_box,
            lambda: services.users.update(SYSTEM, user.id, ProfileChanges(username="ada_l")),
            lambda: identities.add(user.id, AT_GOOGLE, None, signs_in=False),
            lambda: identities.remove_all(user.id),
            lambda: services.sessions.end_all(SYSTEM, user.id),
        ):
            await change()
            now = await stamp(user)
            assert now > seen, change
            seen = now

    async def test_it_stays_where_nothing_opens_the_account(self, services, client):
        user = await ada_with_password(services)
        seen = await stamp(user)
        await services.users.update(SYSTEM, user.id, ProfileChanges(name="Ada Lovelace"))
        await services.users.add_email(SYSTEM, user.id, NewEmail(BOX))
        await at_password(client)
        await client.act("password_login", password="wrong " + PASSWORD)
        assert await stamp(user) == seen


@pytest.mark.configured(
    passkey__acquire_on_registration="never", mfa__acquire_on_registration=False
)
class TestTaken:
    """Two register one address at once: one has it, the other is told so."""

    async def at_last_step(self, client, services):
        await registered_to_code(client)
        return await enter_code(client, services)

    async def test_the_loser_is_told(self, public, client, services, caplog):
        other = type(client)(public)
        assert (await self.at_last_step(client, services)).name == "password_creation"
        assert (await self.at_last_step(other, services)).name == "password_creation"
        with caplog.at_level(logging.ERROR, logger="sekisho.flows"):
            first, second = await asyncio.gather(
                *(one.act("register_password", new_password=PASSWORD) for one in (client, other))
            )
        shown = sorted((first, second), key=lambda one: one.name)
        assert [one.name for one in shown] == ["error", "success"]
        assert shown[0].error == "email_already_exists"
        assert not shown[0].token
        assert not caplog.records
