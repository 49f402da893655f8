"""Key pairs: made, written down as JWK (RFC 7517), read back. Pure."""

import json
from dataclasses import dataclass
from typing import Any, Literal

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

Algorithm = Literal["ES256", "RS256", "EdDSA"]
Private = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
Public = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey
_RSA_BITS = 3072
_PUBLIC_MEMBERS = ("kty", "crv", "x", "y", "n", "e")
_FORMATS: dict[str, Any] = {"ES256": ECAlgorithm, "RS256": RSAAlgorithm, "EdDSA": OKPAlgorithm}


@dataclass(frozen=True, slots=True)
class Pair:
    """A key that signs, under the one algorithm it is for."""

    kid: str
    algorithm: Algorithm
    private: Private
    public: Public


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


def public_jwk(pair: Pair) -> dict[str, str]:
    """Write the public half as a JWK with `kid`, `alg` and `use`, and nothing more (SEC-033)."""
    members = _FORMATS[pair.algorithm].to_jwk(pair.public, as_dict=True)
    known = {name: members[name] for name in _PUBLIC_MEMBERS if name in members}
    return {**known, "kid": pair.kid, "alg": pair.algorithm, "use": "sig"}


def read(kid: str, algorithm: Algorithm, jwk: str) -> Pair:
    """Read a pair back from its private JWK."""
    private: Private = _FORMATS[algorithm].from_jwk(jwk)
    return Pair(kid, algorithm, private, private.public_key())
