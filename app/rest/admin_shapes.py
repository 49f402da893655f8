"""What the admin endpoints answer, in the reference's shapes; what is empty is left out."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Struct

from app.credentials.passkey_values import Passkey
from app.credentials.passwords import KeptPassword
from app.credentials.totp import Authenticator
from app.federation.identities import Identity
from app.metadata import Bags
from app.rest.shapes import (
    NamedBags,
    ProfileUsername,
    WebauthnCredential,
    credential,
    named_bags,
    unless_empty,
    username_of,
)
from app.users import Account, Email


class AdminEmail(Struct, frozen=True):
    """An address of a user."""

    id: str
    address: str
    is_verified: bool
    is_primary: bool
    created_at: datetime
    updated_at: datetime


class AdminIdentity(Struct, frozen=True, omit_defaults=True):
    """Who a user is at a provider.

    The reference's two names say the wrong thing, so each value is there by its right name too.
    """

    id: str
    provider_id: Annotated[str, msgspec.Meta(description="What the provider calls the user.")]
    provider_name: Annotated[str, msgspec.Meta(description="The id of the provider.")]
    provider: Annotated[str, msgspec.Meta(description="The id of the provider.")]
    subject: Annotated[str, msgspec.Meta(description="What the provider calls the user.")]
    created_at: datetime
    updated_at: datetime
    email_id: Annotated[
        str | None, msgspec.Meta(description="The user's address that it stands for, if any.")
    ] = None


class AdminPassword(Struct, frozen=True):
    """The password of a user; its hash is never told. One that is changed is another."""

    id: str
    created_at: datetime
    updated_at: datetime


class AdminOtp(Struct, frozen=True):
    """An authenticator app of a user; its secret is never told."""

    id: str
    created_at: datetime


class AdminUser(Struct, frozen=True, omit_defaults=True):
    """A user, as the admin endpoints show them."""

    id: str
    created_at: datetime
    updated_at: datetime
    webauthn_credentials: list[WebauthnCredential] = msgspec.field(default_factory=list)
    emails: list[AdminEmail] = msgspec.field(default_factory=list)
    username: ProfileUsername | None = None
    password: AdminPassword | None = None
    identities: list[AdminIdentity] = msgspec.field(default_factory=list)
    otp: AdminOtp | None = None
    metadata: NamedBags | None = None
    given_name: str | None = None
    family_name: str | None = None
    name: str | None = None
    picture: str | None = None
    locale: str | None = None


@dataclass(frozen=True, slots=True)
class Parts:
    """What belongs to a user and is shown with them; a list of users shows the first two alone."""

    emails: Sequence[Email]
    passkeys: Sequence[Passkey]
    identities: Sequence[Identity] = ()
    password: KeptPassword | None = None
    authenticator: Authenticator | None = None
    bags: Bags | None = None
    private_bag: str | None = field(default=None, repr=False)


def admin_user(account: Account, parts: Parts) -> AdminUser:
    """Show a user."""
    bags = parts.bags
    return AdminUser(
        id=str(account.id),
        created_at=account.created_at,
        updated_at=account.updated_at,
        webauthn_credentials=[credential(one) for one in parts.passkeys],
        emails=[admin_email(one) for one in parts.emails],
        username=username_of(account),
        password=admin_password(parts.password) if parts.password else None,
        identities=[admin_identity(one) for one in parts.identities],
        otp=admin_otp(parts.authenticator) if parts.authenticator else None,
        metadata=unless_empty(named_bags(bags, parts.private_bag)) if bags else None,
        given_name=account.given_name,
        family_name=account.family_name,
        name=account.name,
        picture=account.picture,
        locale=account.locale,
    )


def admin_email(email: Email) -> AdminEmail:
    """Show an address."""
    return AdminEmail(
        id=str(email.id),
        address=email.address,
        is_verified=email.is_verified,
        is_primary=email.is_primary,
        created_at=email.created_at,
        updated_at=email.updated_at,
    )


def admin_identity(identity: Identity) -> AdminIdentity:
    """Show an identity."""
    return AdminIdentity(
        id=str(identity.id),
        provider_id=identity.subject,
        provider_name=identity.provider,
        provider=identity.provider,
        subject=identity.subject,
        created_at=identity.created_at,
        updated_at=identity.updated_at,
        email_id=str(identity.email_id) if identity.email_id else None,
    )


def admin_password(password: KeptPassword) -> AdminPassword:
    """Show since when there is a password."""
    return AdminPassword(str(password.id), password.changed_at, password.changed_at)


def admin_otp(authenticator: Authenticator) -> AdminOtp:
    """Show an authenticator app."""
    return AdminOtp(str(authenticator.id), authenticator.created_at)
