"""The keys that the database has, read into the ring; many who ask at once share one reading."""

import asyncio
import logging
import time
from dataclasses import dataclass, field
from datetime import timedelta

from app.clock import Clock
from app.errors import Unavailable
from app.keys import kms, pairs, rows, timeline
from app.keys.errors import KeysUnreadable, KmsPackageMissing
from app.keys.kms import Kms, KmsKey
from app.keys.pairs import PublicHalf, Signer
from app.keys.ring import Ring
from app.keys.sealing import Sealer
from app.persistence import Row, in_transaction

_RELOAD_SECONDS = 1.0
PATIENCE = 3.0
"""Seconds for which who needs the keys waits for a database that keeps silent (SEC-130)."""

_log = logging.getLogger("sekisho.keys")


@dataclass(frozen=True, slots=True)
class RingReader:
    """Keeps the ring of this process as the database has it.

    Attributes:
        lifespan: How long a token lives at most.
    """

    sealer: Sealer
    kms: Kms
    lifespan: timedelta
    clock: Clock
    ring: Ring = field(default_factory=Ring)

    def now(self) -> Ring:
        """Give the ring with what follows from it at this moment."""
        return self.ring.at(self.clock())

    async def refresh(self) -> None:
        """Look whether another replica has changed the keys, where that was a second ago.

        Of requests at the same time one looks, and the others wait for what it sees; who has a
        transaction open looks for itself, since it holds a connection that the other may be
        waiting for.

        Raises:
            Unavailable: The database does not answer, or not soon enough (SEC-130).
        """
        if self.is_fresh:
            return
        try:
            async with asyncio.timeout(PATIENCE):
                while not self.is_fresh:
                    await self._look()
        except TimeoutError:
            raise Unavailable from None

    @property
    def is_fresh(self) -> bool:
        """Say whether the keys were looked at but now."""
        return time.monotonic() - self.ring.read_at < _RELOAD_SECONDS

    async def _look(self) -> None:
        if in_transaction():
            await self.read()
        elif self.ring.reading is None:
            await self._read_for_all()
        else:
            await asyncio.shield(self.ring.reading)

    async def read(self, *, strict: bool = False) -> None:
        """Read the rows, opening those not opened before.

        A key that cannot be opened refuses the start; later, when another replica may have made it
        under a secret that this one has not been given yet, it verifies and is published still.

        Args:
            strict: Whether this is the start.

        Raises:
            KeysUnreadable, KmsPackageMissing: A key cannot be opened, at the start.
        """
        asked_at = time.monotonic()
        found = await rows.stored()
        opened = {}
        for row in found:
            try:
                opened[row["id"]] = self.ring.opened.get(row["id"]) or self._opened(row)
            except (KeysUnreadable, KmsPackageMissing) as error:
                if strict:
                    raise
                opened[row["id"]] = _public_half(row, error)
        self.ring.take(rows.lives_of(found), opened, asked_at)
        self.now()

    async def _read_for_all(self) -> None:
        """Read the rows while others wait for it, and let them share what becomes of it."""
        reading = self.ring.reading = asyncio.get_running_loop().create_future()
        try:
            await self.read()
            if self._falls_short():
                await self._extend()
        except Unavailable as error:
            reading.set_exception(error)
            reading.exception()  # it has been seen, also where nobody waits
            raise
        finally:
            self.ring.reading = None
            if not reading.done():
                reading.set_result(None)

    def _falls_short(self) -> bool:
        """Say whether a key would go before the last token it signs here has expired.

        Whoever has rotated may have known of a shorter lifespan than this replica, which goes on
        signing with the key until its successor begins (SEC-033).
        """
        lives = self.ring.lives
        ends = timeline.ends(lives, self.lifespan, None)
        return any(
            life.published_until is not None
            and ends.get(life.kid, life.published_until) != life.published_until
            for life in lives
        )

    async def _extend(self) -> None:
        async with rows.alone():
            await rows.settle(self.lifespan)
        await self.read()

    def _opened(self, row: Row) -> Signer:
        kid, algorithm = str(row["id"]), row["algorithm"]
        if row["sealed_private_key"] is None:
            kms.require_package()
            public = pairs.read_public(algorithm, row["public_jwk"])
            return KmsKey(kid, algorithm, public, row["kms_key_id"], self.kms)
        private = self.sealer.open(row["sealed_private_key"], rows.place(row["id"]))
        return pairs.read(kid, algorithm, private)


def _public_half(row: Row, error: KeysUnreadable | KmsPackageMissing) -> Signer:
    told = {"kid": row["id"], "code": error.code}
    _log.error("a signing key cannot be opened; it verifies and does not sign", extra=told)
    public = pairs.read_public(row["algorithm"], row["public_jwk"])
    return PublicHalf(str(row["id"]), row["algorithm"], public)
