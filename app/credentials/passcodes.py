"""Passcodes: short codes that are mailed to prove an address.

A flow has one code at most; a newer one takes its place. A code is kept as a keyed hash over all it
is bound to, so it is right only in its flow, for its purpose, address and user (SEC-039, SEC-040).
"""

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from app.clock import Clock
from app.config import sections
from app.credentials import passcode_text
from app.credentials.guessing import Guesses, Paused
from app.keyedhash import KeyedHash
from app.persistence import fetch, fetch_row, transaction
from app.sweeping import in_parts
from app.text import email_key

MOST_TRIES = 3
_LONGEST = 64
_ISSUE = """
INSERT INTO passcode (flow_id, user_id, bound_to, digest, tries, created_at, expires_at)
VALUES ($1, (SELECT id FROM app_user WHERE id = $2), $3, $4, 0, $5, $6)
ON CONFLICT (flow_id) DO UPDATE SET
    user_id = excluded.user_id, bound_to = excluded.bound_to, digest = excluded.digest,
    tries = 0, created_at = excluded.created_at, expires_at = excluded.expires_at
"""
_TRY = """
UPDATE passcode SET tries = tries + 1 WHERE flow_id = $1 AND tries < $2 AND expires_at > $3
RETURNING digest, tries
"""
_FIND = "SELECT bound_to, tries, expires_at FROM passcode WHERE flow_id = $1"
_DROP = "DELETE FROM passcode WHERE flow_id = $1"
_SWEEP = """
DELETE FROM passcode WHERE flow_id IN (
    SELECT flow_id FROM passcode WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)
    AND expires_at <= $1
RETURNING flow_id
"""


@dataclass(frozen=True, slots=True)
class Binding:
    """What a code is good for, and for nothing else.

    Args:
        flow_id: The flow that asks for it.
        purpose: What it proves there: the name of the mail's template.
        address: Where it is mailed to.
        user_id: The account it is for, or None where there is none.
        is_made: Whether that account exists; one that is still to be made is known by its address
            alone, as nobody's is, so that guessing tells nothing of an address (SEC-066).
    """

    flow_id: UUID
    purpose: str
    address: str
    user_id: UUID | None = None
    is_made: bool = True

    @property
    def parts(self) -> tuple[str, str, str, str]:
        """All of it as texts."""
        user_id = str(self.user_id) if self.user_id else ""
        return str(self.flow_id), self.purpose, self.folded, user_id

    @property
    def folded(self) -> str:
        """The address as addresses are compared."""
        return email_key(self.address) or self.address

    @property
    def account(self) -> str:
        """Whose codes are guessed when this one is."""
        return str(self.user_id) if self.user_id and self.is_made else self.folded


@dataclass(frozen=True, slots=True)
class NewPasscode:
    """A code in clear, for the mail alone (SEC-043)."""

    code: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Matched:
    """The code is right, and used up."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """The code is wrong; this many attempts are left."""

    attempts_left: int


@dataclass(frozen=True, slots=True)
class Exhausted:
    """The code was wrong too often; it is dead (SEC-041)."""


@dataclass(frozen=True, slots=True)
class Expired:
    """There is no code in this flow that lives."""


Outcome = Matched | Wrong | Exhausted | Expired | Paused


@dataclass(frozen=True, slots=True)
class Passcodes:
    """The codes of flows."""

    config: sections.Email
    hash: KeyedHash
    guesses: Guesses
    clock: Clock

    async def issue(self, binding: Binding, *, is_decoy: bool = False) -> NewPasscode:
        """Make a code; any older one of the flow is dead.

        Args:
            binding: What it is good for.
            is_decoy: Whether the mail will hold no code, since nobody may get on with one: the same
                work is done, and no code is right (SEC-067).
        """
        now = self.clock()
        code = passcode_text.draw(self.config.passcode_charset)
        accepted = secrets.token_hex() if is_decoy else code
        expires_at = now + timedelta(seconds=self.config.passcode_ttl)
        await fetch(
            _ISSUE,
            binding.flow_id,
            binding.user_id,
            self.hash.digest("binding", *binding.parts),
            self.hash.digest("code", *binding.parts, accepted),
            now,
            expires_at,
        )
        return NewPasscode(code, expires_at)

    async def is_live(self, binding: Binding) -> bool:
        """Say whether the flow has a code for just this that can still be entered."""
        row = await fetch_row(_FIND, binding.flow_id)
        return (
            row is not None
            and row["tries"] < MOST_TRIES
            and row["expires_at"] > self.clock()
            and self.hash.recognises(row["bound_to"], "binding", *binding.parts)
        )

    async def verify(self, binding: Binding, code: str, *, known_browser: bool = False) -> Outcome:
        """Try a code. The try is counted before it is evaluated, and counts only if this commits.

        Args:
            binding: What the code would have to be good for.
            code: As it was entered; nothing is trimmed or folded.
            known_browser: Whether the browser has shown a session or a trusted device of that very
                account; strangers' guesses do not close its codes (SEC-042).
        """
        account = f"{'known' if known_browser else 'any'}:{binding.account}"
        async with transaction():
            tried = await fetch(_TRY, binding.flow_id, MOST_TRIES, self.clock())
            if not tried:
                return await self._why_dead(binding)
            paused = await self.guesses.take("passcode", account)
            if paused is not None:
                return paused
            if not self._is_right(tried[0]["digest"], binding, code):
                left = MOST_TRIES - tried[0]["tries"]
                return Wrong(left) if left else Exhausted()
            await fetch(_DROP, binding.flow_id)
            await self.guesses.clear("passcode", account)
        return Matched()

    async def sweep(self) -> None:
        """Remove the codes that have expired (SEC-126)."""
        await in_parts(_SWEEP, self.clock())

    async def _why_dead(self, binding: Binding) -> Outcome:
        row = await fetch_row(_FIND, binding.flow_id)
        if row is None or row["expires_at"] <= self.clock():
            return Expired()
        return Exhausted()

    def _is_right(self, digest: str, binding: Binding, code: str) -> bool:
        shown = code[:_LONGEST]
        return self.hash.recognises(digest, "code", *binding.parts, shown) and shown == code
