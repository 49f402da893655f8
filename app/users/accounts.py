"""What an account is made of, and the rules its parts obey. Pure."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from urllib.parse import urlsplit
from uuid import UUID

from app.config.sections import Username
from app.metadata import UNSET, BagChanges, Unset
from app.text import email_key, is_printable, username_key
from app.users.errors import (
    EmailInvalid,
    PictureInvalid,
    TextInvalid,
    UserIdInvalid,
    UsernameInvalid,
)

COLUMNS = (
    "id, username, name, given_name, family_name, picture, locale, created_at, updated_at, "
    "last_sign_in_at"
)
"""What is read of a row for an `Account`."""
MAX_TEXT = 255
MAX_PICTURE = 2048
PROFILE = ("name", "given_name", "family_name", "picture", "locale")
_WORD = re.compile(r"\w+")
_LOCALE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,8}")


@dataclass(frozen=True, slots=True)
class Account:
    """A person's account as it stands."""

    id: UUID
    username: str | None
    name: str | None
    given_name: str | None
    family_name: str | None
    picture: str | None
    locale: str | None
    created_at: datetime
    updated_at: datetime
    last_sign_in_at: datetime | None


@dataclass(frozen=True, slots=True)
class Email:
    """An address of an account."""

    id: UUID
    user_id: UUID
    address: str
    is_primary: bool
    is_verified: bool
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class NewEmail:
    """An address to give to an account."""

    address: str
    is_primary: bool = False
    is_verified: bool = False


@dataclass(frozen=True, slots=True)
class ProfileChanges:
    """A change for each field of a profile: left out, cleared, or set."""

    username: str | None | Literal[Unset.UNSET] = UNSET
    name: str | None | Literal[Unset.UNSET] = UNSET
    given_name: str | None | Literal[Unset.UNSET] = UNSET
    family_name: str | None | Literal[Unset.UNSET] = UNSET
    picture: str | None | Literal[Unset.UNSET] = UNSET
    locale: str | None | Literal[Unset.UNSET] = UNSET

    def checked(self, rules: Username) -> dict[str, str | None]:
        """Give the columns to write.

        Raises:
            UsernameInvalid, PictureInvalid, TextInvalid: A value breaks its rule.
        """
        columns: dict[str, str | None] = {}
        if self.username is not UNSET:
            columns |= username_columns(self.username, rules)
        for name in PROFILE:
            value = getattr(self, name)
            if value is not UNSET:
                columns[name] = None if value is None else _profile_text(name, value)
        return columns


@dataclass(frozen=True, slots=True)
class NewUser:
    """An account to make."""

    id: UUID | None = None
    emails: tuple[NewEmail, ...] = ()
    profile: ProfileChanges = field(default_factory=ProfileChanges)
    bags: BagChanges = field(default_factory=BagChanges)
    created_at: datetime | None = None


def check_id(given: UUID | None) -> None:
    """See that an id that a user is given can be one.

    Raises:
        UserIdInvalid: It is the nil UUID, which stands for nobody.
    """
    if given is not None and not given.int:
        raise UserIdInvalid(path=("id",))


def username_columns(username: str | None, rules: Username) -> dict[str, str | None]:
    """Give the name as typed and the key under which it is unique (SEC-114).

    Raises:
        UsernameInvalid: It is too short, too long, or not made of letters, digits and underscores.
    """
    if username is None:
        return {"username": None, "username_key": None}
    trimmed, key = username.strip(), username_key(username)
    fits = rules.min_length <= len(trimmed) <= rules.max_length
    plain = _WORD.fullmatch(trimmed) and _WORD.fullmatch(key) and is_printable(trimmed + key)
    if not fits or not plain:
        raise UsernameInvalid(
            f"A user name has {rules.min_length} to {rules.max_length} letters, digits or "
            "underscores.",
            path=("username",),
        )
    return {"username": trimmed, "username_key": key}


def address_key(address: str, max_length: int, path: tuple[str, ...]) -> str:
    """Give the key under which an address is unique (SEC-114).

    Raises:
        EmailInvalid: It is no mailbox, or longer than *max_length*.
    """
    key = email_key(address)
    if key is None or len(address.strip()) > max_length:
        raise EmailInvalid(path=path)
    return key


def _profile_text(name: str, value: str) -> str:
    trimmed = value.strip()
    if name == "picture":
        return _picture(trimmed)
    fits = 0 < len(trimmed) <= MAX_TEXT and is_printable(trimmed)
    if not fits or (name == "locale" and not _LOCALE.fullmatch(trimmed)):
        raise TextInvalid(path=(name,))
    return trimmed


def _picture(url: str) -> str:
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        raise PictureInvalid(path=("picture",)) from None
    plain = is_printable(url) and not any(c.isspace() for c in url) and "@" not in parts.netloc
    if not fits or not plain or len(url.encode()) > MAX_PICTURE:
        raise PictureInvalid(path=("picture",))
    return url
