"""How refusals look in REST, and how bodies are read there."""

import logging
from http import HTTPStatus
from typing import Any

from litestar import Request, Response
from litestar.exceptions import HTTPException, InternalServerException, ValidationException
from litestar.types import ExceptionHandlersMap

from app import strictjson
from app.errors import IdentityError, Unavailable
from app.http import BodyRefused, asked_of, problem, status_of
from app.http.answer import TOLD, note_unavailable, retry_headers
from app.http.body import is_json, too_large
from app.metadata import MetadataVersionConflict

_log = logging.getLogger("sekisho.rest")
_CODES = {
    HTTPStatus.BAD_REQUEST: "bad_request",
    HTTPStatus.NOT_FOUND: "not_found",
    HTTPStatus.METHOD_NOT_ALLOWED: "method_not_allowed",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "body_too_large",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "unsupported_media_type",
}


class StrictRequest(Request[Any, Any, Any]):
    """A request whose JSON is read by our parser (SEC-105)."""

    async def body(self) -> bytes:
        """Read the body.

        Raises:
            BodyRefused: The client has left before its end (400).
        """
        try:
            return await super().body()
        except InternalServerException:  # what the framework makes of that
            bad = HTTPStatus.BAD_REQUEST
            raise BodyRefused(bad, _CODES[bad], "The body has no end.") from None

    async def json(self) -> strictjson.Json:
        """Read the body as strict JSON.

        Raises:
            BodyRefused: It is not declared as JSON (415), or is none (400).
        """
        if not is_json(asked_of(self.scope)):  # type: ignore[arg-type]  # a scope is a dict
            media = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
            raise BodyRefused(media, _CODES[media], "Send the body as application/json.")
        try:
            return strictjson.parse(await self.body())
        except strictjson.NotJson as error:
            bad = HTTPStatus.BAD_REQUEST
            raise BodyRefused(bad, _CODES[bad], str(error)) from None


def refused(
    request: Request[Any, Any, Any],
    error: IdentityError,
    *,
    status: HTTPStatus | None = None,
    message: str | None = None,
) -> Response[bytes]:
    """Answer a refusal, with the status of its family and in its own words unless told others."""
    if not isinstance(error, TOLD):
        return _defect(request, error)
    if isinstance(error, Unavailable):
        note_unavailable(error)
    told, words = status or status_of(error), message or error.message
    response = _respond(request, told, error.code, words, error.path)
    response.headers |= {name.decode(): value.decode() for name, value in retry_headers(error)}
    return response


def _precondition(
    request: Request[Any, Any, Any], error: MetadataVersionConflict
) -> Response[bytes]:
    """Answer an If-Match that does not match (RFC 9110 §13.1.1)."""
    failed = HTTPStatus.PRECONDITION_FAILED
    return _respond(request, failed, error.code, error.message, ("if-match",))


def _body_refused(request: Request[Any, Any, Any], error: BodyRefused) -> Response[bytes]:
    return _respond(request, error.status, error.code, error.message)


def _not_routed(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """Answer what the framework refuses; its own words may quote the request and stay out."""
    status = HTTPStatus(error.status_code)
    if status is HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return _body_refused(request, too_large())
    code, path = _CODES.get(status, "bad_request"), _parameters(error)
    if path == ("data",):  # what the framework calls the body
        return _respond(request, status, code, "A body is needed.")
    words = f"{path[0]} is not what it must be." if path else status.phrase
    response = _respond(request, status, code, words, path)
    if error.headers and "allow" in error.headers:
        response.headers["allow"] = error.headers["allow"]
    return response


def _parameters(error: HTTPException) -> tuple[str, ...]:
    """Name the first parameter that does not fit its type; the names are the endpoint's own."""
    if not isinstance(error, ValidationException) or not isinstance(error.extra, list):
        return ()
    return tuple(str(one["key"]) for one in error.extra[:1] if "key" in one)


def _defect(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    asked = asked_of(request.scope)  # type: ignore[arg-type]  # a scope is a dict
    _log.error("handler failed", exc_info=error, extra={"request_id": asked.request_id})
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    return _respond(request, status, "internal", "Something went wrong.")


def _respond(
    request: Request[Any, Any, Any],
    status: HTTPStatus,
    code: str,
    message: str,
    path: tuple[str, ...] = (),
) -> Response[bytes]:
    asked = asked_of(request.scope)  # type: ignore[arg-type]  # a scope is a dict
    body = problem(status, code, message, asked.request_id, path)
    return Response(body, status_code=status, media_type="application/json")


EXCEPTION_HANDLERS: ExceptionHandlersMap = {
    IdentityError: refused,
    MetadataVersionConflict: _precondition,
    BodyRefused: _body_refused,
    HTTPException: _not_routed,
    Exception: _defect,
}
