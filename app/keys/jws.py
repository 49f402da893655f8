"""Compact JWS: put together, and taken apart strictly before any library sees it.

SEC-020, SEC-021.
"""

import base64
import binascii

from app import strictjson
from app.keys.errors import TokenInvalid
from app.keys.pairs import Signer

MAX_TOKEN = 8 * 1024
_HEADER = frozenset({"alg", "kid", "typ"})


async def signed(signer: Signer, payload: bytes, typ: str) -> str:
    """Write a token over *payload* (RFC 7515 §7.1)."""
    header = {"alg": signer.algorithm, "kid": signer.kid, "typ": typ}
    signing_input = b".".join(_encoded(part) for part in (strictjson.encode_bytes(header), payload))
    signature = await signer.sign(signing_input)
    return f"{signing_input.decode()}.{_encoded(signature).decode()}"


def header_of(token: str) -> dict[str, str]:
    """Give the header of a token that is well formed in every respect but its signature.

    A header holds `alg`, `kid` and `typ` and nothing else: what could bring a key along, compress
    or reinterpret the payload (`jwk`, `jku`, `x5u`, `x5c`, `crit`, `b64`, `zip`) is refused.

    Raises:
        TokenInvalid: It is too long, has not three segments, or a segment that is not canonical
            base64url (RFC 7515 §2).
    """
    if len(token) > MAX_TOKEN:
        raise TokenInvalid
    segments = token.split(".")
    if len(segments) != 3 or not all(segments):  # noqa: PLR2004  # RFC 7515 §3.1
        raise TokenInvalid
    raw = [_decoded(segment) for segment in segments]
    try:
        header = strictjson.parse(raw[0])
    except strictjson.NotJson:
        raise TokenInvalid from None
    if not isinstance(header, dict) or header.keys() != _HEADER:
        raise TokenInvalid
    if not all(isinstance(value, str) for value in header.values()):
        raise TokenInvalid
    return header


def _decoded(segment: str) -> bytes:
    try:
        padded = segment.encode("ascii") + b"=" * (-len(segment) % 4)
        raw = base64.b64decode(padded, altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise TokenInvalid from None
    if _encoded(raw) != segment.encode("ascii"):
        raise TokenInvalid
    return raw


def _encoded(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")
