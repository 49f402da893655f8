"""Changes a user whom an entry is about: what it names takes the place of what there was."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.access import Actor
from app.audit import AuditLog
from app.credentials.trusted_devices import TrustedDevices
from app.persistence import copy_rows, fetch
from app.sessions import Sessions
from app.transfer.rows import CREDENTIALS, Prepared, Row, names, values
from app.users import raise_stamp
from app.users.errors import UserNotFound
from app.users.locking import lock_user

_PROFILE = """
UPDATE app_user SET username = COALESCE($2, username), username_key = COALESCE($3, username_key),
    name = COALESCE($4, name), given_name = COALESCE($5, given_name),
    family_name = COALESCE($6, family_name), picture = COALESCE($7, picture),
    locale = COALESCE($8, locale), created_at = COALESCE($9, created_at),
    last_sign_in_at = COALESCE($10, last_sign_in_at), updated_at = $11
WHERE id = $1
"""
_PROFILE_COLUMNS = (
    *("username", "username_key", "name", "given_name", "family_name", "picture", "locale"),
    *("created_at", "last_sign_in_at"),
)
_BAGS = """
UPDATE user_metadata SET public_bag = COALESCE($2, public_bag),
    private_bag = COALESCE($3, private_bag), unsafe_bag = COALESCE($4, unsafe_bag),
    version = version + 1
WHERE user_id = $1
"""
_BAG_COLUMNS = ("public_bag", "private_bag", "unsafe_bag")
_EMAILS = "SELECT id, address_key FROM email WHERE user_id = $1"
_NO_PRIMARY = "UPDATE email SET is_primary = FALSE WHERE user_id = $1"
_EMAIL = """
UPDATE email SET address = $2, is_primary = $3, is_verified = $4, updated_at = $5 WHERE id = $1
"""
_EMAIL_COLUMNS = ("address", "is_primary", "is_verified", "updated_at")
_FORGET_EMAIL = "DELETE FROM email WHERE id = $1"
_REPLACED = (
    "user_password",
    "webauthn_credential",
    "user_totp",
    "user_recovery_code",
    "identity",
    "user_session",
    "trusted_device",
)
_FIELDS = {
    **{name: name for name in _PROFILE_COLUMNS if name != "username_key"},
    "public_bag": "public_metadata",
    "private_bag": "private_metadata",
    "unsafe_bag": "unsafe_metadata",
    "email": "emails",
    "user_password": "password",
    "webauthn_credential": "webauthn_credentials",
    "user_totp": "totp",
    "user_recovery_code": "recovery_codes",
    "identity": "identities",
    "user_session": "sessions",
    "trusted_device": "trusted_devices",
}
"""Columns and tables that an update writes, as the file calls them."""


@dataclass(frozen=True, slots=True)
class Updating:
    """Changes users who are there already."""

    sessions: Sessions
    devices: TrustedDevices
    audit: AuditLog

    async def update(self, actor: Actor, user_id: UUID, prepared: Prepared) -> None:
        """Give a user what an entry names; what it leaves out stays.

        A new password, passkey or app ends every session and every trust in a browser (SEC-027,
        SEC-059); those that the entry brings along take their place. The audit log has a record of
        each user (SEC-118).

        Raises:
            UserNotFound: The user has been deleted meanwhile.
            NotUnique: Something of the entry is another user's.
        """
        if not await lock_user(user_id):
            raise UserNotFound
        await self._end(actor, user_id, prepared)
        rows = {name: _owned(name, some, user_id) for name, some in prepared.rows.items()}
        await _write_account(user_id, prepared.given, rows["app_user"][0])
        moved = await _update_emails(user_id, rows.get("email", []))
        for table in _REPLACED:
            if table in rows:
                await fetch(f"DELETE FROM {table} WHERE user_id = $1", user_id)
                await copy_rows(table, names(table), _with_emails(table, rows[table], moved))
        fields = {_FIELDS[name] for name in (*prepared.given, *prepared.rows) if name in _FIELDS}
        details = {"context": "import", "fields": sorted(fields)}
        await self.audit.record("user_updated", actor, subject=user_id, details=details)

    async def _end(self, actor: Actor, user_id: UUID, prepared: Prepared) -> None:
        """End what credentials that are gone have opened, and what others take the place of."""
        is_doubtful = not CREDENTIALS.isdisjoint(prepared.rows)
        if is_doubtful or "user_session" in prepared.rows:
            await self.sessions.end_all(actor, user_id)
        if is_doubtful or "trusted_device" in prepared.rows:
            await self.devices.forget_all(actor, user_id)


async def _write_account(user_id: UUID, given: Mapping[str, Any], row: Row) -> None:
    """Change the profile and the bags."""
    (updated_at,) = values("app_user", "updated_at", [row])
    await fetch(_PROFILE, user_id, *(given.get(name) for name in _PROFILE_COLUMNS), updated_at)
    if any(name in given for name in _BAG_COLUMNS):
        await fetch(_BAGS, user_id, *(given.get(name) for name in _BAG_COLUMNS))
    await raise_stamp(user_id)


async def _update_emails(user_id: UUID, rows: list[Row]) -> dict[UUID, UUID]:
    """Make the addresses those of the entry; one that was there keeps its id."""
    if not rows:
        return {}
    known = {row["address_key"]: row["id"] for row in await fetch(_EMAILS, user_id)}
    keys = values("email", "address_key", rows)
    for key, email_id in known.items():
        if key not in keys:
            await fetch(_FORGET_EMAIL, email_id)
    await fetch(_NO_PRIMARY, user_id)
    moved = {}
    for row in rows:
        email = dict(zip(names("email"), row, strict=True))
        own_id = known.get(email["address_key"])
        if own_id is not None:
            moved[email["id"]] = own_id
            await fetch(_EMAIL, own_id, *(email[name] for name in _EMAIL_COLUMNS))
    added = [row for key, row in zip(keys, rows, strict=True) if key not in known]
    if added:
        await copy_rows("email", names("email"), added)
    return moved


def _owned(table: str, rows: list[Row], user_id: UUID) -> list[Row]:
    """Make rows the user's, whichever id the entry was given."""
    columns = names(table)
    at = columns.index("id" if table == "app_user" else "user_id")
    return [(*row[:at], user_id, *row[at + 1 :]) for row in rows]


def _with_emails(table: str, rows: list[Row], moved: dict[UUID, UUID]) -> list[Row]:
    """Let identities name the addresses by the ids that these have kept."""
    if table != "identity":
        return rows
    at = names(table).index("email_id")
    return [(*row[:at], moved.get(row[at], row[at]), *row[at + 1 :]) for row in rows]
