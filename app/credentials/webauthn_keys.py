"""Which public keys a credential may have (SEC-049). Pure.

The library decodes a key leniently and looks at its point only once it verifies with it; here the
parameters are held against RFC 9053 before a key is kept.
"""

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from webauthn.helpers import (
    decode_credential_public_key,
    decoded_public_key_to_cryptography,
    parse_cbor,
)
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.exceptions import WebAuthnException

_KTY, _ALG, _CRV = 1, 3, -1
_EC2_X, _EC2_Y, _OKP_X, _RSA_N, _RSA_E = -2, -3, -2, -1, -2
_RSA_BYTES = range(256, 513)
_RSA_EXPONENT_BYTES = range(1, 5)
RSA_BITS = range(2048, 4097)


class KeyRefused(ValueError):
    """A public key that no credential here may have."""


@dataclass(frozen=True, slots=True)
class _Shape:
    """What must stand in a key: fixed parameters, and how many bytes the others have."""

    fixed: dict[int, int]
    lengths: dict[int, range]


def _ec2(algorithm: int, curve: int, size: int) -> _Shape:
    exact = range(size, size + 1)
    return _Shape({_KTY: 2, _ALG: algorithm, _CRV: curve}, {_EC2_X: exact, _EC2_Y: exact})


def _rsa(algorithm: int) -> _Shape:
    return _Shape({_KTY: 3, _ALG: algorithm}, {_RSA_N: _RSA_BYTES, _RSA_E: _RSA_EXPONENT_BYTES})


_SHAPES = {
    -7: _ec2(-7, curve=1, size=32),
    -36: _ec2(-36, curve=3, size=66),
    -257: _rsa(-257),
    -258: _rsa(-258),
    -259: _rsa(-259),
    -8: _Shape({_KTY: 1, _ALG: -8, _CRV: 6}, {_OKP_X: range(32, 33)}),
}
ALGORITHMS = [COSEAlgorithmIdentifier(number) for number in _SHAPES]
"""What is offered, the most wanted first: every algorithm that the library verifies rightly.

ES384 it does not know, and of an RSA-PSS signature it expects another length of salt than RFC 8230
sets.
"""


def check_key(encoded: bytes) -> None:
    """See that a COSE key has an algorithm we offer, and exactly the parameters that belong to it.

    Raises:
        KeyRefused: It has not, or it is no key: a point off its curve, a modulus too short.
    """
    try:
        key = parse_cbor(encoded)
    except WebAuthnException as error:
        raise KeyRefused from error
    if type(key) is not dict or not all(type(name) is int for name in key):
        raise KeyRefused
    algorithm = key.get(_ALG)
    shape = _SHAPES.get(algorithm) if type(algorithm) is int else None
    if shape is None or not _fits(key, shape):
        raise KeyRefused
    try:
        public_key = decoded_public_key_to_cryptography(decode_credential_public_key(encoded))
    except (WebAuthnException, ValueError) as error:
        raise KeyRefused from error
    if isinstance(public_key, RSAPublicKey) and public_key.key_size not in RSA_BITS:
        raise KeyRefused


def _fits(key: dict[int, object], shape: _Shape) -> bool:
    if key.keys() != shape.fixed.keys() | shape.lengths.keys():
        return False
    if any(type(key[name]) is not int or key[name] != value for name, value in shape.fixed.items()):
        return False
    return all(_has_length(key[name], lengths) for name, lengths in shape.lengths.items())


def _has_length(value: object, lengths: range) -> bool:
    return isinstance(value, bytes) and len(value) in lengths
