"""Signing in without a flow, where nothing is left to be asked for.

With an exchange token it is the token_exchange flow in one step: whoever has a second factor, an
address to prove or something to set up goes through the flow itself; no session exists before that
(SEC-032, SEC-058). A passkey whose user was verified is both factors (SEC-047).
"""

from dataclasses import dataclass
from typing import Any, NoReturn
from uuid import UUID

from app.access import Actor
from app.credentials.passkey_values import Accepted
from app.errors import IdentityError
from app.federation.admission import Redeemed
from app.federation.errors import FlowRequired, TokenUnknown
from app.federation.exchange import Redemption
from app.flows.domains import Domains
from app.flows.scheduling import has_second_factor
from app.flows.whose import Known, is_to_be_proved, look_up
from app.persistence import transaction
from app.sessions import Issued, SignIn
from app.sessions.values import Draft
from app.telemetry import NoFailure


class _Undone(NoFailure):  # no error: it takes back what was only tried
    """The token is good for a session, which has yet to be signed."""

    def __init__(self, draft: Draft) -> None:
        super().__init__()
        self.draft = draft


@dataclass(frozen=True, slots=True)
class AtOnce:
    """Begins sessions that no flow has led to."""

    domains: Domains

    async def sign_in(self, actor: Actor, token: str, code_verifier: str = "") -> Issued:
        """Begin a session for who bears the token, in place of the actor's own (SEC-026).

        Raises:
            TokenUnknown, VerifierMismatch: The token is not good for this (SEC-065).
            FlowRequired: More is to be asked for; the token is as good as before.
            IdentityError: Nothing can come of it.
        """
        wanted = Redemption("token_exchange", code_verifier=code_verifier)
        try:
            draft = await self._tried(actor, token, wanted)
            issued = await self.domains.sessions.sign(draft)  # it may go over a network
            return await self._begun(actor, token, wanted, issued)
        except FlowRequired:
            raise
        except IdentityError as error:
            await self.domains.federation.note_refusal(actor, error)
            raise

    async def sign_in_by_passkey(self, actor: Actor, accepted: Accepted) -> Issued:
        """Begin a session for who has shown a passkey, in place of the actor's own (SEC-026).

        Raises:
            NotFound: The user is gone by now.
        """
        sessions, user_id = self.domains.sessions, accepted.user_id
        how = SignIn(("passkey",), replacing=actor.session)
        issued = await sessions.sign(await sessions.draft(user_id, actor.origin, how))
        async with transaction():
            await self.domains.users.note_sign_in(user_id)
            return await self._arrived(actor, issued, how, {"login_method": "passkey"})

    async def _tried(self, actor: Actor, token: str, wanted: Redemption) -> Draft:
        """Do all of it but the session, draft that, and undo everything again."""
        try:
            async with transaction():
                redeemed = await self._redeem(actor, token, wanted)
                _undo(await self._draft(actor, redeemed))
        except _Undone as undone:
            return undone.draft

    async def _draft(self, actor: Actor, redeemed: Redeemed) -> Draft:
        how = _how(actor, redeemed)
        return await self.domains.sessions.draft(redeemed.user_id, actor.origin, how)

    async def _begun(self, actor: Actor, token: str, wanted: Redemption, issued: Issued) -> Issued:
        async with transaction():
            redeemed = await self._redeem(actor, token, wanted)
            if redeemed.user_id != issued.session.user_id:
                raise TokenUnknown
            details = {
                "login_method": "third_party",
                "third_party_provider": redeemed.provider.id,
            }
            return await self._arrived(actor, issued, _how(actor, redeemed), details)

    async def _arrived(
        self, actor: Actor, issued: Issued, how: SignIn, details: dict[str, Any]
    ) -> Issued:
        """Begin the session, and tell of it."""
        domains, user_id = self.domains, issued.session.user_id
        begun = await domains.sessions.begin(actor, issued, how)
        told = {**details, "amr": list(how.amr)}
        await domains.audit.record("login_success", actor, subject=user_id, details=told)
        await domains.events.record_user("user.login", actor, user_id)
        return begun

    async def _redeem(self, actor: Actor, token: str, wanted: Redemption) -> Redeemed:
        """Redeem the token, unless more is to be asked for."""
        domains = self.domains
        redeemed = await domains.federation.redeem(actor, token, wanted)
        await domains.users.note_sign_in(redeemed.user_id)
        if await self._needs_more(redeemed.user_id, redeemed):
            raise FlowRequired
        return redeemed

    async def _needs_more(self, user_id: UUID, redeemed: Redeemed) -> bool:
        config, known = self.domains.config, await look_up(self.domains, user_id)
        return (
            has_second_factor(config, known.has)
            or (config.mfa.enabled and not config.mfa.optional)
            or is_to_be_proved(config, redeemed)
            or self._lacks(known, created=redeemed.created)
        )

    def _lacks(self, known: Known, *, created: bool) -> bool:
        """Say whether the account lacks an address or a user name that it may not be without."""
        email, name = self.domains.config.email, self.domains.config.username
        asks_email = email.acquire_on_registration if created else email.acquire_on_login
        asks_name = name.acquire_on_registration if created else name.acquire_on_login
        return (email.enabled and asks_email and not email.optional and not known.has.emails) or (
            name.enabled and asks_name and not name.optional and not known.has.username
        )


def _undo(draft: Draft) -> NoReturn:
    raise _Undone(draft)


def _how(actor: Actor, redeemed: Redeemed) -> SignIn:
    return SignIn((f"ext:{redeemed.provider.id}",), replacing=actor.session)
