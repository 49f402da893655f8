"""Seals secrets that must be stored (SEC-119).

AES-256-GCM under a key derived from a configured secret by HKDF-SHA-256, with a random nonce of 96
bits. The place a value belongs to (table and row) is its associated data, so a sealed value moved
elsewhere does not open. The first secret seals; every one of them opens.
"""

import base64
import hashlib
import os
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.keys.errors import KeysUnreadable

_VERSION = "v1"
_NONCE = 12


class Sealer:
    """Seals and opens texts."""

    def __init__(self, secrets: Sequence[str]) -> None:
        self._keys = {}
        for secret in secrets:
            key = HKDF(SHA256(), 32, salt=None, info=b"sekisho sealing").derive(secret.encode())
            self._keys[hashlib.sha256(b"id" + key).hexdigest()[:12]] = AESGCM(key)
        self._first = next(iter(self._keys))

    def seal(self, text: str, place: str) -> str:
        """Seal *text* for *place*, as `v1.<key id>.<base64url of nonce and ciphertext>`."""
        nonce = os.urandom(_NONCE)
        sealed = self._keys[self._first].encrypt(nonce, text.encode(), place.encode())
        return f"{_VERSION}.{self._first}.{base64.urlsafe_b64encode(nonce + sealed).decode()}"

    def is_current(self, sealed: str) -> bool:
        """Say whether the first secret has sealed this, by the key id it bears."""
        return sealed.startswith(f"{_VERSION}.{self._first}.")

    def open(self, sealed: str, place: str) -> str:
        """Open what was sealed for *place*.

        Raises:
            KeysUnreadable: The secret that sealed it is not configured, or it was altered or moved.
        """
        version, _, rest = sealed.partition(".")
        key_id, _, text = rest.partition(".")
        if version != _VERSION or key_id not in self._keys:
            raise KeysUnreadable
        try:
            raw = base64.urlsafe_b64decode(text)
            opened = self._keys[key_id].decrypt(raw[:_NONCE], raw[_NONCE:], place.encode())
        except (ValueError, InvalidTag) as error:
            raise KeysUnreadable from error
        return opened.decode()
