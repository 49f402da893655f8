"""The keys that a provider signs with (RFC 7517), fetched, kept and rotated (SEC-077)."""

from dataclasses import dataclass, field

import httpx2
import jwt

from app.clock import Clock
from app.federation.answers import Claims, object_of
from app.federation.errors import ProviderUnreachable
from app.federation.remembered import Remembered
from app.outbound import Outbound

FITTING = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), ("RSA", "")),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"),
}
"""The algorithms that count, all of them asymmetric, with the type and curve of their keys."""

_MOST_KEYS = 100
_LONGEST_MEMBER = 1400  # the modulus of 8192 bits
_LONGEST_EXPONENT = 8
_MEMBERS = ("kty", "crv", "x", "y", "n", "e")


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A key for one algorithm.

    Attributes:
        issuer: Whose key it is alone, where a set is of many tenants (Microsoft); else empty.
    """

    algorithm: str
    issuer: str
    key: jwt.PyJWK = field(repr=False)

    def verifies(self, data: bytes, signature: bytes) -> bool:
        """Say whether the signature is this key's over the data."""
        return self.key.Algorithm.verify(data, self.key.key, signature)


class KeySet:
    """The published keys of one provider."""

    def __init__(self, outbound: Outbound, clock: Clock) -> None:
        self._outbound, self._clock = outbound, clock
        self._sets: dict[str, Remembered[list[Claims]]] = {}

    async def find(self, uri: str, kid: str | None, algorithm: str) -> VerifyingKey | None:
        """Give the key that a token names, or the only one where it names none.

        A set that lacks the key is fetched anew, once a minute at most.

        Raises:
            ProviderUnreachable: The set cannot be had.
        """
        remembered = self._of(uri)
        found = _chosen(await remembered.get(), kid, algorithm)
        if found is None and kid is not None:
            found = _chosen(await remembered.renewed(), kid, algorithm)
        return found

    def _of(self, uri: str) -> Remembered[list[Claims]]:
        """Give what is kept of a set; a provider has one at a time."""
        if uri not in self._sets:
            self._sets.clear()
            self._sets[uri] = Remembered(lambda: self._fetch(uri), self._clock)
        return self._sets[uri]

    async def _fetch(self, uri: str) -> list[Claims]:
        try:
            answer = await self._outbound.client.get(uri)
        except httpx2.TransportError as error:
            raise ProviderUnreachable from error
        keys = object_of(answer, ProviderUnreachable).get("keys")
        if not isinstance(keys, list) or len(keys) > _MOST_KEYS:
            raise ProviderUnreachable
        return [key for key in keys if isinstance(key, dict)]


def _chosen(keys: list[Claims], kid: str | None, algorithm: str) -> VerifyingKey | None:
    """Choose among keys that fit an algorithm: the named one, or the only one."""
    fitting = [
        key for key in keys if _fits(key, algorithm) and (kid is None or key.get("kid") == kid)
    ]
    return _read(fitting[0], algorithm) if len(fitting) == 1 else None


def _fits(key: Claims, algorithm: str) -> bool:
    """Say whether a key is for signatures of an algorithm; one without `alg` by its type."""
    kind, curve = FITTING[algorithm]
    operations = key.get("key_ops", ["verify"])
    return (
        key.get("kty") == kind
        and key.get("crv", "") == curve
        and key.get("alg", algorithm) == algorithm
        and key.get("use", "sig") == "sig"
        and isinstance(operations, list)
        and "verify" in operations
    )


def _read(key: Claims, algorithm: str) -> VerifyingKey | None:
    members = {name: key[name] for name in _MEMBERS if name in key}
    if not all(isinstance(one, str) and len(one) <= _LONGEST_MEMBER for one in members.values()):
        return None
    if len(members.get("e", "")) > _LONGEST_EXPONENT:
        return None
    try:
        made = jwt.PyJWK.from_dict(members, algorithm)
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        return None
    if made.Algorithm.check_key_length(made.key) is not None:
        return None
    issuer = key.get("issuer")
    return VerifyingKey(algorithm, issuer if isinstance(issuer, str) else "", made)
