"""What a user has: listed, counted, named, deleted."""

import pytest
from credentials.authenticator import Authenticator
from credentials.ceremonies import events, passkey_of
from factories import make_user

from app.access import SYSTEM
from app.credentials.errors import PasskeyNameInvalid, PasskeyNotFound
from app.credentials.passkey_values import Counts


@pytest.fixture
async def ada(services):
    return await make_user(services)


@pytest.fixture
async def passkey(services, ada):
    return await passkey_of(services, ada.id, Authenticator())


async def test_they_are_listed_oldest_first_and_counted_by_kind_sec_098(services, clock, ada):
    device, made = Authenticator(), []
    for kind in ("passkey", "security_key", "passkey"):
        made.append(await passkey_of(services, ada.id, device, kind))
        clock.advance(seconds=1)
    assert await services.passkeys.list(ada.id) == made
    assert await services.passkeys.count_of(ada.id) == Counts(passkeys=2, security_keys=1)


async def test_who_has_none_has_none(services, ada, passkey):
    bob = await make_user(services)
    assert await services.passkeys.list(bob.id) == []
    assert await services.passkeys.count_of(bob.id) == Counts(0, 0)


async def test_a_name_is_kept_without_the_space_around_it(services, ada, passkey):
    rename = services.passkeys.rename
    named = await rename(SYSTEM, ada.id, passkey.credential_id, "  Blue key ")
    assert named.name == "Blue key"
    assert await services.passkeys.list(ada.id) == [named]
    assert await events("passkey_renamed") == [{"credential_id": passkey.credential_id}]


@pytest.mark.parametrize(
    "name", ["", "  ", "a" * 101, "a\nb", "a\x00", "\u200b", "\ud800", "\u202e"]
)
@pytest.mark.one_database
async def test_a_name_that_nobody_can_read_is_refused_sec_117(services, ada, passkey, name):
    with pytest.raises(PasskeyNameInvalid):
        await services.passkeys.rename(SYSTEM, ada.id, passkey.credential_id, name)
    assert await services.passkeys.list(ada.id) == [passkey]


async def test_one_is_deleted_and_the_other_stays(services, ada, passkey):
    key = await passkey_of(services, ada.id, Authenticator(), "security_key")
    assert await services.passkeys.delete(SYSTEM, ada.id, passkey.credential_id) == passkey
    assert await services.passkeys.list(ada.id) == [key]
    assert await events("passkey_deleted") == [{"credential_id": passkey.credential_id}]
    await services.passkeys.delete(SYSTEM, ada.id, key.credential_id)
    assert await events("security_key_deleted") == [{"credential_id": key.credential_id}]
    with pytest.raises(PasskeyNotFound):
        await services.passkeys.delete(SYSTEM, ada.id, key.credential_id)


async def test_nobody_touches_what_is_anothers_sec_054(services, ada, passkey):
    bob = await make_user(services)
    for credential_id in (passkey.credential_id, "unknown", ""):
        with pytest.raises(PasskeyNotFound):
            await services.passkeys.rename(SYSTEM, bob.id, credential_id, "mine")
        with pytest.raises(PasskeyNotFound):
            await services.passkeys.delete(SYSTEM, bob.id, credential_id)
    assert await services.passkeys.list(ada.id) == [passkey]
    assert await events("passkey_renamed") == await events("passkey_deleted") == []
