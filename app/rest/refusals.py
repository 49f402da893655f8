"""What the printed description tells of refusals and of keys, beside each endpoint."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from litestar.openapi import ResponseSpec
from msgspec import Struct, field

from app.rest.guards import needs

SCHEME = "secret_key"
"""What the description calls a secret key in the Authorization header."""

MEANINGS: Mapping[int, str] = {
    204: "There is nothing to show.",
    400: "A value in the request cannot be used.",
    401: "The request bears no valid secret key.",
    403: "The secret key lacks the scope.",
    404: "There is no such object.",
    409: "It is taken, at its limit, or needed.",
    412: "The bags are at another version than If-Match asks for.",
    413: "The body is above 128 KiB.",
    415: "The body is not application/json.",
    503: "The database does not answer.",
}
_ALWAYS = (400, 401, 403, 503)


class Refusal(Struct, frozen=True, omit_defaults=True):
    """Why a request is refused; decide on `code`, which is stable."""

    code: str
    message: str
    request_id: str
    path: list[str] = field(default_factory=list)


class Problem(Struct, frozen=True):
    """A refusal: the status and a sentence, as the reference tells them, and the rest."""

    code: int
    message: str
    error: Refusal


def answers(*statuses: int) -> dict[int, ResponseSpec]:
    """Describe answers by their statuses."""
    return {
        status: ResponseSpec(
            None if status == HTTPStatus.NO_CONTENT else Problem,
            description=MEANINGS[status],
            generate_examples=False,
        )
        for status in statuses
    }


def for_key(scope: str, *statuses: int) -> dict[str, Any]:
    """Give what the decorator of an endpoint for secret keys takes.

    Args:
        scope: The scope that the endpoint asks for.
        statuses: What else it answers, beside what every such endpoint does; the refusals of
            bodies come by themselves.
    """
    return {
        "guards": [needs(scope)],
        "security": [{SCHEME: [scope]}],
        "responses": answers(*sorted({*_ALWAYS, *statuses})),
    }
