"""Challenges: made for one ceremony, taken once (SEC-044)."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from app.clock import Clock
from app.credentials.tables import WebAuthnChallengeRow
from app.credentials.webauthn_verify import CeremonyRefused, challenge_of
from app.persistence import Row, fetch, transaction
from app.sweeping import in_parts

Purpose = Literal["registration", "login", "second_factor"]
MOST = 5
"""Challenges of one kind that a flow or a session has at a time; the oldest give way (SEC-126).

More than one, since a page may still be waiting for the answer to an earlier one.
"""

_BYTES = 32
_SWEPT = 100
_TAKE = """
DELETE FROM webauthn_challenge WHERE digest = $1
RETURNING purpose, user_id, bound_to, is_mfa_only, needs_verification, offered, expires_at
"""
_GIVE_WAY = """
DELETE FROM webauthn_challenge WHERE bound_to = $1 AND purpose = $2 AND digest NOT IN (
    SELECT digest FROM webauthn_challenge WHERE bound_to = $1 AND purpose = $2
    ORDER BY expires_at DESC, digest LIMIT $3)
"""
_SWEEP = """
DELETE FROM webauthn_challenge WHERE digest IN (
    SELECT digest FROM webauthn_challenge WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)
RETURNING digest
"""


@dataclass(frozen=True, slots=True)
class Ceremony:
    """What a challenge is for; where a field is None, it does not matter.

    `bound_to` is the flow or the session that the ceremony belongs to; `offered` are the rows of
    the credentials that the options name.
    """

    purpose: Purpose
    user_id: UUID | None = None
    bound_to: UUID | None = None
    is_mfa_only: bool = False
    needs_verification: bool = False
    offered: Sequence[UUID] | None = None


@dataclass(frozen=True, slots=True)
class Challenges:
    """The ceremonies that have begun. A row holds a digest: to read it finishes none."""

    clock: Clock

    async def issue(self, ceremony: Ceremony, lifetime: timedelta) -> bytes:
        """Make a challenge that lasts for *lifetime*, and forget some that have expired."""
        now, challenge, offered = self.clock(), secrets.token_bytes(_BYTES), ceremony.offered
        row = WebAuthnChallengeRow(
            digest=_digest(challenge),
            purpose=ceremony.purpose,
            user_id=ceremony.user_id,
            bound_to=ceremony.bound_to,
            is_mfa_only=ceremony.is_mfa_only,
            needs_verification=ceremony.needs_verification,
            offered=None if offered is None else " ".join(str(one) for one in offered),
            expires_at=now + lifetime,
        )
        async with transaction():
            await fetch(_SWEEP, now, _SWEPT)
            if ceremony.bound_to is not None:
                await fetch(_GIVE_WAY, ceremony.bound_to, ceremony.purpose, MOST - 1)
            await WebAuthnChallengeRow.insert(row)
        return challenge

    async def sweep(self) -> None:
        """Forget those that have expired, a part at a time (SEC-126)."""
        await in_parts(_SWEEP, self.clock())

    async def redeem(
        self, client_data: bytes, purpose: Purpose, bound_to: UUID | None
    ) -> tuple[bytes, Ceremony]:
        """Take the challenge that the client data names; it is gone whatever comes of it.

        Call it inside the transaction of the ceremony's outcome, and let that commit: of several
        that bring the same challenge, one gets it.

        Raises:
            CeremonyRefused: There is none, it has expired, or it is for something else.
        """
        challenge = challenge_of(client_data)
        rows = await fetch(_TAKE, _digest(challenge))
        if not rows:
            raise CeremonyRefused("challenge")
        ceremony, expires_at = _ceremony(rows[0])
        if (ceremony.purpose, ceremony.bound_to) != (purpose, bound_to):
            raise CeremonyRefused("challenge")
        if expires_at <= self.clock():
            raise CeremonyRefused("expired")
        return challenge, ceremony


def _digest(challenge: bytes) -> str:
    return hashlib.sha256(challenge).hexdigest()


def _ceremony(row: Row) -> tuple[Ceremony, datetime]:
    offered = row["offered"]
    ceremony = Ceremony(
        purpose=row["purpose"],
        user_id=row["user_id"],
        bound_to=row["bound_to"],
        is_mfa_only=row["is_mfa_only"],
        needs_verification=row["needs_verification"],
        offered=None if offered is None else [UUID(one) for one in offered.split()],
    )
    return ceremony, row["expires_at"]
