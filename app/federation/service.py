"""Signing in at providers, from the start to the account.

The way of a sign-in: `get_ready` (network), `begin` (a row), the provider, `finish` (takes the row;
network; leaves an exchange token and nothing else), `redeem` (in the transaction of whoever
redeems: the account, its identity, the records). No request to a provider is made while a
transaction is open.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, Self
from uuid import UUID

from app.access import Actor
from app.audit import AuditLog
from app.clock import Clock
from app.config.sections import Config
from app.errors import IdentityError, Invalid
from app.federation.admission import Admission, NoSaml, Notices, Redeemed, SamlProviders
from app.federation.connector import Answer, Connector, OutsideIdentity, Provider, Start
from app.federation.errors import (
    SERVER_ERROR,
    BrowserUnknown,
    CodeMissing,
    Described,
    InvalidRequest,
    IssuerMismatch,
    ProviderDisabled,
    ProviderRefused,
    RedirectNotAllowed,
    StateMissing,
    UserDataUnusable,
)
from app.federation.exchange import Bound, ExchangeTokens, Redemption
from app.federation.identities import Identities, Identity, checked
from app.federation.linking import Refusal
from app.federation.pkce import challenge_of, client_challenge, new_secret
from app.federation.sign_in import Begun, CallbackAnswer, Finished, SignInRequest
from app.federation.states import Pending, States
from app.keys import Sealer
from app.persistence import transaction
from app.redirects import Redirects, joined
from app.users import Users

LONGEST_ID_TOKEN = 8 * 1024
_log = logging.getLogger("sekisho.federation")


class ProviderConnectors(Protocol):
    """The OAuth and OpenID Connect providers of this deployment."""

    def enabled(self) -> Sequence[Provider]:
        """Give those that are on, in the order of sign-in pages."""

    def get(self, provider_id: str) -> Connector:
        """Give the connector of a provider that is on.

        Raises:
            ProviderUnknown, ProviderDisabled: There is none.
        """

    async def close(self) -> None:
        """Let go of connections."""


@dataclass(frozen=True, slots=True)
class Federation:
    """Signs people in at providers, and keeps who they are there."""

    connectors: ProviderConnectors
    states: States
    tokens: ExchangeTokens
    identities: Identities
    admission: Admission
    redirects: Redirects
    error_redirect_url: str
    default_redirect_url: str
    audit: AuditLog
    has_own_callbacks: bool = False

    @classmethod
    def of(  # noqa: PLR0913, PLR0917  # what it stands on
        cls,
        config: Config,
        connectors: ProviderConnectors,
        users: Users,
        notices: Notices,
        audit: AuditLog,
        sealer: Sealer,
        clock: Clock,
        *,
        saml: SamlProviders | None = None,
    ) -> Self:
        """Build it from the configuration."""
        third_party = config.third_party
        error_url = third_party.error_redirect_url
        identities = Identities(clock)
        return cls(
            connectors=connectors,
            states=States(sealer, clock),
            tokens=ExchangeTokens(sealer, clock),
            identities=identities,
            admission=Admission(config, users, identities, saml or NoSaml(), notices, audit),
            redirects=Redirects((*third_party.allowed_redirect_urls, error_url)),
            error_redirect_url=error_url,
            default_redirect_url=third_party.default_redirect_url or error_url,
            audit=audit,
            has_own_callbacks=third_party.has_own_callbacks,
        )

    def providers(self) -> Sequence[Provider]:
        """Give the providers that are on, in the order of sign-in pages."""
        return self.connectors.enabled()

    def provider(self, provider_id: str) -> Provider | None:
        """Give a provider that is on, of OAuth or SAML; None for any other."""
        found = (one for one in self.connectors.enabled() if one.id == provider_id)
        return next(found, None) or self.admission.saml.find(provider_id)

    async def get_ready(self, provider_id: str) -> None:
        """Learn over the network what a start needs; call it outside of transactions.

        Raises:
            ProviderUnknown, ProviderDisabled, ProviderUnreachable: It cannot begin.
        """
        await self.connectors.get(provider_id).get_ready()

    async def begin(self, request: SignInRequest) -> Begun:
        """Begin a sign-in; `get_ready` has run.

        Raises:
            ProviderUnknown, ProviderDisabled: There is no such provider.
            RedirectNotAllowed: The target is not on the list.
            CodeChallengeInvalid: The verifier or challenge is none.
        """
        connector = self.connectors.get(request.provider)
        pending = self.pending(request, nonce=new_secret(), code_verifier=new_secret())
        kept = await self.states.keep(pending)
        challenge = challenge_of(pending.code_verifier)
        url = connector.authorization_url(Start(kept.state, pending.nonce, challenge))
        return Begun(url, kept.browser_secret)

    def pending(
        self, request: SignInRequest, *, nonce: str = "", code_verifier: str = ""
    ) -> Pending:
        """Check what a client asks for and give what is to be remembered of it.

        Raises:
            RedirectNotAllowed: The target is not on the list.
            CodeChallengeInvalid: The verifier or challenge is none.
        """
        redirect_to = request.redirect_to or self.default_redirect_url
        if not self.redirects.allow(redirect_to):
            raise RedirectNotAllowed
        return Pending(
            provider=request.provider,
            redirect_to=redirect_to,
            kind=request.kind,
            nonce=nonce,
            code_verifier=code_verifier,
            flow_id=request.flow_id,
            user_id=request.user_id,
            code_challenge=client_challenge(request.code_verifier, request.code_challenge),
        )

    async def finish(self, actor: Actor, answer: CallbackAnswer) -> Finished:
        """Take what came back from a provider; whatever it is, the browser is sent on.

        It must run outside of transactions.
        """
        try:
            pending = await self._pending(answer)
        except IdentityError as error:
            return await self.refused(actor, error)
        try:
            identity = await self._identify(pending, answer)
            token = await self.arrive(identity, pending)
        except IdentityError as error:
            return await self.refused(actor, error, pending)
        except Exception:  # noqa: BLE001  # an answer that no connector has foreseen
            _log.exception("a provider's answer failed", extra=_traced(actor, pending))
            return await self.refused(actor, IdentityError(), pending)
        return Finished(joined(pending.redirect_to, {"hanko_token": token}), forgets_browser=True)

    async def arrive(self, outside: OutsideIdentity, pending: Pending) -> str:
        """Keep whom a provider has identified and give the token for it.

        Raises:
            IdentityError: It is foreseen that nothing can come of it.
        """
        provider = self._enabled(outside.provider)
        identity = checked(outside)
        decision = await self.admission.foresee(identity, provider, pending.user_id)
        if isinstance(decision, Refusal):
            raise decision.error
        bound = Bound(
            kind=pending.kind,
            flow_id=pending.flow_id,
            user_id=pending.user_id,
            code_challenge=pending.code_challenge,
            is_unsolicited=pending.is_unsolicited,
        )
        return await self.tokens.issue(identity, bound)

    async def refused(
        self, actor: Actor, error: IdentityError, pending: Pending | None = None
    ) -> Finished:
        """Record a refusal, and send the browser on with its code."""
        await self.note_refusal(actor, error, pending.provider if pending else "")
        code, description = _told(error)
        target = pending.redirect_to if pending else self.error_redirect_url
        told = {"error": code, "error_description": description}
        return Finished(joined(target, told), forgets_browser=pending is not None)

    async def note_refusal(self, actor: Actor, error: IdentityError, provider: str = "") -> None:
        """Record that a sign-in came to nothing; what was undone took its own records along."""
        details = {"error": _told(error)[0], "reason": type(error).__name__}
        if provider:
            details["provider"] = provider
        await self.audit.record("thirdparty_signin_signup_failed", actor, details=details)

    async def redeem(self, actor: Actor, token: str, wanted: Redemption) -> Redeemed:
        """Let who bears a token in: make, link or touch the account, in the open transaction.

        What the callback has foreseen is decided anew, under the lock of the account; a provider
        that was switched off in the meantime lets nobody in (SEC-084). Every refusal has to be let
        out of the transaction.

        Raises:
            TokenUnknown, VerifierMismatch: The token is not good for this (SEC-065).
            IdentityError: Nothing can come of it any more.
        """
        async with transaction():
            arrival = await self.tokens.redeem(token, wanted)
            provider = self._enabled(arrival.outside.provider)
            return await self.admission.admit(actor, arrival, provider, wanted.user_id)

    async def id_token_nonce(self) -> str:
        """Give out the nonce of an ID token that an application is about to fetch."""
        return await self.states.give_nonce()

    async def accept_id_token(
        self, actor: Actor, provider_id: str, id_token: str, nonce: str, code_verifier: str
    ) -> str:
        """Take an ID token that an application has fetched, and give an exchange token for it.

        The nonce is used up whatever comes of it; the verifier alone makes the exchange token good
        for anything. It must run outside of transactions.

        Raises:
            ProviderUnknown, ProviderDisabled, IdTokensNotTaken: No such tokens are taken.
            CodeChallengeInvalid: The verifier is none.
            NonceUnknown, UserDataUnusable: This one is not.
            ProviderUnreachable: It cannot be checked now.
            IdentityError: It is foreseen that nothing can come of it.
        """
        challenge = client_challenge(code_verifier)
        connector = self.connectors.get(provider_id)
        pending = Pending(provider_id, "", "token_exchange", code_challenge=challenge)
        try:
            await self.states.take_nonce(nonce)
            if len(id_token) > LONGEST_ID_TOKEN:
                raise UserDataUnusable
            await connector.get_ready()
            outside = await connector.identify_by_token(id_token, nonce)
            return await self.arrive(_of(pending, outside), pending)
        except IdentityError as error:
            await self.note_refusal(actor, error, provider_id)
            raise

    async def identities_of(self, user_ids: Sequence[UUID]) -> Mapping[UUID, list[Identity]]:
        """Read the identities of some users, in one statement, oldest first."""
        return await self.identities.of(user_ids)

    async def owner_of(self, provider: str, subject: str, issuer: str | None = None) -> UUID | None:
        """Find a user by what a provider calls them."""
        return await self.identities.owner(provider, subject, issuer)

    def shown(self, identities: Sequence[Identity]) -> list[tuple[Identity, Provider]]:
        """Give those of providers that are on, each with its provider."""
        found = ((one, self.provider(one.provider)) for one in identities)
        return [(one, provider) for one, provider in found if provider is not None]

    async def disconnect(self, actor: Actor, user_id: UUID, identity_id: UUID) -> Identity:
        """Forget an identity of a user.

        Whether another way in is left is for `OwnCredentials.disconnect_identity` to see.

        Raises:
            IdentityNotFound: The user has no such identity.
        """
        async with transaction():
            identity = await self.identities.remove(user_id, identity_id)
            details = {"provider": identity.provider, "identity": str(identity.id)}
            await self.audit.record("identity_deleted", actor, subject=user_id, details=details)
        return identity

    async def forget_all(self, actor: Actor, user_id: UUID) -> int:
        """Forget every identity of a user, and say how many there were (SEC-064)."""
        async with transaction():
            count = await self.identities.remove_all(user_id)
            if count:
                details = {"identities": count}
                await self.audit.record("identity_deleted", actor, subject=user_id, details=details)
        return count

    async def close(self) -> None:
        """Let go of connections to providers."""
        await self.connectors.close()

    async def _pending(self, answer: CallbackAnswer) -> Pending:
        """Take the sign-in that an answer belongs to, in the order of the callback's checks."""
        if not answer.is_readable:
            raise IdentityError
        if not answer.state:
            raise StateMissing
        if not answer.browser_secret:
            raise BrowserUnknown
        pending = await self.states.take(answer.state, answer.browser_secret)
        if not self.redirects.allow(pending.redirect_to):
            raise IdentityError
        return pending

    async def _identify(self, pending: Pending, answer: CallbackAnswer) -> OutsideIdentity:
        """Ask the provider that the sign-in began with who it is (SEC-079)."""
        if answer.callback_of != (pending.provider if self.has_own_callbacks else ""):
            raise IssuerMismatch  # RFC 9700 §4.4.2.2
        connector, issuer = self.connectors.get(pending.provider), answer.iss or None
        if answer.error:
            await connector.check_issuer(issuer)
            raise ProviderRefused(answer.error, answer.error_description)
        if not answer.code:
            raise CodeMissing
        outside = await connector.identify(
            Answer(
                code=answer.code,
                code_verifier=pending.code_verifier,
                nonce=pending.nonce,
                issuer=issuer,
                user=answer.user or None,
            )
        )
        return _of(pending, outside)

    def _enabled(self, provider_id: str) -> Provider:
        provider = self.provider(provider_id)
        if provider is None:
            raise ProviderDisabled
        return provider


def _of(pending: Pending, outside: OutsideIdentity) -> OutsideIdentity:
    """See that an identity is the provider's that was asked (SEC-079)."""
    if outside.provider != pending.provider:
        raise IssuerMismatch
    return outside


def _told(error: IdentityError) -> tuple[str, str]:
    """Give what a redirect tells of a refusal; the words of a defect are for the log."""
    if isinstance(error, ProviderRefused):
        return error.error, error.message
    if isinstance(error, Described):
        return error.code, error.description or error.message
    return (InvalidRequest.code, error.message) if isinstance(error, Invalid) else SERVER_ERROR


def _traced(actor: Actor, pending: Pending) -> dict[str, str]:
    return {"request_id": actor.origin.request_id, "provider": pending.provider}
