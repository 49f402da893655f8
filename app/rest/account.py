"""What a signed-in person's browser asks for, in the reference's shapes."""

from http import HTTPStatus
from typing import Annotated, Any

from litestar import Request, Response, get, post

from app.errors import NotFound, Unauthenticated
from app.http import asked_of
from app.rest.bodies import BodyInvalid
from app.rest.given import Caller, Callers, PathText, Services, body
from app.rest.shapes import (
    OlderProfile,
    Profile,
    Validation,
    older_profile,
    profile,
    validation,
)
from app.sessions import SignedIn

_INVALID = Validation(is_valid=False)


TokenBody = Annotated[
    Any, body("The token to check.", {"session_token": {"type": "string"}}, "session_token")
]


@get("/me", tags=["account"])
async def me(services: Services, caller: Caller) -> Profile:
    """Give the signed-in user's profile; the private bag is never part of it."""
    signed_in = _required(caller)
    account, bags = signed_in.account, signed_in.bags
    emails = (await services.users.emails_of([account.id]))[account.id]
    return profile(account, emails, bags)


@get("/users/{user_id:str}", tags=["account"])
async def own_user(user_id: PathText, services: Services, caller: Caller) -> OlderProfile:
    """Give the signed-in user's profile as older clients read it; nobody else's is there."""
    signed_in = _required(caller)
    account, bags = signed_in.account, signed_in.bags
    if user_id != str(account.id):
        raise NotFound("There is no such user.")
    emails = (await services.users.emails_of([account.id]))[account.id]
    return older_profile(account, emails, bags)


@post("/logout", status_code=HTTPStatus.NO_CONTENT, tags=["account"])
async def logout(services: Services, caller: Caller, callers: Callers) -> Response[None]:
    """End the session this request bears, and make the browser forget its cookie."""
    session = _required(caller).session
    await services.sessions.end(caller.actor, session.user_id, session.id, "user_logged_out")
    name, line = callers.cookie.deletion()
    headers = {name.decode(): line.decode()}
    return Response(None, status_code=HTTPStatus.NO_CONTENT, headers=headers)


@get("/sessions/validate", tags=["sessions"])
async def validate(
    request: Request[Any, Any, Any], services: Services, callers: Callers
) -> Validation:
    """Say whether the token in the header or cookie is a live session; this is no use of it."""
    asked = asked_of(request.scope)  # type: ignore[arg-type]  # a scope is a dict
    caller = await callers.of(asked, touch=False)
    signed_in = caller.signed_in
    return _INVALID if signed_in is None else validation(signed_in, services.sessions)


@post("/sessions/validate", status_code=HTTPStatus.OK, tags=["sessions"])
async def validate_token(data: TokenBody, services: Services) -> Validation:
    """Say whether the token in the body is a live session; this counts as use of it."""
    token = data.get("session_token") if isinstance(data, dict) else None
    if not isinstance(token, str):
        raise BodyInvalid("session_token is a required field", path=("session_token",))
    found = await services.sessions.authenticate(token)
    if not isinstance(found, SignedIn):
        return _INVALID
    return validation(found, services.sessions)


def _required(caller: Caller) -> SignedIn:
    if caller.signed_in is None:
        raise Unauthenticated("Unauthorized")
    return caller.signed_in
