"""Authenticator apps: TOTP secrets, one a user, sealed at rest (SEC-119)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from app.access import Actor
from app.audit import AuditLog
from app.clock import Clock
from app.credentials import qr, totp_codes
from app.credentials.errors import TotpExists, TotpNotFound
from app.credentials.guessing import Guesses, Paused
from app.credentials.tables import TotpRow
from app.credentials.trusted_devices import TrustedDevices
from app.ids import new_id
from app.keys import KeysUnreadable, Sealer
from app.persistence import fetch, fetch_row, transaction
from app.users import raise_stamp
from app.users.locking import lock_user, lock_user_or_refuse

_PAGE = 500
_FIND = "SELECT id, sealed_secret, created_at FROM user_totp WHERE user_id = $1"
_STORE = """
INSERT INTO user_totp (user_id, id, sealed_secret, last_step, created_at)
VALUES ($1, $2, $3, $4, $5)
"""
_USE = """
UPDATE user_totp SET last_step = $3 WHERE user_id = $1 AND id = $2 AND last_step < $3 RETURNING id
"""
_RESEAL = "UPDATE user_totp SET sealed_secret = $3 WHERE id = $1 AND sealed_secret = $2"
_DELETE = "DELETE FROM user_totp WHERE user_id = $1 RETURNING id"
_ALL = """
SELECT user_id, id, sealed_secret FROM user_totp WHERE user_id > $1 ORDER BY user_id LIMIT $2
"""


@dataclass(frozen=True, slots=True)
class Offer:
    """What a user needs to set up an app; for the one who enrols and nobody else."""

    secret: str = field(repr=False)
    uri: str = field(repr=False)

    @property
    def png(self) -> str:
        """The QR code as a PNG in a `data:` URI."""
        return qr.png_data_uri(self.uri)


@dataclass(frozen=True, slots=True)
class Authenticator:
    """The app of a user: everything but its secret."""

    id: UUID
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Accepted:
    """The code is right; its time step is used up."""

    step: int


@dataclass(frozen=True, slots=True)
class Wrong:
    """The code is none of this moment, or the user has no app."""


@dataclass(frozen=True, slots=True)
class Reused:
    """The code was right, and it or a later one has been used already (SEC-056)."""


@dataclass(frozen=True, slots=True)
class Malformed:
    """The text is not six digits; it is not counted as a guess."""


Proof = Accepted | Wrong | Malformed
Outcome = Accepted | Wrong | Reused | Malformed | Paused


@dataclass(frozen=True, slots=True)
class Totp:
    """The authenticator apps of users.

    Enrolment has two steps. A flow offers a secret and keeps it among what it remembers; only when
    a code of it was shown is it stored (SEC-055).
    """

    issuer: str
    sealer: Sealer
    guesses: Guesses
    devices: TrustedDevices
    audit: AuditLog
    clock: Clock

    def offer(self, account: str, secret: str | None = None) -> Offer:
        """Give what is shown at enrolment.

        Args:
            account: What the app calls the account: the address, else the user name.
            secret: The one that was offered before; without it a new one is drawn.
        """
        chosen = secret or totp_codes.new_secret()
        return Offer(chosen, totp_codes.uri(chosen, self.issuer, account))

    def prove(self, secret: str, code: str) -> Proof:
        """Check a code of a secret that was offered; nothing is stored."""
        if not totp_codes.is_code(code):
            return Malformed()
        step = totp_codes.matching_step(secret, code, self.clock())
        return Wrong() if step is None else Accepted(step)

    async def store(self, actor: Actor, user_id: UUID, secret: str, proof: Accepted) -> UUID:
        """Make a secret the user's, its first code used up; trusted devices end (SEC-059).

        Raises:
            UserNotFound: There is no such user.
            TotpExists: The user has an app; it is not replaced, it must be deleted first.
        """
        totp_id = new_id()
        async with transaction():
            await lock_user_or_refuse(user_id)
            if await fetch_row(_FIND, user_id) is not None:
                raise TotpExists
            sealed = self.sealer.seal(secret, _place(totp_id))
            await fetch(_STORE, user_id, totp_id, sealed, proof.step, self.clock())
            await raise_stamp(user_id)
            await self.devices.forget_all(actor, user_id)
            details = {"otp_secret": str(totp_id)}
            await self.audit.record("otp_created", actor, subject=user_id, details=details)
        return totp_id

    async def verify(self, user_id: UUID, code: str) -> Outcome:
        """Try a code of the user's app; it counts as a guess only if this commits (SEC-057)."""
        if not totp_codes.is_code(code):
            return Malformed()
        async with transaction():
            paused = await self.guesses.take("second_factor", str(user_id))
            if paused is not None:
                return paused
            row = await fetch_row(_FIND, user_id)
            if row is None:
                return Wrong()
            secret = self.sealer.open(row["sealed_secret"], _place(row["id"]))
            step = totp_codes.matching_step(secret, code, self.clock())
            if step is None:
                return Wrong()
            if not await fetch(_USE, user_id, row["id"], step):
                return Reused()
            await self.guesses.clear("second_factor", str(user_id))
        return Accepted(step)

    async def of(self, user_id: UUID) -> Authenticator | None:
        """Give the user's app, if there is one."""
        row = await fetch_row(_FIND, user_id)
        return None if row is None else Authenticator(row["id"], row["created_at"])

    async def of_all(self, user_ids: Sequence[UUID]) -> Mapping[UUID, Authenticator]:
        """Give the apps of some users, in one statement; who has none is left out."""
        if not user_ids:
            return {}
        rows = await TotpRow.select(TotpRow.user_id, TotpRow.id, TotpRow.created_at).where(
            TotpRow.user_id.is_in([*user_ids])
        )
        return {row["user_id"]: Authenticator(row["id"], row["created_at"]) for row in rows}

    async def delete(self, actor: Actor, user_id: UUID) -> None:
        """Take the app away from the user; trusted devices end (SEC-059).

        Raises:
            TotpNotFound: The user has none.
        """
        async with transaction():
            await lock_user(user_id)
            deleted = await fetch(_DELETE, user_id)
            if not deleted:
                raise TotpNotFound
            await raise_stamp(user_id)
            await self.devices.forget_all(actor, user_id)
            details = {"otp_secret": str(deleted[0]["id"])}
            await self.audit.record("otp_deleted", actor, subject=user_id, details=details)

    async def reseal(self) -> int:
        """Seal under the first secret what an older one has sealed, and say how many.

        Raises:
            KeysUnreadable: No configured secret opens one of them.
        """
        last, resealed = UUID(int=0), 0
        while rows := await fetch(_ALL, last, _PAGE):
            last = rows[-1]["user_id"]
            for row in rows:
                if not self.sealer.is_current(row["sealed_secret"]):
                    await self._reseal(row["id"], row["sealed_secret"])
                    resealed += 1
        return resealed

    def sealed(self, totp_id: UUID, secret: str) -> str:
        """Seal a secret as it is stored."""
        return self.sealer.seal(secret, _place(totp_id))

    def opens(self, totp_id: UUID, sealed: str) -> bool:
        """Say whether a stored secret can be read here."""
        try:
            self.sealer.open(sealed, _place(totp_id))
        except KeysUnreadable:
            return False
        return True

    async def _reseal(self, totp_id: UUID, sealed: str) -> None:
        secret = self.sealer.open(sealed, _place(totp_id))
        await fetch(_RESEAL, totp_id, sealed, self.sealer.seal(secret, _place(totp_id)))


def _place(totp_id: UUID) -> str:
    return f"user_totp:{totp_id}"
