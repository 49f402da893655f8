"""Base64url without padding (RFC 4648 §5, RFC 7515 §2), in its one spelling."""

import base64
import binascii


def encode(raw: bytes) -> str:
    """Write bytes."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """Read what `encode` has written, and nothing else: no value has two spellings (SEC-021).

    Raises:
        ValueError: It is none.
    """
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        raw = base64.b64decode(padded, altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise ValueError("no base64url") from None
    if encode(raw) != text:
        raise ValueError("no canonical base64url")
    return raw
