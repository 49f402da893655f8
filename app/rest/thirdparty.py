"""Signing in at providers: the way there, the way back, and the session."""

from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import urlencode

from litestar import Response, get, post
from msgspec import Struct

from app.access import Actor
from app.errors import IdentityError, NotFound
from app.federation.errors import CodeChallengeInvalid
from app.federation.exchange import LIFETIME as TOKEN_LIFETIME
from app.federation.sign_in import CallbackAnswer, SignInRequest
from app.federation.states import LIFETIME
from app.http.browsers import kept, secrets_of
from app.rest.bodies import BodyInvalid, members
from app.rest.browsing import Asking, asked_by, form, query, sent_to
from app.rest.delivering import Delivering
from app.rest.given import Caller, Callers, PathText, Services, body

Json = Any
CALLBACK = "/thirdparty/callback"
OWN_CALLBACK = CALLBACK + "/{provider:str}"
"""Where the answers of one provider come, where each has a callback of its own (SEC-079)."""

MAX_FORM = 64 * 1024
_START = {"provider": 4096, "redirect_to": 4096, "code_challenge": 4096}
_ANSWER = {
    "state": 512,
    "code": 4096,
    "error": 256,
    "error_description": 2000,
    "iss": 1024,
    "user": 4096,
}
"""What a provider sends, and how long it may be."""

_TEXT = {"type": "string"}
_LONGEST = 16 * 1024
_VERIFIER = {"type": "string", "description": "The PKCE verifier of the start."}
TokenData = Annotated[
    Any, body("The exchange token.", {"token": _TEXT, "code_verifier": _VERIFIER}, "token")
]
NothingData = Annotated[Any, body("An empty object.", {})]
IdTokenData = Annotated[
    Any,
    body(
        "An ID token that the application has got by itself.",
        {"provider": _TEXT, "id_token": _TEXT, "nonce": _TEXT, "code_verifier": _VERIFIER},
        "provider",
        "id_token",
        "nonce",
        "code_verifier",
    ),
]


class SignedIn(Struct, frozen=True):
    """Who has signed in."""

    user_id: str


class Nonce(Struct, frozen=True):
    """A nonce, and for how many seconds it can be used."""

    nonce: str
    expires_in: int


class ExchangeToken(Struct, frozen=True):
    """An exchange token, and for how many seconds it can be redeemed."""

    token: str
    expires_in: int


@get("/thirdparty/auth", status_code=HTTPStatus.TEMPORARY_REDIRECT, tags=["third party"])
async def begin(request: Asking, services: Services, callers: Callers) -> Response[bytes]:
    """Send the browser to a provider: `provider`, `redirect_to` and a PKCE `code_challenge` (S256).

    The token that comes back is for `POST /token`. No flow holds it, so the challenge must be
    there: it alone keeps somebody else's token from being redeemed here.
    """
    asked, federation = asked_by(request), services.federation
    _see_that_errors_have_a_page(services)
    actor, given = Actor(origin=asked.origin), query(asked, _START) or {}
    await services.rate_limits.charge("flow", address=asked.address, actor=actor)
    try:
        if not given.get("code_challenge"):
            raise CodeChallengeInvalid(path=("code_challenge",))
        provider = given.get("provider", "")
        wanted = SignInRequest(
            provider,
            given.get("redirect_to", ""),
            "token_exchange",
            code_challenge=given["code_challenge"],
        )
        await federation.get_ready(provider)
        begun = await federation.begin(wanted)
    except IdentityError as error:
        refused = await federation.refused(actor, error)
        return sent_to(refused.redirect_url, HTTPStatus.TEMPORARY_REDIRECT)
    secrets = secrets_of(asked, callers.cookie).having(begun.browser_secret)
    cookie = kept(secrets, callers.cookie)
    return sent_to(begun.redirect_url, HTTPStatus.TEMPORARY_REDIRECT, cookie)


@get(CALLBACK, status_code=HTTPStatus.TEMPORARY_REDIRECT, tags=["third party"])
async def finish(request: Asking, services: Services, callers: Callers) -> Response[bytes]:
    """Take the browser back from a provider, and send it on with a token or an error."""
    return await _finished(request, services, callers)


@get(OWN_CALLBACK, status_code=HTTPStatus.TEMPORARY_REDIRECT, tags=["third party"])
async def finish_at(
    provider: PathText, request: Asking, services: Services, callers: Callers
) -> Response[bytes]:
    """Take the browser back at the callback of one provider; another's answer is refused."""
    return await _finished(request, services, callers, provider)


async def _finished(
    request: Asking, services: Services, callers: Callers, provider: str = ""
) -> Response[bytes]:
    asked = asked_by(request)
    _see_that_errors_have_a_page(services)
    actor = Actor(origin=asked.origin)
    await services.rate_limits.charge("flow", address=asked.address, actor=actor)
    secrets, answer = secrets_of(asked, callers.cookie), _answer(query(asked, _ANSWER))
    secret = secrets.of_state(answer.state)
    shown = replace(answer, callback_of=provider, browser_secret=secret)
    finished = await services.federation.finish(actor, shown)
    left = [kept(secrets.without(answer.state), callers.cookie)] if finished.forgets_browser else []
    return sent_to(finished.redirect_url, HTTPStatus.TEMPORARY_REDIRECT, *left)


@post(
    [CALLBACK, OWN_CALLBACK],
    status_code=HTTPStatus.SEE_OTHER,
    request_max_body_size=MAX_FORM,
    tags=["third party"],
)
async def finish_form(request: Asking, services: Services) -> Response[bytes]:
    """Take the browser back with a form, as Apple sends it, and have it come by GET (SEC-082).

    The target is a query alone (RFC 3986 §4.2), so it comes back to the very URL that it has sent
    the form to, whatever a proxy makes of that on the way here.
    """
    _see_that_errors_have_a_page(services)
    given = await form(request, _ANSWER) or {}
    return sent_to(f"?{urlencode(given)}", HTTPStatus.SEE_OTHER)


@post("/token", status_code=HTTPStatus.OK, tags=["third party"])
async def redeem(
    data: TokenData, services: Services, caller: Caller, callers: Callers
) -> Response[SignedIn]:
    """Begin a session with an exchange token, in place of the one this request bears (SEC-026).

    It is refused with `flow_required` where more is to be asked for; the token is then redeemed in
    the flow `/token_exchange`.
    """
    given = members(data, "token", "code_verifier")
    token = _text(given, "token")
    verifier = _text(given, "code_verifier", optional=True)
    await services.rate_limits.charge(
        "token_exchange", address=caller.actor.origin.address, actor=caller.actor
    )
    issued = await services.at_once.sign_in(caller.actor, token, verifier)
    shown = SignedIn(str(issued.session.user_id))
    return Delivering(shown, callers.cookie.delivery(issued))


@post("/thirdparty/nonce", status_code=HTTPStatus.OK, tags=["third party"])
async def give_nonce(data: NothingData, services: Services, caller: Caller) -> Nonce:
    """Give the nonce that an ID token for `/thirdparty/id_token` has to hold, plain or hashed."""
    members(data)
    _see_that_one_is_on(services)
    await services.rate_limits.charge(
        "flow", address=caller.actor.origin.address, actor=caller.actor
    )
    made = await services.federation.id_token_nonce()
    return Nonce(made, int(LIFETIME.total_seconds()))


@post("/thirdparty/id_token", status_code=HTTPStatus.OK, tags=["third party"])
async def accept_id_token(data: IdTokenData, services: Services, caller: Caller) -> ExchangeToken:
    """Take an ID token from native sign-in or One Tap, and give an exchange token for it.

    The token is redeemed with the same `code_verifier`, which alone keeps somebody else's token
    from being redeemed here.
    """
    given = members(data, "provider", "id_token", "nonce", "code_verifier")
    provider, id_token = _text(given, "provider"), _text(given, "id_token")
    nonce, verifier = _text(given, "nonce"), _text(given, "code_verifier")
    _see_that_one_is_on(services)
    await services.rate_limits.charge(
        "token_exchange", address=caller.actor.origin.address, actor=caller.actor
    )
    token = await services.federation.accept_id_token(
        caller.actor, provider, id_token, nonce, verifier
    )
    return ExchangeToken(token, int(TOKEN_LIFETIME.total_seconds()))


def _answer(given: Mapping[str, str] | None) -> CallbackAnswer:
    """Gather what a provider has sent; None is a query that cannot be read."""
    if given is None:
        return CallbackAnswer(is_readable=False)
    return CallbackAnswer(
        state=given.get("state", ""),
        code=given.get("code", ""),
        error=given.get("error", ""),
        error_description=given.get("error_description", ""),
        iss=given.get("iss", ""),
        user=given.get("user", ""),
    )


def _see_that_errors_have_a_page(services: Services) -> None:
    """Answer like any unknown path where nothing is configured, since errors could go nowhere.

    Raises:
        NotFound: There is no page of errors; while a provider is on there always is.
    """
    if not services.federation.error_redirect_url:
        raise NotFound


def _see_that_one_is_on(services: Services) -> None:
    """Answer like any unknown path where no provider is on.

    Raises:
        NotFound: None is.
    """
    if not services.federation.providers():
        raise NotFound


def _text(given: Mapping[str, Json], name: str, *, optional: bool = False) -> str:
    value = given.get(name)
    if value is None and optional:
        return ""
    if not isinstance(value, str) or not value or len(value) > _LONGEST:
        raise BodyInvalid(f"{name} is a required field", path=(name,))
    return value
