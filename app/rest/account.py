"""What a signed-in person's browser asks for, in the reference's shapes."""

import contextlib
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, delete, get, post

from app.access import Actor
from app.errors import Unauthenticated
from app.http import REFRESH_PATH, Asked, asked_of, bearer_of, problem
from app.keys import SignerUnavailable
from app.rest.bodies import BodyInvalid
from app.rest.delivering import Delivering
from app.rest.given import Caller, Callers, PathText, Services, body
from app.rest.shapes import (
    Factors,
    OlderProfile,
    Profile,
    Refreshed,
    Validation,
    older_profile,
    profile,
    refreshed,
    validation,
)
from app.sessions import Issued, RefreshTokenInvalid, SignedIn
from app.users.errors import UserNotFound

_INVALID = Validation(is_valid=False)


TokenBody = Annotated[
    Any, body("The token to check.", {"session_token": {"type": "string"}}, "session_token")
]
RefreshBody = Annotated[
    Any, body("The refresh token, where no cookie has it.", {"refresh_token": {"type": "string"}})
]


@get("/me", tags=["account"])
async def me(services: Services, caller: Caller) -> Profile:
    """Give the signed-in user's profile; the private bag is never part of it."""
    signed_in = _required(caller)
    account, bags = signed_in.account, signed_in.bags
    emails = (await services.users.emails_of([account.id]))[account.id]
    passkeys, totp = await services.passkeys.list(account.id), await services.totp.of(account.id)
    config = services.config
    factors = Factors(passkeys, totp is not None, config.mfa, config.passkey.enabled)
    identities = (await services.federation.identities_of([account.id]))[account.id]
    shown = services.federation.shown(identities)
    return profile(account, emails, bags, factors, shown)


@get("/users/{user_id:str}", tags=["account"])
async def own_user(user_id: PathText, services: Services, caller: Caller) -> OlderProfile:
    """Give the signed-in user's profile as older clients read it; nobody else's is there."""
    signed_in = _required(caller)
    account, bags = signed_in.account, signed_in.bags
    if user_id != str(account.id):
        raise UserNotFound
    emails = (await services.users.emails_of([account.id]))[account.id]
    return older_profile(account, emails, bags)


@post("/logout", status_code=HTTPStatus.NO_CONTENT, tags=["account"])
async def logout(services: Services, caller: Caller, callers: Callers) -> Response[None]:
    """End the session this request bears, and make the browser forget its cookie."""
    session = _required(caller).session
    await services.sessions.end(caller.actor, session.user_id, session.id, "user_logged_out")
    return Delivering(None, callers.cookie.deletion(), status_code=HTTPStatus.NO_CONTENT)


@get("/sessions/validate", tags=["sessions"])
async def validate(
    request: Request[Any, Any, Any], services: Services, callers: Callers
) -> Response[Validation]:
    """Say whether the token in the header or cookie is a live session; this is no use of it.

    The claims are the current ones. Where `session.renew_stale_tokens` is on, a token whose claims
    are older comes with its successor, on the way that tokens take to a browser.
    """
    asked = asked_of(request.scope)  # type: ignore[arg-type]  # a scope is a dict
    caller = await callers.of(asked, touch=False, with_subject=True)
    if caller.signed_in is None:
        return Response(_INVALID)
    reaches = caller.by_cookie or callers.cookie.in_header
    shown, renewed = await _validated(services, caller.signed_in, renew=reaches)
    if renewed is None:
        return Response(shown)
    return Delivering(shown, callers.cookie.token(renewed))


@post("/sessions/validate", status_code=HTTPStatus.OK, tags=["sessions"])
async def validate_token(data: TokenBody, services: Services) -> Validation:
    """Say whether the token in the body is a live session; this counts as use of it.

    The claims are the current ones. Where `session.renew_stale_tokens` is on, a token whose claims
    are older comes with its successor in `session_token`.
    """
    token = data.get("session_token") if isinstance(data, dict) else None
    if not isinstance(token, str):
        raise BodyInvalid("session_token is a required field", path=("session_token",))
    found = await services.sessions.authenticate(token, with_subject=True)
    if not isinstance(found, SignedIn):
        return _INVALID
    shown, renewed = await _validated(services, found, renew=True)
    token = None if renewed is None else renewed.token
    return msgspec.structs.replace(shown, session_token=token)


@post(REFRESH_PATH, status_code=HTTPStatus.OK, tags=["sessions"])
async def refresh(
    data: RefreshBody, request: Request[Any, Any, Any], services: Services, callers: Callers
) -> Response[Refreshed]:
    """Exchange a refresh token, in the body or in its cookie, for a new token and its successor.

    What came in the body is answered in the body, what came in a cookie in cookies.
    """
    asked = asked_of(request.scope)  # type: ignore[arg-type]  # a scope is a dict
    actor = Actor(origin=asked.origin)
    given = data.get("refresh_token") if isinstance(data, dict) else None
    if isinstance(given, str):
        issued = await services.refreshing.exchange(actor, given)
        return Response(refreshed(issued, shown=True))
    kept = callers.token_in_cookie(asked, callers.cookie.refresh_name)
    if kept is None:
        raise BodyInvalid("refresh_token is a required field", path=("refresh_token",))
    try:
        issued = await services.refreshing.exchange(actor, kept)
    except RefreshTokenInvalid as error:
        return _forgetting(error, asked, callers)
    return Delivering(refreshed(issued, shown=False), callers.cookie.delivery(issued))


@delete(REFRESH_PATH, status_code=HTTPStatus.NO_CONTENT, tags=["sessions"])
async def end_refreshed(
    request: Request[Any, Any, Any], services: Services, callers: Callers
) -> Response[None]:
    """End the session of the refresh token in the cookie, or in the header as a bearer token.

    So who signs out is signed out, though their last token has expired.
    """
    asked = asked_of(request.scope)  # type: ignore[arg-type]  # a scope is a dict
    token = bearer_of(asked) or callers.token_in_cookie(asked, callers.cookie.refresh_name)
    try:
        await services.refreshing.end(Actor(origin=asked.origin), token or "")
    except RefreshTokenInvalid as error:
        return _forgetting(error, asked, callers)
    return Delivering(None, callers.cookie.deletion(), status_code=HTTPStatus.NO_CONTENT)


def _forgetting(error: RefreshTokenInvalid, asked: Asked, callers: Callers) -> Response[Any]:
    """Refuse, and make the browser forget cookies that are worth nothing."""
    refusal = problem(HTTPStatus.UNAUTHORIZED, error.code, error.message, asked.request_id)
    return Delivering(
        msgspec.Raw(refusal), callers.cookie.deletion(), status_code=HTTPStatus.UNAUTHORIZED
    )


async def _validated(
    services: Services, signed_in: SignedIn, *, renew: bool
) -> tuple[Validation, Issued | None]:
    """Show a live session with its current claims, and renew its token where that is wanted.

    A signer that does not answer leaves the session as valid as it is.
    """
    sessions = services.sessions
    claims = await sessions.claims.current(signed_in)
    renewed = None
    if renew and services.config.session.renew_stale_tokens:
        with contextlib.suppress(SignerUnavailable):
            renewed = await sessions.renew(signed_in, claims)
    return validation(signed_in, claims, sessions), renewed


def _required(caller: Caller) -> SignedIn:
    if caller.signed_in is None:
        raise Unauthenticated("Unauthorized")
    return caller.signed_in
