"""The token that a browser brings back from a provider: who it is there, for a minute (SEC-065).

Nothing else is stored when a provider has identified somebody. Account, address and identity are
made when the token is redeemed, so a sign-in that is given up leaves nothing behind.

A token is good only where its sign-in has begun, or anybody could be signed in to an account that
somebody else has brought (SEC-065): a flow or a user holds it, or else the verifier of the start.
Nothing can hold the token of a sign-in that a SAML provider has begun, which is off unless an
operator allows it (SEC-090).
"""

import hashlib
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal
from uuid import UUID

import msgspec
from msgspec import Struct

from app.clock import Clock
from app.federation.connector import OutsideIdentity
from app.federation.errors import TokenUnknown, VerifierMismatch
from app.federation.identities import fitted
from app.federation.pkce import fits, new_secret
from app.federation.states import FlowKind
from app.ids import new_id
from app.keys import KeysUnreadable, Sealer
from app.persistence import fetch
from app.sweeping import in_parts

LIFETIME = timedelta(seconds=60)
ROOM = 2_800
"""Bytes that a payload may have as JSON, so that its row stays below 4 KiB (SEC-126)."""

TokenKind = Literal["sign_in", "profile", "token_exchange"]
_KINDS: dict[FlowKind, TokenKind] = {
    "login": "sign_in",
    "registration": "sign_in",
    "profile": "profile",
    "token_exchange": "token_exchange",
}
_LONGEST = 512
_KEEP = "INSERT INTO exchange_token (digest, payload, expires_at) VALUES ($1, $2, $3)"
_TAKE = """
DELETE FROM exchange_token WHERE digest = $1 AND expires_at > $2 RETURNING payload
"""
_SWEEP = """
DELETE FROM exchange_token WHERE digest IN (
    SELECT digest FROM exchange_token WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)
    AND expires_at <= $1
RETURNING digest
"""


@dataclass(frozen=True, slots=True)
class Bound:
    """What a token is good for.

    Attributes:
        kind: Which flow may redeem it.
        flow_id: The one flow that may, where a flow has begun.
        user_id: Who links an identity, in a profile.
        code_challenge: The S256 challenge of the verifier to be shown, empty for none.
        is_unsolicited: Whether a SAML provider has begun it, so that nobody here has a verifier.
    """

    kind: FlowKind
    flow_id: UUID | None = None
    user_id: UUID | None = None
    code_challenge: str = ""
    is_unsolicited: bool = False


@dataclass(frozen=True, slots=True)
class Redemption:
    """What a token is brought to.

    Attributes:
        kind: The flow that redeems it.
        flow_id: Its id, None where there is no flow.
        code_verifier: The verifier of the start, empty where there was none.
        user_id: Who is signed in, in a profile.
    """

    kind: FlowKind
    flow_id: UUID | None = None
    code_verifier: str = ""
    user_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Arrival:
    """Who has come back, and the id of the account if one is to be made.

    A step of a flow may run more than once; the account has the same id each time.
    """

    outside: OutsideIdentity
    new_user_id: UUID


class _Payload(Struct, frozen=True):
    outside: OutsideIdentity
    bound: Bound
    new_user_id: UUID


@dataclass(frozen=True, slots=True)
class ExchangeTokens:
    """Keeps whom providers have identified, sealed; the token alone finds it."""

    sealer: Sealer
    clock: Clock

    async def issue(self, identity: OutsideIdentity, bound: Bound) -> str:
        """Keep who somebody is, and give the token for it."""
        token = new_secret()
        digest = _digest(token)
        payload = self.sealer.seal(_payload(identity, bound), _place(digest))
        await fetch(_KEEP, digest, payload, self.clock() + LIFETIME)
        return token

    async def redeem(self, token: str, wanted: Redemption) -> Arrival:
        """Give who it is; call it in the transaction of what comes of it.

        A refusal has to be let out of that transaction, so that the token is as good as before for
        the one it was made for.

        Raises:
            TokenUnknown: It is none, was redeemed, is too old, or is for another purpose.
            VerifierMismatch: It is bound to another verifier, or to nothing at all.
        """
        digest = _digest(token)
        taken = await fetch(_TAKE, digest, self.clock())
        if not taken:
            raise TokenUnknown
        try:
            opened = self.sealer.open(taken[0]["payload"], _place(digest))
        except KeysUnreadable:
            raise TokenUnknown from None
        kept = msgspec.json.decode(opened, type=_Payload)
        bound = kept.bound
        if _KINDS[bound.kind] != _KINDS[wanted.kind] or bound.user_id != wanted.user_id:
            raise TokenUnknown
        if bound.flow_id not in (None, wanted.flow_id):
            raise TokenUnknown
        if not _is_held(bound, wanted.code_verifier):
            raise VerifierMismatch
        return Arrival(kept.outside, kept.new_user_id)

    async def sweep(self) -> None:
        """Remove the tokens that nobody redeemed (SEC-126)."""
        await in_parts(_SWEEP, self.clock())


def _payload(identity: OutsideIdentity, bound: Bound) -> str:
    """Write what is kept; of the claims what there is room for."""
    bare = _Payload(replace(identity, claims={}), bound, new_id())
    room = ROOM - len(msgspec.json.encode(bare))
    claims = fitted(identity.claims, room)
    whole = _Payload(replace(identity, claims=claims), bound, bare.new_user_id)
    return msgspec.json.encode(whole).decode()


def _is_held(bound: Bound, verifier: str) -> bool:
    """Say whether who brings a token of the right flow and user began it, as far as can be told."""
    if bound.code_challenge:
        return fits(bound.code_challenge, verifier)
    return bound.flow_id is not None or bound.user_id is not None or bound.is_unsolicited


def _digest(token: str) -> str:
    shown = f"exchange\n{token[:_LONGEST]}"
    return hashlib.sha256(shown.encode(errors="surrogatepass")).hexdigest()


def _place(digest: str) -> str:
    return f"exchange_token/{digest}"
