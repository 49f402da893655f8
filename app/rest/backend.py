"""The backend API: users and their bags, for a secret key. Served on both listeners."""

import re
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from litestar import Request, Response, get, patch, post

from app.access import covers
from app.errors import NotFound
from app.ids import parse_id
from app.metadata import BagChanges, Bags
from app.rest.bodies import BodyInvalid, bag_changes, new_user
from app.rest.given import Caller, PathText, Services, body
from app.rest.shapes import BackendUser, NamedBags, backend_user, named_bags

PRIVATE = ("users.private:read",)
_BAG = {"type": ["object", "null"], "description": "Merged into the bag; null clears it."}
_CAMEL_BAGS = dict.fromkeys(("publicMetadata", "privateMetadata", "unsafeMetadata"), _BAG)
_SNAKE_BAGS = dict.fromkeys(("public_metadata", "private_metadata", "unsafe_metadata"), _BAG)
_TEXT = {"type": "string"}
_NEW_USER = {
    "id": {"type": "string", "format": "uuid"},
    "email": {"type": "string", "format": "email"},
    "emails": {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {
                "address": _TEXT,
                "isPrimary": {"type": "boolean"},
                "isVerified": {"type": "boolean"},
            },
            "required": ["address"],
        },
    },
    **dict.fromkeys(("username", "name", "givenName", "familyName", "picture", "locale"), _TEXT),
    "createdAt": {"type": "string", "format": "date-time"},
    **_CAMEL_BAGS,
}
NewUserData = Annotated[Any, body("The user to make.", _NEW_USER)]
BagsData = Annotated[Any, body("The bags to change.", _CAMEL_BAGS)]
NamedBagsData = Annotated[Any, body("The bags to change, or null for all.", _SNAKE_BAGS)]
_VERSION = re.compile(r'"(\d{1,18})"')


@post("/api/server/v1/users", status_code=HTTPStatus.CREATED, tags=["backend"])
async def create_user(
    data: NewUserData, services: Services, caller: Caller
) -> Response[BackendUser]:
    """Make a user, its bags seeded. Needs `users:write`."""
    caller.actor.require_scopes("users:write")
    account, _ = await services.users.create(caller.actor, new_user(data))
    response = await _user(services, caller, account.id, HTTPStatus.CREATED)
    response.headers["location"] = f"/api/server/v1/users/{account.id}"
    return response


@get("/api/server/v1/users/{user_id:str}", tags=["backend"])
async def get_user(user_id: PathText, services: Services, caller: Caller) -> Response[BackendUser]:
    """Give a user. Needs `users:read`; the private bag is there with `users.private:read`."""
    caller.actor.require_scopes("users:read")
    return await _user(services, caller, wanted(user_id))


@patch("/api/server/v1/users/{user_id:str}/metadata", tags=["backend"])
async def patch_user_metadata(
    user_id: PathText,
    data: BagsData,
    request: Request[Any, Any, Any],
    services: Services,
    caller: Caller,
) -> Response[BackendUser]:
    """Merge into the bags that are named; null clears a bag. Needs `users.metadata:write`."""
    caller.actor.require_scopes("users.metadata:write")
    bags = await services.metadata.change(
        caller.actor, wanted(user_id), bag_changes(data), if_version=if_match(request)
    )
    return await _user(services, caller, bags.user_id)


@get("/users/{user_id:str}/metadata", tags=["metadata"])
async def get_metadata(
    user_id: PathText, services: Services, caller: Caller
) -> Response[NamedBags | None]:
    """Give a user's bags, empty ones left out; 204 where all are. Needs `users:read`."""
    caller.actor.require_scopes("users:read")
    found = (await services.metadata.of([wanted(user_id)])).get(wanted(user_id))
    if found is None:
        raise NotFound("user not found")
    return await _named(services, caller, found)


@patch("/users/{user_id:str}/metadata", tags=["metadata"])
async def patch_metadata(
    user_id: PathText,
    data: NamedBagsData,
    request: Request[Any, Any, Any],
    services: Services,
    caller: Caller,
) -> Response[NamedBags | None]:
    """Merge into the bags that are named; null for a bag clears it, null for the body all three.

    Needs `users.metadata:write`.
    """
    caller.actor.require_scopes("users.metadata:write")
    changes = BagChanges(None, None, None) if data is None else bag_changes(data)
    bags = await services.metadata.change(
        caller.actor, wanted(user_id), changes, if_version=if_match(request)
    )
    return await _named(services, caller, bags)


def wanted(user_id: str) -> UUID:
    """Read the id in a path; what is no id names nobody (SEC-068).

    Raises:
        NotFound: It is none.
    """
    found = parse_id(user_id)
    if found is None:
        raise NotFound("user not found")
    return found


def if_match(request: Request[Any, Any, Any]) -> int | None:
    """Read the version an If-Match header asks for (RFC 9110 §13.1.1).

    Raises:
        BodyInvalid: It holds no version of ours.
    """
    value = request.headers.get("if-match")
    if value is None or value == "*":
        return None
    found = _VERSION.fullmatch(value)
    if found is None:
        raise BodyInvalid('If-Match holds a version such as "3".', path=("if-match",))
    return int(found[1])


async def _user(
    services: Services, caller: Caller, user_id: UUID, status: int = HTTPStatus.OK
) -> Response[BackendUser]:
    account = await services.users.by_id(user_id)
    bags = (await services.metadata.of([user_id])).get(user_id)
    if account is None or bags is None:
        raise NotFound("user not found")
    emails = (await services.users.emails_of([user_id]))[user_id]
    private = await _private(services, caller, user_id)
    shape = backend_user(account, emails, bags, private)
    return Response(shape, status_code=status, headers=_etag(bags))


async def _named(services: Services, caller: Caller, bags: Bags) -> Response[NamedBags | None]:
    shape = named_bags(bags, await _private(services, caller, bags.user_id))
    if shape == NamedBags():
        return Response(None, status_code=HTTPStatus.NO_CONTENT, headers=_etag(bags))
    return Response(shape, headers=_etag(bags))


def _etag(bags: Bags) -> dict[str, str]:
    return {"etag": f'"{bags.version}"'}


async def _private(services: Services, caller: Caller, user_id: UUID) -> str | None:
    """Read the private bag where the key may; what it may not see is not even read."""
    key = caller.actor.secret_key
    if key is None or not covers(key.scopes, PRIVATE):
        return None
    return (await services.metadata.private_of([user_id])).get(user_id)
