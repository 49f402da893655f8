"""The reference's own words for refusals, which scripts around its admin API may look for."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from litestar import Request, Response

from app.credentials.errors import PasskeyNotFound
from app.errors import IdentityError, NotFound
from app.rest.errors import refused
from app.users import (
    EmailInvalid,
    EmailTaken,
    IdentifierMissing,
    PictureInvalid,
    UserExists,
    UsernameInvalid,
    UsernameTaken,
)
from app.users.errors import EmailNotFound

_WORDS: Mapping[type[IdentityError], str] = {
    EmailNotFound: "email with id '{email_id}' was not found",
    PasskeyNotFound: "webauthn credential not found",
    UserExists: "user already exists",
    EmailTaken: "email already exists",
    UsernameTaken: "username already exists",
    IdentifierMissing: "at least one of [Emails, Username] must be set",
    EmailInvalid: "address must be a valid email address",
    UsernameInvalid: "username is invalid",
    PictureInvalid: "picture must be a valid http(s) URL or null",
}


def in_its_words(request: Request[Any, Any, Any], error: IdentityError) -> Response[bytes]:
    """Answer a refusal of an admin endpoint."""
    return refused(request, error, message=_words(request, error))


def as_a_bad_request(request: Request[Any, Any, Any], error: IdentityError) -> Response[bytes]:
    """Answer with 400 what is a conflict elsewhere, where the reference does."""
    return refused(request, error, status=HTTPStatus.BAD_REQUEST, message=_words(request, error))


def _words(request: Request[Any, Any, Any], error: IdentityError) -> str | None:
    """Fill the ids of the path into the words; an endpoint has seen that they are ids."""
    if isinstance(error, NotFound) and error.path == ("user_id",):
        return "user not found"
    words = _WORDS.get(type(error))
    return None if words is None else words.format(**request.path_params)
