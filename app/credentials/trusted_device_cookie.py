"""The value of the cookie that holds a browser's trust: `<user id>:<token>|…`. Pure.

Newest first, one entry a user. A value from before there were several users is a bare token. Anyone
may write a cookie, so nothing that is not to the letter ours is read, and no more than a cookie has
room for.
"""

import re
import secrets
from base64 import urlsafe_b64encode
from uuid import UUID

from app.ids import parse_id

MOST_ENTRIES = 30
LONGEST = 4096
_TOKEN_BYTES = 64
_TOKEN = re.compile(r"[A-Za-z0-9_-]{86}==")


def new_token() -> str:
    """Draw a token: 64 random bytes as base64url with its padding."""
    return urlsafe_b64encode(secrets.token_bytes(_TOKEN_BYTES)).decode()


def token_of(value: str, user_id: UUID) -> str | None:
    """Find the token for a user; a bare one may be anybody's, so its row decides."""
    if len(value) <= LONGEST and _TOKEN.fullmatch(value):
        return value
    return _entries(value).get(user_id)


def with_token(value: str, user_id: UUID, token: str, most: int) -> str:
    """Put a user's new token first, in place of the old one; the oldest beyond *most* fall out."""
    others = [entry for entry in _entries(value).items() if entry[0] != user_id]
    return _written([(user_id, token), *others][: min(most, MOST_ENTRIES)])


def without(value: str, user_id: UUID) -> str:
    """Leave a user out."""
    return _written([entry for entry in _entries(value).items() if entry[0] != user_id])


def _entries(value: str) -> dict[UUID, str]:
    """Read the entries; of several for one user the first, which is the newest."""
    if len(value) > LONGEST:
        return {}
    found: dict[UUID, str] = {}
    for entry in value.split("|")[:MOST_ENTRIES]:
        name, _, token = entry.partition(":")
        user_id = parse_id(name)
        if user_id is not None and _TOKEN.fullmatch(token):
            found.setdefault(user_id, token)
    return found


def _written(entries: list[tuple[UUID, str]]) -> str:
    return "|".join(f"{user_id}:{token}" for user_id, token in entries)
