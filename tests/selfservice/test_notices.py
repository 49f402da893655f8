"""Whoever has the primary address is told of what changes on the account (SEC-037)."""

import dataclasses
import json
from typing import get_args

import msgspec
import pytest
from credentials.authenticator import Authenticator
from credentials.ceremonies import passkey_of
from factories import make_session, make_user, reconfigured, session_actor

from app.access import SYSTEM, Origin
from app.config.sections import EmailDelivery, Notification, Notifications, SecurityNotifications
from app.credentials.passwords import PreparedPassword
from app.credentials.totp import Accepted
from app.credentials.webauthn_json import read_registration
from app.mail import TEMPLATES, Notice
from app.persistence import fetch, transaction
from app.selfservice import Oneself
from app.users import NewEmail, NewUser, ProfileChanges

ADA = "ada.lovelace@example.com"
EVERY = get_args(Notice)
NOTICES = [notice for notice in EVERY if not notice.startswith("identity_")]
"""Those of what users change here; links to providers have tests of their own."""

MADE = PreparedPassword("$argon2id$made-up", imported=False)


class Ada:
    """A signed-in user, and the changes that there is a notice for."""

    def __init__(self, services, user, issued):
        self.services, self.user = services, user
        self.service, self.credentials = services.self_service, services.own_credentials
        self.me = Oneself(session_actor(issued))

    async def cause(self, notice):
        """Do what a notice is about, and nothing else that has one."""
        await getattr(self, notice)()

    async def password_create(self):
        await self.credentials.store_password(self.me, MADE)

    async def password_update(self):
        await self.services.passwords.store(SYSTEM, self.user.id, MADE, "admin")
        await self.credentials.store_password(self.me, MADE)

    async def password_delete(self):
        await self.services.passwords.store(SYSTEM, self.user.id, MADE, "admin")
        await self.credentials.delete_password(self.me)

    async def primary_email_update(self):
        other = await self._other()
        await self.service.set_primary_email(self.me, other.id)

    async def email_create(self):
        await self.service.add_email(self.me, "other@example.com", is_verified=True)

    async def email_delete(self):
        other = await self._other()
        await self.service.delete_email(self.me, other.id)

    async def username_update(self):
        await self.service.set_username(self.me, "ada_l")

    async def username_delete(self):
        await self.services.users.update(SYSTEM, self.user.id, ProfileChanges(username="ada_l"))
        await self.service.delete_username(self.me)

    async def passkey_create(self):
        await self._key("passkey")

    async def passkey_delete(self):
        passkey = await passkey_of(self.services, self.user.id, Authenticator())
        await self.credentials.delete_passkey(self.me, passkey.credential_id)

    async def mfa_create(self):
        await self._key("security_key")

    async def mfa_delete(self):
        await self.services.totp.store(SYSTEM, self.user.id, "SECRET", Accepted(1))
        await self.credentials.delete_totp(self.me)

    async def recovery_codes_create(self):
        await self.credentials.regenerate_recovery_codes(self.me)

    async def _other(self):
        new = NewEmail("other@example.com", is_verified=True)
        return await self.services.users.add_email(SYSTEM, self.user.id, new)

    async def _key(self, kind):
        person = (await self.service.held(self.user.id)).owner
        session_id = self.me.actor.require_session()
        options = await self.services.ceremonies.begin_registration(
            person, kind, bound_to=session_id
        )
        response = Authenticator().create(options)
        await self.credentials.finish_passkey(self.me, read_registration(response), session_id)


async def ada_at(services, **given):
    """A user who may go without a password."""
    rules = msgspec.structs.replace(services.config.password, optional=True)
    services = await reconfigured(services, password=rules)
    user = await make_user(services, email=ADA, **given)
    return Ada(services, user, await make_session(services, user))


@pytest.fixture
async def ada(services):
    return await ada_at(services)


async def waiting():
    rows = await fetch("SELECT template, recipient, language FROM mail_outbox")
    return [(row["template"], row["recipient"]) for row in rows]


async def records():
    rows = await fetch(
        "SELECT subject_id, actor_id, details FROM audit_event "
        "WHERE type = 'security_notification_sent'"
    )
    return [(row["subject_id"], row["actor_id"], json.loads(row["details"])) for row in rows]


def test_every_notice_is_a_mail_and_can_be_switched_off():
    assert set(EVERY) < set(TEMPLATES)
    assert set(EVERY) == set(Notifications.__struct_fields__)


@pytest.mark.parametrize("notice", NOTICES)
async def test_a_change_is_told_once_and_recorded(ada, notice):
    """SEC-037, SEC-118: to the address that was there before, and masked in the record."""
    await ada.cause(notice)
    assert await waiting() == [(notice, ADA)]
    details = {"template": notice, "email_address": "ada*****@example.com"}
    assert await records() == [(ada.user.id, ada.user.id, {**details, "delivered_by_hanko": True})]


@pytest.mark.parametrize("notice", NOTICES)
async def test_a_notice_that_is_switched_off_is_not_sent(services, notice):
    off = msgspec.structs.replace(Notifications(), **{notice: Notification(enabled=False)})
    ada = await ada_at(
        await reconfigured(services, security_notifications=SecurityNotifications(off))
    )
    await ada.cause(notice)
    assert (await waiting(), await records()) == ([], [])


@pytest.mark.parametrize("notice", ["password_delete", "username_update", "passkey_delete"])
async def test_a_notice_is_gone_with_its_change(ada, notice):
    """SEC-118"""
    with pytest.raises(ZeroDivisionError):
        async with transaction():
            await ada.cause(notice)
            _ = 1 / 0
    assert (await waiting(), await records()) == ([], [])


async def test_a_notice_is_in_the_users_language(services):
    ada = await ada_at(services, locale="nl-BE")
    await ada.service.set_username(ada.me, "ada_l")
    (row,) = await fetch("SELECT language FROM mail_outbox")
    assert row["language"] == "nl"
    while await services.mail.deliver_next():
        ...
    (mail,) = await services.mail.mailbox.newest()
    assert "ada_l" in mail.text
    assert "gebruikersnaam" in mail.text


@pytest.mark.parametrize(
    ("locale", "named", "browser", "spoken"),
    [
        ("nl", "", "fr", "nl"),
        ("nl", "de", "fr", "de"),
        ("nl", "undefined", "fr", "nl"),
        (None, "", "fr", "fr"),
        (None, "", "", "en"),
    ],
)
async def test_a_notice_is_in_what_is_asked_for_else_the_users_else_the_browsers_language(
    services, locale, named, browser, spoken
):
    ada = await ada_at(services, locale=locale)
    origin = Origin(language=named, browser_language=browser)
    ada.me = Oneself(dataclasses.replace(ada.me.actor, origin=origin))
    await ada.password_create()
    (row,) = await fetch("SELECT language FROM mail_outbox")
    assert row["language"] == spoken


async def test_an_unproved_address_is_told_nothing(services):
    """SEC-037: it may be a stranger's."""
    new = NewUser(emails=(NewEmail(ADA, is_primary=True),))
    account, _ = await services.users.create(SYSTEM, new)
    ada = Ada(services, account, await make_session(services, account))
    await ada.cause("username_update")
    assert (await waiting(), await records()) == ([], [])


async def test_a_proved_address_is_told_of_at_the_primary_one(ada):
    """Not at the address itself, which knows."""
    other = await ada.services.users.add_email(SYSTEM, ada.user.id, NewEmail("b@example.com"))
    await ada.service.verify_email(ada.me, other.id)
    assert await waiting() == [("email_create", ADA)]
    primary = (await ada.service.held(ada.user.id)).primary_email
    await ada.service.verify_email(ada.me, primary.id)
    assert len(await waiting()) == 1


async def test_a_recovered_password_is_told_of_and_ends_everything(ada):
    """SEC-027, SEC-037."""
    await ada.services.passwords.store(SYSTEM, ada.user.id, MADE, "admin")
    me = Oneself(SYSTEM, signing_in=ada.user.id)
    await ada.credentials.recover_password(me, MADE)
    assert await waiting() == [("password_update", ADA)]
    assert await fetch("SELECT id FROM user_session WHERE user_id = $1", ada.user.id) == []


async def test_a_password_that_is_the_first_is_no_change(ada):
    """Nothing was opened by another one, so nothing ends; the user is told all the same."""
    other = await make_session(ada.services, ada.user)
    await ada.cause("password_create")
    assert await ada.services.sessions.authenticate(other.token) != "revoked"


async def test_the_record_says_when_mail_is_left_to_others(services):
    ada = await ada_at(await reconfigured(services, email_delivery=EmailDelivery(enabled=False)))
    await ada.cause("username_update")
    assert await waiting() == []
    ((_, _, details),) = await records()
    assert details["delivered_by_hanko"] is False
