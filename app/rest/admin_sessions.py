"""Sessions of users, begun, listed and ended by a secret key.

In the reference's shapes, on the admin listener alone (SEC-108).
"""

import ipaddress
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from litestar import delete, get, post
from msgspec import Struct

from app.access import Origin
from app.ids import parse_id
from app.paging import MAX_PAGE, PageRequest
from app.rest.backend import wanted
from app.rest.bodies import BodyInvalid, known_members
from app.rest.fields import optional_text, required_text
from app.rest.given import TEXT_OR_NULL, Caller, PathId, Services, UserId, body
from app.rest.refusals import for_key
from app.sessions import Session, SessionNotFound
from app.users.errors import UserNotFound

SessionData = Annotated[
    Any,
    body(
        "Whose session, and where the person is, as far as that is known.",
        {
            "user_id": {"type": "string", "format": "uuid"},
            "user_agent": TEXT_OR_NULL,
            "ip_address": {**TEXT_OR_NULL, "description": "An IPv4 or IPv6 address."},
        },
        "user_id",
    ),
]


class AdminSession(Struct, frozen=True):
    """A session of a user."""

    id: str
    user_id: str
    user_agent: str | None
    ip_address: str | None
    created_at: datetime
    updated_at: datetime
    expires_at: datetime
    last_used: datetime


class NewSession(Struct, frozen=True, omit_defaults=True):
    """The tokens of a new session; a refresh token where those are in use."""

    session_token: str
    refresh_token: str | None = None


@post(
    "/sessions",
    status_code=HTTPStatus.OK,
    tags=["sessions"],
    **for_key("sessions:write", 404),
)
async def create_session(data: SessionData, services: Services, caller: Caller) -> NewSession:
    """Begin a session for a user and give its token, once. Needs `sessions:write`."""
    given = known_members(data, "user_id", "user_agent", "ip_address")
    user_id = _user_id(required_text(given, "user_id"))
    origin = Origin(
        address=_address(optional_text(given, "ip_address")),
        user_agent=optional_text(given, "user_agent"),
    )
    issued = await services.sessions.issue(caller.actor, user_id, origin)
    return NewSession(issued.token, issued.refresh_token)


@get("/users/{user_id:str}/sessions", tags=["sessions"], **for_key("sessions:read", 404))
async def list_sessions(user_id: UserId, services: Services) -> list[AdminSession]:
    """List a user's live sessions, newest first, at most 100. Needs `sessions:read`."""
    whose = wanted(user_id)
    if await services.users.by_id(whose) is None:
        raise UserNotFound
    pages = await services.sessions.pages_of([whose], PageRequest(MAX_PAGE))
    return [_shown(one) for one in pages[whose].items]


@delete(
    "/users/{user_id:str}/sessions/{session_id:str}",
    tags=["sessions"],
    **for_key("sessions:write", 404),
)
async def delete_session(
    user_id: UserId, session_id: PathId, services: Services, caller: Caller
) -> None:
    """End a session of a user. Needs `sessions:write`."""
    whose, which = wanted(user_id), parse_id(session_id)
    if which is None:
        raise SessionNotFound
    await services.sessions.end(caller.actor, whose, which, "session_revoked")


def _user_id(text: str) -> UUID:
    found = parse_id(text)
    if found is None:
        raise BodyInvalid("user_id must be a valid uuid", path=("user_id",))
    return found


def _address(text: str) -> str:
    """Read an address; one that is bound to an interface of some machine is none (RFC 4007 §11)."""
    if not text:
        return ""
    try:
        return str(ipaddress.ip_address("" if "%" in text else text))
    except ValueError:
        message = "ip_address must be a valid ip address (v4 or v6)"
        raise BodyInvalid(message, path=("ip_address",)) from None


def _shown(session: Session) -> AdminSession:
    return AdminSession(
        id=str(session.id),
        user_id=str(session.user_id),
        user_agent=session.user_agent,
        ip_address=session.ip_address,
        created_at=session.created_at,
        updated_at=session.last_used_at,
        expires_at=session.expires_at,
        last_used=session.last_used_at,
    )
