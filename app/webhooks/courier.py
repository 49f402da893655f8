"""One attempt to tell a hook: the token, the headers, the request (SEC-110, SEC-111)."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx2
import msgspec

from app import strictjson
from app.clock import Clock
from app.config.sections import Config
from app.errors import IdentityError
from app.keys import Sealer, SigningKeys
from app.outbound import AddressRefused, Limits, LookUps, Outbound, Reach
from app.outbound.transport import Resolve
from app.webhooks import signatures
from app.webhooks.deliveries import KeptEvent, Outcome
from app.webhooks.events import place
from app.webhooks.hooks import Target

TYPE = "webhook+jwt"
"""The kind of token that an event is, which nobody takes for a session (SEC-023)."""

SUBJECT = "hanko webhooks"
LIFETIME = timedelta(minutes=5)
LIMITS = Limits(seconds=10.0, size=64 * 1024)
PING_LIMITS = replace(LIMITS, seconds=8.0)
"""Of an attempt that somebody waits for: it is over before their own request is (SEC-125)."""

_NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class Courier:
    """Tells hooks of events.

    Attributes:
        reach: Which addresses may be called.
        resolve: Gives the addresses of a name; callbacks share their look-ups with nothing else.
    """

    keys: SigningKeys
    sealer: Sealer
    issuer: str
    reach: Reach
    https_only: bool
    clock: Clock
    resolve: Resolve

    @classmethod
    def of(cls, config: Config, keys: SigningKeys, sealer: Sealer, clock: Clock) -> "Courier":
        """Build it from the configuration: in development this machine may be called."""
        reach = Reach.of(config.outbound.allowed_networks, local=not config.is_production)
        issuer, ask = config.session.issuer, LookUps().resolve
        return cls(keys, sealer, issuer, reach, config.is_production, clock, ask)

    async def attempt(
        self, target: Target, event: KeptEvent | None, limits: Limits | None = None
    ) -> Outcome:
        """Try once to tell a hook of an event.

        Args:
            target: The hook.
            event: The event; None where it is kept no longer.
            limits: What it may take, if less than usual.

        Raises:
            SignerUnavailable, DatabaseUnavailable: It could not be tried.
        """
        try:
            data = self.sealer.open(event.sealed_data, place(event.id)) if event else None
        except IdentityError:
            data = None
        if event is None or data is None:
            return Outcome("unreadable")
        if _ends(event, data) <= self.clock().timestamp():
            return Outcome("expired")
        body = await self._body(target, event, data)
        return await self._post(target, event, body, limits or LIMITS)

    async def _body(self, target: Target, event: KeptEvent, data: str) -> bytes:
        now = self.clock()
        claims: dict[str, Any] = {
            "sub": SUBJECT,
            "iat": int(now.timestamp()),
            "exp": int((now + LIFETIME).timestamp()),
            "aud": [target.hook.callback],
            "jti": str(event.id),
            "evt": event.name,
            "data": msgspec.Raw(data.encode()),
        }
        if self.issuer:
            claims["iss"] = self.issuer
        await self.keys.refresh()
        token = await self.keys.sign(claims, typ=TYPE)
        return strictjson.encode_bytes({"token": token, "event": event.name})

    async def _post(self, target: Target, event: KeptEvent, body: bytes, limits: Limits) -> Outcome:
        if self.https_only and urlsplit(target.hook.callback).scheme != "https":
            return Outcome("address_refused")
        headers = {
            "Content-Type": "application/json",
            **signatures.headers(str(event.id), self.clock(), body, target.secrets),
        }
        outbound = Outbound.within(self.reach, limits, self.resolve)  # resolves for this attempt
        try:
            answer = await outbound.client.post(target.hook.callback, content=body, headers=headers)
        except AddressRefused:
            return Outcome("address_refused")
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError):  # or a name that cannot be one
            return Outcome("unanswered")
        finally:
            await outbound.close()
        return Outcome("delivered" if answer.is_success else "refused", answer.status_code)


def _ends(event: KeptEvent, data: str) -> float:
    """Say when an event is of no use any more: that of a code to mail, when the code ends."""
    if event.name != "email.send":
        return _NEVER
    told = msgspec.json.decode(data).get("data", {})
    return float(told["valid_until"]) if "otp_code" in told else _NEVER
