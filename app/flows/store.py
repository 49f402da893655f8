"""Flows as rows: sealed, one run's at a time, saved only over the version that was read.

A run that is one transaction holds the row. One that has to wait for something between two
transactions takes a lease meanwhile, which the row shows to everybody else.
"""

import hashlib
import hmac
import secrets
import string
import zlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import msgspec
from msgspec import Struct

from app import base64url
from app.flows.stash import Stash
from app.keys import Sealer
from app.persistence import Row, fetch, fetch_row
from app.sweeping import in_parts

LEASE = timedelta(seconds=15)
"""How long a run may take before another may take its place."""

_CSRF_LENGTH = 32
_ALPHABET = (string.ascii_letters + string.digits).encode()
_DRAWN = (_ALPHABET * 5)[:256]
_UNEVEN = bytes(range(len(_ALPHABET) * 4, 256))
"""Bytes that are thrown away, so that each character is as likely as any other."""

_COLUMNS = "id, kind, state, content, csrf_digest, version, lease, leased_until, expires_at"
_ADD = """
INSERT INTO flow (id, kind, state, content, csrf_digest, version, created_at, expires_at)
VALUES ($1, $2, $3, $4, $5, 0, $6, $7)
"""
_FIND = f"SELECT {_COLUMNS} FROM flow WHERE id = $1"
_LEASE = """
UPDATE flow SET lease = $3, leased_until = $4
WHERE id = $1 AND version = $2 AND (lease IS NULL OR leased_until <= $5) RETURNING id
"""
_HOLD = """
SELECT id FROM flow WHERE id = $1 AND version = $2 AND (lease IS NULL OR leased_until <= $3)
FOR UPDATE SKIP LOCKED
"""
_RELEASE = "UPDATE flow SET lease = NULL, leased_until = NULL WHERE id = $1 AND lease = $2"
_SAVE = """
UPDATE flow SET state = $4, content = $5, csrf_digest = $6, version = version + 1, lease = NULL,
    leased_until = NULL
WHERE id = $1 AND version = $2 AND (lease = $3 OR $3 IS NULL) RETURNING id
"""
_SWEEP = """
DELETE FROM flow WHERE id IN (
    SELECT id FROM flow WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)
    AND expires_at <= $1
RETURNING id
"""


class Past(Struct, frozen=True):
    """Where a flow was, and what it knew then: what going back restores."""

    state: str
    previous: str | None
    schedule: tuple[str, ...]
    visited: frozenset[str]
    stash: Stash


class Content(Struct, frozen=True):
    """What is remembered of a flow beside its state."""

    stash: Stash
    previous: str | None = None
    schedule: tuple[str, ...] = ()
    visited: frozenset[str] = frozenset()
    past: tuple[Past, ...] = ()


@dataclass(frozen=True, slots=True)
class Kept:
    """A flow as it was read; its content is opened anew for every run."""

    id: UUID
    kind: str
    state: str
    sealed: str
    csrf_digest: str
    version: int
    leased_until: datetime | None
    expires_at: datetime

    def is_leased(self, now: datetime) -> bool:
        """Say whether an action runs at this moment."""
        return self.leased_until is not None and self.leased_until > now

    def accepts(self, csrf_token: str) -> bool:
        """Compare a CSRF token with the flow's own, in constant time (SEC-061)."""
        return hmac.compare_digest(self.csrf_digest, _digest(csrf_token))


@dataclass(frozen=True, slots=True)
class FlowStore:
    """Keeps flows."""

    sealer: Sealer

    async def add(  # noqa: PLR0913, PLR0917  # the columns of a row
        self,
        flow_id: UUID,
        kind: str,
        state: str,
        content: Content,
        csrf_token: str,
        now: datetime,
        expires_at: datetime,
    ) -> None:
        """Keep a new flow."""
        sealed, digest = self._sealed(flow_id, content), _digest(csrf_token)
        await fetch(_ADD, flow_id, kind, state, sealed, digest, now, expires_at)

    async def find(self, flow_id: UUID) -> Kept | None:
        """Read a flow."""
        row = await fetch_row(_FIND, flow_id)
        return None if row is None else _kept(row)

    async def hold(self, kept: Kept, now: datetime) -> bool:
        """Have the flow until the open transaction ends, or say at once that another has it."""
        return bool(await fetch(_HOLD, kept.id, kept.version, now))

    async def lease(self, kept: Kept, now: datetime) -> UUID | None:
        """Have the flow beyond this moment, or give None where another has it (SEC-062)."""
        lease = uuid4()
        taken = await fetch(_LEASE, kept.id, kept.version, lease, now + LEASE, now)
        return lease if taken else None

    async def release(self, kept: Kept, lease: UUID) -> None:
        """Let go of a flow that stays as it was."""
        await fetch(_RELEASE, kept.id, lease)

    async def save(
        self, kept: Kept, lease: UUID | None, state: str, content: Content, csrf_token: str
    ) -> bool:
        """Write a flow over the version that was read; say whether that was still there."""
        sealed = self._sealed(kept.id, content)
        digest = _digest(csrf_token)
        saved = await fetch(_SAVE, kept.id, kept.version, lease, state, sealed, digest)
        return bool(saved)

    async def sweep(self, now: datetime) -> None:
        """Delete the flows that have expired."""
        await in_parts(_SWEEP, now)

    def open(self, kept: Kept) -> Content:
        """Open what is remembered of a flow."""
        packed = base64url.decode(self.sealer.open(kept.sealed, _place(kept.id)))
        return msgspec.json.decode(zlib.decompress(packed), type=Content)

    def _sealed(self, flow_id: UUID, content: Content) -> str:
        """Seal what is remembered of a flow, for this flow alone (SEC-119).

        What stands in the stash stands in every past one too, so it is packed first (SEC-126).
        """
        packed = zlib.compress(msgspec.json.encode(content))
        return self.sealer.seal(base64url.encode(packed), _place(flow_id))


def new_csrf_token() -> str:
    """Draw a CSRF token: 32 letters and digits, 190 bits."""
    token = ""
    while len(token) < _CSRF_LENGTH:
        drawn = secrets.token_bytes(2 * _CSRF_LENGTH).translate(_DRAWN, _UNEVEN)
        token += drawn.decode("ascii")
    return token[:_CSRF_LENGTH]


def _digest(csrf_token: str) -> str:
    return hashlib.sha256(csrf_token.encode(errors="surrogatepass")).hexdigest()


def _place(flow_id: UUID) -> str:
    return f"flow/{flow_id}"


def _kept(row: Row) -> Kept:
    return Kept(
        id=row["id"],
        kind=row["kind"],
        state=row["state"],
        sealed=row["content"],
        csrf_digest=row["csrf_digest"],
        version=row["version"],
        leased_until=row["leased_until"] if row["lease"] else None,
        expires_at=row["expires_at"],
    )
