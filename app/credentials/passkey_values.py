"""Passkeys as they are handed about, and what can come of a ceremony."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from app import base64url
from app.credentials.errors import MfaOnlyCredential, PasskeyInvalid, PasskeyLimitReached
from app.credentials.webauthn_json import Offered
from app.credentials.webauthn_makers import name_of
from app.credentials.webauthn_verify import NewCredential
from app.errors import IdentityError
from app.ids import new_id
from app.persistence import Row
from app.text import is_printable

Kind = Literal["passkey", "security_key"]
COLUMNS = """
id, user_id, credential_id, public_key, sign_count, aaguid, attestation_type, transports,
is_backup_eligible, is_backed_up, is_mfa_only, name, created_at, last_used_at
"""
_LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class Person:
    """Whom a credential is for; the account may be still to be made.

    `name` tells accounts apart in an authenticator's list, `display_name` is for the eye.
    """

    id: UUID
    name: str
    display_name: str


@dataclass(frozen=True, slots=True)
class Passkey:
    """A WebAuthn credential as it is kept: a passkey, or a security key."""

    id: UUID
    user_id: UUID
    credential_id: str
    public_key: bytes
    sign_count: int
    aaguid: UUID
    attestation_type: str
    transports: tuple[str, ...]
    is_backup_eligible: bool
    is_backed_up: bool
    is_mfa_only: bool
    name: str | None
    created_at: datetime
    last_used_at: datetime | None

    @property
    def kind(self) -> Kind:
        """Whether it signs in, or is a second factor alone."""
        return "security_key" if self.is_mfa_only else "passkey"

    @property
    def offered(self) -> Offered:
        """Give what options say of it."""
        return Offered(self.credential_id, self.transports)


@dataclass(frozen=True, slots=True)
class Counts:
    """How many credentials of each kind a user has."""

    passkeys: int
    security_keys: int


@dataclass(frozen=True, slots=True)
class Registered:
    """The credential is the user's."""

    passkey: Passkey


@dataclass(frozen=True, slots=True)
class Accepted:
    """The user has shown that a credential is theirs.

    Where `is_user_verified` is false it counts as one factor, whatever the account (SEC-047).
    """

    user_id: UUID
    passkey: Passkey
    is_user_verified: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """The ceremony has failed, and its challenge is gone; the reason is for records alone."""

    reason: str

    @property
    def error(self) -> IdentityError:
        """Give what a face may tell of it."""
        if self.reason == MFA_ONLY:
            return MfaOnlyCredential()
        return PasskeyLimitReached() if self.reason == LIMIT else PasskeyInvalid()


MFA_ONLY = "mfa_only"
LIMIT = "limit"
UNKNOWN = "unknown"


def is_name(text: str) -> bool:
    """Say whether a credential can be called so."""
    return 0 < len(text) <= _LONGEST_NAME and is_printable(text)


def passkey_of(row: Row) -> Passkey:
    """Make a passkey of its row."""
    return Passkey(
        id=row["id"],
        user_id=row["user_id"],
        credential_id=row["credential_id"],
        public_key=base64url.decode(row["public_key"]),
        sign_count=row["sign_count"],
        aaguid=row["aaguid"],
        attestation_type=row["attestation_type"],
        transports=tuple(row["transports"].split()),
        is_backup_eligible=row["is_backup_eligible"],
        is_backed_up=row["is_backed_up"],
        is_mfa_only=row["is_mfa_only"],
        name=row["name"],
        created_at=row["created_at"],
        last_used_at=row["last_used_at"],
    )


def values_of(user_id: UUID, new: NewCredential, now: datetime) -> tuple[object, ...]:
    """Give the values of a new row, in the order of its columns."""
    return (
        new_id(),
        user_id,
        new.credential_id,
        base64url.encode(new.public_key),
        new.sign_count,
        new.aaguid,
        new.attestation_type,
        " ".join(new.transports),
        new.is_backup_eligible,
        new.is_backed_up,
        new.is_mfa_only,
        name_of(new.aaguid),
        now,
        now,
    )


def number_of(passkeys: Sequence[Passkey], kind: Kind) -> int:
    """Count the credentials of a kind."""
    return sum(one.kind == kind for one in passkeys)
