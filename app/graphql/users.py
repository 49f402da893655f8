"""Asking for users, and changing them."""

from typing import Annotated

import strawberry

from app.errors import Forbidden, NotFound
from app.graphql.context import Context, Info
from app.graphql.errors import UserError
from app.graphql.guards import require_recent, requires_secret_key, requires_session
from app.graphql.inputs import given, id_of
from app.graphql.mutation import mutation
from app.graphql.paging import After, Before, Connection, First, Last, page_request
from app.graphql.user_inputs import (
    CreateUserInput,
    EmailInput,
    IdentityKeyInput,
    UpdateMeInput,
    UpdateUserInput,
    UserBy,
    UserFilterInput,
    UserMetadataInput,
    UserOrderType,
)
from app.graphql.user_type import EmailType, UserType
from app.metadata import UNSET
from app.selfservice import Oneself
from app.users import Account, UserOrder

UserId = Annotated[strawberry.ID, strawberry.argument(description="The user's UUID.")]
EmailId = Annotated[strawberry.ID, strawberry.argument(description="The address's UUID.")]
_ERRORS = "Why it was refused; empty where it was not."


@strawberry.type(description="What became of a change of a user.")
class UserPayload:
    """A changed user."""

    user: UserType | None = strawberry.field(description="The user as it is now.")
    user_errors: list[UserError] = strawberry.field(description=_ERRORS)


@strawberry.type(description="What became of a change of an address.")
class EmailPayload:
    """A changed address."""

    email: EmailType | None = strawberry.field(description="The address as it is now.")
    user_errors: list[UserError] = strawberry.field(description=_ERRORS)


@strawberry.type(description="What became of a deletion.")
class DeletePayload:
    """A deletion."""

    deleted_id: strawberry.ID | None = strawberry.field(description="What was deleted.")
    user_errors: list[UserError] = strawberry.field(description=_ERRORS)


@strawberry.type
class UserQueries:
    """Questions about users."""

    @strawberry.field(
        description="The signed-in user; null when signed out. A secret key has none: FORBIDDEN."
    )
    def me(self, info: Info) -> UserType | None:
        """Give the caller, who was read with the session."""
        context = info.context
        if context.signed_in is not None:
            return UserType.of(context.signed_in.account, context.signed_in.bags)
        if context.actor.secret_key is not None:
            raise Forbidden("A secret key is nobody; ask `user` or `users`.")
        return None

    @strawberry.field(
        description="A user by id, address, name or identity; null where there is none.",
        extensions=[requires_secret_key("users:read")],
    )
    async def user(
        self, info: Info, by: Annotated[UserBy, strawberry.argument(description="Which user.")]
    ) -> UserType | None:
        """Find a user."""
        account = await _find(info.context, by)
        return UserType.of(account) if account else None

    @strawberry.field(
        description="All users, newest first unless ordered otherwise.",
        extensions=[requires_secret_key("users:read")],
    )
    async def users(  # noqa: PLR0913, PLR0917  # a connection's arguments
        self,
        info: Info,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        last: Last = strawberry.UNSET,
        before: Before = strawberry.UNSET,
        filter: Annotated[  # noqa: A002  # the schema's name
            UserFilterInput | None, strawberry.argument(description="Which users.")
        ] = strawberry.UNSET,
        order_by: Annotated[
            UserOrderType | None, strawberry.argument(description="In which order.")
        ] = strawberry.UNSET,
    ) -> Connection[UserType]:
        """Give a page of users."""
        if filter and filter.reads_private():
            info.context.actor.require_scopes("users.private:read")
        page = await info.context.services.user_search.page(
            page_request(first, after, last, before),
            filter.to_filter() if filter else None,
            UserOrder[order_by.name] if order_by else UserOrder.CREATED_AT_DESC,
        )
        return Connection[UserType].of(page, UserType.of)


@strawberry.type
class UserMutations:
    """Changes of users."""

    @mutation(
        "Change what is yours. `unsafeMetadata` is merged (RFC 7396); null for the bag clears it. "
        "Another user name needs a recent sign-in, and goes only if you can still sign in.",
        requires_session(),
    )
    async def update_me(
        self,
        info: Info,
        input: Annotated[UpdateMeInput, strawberry.argument(description="The change.")],  # noqa: A002
    ) -> UserPayload:
        """Change the caller."""
        context = info.context
        changes, wanted = input.profile(), input.if_metadata_version
        if context.signed_in and changes.username not in (
            UNSET,
            context.signed_in.account.username,
        ):
            require_recent(context)
        account, bags = await context.services.self_service.update(
            Oneself(context.actor),
            changes,
            given(input.unsafe_metadata),
            wanted.value if wanted else None,
        )
        return UserPayload(user=UserType.of(account, bags), user_errors=[])

    @mutation(
        "Change any bag of a user. A bag left out stays; an object is merged; null clears the bag. "
        "All or nothing.",
        requires_secret_key("users.metadata:write"),
    )
    async def update_user_metadata(
        self,
        info: Info,
        user_id: UserId,
        input: Annotated[UserMetadataInput, strawberry.argument(description="The change.")],  # noqa: A002
    ) -> UserPayload:
        """Change a user's bags."""
        services, actor = info.context.services, info.context.actor
        wanted = input.if_metadata_version
        bags = await services.metadata.change(
            actor,
            id_of(user_id, "user_id"),
            input.bags(),
            mode=input.wanted_mode(),
            if_version=wanted.value if wanted else None,
        )
        account = await services.users.by_id(bags.user_id)
        user = UserType.of(account, bags) if account else None
        return UserPayload(user=user, user_errors=[])

    @mutation(
        "Make a user, with bags and a password where they are given.",
        requires_secret_key("users:write"),
        solo=True,
    )
    async def create_user(
        self,
        info: Info,
        input: Annotated[CreateUserInput, strawberry.argument(description="The user.")],  # noqa: A002
    ) -> UserPayload:
        """Make a user."""
        services, actor = info.context.services, info.context.actor
        account, bags = await services.passwords.create_user(
            actor,
            input.to_new(),
            password=input.password.value if input.password else None,
            password_hash=input.password_hash.value if input.password_hash else None,
        )
        return UserPayload(user=UserType.of(account, bags), user_errors=[])

    @mutation("Change a user's profile.", requires_secret_key("users:write"))
    async def update_user(
        self,
        info: Info,
        user_id: UserId,
        input: Annotated[UpdateUserInput, strawberry.argument(description="The change.")],  # noqa: A002
    ) -> UserPayload:
        """Change a user."""
        services, actor = info.context.services, info.context.actor
        account = await services.managed_names.update(
            actor, id_of(user_id, "user_id"), input.profile()
        )
        return UserPayload(user=UserType.of(account), user_errors=[])

    @mutation(
        "Delete a user with everything that is theirs. The id is never given out again.",
        requires_secret_key("users:write"),
    )
    async def delete_user(self, info: Info, user_id: UserId) -> DeletePayload:
        """Delete a user."""
        services, actor = info.context.services, info.context.actor
        await services.users.delete(actor, id_of(user_id, "user_id"))
        return DeletePayload(deleted_id=user_id, user_errors=[])

    @mutation("Give a user another address.", requires_secret_key("users:write"))
    async def add_user_email(
        self,
        info: Info,
        user_id: UserId,
        input: Annotated[EmailInput, strawberry.argument(description="The address.")],  # noqa: A002
    ) -> EmailPayload:
        """Add an address."""
        services, actor = info.context.services, info.context.actor
        user = id_of(user_id, "user_id")
        email = await services.managed_names.add_email(actor, user, input.to_new())
        return EmailPayload(email=EmailType.of(email), user_errors=[])

    @mutation("Make an address the primary one.", requires_secret_key("users:write"))
    async def set_primary_user_email(
        self, info: Info, user_id: UserId, email_id: EmailId
    ) -> EmailPayload:
        """Change the primary address."""
        services, actor = info.context.services, info.context.actor
        email = await services.managed_names.set_primary_email(
            actor, id_of(user_id, "user_id"), id_of(email_id, "email_id")
        )
        return EmailPayload(email=EmailType.of(email), user_errors=[])

    @mutation("Vouch that the user reads an address.", requires_secret_key("users:write"))
    async def verify_user_email(
        self, info: Info, user_id: UserId, email_id: EmailId
    ) -> EmailPayload:
        """Mark an address as verified."""
        services, actor = info.context.services, info.context.actor
        email = await services.managed_names.verify_email(
            actor, id_of(user_id, "user_id"), id_of(email_id, "email_id")
        )
        return EmailPayload(email=EmailType.of(email), user_errors=[])

    @mutation("Take an address from a user.", requires_secret_key("users:write"))
    async def delete_user_email(
        self, info: Info, user_id: UserId, email_id: EmailId
    ) -> DeletePayload:
        """Delete an address."""
        services, actor = info.context.services, info.context.actor
        await services.managed_names.delete_email(
            actor, id_of(user_id, "user_id"), id_of(email_id, "email_id")
        )
        return DeletePayload(deleted_id=email_id, user_errors=[])


async def _find_by_identity(context: Context, key: IdentityKeyInput) -> Account | None:
    issuer = key.issuer.value if key.issuer else None
    services = context.services
    owner = await services.federation.owner_of(key.provider, key.subject, issuer)
    return await services.users.by_id(owner) if owner else None


async def _find(context: Context, by: UserBy) -> Account | None:
    users = context.services.users
    if by.email is not None:
        return await users.by_email(by.email.value)
    if by.username is not None:
        return await users.by_username(by.username.value)
    if by.identity is not None:
        return await _find_by_identity(context, by.identity.value)
    try:
        return await users.by_id(id_of(by.id.value if by.id else "", "by"))
    except NotFound:
        return None
