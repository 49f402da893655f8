"""Passwords, set by a secret key, and credentials that it takes away."""

from typing import Annotated
from uuid import UUID

import strawberry

from app.graphql.account import CredentialId
from app.graphql.context import Context, Info
from app.graphql.guards import requires_secret_key
from app.graphql.identities import IdentityId
from app.graphql.inputs import id_of
from app.graphql.mutation import mutation
from app.graphql.user_type import UserType
from app.graphql.users import DeletePayload, UserId, UserPayload


@strawberry.input(description="A user's new password.")
class SetUserPasswordInput:
    """A password."""

    password: str = strawberry.field(description="8 characters or more, as configured.")
    keep_sessions: bool = strawberry.field(
        default=False, description="Let the user's sessions and trusted devices live on."
    )


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
        input: Annotated[SetUserPasswordInput, strawberry.argument(description="The password.")],  # noqa: A002
    ) -> UserPayload:
        """Set a password."""
        context, user = info.context, id_of(user_id, "user_id")
        await context.services.managed_credentials.set_password(
            context.actor, user, input.password, keeps_sessions=input.keep_sessions
        )
        return await _payload(context, user)

    @mutation(
        "Take a user's password away; their sessions and trusted devices end.",
        requires_secret_key("users:write"),
    )
    async def delete_user_password(self, info: Info, user_id: UserId) -> UserPayload:
        """Delete a password."""
        context, user = info.context, id_of(user_id, "user_id")
        await context.services.managed_credentials.delete_password(context.actor, user)
        return await _payload(context, user)


@strawberry.type
class UserCredentialMutations:
    """Credentials taken away from users."""

    @mutation(
        "Take a user's authenticator app away, though it be needed; their sessions and trusted "
        "devices end.",
        requires_secret_key("users:write"),
    )
    async def delete_user_totp(self, info: Info, user_id: UserId) -> UserPayload:
        """Delete an authenticator app."""
        context, user = info.context, id_of(user_id, "user_id")
        await context.services.managed_credentials.delete_totp(context.actor, user)
        return await _payload(context, user)

    @mutation(
        "Take a passkey or a security key away from a user, though it be needed; their sessions "
        "and trusted devices end.",
        requires_secret_key("users:write"),
    )
    async def delete_user_passkey(
        self, info: Info, user_id: UserId, credential_id: CredentialId
    ) -> DeletePayload:
        """Delete a credential."""
        context, user = info.context, id_of(user_id, "user_id")
        await context.services.managed_credentials.delete_passkey(
            context.actor, user, credential_id
        )
        return DeletePayload(deleted_id=credential_id, user_errors=[])

    @mutation(
        "Take an identity at a provider away from a user, though it be needed; their sessions and "
        "trusted devices end. The last one of a user who has neither an address nor a user name "
        "stays.",
        requires_secret_key("users:write"),
    )
    async def delete_user_identity(
        self, info: Info, user_id: UserId, identity_id: IdentityId
    ) -> DeletePayload:
        """Delete an identity."""
        context, user = info.context, id_of(user_id, "user_id")
        await context.services.managed_credentials.delete_identity(
            context.actor, user, id_of(identity_id, "identity_id")
        )
        return DeletePayload(deleted_id=identity_id, user_errors=[])


async def _payload(context: Context, user_id: UUID) -> UserPayload:
    account = await context.services.users.by_id(user_id)
    return UserPayload(user=UserType.of(account) if account else None, user_errors=[])
