"""The text of a passcode. Pure.

Six characters, as the pages that ask for one have six boxes. Six digits are 10^6 codes, 19.9 bits,
and are what SEC-039 and SEC-042 reckon with when they say 20 bits; letters and digits are 57^6,
35.0 bits. Every code of the space is as likely as any other, 999999 too.
"""

import secrets
from typing import Literal

LENGTH = 6
ALPHABETS = {
    "numeric": "0123456789",
    "alphanumeric": "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz",
}
Charset = Literal["numeric", "alphanumeric"]


def draw(charset: Charset) -> str:
    """Draw a code."""
    return "".join(secrets.choice(ALPHABETS[charset]) for _ in range(LENGTH))
