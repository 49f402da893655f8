"""Users' passwords, authenticator apps and WebAuthn credentials, for a secret key.

In the reference's shapes, on the admin listener alone (SEC-108). No answer holds a hash or a secret
(SEC-017).
"""

from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from litestar import delete, get, post, put

from app.credentials.errors import PasskeyNotFound, PasswordNotFound, TotpNotFound
from app.credentials.passkey_values import Passkey
from app.rest.admin_shapes import AdminOtp, AdminPassword, admin_otp, admin_password
from app.rest.backend import wanted
from app.rest.bodies import known_members
from app.rest.fields import required_text
from app.rest.given import Caller, PathText, Services, UserId, body
from app.rest.refusals import for_key
from app.rest.shapes import WebauthnCredential, credential
from app.users.errors import UserNotFound

Json = Any
PasswordData = Annotated[
    Any,
    body(
        "The password.",
        {"password": {"type": "string", "description": "8 characters or more, as configured."}},
        "password",
    ),
]


@get("/users/{user_id:str}/password", tags=["passwords"], **for_key("users:read", 404))
async def get_password(user_id: UserId, services: Services) -> AdminPassword:
    """Tell since when a user has their password. Needs `users:read`."""
    return await _password(services, wanted(user_id))


@post(
    "/users/{user_id:str}/password",
    status_code=HTTPStatus.OK,
    tags=["passwords"],
    **for_key("users:write", 404, 409),
)
async def create_password(
    user_id: UserId, data: PasswordData, services: Services, caller: Caller
) -> AdminPassword:
    """Give a password to a user who has none. Needs `users:write`.

    Its rules are judged; the user's sessions and trusted devices end, and the user is told.
    """
    return await _set(services, caller, user_id, data, replaces=False)


@put(
    "/users/{user_id:str}/password",
    tags=["passwords"],
    **for_key("users:write", 404, 409),
)
async def update_password(
    user_id: UserId, data: PasswordData, services: Services, caller: Caller
) -> AdminPassword:
    """Give a user another password in place of theirs. Needs `users:write`.

    Its rules are judged; the user's sessions and trusted devices end, and the user is told.
    """
    return await _set(services, caller, user_id, data, replaces=True)


@delete("/users/{user_id:str}/password", tags=["passwords"], **for_key("users:write", 404))
async def delete_password(user_id: UserId, services: Services, caller: Caller) -> None:
    """Take a user's password away. Needs `users:write`.

    The user's sessions and trusted devices end, and the user is told.
    """
    await services.managed_credentials.delete_password(caller.actor, wanted(user_id))


@get("/users/{user_id:str}/otp", tags=["authenticator apps"], **for_key("users:read", 404))
async def get_otp(user_id: UserId, services: Services) -> AdminOtp:
    """Tell since when a user has an authenticator app. Needs `users:read`."""
    found = await services.totp.of(wanted(user_id))
    if found is None:
        raise TotpNotFound
    return admin_otp(found)


@delete("/users/{user_id:str}/otp", tags=["authenticator apps"], **for_key("users:write", 404))
async def delete_otp(user_id: UserId, services: Services, caller: Caller) -> None:
    """Take a user's authenticator app away, though it be needed. Needs `users:write`.

    The user's sessions and trusted devices end, and the user is told.
    """
    await services.managed_credentials.delete_totp(caller.actor, wanted(user_id))


@get(
    "/users/{user_id:str}/webauthn_credentials",
    tags=["webauthn credentials"],
    **for_key("users:read", 404),
)
async def list_credentials(user_id: UserId, services: Services) -> list[WebauthnCredential]:
    """List a user's passkeys and security keys, oldest first. Needs `users:read`."""
    return [credential(one) for one in await _passkeys(services, wanted(user_id))]


@get(
    "/users/{user_id:str}/webauthn_credentials/{credential_id:str}",
    tags=["webauthn credentials"],
    **for_key("users:read", 404),
)
async def get_credential(
    user_id: UserId, credential_id: PathText, services: Services
) -> WebauthnCredential:
    """Give a passkey or a security key of a user. Needs `users:read`."""
    mine = await _passkeys(services, wanted(user_id))
    found = next((one for one in mine if one.credential_id == credential_id), None)
    if found is None:
        raise PasskeyNotFound
    return credential(found)


@delete(
    "/users/{user_id:str}/webauthn_credentials/{credential_id:str}",
    tags=["webauthn credentials"],
    **for_key("users:write", 404),
)
async def delete_credential(
    user_id: UserId, credential_id: PathText, services: Services, caller: Caller
) -> None:
    """Take a passkey or a security key away from a user, though it be needed.

    Needs `users:write`. The user's sessions and trusted devices end, and the user is told.
    """
    await services.managed_credentials.delete_passkey(caller.actor, wanted(user_id), credential_id)


async def _set(
    services: Services, caller: Caller, user_id: str, data: Json, *, replaces: bool
) -> AdminPassword:
    password = required_text(known_members(data, "password"), "password")
    whose = wanted(user_id)
    await services.managed_credentials.set_password(
        caller.actor, whose, password, replaces=replaces
    )
    return await _password(services, whose)


async def _password(services: Services, user_id: UUID) -> AdminPassword:
    found = await services.passwords.of(user_id)
    if found is None:
        raise PasswordNotFound
    return admin_password(found)


async def _passkeys(services: Services, user_id: UUID) -> list[Passkey]:
    if await services.users.by_id(user_id) is None:
        raise UserNotFound
    return await services.passkeys.list(user_id)
