"""The addresses of an account."""

import asyncio
import json
from dataclasses import replace
from uuid import uuid4

import pytest
from factories import make_user
from msgspec import structs

from app.access import SYSTEM
from app.errors import NotFound
from app.persistence import fetch
from app.users import (
    EmailInvalid,
    EmailIsPrimary,
    EmailLimitReached,
    EmailTaken,
    NewEmail,
    NewUser,
)


async def addresses(services, user) -> dict[str, tuple[bool, bool]]:
    found = (await services.users.emails_of([user.id]))[user.id]
    return {one.address: (one.is_primary, one.is_verified) for one in found}


async def recorded(kind: str) -> list[dict]:
    rows = await fetch("SELECT details FROM audit_event WHERE type = $1", kind)
    return [json.loads(row["details"]) for row in rows]


async def test_another_address_is_added_and_the_primary_one_stays(services):
    user = await make_user(services, email="ada@example.com")
    added = await services.users.add_email(SYSTEM, user.id, NewEmail("b@example.com"))
    assert (added.user_id, added.is_primary, added.is_verified) == (user.id, False, False)
    assert await addresses(services, user) == {
        "ada@example.com": (True, True),
        "b@example.com": (False, False),
    }
    assert (await services.users.by_email("B@example.com")).id == user.id
    assert await recorded("email_created") == [{"email": "b*****@example.com"}]


async def test_a_new_primary_address_takes_the_place_of_the_old_one(services):
    user = await make_user(services, email="ada@example.com")
    new = NewEmail("b@example.com", is_primary=True, is_verified=True)
    await services.users.add_email(SYSTEM, user.id, new)
    assert await addresses(services, user) == {
        "ada@example.com": (False, True),
        "b@example.com": (True, True),
    }


async def test_the_first_address_is_primary(services):
    user = await make_user(services, email="ada@example.com", username="ada")
    (only,) = (await services.users.emails_of([user.id]))[user.id]
    await fetch("DELETE FROM email WHERE id = $1", only.id)
    added = await services.users.add_email(SYSTEM, user.id, NewEmail("b@example.com"))
    assert added.is_primary


async def test_there_is_a_limit(services):
    user = await make_user(services)
    for n in range(services.config.email.limit - 1):
        await services.users.add_email(SYSTEM, user.id, NewEmail(f"x{n}@example.com"))
    with pytest.raises(EmailLimitReached):
        await services.users.add_email(SYSTEM, user.id, NewEmail("over@example.com"))
    assert len(await addresses(services, user)) == services.config.email.limit


async def test_the_limit_holds_for_a_new_user(services):
    """SEC-098"""

    async def make(users, count: int) -> None:
        emails = (NewEmail(f"x{n}@example.com", is_primary=n == 0) for n in range(count))
        await users.create(SYSTEM, NewUser(emails=tuple(emails)))

    with pytest.raises(EmailLimitReached) as refused:
        await make(services.users, services.config.email.limit + 1)
    assert refused.value.path == ("emails",)
    assert await services.users.by_email("x0@example.com") is None
    await make(services.users, services.config.email.limit)
    none = replace(services.users, emails=structs.replace(services.users.emails, limit=0))
    await none.create(SYSTEM, NewUser(emails=(NewEmail("one@example.com"),)))
    with pytest.raises(EmailLimitReached):
        await make(none, 2)


async def test_the_limit_holds_when_many_are_added_at_once(services):
    user = await make_user(services)
    outcomes = await asyncio.gather(
        *(
            services.users.add_email(SYSTEM, user.id, NewEmail(f"x{n}@a.example", is_primary=True))
            for n in range(12)
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(one, EmailLimitReached) for one in outcomes) == 8
    found = await addresses(services, user)
    assert len(found) == services.config.email.limit
    assert sum(primary for primary, _ in found.values()) == 1


async def test_an_address_of_another_account_or_of_this_one_is_taken(services):
    """SEC-114"""
    await make_user(services, email="taken@example.com")
    user = await make_user(services, email="ada@example.com")
    for address in ("TAKEN@example.com", "ada@EXAMPLE.com"):
        with pytest.raises(EmailTaken) as refused:
            await services.users.add_email(SYSTEM, user.id, NewEmail(address, is_primary=True))
        assert refused.value.path == ("address",)
    assert await addresses(services, user) == {"ada@example.com": (True, True)}


async def test_what_is_no_address_or_a_long_one_is_refused(services):
    """SEC-113"""
    user = await make_user(services)
    long = "x" * (services.config.email.max_length - 11) + "@example.com"
    for address in ("", "x", "a@b@c", "a@example.com\r\nBcc: b@example.com", long):
        with pytest.raises(EmailInvalid):
            await services.users.add_email(SYSTEM, user.id, NewEmail(address))


async def test_another_address_becomes_primary(services):
    user = await make_user(services, email="ada@example.com")
    added = await services.users.add_email(SYSTEM, user.id, NewEmail("b@example.com"))
    made = await services.users.set_primary_email(SYSTEM, user.id, added.id)
    assert made.is_primary
    assert await addresses(services, user) == {
        "ada@example.com": (False, True),
        "b@example.com": (True, False),
    }
    again = await services.users.set_primary_email(SYSTEM, user.id, added.id)
    assert again == made
    assert await recorded("primary_email_changed") == [{"email": "b*****@example.com"}]


async def test_of_many_changes_of_the_primary_address_at_once_one_stands(services):
    user = await make_user(services)
    added = [
        await services.users.add_email(SYSTEM, user.id, NewEmail(f"x{n}@example.com"))
        for n in range(4)
    ]
    await asyncio.gather(
        *(services.users.set_primary_email(SYSTEM, user.id, one.id) for one in added * 3)
    )
    found = await addresses(services, user)
    assert sum(primary for primary, _ in found.values()) == 1


async def test_an_address_is_verified_once(services, clock):
    user = await make_user(services)
    added = await services.users.add_email(SYSTEM, user.id, NewEmail("b@example.com"))
    clock.advance(seconds=5)
    verified = await services.users.verify_email(SYSTEM, user.id, added.id)
    assert (verified.is_verified, verified.updated_at) == (True, clock.now)
    clock.advance(seconds=5)
    assert await services.users.verify_email(SYSTEM, user.id, added.id) == verified
    assert len(await recorded("email_verified")) == 1


async def test_an_address_is_deleted_and_is_free_again(services):
    user = await make_user(services, email="ada@example.com")
    added = await services.users.add_email(SYSTEM, user.id, NewEmail("b@example.com"))
    await services.users.delete_email(SYSTEM, user.id, added.id)
    assert await addresses(services, user) == {"ada@example.com": (True, True)}
    await make_user(services, email="B@example.com")
    assert await recorded("email_deleted") == [{"email": "b*****@example.com"}]


async def test_the_primary_address_cannot_be_deleted(services):
    user = await make_user(services, email="ada@example.com")
    (only,) = (await services.users.emails_of([user.id]))[user.id]
    with pytest.raises(EmailIsPrimary) as refused:
        await services.users.delete_email(SYSTEM, user.id, only.id)
    assert refused.value.path == ("email_id",)
    assert len(await addresses(services, user)) == 1


async def test_nobodys_and_anothers_address_are_not_found(services):
    user = await make_user(services)
    other = await make_user(services)
    (foreign,) = (await services.users.emails_of([other.id]))[other.id]
    users = services.users
    for act in (users.set_primary_email, users.verify_email, users.delete_email):
        for user_id, email_id in ((user.id, uuid4()), (user.id, foreign.id), (uuid4(), foreign.id)):
            with pytest.raises(NotFound) as refused:
                await act(SYSTEM, user_id, email_id)
            assert refused.value.code == "not_found"
    with pytest.raises(NotFound):
        await users.add_email(SYSTEM, uuid4(), NewEmail("a@example.com"))
    assert await addresses(services, other) == {foreign.address: (True, True)}
