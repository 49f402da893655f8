"""Sessions, as the schema shows them."""

from datetime import datetime
from typing import Self, cast

import strawberry

from app.access import Actor
from app.graphql.context import Info
from app.graphql.scalars import JSON
from app.sessions import Session


@strawberry.type(name="Session", description="A person's session on one device.")
class SessionType:
    """A session."""

    id: strawberry.ID = strawberry.field(description="UUID; the token's `session_id`.")
    created_at: datetime = strawberry.field(description="When the person signed in.")
    last_used_at: datetime = strawberry.field(description="When it was last used, to the minute.")
    expires_at: datetime = strawberry.field(description="When it ends; use does not extend it.")
    ip_address: str | None = strawberry.field(description="Where the person signed in from.")
    user_agent: str | None = strawberry.field(description="What the person signed in with.")
    is_current: bool = strawberry.field(description="Whether this request bears it.")
    row: strawberry.Private[Session]

    @strawberry.field(
        description="When it ends if it is not used again; null without idle timeout."
    )
    def idle_expires_at(self, info: Info) -> datetime | None:
        """Give the idle end."""
        return info.context.services.sessions.idle_end(self.row)

    @strawberry.field(
        description="What a token of this session would claim if it were made now; null unless "
        "this request bears it."
    )
    async def claims(self, info: Info) -> JSON | None:
        """Give the current claims."""
        signed_in = info.context.signed_in
        if signed_in is None or signed_in.session.id != self.row.id:
            return None
        return cast("JSON", await info.context.services.sessions.claims.current(signed_in))

    @classmethod
    def of(cls, session: Session, actor: Actor) -> Self:
        """Show a session."""
        current = actor.session is not None and actor.session.id == session.id
        return cls(
            id=strawberry.ID(str(session.id)),
            created_at=session.created_at,
            last_used_at=session.last_used_at,
            expires_at=session.expires_at,
            ip_address=session.ip_address,
            user_agent=session.user_agent,
            is_current=current,
            row=session,
        )
