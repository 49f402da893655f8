"""Reads what a provider answers: JSON, strictly, or a refusal. Everything in it is hostile."""

import re

import httpx2

from app import strictjson
from app.errors import IdentityError
from app.strictjson import Json

Claims = dict[str, Json]
_JSON = re.compile(r"application/([a-z0-9.+-]+\+)?json\s*(;.*)?", re.IGNORECASE)


def value_of(answer: httpx2.Response, refusal: type[IdentityError]) -> Json:
    """Give the JSON value of an answer of success.

    Raises:
        IdentityError: Of the kind *refusal*: another status, a redirect too, or no JSON.
    """
    if answer.status_code != httpx2.codes.OK:
        raise refusal
    if not _JSON.fullmatch(answer.headers.get("Content-Type", "").strip()):
        raise refusal
    try:
        return strictjson.parse(answer.content)
    except strictjson.NotJson:
        raise refusal from None


def object_of(answer: httpx2.Response, refusal: type[IdentityError]) -> Claims:
    """Give the JSON object of an answer of success.

    Raises:
        IdentityError: Of the kind *refusal*: there is none.
    """
    value = value_of(answer, refusal)
    if not isinstance(value, dict):
        raise refusal
    return value
