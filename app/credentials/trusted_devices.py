"""Trusted devices: browsers that need not show a second factor again (SEC-059)."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.access import Actor
from app.audit import AuditLog
from app.clock import Clock
from app.config import sections
from app.credentials import trusted_device_cookie
from app.credentials.errors import TrustedDeviceNotFound
from app.credentials.tables import TrustedDeviceRow
from app.ids import new_id
from app.persistence import Row, fetch, fetch_row, transaction
from app.sweeping import in_parts
from app.users.locking import lock_user, lock_user_or_refuse

MOST_DEVICES = 50
_USER_AGENT_KEPT = 400
_USERS_PER_DEVICE = 20
_COLUMNS = "id, digest, user_agent, created_at, expires_at"
_STORE = f"INSERT INTO trusted_device (user_id, {_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6)"
_REPLACE = "DELETE FROM trusted_device WHERE user_id = $1 AND digest = $2"
_EVICT = """
DELETE FROM trusted_device WHERE user_id = $1 AND (expires_at <= $2 OR id NOT IN (
    SELECT id FROM trusted_device WHERE user_id = $1 ORDER BY created_at DESC, id DESC LIMIT $3))
"""
_FIND = "SELECT user_id, expires_at FROM trusted_device WHERE digest = $1"
_FORGET = "DELETE FROM trusted_device WHERE user_id = $1 AND id = $2 RETURNING id"
_FORGET_ALL = "DELETE FROM trusted_device WHERE user_id = $1 RETURNING id"
_SWEEP = """
DELETE FROM trusted_device WHERE id IN (
    SELECT id FROM trusted_device WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)
    AND expires_at <= $1
RETURNING id
"""


@dataclass(frozen=True, slots=True)
class TrustedDevice:
    """A browser that is trusted, as its user sees it in a list."""

    id: UUID
    user_agent: str | None
    created_at: datetime
    expires_at: datetime
    is_current: bool


@dataclass(frozen=True, slots=True)
class TrustedDevices:
    """The browsers that users have been trusted on; a token is only as good as its row."""

    config: sections.Mfa
    audit: AuditLog
    clock: Clock

    async def issue(self, actor: Actor, user_id: UUID, cookie: str = "") -> str:
        """Trust the browser that asks, and give the new value of its cookie.

        Args:
            actor: On whose behalf; its origin names the browser.
            user_id: Whose browser it is.
            cookie: The value that the browser holds; its token for this user ends.

        Raises:
            UserNotFound: There is no such user.
        """
        token, device_id = trusted_device_cookie.new_token(), new_id()
        async with transaction():
            await lock_user_or_refuse(user_id)
            now = self.clock()  # under the lock, so that who comes later is also the newer
            old = trusted_device_cookie.token_of(cookie, user_id)
            if old is not None:
                await fetch(_REPLACE, user_id, _digest(old))
            await fetch(_EVICT, user_id, now, MOST_DEVICES - 1)
            agent = actor.origin.user_agent[:_USER_AGENT_KEPT] or None
            ends = now + self.config.device_trust_duration
            await fetch(_STORE, user_id, device_id, _digest(token), agent, now, ends)
            details = {"device": str(device_id)}
            await self.audit.record(
                "trusted_device_created", actor, subject=user_id, details=details
            )
        most = self.config.device_trust_max_users_per_device or _USERS_PER_DEVICE
        return trusted_device_cookie.with_token(cookie, user_id, token, most)

    async def is_trusted(self, user_id: UUID, cookie: str) -> bool:
        """Say whether a browser with this cookie is trusted for the user."""
        if self.config.device_trust_policy == "never":
            return False
        token = trusted_device_cookie.token_of(cookie, user_id)
        row = await fetch_row(_FIND, _digest(token)) if token else None
        return row is not None and row["user_id"] == user_id and row["expires_at"] > self.clock()

    async def of(self, user_id: UUID, cookie: str = "") -> Sequence[TrustedDevice]:
        """List the user's browsers, the newest first; *cookie* tells which one is asking."""
        return (await self.of_all([user_id], cookie))[user_id]

    async def of_all(
        self, user_ids: Sequence[UUID], cookie: str = ""
    ) -> Mapping[UUID, Sequence[TrustedDevice]]:
        """List the browsers of some users, in one statement, the newest first."""
        found: dict[UUID, list[TrustedDevice]] = {user_id: [] for user_id in user_ids}
        if not found:
            return found
        rows = (
            await TrustedDeviceRow.select()
            .where(TrustedDeviceRow.user_id.is_in([*found]))
            .where(TrustedDeviceRow.expires_at > self.clock())
            .order_by(TrustedDeviceRow.created_at, ascending=False)
            .order_by(TrustedDeviceRow.id, ascending=False)
        )
        tokens = {user_id: trusted_device_cookie.token_of(cookie, user_id) for user_id in found}
        current = {_digest(token) for token in tokens.values() if token}
        for row in rows:
            found[row["user_id"]].append(_device(row, is_current=row["digest"] in current))
        return found

    async def forget(self, actor: Actor, user_id: UUID, device_id: UUID) -> None:
        """Trust one of the user's browsers no longer.

        Raises:
            TrustedDeviceNotFound: The user has no such browser.
        """
        async with transaction():
            if not await fetch(_FORGET, user_id, device_id):
                raise TrustedDeviceNotFound
            details = {"device": str(device_id)}
            await self.audit.record(
                "trusted_device_forgotten", actor, subject=user_id, details=details
            )

    async def forget_all(self, actor: Actor, user_id: UUID) -> int:
        """Trust none of the user's browsers any longer, and say how many there were (SEC-027)."""
        async with transaction():
            await lock_user(user_id)  # a browser is not trusted while this goes on
            count = len(await fetch(_FORGET_ALL, user_id))
            if count:
                details = {"count": count}
                await self.audit.record(
                    "trusted_devices_forgotten", actor, subject=user_id, details=details
                )
        return count

    async def sweep(self) -> None:
        """Remove the rows that have expired."""
        await in_parts(_SWEEP, self.clock())


def _device(row: Row, *, is_current: bool) -> TrustedDevice:
    return TrustedDevice(
        id=row["id"],
        user_agent=row["user_agent"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        is_current=is_current,
    )


def _digest(token: str) -> str:
    """Give the SHA-256 under which a token is stored; 512 random bits need no salt and no delay."""
    return hashlib.sha256(b"trusted device" + token.encode()).hexdigest()
