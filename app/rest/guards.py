"""Who may call an endpoint, judged before anything else of the request is read."""

from typing import Any

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.types import Guard

from app.http import Caller, Callers, asked_of

_CALLER = "sekisho.caller"


async def caller_of(request: Request[Any, Any, Any]) -> Caller:
    """Tell who is asking; that is learned once for each request."""
    scope: dict[str, Any] = request.scope  # type: ignore[assignment]  # a scope is a dict
    if _CALLER not in scope:
        callers: Callers = request.app.state.callers
        scope[_CALLER] = await callers.of(asked_of(scope))
    caller: Caller = scope[_CALLER]
    return caller


def needs(scope: str) -> Guard:
    """Make the guard of an endpoint for secret keys.

    Who has no key learns nothing else: no body is read for them, and no query judged (SEC-012).
    """

    async def guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        caller = await caller_of(connection)  # type: ignore[arg-type]  # of HTTP it is a request
        caller.actor.require_scopes(scope)

    return guard
