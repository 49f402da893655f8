"""Refresh tokens: what they look like, and whether one is ours. Pure.

A refresh token names a session and how often that session has been refreshed, under a MAC whose key
comes from the encryption secret. Nothing of it is stored but the count, so the database signs
nobody in (SEC-119), and a token that has been used is still known for what it is: its count is
behind.
"""

import hmac
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app import base64url
from app.errors import Unauthenticated

PREFIX = "rt_"
_BODY = struct.Struct(">16sQ")
_MAC_SIZE = 32


class RefreshTokenInvalid(Unauthenticated):
    """A refresh token that is none of ours, was used before, or whose session has ended."""

    code = "refresh_token_invalid"
    message = "The refresh token is not valid."


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """What a refresh token says."""

    session_id: UUID
    count: int


class RefreshTokens:
    """Writes and reads refresh tokens; the first secret writes, every one of them reads."""

    def __init__(self, secrets: Sequence[str]) -> None:
        self._keys = [
            HKDF(SHA256(), 32, salt=None, info=b"sekisho refresh tokens").derive(secret.encode())
            for secret in secrets
        ]

    def write(self, token: RefreshToken) -> str:
        """Write a token: `rt_` and 75 characters of base64url."""
        body = _BODY.pack(token.session_id.bytes, token.count)
        return PREFIX + base64url.encode(body + _mac(self._keys[0], body))

    def read(self, text: str) -> RefreshToken:
        """Read a token; whether its session lives is not judged here.

        Raises:
            RefreshTokenInvalid: It is not one of ours, to the letter.
        """
        raw = _raw(text)
        body, mac = raw[: _BODY.size], raw[_BODY.size :]
        if not any(hmac.compare_digest(_mac(key, body), mac) for key in self._keys):
            raise RefreshTokenInvalid
        session_id, count = _BODY.unpack(body)
        return RefreshToken(UUID(bytes=session_id), count)


def _mac(key: bytes, body: bytes) -> bytes:
    return hmac.digest(key, body, "sha256")


def _raw(text: str) -> bytes:
    size = _BODY.size + _MAC_SIZE
    encoded = text.removeprefix(PREFIX)
    if encoded == text or len(encoded) != (size * 4 + 2) // 3:
        raise RefreshTokenInvalid
    try:
        return base64url.decode(encoded)
    except ValueError:
        raise RefreshTokenInvalid from None
