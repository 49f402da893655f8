"""The one form in which a password is hashed. Pure.

A password is taken as it is received: nothing is trimmed, cut off or folded. The one thing done to
it is what RFC 8265 §4.2 does to an OpaqueString, so that one password typed on two keyboards stays
one: spaces of every kind become U+0020, and the text becomes NFC (SEC-035).
"""

import re
import unicodedata

MAX_BYTES = 1024
"""Bytes of a password as it is received; a longer one is refused before it is hashed."""

_SPACE = re.compile(r"[\xa0\u1680\u2000-\u200a\u202f\u205f\u3000]")  # category Zs, without U+0020


def received(password: str) -> bytes | None:
    """Give the bytes of a password as it came, or None where it is no text of a bearable length."""
    if len(password) > MAX_BYTES:
        return None
    try:
        data = password.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return None
    return data if len(data) <= MAX_BYTES else None


def normalised(password: str) -> str:
    """Give a password in the form that is hashed."""
    return unicodedata.normalize("NFC", _SPACE.sub(" ", password))
