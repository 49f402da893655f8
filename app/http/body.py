"""Reads a request's body: bounded, and as JSON alone (SEC-094, SEC-104, SEC-105)."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from app import strictjson
from app.http.asked import Asked

MAX_BODY = 128 * 1024
MAX_SAML = 1024 * 1024
"""What the callback of SAML takes."""

Receive = Callable[[], Awaitable[dict[str, Any]]]


class BodyRefused(Exception):  # as all our refusals
    """A body that is not taken: the status, the code and the sentence to answer with."""

    def __init__(self, status: HTTPStatus, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


async def read_json(asked: Asked, receive: Receive) -> strictjson.Json:
    """Read a body as strict JSON.

    Raises:
        BodyRefused: Not `application/json` (415), compressed (415), too long (413), not JSON (400).
    """
    if not is_json(asked):
        raise BodyRefused(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "Send the body as application/json.",
        )
    try:
        return strictjson.parse(await _read(receive))
    except strictjson.NotJson as error:
        raise BodyRefused(HTTPStatus.BAD_REQUEST, "bad_request", str(error)) from None


def is_json(asked: Asked) -> bool:
    """Say whether the body is declared as JSON in UTF-8."""
    content_type = asked.headers.get(b"content-type", b"")
    if content_type == b"application/json":
        return True
    media, _, parameters = content_type.decode("latin-1").lower().partition(";")
    charset = parameters.replace(" ", "").replace('"', "")
    return media.strip() == "application/json" and charset in ("", "charset=utf-8")


def too_large() -> BodyRefused:
    """Make the refusal of a body that is too long."""
    message = "The body is longer than may be sent here."
    return BodyRefused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_too_large", message)


async def _read(receive: Receive) -> bytes:
    message = await receive()
    body: bytes = message.get("body", b"")
    if not message.get("more_body"):
        return _bounded(body, len(body))
    parts, size = [body], len(body)
    while message.get("more_body"):
        _bounded(b"", size)
        message = await receive()
        if message["type"] == "http.disconnect":
            raise BodyRefused(HTTPStatus.BAD_REQUEST, "bad_request", "The body has no end.")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
    return _bounded(b"".join(parts), size)


def _bounded(body: bytes, size: int) -> bytes:
    if size > MAX_BODY:
        raise too_large()
    return body
