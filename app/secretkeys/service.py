"""Secret keys: made, shown once, checked, rotated, revoked."""

import hmac
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from app.access import ALL_SCOPES, SCOPES, SYSTEM, Actor, Origin, SecretKeyPrincipal, covers
from app.audit import AuditLog
from app.clock import Clock
from app.errors import Invalid, NotFound, ScopeMissing
from app.ids import new_id
from app.persistence import Row, fetch, fetch_row, transaction
from app.secretkeys import secret
from app.secretkeys.refusals import KeyRefusals, Reason
from app.secretkeys.tables import SecretKeyRow
from app.text import is_printable

MAX_NAME = 100
MAX_LISTED = 100
MAX_GRACE = timedelta(days=90)
_USED_EVERY = timedelta(minutes=1)
_COLUMNS = "id, name, prefix, scopes, created_at, expires_at, revoked_at, last_used_at"
_FIND = f"SELECT {_COLUMNS}, digest FROM secret_key WHERE prefix = $1"
_LOCK = f"SELECT {_COLUMNS} FROM secret_key WHERE id = $1 FOR UPDATE"
_NO_DIGEST = "0" * 64


class SecretKeyNotFound(NotFound):
    """No such key, or none that this caller may see."""

    message = "There is no such secret key."

    def __init__(self) -> None:
        super().__init__(path=("secret_key_id",))


class ScopesInvalid(Invalid):
    """A scope that does not exist, or none at all."""

    code = "scopes_invalid"
    message = "A secret key needs at least one scope, and only scopes that exist."


class KeyTextInvalid(Invalid):
    """A name, an expiry or a grace period that cannot be."""

    code = "secret_key_invalid"
    message = "The secret key cannot be made like this."


@dataclass(frozen=True, slots=True)
class SecretKey:
    """A secret key as its owner sees it later: everything but the secret."""

    id: UUID
    name: str
    prefix: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewSecretKey:
    """A key to make."""

    name: str
    scopes: tuple[str, ...]
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SecretKeys:
    """The keys of this deployment; a key manages those whose scopes it covers (SEC-015)."""

    refusals: KeyRefusals
    audit: AuditLog
    clock: Clock

    async def authenticate(
        self, text: str, origin: Origin = SYSTEM.origin
    ) -> SecretKeyPrincipal | None:
        """Give the key that *text* is, or None: malformed, unknown, wrong, revoked or expired.

        Args:
            text: What was shown.
            origin: Who has shown it, for the record of a refusal (SEC-118).
        """
        prefix = secret.prefix_of(text)
        if prefix is None:
            await self.refusals.note_key(origin, "malformed")
            return None
        row = await fetch_row(_FIND, prefix)
        stored = row["digest"] if row else _NO_DIGEST
        is_right = hmac.compare_digest(stored, secret.digest(text))
        key = None if row is None else _key(row)
        if key is None or not is_right or not self._is_live(key):
            found = None if key is None else key.id
            await self.refusals.note_key(origin, _reason(key, is_right=is_right), found)
            return None
        await self._note_use(key)
        return SecretKeyPrincipal(key.id, frozenset(key.scopes), key.expires_at)

    async def create(
        self, actor: Actor, new: NewSecretKey, grantor: SecretKeyPrincipal | None
    ) -> tuple[SecretKey, str]:
        """Make a key and give its secret, once.

        Args:
            actor: On whose behalf; the audit record names it.
            new: The key to make; where it names no end it gets that of the key that grants.
            grantor: The key that grants, or None for the operator.

        Raises:
            ScopesInvalid, KeyTextInvalid: It cannot be made like this, or would end later than the
                key that makes it.
            ScopeMissing: It would be wider than the key that makes it (SEC-015).
        """
        _check(new, self.clock())
        if grantor is not None and not covers(grantor.scopes, new.scopes):
            raise ScopeMissing(new.scopes)
        ends = _earlier(new.expires_at, grantor)
        if new.expires_at not in {None, ends}:
            message = "The key may end no later than the one that makes it."
            raise KeyTextInvalid(message, path=("expires_at",))
        async with transaction():
            key, made = await self._insert(replace(new, expires_at=ends))
            details = {"name": key.name, "prefix": key.prefix, "scopes": list(key.scopes)}
            await self.audit.record("secret_key_created", actor, subject=key.id, details=details)
        return key, made

    async def rotate(
        self,
        actor: Actor,
        key_id: UUID,
        grace: timedelta,
        grantor: SecretKeyPrincipal | None,
    ) -> tuple[SecretKey, str]:
        """Make a key like an old one, which ends after *grace* (SEC-014).

        The new one ends no later than the key of the caller (SEC-015).

        Raises:
            SecretKeyNotFound: There is no such live key, or it is wider than the caller's.
            KeyTextInvalid: The grace period is negative or above 90 days.
        """
        if not timedelta(0) <= grace <= MAX_GRACE:
            raise KeyTextInvalid("The grace period is between 0 and 90 days.", path=("grace",))
        async with transaction():
            old = await self._locked(key_id, grantor)
            if not self._is_live(old):
                raise SecretKeyNotFound
            end = self.clock() + grace
            ends = end if old.expires_at is None else min(end, old.expires_at)
            await SecretKeyRow.update({SecretKeyRow.expires_at: ends}).where(
                SecretKeyRow.id == key_id
            )
            like = NewSecretKey(old.name, old.scopes, _earlier(old.expires_at, grantor))
            key, made = await self._insert(like)
            details = {"old": str(key_id), "prefix": key.prefix, "ends": ends.isoformat()}
            await self.audit.record("secret_key_rotated", actor, subject=key.id, details=details)
        return key, made

    async def revoke(
        self, actor: Actor, key_id: UUID, grantor: SecretKeyPrincipal | None
    ) -> SecretKey:
        """End a key at once.

        Raises:
            SecretKeyNotFound: There is no such key, or it is wider than the caller's.
        """
        async with transaction():
            key = await self._locked(key_id, grantor)
            if key.revoked_at is None:
                await SecretKeyRow.update({SecretKeyRow.revoked_at: self.clock()}).where(
                    SecretKeyRow.id == key_id
                )
                await self.audit.record("secret_key_revoked", actor, subject=key_id)
            return await self._locked(key_id, grantor)

    async def list(self, viewer: SecretKeyPrincipal | None) -> list[SecretKey]:
        """List the keys that the viewer covers, oldest first; of very many the newest (SEC-098)."""
        rows = (
            await SecretKeyRow.select(
                *(getattr(SecretKeyRow, name) for name in _COLUMNS.split(", "))
            )
            .order_by(SecretKeyRow.created_at, ascending=False)
            .limit(MAX_LISTED)
        )
        keys = [_key(row) for row in reversed(rows)]
        return [key for key in keys if viewer is None or covers(viewer.scopes, key.scopes)]

    async def _insert(self, new: NewSecretKey) -> tuple[SecretKey, str]:
        made = secret.generate()
        row = SecretKeyRow(
            id=new_id(),
            name=new.name.strip(),
            prefix=made.prefix,
            digest=secret.digest(made.text),
            scopes=" ".join(dict.fromkeys(new.scopes)),
            created_at=self.clock(),
            expires_at=new.expires_at,
        )
        await SecretKeyRow.insert(row)
        return _key(row.to_dict()), made.text

    async def _locked(self, key_id: UUID, grantor: SecretKeyPrincipal | None) -> SecretKey:
        rows = await fetch(_LOCK, key_id)
        key = _key(rows[0]) if rows else None
        if key is None or (grantor is not None and not covers(grantor.scopes, key.scopes)):
            raise SecretKeyNotFound
        return key

    async def _note_use(self, key: SecretKey) -> None:
        """Remember the last use, at most once a minute."""
        now = self.clock()
        if key.last_used_at is None or now - key.last_used_at >= _USED_EVERY:
            await SecretKeyRow.update({SecretKeyRow.last_used_at: now}).where(
                SecretKeyRow.id == key.id
            )

    def _is_live(self, key: SecretKey) -> bool:
        ended = key.expires_at is not None and key.expires_at <= self.clock()
        return key.revoked_at is None and not ended


def _check(new: NewSecretKey, now: datetime) -> None:
    if not new.scopes or not set(new.scopes) <= {*SCOPES, ALL_SCOPES}:
        raise ScopesInvalid(path=("scopes",))
    name = new.name.strip()
    if not 0 < len(name) <= MAX_NAME or not is_printable(name):
        raise KeyTextInvalid(f"A name has 1 to {MAX_NAME} characters.", path=("name",))
    if new.expires_at is not None and new.expires_at <= now:
        raise KeyTextInvalid("The expiry must lie in the future.", path=("expires_at",))


def _earlier(at: datetime | None, grantor: SecretKeyPrincipal | None) -> datetime | None:
    """Give the earlier of an end and that of the key that grants, where there are any."""
    end = None if grantor is None else grantor.expires_at
    return min((one for one in (at, end) if one is not None), default=None)


def _reason(key: SecretKey | None, *, is_right: bool) -> Reason:
    if key is None:
        return "unknown"
    if not is_right:
        return "wrong"
    return "expired" if key.revoked_at is None else "revoked"


def _key(row: Row) -> SecretKey:
    return SecretKey(
        id=row["id"],
        name=row["name"],
        prefix=row["prefix"],
        scopes=tuple(row["scopes"].split()),
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
        last_used_at=row["last_used_at"],
    )
