"""Encrypted assertions (XML Encryption 1.1): AES-GCM under a key that RSA-OAEP has wrapped.

Whatever goes wrong is refused in the same way and at the same step: a key that does not unwrap is
replaced by a random one, whose tag then does not fit (SEC-088).
"""

import base64
import binascii
import os
from collections.abc import Iterator, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.federation.saml.errors import ResponseUnreadable, ResponseUnsigned
from app.federation.saml.parsing import DS, XENC, XENC11, Element, children, only, parse, text_of

CIPHERS = {f"{XENC11}aes{bits}-gcm": bits // 8 for bits in (128, 192, 256)}
"""The ciphers that are taken, with the length of their keys."""

OAEP_MGF1P = f"{XENC}rsa-oaep-mgf1p"
OAEP = f"{XENC11}rsa-oaep"
_DIGESTS: dict[str, type[hashes.HashAlgorithm]] = {
    f"{DS}sha1": hashes.SHA1,  # as a mask alone: no collision helps (RFC 8017 §7.1)
    f"{XENC}sha256": hashes.SHA256,
    "http://www.w3.org/2001/04/xmldsig-more#sha384": hashes.SHA384,
    f"{XENC}sha512": hashes.SHA512,
}
_MASKS: dict[str, type[hashes.HashAlgorithm]] = {
    f"{XENC11}mgf1sha1": hashes.SHA1,
    f"{XENC11}mgf1sha256": hashes.SHA256,
    f"{XENC11}mgf1sha384": hashes.SHA384,
    f"{XENC11}mgf1sha512": hashes.SHA512,
}
_NONCE, _TAG = 12, 16
_MOST_KEYS = 4


def decrypted(encrypted: Element, keys: Sequence[rsa.RSAPrivateKey]) -> Element:
    """Decrypt an `EncryptedAssertion` and give the root of what was in it.

    Raises:
        ResponseUnsigned: It cannot be decrypted, for whatever reason.
    """
    try:
        data = only(encrypted, XENC, "EncryptedData")
        length = CIPHERS[only(data, XENC, "EncryptionMethod").get("Algorithm")]
        sealed = _value(data)
        opened = _opened(sealed, list(_unwrapped(encrypted, data, keys, length)))
        if opened is None:
            raise ResponseUnsigned
        return parse(opened)
    except (ResponseUnreadable, KeyError):
        raise ResponseUnsigned from None


def _opened(sealed: bytes, keys: list[bytes]) -> bytes | None:
    if len(sealed) < _NONCE + _TAG:
        return None
    opened = None
    for key in keys:
        try:
            opened = AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], None)
        except InvalidTag:
            continue
    return opened


def _unwrapped(
    encrypted: Element, data: Element, keys: Sequence[rsa.RSAPrivateKey], length: int
) -> Iterator[bytes]:
    """Give a key of the right length for each that was wrapped and each that might unwrap it."""
    infos = children(data, DS, "KeyInfo")
    inside = [key for info in infos for key in children(info, XENC, "EncryptedKey")]
    wrapped = [*inside, *children(encrypted, XENC, "EncryptedKey")]
    if not wrapped or len(wrapped) > _MOST_KEYS:
        raise ResponseUnreadable
    for one in wrapped:
        oaep, value = _padding(only(one, XENC, "EncryptionMethod")), _value(one)
        for key in keys:
            yield _unwrap(key, value, oaep, length)


def _unwrap(key: rsa.RSAPrivateKey, value: bytes, oaep: padding.OAEP, length: int) -> bytes:
    try:
        found = key.decrypt(value, oaep)
    except ValueError:
        found = b""
    return found if len(found) == length else os.urandom(length)


def _padding(method: Element) -> padding.OAEP:
    """Read how a key was wrapped; PKCS #1 v1.5 is none of the ways (Bleichenbacher)."""
    algorithm = method.get("Algorithm")
    if algorithm not in (OAEP, OAEP_MGF1P) or children(method, XENC, "OAEPparams"):
        raise ResponseUnreadable
    digests = [_DIGESTS[one.get("Algorithm")] for one in children(method, DS, "DigestMethod")]
    masks = [_MASKS[one.get("Algorithm")] for one in children(method, XENC11, "MGF")]
    if len(digests) > 1 or len(masks) > 1 or (masks and algorithm == OAEP_MGF1P):
        raise ResponseUnreadable
    digest = digests[0] if digests else hashes.SHA1
    mask = masks[0] if masks else hashes.SHA1
    return padding.OAEP(mgf=padding.MGF1(mask()), algorithm=digest(), label=None)


def _value(parent: Element) -> bytes:
    data = only(only(parent, XENC, "CipherData"), XENC, "CipherValue")
    try:
        return base64.b64decode("".join(text_of(data).split()), validate=True)
    except (binascii.Error, ValueError):
        raise ResponseUnreadable from None
