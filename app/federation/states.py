"""What is remembered of a sign-in while the browser is at the provider (SEC-074).

A state is 256 random bits. Its row is found by a digest of the state and of a secret that only the
browser's cookie has: in another browser there is nothing under the state, and whoever may go on
takes the row away. Nonces for ID tokens that applications fetch themselves are kept the same way.
"""

import hashlib
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal
from uuid import UUID

import msgspec
from msgspec import Struct

from app.clock import Clock
from app.federation.browsers import MARK
from app.federation.errors import NonceUnknown, StateExpired, StateUnverified
from app.federation.pkce import new_secret
from app.keys import KeysUnreadable, Sealer
from app.persistence import fetch, transaction
from app.sweeping import in_parts

LIFETIME = timedelta(minutes=5)
COOKIE = "hanko_thirdparty_state"
"""The cookie with the browser's secrets."""

FlowKind = Literal["login", "registration", "profile", "token_exchange"]
_LONGEST = 512
_KEEP = "INSERT INTO federation_state (digest, payload, expires_at) VALUES ($1, $2, $3)"
_TAKE = "DELETE FROM federation_state WHERE digest = $1 RETURNING payload, expires_at"
_SWEEP = """
DELETE FROM federation_state WHERE digest IN (
    SELECT digest FROM federation_state WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)
    AND expires_at <= $1
RETURNING digest
"""


class Pending(Struct, frozen=True, omit_defaults=True):
    """A sign-in that is under way.

    Attributes:
        provider: Where; an answer counts for no other (SEC-079).
        redirect_to: Where the browser comes back to, an allowed target.
        kind: Which flow has begun it; without one it is `token_exchange`.
        nonce: What an ID token has to repeat.
        code_verifier: Our own PKCE verifier; it never leaves the server but to the provider.
        flow_id: The flow that has begun it, if any.
        user_id: Who links an identity from a live session; None to sign in.
        code_challenge: What the exchange token is bound to, empty for nothing.
        request_id: The id of a SAML request.
        is_unsolicited: Whether a SAML provider has begun it, where that is allowed (SEC-090).
    """

    provider: str
    redirect_to: str
    kind: FlowKind
    nonce: str = ""
    code_verifier: str = ""
    flow_id: UUID | None = None
    user_id: UUID | None = None
    code_challenge: str = ""
    request_id: str = ""
    is_unsolicited: bool = False


@dataclass(frozen=True, slots=True)
class Kept:
    """A state, and the browser's secret that goes with it."""

    state: str = field(repr=False)
    browser_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class States:
    """Keeps what is pending, sealed, for five minutes."""

    sealer: Sealer
    clock: Clock

    async def keep(self, pending: Pending) -> Kept:
        """Keep a sign-in that begins."""
        state = new_secret()
        kept = Kept(state, state[:MARK] + new_secret())
        await self._add(_digest("state", kept.state, kept.browser_secret), pending)
        return kept

    async def take(self, state: str, browser_secret: str) -> Pending:
        """Take what is pending under a state in this browser; nobody else gets it then.

        Raises:
            StateUnverified: There is nothing, or not in this browser, or not any more.
            StateExpired: It is too old.
        """
        return await self._take(_digest("state", state, browser_secret))

    async def give_nonce(self) -> str:
        """Give out a nonce for an ID token, good once."""
        nonce = new_secret()
        await self._add(_digest("nonce", nonce), Pending("", "", "token_exchange"))
        return nonce

    async def take_nonce(self, nonce: str) -> None:
        """Take a nonce back, whatever becomes of the token that bears it.

        Raises:
            NonceUnknown: It was not given out here, is too old, or was used.
        """
        try:
            await self._take(_digest("nonce", nonce))
        except (StateUnverified, StateExpired):
            raise NonceUnknown from None

    async def sweep(self) -> None:
        """Remove what nobody came back for (SEC-126)."""
        await in_parts(_SWEEP, self.clock())

    async def _add(self, digest: str, pending: Pending) -> None:
        payload = self.sealer.seal(msgspec.json.encode(pending).decode(), _place(digest))
        async with transaction():  # which tells soon where there is no database (SEC-130)
            await fetch(_KEEP, digest, payload, self.clock() + LIFETIME)

    async def _take(self, digest: str) -> Pending:
        async with transaction():  # as above
            taken = await fetch(_TAKE, digest)
        if not taken:
            raise StateUnverified
        if taken[0]["expires_at"] <= self.clock():
            raise StateExpired
        try:
            opened = self.sealer.open(taken[0]["payload"], _place(digest))
        except KeysUnreadable:
            raise StateUnverified from None
        return msgspec.json.decode(opened, type=Pending)


def _digest(kind: str, *parts: str) -> str:
    """Give the digest of random texts, of each kind its own (SEC-023)."""
    shown = "\n".join([kind, *(part[:_LONGEST] for part in parts)])
    return hashlib.sha256(shown.encode(errors="surrogatepass")).hexdigest()


def _place(digest: str) -> str:
    return f"federation_state/{digest}"
