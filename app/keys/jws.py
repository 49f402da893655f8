"""Compact JWS: put together, and taken apart strictly before any library sees it.

SEC-020, SEC-021.
"""

from app import base64url, strictjson
from app.keys.errors import TokenInvalid
from app.keys.pairs import Signer

MAX_TOKEN = 8 * 1024
_HEADER = frozenset({"alg", "kid", "typ"})


async def signed(signer: Signer, payload: bytes, typ: str) -> str:
    """Write a token over *payload* (RFC 7515 §7.1)."""
    header = {"alg": signer.algorithm, "kid": signer.kid, "typ": typ}
    parts = (strictjson.encode_bytes(header), payload)
    signing_input = ".".join(map(base64url.encode, parts))
    signature = await signer.sign(signing_input.encode())
    return f"{signing_input}.{base64url.encode(signature)}"


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
    try:
        raw = [base64url.decode(segment) for segment in segments]
        header = strictjson.parse(raw[0])
    except ValueError:  # NotJson is one
        raise TokenInvalid from None
    if not isinstance(header, dict) or header.keys() != _HEADER:
        raise TokenInvalid
    if not all(isinstance(value, str) for value in header.values()):
        raise TokenInvalid
    return header
