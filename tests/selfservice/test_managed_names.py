"""Addresses and user names that a backend changes: who is told, and all of it or nothing."""

from dataclasses import replace

import msgspec
import pytest
from factories import key_actor, make_session, make_user, reconfigured

from app.access import SYSTEM
from app.config.sections import Notification, Notifications, SecurityNotifications
from app.errors import NotFound
from app.ids import new_id
from app.persistence import fetch
from app.users import NewEmail, NewUser, ProfileChanges
from app.users.errors import EmailIsPrimary, EmailNotFound, EmailTaken, IdentifierMissing

ADA, OTHER, THIRD = "ada.lovelace@example.com", "other@example.com", "third@example.com"
NAMED = ProfileChanges(username="countess")
UNNAMED = ProfileChanges(username=None)


@pytest.fixture
def managed(services):
    return services.managed_names


@pytest.fixture
async def actor(services):
    return await key_actor(services, "users:write")


@pytest.fixture
async def user(services):
    return await make_user(services, email=ADA, username="ada_l")


@pytest.fixture
async def primary(services, user):
    (email,) = (await services.users.emails_of([user.id]))[user.id]
    return email


@pytest.fixture
async def other(services, user):
    return await services.users.add_email(SYSTEM, user.id, NewEmail(OTHER))


async def waiting():
    """The mails that wait: template and address."""
    rows = await fetch("SELECT template, recipient FROM mail_outbox ORDER BY created_at, id")
    return [(row["template"], row["recipient"]) for row in rows]


async def state():
    """Everything that a change may touch, but for keys."""
    tables = ("app_user", "email", "user_session", "mail_outbox", "webhook_event")
    rows = [await fetch(f"SELECT * FROM {table}") for table in tables]
    return rows, await fetch("SELECT id FROM audit_event WHERE type <> 'secret_key_created'")


def each(names, actor, user_id, email_id, *, gone=None):
    """Every change there is a notice for; *gone* is the address to delete, if it is another."""
    return [
        names.add_email(actor, user_id, NewEmail(THIRD)),
        names.verify_email(actor, user_id, email_id),
        names.set_primary_email(actor, user_id, email_id),
        names.delete_email(actor, user_id, gone or email_id),
        names.update(actor, user_id, NAMED),
        names.update(actor, user_id, UNNAMED),
    ]


async def test_each_change_is_told_at_the_address_that_was_primary_before(
    managed, actor, user, other
):
    """SEC-037"""
    await managed.add_email(actor, user.id, NewEmail(THIRD))
    await managed.verify_email(actor, user.id, other.id)
    await managed.set_primary_email(actor, user.id, other.id)
    await managed.update(actor, user.id, NAMED)
    await managed.update(actor, user.id, UNNAMED)
    assert await waiting() == [
        ("email_create", ADA),
        ("email_create", ADA),
        ("primary_email_update", ADA),
        ("username_update", OTHER),
        ("username_delete", OTHER),
    ]


async def test_a_notice_says_what_has_changed(services, managed, actor, user, other):
    """SEC-037"""
    await managed.set_primary_email(actor, user.id, other.id)
    await services.mail.deliver_next()
    (mail,) = await services.mail.mailbox.newest()
    assert mail.to == ADA
    assert ADA in mail.text
    assert OTHER in mail.text


async def test_an_address_that_goes_is_told_of(managed, actor, user, other):
    """SEC-037"""
    await managed.delete_email(actor, user.id, other.id)
    assert await waiting() == [("email_delete", ADA)]


async def test_an_address_that_comes_as_the_primary_one_is_told_of_twice(managed, actor, user):
    """SEC-037: who wants to hear of the one alone hears of it."""
    await managed.add_email(actor, user.id, NewEmail(OTHER, is_primary=True))
    assert await waiting() == [("email_create", ADA), ("primary_email_update", ADA)]


async def test_the_record_names_the_key(managed, actor, user):
    """SEC-118"""
    await managed.update(actor, user.id, NAMED)
    rows = await fetch(
        "SELECT subject_id, actor_kind FROM audit_event WHERE type = 'security_notification_sent'"
    )
    assert [(row["subject_id"], row["actor_kind"]) for row in rows] == [(user.id, "secret_key")]


async def test_what_is_as_it_was_is_told_to_nobody(managed, actor, user, primary):
    await managed.verify_email(actor, user.id, primary.id)
    await managed.set_primary_email(actor, user.id, primary.id)
    await managed.update(actor, user.id, ProfileChanges(username="ada_l"))
    await managed.update(actor, user.id, ProfileChanges(name="Ada"))
    assert await waiting() == []


async def test_an_address_that_was_verified_is_told_of_no_second_time(managed, actor, user, other):
    await managed.verify_email(actor, user.id, other.id)
    await managed.verify_email(actor, user.id, other.id)
    assert len(await waiting()) == 1


async def test_who_has_no_address_or_no_proved_one_is_told_nothing(services, managed, actor):
    """SEC-037: what nobody has proved may be a stranger's."""
    named, _ = await services.users.create(SYSTEM, NewUser(profile=NAMED))
    new = NewUser(emails=(NewEmail(ADA, is_primary=True),))
    unproved, _ = await services.users.create(SYSTEM, new)
    await managed.add_email(actor, named.id, NewEmail(OTHER))
    await managed.add_email(actor, unproved.id, NewEmail(THIRD))
    await managed.update(actor, unproved.id, ProfileChanges(username="ada_l"))
    assert await waiting() == []


async def test_the_last_address_is_told_that_it_goes(services, actor, user, primary):
    """SEC-037"""
    rules = msgspec.structs.replace(services.config.email, optional=True)
    services = await reconfigured(services, email=rules)
    await services.managed_names.delete_email(actor, user.id, primary.id)
    assert await waiting() == [("email_delete", ADA)]


async def test_a_notice_that_is_switched_off_is_not_sent(services, actor, user, primary, other):
    off = dict.fromkeys(Notifications.__struct_fields__, Notification(enabled=False))
    quiet = await reconfigured(
        services, security_notifications=SecurityNotifications(Notifications(**off))
    )
    for change in each(quiet.managed_names, actor, user.id, other.id, gone=primary.id):
        await change
    assert await waiting() == []


async def test_a_change_and_its_notice_are_one(managed, actor, user, other):
    """SEC-037, SEC-118: where nobody can be told, nothing has changed."""

    class Notices:
        async def send(self, *_):
            raise ZeroDivisionError

    before = await state()
    for change in each(replace(managed, notices=Notices()), actor, user.id, other.id):
        with pytest.raises(ZeroDivisionError):
            await change
        assert await state() == before


async def test_sessions_live_on(services, managed, actor, user, other):
    """What a user is called has opened none."""
    await make_session(services, user)
    await managed.update(actor, user.id, NAMED)
    await managed.set_primary_email(actor, user.id, other.id)
    assert len(await fetch("SELECT id FROM user_session")) == 1


async def test_what_is_refused_is_told_to_nobody(services, managed, actor, user, primary):
    await make_user(services, email=OTHER)
    nameless = await make_user(services, email=THIRD)
    alone, _ = await services.users.create(SYSTEM, NewUser(profile=NAMED))
    before = await state()
    for change, error in (
        (managed.add_email(actor, nameless.id, NewEmail(OTHER)), EmailTaken),
        (managed.delete_email(actor, user.id, primary.id), EmailIsPrimary),
        (managed.delete_email(actor, user.id, new_id()), EmailNotFound),
        (managed.verify_email(actor, nameless.id, primary.id), EmailNotFound),
        (managed.set_primary_email(actor, nameless.id, primary.id), EmailNotFound),
        (managed.update(actor, alone.id, UNNAMED), IdentifierMissing),
    ):
        with pytest.raises(error):
            await change
        assert await state() == before


async def test_nobody_has_none(managed, actor):
    for change in each(managed, actor, new_id(), new_id()):
        with pytest.raises(NotFound) as refused:
            await change
        assert refused.value.path == ("user_id",)


async def test_who_is_made_by_a_backend_is_told_nothing(services, actor):
    """There was nobody before who could not know."""
    new = NewUser(emails=(NewEmail(ADA, is_primary=True, is_verified=True),), profile=NAMED)
    await services.passwords.create_user(actor, new)
    assert await waiting() == []
