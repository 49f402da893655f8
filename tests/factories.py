"""Makes what tests need, through the services."""

import itertools
from dataclasses import fields
from typing import Any

import msgspec

from app.access import ALL_SCOPES, SYSTEM, Actor, SecretKeyPrincipal, SessionPrincipal
from app.assembly import Services, assemble
from app.config import Config
from app.federation.connector import OutsideIdentity
from app.federation.identities import Identity
from app.metadata import BagChanges
from app.secretkeys import NewSecretKey
from app.sessions import Issued
from app.users import Account, NewEmail, NewUser, ProfileChanges

TABLES = (
    "flow",
    "mailbox_mail",
    "mail_outbox",
    "webhook_delivery",
    "webhook",
    "webhook_event",
    "audit_event",
    "user_session",
    "user_metadata",
    "saml_certificate",
    "saml_entity",
    "saml_metadata",
    "saml_replay",
    "exchange_token",
    "federation_state",
    "identity",
    "email",
    "user_password",
    "webauthn_challenge",
    "webauthn_credential",
    "passcode",
    "guess_count",
    "user_totp",
    "user_recovery_code",
    "trusted_device",
    "app_user",
    "retired_user",
    "secret_key",
    "signing_key",
    "jwt_template",
)
"""Children first."""

NOBODYS_ID = "3f2b8c1e-5d47-4a90-9e66-0c7d1a2b3e4f"
"""An id that nothing has, the same in every process, so that a test's name is too."""

_numbers = itertools.count(1)


def disguised(service: Any, kind: type[Any]) -> Any:
    """A service as a subclass of its own class, with the same parts."""
    return kind(**{part.name: getattr(service, part.name) for part in fields(service)})


async def make_user(services: Services, *, email: str | None = None, **given: Any) -> Account:
    """A user with one verified primary address; `public`, `private` and `unsafe` seed the bags."""
    address = email or f"user{next(_numbers)}@example.com"
    bags = {name: given.pop(name) for name in ("public", "private", "unsafe") if name in given}
    new = NewUser(
        emails=(NewEmail(address, is_primary=True, is_verified=True),),
        profile=ProfileChanges(**given),
        bags=BagChanges(**bags),
    )
    account, _ = await services.users.create(SYSTEM, new)
    return account


async def make_identity(services: Services, user: Account, subject: str = "subject") -> Identity:
    """An identity of a user at a provider."""
    outside = OutsideIdentity("google", "https://accounts.google.com", subject)
    made = await services.federation.identities.add(user.id, outside, None, signs_in=False)
    assert made is not None
    return made


async def make_session(services: Services, user: Account) -> Issued:
    """A session of a user."""
    return await services.sessions.issue(SYSTEM, user.id)


async def make_key(services: Services, *scopes: str) -> str:
    """The text of a secret key, with every scope unless some are named."""
    new = NewSecretKey("test", scopes or (ALL_SCOPES,))
    _, secret = await services.secret_keys.create(SYSTEM, new, None)
    return secret


async def key_actor(services: Services, *scopes: str) -> Actor:
    """An actor that bears a secret key."""
    principal = await services.secret_keys.authenticate(await make_key(services, *scopes))
    assert isinstance(principal, SecretKeyPrincipal)
    return Actor(secret_key=principal)


def session_actor(issued: Issued) -> Actor:
    """An actor that bears a session."""
    return Actor(session=SessionPrincipal(issued.session.id, issued.session.user_id))


def with_config(services: Services, **changes: Any) -> Config:
    """The services' configuration with other sections."""
    return msgspec.structs.replace(services.config, **changes)


async def reconfigured(services: Services, **changes: Any) -> Services:
    """Services over the same database, with other sections in the configuration."""
    others = assemble(with_config(services, **changes), clock=services.clock)
    await others.signing_keys.load()
    return others
