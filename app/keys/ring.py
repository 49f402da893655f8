"""The signing keys as this process knows them, and what is true of them at a moment."""

import asyncio
import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from app import strictjson
from app.keys import pairs, timeline
from app.keys.pairs import PublicHalf, Signer
from app.keys.timeline import Life, State

_ALWAYS = datetime.max.replace(tzinfo=UTC)
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class KeySet:
    """A JWK Set as it is sent (RFC 7517 §5)."""

    body: bytes
    etag: str

    @classmethod
    def of(cls, signers: list[Signer]) -> "KeySet":
        """Write the public halves down."""
        body = strictjson.encode_bytes({"keys": [pairs.public_jwk(one) for one in signers]})
        return cls(body, f'"{hashlib.sha256(body).hexdigest()[:32]}"')


@dataclass(slots=True)
class Ring:
    """Keys that were read, with what follows from them until the next one begins or ends.

    Attributes:
        opened: Every key, with its private half where this process could open it.
        active: The key that signs.
        by_kid: The keys that verify, newest first: next, active and retired.
        key_set: The same, as they are published.
        generation: A number that changes whenever `by_kid` does.
        read_at: When the rows were asked for that are known, on the monotonic clock.
        reading: Stands for a reading that is under way, for others to wait for.
        lives: The times of the keys.
    """

    opened: dict[UUID, Signer] = field(default_factory=dict)
    active: Signer | None = None
    by_kid: dict[str, Signer] = field(default_factory=dict)
    key_set: KeySet = field(default_factory=lambda: KeySet.of([]))
    generation: int = 0
    read_at: float = 0.0
    reading: asyncio.Future[None] | None = None
    lives: list[Life] = field(default_factory=list)
    _from: datetime = _NEVER
    _until: datetime = _NEVER

    def take(self, lives: list[Life], opened: dict[UUID, Signer], asked_at: float) -> None:
        """Take over what a reading has found, unless a later one was here first."""
        if asked_at < self.read_at:
            return
        self.read_at = asked_at
        self.opened, self.lives = opened, lives
        self._until = _NEVER

    def at(self, now: datetime) -> "Ring":
        """Bring what follows from the keys up to date, and give the ring."""
        if not self._from <= now < self._until:
            self._follow(now)
        return self

    def _signing(self, states: dict[UUID, State]) -> Signer | None:
        """Give the key to sign with: the active one, or an older one if that cannot be opened."""
        for wanted in ("active", "retired"):
            for kid, state in states.items():
                if state == wanted and not isinstance(self.opened[kid], PublicHalf):
                    return self.opened[kid]
        return None

    def _follow(self, now: datetime) -> None:
        states = timeline.states(self.lives, now)
        published = [self.opened[kid] for kid in states]
        self.active = self._signing(states)
        if [one.kid for one in published] != list(self.by_kid):
            self.by_kid = {one.kid: one for one in published}
            self.key_set = KeySet.of(published)
            self.generation += 1
        self._from, self._until = now, timeline.change_after(self.lives, now) or _ALWAYS
