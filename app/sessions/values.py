"""Sessions as they are handed about, and the one statement that reads a signed-in user."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from app.access import SessionPrincipal
from app.errors import NotFound
from app.metadata import Bags
from app.persistence import Row, fetch_row
from app.templates.subject import SUBJECT_COLUMNS, SUBJECT_JOINS, Subject, subject_of
from app.users import Account

_COLUMNS = """
s.user_id, s.ip_address, s.user_agent, s.created_at AS started_at, s.last_used_at,
s.expires_at, s.is_remembered, u.username, u.name, u.given_name, u.family_name, u.picture, u.locale,
u.created_at, u.updated_at, u.last_sign_in_at, m.public_bag, m.unsafe_bag, m.version
"""
_SIGNED_IN = f"""
SELECT {_COLUMNS}
FROM user_session s
JOIN app_user u ON u.id = s.user_id
JOIN user_metadata m ON m.user_id = s.user_id
WHERE s.id = $1
"""
_WITH_SUBJECT = f"""
SELECT {_COLUMNS}, {SUBJECT_COLUMNS}
FROM user_session s
JOIN app_user u ON u.id = s.user_id
{SUBJECT_JOINS}
WHERE s.id = $1
"""


class SessionNotFound(NotFound):
    """No such session, or not this user's."""

    message = "There is no such session."

    def __init__(self) -> None:
        super().__init__(path=("session_id",))


@dataclass(frozen=True, slots=True)
class Session:
    """A session as it stands."""

    id: UUID
    user_id: UUID
    ip_address: str | None
    user_agent: str | None
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    is_remembered: bool = True
    """Whether its cookies outlive the browser, where the person is asked."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A live session with its user, read in one statement; the private bag is not among it.

    `claims` are those of the token; `subject` is there where the current ones are to be made.
    """

    session: Session
    account: Account
    bags: Bags
    claims: dict[str, object]
    subject: Subject | None = None


@dataclass(frozen=True, slots=True)
class SignIn:
    """How a person has signed in.

    Attributes:
        amr: How they have proved who they are (RFC 8176), for the token to say.
        remember: Whether they want to stay signed in; asked where retention is `prompt`.
        replacing: The session that their request bears, whoever's it is: it ends (SEC-026).
    """

    amr: tuple[str, ...] = ()
    remember: bool = True
    replacing: SessionPrincipal | None = None


NOBODY_SIGNED_IN = SignIn()
"""A session that a backend or an operator has begun."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A session that is to begin or to go on, and what its token will claim, not signed yet."""

    session: Session
    claims: dict[str, Any]
    issued_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Issued:
    """A session and the token that stands for it; with a refresh token where those are in use."""

    session: Session
    token: str
    issued_at: datetime
    expires_at: datetime
    refresh_token: str | None = None


async def signed_in_row(session_id: UUID, *, with_subject: bool) -> Row | None:
    """Read a session with its user, and with what the user's claims are made from if wanted."""
    if with_subject:
        return await fetch_row(_WITH_SUBJECT, session_id)
    return await fetch_row(_SIGNED_IN, session_id)


def signed_in_of(
    session_id: UUID, row: Row, claims: dict[str, object], *, with_subject: bool
) -> SignedIn:
    """Make a signed-in user of such a row."""
    user_id = row["user_id"]
    return SignedIn(
        session=Session(
            session_id,
            user_id,
            row["ip_address"],
            row["user_agent"],
            row["started_at"],
            row["last_used_at"],
            row["expires_at"],
            row["is_remembered"],
        ),
        account=Account(
            user_id,
            row["username"],
            row["name"],
            row["given_name"],
            row["family_name"],
            row["picture"],
            row["locale"],
            row["created_at"],
            row["updated_at"],
            row["last_sign_in_at"],
        ),
        bags=Bags(user_id, row["public_bag"], row["unsafe_bag"], None, row["version"]),
        claims=claims,
        subject=subject_of(row) if with_subject else None,
    )


def told(session: Session) -> dict[str, object]:
    """Write a session as receivers of the reference's events know it."""
    return {
        "id": session.id,
        "user_id": session.user_id,
        "user_agent": session.user_agent,
        "ip_address": session.ip_address,
        "created_at": session.created_at,
        "updated_at": session.last_used_at,
        "expires_at": session.expires_at,
        "last_used": session.last_used_at,
    }
