"""Reads ID tokens (OpenID Connect Core §2, §3.1.3.7), strictly: SEC-076, SEC-077.

The bytes that are read are the bytes that were verified: a token is taken apart once, here, and no
library parses it a second time.
"""

import hashlib
import hmac
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import msgspec

from app import base64url, strictjson
from app.clock import Clock
from app.federation.answers import Claims
from app.federation.errors import UserDataUnusable
from app.federation.jwks import FITTING, KeySet, VerifyingKey
from app.strictjson import Json

LEEWAY = 60.0
"""Seconds by which a provider's clock may differ."""

MAX_TOKEN = 16 * 1024
_TENANT = "{tenantid}"
_TYPES = ("jwt", "application/jwt")
_NOT_UNDERSTOOD = {"crit", "b64", "zip"}
_HASHES = {"256": hashlib.sha256, "384": hashlib.sha384, "512": hashlib.sha512}
IssuerOf = Callable[[Claims], str]


@dataclass(frozen=True, slots=True)
class Expected:
    """What a token has to say.

    Attributes:
        issuer: Gives the only good issuer for a token's claims, or raises UserDataUnusable.
        audiences: The client ids it may be for.
        nonces: What its nonce may be.
        access_token: The access token that came with it, whose hash it may carry.
    """

    issuer: IssuerOf
    audiences: Collection[str]
    nonces: Collection[str] = field(repr=False)
    access_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class IdTokens:
    """Reads the ID tokens of one provider.

    Args:
        keys: The provider's keys.
        clock: Tells the time.
        algorithms: What it may sign with; none but asymmetric ones.
    """

    keys: KeySet
    clock: Clock
    algorithms: Collection[str] = tuple(FITTING)

    async def read(self, token: str, jwks_uri: str, expected: Expected) -> Claims:
        """Give the claims of a token that is good in every respect.

        Raises:
            UserDataUnusable: It is not.
            ProviderUnreachable: The keys cannot be had.
        """
        header, claims, signature = _parts(token)
        key = await self._key(header, jwks_uri)
        if not key.verifies(token.rpartition(".")[0].encode(), signature):
            raise UserDataUnusable
        issuer = expected.issuer(claims)
        if claims.get("iss") != issuer or not _is_of(key, issuer, claims):
            raise UserDataUnusable
        if not isinstance(claims.get("sub"), str):
            raise UserDataUnusable
        _check_audience(claims, expected.audiences)
        _check_times(claims, self.clock().timestamp())
        _check_nonce(claims, expected.nonces)
        _check_access_token(claims, key.algorithm, expected.access_token)
        return claims

    async def _key(self, header: Claims, jwks_uri: str) -> VerifyingKey:
        algorithm, kid = header.get("alg"), header.get("kid")
        if not isinstance(algorithm, str) or algorithm not in self.algorithms:
            raise UserDataUnusable
        if kid is not None and not isinstance(kid, str):
            raise UserDataUnusable
        key = await self.keys.find(jwks_uri, kid, algorithm)
        if key is None:
            raise UserDataUnusable
        return key


def _parts(token: str) -> tuple[Claims, Claims, bytes]:
    """Take a token apart: header, claims, signature."""
    segments = token.split(".") if len(token) <= MAX_TOKEN else []
    if len(segments) != 3:  # noqa: PLR2004  # RFC 7515 §3.1
        raise UserDataUnusable
    try:
        raw = [base64url.decode(segment) for segment in segments]
        header, claims = strictjson.parse(raw[0]), strictjson.parse(raw[1])
    except ValueError:  # NotJson is one
        raise UserDataUnusable from None
    if not isinstance(header, dict) or not isinstance(claims, dict):
        raise UserDataUnusable
    kind = header.get("typ", "JWT")
    if not isinstance(kind, str) or kind.lower() not in _TYPES or header.keys() & _NOT_UNDERSTOOD:
        raise UserDataUnusable
    return header, claims, raw[2]


def _is_of(key: VerifyingKey, issuer: str, claims: Claims) -> bool:
    """Say whether a key may sign for an issuer, where the set ties keys to tenants (SEC-078)."""
    tenant = claims.get("tid")
    bound = key.issuer.replace(_TENANT, tenant) if isinstance(tenant, str) else key.issuer
    return not bound or bound == issuer


def _check_audience(claims: Claims, audiences: Collection[str]) -> None:
    """Check `aud`, and `azp` wherever it stands and has to."""
    audience = claims.get("aud")
    named = [audience] if isinstance(audience, str) else audience
    if not isinstance(named, list) or not any(one in audiences for one in named):
        raise UserDataUnusable
    names_party = "azp" in claims or len(named) > 1
    if names_party and claims.get("azp") not in audiences:
        raise UserDataUnusable


def _check_times(claims: Claims, now: float) -> None:
    expires, issued = _number(claims.get("exp")), _number(claims.get("iat"))
    begins = _number(claims["nbf"]) if "nbf" in claims else issued
    if expires is None or issued is None or begins is None:
        raise UserDataUnusable
    if expires <= now - LEEWAY or max(issued, begins) > now + LEEWAY or issued > expires:
        raise UserDataUnusable


def _check_nonce(claims: Claims, nonces: Collection[str]) -> None:
    """Check the nonce, whatever the token says of whether its issuer supports them."""
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not any(one and _same(nonce, one) for one in nonces):
        raise UserDataUnusable


def _check_access_token(claims: Claims, algorithm: str, access_token: str | None) -> None:
    """Check `at_hash` where it stands (OpenID Connect Core §3.1.3.8)."""
    if "at_hash" not in claims:
        return
    given = claims["at_hash"]
    if not isinstance(given, str):
        raise UserDataUnusable
    if access_token is not None and not _same(given, half_hash(access_token, algorithm)):
        raise UserDataUnusable


def half_hash(text: str, algorithm: str) -> str:
    """Give the left half of a hash, as `at_hash` is written; EdDSA hashes with SHA-512."""
    digest = _HASHES.get(algorithm[-3:], hashlib.sha512)(text.encode()).digest()
    return base64url.encode(digest[: len(digest) // 2])


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(errors="replace"), other.encode())


def _number(value: Json) -> float | None:
    if isinstance(value, msgspec.Raw):
        return float(bytes(value))
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return float(value) if is_number else None
