"""The reference's admin endpoints of a user's bags, for a secret key, on the admin listener."""

from http import HTTPStatus
from typing import Annotated, Any

from litestar import Response, get, patch

from app.metadata import BagChanges, Bags
from app.rest.backend import IfMatch, etag, private_bag, version_of, wanted
from app.rest.bodies import bag_changes
from app.rest.given import NAMED_BAGS, Caller, Services, UserId, body
from app.rest.refusals import for_key
from app.rest.shapes import NamedBags, named_bags
from app.users.errors import UserNotFound

BagsData = Annotated[
    Any, body("The bags to change, or null for all.", NAMED_BAGS, is_closed=True, or_null=True)
]


@get("/users/{user_id:str}/metadata", tags=["metadata"], **for_key("users:read", 204, 404))
async def get_metadata(
    user_id: UserId, services: Services, caller: Caller
) -> Response[NamedBags | None]:
    """Give a user's bags, empty ones left out; 204 where all are. Needs `users:read`."""
    found = (await services.metadata.of([wanted(user_id)])).get(wanted(user_id))
    if found is None:
        raise UserNotFound
    return await _named(services, caller, found)


@patch(
    "/users/{user_id:str}/metadata",
    tags=["metadata"],
    **for_key("users.metadata:write", 204, 404, 412),
)
async def patch_metadata(
    user_id: UserId,
    data: BagsData,
    services: Services,
    caller: Caller,
    if_match: IfMatch = None,
) -> Response[NamedBags | None]:
    """Merge into the bags that are named; null for a bag clears it, null for the body all three.

    Needs `users.metadata:write`.
    """
    changes = BagChanges(None, None, None) if data is None else bag_changes(data)
    bags = await services.metadata.change(
        caller.actor, wanted(user_id), changes, if_version=version_of(if_match)
    )
    return await _named(services, caller, bags)


async def _named(services: Services, caller: Caller, bags: Bags) -> Response[NamedBags | None]:
    shape = named_bags(bags, await private_bag(services, caller, bags.user_id))
    if shape == NamedBags():
        return Response(None, status_code=HTTPStatus.NO_CONTENT, headers=etag(bags))
    return Response(shape, headers=etag(bags))
