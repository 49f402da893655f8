"""Time-based one-time passwords (RFC 6238) as authenticator apps make them. Pure."""

import base64
import hmac
import re
import secrets
import struct
from datetime import datetime
from urllib.parse import quote

PERIOD = 30
DIGITS = 6
_SECRET = 20  # bytes: 160 bits, as RFC 4226 §4 asks for
_WINDOW = (0, 1, -1)
_LABEL = 360
_CODE = re.compile(rf"[0-9]{{{DIGITS}}}", re.ASCII)


def new_secret() -> str:
    """Draw a secret, as base32 without padding (SEC-055)."""
    return base64.b32encode(secrets.token_bytes(_SECRET)).decode()


def is_code(text: str) -> bool:
    """Say whether a text has the shape of a code."""
    return _CODE.fullmatch(text) is not None


def code_at(secret: str, step: int) -> str:
    """Give the code of a time step (RFC 4226 §5.3)."""
    mac = hmac.digest(base64.b32decode(secret), struct.pack(">Q", step), "sha1")
    offset = mac[-1] & 0xF
    number = int.from_bytes(mac[offset : offset + 4]) & 0x7FFF_FFFF
    return str(number % 10**DIGITS).zfill(DIGITS)


def step_at(now: datetime) -> int:
    """Give the time step of an instant."""
    return int(now.timestamp()) // PERIOD


def matching_step(secret: str, code: str, now: datetime) -> int | None:
    """Find the step, within one of now, that a code is of (SEC-056)."""
    steps = [step_at(now) + distance for distance in _WINDOW]
    found = [hmac.compare_digest(code_at(secret, step), code) for step in steps]
    return next((step for step, is_it in zip(steps, found, strict=True) if is_it), None)


def uri(secret: str, issuer: str, account: str) -> str:
    """Write what an authenticator app reads from a QR code."""
    issued_by, label = _label(issuer), _label(account)
    settings = f"algorithm=SHA1&digits={DIGITS}&period={PERIOD}"
    return f"otpauth://totp/{issued_by}:{label}?secret={secret}&issuer={issued_by}&{settings}"


def _label(text: str) -> str:
    """Write a name for the URI: no colon, which parts names there, and short enough for a QR."""
    shown = text.replace(":", " ").encode(errors="replace").decode()
    while len(quote(shown, safe="@")) > _LABEL:
        shown = shown[:-1]
    return quote(shown, safe="@")
