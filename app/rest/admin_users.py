"""The reference's admin endpoints of users, for a secret key, on the admin listener alone.

Each calls what its twin in GraphQL calls, and asks for the same scope.
"""

from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from litestar import Request, Response, delete, get, patch, post
from litestar.params import QueryParameter

from app.federation.errors import IdentityNotFound
from app.ids import parse_id
from app.rest.admin_shapes import AdminIdentity, AdminUser, Parts, admin_identity, admin_user
from app.rest.backend import READ, may, private_bag, wanted
from app.rest.bodies import named_user, profile_changes
from app.rest.given import EMAIL, NAMED_BAGS, TEXT_OR_NULL, Caller, PathId, Services, UserId, body
from app.rest.pages import PAGED, AskedPage
from app.rest.refusals import for_key
from app.text import is_storable
from app.users import Account, UserFilter, UserOrder
from app.users.errors import UserNotFound
from app.users.filters import MAX_IDS, MAX_PART, FilterRefused

_PROFILE = dict.fromkeys(("name", "given_name", "family_name", "picture", "locale"), TEXT_OR_NULL)
_NEW_USER = {
    "id": {"type": ["string", "null"], "format": "uuid"},
    "emails": {"type": ["array", "null"], "items": EMAIL},
    "username": TEXT_OR_NULL,
    "created_at": {"type": ["string", "null"], "format": "date-time"},
    **_PROFILE,
    "password": TEXT_OR_NULL,
    "password_hash": TEXT_OR_NULL,
    **NAMED_BAGS,
}
_ASKED_BY = ("email", "username", "user_id", "sort_direction")
_MOST_IDS = MAX_IDS * 37
NewUserData = Annotated[Any, body("The user to make.", _NEW_USER)]
ProfileData = Annotated[
    Any,
    body(
        "What is to change; null clears.",
        {"username": TEXT_OR_NULL, **_PROFILE},
    ),
]
EmailPart = Annotated[
    str, QueryParameter(max_length=MAX_PART, description="What an address of theirs has in it.")
]
UsernamePart = Annotated[
    str,
    QueryParameter(
        max_length=MAX_PART,
        description="What their user name has in it; beside `email`, either of the two holds.",
    ),
]
UserIds = Annotated[
    str,
    QueryParameter(
        max_length=_MOST_IDS, description=f"Their ids, at most {MAX_IDS}, with commas between."
    ),
]
Direction = Annotated[
    str,
    QueryParameter(
        description="In which order they were made.", schema_extra={"enum": ["asc", "desc"]}
    ),
]


@get("/users", tags=["users"], **PAGED, **for_key("users:read"))
async def users(  # noqa: PLR0913, PLR0917  # what a list may be asked by
    request: Request[Any, Any, Any],
    services: Services,
    asked: AskedPage,
    email: EmailPart = "",
    username: UsernamePart = "",
    user_id: UserIds = "",
    sort_direction: Direction = "desc",
) -> Response[list[AdminUser]]:
    """List users, newest first unless asked otherwise. Needs `users:read`.

    They come with their addresses and passkeys; the rest is at the endpoint of each.
    """
    searched = _filter(email, username, user_id)
    found = await services.user_search.numbered(
        searched, _order(sort_direction), skip=asked.skip, size=asked.size
    )
    total = await services.user_search.count(searched)
    ids = [one.id for one in found]
    emails, passkeys = await services.users.emails_of(ids), await services.passkeys.of(ids)
    shown = [admin_user(one, Parts(emails[one.id], passkeys[one.id])) for one in found]
    return Response(shown, headers=asked.headers(request, total, *_ASKED_BY))


@post("/users", status_code=HTTPStatus.OK, tags=["users"], **for_key("users:write", 409))
async def create(data: NewUserData, services: Services, caller: Caller) -> AdminUser:
    """Make a user, with bags and a password where they are given. Needs `users:write`.

    A single address is the primary one; of several exactly one is. Without `users:read` the answer
    has the id and the times alone.
    """
    new, given = named_user(data)
    account, _ = await services.passwords.create_user(
        caller.actor, new, password=given.password, password_hash=given.password_hash
    )
    return await _shown(services, caller, await _account(services, account.id))


@get("/users/{user_id:str}", tags=["users"], **for_key("users:read", 404))
async def user(user_id: UserId, services: Services, caller: Caller) -> AdminUser:
    """Give a user. Needs `users:read`; the private bag is there with `users.private:read`."""
    return await _shown(services, caller, await _account(services, wanted(user_id)))


@patch("/users/{user_id:str}", tags=["users"], **for_key("users:write", 404, 409))
async def update(
    user_id: UserId, data: ProfileData, services: Services, caller: Caller
) -> AdminUser:
    """Change a user's name and profile. Needs `users:write`.

    Without `users:read` the answer has the id and the times alone.
    """
    account = await services.managed_names.update(
        caller.actor, wanted(user_id), profile_changes(data)
    )
    return await _shown(services, caller, account)


@delete("/users/{user_id:str}", tags=["users"], **for_key("users:write", 404))
async def remove(user_id: UserId, services: Services, caller: Caller) -> None:
    """Delete a user with everything that is theirs; the id is never given out again.

    Needs `users:write`.
    """
    await services.users.delete(caller.actor, wanted(user_id))


@get("/users/{user_id:str}/identities", tags=["users"], **for_key("users:read", 404))
async def identities(user_id: UserId, services: Services) -> list[AdminIdentity]:
    """List who a user is at providers, oldest first. Needs `users:read`."""
    account = await _account(services, wanted(user_id))
    found = await services.federation.identities_of([account.id])
    return [admin_identity(one) for one in found[account.id]]


@delete(
    "/users/{user_id:str}/identities/{identity_id:str}",
    tags=["users"],
    **for_key("users:write", 404),
)
async def remove_identity(
    user_id: UserId, identity_id: PathId, services: Services, caller: Caller
) -> None:
    """Take an identity at a provider away from a user, though it be needed. Needs `users:write`.

    The last one of a user who has neither an address nor a user name stays. The user's sessions and
    trusted devices end, and the user is told.
    """
    whose, known = wanted(user_id), parse_id(identity_id)
    if known is None:
        raise IdentityNotFound
    await services.managed_credentials.delete_identity(caller.actor, whose, known)


async def _account(services: Services, user_id: UUID) -> Account:
    found = await services.users.by_id(user_id)
    if found is None:
        raise UserNotFound
    return found


async def _shown(services: Services, caller: Caller, account: Account) -> AdminUser:
    """Show a user as far as the key may see them; what it may not see is not even read."""
    if not may(caller, READ):
        return AdminUser(str(account.id), account.created_at, account.updated_at)
    mine = [account.id]
    parts = Parts(
        emails=(await services.users.emails_of(mine))[account.id],
        passkeys=await services.passkeys.list(account.id),
        identities=(await services.federation.identities_of(mine))[account.id],
        password=await services.passwords.of(account.id),
        authenticator=await services.totp.of(account.id),
        bags=(await services.metadata.of(mine)).get(account.id),
        private_bag=await private_bag(services, caller, account.id),
    )
    return admin_user(account, parts)


def _filter(email: str, username: str, user_id: str) -> UserFilter:
    """Make a filter of the query; an address and a name are two ways to find a user."""
    for name, text in (("email", email), ("username", username)):
        if not is_storable(text):
            raise FilterRefused("A text that nothing can hold.", path=(name,))
    either = [
        *([UserFilter(email_has=email)] if email else []),
        *([UserFilter(username_has=username)] if username else []),
    ]
    ids = [parse_id(one) for one in user_id.split(",")] if user_id else []
    known = tuple(one for one in ids if one is not None)
    if len(known) != len(ids):
        raise FilterRefused("failed to parse user_id as uuid", path=("user_id",))
    return UserFilter(ids=known, any_of=tuple(either))


def _order(direction: str) -> UserOrder:
    orders = {"asc": UserOrder.CREATED_AT_ASC, "desc": UserOrder.CREATED_AT_DESC}
    order = orders.get(direction)
    if order is None:
        raise FilterRefused("sort_direction must be desc or asc", path=("sort_direction",))
    return order
