"""Accounts: who they are, how they are addressed."""

from app.users.accounts import Account, Email, NewEmail, NewUser, ProfileChanges
from app.users.errors import (
    EmailInvalid,
    EmailIsPrimary,
    EmailLimitReached,
    EmailTaken,
    IdentifierMissing,
    PictureInvalid,
    PrimaryEmailWrong,
    TextInvalid,
    UserExists,
    UsernameInvalid,
    UsernameTaken,
)
from app.users.filters import MetadataPredicate, UserFilter, UserOrder
from app.users.search import UserSearch
from app.users.service import Users
from app.users.stamps import raise_stamp

__all__ = [
    "Account",
    "Email",
    "EmailInvalid",
    "EmailIsPrimary",
    "EmailLimitReached",
    "EmailTaken",
    "IdentifierMissing",
    "MetadataPredicate",
    "NewEmail",
    "NewUser",
    "PictureInvalid",
    "PrimaryEmailWrong",
    "ProfileChanges",
    "TextInvalid",
    "UserExists",
    "UserFilter",
    "UserOrder",
    "UserSearch",
    "UsernameInvalid",
    "UsernameTaken",
    "Users",
    "raise_stamp",
]
