"""Keyed hashes: what is stored or counted of a text that could be guessed from a plain hash. Pure.

HMAC-SHA-256 under a key that HKDF derives from an encryption secret, one key for each purpose, so
that a digest made for one is worth nothing to another (SEC-023). A copy of the database without the
secret tells nothing of a code of six digits, or of an address.
"""

import hmac
from collections.abc import Sequence

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_LENGTH = 4


class KeyedHash:
    """Hashes for one purpose; the first secret writes, every one of them recognises."""

    def __init__(self, secrets: Sequence[str], purpose: str) -> None:
        info = f"sekisho {purpose}".encode()
        self._keys = [
            HKDF(SHA256(), 32, salt=None, info=info).derive(secret.encode()) for secret in secrets
        ]

    def digest(self, *parts: str) -> str:
        """Give the digest of some texts in their order, as 64 hexadecimal digits."""
        return _digest(self._keys[0], parts)

    def recognises(self, digest: str, *parts: str) -> bool:
        """Say whether *digest* is that of *parts*, in constant time."""
        found = [hmac.compare_digest(_digest(key, parts), digest) for key in self._keys]
        return any(found)


def _digest(key: bytes, parts: Sequence[str]) -> str:
    """Write each part behind its length, so that no two lists of parts run into one."""
    body = bytearray()
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass")
        body += len(raw).to_bytes(_LENGTH) + raw
    return hmac.digest(key, body, "sha256").hex()
