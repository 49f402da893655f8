"""What a session token claims: what the product says of the user, and what the application adds."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app import strictjson
from app.sessions.values import SignedIn
from app.templates import ClaimTemplates, Subject

_OF_THE_TOKEN = ("sub", "session_id", "iat", "exp", "aud", "iss", "amr")


@dataclass(frozen=True, slots=True)
class TokenClaims:
    """Puts claims together; those of the product win over the application's (SEC-010)."""

    limit: int
    """Bytes of JSON that a token has room for."""

    templates: ClaimTemplates

    async def of(self, user_id: UUID, claims: dict[str, Any]) -> dict[str, Any] | None:
        """Complete the claims of a token with what is true of the user now.

        Args:
            user_id: Whose token.
            claims: What the token says of itself and of its session.

        Returns:
            All the claims, or None where there is no such user any more.
        """
        subject = await self.templates.subject(user_id)
        return None if subject is None else self._complete(claims, subject, report=True)

    async def current(self, signed_in: SignedIn) -> dict[str, Any]:
        """Give what a token would claim if it were minted now, its times left as they are."""
        kept = {name: signed_in.claims[name] for name in _OF_THE_TOKEN if name in signed_in.claims}
        subject = signed_in.subject or await self.templates.subject(signed_in.account.id)
        return signed_in.claims if subject is None else self._complete(kept, subject, report=False)

    def _complete(
        self, claims: dict[str, Any], subject: Subject, *, report: bool
    ) -> dict[str, Any]:
        """Add claims about the user, the application's own as far as there is room (SEC-030)."""
        standard = {**claims, **_told_of(subject)}
        room = self.limit - len(strictjson.encode_bytes(standard))
        return {**self.templates.render(subject, room, report=report).claims, **standard}


def are_same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Say whether two sets of claims are the same JSON."""
    first, second = (strictjson.canonical(strictjson.encode(claims)) for claims in (one, other))
    return first == second


def _told_of(subject: Subject) -> dict[str, Any]:
    """Give the claims about the user that are the product's own."""
    claims: dict[str, Any] = {"metadata_version": subject.metadata_version}
    if subject.email is not None:
        claims["email"] = {
            "address": subject.email.address,
            "is_primary": True,
            "is_verified": subject.email.is_verified,
        }
    if subject.username is not None:
        claims["username"] = subject.username
    return claims
