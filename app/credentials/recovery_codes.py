"""Recovery codes: a second factor on paper, for when the first choice is lost."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from app.access import Actor
from app.audit import AuditLog
from app.clock import Clock
from app.credentials import recovery_code_text
from app.credentials.guessing import Guesses, Paused
from app.credentials.tables import RecoveryCodeRow
from app.persistence import fetch, fetch_row, transaction
from app.users import raise_stamp
from app.users.locking import lock_user, lock_user_or_refuse

COUNT = 10
_STORE = "INSERT INTO user_recovery_code (digest, user_id, created_at) VALUES ($1, $2, $3)"
_USE = "DELETE FROM user_recovery_code WHERE user_id = $1 AND digest = $2 RETURNING digest"
_DELETE = "DELETE FROM user_recovery_code WHERE user_id = $1 RETURNING digest"
_COUNT = "SELECT count(*) AS left_over FROM user_recovery_code WHERE user_id = $1"


@dataclass(frozen=True, slots=True)
class Accepted:
    """The code is right, and used up; so many others are left."""

    left: int


@dataclass(frozen=True, slots=True)
class Wrong:
    """The code is none of the user's, or has been used."""


@dataclass(frozen=True, slots=True)
class Malformed:
    """The text is no recovery code; it is not counted as a guess."""


Outcome = Accepted | Wrong | Malformed | Paused


@dataclass(frozen=True, slots=True)
class RecoveryCodes:
    """The recovery codes of users; a code that has been used is gone."""

    guesses: Guesses
    audit: AuditLog
    clock: Clock

    async def generate(self, actor: Actor, user_id: UUID) -> list[str]:
        """Make ten codes, to be shown once; those there were are void.

        Raises:
            UserNotFound: There is no such user.
        """
        codes = [recovery_code_text.draw() for _ in range(COUNT)]
        async with transaction():
            await lock_user_or_refuse(user_id)
            await fetch(_DELETE, user_id)
            for code in codes:
                await fetch(_STORE, _digest(user_id, code), user_id, self.clock())
            await raise_stamp(user_id)
            await self.audit.record("recovery_codes_created", actor, subject=user_id)
        return codes

    async def redeem(self, actor: Actor, user_id: UUID, text: str) -> Outcome:
        """Try a code as a second factor; it counts as a guess only if this commits (SEC-057)."""
        code = recovery_code_text.read(text)
        if code is None:
            return Malformed()
        async with transaction():
            paused = await self.guesses.take("second_factor", str(user_id))
            if paused is not None:
                return paused
            if not await fetch(_USE, user_id, recovery_code_text.digest(user_id, code)):
                return Wrong()
            await self.guesses.clear("second_factor", str(user_id))
            left = await self.left(user_id)
            details = {"left": left}
            await self.audit.record("recovery_code_used", actor, subject=user_id, details=details)
        return Accepted(left)

    async def left(self, user_id: UUID) -> int:
        """Say how many codes the user has left."""
        row = await fetch_row(_COUNT, user_id)
        return row["left_over"] if row else 0

    async def left_of(self, user_ids: Sequence[UUID]) -> Mapping[UUID, int]:
        """Say how many codes some users have left, in one statement; each has ten at most."""
        if not user_ids:
            return {}
        rows = await RecoveryCodeRow.select(RecoveryCodeRow.user_id).where(
            RecoveryCodeRow.user_id.is_in([*user_ids])
        )
        counts = Counter(row["user_id"] for row in rows)
        return {user_id: counts[user_id] for user_id in user_ids}

    async def delete(self, actor: Actor, user_id: UUID) -> None:
        """Make the codes void without new ones."""
        async with transaction():
            await lock_user(user_id)
            if await fetch(_DELETE, user_id):
                await raise_stamp(user_id)
                await self.audit.record("recovery_codes_deleted", actor, subject=user_id)


def _digest(user_id: UUID, shown: str) -> str:
    return recovery_code_text.digest(user_id, shown.replace("-", ""))
