"""The audit log, as the schema shows it."""

from datetime import datetime
from enum import Enum
from typing import Annotated, Any, Self
from uuid import UUID

import strawberry

from app import strictjson
from app.audit import AuditFilter, AuditRecord
from app.graphql.context import Info
from app.graphql.guards import requires_secret_key
from app.graphql.inputs import id_of
from app.graphql.paging import After, Connection, First, page_request
from app.graphql.scalars import JSON, raw

_TYPE = "What happened; docs/audit.md lists the types."


@strawberry.enum(description="Who has done something.")
class AuditActorKind(Enum):
    """A kind of actor, as the schema names it."""

    USER = strawberry.enum_value("user", description="A signed-in user.")
    SECRET_KEY = strawberry.enum_value("secret_key", description="A backend, by a secret key.")
    SYSTEM = strawberry.enum_value(
        "system", description="The product itself, or who works at its command line."
    )
    ANONYMOUS = strawberry.enum_value("anonymous", description="Somebody who has not signed in.")


@strawberry.type(name="AuditEvent", description="One thing that happened. It is never changed.")
class AuditEventType:
    """A record."""

    id: strawberry.ID = strawberry.field(description="UUID.")
    at: datetime = strawberry.field(description="When it happened.")
    type: str = strawberry.field(description=_TYPE)
    actor_kind: AuditActorKind = strawberry.field(description="Who has done it.")
    actor_id: strawberry.ID | None = strawberry.field(description="The user's or key's UUID.")
    subject_id: strawberry.ID | None = strawberry.field(
        description="To which user, key or webhook it happened."
    )
    address: str | None = strawberry.field(description="The client's address.")
    user_agent: str | None = strawberry.field(description="What the client calls itself.")
    request_id: str | None = strawberry.field(description="The request, as the log names it.")
    details: JSON = strawberry.field(
        description="What was touched, by name; addresses and user names are masked."
    )

    @classmethod
    def of(cls, record: AuditRecord) -> Self:
        """Show a record."""
        return cls(
            id=strawberry.ID(str(record.id)),
            at=record.at,
            type=record.type,
            actor_kind=AuditActorKind(record.actor_kind),
            actor_id=_shown(record.actor_id),
            subject_id=_shown(record.subject_id),
            address=record.address,
            user_agent=record.user_agent,
            request_id=record.request_id,
            details=raw(strictjson.encode(dict(record.details))),
        )


@strawberry.input(
    name="AuditFilter", description="Asks for records; every part that is given must hold."
)
class AuditFilterInput:
    """Asks for records."""

    types: strawberry.Maybe[list[str] | None] = strawberry.field(description="One of these types.")
    actor_id: strawberry.Maybe[strawberry.ID | None] = strawberry.field(
        description="Done by this user or key."
    )
    subject_id: strawberry.Maybe[strawberry.ID | None] = strawberry.field(
        description="Happened to this user, key or webhook."
    )
    address: strawberry.Maybe[str | None] = strawberry.field(
        description="From exactly this address."
    )
    request_id: strawberry.Maybe[str | None] = strawberry.field(description="In this request.")
    after: strawberry.Maybe[datetime | None] = strawberry.field(description="Later than.")
    before: strawberry.Maybe[datetime | None] = strawberry.field(description="Earlier than.")

    def to_filter(self) -> AuditFilter:
        """Give the service's value."""
        given: dict[str, Any] = {
            name: part.value for name, part in vars(self).items() if part is not None
        }
        for name in ("actor_id", "subject_id"):
            if given.get(name) is not None:
                given[name] = id_of(given[name], name)
        return AuditFilter(**given | {"types": tuple(given.get("types") or ())})


@strawberry.type
class AuditQueries:
    """Questions about what happened."""

    @strawberry.field(
        description="What happened, newest first.",
        extensions=[requires_secret_key("audit:read")],
    )
    async def audit_log(
        self,
        info: Info,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        filter: Annotated[  # noqa: A002  # the schema's name
            AuditFilterInput | None, strawberry.argument(description="Which records.")
        ] = strawberry.UNSET,
    ) -> Connection[AuditEventType]:
        """Give a page of records."""
        wanted = filter.to_filter() if filter else AuditFilter()
        page = await info.context.services.audit_reader.page(wanted, page_request(first, after))
        return Connection[AuditEventType].of(page, AuditEventType.of)


def _shown(given: UUID | None) -> strawberry.ID | None:
    return strawberry.ID(str(given)) if given else None
