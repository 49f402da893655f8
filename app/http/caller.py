"""Who is asking: the credentials a request bears, turned into an actor."""

from dataclasses import dataclass

from app.access import Actor, SessionFault, SessionPrincipal
from app.http.asked import Asked
from app.http.cookies import SessionCookie
from app.secretkeys import SecretKeys
from app.sessions import Sessions, SignedIn

_SECRET_KEY = "sk_"  # noqa: S105  # how one begins


@dataclass(frozen=True, slots=True)
class Caller:
    """The actor, and the session's row, which was read with its user already."""

    actor: Actor
    signed_in: SignedIn | None = None


@dataclass(frozen=True, slots=True)
class Callers:
    """Reads credentials where they may stand: one Authorization header, one cookie (SEC-013)."""

    sessions: Sessions
    secret_keys: SecretKeys
    cookie: SessionCookie

    async def of(self, asked: Asked, *, touch: bool = True) -> Caller:
        """Tell who is asking. The bearer token comes before the cookie; the first good one wins."""
        bearer = bearer_of(asked)
        key, refused = None, False
        if bearer is not None and bearer.startswith(_SECRET_KEY):
            key, bearer = await self.secret_keys.authenticate(bearer), None
            refused = key is None
        cookie = asked.headers.get(b"cookie")
        from_cookie = self.cookie.read(cookie.decode("latin-1")) if cookie else None
        found = await self._session((bearer, from_cookie), touch=touch)
        if isinstance(found, SignedIn):
            principal = SessionPrincipal(found.session.id, found.session.user_id)
            return Caller(Actor(principal, key, None, asked.origin, refused), found)
        return Caller(Actor(None, key, found, asked.origin, refused))

    async def _session(
        self, tokens: tuple[str | None, ...], *, touch: bool
    ) -> SignedIn | SessionFault | None:
        """Find the session of the first good token, or what is wrong with the first bad one."""
        fault: SessionFault | None = None
        for token in tokens:
            if not token:
                continue
            found = await self.sessions.authenticate(token, touch=touch)
            if isinstance(found, SignedIn):
                return found
            fault = fault or found
        return fault


def bearer_of(asked: Asked) -> str | None:
    """Give the bearer token of the Authorization header (RFC 6750 §2.1)."""
    value = asked.headers.get(b"authorization")
    if value is None:
        return None
    scheme, _, token = value.decode("latin-1").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None
