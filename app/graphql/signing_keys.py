"""Signing keys, as the schema shows them."""

from datetime import datetime
from enum import Enum
from typing import Annotated, Self

import strawberry

from app.graphql.context import Info
from app.graphql.errors import UserError
from app.graphql.guards import requires_secret_key
from app.graphql.mutation import mutation
from app.keys import SigningKey


@strawberry.enum(description="Where a signing key is in its life.")
class SigningKeyState(Enum):
    """A state, as the schema names it."""

    NEXT = strawberry.enum_value("next", description="Published, and does not sign yet.")
    ACTIVE = strawberry.enum_value("active", description="Signs.")
    RETIRED = strawberry.enum_value(
        "retired", description="Published until the last token that it signed has expired."
    )


@strawberry.type(name="SigningKey", description="A published key that signs tokens.")
class SigningKeyType:
    """A signing key without its halves."""

    kid: strawberry.ID = strawberry.field(description="The `kid` in tokens and in the JWKS.")
    algorithm: str = strawberry.field(description="`ES256`, `RS256` or `EdDSA`.")
    state: SigningKeyState = strawberry.field(description="Where it is in its life.")
    created_at: datetime = strawberry.field(description="Since when it is published.")
    activates_at: datetime | None = strawberry.field(
        description="Since when it signs, or from when on; null where it waits for a rotation."
    )
    published_until: datetime | None = strawberry.field(
        description="When it is gone; null where no other key follows it yet."
    )

    @classmethod
    def of(cls, key: SigningKey) -> Self:
        """Show a key."""
        return cls(
            kid=strawberry.ID(str(key.kid)),
            algorithm=key.algorithm,
            state=SigningKeyState(key.state),
            created_at=key.created_at,
            activates_at=key.activates_at,
            published_until=key.published_until,
        )


@strawberry.type(description="What became of a change of a signing key.")
class SigningKeyPayload:
    """A changed key."""

    signing_key: SigningKeyType | None = strawberry.field(description="The key as it is now.")
    user_errors: list[UserError] = strawberry.field(
        description="Why it was refused; empty where it was not."
    )


@strawberry.input(description="When the next signing key signs.")
class RotateSigningKeyInput:
    """A moment."""

    now: bool = strawberry.field(
        default=False, description="Whether it signs at once, though some may not know it yet."
    )


@strawberry.type
class SigningKeyQueries:
    """Questions about signing keys."""

    @strawberry.field(
        description="The published signing keys, newest first.",
        extensions=[requires_secret_key("keys:read")],
    )
    async def signing_keys(self, info: Info) -> list[SigningKeyType]:
        """List keys."""
        found = await info.context.services.signing_keys.list()
        return [SigningKeyType.of(key) for key in found]


@strawberry.type
class SigningKeyMutations:
    """Changes of signing keys."""

    @mutation(
        "Let the next signing key follow the one that signs, once it has been published for long "
        "enough; it is made where there is none. Give it.",
        requires_secret_key("keys:write"),
    )
    async def rotate_signing_key(
        self,
        info: Info,
        input: Annotated[  # noqa: A002  # the schema's word
            RotateSigningKeyInput | None, strawberry.argument(description="When.")
        ] = None,
    ) -> SigningKeyPayload:
        """Rotate the key."""
        services, actor = info.context.services, info.context.actor
        now = input is not None and input.now
        key = await services.signing_keys.rotate(actor, now=now)
        return SigningKeyPayload(signing_key=SigningKeyType.of(key), user_errors=[])
