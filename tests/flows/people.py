"""People for the tests of flows, and how they sign in."""

from dataclasses import dataclass
from typing import Any

from credentials.authenticator import Authenticator
from credentials.ceremonies import passkey_of
from factories import make_user
from flows.walking import Client, Shown, mailed_code, preflight

from app.access import SYSTEM
from app.assembly import Services
from app.credentials.totp import Accepted
from app.credentials.totp_codes import code_at, step_at
from app.persistence import fetch
from app.users import Account, NewEmail, NewUser, ProfileChanges

ADA = "ada@example.com"
PASSWORD = "a lamp in the window"  # made up
NOTHING_ASKED = {"passkey__acquire_on_login": "never", "mfa__acquire_on_login": False}


@dataclass(frozen=True)
class Person:
    """A user with what they sign in with."""

    account: Account
    authenticator: Authenticator | None = None


async def person(
    services: Services, address: str = ADA, *, password: str | None = PASSWORD, **given: Any
) -> Account:
    """A user with a verified address, and a password unless told otherwise."""
    account = await make_user(services, email=address, **given)
    if password is not None:
        await services.passwords.set(SYSTEM, account.id, password)
    return account


async def unverified(services: Services, address: str = ADA) -> Account:
    """A user whose only address nobody has proved, with a password."""
    new = NewUser(emails=(NewEmail(address, is_primary=True),))
    account, _ = await services.users.create(SYSTEM, new)
    await services.passwords.set(SYSTEM, account.id, PASSWORD)
    return account


async def named(services: Services, username: str, *, address: str | None = None) -> Account:
    """A user with a user name, and an address where one is given."""
    emails = (NewEmail(address, is_primary=True, is_verified=True),) if address else ()
    new = NewUser(emails=emails, profile=ProfileChanges(username=username))
    account, _ = await services.users.create(SYSTEM, new)
    await services.passwords.set(SYSTEM, account.id, PASSWORD)
    return account


async def with_totp(services: Services, account: Account) -> str:
    """Give a user an authenticator app, and its secret."""
    offer = services.totp.offer("ada")
    step = step_at(services.clock()) - 2
    await services.totp.store(SYSTEM, account.id, offer.secret, Accepted(step))
    return offer.secret


def otp(services: Services, secret: str) -> str:
    """The code that the app shows now."""
    return code_at(secret, step_at(services.clock()))


async def with_passkey(
    services: Services, account: Account, kind: Any = "passkey"
) -> Authenticator:
    """Give a user a passkey or a security key."""
    authenticator = Authenticator()
    await passkey_of(services, account.id, authenticator, kind)
    return authenticator


async def identified(client: Client, address: str = ADA, *, webauthn: bool = False) -> Shown:
    """A login whose person has said who they are."""
    await preflight(client, webauthn=webauthn)
    return await client.act("continue_with_login_identifier", email=address)


async def at_password(client: Client, address: str = ADA) -> Shown:
    await identified(client, address)
    return await client.act("continue_to_password_login")


async def at_code(client: Client, address: str = ADA) -> Shown:
    await identified(client, address)
    return await client.act("continue_to_passcode_confirmation")


async def registered_to_code(client: Client, address: str = ADA) -> Shown:
    """A registration that asks for the code."""
    await preflight(client, "registration")
    return await client.act("register_login_identifier", email=address)


async def enter_code(client: Client, services: Services, address: str = ADA) -> Shown:
    return await client.act("verify_passcode", code=await mailed_code(services, address))


async def audited(kind: str) -> list[Any]:
    """The audit records of a type, oldest first."""
    return list(await fetch("SELECT * FROM audit_event WHERE type = $1 ORDER BY id", kind))


async def languages_of(template: str) -> list[str]:
    """The languages of the mails of one kind, oldest first."""
    text = "SELECT language FROM mail_outbox WHERE template = $1 ORDER BY id"
    return [row["language"] for row in await fetch(text, template)]


async def flow_row(flow_id: str) -> Any:
    return (await fetch("SELECT * FROM flow WHERE id = $1", flow_id))[0]
