"""Identities at providers, as the schema shows them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Self

import strawberry

from app.federation.connector import Provider
from app.federation.identities import Identity
from app.users import Email


@strawberry.type(name="Identity", description="Who a user is at a provider.")
class IdentityType:
    """An identity."""

    id: strawberry.ID = strawberry.field(description="UUID.")
    provider: str = strawberry.field(description="The provider's id.")
    provider_name: str = strawberry.field(
        description="What users call the provider; its id where it is switched off."
    )
    subject: str = strawberry.field(description="What the provider calls the user.")
    email: str | None = strawberry.field(
        description="The user's address that it stands for, if any."
    )
    created_at: datetime = strawberry.field(description="When it was connected.")
    last_sign_in_at: datetime | None = strawberry.field(
        description="When the user last signed in with it."
    )

    @classmethod
    def of(
        cls, identity: Identity, provider: Provider | None, emails: Sequence[Email] = ()
    ) -> Self:
        """Show an identity; its provider is None where that is switched off."""
        address = (email.address for email in emails if email.id == identity.email_id)
        return cls(
            id=strawberry.ID(str(identity.id)),
            provider=identity.provider,
            provider_name=provider.display_name if provider else identity.provider,
            subject=identity.subject,
            email=next(address, None),
            created_at=identity.created_at,
            last_sign_in_at=identity.last_sign_in_at,
        )
