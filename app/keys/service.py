"""Signing keys: made, sealed at rest, rotated, retired, published and used."""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import jwt
from jwt.api_jws import PyJWS

from app import strictjson
from app.access import SYSTEM, Actor
from app.audit import AuditLog
from app.clock import Clock
from app.config.sections import KeyManagement
from app.errors import Unavailable
from app.ids import new_id
from app.keys import jws, kms, pairs, timeline
from app.keys.errors import (
    NextKeyPending,
    SignerUnavailable,
    SigningKeyActive,
    SigningKeyNotFound,
    TokenInvalid,
)
from app.keys.kms import Kms, KmsKey
from app.keys.pairs import Algorithm, Pair, Signer
from app.keys.reading import RingReader
from app.keys.ring import KeySet
from app.keys.rows import alone, lives_of, place, settle, stored
from app.keys.sealing import Sealer
from app.keys.tables import SigningKeyRow
from app.keys.timeline import State
from app.persistence import Row, fetch

_TICK = timedelta(microseconds=1)
_ACTIVATE = "UPDATE signing_key SET activates_at = $2 WHERE id = $1"
_RESEAL = "UPDATE signing_key SET sealed_private_key = $2 WHERE id = $1"
_DELETE = "DELETE FROM signing_key WHERE id = $1"
_log = logging.getLogger("sekisho.keys")
_jws = PyJWS()


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A published key as its operator sees it."""

    kid: UUID
    algorithm: Algorithm
    state: State
    created_at: datetime
    activates_at: datetime | None
    published_until: datetime | None


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """Signs and verifies tokens with the keys of this deployment, and leads the keys' lives.

    Attributes:
        config: Where keys are made, by which algorithm, and how long ahead they are published.
        lifespan: How long a token lives at most.
    """

    sealer: Sealer
    kms: Kms
    config: KeyManagement
    lifespan: timedelta
    reader: RingReader
    audit: AuditLog
    clock: Clock

    @property
    def generation(self) -> int:
        """A number that changes whenever the keys do; caches of verified tokens hang on it."""
        return self.reader.now().generation

    @property
    def signs_here(self) -> bool:
        """Say whether the key that signs is in this process, and known to be the one that does.

        Then signing asks nobody else, the database included.
        """
        return self.reader.is_fresh and isinstance(self.reader.now().active, Pair)

    async def load(self) -> None:
        """Read the keys at start, making the first one where there is none.

        What another secret than the first has sealed is sealed anew (SEC-120), keys that are over
        are deleted, and ends follow a lifespan that has grown. One replica alone does so at a time.

        Raises:
            KeysUnreadable: No configured secret opens a stored key.
            KmsPackageMissing, KmsKeyUnfit, SignerUnavailable: AWS KMS cannot be used.
        """
        if self.config.type == "aws_kms":
            kms.require_package()
        first = None if _has_begun(await stored()) else await self._made()
        async with alone():
            await self._tidy()
            await settle(self.lifespan)
            await self._reseal()
            if not _has_begun(await stored()):
                await self._insert(SYSTEM, first or await self._made(), self.clock())
        await self.reader.read(strict=True)
        self._ask_for_rotation()

    async def refresh(self) -> None:
        """Learn what another replica has changed; to be called before each use."""
        await self.reader.refresh()

    async def create(self, actor: Actor) -> SigningKey:
        """Make the next key and publish it; it waits until a rotation lets it sign.

        Raises:
            NextKeyPending: There is a next key already.
            KmsKeyUnfit, SignerUnavailable: AWS KMS cannot be used.
        """
        made = await self._made()
        async with self._changing():
            if _of_state("next", await self.list()):
                raise NextKeyPending
            await self._insert(actor, made, None)
            return await self._one(UUID(made.kid))

    async def rotate(self, actor: Actor, *, now: bool = False) -> SigningKey:
        """Let the next key follow the one that signs, and give it.

        Where none waits it is made. It signs when it has been published for as long as is
        configured, so that everybody who verifies has had the time to fetch it (SEC-033).

        Args:
            actor: On whose behalf; the audit record names it.
            now: Whether it signs at once, though some may not know it yet: for emergencies.

        Raises:
            NextKeyPending: The next key's time is set, and not to be brought forward.
            KmsKeyUnfit, SignerUnavailable: AWS KMS cannot be used.
        """
        made = await self._made()
        async with self._changing():
            moment, keys = self.clock(), await self.list()
            waiting = _of_state("next", keys)
            if waiting is None:
                await self._insert(actor, made, None)
                waiting = await self._one(UUID(made.kid))
            elif waiting.activates_at is not None and not now:
                raise NextKeyPending("The next signing key has its time; `now` brings it forward.")
            ready = moment if now else waiting.created_at + self.config.publish_ahead
            begins = _after(_of_state("active", keys), max(moment, ready))
            await fetch(_ACTIVATE, waiting.kid, begins)
            details = {"kid": str(waiting.kid), "activates_at": begins.isoformat(), "now": now}
            await self.audit.record("signing_key_rotated", actor, details=details)
            await settle(self.lifespan)
            return await self._one(waiting.kid)

    async def retire(self, actor: Actor, kid: UUID, *, force: bool = False) -> SigningKey:
        """End a key at once, with every token it has signed; give the key that signs now.

        Args:
            actor: On whose behalf; the audit record names it.
            kid: Which key.
            force: Whether the key that signs may be ended; the next one, or a new one, takes its
                place at once.

        Raises:
            SigningKeyNotFound: There is no such key.
            SigningKeyActive: It signs, and force was not given.
            KmsKeyUnfit, SignerUnavailable: AWS KMS cannot be used.
        """
        made = await self._made() if force else None
        async with self._changing():
            key = await self._one(kid)
            if key.state == "active":
                if made is None:
                    raise SigningKeyActive
                await self._succeed(actor, key, made)
            await self._delete(actor, kid, key.algorithm, key.state)
            await settle(self.lifespan)
            return next(one for one in await self.list() if one.state == "active")

    async def list(self) -> list[SigningKey]:
        """List the published keys, newest first."""
        rows = await stored()
        of = {row["id"]: row for row in rows}
        states = timeline.states(lives_of(rows), self.clock())
        return [_signing_key(of[kid], state) for kid, state in states.items()]

    async def published(self) -> KeySet:
        """Give the JWK Set as it is sent; the one last known where the database does not answer."""
        with contextlib.suppress(Unavailable):
            await self.refresh()
        return self.reader.now().key_set

    def jwks(self) -> dict[str, Any]:
        """Give the public keys as a JWK Set (RFC 7517 §5), newest first."""
        return {"keys": [pairs.public_jwk(signer) for signer in self.reader.now().by_kid.values()]}

    async def sign(self, claims: dict[str, Any], *, typ: str = "JWT") -> str:
        """Sign *claims* with the active key.

        Raises:
            SignerUnavailable: The key is in AWS KMS, which does not answer, or cannot be opened.
        """
        signer = self.reader.now().active
        if signer is None and self.reader.ring.opened:
            raise SignerUnavailable
        if signer is None:
            raise RuntimeError("the signing keys have not been loaded")
        payload = strictjson.encode_bytes(claims)  # numbers of metadata pass through untouched
        return await jws.signed(signer, payload, typ)

    def verify(self, token: str, *, typ: str = "JWT") -> dict[str, Any]:
        """Give the claims of a token whose signature is good; nothing else of it is judged here.

        The algorithm is the one bound to the key that `kid` names on our side, whatever the token
        says (SEC-019), and `typ` must be the kind the caller consumes (SEC-023).

        Raises:
            TokenInvalid: It is malformed, of another kind, or not signed by one of our keys.
        """
        header = jws.header_of(token)
        signer = self.reader.now().by_kid.get(header["kid"])
        if signer is None or header["alg"] != signer.algorithm or header["typ"] != typ:
            raise TokenInvalid
        try:
            payload = _jws.decode(token, signer.public, algorithms=[signer.algorithm])
            claims = strictjson.parse(payload)
        except (jwt.PyJWTError, strictjson.NotJson):
            raise TokenInvalid from None
        if not isinstance(claims, dict):
            raise TokenInvalid
        return claims

    @asynccontextmanager
    async def _changing(self) -> AsyncIterator[None]:
        """Change keys as the only one who does, and know of the change at once."""
        async with alone():
            await self._tidy()
            yield
        await self.reader.read()

    async def _succeed(self, actor: Actor, key: SigningKey, made: Signer) -> None:
        """Let another key sign at once: the next one, which is published already, or a new one."""
        begins, waiting = _after(key, self.clock()), _of_state("next", await self.list())
        if waiting is None:
            await self._insert(actor, made, begins)
        else:
            await fetch(_ACTIVATE, waiting.kid, begins)

    async def _one(self, kid: UUID) -> SigningKey:
        found = [key for key in await self.list() if key.kid == kid]
        if not found:
            raise SigningKeyNotFound
        return found[0]

    async def _made(self) -> Signer:
        """Make a key as configured; outside a transaction, since it may take its time."""
        kid = str(new_id())
        if self.config.type == "aws_kms":
            return await self.kms.find(kid, self.config.key_id, self.config.region)
        return await asyncio.to_thread(pairs.generate, kid, self.config.algorithm)

    async def _insert(self, actor: Actor, made: Signer, activates_at: datetime | None) -> None:
        kid = UUID(made.kid)
        sealed = None
        if isinstance(made, Pair):
            sealed = self.sealer.seal(pairs.private_jwk(made), place(kid))
        await SigningKeyRow.insert(
            SigningKeyRow(
                id=kid,
                algorithm=made.algorithm,
                public_jwk=json.dumps(pairs.public_jwk(made)),
                sealed_private_key=sealed,
                kms_key_id=made.arn if isinstance(made, KmsKey) else None,
                created_at=self.clock(),
                activates_at=activates_at,
            )
        )
        details = {"kid": made.kid, "algorithm": made.algorithm}
        await self.audit.record("signing_key_created", actor, details=details)

    async def _delete(self, actor: Actor, kid: UUID, algorithm: str, state: str) -> None:
        await fetch(_DELETE, kid)
        details = {"kid": str(kid), "algorithm": algorithm, "state": state}
        await self.audit.record("signing_key_retired", actor, details=details)

    async def _tidy(self) -> None:
        """Delete the keys that are over: no private half lingers."""
        rows = await stored()
        published = timeline.states(lives_of(rows), self.clock())
        for row in rows:
            if row["id"] not in published:
                await self._delete(SYSTEM, row["id"], row["algorithm"], "expired")

    async def _reseal(self) -> None:
        """Seal under the first secret what another one has sealed (SEC-120)."""
        sealed = [(row["id"], row["sealed_private_key"]) for row in await stored()]
        stale = [(kid, text) for kid, text in sealed if text and not self.sealer.is_current(text)]
        for kid, text in stale:
            opened = self.sealer.open(text, place(kid))
            await fetch(_RESEAL, kid, self.sealer.seal(opened, place(kid)))
        if stale:
            await self.audit.record("signing_keys_resealed", SYSTEM, details={"count": len(stale)})

    def _ask_for_rotation(self) -> None:
        """Say so where the newest key is not what the configuration asks for."""
        newest = next(iter(self.reader.now().by_kid.values()))
        if isinstance(newest, KmsKey):
            fits = self.config.type == "aws_kms" and kms.names(self.config.key_id, newest.arn)
        else:
            fits = self.config.type == "local" and newest.algorithm == self.config.algorithm
        if not fits:
            told = {"kid": newest.kid, "algorithm": newest.algorithm}
            _log.warning(
                "the newest signing key is not as configured; run `sekisho jwk rotate`", extra=told
            )


def _has_begun(rows: Sequence[Row]) -> bool:
    return any(row["activates_at"] is not None for row in rows)


def _signing_key(row: Row, state: State) -> SigningKey:
    return SigningKey(
        kid=row["id"],
        algorithm=row["algorithm"],
        state=state,
        created_at=row["created_at"],
        activates_at=row["activates_at"],
        published_until=row["published_until"],
    )


def _of_state(state: State, keys: "list[SigningKey]") -> SigningKey | None:
    return next((key for key in keys if key.state == state), None)


def _after(active: SigningKey | None, moment: datetime) -> datetime:
    """Give a moment at which a key follows the active one, though our clock may lag behind."""
    if active is None or active.activates_at is None:
        return moment
    return max(moment, active.activates_at + _TICK)
