"""Proof Key for Code Exchange (RFC 7636), S256 alone. Pure."""

import hashlib
import hmac
import re
import secrets

from app import base64url
from app.federation.errors import CodeChallengeInvalid

_BYTES = 32
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")


def new_secret() -> str:
    """Draw 256 random bits: a state, a nonce, a token, or a verifier."""
    return base64url.encode(secrets.token_bytes(_BYTES))


def challenge_of(verifier: str) -> str:
    """Give the S256 challenge of a verifier."""
    return base64url.encode(hashlib.sha256(verifier.encode()).digest())


def client_challenge(verifier: str = "", challenge: str = "") -> str:
    """Give the challenge that a client has asked for, by a verifier or by itself; empty for none.

    Raises:
        CodeChallengeInvalid: It is none of RFC 7636.
    """
    if verifier:
        if _VERIFIER.fullmatch(verifier) is None:
            raise CodeChallengeInvalid(path=("code_verifier",))
        return challenge_of(verifier)
    if challenge and _CHALLENGE.fullmatch(challenge) is None:
        raise CodeChallengeInvalid(path=("code_challenge",))
    return challenge


def fits(challenge: str, verifier: str) -> bool:
    """Say whether a verifier is that of a challenge, in constant time."""
    shown = verifier if _VERIFIER.fullmatch(verifier) else ""
    return hmac.compare_digest(challenge_of(shown), challenge)
