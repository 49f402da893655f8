"""On whose behalf a request runs."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from app.errors import ScopeMissing, Unauthenticated

SCOPES = (
    "users:read",
    "users:write",
    "users.private:read",
    "users.metadata:write",
    "sessions:read",
    "sessions:write",
    "keys:read",
    "keys:write",
    "jwt:read",
    "jwt:write",
    "webhooks:read",
    "webhooks:write",
    "audit:read",
)
"""Everything a secret key can be allowed; `*` stands for all, those to come included."""

ALL_SCOPES = "*"

SessionFault = Literal["expired", "revoked", "invalid"]


def covers(scopes: frozenset[str], wanted: tuple[str, ...]) -> bool:
    """Say whether *scopes* allow everything in *wanted*."""
    return ALL_SCOPES in scopes or scopes.issuperset(wanted)


@dataclass(frozen=True, slots=True)
class SecretKeyPrincipal:
    """A backend that has shown a valid secret key; `expires_at` is when that ends by itself."""

    id: UUID
    scopes: frozenset[str]
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SessionPrincipal:
    """A person who has shown a valid session token."""

    id: UUID
    user_id: UUID


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request came from, as far as we believe it (SEC-070).

    Attributes:
        request_id: Names the request in the log.
        address: The client's address.
        user_agent: What the client calls itself.
        language: The language that the client names for mails.
        browser_language: Those that its browser prefers, as Accept-Language lists them.
    """

    request_id: str = ""
    address: str = ""
    user_agent: str = ""
    language: str = ""
    browser_language: str = ""


@dataclass(frozen=True, slots=True)
class Actor:
    """The caller: a session, a secret key, both or neither.

    A request that bears both is judged by what the operation asks for (SEC-016): the one never
    stands in for the other.

    Attributes:
        flow_id: The flow in which they act, if it is one; records say it.
    """

    session: SessionPrincipal | None = None
    secret_key: SecretKeyPrincipal | None = None
    session_fault: SessionFault | None = None
    origin: Origin = Origin()
    secret_key_refused: bool = False
    flow_id: UUID | None = None

    def require_user(self) -> UUID:
        """Give the signed-in user's id.

        Raises:
            Unauthenticated: The request carries no valid session.
        """
        if self.session is None:
            raise Unauthenticated
        return self.session.user_id

    def require_session(self) -> UUID:
        """Give the id of the session that the request bears.

        Raises:
            Unauthenticated: It bears none that is valid.
        """
        if self.session is None:
            raise Unauthenticated
        return self.session.id

    def require_scopes(self, *wanted: str) -> SecretKeyPrincipal:
        """Give the secret key, if it carries all of *wanted*.

        Raises:
            Unauthenticated: The request is anonymous, or bears a secret key that is none.
            ScopeMissing: It carries a session only, or a key that lacks a scope.
        """
        if self.secret_key is not None and covers(self.secret_key.scopes, wanted):
            return self.secret_key
        if self.secret_key is None and self.session is None:
            bad = "The secret key is not valid." if self.secret_key_refused else None
            raise Unauthenticated(bad or "This needs a secret key.")
        raise ScopeMissing(wanted)


SYSTEM = Actor()
"""The product itself: start-up and the command line, whose operator is trusted."""
