"""Key pairs: made, written down as JWK (RFC 7517), read back, used."""

import json
from dataclasses import dataclass
from typing import Any, Literal, Protocol, cast

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import Algorithm as JwtAlgorithm
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from app.keys.errors import SignerUnavailable

Algorithm = Literal["ES256", "RS256", "EdDSA"]
Private = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
Public = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey
_RSA_BITS = 3072
_PUBLIC_MEMBERS = ("kty", "crv", "x", "y", "n", "e")
_FORMATS: dict[str, Any] = {"ES256": ECAlgorithm, "RS256": RSAAlgorithm, "EdDSA": OKPAlgorithm}
_SIGNING: dict[str, JwtAlgorithm] = {
    "ES256": ECAlgorithm(ECAlgorithm.SHA256, ec.SECP256R1),
    "RS256": RSAAlgorithm(RSAAlgorithm.SHA256),
    "EdDSA": OKPAlgorithm(),
}


class Signer(Protocol):
    """A key that signs, under the one algorithm it is for, wherever its private half is."""

    @property
    def kid(self) -> str:
        """The id under which it is published."""

    @property
    def algorithm(self) -> Algorithm:
        """What it signs with."""

    @property
    def public(self) -> Public:
        """The half that verifies."""

    async def sign(self, data: bytes) -> bytes:
        """Give the signature of *data* as JWS writes it (RFC 7518 §3)."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A key whose private half is in this process."""

    kid: str
    algorithm: Algorithm
    private: Private
    public: Public

    async def sign(self, data: bytes) -> bytes:
        """Sign *data*."""
        return _SIGNING[self.algorithm].sign(data, self.private)


@dataclass(frozen=True, slots=True)
class PublicHalf:
    """A key whose private half this process cannot reach: it verifies and does not sign."""

    kid: str
    algorithm: Algorithm
    public: Public

    async def sign(self, data: bytes) -> bytes:  # noqa: ARG002  # as every signer
        """Refuse.

        Raises:
            SignerUnavailable: Always.
        """
        raise SignerUnavailable


def generate(kid: str, algorithm: Algorithm) -> Pair:
    """Make a pair: P-256, RSA of 3072 bits, or Ed25519."""
    private: Private
    if algorithm == "ES256":
        private = ec.generate_private_key(ec.SECP256R1())
    elif algorithm == "RS256":
        private = rsa.generate_private_key(public_exponent=65537, key_size=_RSA_BITS)
    else:
        private = ed25519.Ed25519PrivateKey.generate()
    return Pair(kid, algorithm, private, private.public_key())


def private_jwk(pair: Pair) -> str:
    """Write the private half as a JWK."""
    return json.dumps(_FORMATS[pair.algorithm].to_jwk(pair.private, as_dict=True))


def public_jwk(signer: Signer) -> dict[str, str]:
    """Write the public half as a JWK with `kid`, `alg` and `use`, and nothing more (SEC-033)."""
    members = _FORMATS[signer.algorithm].to_jwk(signer.public, as_dict=True)
    known = {name: members[name] for name in _PUBLIC_MEMBERS if name in members}
    return {**known, "kid": signer.kid, "alg": signer.algorithm, "use": "sig"}


def read(kid: str, algorithm: Algorithm, jwk: str) -> Pair:
    """Read a pair back from its private JWK."""
    private: Private = _FORMATS[algorithm].from_jwk(jwk)
    return Pair(kid, algorithm, private, private.public_key())


def read_public(algorithm: Algorithm, jwk: str) -> Public:
    """Read a public half back from its JWK."""
    return cast("Public", _FORMATS[algorithm].from_jwk(jwk))


def verifies(signer: Signer, data: bytes, signature: bytes) -> bool:
    """Say whether a signature of *data* is good under the signer's public half."""
    return bool(_SIGNING[signer.algorithm].verify(data, signer.public, signature))
