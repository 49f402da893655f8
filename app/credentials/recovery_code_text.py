"""The text of a recovery code: 80 random bits, as people copy and type them. Pure.

The alphabet is Crockford's base32. It has neither I, L, O nor U, and reads the first three as the
digits they look like, so a code survives handwriting.
"""

import hashlib
import re
import secrets
from uuid import UUID

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LENGTH, _GROUP = 16, 4
_LONGEST = 64
_SHAPE = re.compile(rf"[{_ALPHABET}]{{{_LENGTH}}}")
_BLANKS = re.compile(
    r"[\s\-\u2010-\u2015\u2212]"
)  # and whatever a word processor makes of a hyphen
_LOOKALIKES = str.maketrans("ILO", "110")


def draw() -> str:
    """Draw a code, as `XXXX-XXXX-XXXX-XXXX`."""
    code = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
    return "-".join(code[at : at + _GROUP] for at in range(0, _LENGTH, _GROUP))


def read(text: str) -> str | None:
    """Read a code whatever its case, blanks and hyphens, or say that it is none."""
    if len(text) > _LONGEST:
        return None
    typed = _BLANKS.sub("", text)
    code = typed.upper().translate(_LOOKALIKES)
    return code if typed.isascii() and _SHAPE.fullmatch(code) else None


def digest(user_id: UUID, code: str) -> str:
    """Give the SHA-256 under which a code is stored; 80 random bits need no delay.

    The user's id stands in for a salt. It is no keyed hash, since codes lie in a drawer for years
    and must outlive the encryption secret.
    """
    return hashlib.sha256(b"recovery code" + user_id.bytes + code.encode()).hexdigest()
