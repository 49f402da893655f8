"""Credentials that a backend changes: what ends with it, who is told, and all of it or nothing."""

from dataclasses import replace

import pytest
from credentials.authenticator import Authenticator
from credentials.ceremonies import passkey_of
from factories import key_actor, make_identity, make_session, make_user

from app.access import SYSTEM
from app.credentials.errors import PasskeyNotFound, PasswordExists, PasswordNotFound, TotpNotFound
from app.credentials.passwords import NoPassword, Verified
from app.credentials.totp import Accepted
from app.errors import NotFound
from app.federation.errors import IdentityNotFound
from app.ids import new_id
from app.persistence import fetch
from app.users import IdentifierMissing, ProfileChanges

PASSWORD = "correct horse battery"
OTHER = "another " + PASSWORD


@pytest.fixture
def managed(services):
    return services.managed_credentials


@pytest.fixture
async def actor(services):
    return await key_actor(services, "users:write")


@pytest.fixture
async def user(services):
    user = await make_user(services)
    await make_session(services, user)
    return user


@pytest.fixture
def failing(managed):
    """The same, over mail that cannot be queued."""

    class Notices:
        async def send(self, *_):
            raise ZeroDivisionError

    return replace(managed, notices=Notices())


async def state():
    """Everything that a change may touch, but for keys."""
    tables = ("user_password", "user_totp", "webauthn_credential", "user_recovery_code")
    more = ("identity", "user_session", "trusted_device", "mail_outbox", "webhook_event")
    counts = [await fetch(f"SELECT * FROM {table}") for table in (*tables, *more)]
    return counts, await fetch("SELECT id FROM audit_event WHERE type <> 'secret_key_created'")


async def with_everything(services, user):
    """A password, an app, a security key, recovery codes, a trusted browser."""
    await services.passwords.set(SYSTEM, user.id, PASSWORD)
    await services.totp.store(SYSTEM, user.id, "JBSWY3DPEHPK3PXP", Accepted(1))
    key = await passkey_of(services, user.id, Authenticator(), "security_key")
    await services.recovery_codes.generate(SYSTEM, user.id)
    await services.trusted_devices.issue(SYSTEM, user.id)
    return key


async def test_a_password_may_have_to_be_the_first_or_another(services, managed, actor, user):
    with pytest.raises(PasswordNotFound):
        await managed.set_password(actor, user.id, PASSWORD, replaces=True)
    await managed.set_password(actor, user.id, PASSWORD, replaces=False)
    with pytest.raises(PasswordExists):
        await managed.set_password(actor, user.id, OTHER, replaces=False)
    assert isinstance(await services.passwords.verify(user.id, PASSWORD), Verified)
    await managed.set_password(actor, user.id, OTHER, replaces=True)
    await managed.set_password(actor, user.id, PASSWORD)
    assert isinstance(await services.passwords.verify(user.id, PASSWORD), Verified)


async def test_what_a_password_has_opened_ends_unless_it_is_to_stay(services, managed, actor, user):
    """SEC-027"""
    await managed.set_password(actor, user.id, PASSWORD, keeps_sessions=True)
    assert len(await fetch("SELECT id FROM user_session")) == 1
    await managed.set_password(actor, user.id, OTHER)
    assert await fetch("SELECT id FROM user_session") == []


async def test_a_change_and_what_goes_with_it_are_one(services, failing, actor, user):
    """SEC-027, SEC-037, SEC-118: where nobody can be told, nothing has changed."""
    key = await with_everything(services, user)
    identity = await make_identity(services, user)
    before = await state()
    for change in (
        failing.set_password(actor, user.id, OTHER),
        failing.delete_password(actor, user.id),
        failing.delete_totp(actor, user.id),
        failing.delete_passkey(actor, user.id, key.credential_id),
        failing.delete_identity(actor, user.id, identity.id),
    ):
        with pytest.raises(ZeroDivisionError):
            await change
        assert await state() == before


async def test_where_there_is_nothing_to_take_nothing_happens(managed, actor, user):
    before = await state()
    for change, error in (
        (managed.delete_password(actor, user.id), PasswordNotFound),
        (managed.delete_totp(actor, user.id), TotpNotFound),
        (managed.delete_passkey(actor, user.id, "Y3JlZA"), PasskeyNotFound),
        (managed.delete_identity(actor, user.id, new_id()), IdentityNotFound),
    ):
        with pytest.raises(error):
            await change
        assert await state() == before


async def test_nobody_has_none(managed, actor):
    nobody = new_id()
    for call in (
        managed.set_password(actor, nobody, PASSWORD),
        managed.delete_password(actor, nobody),
        managed.delete_totp(actor, nobody),
        managed.delete_passkey(actor, nobody, "Y3JlZA"),
        managed.delete_identity(actor, nobody, new_id()),
    ):
        with pytest.raises(NotFound) as refused:
            await call
        assert refused.value.path == ("user_id",)


async def test_the_only_way_in_may_go(services, managed, actor, user):
    """It is how somebody who is shut out is let in again: with nothing, and a new beginning."""
    passkey = await passkey_of(services, user.id, Authenticator())
    identity = await make_identity(services, user)
    await managed.set_password(actor, user.id, PASSWORD)
    await managed.delete_identity(actor, user.id, identity.id)
    await managed.delete_passkey(actor, user.id, passkey.credential_id)
    await managed.delete_password(actor, user.id)
    assert await services.passwords.verify(user.id, PASSWORD) == NoPassword()
    assert await services.passkeys.list(user.id) == []
    assert (await services.federation.identities_of([user.id]))[user.id] == []


async def test_what_alone_names_a_user_stays(services, managed, actor, user):
    """Somebody without an address and a user name is who they are at a provider."""
    first, last = [await make_identity(services, user, subject) for subject in ("first", "last")]
    await fetch("DELETE FROM email")
    await managed.delete_identity(actor, user.id, first.id)
    before = await state()
    with pytest.raises(IdentifierMissing) as refused:
        await managed.delete_identity(actor, user.id, last.id)
    assert refused.value.path == ("identity_id",)
    with pytest.raises(IdentityNotFound):
        await managed.delete_identity(actor, user.id, first.id)
    assert await state() == before
    await services.users.update(SYSTEM, user.id, ProfileChanges(username="ada"))
    await managed.delete_identity(actor, user.id, last.id)
    assert (await services.federation.identities_of([user.id]))[user.id] == []
