"""Credentials and second factors, as the schema shows them: everything but what is secret."""

from datetime import datetime
from enum import Enum
from typing import Self
from uuid import UUID

import strawberry

from app.credentials.passkey_values import Passkey
from app.credentials.trusted_devices import TrustedDevice
from app.graphql.context import Info


@strawberry.enum(description="What a WebAuthn credential is for.")
class PasskeyKind(Enum):
    """A kind of credential."""

    PASSKEY = strawberry.enum_value("passkey", description="It signs in.")
    SECURITY_KEY = strawberry.enum_value("security_key", description="It is a second factor alone.")


@strawberry.type(name="Passkey", description="A passkey or a security key.")
class PasskeyType:
    """A WebAuthn credential."""

    id: strawberry.ID = strawberry.field(
        description="The credential's id, as WebAuthn has it: base64url without padding."
    )
    name: str | None = strawberry.field(description="What the user calls it.")
    kind: PasskeyKind = strawberry.field(description="What it is for.")
    aaguid: strawberry.ID = strawberry.field(
        description="The authenticator's model as a UUID, of zeros where it does not tell; it says "
        "nothing about security."
    )
    transports: list[str] = strawberry.field(
        description="How a browser reaches it, such as `usb`, `internal` or `hybrid`."
    )
    is_backup_eligible: bool = strawberry.field(
        description="Whether it may be copied to other devices."
    )
    is_backed_up: bool = strawberry.field(
        description="Whether it had been copied when it was last used."
    )
    created_at: datetime = strawberry.field(description="When it was made.")
    last_used_at: datetime | None = strawberry.field(description="When it was last used.")

    @classmethod
    def of(cls, passkey: Passkey) -> Self:
        """Show a credential."""
        return cls(
            id=strawberry.ID(passkey.credential_id),
            name=passkey.name,
            kind=PasskeyKind(passkey.kind),
            aaguid=strawberry.ID(str(passkey.aaguid)),
            transports=list(passkey.transports),
            is_backup_eligible=passkey.is_backup_eligible,
            is_backed_up=passkey.is_backed_up,
            created_at=passkey.created_at,
            last_used_at=passkey.last_used_at,
        )


@strawberry.type(
    name="Password", description="That a user has a password; of the password itself nothing."
)
class PasswordType:
    """A password."""

    changed_at: datetime = strawberry.field(description="When it was set or last changed.")


@strawberry.type(
    name="Totp", description="That a user has an authenticator app; of its secret nothing."
)
class TotpType:
    """An authenticator app."""

    created_at: datetime = strawberry.field(description="When it was set up.")


@strawberry.type(
    name="Mfa", description="A user's second factors, beside `securityKeys` and `trustedDevices`."
)
class MfaType:
    """The second factors of a user."""

    user_id: strawberry.Private[UUID]

    @strawberry.field(description="The authenticator app, if they have one.")
    async def totp(self, info: Info) -> TotpType | None:
        """Give the app."""
        found = await info.context.authenticators.load(self.user_id)
        return TotpType(created_at=found.created_at) if found else None

    @strawberry.field(description="How many of their recovery codes have not been used.")
    async def recovery_codes_left(self, info: Info) -> int:
        """Count the recovery codes."""
        return await info.context.recovery_codes.load(self.user_id)


@strawberry.type(
    name="TrustedDevice", description="A browser that need not show a second factor for a while."
)
class TrustedDeviceType:
    """A trusted browser."""

    id: strawberry.ID = strawberry.field(description="UUID.")
    user_agent: str | None = strawberry.field(description="What it called itself.")
    created_at: datetime = strawberry.field(description="Since when it is trusted.")
    expires_at: datetime = strawberry.field(description="When that ends by itself.")
    is_current: bool = strawberry.field(description="Whether this request comes from it.")

    @classmethod
    def of(cls, device: TrustedDevice) -> Self:
        """Show a browser."""
        return cls(
            id=strawberry.ID(str(device.id)),
            user_agent=device.user_agent,
            created_at=device.created_at,
            expires_at=device.expires_at,
            is_current=device.is_current,
        )
