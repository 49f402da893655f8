"""Reading the records that are kept; nothing here changes one (SEC-118)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from piccolo.querystring import QueryString

from app.audit.errors import AuditFilterRefused
from app.paging import Page, PageRequest
from app.persistence import Row, fetch_composed
from app.text import is_storable

MAX_TYPES = 100
_SHOWN = (
    "id, at, type, actor_kind, actor_id, subject_id, address, user_agent, request_id, error, "
    "details"
)
_ADDRESS_HAS = "lower(COALESCE(address, '')) LIKE {} ESCAPE '!'"
_WHO = "CASE WHEN actor_kind = 'anonymous' THEN subject_id ELSE actor_id END"
_ACTOR_HAS = f"lower(COALESCE(CAST({_WHO} AS TEXT), '')) LIKE {{}} ESCAPE '!'"


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One thing that happened.

    Attributes:
        at: When.
        type: What, as `Event` names it.
        actor_kind: Who did it: `user`, `secret_key`, `system` or `anonymous`.
        actor_id: The user's or the key's id.
        subject_id: To which user, key or webhook it happened.
        address: The client's address.
        error: Why it failed, where it did and a reason is told.
        details: What was touched, by name.
    """

    id: UUID
    at: datetime
    type: str
    actor_kind: str
    actor_id: UUID | None
    subject_id: UUID | None
    address: str | None
    user_agent: str | None
    request_id: str | None
    error: str | None
    details: Mapping[str, Any]

    @property
    def created_at(self) -> datetime:
        """Its time, under the name by which lists are ordered."""
        return self.at


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Asks for records; every part that is given must hold.

    Attributes:
        types: One of these.
        after: Later than.
        before: Earlier than.
        actor_has: A part of the actor's id; of the subject's where nobody was signed in yet.
        address_has: A part of the client's address.
        search: A part of either.
    """

    types: tuple[str, ...] = ()
    actor_id: UUID | None = None
    subject_id: UUID | None = None
    address: str | None = None
    request_id: str | None = None
    after: datetime | None = None
    before: datetime | None = None
    actor_has: str | None = None
    address_has: str | None = None
    search: str | None = None


EVERYTHING = AuditFilter()


@dataclass(frozen=True, slots=True)
class AuditReader:
    """Gives records, newest first; none where `audit_log.storage.enabled` has always been off."""

    async def page(self, wanted: AuditFilter, asked: PageRequest) -> Page[AuditRecord]:
        """Give a page.

        Raises:
            AuditFilterRefused: A text that nothing can hold, or too many types.
        """
        parts = _parts(wanted)
        upwards = asked.backwards
        if asked.beyond is not None:
            at, last = asked.beyond.at, asked.beyond.id
            sql = (
                "(at > {} OR (at = {} AND id > {}))"
                if upwards
                else "(at < {} OR (at = {} AND id < {}))"
            )
            parts.append(QueryString(sql, at, at, last))
        order = "at ASC, id ASC" if upwards else "at DESC, id DESC"
        rows = await fetch_composed(
            QueryString(
                f"SELECT {_SHOWN} FROM audit_event WHERE {{}} ORDER BY {order} LIMIT {{}}",
                _all(parts),
                asked.size + 1,
            )
        )
        return Page.of([_record(row) for row in rows], asked)

    async def numbered(self, wanted: AuditFilter, *, skip: int, size: int) -> list[AuditRecord]:
        """Give *size* records behind the first *skip*, for lists whose pages have numbers.

        Raises:
            AuditFilterRefused: A text that nothing can hold, or too many types.
        """
        rows = await fetch_composed(
            QueryString(
                f"SELECT {_SHOWN} FROM audit_event WHERE {{}} "
                "ORDER BY at DESC, id DESC LIMIT {} OFFSET {}",
                _all(_parts(wanted)),
                size,
                skip,
            )
        )
        return [_record(row) for row in rows]

    async def count(self, wanted: AuditFilter) -> int:
        """Say how many there are.

        Raises:
            AuditFilterRefused: A text that nothing can hold, or too many types.
        """
        sql = "SELECT COUNT(*) AS number FROM audit_event WHERE {}"
        (row,) = await fetch_composed(QueryString(sql, _all(_parts(wanted))))
        return int(row["number"])


def _parts(wanted: AuditFilter) -> list[QueryString]:
    bounds = (
        ("at > {}", wanted.after),
        ("at < {}", wanted.before),
        ("actor_id = {}", wanted.actor_id),
        ("subject_id = {}", wanted.subject_id),
        ("address = {}", _text(wanted.address)),
        ("request_id = {}", _text(wanted.request_id)),
        (_ACTOR_HAS, _within(wanted.actor_has)),
        (_ADDRESS_HAS, _within(wanted.address_has)),
    )
    parts = [QueryString(sql, value) for sql, value in bounds if value is not None]
    if wanted.types:
        parts.append(_types(wanted.types))
    found = _within(wanted.search)
    if found is not None:
        parts.append(QueryString(f"({_ACTOR_HAS} OR {_ADDRESS_HAS})", found, found))
    return parts


def _types(types: tuple[str, ...]) -> QueryString:
    if len(types) > MAX_TYPES:
        raise AuditFilterRefused(f"At most {MAX_TYPES} types are asked for at once.")
    names = [_text(one) for one in types]
    return QueryString(f"type IN ({', '.join('{}' for _ in names)})", *names)


def _all(parts: list[QueryString]) -> QueryString:
    return QueryString(" AND ".join("{}" for _ in parts), *parts) if parts else QueryString("TRUE")


def _text(given: str | None) -> str | None:
    if given is not None and not is_storable(given):
        raise AuditFilterRefused("A text that nothing can hold.", path=("filter",))
    return given


def _within(given: str | None) -> str | None:
    """Make a pattern that finds *given* anywhere; what patterns give a meaning has none in it."""
    text = _text(given)
    if not text:
        return None
    plain = text.lower().replace("!", "!!").replace("%", "!%").replace("_", "!_")
    return f"%{plain}%"


def _record(row: Row) -> AuditRecord:
    return AuditRecord(**dict(row) | {"details": msgspec.json.decode(row["details"])})
