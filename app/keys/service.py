"""Signing keys: made at first start, sealed at rest, published, used."""

import json
import time
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import jwt
from jwt.api_jws import PyJWS

from app import strictjson
from app.access import SYSTEM
from app.audit import AuditLog
from app.clock import Clock
from app.ids import new_id
from app.keys import pairs
from app.keys.errors import TokenInvalid
from app.keys.jws import header_of
from app.keys.pairs import Algorithm, Pair
from app.keys.sealing import Sealer
from app.keys.tables import SigningKey
from app.persistence import exclusive, transaction

_RELOAD_SECONDS = 1.0
_jws = PyJWS()


@dataclass(slots=True)
class _Ring:
    """The keys as this process knows them."""

    by_kid: dict[str, Pair] = field(default_factory=dict)
    active: Pair | None = None
    generation: int = 0
    read_at: float = 0.0


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """Signs and verifies tokens with the keys of this deployment."""

    sealer: Sealer
    algorithm: Algorithm
    audit: AuditLog
    clock: Clock
    _ring: _Ring = field(default_factory=_Ring)

    @property
    def generation(self) -> int:
        """A number that changes whenever the keys do; caches of verified tokens hang on it."""
        return self._ring.generation

    async def load(self) -> None:
        """Read the keys, making the first one where there is none; one replica alone does so.

        Raises:
            KeysUnreadable: No configured secret opens a stored key.
        """
        async with transaction():
            await exclusive("signing_keys")
            if not await SigningKey.exists().where(SigningKey.state == "active"):
                await self._create()
        await self._read()

    async def refresh(self) -> None:
        """Look whether another replica has made a key, at most once a second."""
        if time.monotonic() - self._ring.read_at >= _RELOAD_SECONDS:
            await self._read()

    def knows(self, token: str) -> bool:
        """Say whether the token names a key that this process has read.

        Raises:
            TokenInvalid: The token is not even well formed.
        """
        return header_of(token)["kid"] in self._ring.by_kid

    def sign(self, claims: dict[str, Any], *, typ: str = "JWT") -> str:
        """Sign *claims* with the active key."""
        pair = self._ring.active
        if pair is None:
            raise RuntimeError("the signing keys have not been loaded")
        return jwt.encode(
            claims, pair.private, pair.algorithm, headers={"kid": pair.kid, "typ": typ}
        )

    def verify(self, token: str, *, typ: str = "JWT") -> dict[str, Any]:
        """Give the claims of a token whose signature is good; nothing else of it is judged here.

        The algorithm is the one bound to the key that `kid` names on our side, whatever the token
        says (SEC-019), and `typ` must be the kind the caller consumes (SEC-023).

        Raises:
            TokenInvalid: It is malformed, of another kind, or not signed by one of our keys.
        """
        header = header_of(token)
        pair = self._ring.by_kid.get(header["kid"])
        if pair is None or header["alg"] != pair.algorithm or header["typ"] != typ:
            raise TokenInvalid
        try:
            payload = _jws.decode(token, pair.public, algorithms=[pair.algorithm])
            claims = strictjson.parse(payload)
        except (jwt.PyJWTError, strictjson.NotJson):
            raise TokenInvalid from None
        if not isinstance(claims, dict):
            raise TokenInvalid
        return claims

    def jwks(self) -> dict[str, Any]:
        """Give the public keys as a JWK Set (RFC 7517 §5), newest first."""
        return {"keys": [pairs.public_jwk(pair) for pair in self._ring.by_kid.values()]}

    async def _create(self) -> None:
        kid = new_id()
        pair = pairs.generate(str(kid), self.algorithm)
        await SigningKey.insert(
            SigningKey(
                id=kid,
                algorithm=pair.algorithm,
                state="active",
                public_jwk=json.dumps(pairs.public_jwk(pair)),
                sealed_private_key=self.sealer.seal(pairs.private_jwk(pair), _place(kid)),
                created_at=self.clock(),
            )
        )
        details = {"kid": str(kid), "algorithm": pair.algorithm}
        await self.audit.record("signing_key_created", SYSTEM, details=details)

    async def _read(self) -> None:
        rows = await SigningKey.select().order_by(SigningKey.created_at, ascending=False)
        ring = self._ring
        ring.read_at = time.monotonic()
        if [str(row["id"]) for row in rows] == list(ring.by_kid):
            return
        ring.by_kid = {str(row["id"]): self._opened(row) for row in rows}
        ring.active = next(ring.by_kid[str(r["id"])] for r in rows if r["state"] == "active")
        ring.generation += 1

    def _opened(self, row: dict[str, Any]) -> Pair:
        jwk = self.sealer.open(row["sealed_private_key"], _place(row["id"]))
        return pairs.read(str(row["id"]), row["algorithm"], jwk)


def _place(kid: UUID) -> str:
    return f"signing_key:{kid}"
