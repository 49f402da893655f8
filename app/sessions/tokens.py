"""Session tokens: signed when a session begins, read on every request.

Reading keeps, for tokens seen before, that their signature was good and what they claim; nothing
else. Times are checked again on every use, and whether the session still exists is for the database
to say (SEC-024).
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from app.clock import Clock
from app.errors import Unauthenticated
from app.ids import parse_id
from app.keys import SigningKeys, TokenInvalid
from app.strictjson import Json

LEEWAY = 60.0
"""Seconds by which another replica's clock may run ahead (SEC-028)."""

_REMEMBERED = 8192


class TokenExpired(Unauthenticated):
    """The token's time is over."""

    code = "token_expired"
    message = "The session has expired."


@dataclass(frozen=True, slots=True)
class Verified:
    """What a token with a good signature says."""

    session_id: UUID
    user_id: UUID
    not_before: float
    expires_at: float
    claims: dict[str, Any]


@dataclass(slots=True)
class _Seen:
    """Tokens whose signature was good, and the generation of keys under which it was."""

    generation: int = -1
    tokens: dict[str, Verified] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SessionTokens:
    """Mints and reads session tokens (RFC 7519)."""

    keys: SigningKeys
    issuer: str
    audience: tuple[str, ...]
    clock: Clock
    _seen: _Seen = field(default_factory=_Seen)

    def times(self, issued_at: datetime, expires_at: datetime) -> dict[str, Any]:
        """Give the claims of every token: when, until when, for whom, by whom."""
        claims: dict[str, Any] = {
            "iat": int(issued_at.timestamp()),
            "exp": int(expires_at.timestamp()),
            "aud": list(self.audience),
        }
        return {**claims, "iss": self.issuer} if self.issuer else claims

    async def mint(self, claims: dict[str, Any]) -> str:
        """Sign a token that carries *claims*, which are all it carries."""
        await self.keys.refresh()
        return await self.keys.sign(claims)

    async def read(self, token: str) -> Verified:
        """Give what a token says.

        Raises:
            TokenInvalid: It is not a session token of this deployment.
            TokenExpired: It was one.
        """
        await self.keys.refresh()
        seen = self._seen
        if seen.generation != self.keys.generation:
            seen.tokens.clear()
            seen.generation = self.keys.generation
        verified = seen.tokens.get(token)
        if verified is None:
            verified = self._verify(token)
            if len(seen.tokens) >= _REMEMBERED:
                del seen.tokens[next(iter(seen.tokens))]
            seen.tokens[token] = verified
        now = self.clock().timestamp()
        if verified.expires_at <= now:
            raise TokenExpired
        if verified.not_before > now + LEEWAY:
            raise TokenInvalid
        return verified

    def _verify(self, token: str) -> Verified:
        claims = self.keys.verify(token)
        self._check_audience(claims)
        expires, issued = _time(claims, "exp"), _time(claims, "iat")
        begins = _time(claims, "nbf") if "nbf" in claims else issued
        return Verified(
            session_id=_id(claims, "session_id"),
            user_id=_id(claims, "sub"),
            not_before=max(issued, begins),
            expires_at=expires,
            claims=claims,
        )

    def _check_audience(self, claims: dict[str, Json]) -> None:
        """Compare `aud` and `iss` as whole strings with this deployment's own (SEC-022)."""
        audience = claims.get("aud")
        if not isinstance(audience, list) or not all(isinstance(one, str) for one in audience):
            raise TokenInvalid
        if not set(self.audience) & set(audience):
            raise TokenInvalid
        if self.issuer and claims.get("iss") != self.issuer:
            raise TokenInvalid


def _time(claims: dict[str, Json], name: str) -> float:
    value = claims.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise TokenInvalid
    return float(value)


def _id(claims: dict[str, Json], name: str) -> UUID:
    value = claims.get(name)
    found = parse_id(value) if isinstance(value, str) else None
    if found is None:
        raise TokenInvalid
    return found
