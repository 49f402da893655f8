"""Asking for sessions, and ending them."""

from datetime import datetime
from typing import Annotated, Self

import strawberry

from app.access import Actor
from app.graphql.context import Info
from app.graphql.errors import UserError
from app.graphql.guards import requires_secret_key, requires_session
from app.graphql.inputs import id_of
from app.graphql.mutation import mutation
from app.graphql.session_type import SessionType
from app.graphql.users import DeletePayload, UserId
from app.sessions import Issued

SessionId = Annotated[strawberry.ID, strawberry.argument(description="The session's UUID.")]
_ERRORS = "Why it was refused; empty where it was not."


@strawberry.type(description="A new session.")
class SessionPayload:
    """A new session."""

    session: SessionType | None = strawberry.field(description="The session.")
    token: str | None = strawberry.field(description="The token that stands for it, shown once.")
    token_expires_at: datetime | None = strawberry.field(description="When the token ends.")
    refresh_token: str | None = strawberry.field(
        description="What the next token is had for; null where tokens live as long as sessions."
    )
    user_errors: list[UserError] = strawberry.field(description=_ERRORS)

    @classmethod
    def of(cls, issued: Issued, actor: Actor) -> Self:
        """Show a session with its tokens."""
        return cls(
            session=SessionType.of(issued.session, actor),
            token=issued.token,
            token_expires_at=issued.expires_at,
            refresh_token=issued.refresh_token,
            user_errors=[],
        )


@strawberry.type(description="How many sessions have ended.")
class SessionsEndedPayload:
    """Ended sessions."""

    ended: int | None = strawberry.field(description="How many.")
    user_errors: list[UserError] = strawberry.field(description=_ERRORS)


@strawberry.input(description="What the next token is had for.")
class RefreshSessionInput:
    """A refresh token."""

    refresh_token: str = strawberry.field(description="The refresh token.")


@strawberry.type
class SessionQueries:
    """Questions about sessions."""

    @strawberry.field(description="The session this request bears; null when signed out.")
    def session(self, info: Info) -> SessionType | None:
        """Give the caller's session."""
        signed_in = info.context.signed_in
        return SessionType.of(signed_in.session, info.context.actor) if signed_in else None


@strawberry.type
class SessionMutations:
    """Sessions begun and ended."""

    @mutation(
        "Begin a session for a user and give its token, once.",
        requires_secret_key("sessions:write"),
        solo=True,
    )
    async def create_user_session(self, info: Info, user_id: UserId) -> SessionPayload:
        """Begin a session."""
        services, actor = info.context.services, info.context.actor
        issued = await services.sessions.issue(actor, id_of(user_id, "user_id"))
        return SessionPayload.of(issued, actor)

    @mutation(
        "Exchange a refresh token for a new token and the next refresh token. One that was "
        "exchanged more than 30 seconds ago ends its session.",
        solo=True,
    )
    async def refresh_session(
        self,
        info: Info,
        input: Annotated[RefreshSessionInput, strawberry.argument(description="The token.")],  # noqa: A002
    ) -> SessionPayload:
        """Refresh a session."""
        services, actor = info.context.services, info.context.actor
        issued = await services.refreshing.exchange(actor, input.refresh_token)
        return SessionPayload.of(issued, actor)

    @mutation("End a session of a user.", requires_secret_key("sessions:write"))
    async def revoke_user_session(
        self, info: Info, user_id: UserId, session_id: SessionId
    ) -> DeletePayload:
        """End one session."""
        services, actor = info.context.services, info.context.actor
        user, session = id_of(user_id, "user_id"), id_of(session_id, "session_id")
        await services.sessions.end(actor, user, session, "session_revoked")
        return DeletePayload(deleted_id=session_id, user_errors=[])

    @mutation("End all sessions of a user.", requires_secret_key("sessions:write"))
    async def revoke_user_sessions(self, info: Info, user_id: UserId) -> SessionsEndedPayload:
        """End every session."""
        services, actor = info.context.services, info.context.actor
        ended = await services.sessions.end_all(actor, id_of(user_id, "user_id"))
        return SessionsEndedPayload(ended=ended, user_errors=[])

    @mutation("Sign out: end this session and forget its cookie.", requires_session())
    async def sign_out(self, info: Info) -> DeletePayload:
        """End the caller's own session."""
        services, actor = info.context.services, info.context.actor
        user, session = actor.require_user(), actor.require_session()
        await services.sessions.end(actor, user, session, "user_logged_out")
        info.context.forget_session()
        return DeletePayload(deleted_id=strawberry.ID(str(session)), user_errors=[])

    @mutation("End another session of yours.", requires_session())
    async def revoke_session(self, info: Info, session_id: SessionId) -> DeletePayload:
        """End one of the caller's sessions."""
        services, actor = info.context.services, info.context.actor
        session = id_of(session_id, "session_id")
        await services.sessions.end(actor, actor.require_user(), session, "session_revoked")
        return DeletePayload(deleted_id=session_id, user_errors=[])

    @mutation("End all sessions of yours but this one.", requires_session())
    async def revoke_other_sessions(self, info: Info) -> SessionsEndedPayload:
        """End the caller's other sessions."""
        services, actor = info.context.services, info.context.actor
        ended = await services.sessions.end_all(
            actor, actor.require_user(), keep=actor.require_session()
        )
        return SessionsEndedPayload(ended=ended, user_errors=[])
