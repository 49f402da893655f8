"""A user as receivers of events see them, in the form that receivers of the reference know.

The private bag is not read, nor is anything that proves who somebody is (SEC-112): no hash, no
secret, no key. Of a password and of an authenticator app receivers learn that there is one, and
since when.
"""

from typing import Any
from uuid import UUID

import msgspec

from app.persistence import Row, fetch, fetch_row

_USER = """
SELECT u.id, u.username, u.name, u.given_name, u.family_name, u.picture, u.created_at, u.updated_at,
       m.public_bag, m.unsafe_bag, p.id AS password_id, p.changed_at AS password_changed_at,
       t.id AS otp_id, t.created_at AS otp_created_at
FROM app_user u
LEFT JOIN user_metadata m ON m.user_id = u.id
LEFT JOIN user_password p ON p.user_id = u.id
LEFT JOIN user_totp t ON t.user_id = u.id
WHERE u.id = $1
"""
_EMAILS = """
SELECT id, address, is_verified, is_primary, created_at, updated_at FROM email
WHERE user_id = $1 ORDER BY created_at, id
"""
_CREDENTIALS = """
SELECT credential_id, name, attestation_type, aaguid, last_used_at, created_at, transports,
       is_backup_eligible, is_backed_up, is_mfa_only
FROM webauthn_credential WHERE user_id = $1 ORDER BY created_at, id
"""
_ALWAYS = ("id", "created_at", "updated_at")
_PROFILE = ("name", "given_name", "family_name", "picture")
_EMPTY = (None, "{}")


async def user_object(user_id: UUID) -> dict[str, Any] | None:
    """Give a user as JSON, empty parts left out; None where there is no such user."""
    row = await fetch_row(_USER, user_id)
    if row is None:
        return None
    shown: dict[str, Any] = {name: row[name] for name in _ALWAYS}
    parts = {
        **{name: row[name] for name in _PROFILE},
        "username": _username(row),
        "emails": [_email(one) for one in await fetch(_EMAILS, user_id)],
        "webauthn_credentials": [_credential(one) for one in await fetch(_CREDENTIALS, user_id)],
        "password": _dated(row["password_id"], row["password_changed_at"]),
        "otp": _dated(row["otp_id"], row["otp_created_at"]),
        "metadata": _bags(row),
    }
    return shown | {name: part for name, part in parts.items() if part}


def _username(row: Row) -> dict[str, Any] | None:
    if row["username"] is None:
        return None
    return {"username": row["username"], **{name: row[name] for name in _ALWAYS}}


def _email(row: Row) -> dict[str, Any]:
    flags = {name: bool(row[name]) for name in ("is_verified", "is_primary")}
    return {**row, **flags}


def _credential(row: Row) -> dict[str, Any]:
    named = {"name": row["name"], "last_used_at": row["last_used_at"]}
    return {
        "id": row["credential_id"],
        **{name: value for name, value in named.items() if value is not None},
        "attestation_type": row["attestation_type"],
        "aaguid": row["aaguid"],
        "created_at": row["created_at"],
        "transports": row["transports"].split(),
        "backup_eligible": bool(row["is_backup_eligible"]),
        "backup_state": bool(row["is_backed_up"]),
        "mfa_only": bool(row["is_mfa_only"]),
    }


def _dated(part_id: UUID | None, at: Any) -> dict[str, Any] | None:  # noqa: ANN401  # a column
    return None if part_id is None else {"id": part_id, "created_at": at, "updated_at": at}


def _bags(row: Row) -> dict[str, msgspec.Raw]:
    """Give the public and the unsafe bag to the letter, empty ones left out."""
    bags = {"public_metadata": row["public_bag"], "unsafe_metadata": row["unsafe_bag"]}
    return {name: msgspec.Raw(bag.encode()) for name, bag in bags.items() if bag not in _EMPTY}
