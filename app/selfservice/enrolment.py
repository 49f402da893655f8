"""Setting up an authenticator app outside of a flow.

The secret travels with the client between the two steps, sealed for its session and for minutes,
and is nobody's until a code of it was entered (SEC-055).
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from app.clock import Clock
from app.credentials.errors import TotpExists
from app.credentials.totp import Accepted, Offer, Totp
from app.keys import KeysUnreadable, Sealer
from app.selfservice.errors import EnrolmentInvalid
from app.selfservice.own_credentials import OwnCredentials
from app.selfservice.service import Oneself, SelfService

LIFETIME = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Begun:
    """An enrolment: what the user's app needs, and what finishes it."""

    offer: Offer
    sealed: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class TotpEnrolment:
    """Enrols authenticator apps in two steps."""

    totp: Totp
    sealer: Sealer
    self_service: SelfService
    own_credentials: OwnCredentials
    clock: Clock

    async def begin(self, me: Oneself) -> Begun:
        """Offer a secret.

        Raises:
            TotpExists: The user has an app already.
        """
        held = await self.self_service.held(me.user_id)
        if held is None or held.has_totp:
            raise TotpExists
        named = held.primary_email.address if held.primary_email else held.account.username
        offer = self.totp.offer(named or str(me.user_id))
        ends = int((self.clock() + LIFETIME).timestamp())
        return Begun(offer, self.sealer.seal(f"{ends} {offer.secret}", _place(me)))

    async def finish(self, me: Oneself, sealed: str, code: str) -> bool:
        """Make the secret the user's, if the code is one of it; say whether it is.

        Raises:
            EnrolmentInvalid: It was begun in another session, too long ago, or not at all.
            TotpExists: The user has an app already.
        """
        try:
            ends, _, secret = self.sealer.open(sealed, _place(me)).partition(" ")
        except KeysUnreadable:
            raise EnrolmentInvalid from None
        if self.clock() > datetime.fromtimestamp(int(ends), UTC):
            raise EnrolmentInvalid
        proof = self.totp.prove(secret, code)
        if not isinstance(proof, Accepted):
            return False
        await self.own_credentials.store_totp(me, secret, proof)
        return True


def _place(me: Oneself) -> str:
    return f"totp enrolment/{me.actor.require_session()}"
