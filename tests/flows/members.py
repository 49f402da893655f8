"""Ada with what she has enrolled, for the tests of second factors and of the profile."""

from datetime import timedelta
from typing import Any

from credentials.authenticator import Authenticator
from credentials.ceremonies import passkey_of
from factories import make_session, make_user
from flows.walking import Client, Shown, preflight

from app.access import SYSTEM
from app.assembly import Services
from app.credentials import totp_codes
from app.credentials.passkey_values import Kind
from app.credentials.totp import Accepted
from app.users import Account

PASSWORD = "correct horse battery staple"
ADA = "ada@example.com"


async def ada_with_password(services: Services, **given: Any) -> Account:
    user = await make_user(services, email=ADA, **given)
    await services.passwords.set(SYSTEM, user.id, PASSWORD)
    return user


async def with_app(services: Services, user: Account) -> str:
    """Give a user an authenticator app, and give its secret."""
    secret = totp_codes.new_secret()
    step = totp_codes.step_at(services.clock()) - 2
    await services.totp.store(SYSTEM, user.id, secret, Accepted(step))
    return secret


def code_of(services: Services, secret: str, *, steps: int = 0) -> str:
    """The code that an app shows now, or so many steps later."""
    return totp_codes.code_at(secret, totp_codes.step_at(services.clock()) + steps)


async def with_key(services: Services, user: Account, kind: Kind = "security_key") -> Authenticator:
    authenticator = Authenticator()
    await passkey_of(services, user.id, authenticator, kind)
    return authenticator


async def to_password(client: Client, *, webauthn: bool = False) -> Shown:
    """Sign in with a password, as far as that goes."""
    await preflight(client, webauthn=webauthn)
    await client.act("continue_with_login_identifier", email=ADA)
    await client.act("continue_to_password_login")
    return await client.act("password_login", password=PASSWORD)


async def to_profile(
    client: Client, services: Services, user: Account, *, webauthn: bool = False
) -> Shown:
    """Open the profile with a session of the user."""
    issued = await make_session(services, user)
    client.cookies["hanko"] = issued.token
    return await preflight(client, "profile", webauthn=webauthn)


def later(services: Services, **span: float) -> None:
    services.clock.now += timedelta(**span)
