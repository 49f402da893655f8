"""The text of a secret key: `sk_<prefix>_<secret><checksum>`. Pure.

The prefix finds the row and is no secret; the secret is 256 bits from the system's generator; the
checksum (CRC-32) lets a scanner or a typing mistake be told from a key without asking us.
"""

import hashlib
import re
import secrets
import zlib
from dataclasses import dataclass

MARK = "sk_"
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PREFIX, _SECRET, _CHECKSUM = 12, 43, 6  # 62**43 exceeds 2**256; 62**6 exceeds 2**32
_SHAPE = re.compile(rf"sk_([0-9A-Za-z]{{{_PREFIX}}})_[0-9A-Za-z]{{{_SECRET + _CHECKSUM}}}")


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret key in clear, to be shown once."""

    prefix: str
    text: str

    def __repr__(self) -> str:
        return f"Secret({self.prefix!r})"


def generate() -> Secret:
    """Make a new key."""
    prefix = "".join(secrets.choice(_ALPHABET) for _ in range(_PREFIX))
    body = f"{MARK}{prefix}_{_written(secrets.randbits(256), _SECRET)}"
    return Secret(prefix, body + _checksum(body))


def prefix_of(text: str) -> str | None:
    """Give the prefix of a well-formed key, or None where it is no key of ours."""
    found = _SHAPE.fullmatch(text)
    if found is None or _checksum(text[:-_CHECKSUM]) != text[-_CHECKSUM:]:
        return None
    return found[1]


def digest(text: str) -> str:
    """Give the SHA-256 under which a key is stored; 256 random bits need no salt and no delay."""
    return hashlib.sha256(text.encode()).hexdigest()


def _checksum(body: str) -> str:
    return _written(zlib.crc32(body.encode()), _CHECKSUM)


def _written(number: int, width: int) -> str:
    digits = ""
    for _ in range(width):
        number, digit = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits
