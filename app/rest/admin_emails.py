"""The reference's admin endpoints of addresses, for a secret key, on the admin listener alone."""

from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from litestar import delete, get, post

from app.errors import NotFound
from app.ids import parse_id
from app.rest.admin_shapes import AdminEmail, admin_email
from app.rest.backend import wanted
from app.rest.bodies import named_email
from app.rest.given import EMAIL, Caller, PathId, Services, UserId, body
from app.rest.refusals import for_key
from app.rest.wording import as_a_bad_request
from app.users import Email, EmailTaken
from app.users.errors import EmailNotFound, UserNotFound

_ONE = "/users/{user_id:str}/emails/{email_id:str}"
EmailData = Annotated[
    Any,
    body(
        "The address. `is_primary` has no effect; the first address of a user is the primary one.",
        EMAIL["properties"],
        "address",
    ),
]


@get("/users/{user_id:str}/emails", tags=["emails"], **for_key("users:read", 404))
async def emails(user_id: UserId, services: Services) -> list[AdminEmail]:
    """List a user's addresses, oldest first. Needs `users:read`."""
    return [admin_email(one) for one in await _of(services, wanted(user_id))]


@post(
    "/users/{user_id:str}/emails",
    tags=["emails"],
    exception_handlers={EmailTaken: as_a_bad_request},
    **for_key("users:write", 404, 409),
)
async def add(user_id: UserId, data: EmailData, services: Services, caller: Caller) -> AdminEmail:
    """Give a user another address. Needs `users:write`.

    Where somebody has it, the answer is 400, as with the reference.
    """
    return admin_email(
        await services.managed_names.add_email(caller.actor, wanted(user_id), named_email(data))
    )


@get(_ONE, tags=["emails"], **for_key("users:read", 404))
async def email(user_id: UserId, email_id: PathId, services: Services) -> AdminEmail:
    """Give an address of a user. Needs `users:read`."""
    address_id = _wanted(email_id)
    mine = await _of(services, wanted(user_id))
    found = next((one for one in mine if one.id == address_id), None)
    if found is None:
        raise EmailNotFound
    return admin_email(found)


@delete(_ONE, tags=["emails"], **for_key("users:write", 404, 409))
async def remove(user_id: UserId, email_id: PathId, services: Services, caller: Caller) -> None:
    """Take an address from a user; the primary one stays. Needs `users:write`."""
    await services.managed_names.delete_email(caller.actor, wanted(user_id), _wanted(email_id))


@post(
    f"{_ONE}/set_primary",
    status_code=HTTPStatus.NO_CONTENT,
    tags=["emails"],
    **for_key("users:write", 404),
)
async def set_primary(
    user_id: UserId, email_id: PathId, services: Services, caller: Caller
) -> None:
    """Make an address of a user the primary one. Needs `users:write`."""
    await services.managed_names.set_primary_email(caller.actor, wanted(user_id), _wanted(email_id))


async def _of(services: Services, user_id: UUID) -> list[Email]:
    if await services.users.by_id(user_id) is None:
        raise UserNotFound
    return (await services.users.emails_of([user_id]))[user_id]


def _wanted(email_id: str) -> UUID:
    """Read the id of an address; what is no id names none.

    Raises:
        NotFound: It is none.
    """
    found = parse_id(email_id)
    if found is None:
        raise NotFound("email not found", path=("email_id",))
    return found
