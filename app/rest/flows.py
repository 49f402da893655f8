"""The flow API, as published clients of the reference speak it."""

import logging
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from uuid import UUID

from litestar import Request, Response, post

from app import strictjson
from app.errors import Forbidden, IdentityError, Unavailable
from app.flows.definition import Kind
from app.flows.errors import (
    FlowError,
    RateLimitExceeded,
    SessionRequired,
    TechnicalError,
    status_of,
)
from app.flows.result import StepResult
from app.http import Asked, Caller, asked_of
from app.http.answer import retry_headers
from app.http.body import is_json
from app.http.flows import flow_request, handed_over
from app.ids import parse_id
from app.rest.delivering import Delivering
from app.rest.flow_shapes import Viewer, shown_failure, shown_step
from app.rest.given import Callers, Services

Json = Any
Asking = Request[Any, Any, Any]
Headers = list[tuple[bytes, bytes]]
_log = logging.getLogger("sekisho.rest")


@post("/login", status_code=HTTPStatus.OK, tags=["flows"])
async def login(request: Asking, services: Services, callers: Callers) -> Response[Json]:
    """Sign in, step by step: without `action` begin, with it go on."""
    return await _answer("login", request, services, callers)


@post("/registration", status_code=HTTPStatus.OK, tags=["flows"])
async def registration(request: Asking, services: Services, callers: Callers) -> Response[Json]:
    """Sign up, step by step: without `action` begin, with it go on."""
    return await _answer("registration", request, services, callers)


@post("/profile", status_code=HTTPStatus.OK, tags=["flows"])
async def profile(request: Asking, services: Services, callers: Callers) -> Response[Json]:
    """Look after one's own account, step by step. Needs a session on every request."""
    return await _answer("profile", request, services, callers)


@post("/token_exchange", status_code=HTTPStatus.OK, tags=["flows"])
async def token_exchange(request: Asking, services: Services, callers: Callers) -> Response[Json]:
    """Come back from a SAML provider that has begun the login."""
    return await _answer("token_exchange", request, services, callers)


async def _answer(
    kind: Kind, request: Asking, services: Services, callers: Callers
) -> Response[Json]:
    """Take a step; whatever comes of it has the shape of a step (Q-05)."""
    asked = asked_of(request.scope)  # type: ignore[arg-type]  # a scope is a dict
    caller: Caller | None = None
    try:
        caller = await callers.of(asked)
        result = await _step(kind, request, asked, caller, services)
    except Exception as error:  # noqa: BLE001  # a client that gets no step throws an error of its own
        failed = _told(error, asked)
        headers = _retry(failed)
        if isinstance(failed, SessionRequired) and caller and caller.actor.session_fault:
            headers += callers.cookie.deletion()
        return Delivering(shown_failure(failed), headers, status_code=status_of(failed))
    config = services.config
    viewer = Viewer(caller.actor, config.mfa, config.passkey.enabled)
    headers = _retry(result.error) + handed_over(result, callers.cookie)
    return Delivering(shown_step(result, viewer), headers, status_code=result.status)


async def _step(
    kind: Kind, request: Asking, asked: Asked, caller: Caller, services: Services
) -> StepResult:
    token = request.query_params.get("action")
    visit = flow_request(asked, caller.actor, services.config)
    services.flows.admit(kind, visit)
    if not token:
        return await services.flows.start(kind, visit)
    sent = _sent(token, asked, await request.body())
    return await services.flows.advance(
        kind, sent.flow_id, sent.action, csrf_token=sent.csrf_token, given=sent.given, request=visit
    )


@dataclass(frozen=True, slots=True)
class _Sent:
    """What a request says of the action."""

    action: str
    flow_id: UUID
    csrf_token: str
    given: dict[str, Json]


def _sent(token: str, asked: Asked, body: bytes) -> _Sent:
    """Read the action and its inputs (§1.2).

    Raises:
        TechnicalError: The body does not bind, or the token is none.
    """
    members = _members(asked, body)
    csrf_token, given = members.get("csrf_token"), members.get("input_data")
    csrf_token = "" if csrf_token is None else csrf_token
    given = {} if given is None else given
    if not isinstance(csrf_token, str) or not isinstance(given, dict):
        raise TechnicalError
    action, at, flow = token.partition("@")
    flow_id = parse_id(flow.lower())
    if not action or not at or flow_id is None:
        raise TechnicalError
    return _Sent(action, flow_id, csrf_token, given)


def _members(asked: Asked, body: bytes) -> dict[str, Json]:
    if not body:
        return {}
    if not is_json(asked):
        raise TechnicalError
    try:
        members = strictjson.parse(body)
    except strictjson.NotJson:
        raise TechnicalError from None
    if not isinstance(members, dict):
        raise TechnicalError
    return members


def _told(error: Exception, asked: Asked) -> IdentityError:
    """Give what may be told of a failure; a defect is for the log."""
    if isinstance(error, FlowError | Forbidden):
        return error
    if not isinstance(error, Unavailable) or error.retry_after is None:
        _log.error("a flow failed", exc_info=error, extra={"request_id": asked.request_id})
    return error if isinstance(error, Unavailable) else TechnicalError()


def _retry(error: IdentityError | None) -> Headers:
    if isinstance(error, RateLimitExceeded):
        return [(b"retry-after", str(error.retry_after).encode())]
    return retry_headers(error)
