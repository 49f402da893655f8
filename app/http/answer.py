"""Answers that no framework makes for us, and the one shape of a refusal over HTTP."""

import logging
from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus
from typing import Any

from app import errors, strictjson

Send = Callable[[dict[str, Any]], Awaitable[None]]
Headers = Iterable[tuple[bytes, bytes]]
JSON = b"application/json"
_log = logging.getLogger("sekisho.http")
NO_STORE = (b"cache-control", b"no-store")
_STATUS: tuple[tuple[type[errors.IdentityError], HTTPStatus], ...] = (
    (errors.Unauthenticated, HTTPStatus.UNAUTHORIZED),
    (errors.Forbidden, HTTPStatus.FORBIDDEN),
    (errors.NotFound, HTTPStatus.NOT_FOUND),
    (errors.Conflict, HTTPStatus.CONFLICT),
    (errors.Invalid, HTTPStatus.BAD_REQUEST),
    (errors.RateLimited, HTTPStatus.TOO_MANY_REQUESTS),
    (errors.Unavailable, HTTPStatus.SERVICE_UNAVAILABLE),
)
TOLD = tuple(family for family, _ in _STATUS)
"""What a caller may read of; any other error is a defect, and its words are for the log alone."""


def status_of(error: errors.IdentityError) -> HTTPStatus:
    """Give the status of an error's family."""
    for family, status in _STATUS:
        if isinstance(error, family):
            return status
    return HTTPStatus.INTERNAL_SERVER_ERROR


def note_unavailable(error: errors.Unavailable, **extra: Any) -> None:  # noqa: ANN401  # of a log
    """Tell operators in one line what does not answer, where somebody need look."""
    if error.fault:
        _log.warning("unavailable", extra=extra | {"fault": error.fault})


def retry_headers(error: BaseException | None) -> list[tuple[bytes, bytes]]:
    """Give the header that tells when to come again, where an error says so (RFC 9110 §10.2.3)."""
    if isinstance(error, errors.Unavailable | errors.RateLimited) and error.retry_after:
        return [(b"retry-after", str(error.retry_after).encode())]
    return []


def problem(
    status: int, code: str, message: str, request_id: str, path: Iterable[str] = ()
) -> bytes:
    """Write a refusal.

    `code` and `message` at the top are what published clients of the reference read; `error` holds
    the stable code, the place in the request, and the id to ask the operator about.
    """
    where = [part.encode(errors="backslashreplace").decode() for part in path]
    error: dict[str, Any] = {"code": code, "message": message, "request_id": request_id}
    if where:
        error["path"] = where
    return strictjson.encode_bytes({"code": int(status), "message": message, "error": error})


async def answer(
    send: Send, status: int, body: bytes, media: bytes = JSON, headers: Headers = ()
) -> None:
    """Send a whole answer."""
    length = (b"content-length", str(len(body)).encode())
    start = {
        "type": "http.response.start",
        "status": int(status),
        "headers": [(b"content-type", media), length, *headers],
    }
    await send(start)
    await send({"type": "http.response.body", "body": body})
