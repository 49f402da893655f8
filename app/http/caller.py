"""Who is asking: the credentials a request bears, turned into an actor."""

import asyncio
from dataclasses import dataclass

from app.access import Actor, SessionFault, SessionPrincipal
from app.errors import Unavailable
from app.http.asked import Asked
from app.http.cookies import SessionCookie
from app.secretkeys import SecretKeys
from app.sessions import Sessions, SignedIn

PATIENCE = 3.5
"""Seconds it may take to learn who is asking; a database that keeps silent lets nobody in."""

_SECRET_KEY = "sk_"  # noqa: S105  # how one begins


@dataclass(frozen=True, slots=True)
class Caller:
    """The actor, the session's row, which was read with its user already, and how it came."""

    actor: Actor
    signed_in: SignedIn | None = None
    by_cookie: bool = False


@dataclass(frozen=True, slots=True)
class Callers:
    """Reads credentials where they may stand: one Authorization header, one cookie (SEC-013)."""

    sessions: Sessions
    secret_keys: SecretKeys
    cookie: SessionCookie

    async def of(self, asked: Asked, *, touch: bool = True, with_subject: bool = False) -> Caller:
        """Tell who is asking. The bearer token comes before the cookie; the first good one wins.

        Raises:
            Unavailable: That cannot be known now, or not soon enough (SEC-130).
        """
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._of(asked, touch=touch, with_subject=with_subject)
        except TimeoutError:
            raise Unavailable from None

    async def _of(self, asked: Asked, *, touch: bool, with_subject: bool) -> Caller:
        origin, bearer = asked.origin, bearer_of(asked)
        key, refused = None, False
        if bearer is not None and bearer.startswith(_SECRET_KEY):
            key, bearer = await self.secret_keys.authenticate(bearer, origin), None
            refused = key is None
        fault: SessionFault | None = None
        for token in (bearer, self.token_in_cookie(asked)):
            if not token:
                continue
            found = await self.sessions.authenticate(token, touch=touch, with_subject=with_subject)
            if isinstance(found, SignedIn):
                principal = SessionPrincipal(found.session.id, found.session.user_id)
                actor = asked.actor = Actor(principal, key, None, origin, refused)
                return Caller(actor, found, by_cookie=token is not bearer)
            fault = fault or found
        actor = asked.actor = Actor(None, key, fault, origin, refused)
        return Caller(actor)

    def token_in_cookie(self, asked: Asked, name: str | None = None) -> str | None:
        """Find the session token among the request's cookies, or the one of another name."""
        cookie = asked.headers.get(b"cookie")
        return self.cookie.read(cookie.decode("latin-1"), name) if cookie else None


def bearer_of(asked: Asked) -> str | None:
    """Give the bearer token of the Authorization header (RFC 6750 §2.1)."""
    value = asked.headers.get(b"authorization")
    if value is None:
        return None
    scheme, _, token = value.decode("latin-1").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None
