"""The audit log, for a secret key.

In the reference's shape, on the admin listener alone (SEC-108). Beside the reference's names stands
what ours tell more exactly: who has done it, and to whom or what.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Response, get
from litestar.params import QueryParameter
from msgspec import Struct

from app.audit import AuditFilter, AuditFilterRefused, AuditRecord
from app.clock import STORABLE_YEARS
from app.rest.given import Services
from app.rest.pages import PAGED, AskedPage
from app.rest.refusals import for_key

Json = Any
_ASKED_BY = ("start_time", "end_time", "type", "actor_user_id", "meta_source_ip", "q")
_MOMENT = Annotated[datetime, msgspec.Meta(tz=True)]


def _moment(description: str) -> QueryParameter:
    return QueryParameter(description=description, format="date-time")


Start = Annotated[str | None, _moment("Later than this moment, as RFC 3339 writes it.")]
End = Annotated[str | None, _moment("Earlier than this moment, as RFC 3339 writes it.")]
Types = Annotated[
    list[str] | None, QueryParameter(name="type", description="One of these types, to the letter.")
]
UserPart = Annotated[
    str,
    QueryParameter(
        description="What the id of who has done it has in it; of whom it is about, where nobody "
        "was signed in yet."
    ),
]
AddressPart = Annotated[str, QueryParameter(description="What the client's address has in it.")]
EitherPart = Annotated[str, QueryParameter(description="What either of the two has in it.")]
EmailPart = Annotated[
    str,
    QueryParameter(description="Refused: records name people by their ids, not by addresses."),
]


class AdminAuditLog(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that happened.

    Attributes:
        actor_user_id: The user who has done it; whom it is about where nobody was signed in yet.
        actor_kind: `user`, `secret_key`, `system` or `anonymous`.
        actor_id: The id of the user or of the key.
        subject_id: To which user, key or webhook it happened.
    """

    id: str
    type: str
    meta_http_request_id: str
    meta_source_ip: str
    meta_user_agent: str
    details: Mapping[str, Json]
    created_at: datetime
    updated_at: datetime
    actor_kind: str
    error: str | None = None
    actor_user_id: str | None = None
    actor_id: str | None = None
    subject_id: str | None = None


@get("/audit_logs", tags=["audit"], **for_key("audit:read"), **PAGED)
async def list_audit_logs(  # noqa: PLR0913, PLR0917  # what the reference asks by
    request: Request[Any, Any, Any],
    services: Services,
    asked: AskedPage,
    start_time: Start = None,
    end_time: End = None,
    types: Types = None,
    actor_user_id: UserPart = "",
    actor_email: EmailPart = "",
    meta_source_ip: AddressPart = "",
    q: EitherPart = "",
) -> Response[list[AdminAuditLog]]:
    """Give a page of what happened, newest first. Needs `audit:read`."""
    if actor_email:
        message = "Records hold no e-mail address; ask by actor_user_id."
        raise AuditFilterRefused(message, path=("actor_email",))
    wanted = AuditFilter(
        types=tuple(types or ()),
        after=_time(start_time, "start_time"),
        before=_time(end_time, "end_time"),
        actor_has=actor_user_id,
        address_has=meta_source_ip,
        search=q,
    )
    reader = services.audit_reader
    total = await reader.count(wanted)
    found = await reader.numbered(wanted, skip=asked.skip, size=asked.size)
    return Response(
        [_shown(one) for one in found], headers=asked.headers(request, total, *_ASKED_BY)
    )


def _time(given: str | None, name: str) -> datetime | None:
    """Read a moment as RFC 3339 writes it.

    Raises:
        AuditFilterRefused: It is none, or lies where no database goes.
    """
    if not given:
        return None
    try:
        found = msgspec.convert(given, _MOMENT).astimezone(UTC)
    except (msgspec.ValidationError, OverflowError):
        found = None
    if found is None or found.year not in STORABLE_YEARS:
        message = f"{name} must be a time such as 2026-01-31T12:00:00Z."
        raise AuditFilterRefused(message, path=(name,))
    return found


def _shown(record: AuditRecord) -> AdminAuditLog:
    actor, subject = _text(record.actor_id), _text(record.subject_id)
    users = {"user": actor, "anonymous": subject}
    return AdminAuditLog(
        id=str(record.id),
        type=record.type,
        meta_http_request_id=record.request_id or "",
        meta_source_ip=record.address or "",
        meta_user_agent=record.user_agent or "",
        details=record.details,
        created_at=record.at,
        updated_at=record.at,
        actor_kind=record.actor_kind,
        error=record.error,
        actor_user_id=users.get(record.actor_kind),
        actor_id=actor,
        subject_id=subject,
    )


def _text(given: UUID | None) -> str | None:
    return str(given) if given else None
