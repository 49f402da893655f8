"""Secrets of hooks, and the headers of Standard Webhooks that they sign. Pure.

https://www.standardwebhooks.com: HMAC-SHA-256 over `<id>.<timestamp>.<body>`, in base64.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime

_MARK = "whsec_"
_LENGTH = 32


def generate() -> str:
    """Make a secret: `whsec_` and 256 random bits in base64."""
    return _MARK + base64.b64encode(secrets.token_bytes(_LENGTH)).decode()


def headers(
    message_id: str, sent_at: datetime, body: bytes, secrets_: Sequence[str]
) -> dict[str, str]:
    """Give the headers of one attempt.

    Args:
        message_id: The same in every attempt to tell the same event.
        sent_at: When the attempt is made.
        body: What is sent.
        secrets_: The secrets that sign, of which a receiver needs to know one; with none there is
            no signature.
    """
    timestamp = str(int(sent_at.timestamp()))
    named = {"webhook-id": message_id, "webhook-timestamp": timestamp}
    signed = b".".join((message_id.encode(), timestamp.encode(), body))
    signatures = " ".join(f"v1,{_signature(one, signed)}" for one in secrets_)
    return {**named, "webhook-signature": signatures} if signatures else named


def _signature(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(_MARK))
    return base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
