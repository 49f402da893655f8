"""Hanko's file: a JSON array of users, read as Hanko's own importer reads it.

Two things that its JSON Schema says its importer does not hold to, and neither do we: addresses may
be missing where there is a user name, and an AAGUID is a text. Fields that nobody knows are left
out, and the import says which they were.
"""

import base64
import binascii
from collections.abc import Iterator
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta

from app import base64url
from app.credentials.webauthn_makers import name_of
from app.strictjson import Json
from app.transfer.errors import EntryInvalid
from app.transfer.records import (
    CredentialRecord,
    EmailRecord,
    Moment,
    PasswordRecord,
    TotpRecord,
    UserRecord,
)


class Part(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A part of the file."""


class HankoEmail(Part, frozen=True, kw_only=True):
    """An address."""

    address: str
    is_primary: bool
    is_verified: bool


class HankoCredential(Part, frozen=True, kw_only=True):
    """A passkey or a security key; `id` and `public_key` are base64url without padding."""

    id: str
    public_key: str
    attestation_type: str
    name: str | None = None
    aaguid: str | None = None
    sign_count: Annotated[int, Meta(ge=0, le=2**32 - 1)] = 0
    last_used_at: Moment | None = None
    created_at: Moment | None = None
    updated_at: Moment | None = None
    transports: tuple[str, ...] | None = None
    backup_eligible: bool = False
    backup_state: bool = False
    mfa_only: bool = False
    user_handle: str | None = None


class HankoPassword(Part, frozen=True, kw_only=True):
    """A password as its hash."""

    password: str
    created_at: Moment | None = None
    updated_at: Moment | None = None


class HankoOtp(Part, frozen=True, kw_only=True):
    """An authenticator app: SHA-1, six digits, 30 seconds."""

    secret: str
    created_at: Moment | None = None
    updated_at: Moment | None = None


class HankoUser(Part, frozen=True, kw_only=True):
    """A user."""

    user_id: str = ""
    emails: tuple[HankoEmail, ...] | None = None
    username: str | None = None
    webauthn_credentials: tuple[HankoCredential, ...] | None = None
    password: HankoPassword | None = None
    otp_secret: HankoOtp | None = None
    created_at: Moment | None = None
    updated_at: Moment | None = None


def record_of(user: HankoUser) -> UserRecord:
    """Write a user as our file has them.

    Raises:
        EntryInvalid: The entry breaks a rule of Hanko's format.
    """
    user_id = _uuid(user.user_id, "user_id") if user.user_id else None
    emails = user.emails or ()
    if emails and sum(email.is_primary for email in emails) != 1:
        raise EntryInvalid("Exactly one address must be primary.", path=("emails",))
    return UserRecord(
        id=user_id,
        username=user.username or None,
        created_at=user.created_at,
        updated_at=user.updated_at,
        emails=tuple(_email(one, user) for one in emails),
        password=_password(user.password),
        webauthn_credentials=tuple(
            _credential(one, user_id) for one in user.webauthn_credentials or ()
        ),
        totp=_totp(user.otp_secret),
    )


def unknown_fields(value: Json) -> set[str]:
    """Name the fields of an entry that are not Hanko's; they are left out."""
    return set(_unknown(value, HankoUser, ""))


def _unknown(value: Any, kind: type[Part], above: str) -> Iterator[str]:  # noqa: ANN401  # any JSON
    if not isinstance(value, dict):
        return
    yield from (above + name for name in value if name not in kind.__struct_fields__)
    for name, part in _PARTS.get(kind, {}).items():
        inside = value.get(name)
        for one in inside if isinstance(inside, list) else [inside]:
            yield from _unknown(one, part, f"{above}{name}.")


def _email(email: HankoEmail, user: HankoUser) -> EmailRecord:
    return EmailRecord(
        address=email.address.lower(),
        is_primary=email.is_primary,
        is_verified=email.is_verified,
        created_at=user.created_at,
        updated_at=user.updated_at,
    )


def _password(password: HankoPassword | None) -> PasswordRecord | None:
    if password is None:
        return None
    changed_at = password.updated_at or password.created_at
    return PasswordRecord(hash=password.password, changed_at=changed_at)


def _credential(found: HankoCredential, user_id: UUID | None) -> CredentialRecord:
    _check_handle(found, user_id)
    aaguid = _uuid(found.aaguid, "aaguid") if found.aaguid else UUID(int=0)
    return CredentialRecord(
        credential_id=found.id,
        public_key=found.public_key,
        attestation_type=found.attestation_type,
        aaguid=aaguid,
        sign_count=found.sign_count,
        transports=found.transports or (),
        is_backup_eligible=found.backup_eligible,
        is_backed_up=found.backup_state,
        is_mfa_only=found.mfa_only,
        name=found.name or name_of(aaguid),
        created_at=found.created_at,
        last_used_at=found.last_used_at,
    )


def _check_handle(found: HankoCredential, user_id: UUID | None) -> None:
    """Refuse a passkey that says another user's id when it signs in: it never could, here."""
    handle = found.user_handle
    if not handle:
        return
    path = ("webauthn_credentials", "user_handle")
    if found.mfa_only:
        raise EntryInvalid("A security key has no user handle.", path=path)
    if user_id is None or handle not in (str(user_id), base64url.encode(user_id.bytes)):
        raise EntryInvalid("Only the user's own id can be a passkey's user handle.", path=path)


def _totp(otp: HankoOtp | None) -> TotpRecord | None:
    return None if otp is None else TotpRecord(secret=otp.secret, created_at=otp.created_at)


def _uuid(text: str, name: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise EntryInvalid(f"{name} is no UUID.", path=(name,)) from None


def base32_of(secret: str) -> str:
    """Write an app's secret as it is kept: capitals, with the padding that belongs to it.

    Raises:
        EntryInvalid: It is no base32, or holds fewer than 80 bits or more than 1,024.
    """
    plain = secret.replace(" ", "").rstrip("=").upper()
    padded = plain + "=" * (-len(plain) % 8)
    try:
        size = len(base64.b32decode(padded))
    except (binascii.Error, ValueError):
        size = 0
    if not 10 <= size <= 128:  # noqa: PLR2004  # bytes; RFC 4226 §4 asks for 16, some apps have 10
        raise EntryInvalid("The secret of the authenticator app is no base32.", path=("secret",))
    return padded


_PARTS: dict[type[Part], dict[str, type[Part]]] = {
    HankoUser: {
        "emails": HankoEmail,
        "webauthn_credentials": HankoCredential,
        "password": HankoPassword,
        "otp_secret": HankoOtp,
    }
}
