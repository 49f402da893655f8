"""Passwords, set and taken away by a secret key."""

from typing import Annotated
from uuid import UUID

import strawberry

from app.credentials.passwords import Then
from app.graphql.context import Context, Info
from app.graphql.guards import requires_secret_key
from app.graphql.inputs import id_of
from app.graphql.mutation import mutation
from app.graphql.user_type import UserType
from app.graphql.users import UserId, UserPayload


@strawberry.type
class PasswordMutations:
    """Changes of passwords."""

    @mutation(
        "Give a user a password in place of any other; their sessions and trusted devices end.",
        requires_secret_key("users:write"),
        solo=True,
    )
    async def set_user_password(
        self,
        info: Info,
        user_id: UserId,
        password: Annotated[
            str, strawberry.argument(description="8 characters or more, as configured.")
        ],
        keep_sessions: Annotated[  # noqa: FBT002  # given by name
            bool | None,
            strawberry.argument(description="Let the user's sessions and trusted devices live on."),
        ] = False,
    ) -> UserPayload:
        """Set a password."""
        context, user = info.context, id_of(user_id, "user_id")
        then = None if keep_sessions else _end_what_it_opened(context, user)
        await context.services.passwords.set(context.actor, user, password, then=then)
        return await _payload(context, user)

    @mutation(
        "Take a user's password away; their sessions and trusted devices end.",
        requires_secret_key("users:write"),
    )
    async def delete_user_password(self, info: Info, user_id: UserId) -> UserPayload:
        """Delete a password."""
        context, user = info.context, id_of(user_id, "user_id")
        then = _end_what_it_opened(context, user)
        await context.services.passwords.delete(context.actor, user, then=then)
        return await _payload(context, user)


def _end_what_it_opened(context: Context, user_id: UUID) -> Then:
    """End every session and trusted device with the change that makes them doubtful (SEC-027)."""

    async def end() -> None:
        await context.services.sessions.end_all(context.actor, user_id)
        await context.services.trusted_devices.forget_all(context.actor, user_id)

    return end


async def _payload(context: Context, user_id: UUID) -> UserPayload:
    account = await context.services.users.by_id(user_id)
    return UserPayload(user=UserType.of(account) if account else None, user_errors=[])
