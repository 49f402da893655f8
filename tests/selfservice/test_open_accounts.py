"""Whatever users do to their accounts, one thing after another, the accounts stay open."""

import dataclasses
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from factories import make_session, session_actor
from hypothesis import given, settings
from hypothesis import strategies as st

from app.access import SYSTEM
from app.assembly import Services
from app.config.sections import Config
from app.credentials.passwords import PreparedPassword
from app.credentials.totp import Accepted
from app.credentials.webauthn_verify import NewCredential
from app.errors import IdentityError
from app.persistence import fetch, fetch_row
from app.selfservice import LastWayIn, Oneself, OwnCredentials
from app.users import NewEmail, NewUser, ProfileChanges

MADE = PreparedPassword("$argon2id$made-up", imported=False)
FLAGS = {
    "email": ("optional", "use_as_login_identifier", "use_for_authentication",
              "require_verification"),
    "username": ("enabled", "optional", "use_as_login_identifier"),
    "password": ("enabled", "optional"),
    "passkey": ("enabled", "optional"),
    "mfa": ("enabled", "optional"),
}  # fmt: skip


CHOICES = st.fixed_dictionaries(
    {
        section: st.fixed_dictionaries(dict.fromkeys(names, st.booleans()))
        for section, names in FLAGS.items()
    }
)


def chosen(choices: dict[str, dict[str, bool]]) -> Config:
    """A configuration with these switches."""
    config = Config()
    for section, flags in choices.items():
        part = msgspec.structs.replace(getattr(config, section), **flags)
        config = msgspec.structs.replace(config, **{section: part})
    return config


def under(services: Services, config: Config) -> OwnCredentials:
    """Self-service over the same database with other rules."""
    service = services.self_service
    users = dataclasses.replace(service.users, emails=config.email, usernames=config.username)
    notices = dataclasses.replace(service.notices, config=config)
    service = dataclasses.replace(service, config=config, users=users, notices=notices)
    return dataclasses.replace(services.own_credentials, config=config, self_service=service)


async def signs_in(config: Config, user_id: UUID) -> bool:
    """Whether the rows of a user open the account, by the words of the pages alone."""
    name = await fetch_row("SELECT username FROM app_user WHERE id = $1", user_id)
    emails = await fetch("SELECT is_verified FROM email WHERE user_id = $1", user_id)
    password = await fetch("SELECT id FROM user_password WHERE user_id = $1", user_id)
    keys = await fetch("SELECT is_mfa_only FROM webauthn_credential WHERE user_id = $1", user_id)
    assert name is not None
    if config.passkey.enabled and any(not key["is_mfa_only"] for key in keys):
        return True
    by_email = config.email.use_as_login_identifier and emails
    named = config.username.enabled and config.username.use_as_login_identifier
    if not by_email and not (named and name["username"]):
        return False
    if config.password.enabled and password:
        return True
    reads = [email["is_verified"] or not config.email.require_verification for email in emails]
    return config.email.use_for_authentication and any(reads)


class Life:
    """An account and what its user can do."""

    def __init__(self, credentials: OwnCredentials, me: Oneself) -> None:
        self.credentials, self.me = credentials, me
        self.service = service = credentials.self_service
        self.steps: dict[str, Callable[[int], Awaitable[Any]]] = {
            "set name": lambda n: service.set_username(me, f"name_{me.user_id.hex[-8:]}_{n}"),
            "delete name": lambda _: service.delete_username(me),
            "clear name": lambda _: service.update(me, ProfileChanges(username=None)),
            "set password": lambda _: credentials.store_password(me, MADE),
            "delete password": lambda _: credentials.delete_password(me),
            "add address": lambda n: service.add_email(me, address(), is_verified=n % 2 == 0),
            "prove address": lambda n: self.on_email(n, service.verify_email),
            "primary address": lambda n: self.on_email(n, service.set_primary_email),
            "delete address": lambda n: self.on_email(n, service.delete_email),
            "add key": lambda n: credentials.keep_passkey(me, credential(mfa_only=n % 2 == 0)),
            "delete key": self.delete_key,
            "set app": lambda _: credentials.store_totp(me, "SECRET", Accepted(1)),
            "delete app": lambda _: credentials.delete_totp(me),
        }  # fmt: skip

    async def on_email(self, n: int, change: Callable[[Oneself, UUID], Awaitable[Any]]) -> None:
        emails = (await self.service.users.emails_of([self.me.user_id]))[self.me.user_id]
        if emails:
            await change(self.me, emails[n % len(emails)].id)

    async def delete_key(self, n: int) -> None:
        keys = await self.credentials.passkeys.list(self.me.user_id)
        if keys:
            await self.credentials.delete_passkey(self.me, keys[n % len(keys)].credential_id)


def address() -> str:
    return f"{uuid4().hex}@example.com"


def credential(*, mfa_only: bool) -> NewCredential:
    return NewCredential(
        credential_id=uuid4().hex,
        public_key=b"key",
        sign_count=0,
        aaguid=uuid4(),
        attestation_type="none",
        transports=(),
        is_backup_eligible=False,
        is_backed_up=False,
        is_user_verified=True,
        is_mfa_only=mfa_only,
    )


STEPS = [
    "set name", "delete name", "clear name", "set password", "delete password", "add address",
    "prove address", "primary address", "delete address", "add key", "delete key", "set app",
    "delete app",
]  # fmt: skip


@settings(max_examples=40)
@given(
    choices=CHOICES,
    verified=st.lists(st.booleans(), max_size=2),
    named=st.booleans(),
    steps=st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 3)), min_size=1, max_size=12),
    begins=st.sampled_from(STEPS),
)
async def test_no_sequence_of_changes_shuts_a_user_out(  # noqa: PLR0917  # what is drawn
    services, choices, verified, named, steps, begins
):
    """SEC-037."""
    config = chosen(choices)
    emails = tuple(NewEmail(address(), n == 0, one) for n, one in enumerate(verified))
    name = f"user_{uuid4().hex[:8]}" if named or not verified else None
    new = NewUser(emails=emails, profile=ProfileChanges(username=name))
    account, _ = await services.users.create(SYSTEM, new)
    me = Oneself(session_actor(await make_session(services, account)), ends_others=False)
    life = Life(under(services, config), me)
    assert set(life.steps) == set(STEPS)
    was_open = False
    for name, n in [(begins, 0), ("add key", 1), ("set password", 0), *steps]:
        try:
            await life.steps[name](n)
        except IdentityError:
            continue
        finally:
            is_open = await signs_in(config, account.id)
            assert is_open or not was_open, name
            was_open = is_open


@pytest.fixture
def service(services):
    """Self-service where user names sign in."""
    username = msgspec.structs.replace(services.config.username, enabled=True)
    return under(services, msgspec.structs.replace(services.config, username=username)).self_service


async def named_only(services):
    """A user whose name alone says who signs in, with a password."""
    new = NewUser(profile=ProfileChanges(username="ada_l"))
    account, _ = await services.users.create(SYSTEM, new)
    await services.passwords.store(SYSTEM, account.id, MADE, "admin")
    return Oneself(session_actor(await make_session(services, account)))


async def test_a_name_that_signs_in_stays_whichever_way_it_is_removed(services, service):
    """SEC-037."""
    me = await named_only(services)
    with pytest.raises(LastWayIn) as refused:
        await service.update(me, ProfileChanges(username=None, name="Ada"))
    assert refused.value.path == ("username",)
    with pytest.raises(LastWayIn):
        await service.delete_username(me)
    account = await services.users.by_id(me.user_id)
    assert (account.username, account.name) == ("ada_l", None), "all or nothing"


async def test_a_name_that_is_needed_by_the_rules_stays(services):
    """SEC-037: also where an address would do."""
    rules = msgspec.structs.replace(services.config.username, enabled=True, optional=False)
    own = under(services, msgspec.structs.replace(services.config, username=rules))
    me = await named_only(services)
    await services.users.add_email(SYSTEM, me.user_id, NewEmail(address(), is_verified=True))
    with pytest.raises(LastWayIn):
        await own.self_service.update(me, ProfileChanges(username=None))


async def test_a_name_that_opens_nothing_goes(services):
    """Where there are no user names, one that an operator has given is no way in."""
    me = await named_only(services)
    await services.users.add_email(SYSTEM, me.user_id, NewEmail(address(), is_verified=True))
    account, _ = await services.self_service.update(me, ProfileChanges(username=None))
    assert account.username is None


async def test_to_have_no_name_is_no_change(services, service):
    account, _ = await services.users.create(SYSTEM, NewUser(emails=(NewEmail(address()),)))
    me = Oneself(session_actor(await make_session(services, account)))
    changed, bags = await service.update(me, ProfileChanges(username=None))
    assert (changed.username, bags) == (None, None)
