"""The backend API: users and their bags, for a secret key. Served on both listeners."""

import re
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from litestar import Response, get, patch, post
from litestar.params import HeaderParameter

from app.access import covers
from app.ids import parse_id
from app.metadata import Bags
from app.rest.bodies import BodyInvalid, bag_changes, new_user
from app.rest.given import BAG, TEXT_OR_NULL, Caller, Services, UserId, body
from app.rest.refusals import for_key
from app.rest.shapes import BackendUser, backend_user
from app.users.errors import UserNotFound

READ = ("users:read",)
PRIVATE = ("users.private:read",)
_CAMEL_BAGS = dict.fromkeys(("publicMetadata", "privateMetadata", "unsafeMetadata"), BAG)
_PROFILE = ("username", "name", "givenName", "familyName", "picture", "locale")
_NEW_USER = {
    "id": {"type": ["string", "null"], "format": "uuid"},
    "email": {"type": ["string", "null"], "format": "email"},
    "emails": {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {
                "address": {"type": "string", "format": "email"},
                "isPrimary": {"type": "boolean"},
                "isVerified": {"type": "boolean"},
            },
            "required": ["address"],
            "additionalProperties": False,
        },
    },
    **dict.fromkeys(_PROFILE, TEXT_OR_NULL),
    "createdAt": {"type": ["string", "null"], "format": "date-time"},
    **_CAMEL_BAGS,
}
NewUserData = Annotated[Any, body("The user to make.", _NEW_USER, is_closed=True)]
BagsData = Annotated[Any, body("The bags to change.", _CAMEL_BAGS, is_closed=True)]
IfMatch = Annotated[
    str | None,
    HeaderParameter(name="If-Match", description='The version that the bags must be at: `"3"`.'),
]
_VERSION = re.compile(r'"(\d{1,18})"')


@post(
    "/api/server/v1/users",
    status_code=HTTPStatus.CREATED,
    tags=["backend"],
    **for_key("users:write", 409),
)
async def create_user(
    data: NewUserData, services: Services, caller: Caller
) -> Response[BackendUser]:
    """Make a user, its bags seeded. Needs `users:write`.

    The answer has the user's profile and addresses where the key has `users:read`.
    """
    account, _ = await services.users.create(caller.actor, new_user(data))
    response = await _user(services, caller, account.id, HTTPStatus.CREATED)
    response.headers["location"] = f"/api/server/v1/users/{account.id}"
    return response


@get("/api/server/v1/users/{user_id:str}", tags=["backend"], **for_key("users:read", 404))
async def get_user(user_id: UserId, services: Services, caller: Caller) -> Response[BackendUser]:
    """Give a user. Needs `users:read`; the private bag is there with `users.private:read`."""
    return await _user(services, caller, wanted(user_id))


@patch(
    "/api/server/v1/users/{user_id:str}/metadata",
    tags=["backend"],
    **for_key("users.metadata:write", 404, 412),
)
async def patch_user_metadata(
    user_id: UserId,
    data: BagsData,
    services: Services,
    caller: Caller,
    if_match: IfMatch = None,
) -> Response[BackendUser]:
    """Merge into the bags that are named; null clears a bag. Needs `users.metadata:write`.

    The answer has the user's profile and addresses where the key has `users:read`.
    """
    bags = await services.metadata.change(
        caller.actor, wanted(user_id), bag_changes(data), if_version=version_of(if_match)
    )
    return await _user(services, caller, bags.user_id)


def wanted(user_id: str) -> UUID:
    """Read the id in a path; what is no id names nobody (SEC-068).

    Raises:
        UserNotFound: It is none.
    """
    found = parse_id(user_id)
    if found is None:
        raise UserNotFound
    return found


def version_of(if_match: str | None) -> int | None:
    """Read the version an If-Match header asks for (RFC 9110 §13.1.1).

    Raises:
        BodyInvalid: It holds no version of ours.
    """
    if if_match is None or if_match == "*":
        return None
    found = _VERSION.fullmatch(if_match)
    if found is None:
        raise BodyInvalid('If-Match holds a version such as "3".', path=("if-match",))
    return int(found[1])


async def _user(
    services: Services,
    caller: Caller,
    user_id: UUID,
    status: int = HTTPStatus.OK,
) -> Response[BackendUser]:
    account = await services.users.by_id(user_id)
    bags = (await services.metadata.of([user_id])).get(user_id)
    if account is None or bags is None:
        raise UserNotFound
    emails = (await services.users.emails_of([user_id]))[user_id] if may(caller, READ) else None
    private = await private_bag(services, caller, user_id)
    shape = backend_user(account, emails, bags, private)
    return Response(shape, status_code=status, headers=etag(bags))


def etag(bags: Bags) -> dict[str, str]:
    """Give the header that tells the version of bags."""
    return {"etag": f'"{bags.version}"'}


async def private_bag(services: Services, caller: Caller, user_id: UUID) -> str | None:
    """Read the private bag where the key may; what it may not see is not even read."""
    if not may(caller, PRIVATE):
        return None
    return (await services.metadata.private_of([user_id])).get(user_id)


def may(caller: Caller, wanted: tuple[str, ...]) -> bool:
    """Say whether the key has scopes beside those that its endpoint asks for."""
    key = caller.actor.secret_key
    return key is not None and covers(key.scopes, wanted)
