"""Our file: a header, and then a user a line (NDJSON), with nothing left out.

What an export leaves out is what is not there, so the same users make the same bytes. A file from
elsewhere may leave out more: ids and times are then made up at import.
"""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

FORMAT = "sekisho.users"
VERSION = 1

Moment = Annotated[datetime, Meta(tz=True)]
Bag = Annotated[msgspec.Raw, Meta(description="A JSON object, kept to the letter.")]
Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Digest = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
_NOBODY = UUID(int=0)


class Record(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """A part of the file; a field that is not known is refused."""


class Header(Record, frozen=True, kw_only=True):
    """The first line.

    Attributes:
        format: Which format this is.
        version: Of the format; a server reads the versions it knows.
        users: How many lines follow, so that a file that was cut off is known for one.
        sealed_under: What tells the encryption secret of the server that has written the file;
            sealed texts open under that secret alone.
    """

    format: str
    version: int
    users: int | None = None
    sealed_under: str | None = None


class EmailRecord(Record, frozen=True, kw_only=True):
    """An address; exactly one of a user's is primary, a single one is so in any case."""

    id: UUID | None = None
    address: str
    is_primary: bool = False
    is_verified: bool = False
    created_at: Moment | None = None
    updated_at: Moment | None = None


class PasswordRecord(Record, frozen=True, kw_only=True):
    """A password as its hash; `imported` says whether another system has made it."""

    id: UUID | None = None
    hash: str
    imported: bool = True
    changed_at: Moment | None = None


class CredentialRecord(Record, frozen=True, kw_only=True):
    """A passkey, or a security key that is a second factor alone; bytes are base64url."""

    id: UUID | None = None
    credential_id: str
    public_key: str
    attestation_type: str = "none"
    aaguid: UUID = _NOBODY
    sign_count: Annotated[int, Meta(ge=0, le=2**32 - 1)] = 0
    transports: tuple[str, ...] = ()
    is_backup_eligible: bool = False
    is_backed_up: bool = False
    is_mfa_only: bool = False
    name: str | None = None
    created_at: Moment | None = None
    last_used_at: Moment | None = None


class TotpRecord(Record, frozen=True, kw_only=True):
    """An authenticator app: its secret sealed as it is stored, or as base32 from elsewhere."""

    id: UUID | None = None
    sealed_secret: str | None = None
    secret: str | None = None
    last_step: Count = 0
    created_at: Moment | None = None


class RecoveryCodeRecord(Record, frozen=True, kw_only=True):
    """A recovery code that has not been used, as its hash."""

    digest: Digest
    created_at: Moment | None = None


class IdentityRecord(Record, frozen=True, kw_only=True):
    """Who the user is at a sign-in provider; `email_id` is one of the user's addresses."""

    id: UUID | None = None
    provider: Annotated[str, Meta(min_length=1, max_length=255)]
    issuer: str
    subject: str
    email_id: UUID | None = None
    claims: Bag | UnsetType = UNSET
    created_at: Moment | None = None
    updated_at: Moment | None = None
    last_sign_in_at: Moment | None = None


class SessionRecord(Record, frozen=True, kw_only=True):
    """A session; its tokens go on where the signing keys are the same."""

    id: UUID
    ip_address: Annotated[str, Meta(max_length=64)] | None = None
    user_agent: Annotated[str, Meta(max_length=400)] | None = None
    created_at: Moment
    last_used_at: Moment
    expires_at: Moment
    refresh_count: Count = 0
    refreshed_at: Moment | None = None
    amr: tuple[str, ...] = ()
    is_remembered: bool = True


class TrustedDeviceRecord(Record, frozen=True, kw_only=True):
    """A browser that need not show a second factor, as the hash of what it holds."""

    id: UUID
    digest: Digest
    user_agent: Annotated[str, Meta(max_length=400)] | None = None
    created_at: Moment
    expires_at: Moment


class UserRecord(Record, frozen=True, kw_only=True):
    """A user, with all that belongs to them."""

    id: UUID | None = None
    username: str | None = None
    name: str | None = None
    given_name: str | None = None
    family_name: str | None = None
    picture: str | None = None
    locale: str | None = None
    created_at: Moment | None = None
    updated_at: Moment | None = None
    last_sign_in_at: Moment | None = None
    emails: tuple[EmailRecord, ...] = ()
    public_metadata: Bag | UnsetType = UNSET
    private_metadata: Bag | UnsetType = UNSET
    unsafe_metadata: Bag | UnsetType = UNSET
    metadata_version: Count | None = None
    password: PasswordRecord | None = None
    webauthn_credentials: tuple[CredentialRecord, ...] = ()
    totp: TotpRecord | None = None
    recovery_codes: tuple[RecoveryCodeRecord, ...] = ()
    identities: tuple[IdentityRecord, ...] = ()
    sessions: tuple[SessionRecord, ...] = ()
    trusted_devices: tuple[TrustedDeviceRecord, ...] = ()
