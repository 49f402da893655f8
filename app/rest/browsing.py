"""What browsers bring that a provider has sent here, and how they are sent on."""

from collections import Counter
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from litestar import Request

from app.http import Asked, BodyRefused, asked_of
from app.rest.delivering import Delivering

Asking = Request[Any, Any, Any]
_FORM = "application/x-www-form-urlencoded"
_MOST_FIELDS = 50


def asked_by(request: Asking) -> Asked:
    """Give the request as it was asked."""
    return asked_of(request.scope)  # type: ignore[arg-type]  # a scope is a dict


def query(asked: Asked, known: Mapping[str, int]) -> Mapping[str, str] | None:
    """Read the fields of a query, see `fields`."""
    return fields(asked.scope["query_string"], known)


async def form(request: Asking, known: Mapping[str, int]) -> Mapping[str, str] | None:
    """Read the fields of a form, see `fields`.

    Raises:
        BodyRefused: The body is no form.
    """
    kind = asked_by(request).header(b"content-type").partition(";")[0]
    if kind.strip().lower() != _FORM:
        raise BodyRefused(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "Send the body as application/x-www-form-urlencoded.",
        )
    return fields(await request.body(), known)


def fields(encoded: bytes, known: Mapping[str, int]) -> Mapping[str, str] | None:
    """Read the fields that are known; None where there are none to be read, or one stands twice.

    Args:
        encoded: A query or form.
        known: How long each may be; one that is longer is as good as absent.
    """
    try:
        pairs = parse_qsl(
            encoded.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MOST_FIELDS,
        )
    except ValueError:
        return None
    given = [(name, value) for name, value in pairs if name in known]
    if any(count > 1 for count in Counter(name for name, _ in given).values()):
        return None
    return {name: value for name, value in given if len(value) <= known[name]}


def sent_to(url: str, status: HTTPStatus, *cookies: tuple[bytes, bytes]) -> Delivering[bytes]:
    """Send the browser on."""
    return Delivering(b"", [(b"location", url.encode()), *cookies], status_code=status)
