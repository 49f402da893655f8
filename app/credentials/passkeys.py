"""Passkeys and security keys that are kept: listed, added, named, deleted.

Where they come from, and how they are used, is the matter of `passkey_ceremonies`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.access import Actor
from app.audit import AuditLog, Event
from app.clock import Clock
from app.config import sections
from app.credentials.errors import (
    PasskeyNameInvalid,
    PasskeyNotFound,
    PasskeysDisabled,
)
from app.credentials.passkey_values import (
    COLUMNS,
    LIMIT,
    Counts,
    Kind,
    Passkey,
    Refused,
    Registered,
    is_name,
    number_of,
    passkey_of,
    values_of,
)
from app.credentials.tables import WebAuthnCredentialRow
from app.credentials.webauthn_verify import (
    NewCredential,
)
from app.persistence import fetch, transaction
from app.users import raise_stamp
from app.users.locking import lock_user, lock_user_or_refuse

Json = Any
_LIST = f"SELECT {COLUMNS} FROM webauthn_credential WHERE user_id = $1 ORDER BY created_at, id"
_INSERT = f"""
INSERT INTO webauthn_credential ({COLUMNS})
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
ON CONFLICT (credential_id) DO NOTHING RETURNING {COLUMNS}
"""
_RENAME = f"""
UPDATE webauthn_credential SET name = $3 WHERE user_id = $1 AND credential_id = $2
RETURNING {COLUMNS}
"""
_DELETE = f"""
DELETE FROM webauthn_credential WHERE user_id = $1 AND credential_id = $2 RETURNING {COLUMNS}
"""


@dataclass(frozen=True, slots=True)
class Passkeys:
    """The WebAuthn credentials of this deployment."""

    config: sections.Passkey
    security_keys: sections.SecurityKeys
    audit: AuditLog
    clock: Clock

    async def list(self, user_id: UUID) -> list[Passkey]:
        """List a user's passkeys and security keys, oldest first; their number has a limit."""
        return [passkey_of(row) for row in await fetch(_LIST, user_id)]

    async def of(self, user_ids: Sequence[UUID]) -> Mapping[UUID, Sequence[Passkey]]:
        """Read the credentials of some users, in one statement, oldest first."""
        if not user_ids:
            return {}
        rows = (
            await WebAuthnCredentialRow.select()
            .where(WebAuthnCredentialRow.user_id.is_in([*user_ids]))
            .order_by(WebAuthnCredentialRow.created_at)
            .order_by(WebAuthnCredentialRow.id)
        )
        mine = [passkey_of(row) for row in rows]
        return {one: [key for key in mine if key.user_id == one] for one in user_ids}

    async def count_of(self, user_id: UUID) -> Counts:
        """Count a user's credentials, for whoever must not take away the last (SEC-037)."""
        mine = await self.list(user_id)
        return Counts(number_of(mine, "passkey"), number_of(mine, "security_key"))

    def rules_of(self, kind: Kind) -> sections.Passkey | sections.SecurityKeys:
        """Give the rules of a kind of credential.

        Raises:
            PasskeysDisabled: There are none of it here.
        """
        rules = self.config if kind == "passkey" else self.security_keys
        if not rules.enabled:
            raise PasskeysDisabled
        return rules

    async def keep(self, actor: Actor, user_id: UUID, new: NewCredential) -> Registered | Refused:
        """Make a verified credential the user's.

        Raises:
            UserNotFound: There is no such user.
        """
        async with transaction():
            await lock_user_or_refuse(user_id)
            kind: Kind = "security_key" if new.is_mfa_only else "passkey"
            if number_of(await self.list(user_id), kind) >= self.rules_of(kind).limit:
                return await self.refuse_registration(actor, user_id, LIMIT)
            rows = await fetch(_INSERT, *values_of(user_id, new, self.clock()))
            if not rows:
                return await self.refuse_registration(actor, user_id, "taken")
            await raise_stamp(user_id)
            event: Event = "security_key_created" if new.is_mfa_only else "passkey_created"
            details = {kind: new.credential_id, "format": new.attestation_type}
            await self.audit.record(event, actor, subject=user_id, details=details)
        return Registered(passkey_of(rows[0]))

    async def rename(self, actor: Actor, user_id: UUID, credential_id: str, name: str) -> Passkey:
        """Call a user's credential something else.

        Raises:
            PasskeyNameInvalid: The name is empty, too long, or cannot be seen.
            PasskeyNotFound: The user has no such credential (SEC-054).
        """
        trimmed = name.strip()
        if not is_name(trimmed):
            raise PasskeyNameInvalid
        async with transaction():
            rows = await fetch(_RENAME, user_id, credential_id, trimmed)
            if not rows:
                raise PasskeyNotFound
            details = {"credential_id": credential_id}
            await self.audit.record("passkey_renamed", actor, subject=user_id, details=details)
        return passkey_of(rows[0])

    async def delete(self, actor: Actor, user_id: UUID, credential_id: str) -> Passkey:
        """Delete a user's credential and give what it was.

        Whether it is the last way to sign in is for the caller to judge (SEC-037).

        Raises:
            PasskeyNotFound: The user has no such credential (SEC-054).
        """
        async with transaction():
            await lock_user(user_id)
            rows = await fetch(_DELETE, user_id, credential_id)
            if not rows:
                raise PasskeyNotFound
            await raise_stamp(user_id)
            deleted = passkey_of(rows[0])
            event: Event = "security_key_deleted" if deleted.is_mfa_only else "passkey_deleted"
            details = {"credential_id": credential_id}
            await self.audit.record(event, actor, subject=user_id, details=details)
        return deleted

    async def refuse_registration(self, actor: Actor, user_id: UUID, reason: str) -> Refused:
        """Record that a credential was not kept, and say why."""
        details = {"reason": reason}
        event: Event = "passkey_registration_failed"
        await self.audit.record(event, actor, subject=user_id, details=details)
        return Refused(reason)
