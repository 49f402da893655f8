"""Secret keys, as the schema shows them."""

from datetime import datetime, timedelta
from typing import Annotated, Self

import strawberry

from app.graphql.context import Info
from app.graphql.errors import UserError
from app.graphql.guards import requires_secret_key
from app.graphql.inputs import id_of
from app.graphql.mutation import mutation
from app.secretkeys import NewSecretKey, SecretKey

KeyId = Annotated[strawberry.ID, strawberry.argument(description="The key's UUID.")]


@strawberry.type(name="SecretKey", description="How a backend proves who it is.")
class SecretKeyType:
    """A secret key without its secret."""

    id: strawberry.ID = strawberry.field(description="UUID.")
    name: str = strawberry.field(description="What its owner calls it.")
    prefix: str = strawberry.field(description="The part of the key that is no secret.")
    scopes: list[str] = strawberry.field(description="What it allows; `*` is everything.")
    created_at: datetime = strawberry.field(description="When it was made.")
    expires_at: datetime | None = strawberry.field(description="When it ends by itself.")
    revoked_at: datetime | None = strawberry.field(description="When it was revoked.")
    last_used_at: datetime | None = strawberry.field(description="Last use, to the minute.")

    @classmethod
    def of(cls, key: SecretKey) -> Self:
        """Show a key."""
        return cls(
            id=strawberry.ID(str(key.id)),
            name=key.name,
            prefix=key.prefix,
            scopes=list(key.scopes),
            created_at=key.created_at,
            expires_at=key.expires_at,
            revoked_at=key.revoked_at,
            last_used_at=key.last_used_at,
        )


@strawberry.type(description="What became of a change of a secret key.")
class SecretKeyPayload:
    """A changed key."""

    secret_key: SecretKeyType | None = strawberry.field(description="The key as it is now.")
    secret: str | None = strawberry.field(description="The key itself, shown this once.")
    user_errors: list[UserError] = strawberry.field(
        description="Why it was refused; empty where it was not."
    )


@strawberry.input(description="A key to make.")
class CreateSecretKeyInput:
    """A key to make."""

    name: str = strawberry.field(description="1 to 100 characters.")
    scopes: list[str] = strawberry.field(
        description="What it allows; nothing that the key which makes it does not."
    )
    expires_at: strawberry.Maybe[datetime | None] = strawberry.field(
        description="When it ends by itself, no later than the key that makes it; where it is left "
        "out, when that one does."
    )


@strawberry.input(description="How a secret key is followed by another.")
class RotateSecretKeyInput:
    """A grace period."""

    grace: int = strawberry.field(
        default=86_400, description="Seconds the old key lives on; 90 days at most."
    )


@strawberry.type
class SecretKeyQueries:
    """Questions about secret keys."""

    @strawberry.field(
        description="The secret keys whose scopes yours covers, oldest first; the newest 100.",
        extensions=[requires_secret_key("keys:read")],
    )
    async def secret_keys(self, info: Info) -> list[SecretKeyType]:
        """List keys."""
        found = await info.context.services.secret_keys.list(info.context.actor.secret_key)
        return [SecretKeyType.of(key) for key in found]


@strawberry.type
class SecretKeyMutations:
    """Changes of secret keys."""

    @mutation("Make a secret key and give it, once.", requires_secret_key("keys:write"), solo=True)
    async def create_secret_key(
        self,
        info: Info,
        input: Annotated[CreateSecretKeyInput, strawberry.argument(description="The key.")],  # noqa: A002
    ) -> SecretKeyPayload:
        """Make a key."""
        services, actor = info.context.services, info.context.actor
        new = NewSecretKey(
            input.name, tuple(input.scopes), input.expires_at.value if input.expires_at else None
        )
        key, secret = await services.secret_keys.create(actor, new, actor.secret_key)
        return SecretKeyPayload(secret_key=SecretKeyType.of(key), secret=secret, user_errors=[])

    @mutation(
        "Make a key like an old one, which ends after a grace period; give the new one, once.",
        requires_secret_key("keys:write"),
        solo=True,
    )
    async def rotate_secret_key(
        self,
        info: Info,
        secret_key_id: KeyId,
        input: Annotated[  # noqa: A002  # the schema's word
            RotateSecretKeyInput | None, strawberry.argument(description="The grace period.")
        ] = None,
    ) -> SecretKeyPayload:
        """Rotate a key."""
        services, actor = info.context.services, info.context.actor
        grace = timedelta(seconds=(input or RotateSecretKeyInput()).grace)
        key, secret = await services.secret_keys.rotate(
            actor, id_of(secret_key_id, "secret_key_id"), grace, actor.secret_key
        )
        return SecretKeyPayload(secret_key=SecretKeyType.of(key), secret=secret, user_errors=[])

    @mutation("End a secret key at once.", requires_secret_key("keys:write"))
    async def revoke_secret_key(self, info: Info, secret_key_id: KeyId) -> SecretKeyPayload:
        """Revoke a key."""
        services, actor = info.context.services, info.context.actor
        key = await services.secret_keys.revoke(
            actor, id_of(secret_key_id, "secret_key_id"), actor.secret_key
        )
        return SecretKeyPayload(secret_key=SecretKeyType.of(key), secret=None, user_errors=[])
