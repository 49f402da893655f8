"""The rows that a user is made of, in the order in which they can be written."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from uuid import UUID

Row = tuple[Any, ...]

COLUMNS = {
    "app_user": "id, username, username_key, name, given_name, family_name, picture, locale, "
    "created_at, updated_at, last_sign_in_at",
    "email": "id, user_id, address, address_key, is_primary, is_verified, created_at, updated_at",
    "user_metadata": "user_id, public_bag, private_bag, unsafe_bag, version",
    "user_password": "user_id, id, hash, imported, changed_at",
    "webauthn_credential": "id, user_id, credential_id, public_key, sign_count, aaguid, "
    "attestation_type, transports, is_backup_eligible, is_backed_up, is_mfa_only, name, "
    "created_at, last_used_at",
    "user_totp": "user_id, id, sealed_secret, last_step, created_at",
    "user_recovery_code": "digest, user_id, created_at",
    "identity": "id, user_id, email_id, provider, issuer, subject, claims, created_at, "
    "updated_at, last_sign_in_at",
    "user_session": "id, user_id, ip_address, user_agent, created_at, last_used_at, expires_at, "
    "refresh_count, refreshed_at, amr, is_remembered",
    "trusted_device": "id, user_id, digest, user_agent, created_at, expires_at",
}
"""Tables and their columns, parents first."""

CREDENTIALS = frozenset({"user_password", "webauthn_credential", "user_totp"})
"""What signs in: who has changed it signs in anew."""


@cache
def names(table: str) -> tuple[str, ...]:
    """Give the columns of a table."""
    return tuple(COLUMNS[table].split(", "))


def values(table: str, column: str, rows: Iterable[Row]) -> list[Any]:
    """Give what rows of a table hold in a column."""
    at = names(table).index(column)
    return [row[at] for row in rows]


@dataclass(frozen=True, slots=True)
class Prepared:
    """An entry that keeps every rule, as rows.

    Attributes:
        number: Of the entry in the file.
        user_id: Whose rows these are.
        is_named: Whether the file says the id.
        given: What of the profile and the bags the file says, by column.
        rows: By table.
    """

    number: int
    user_id: UUID
    is_named: bool
    given: dict[str, Any] = field(repr=False)
    rows: dict[str, list[Row]] = field(repr=False)
