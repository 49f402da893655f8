"""Signing in by SAML, from the request to the exchange token.

The way of a sign-in: `get_ready` (network, if the metadata are not there), `begin` (a row), the
provider, `finish` (takes the row; leaves a record against replays and an exchange token). What
becomes of the token is federation's, as after any other provider.
"""

import asyncio
import base64
import binascii
import logging
from dataclasses import dataclass, replace
from typing import Self
from uuid import uuid4

import msgspec
from msgspec import Struct

from app.access import SYSTEM, Actor
from app.audit import AuditLog
from app.clock import Clock
from app.config.saml_sections import Saml as SamlSettings
from app.config.sections import Config
from app.errors import IdentityError
from app.federation.attributes import identity_of
from app.federation.connector import OutsideIdentity
from app.federation.errors import (
    BrowserUnknown,
    ProviderDisabled,
    ProviderUnreachable,
    RedirectNotAllowed,
    StateExpired,
    StateUnverified,
)
from app.federation.pkce import client_challenge
from app.federation.saml import replay, responses
from app.federation.saml.attributes import claims_of
from app.federation.saml.certificates import Certificates, OwnCertificate
from app.federation.saml.errors import (
    IssuerUnknown,
    ResponseUnreadable,
    SamlDomainUnknown,
    UnsolicitedRefused,
)
from app.federation.saml.metadata import Metadata
from app.federation.saml.own_metadata import OwnMetadata
from app.federation.saml.parsing import MAX_SIZE
from app.federation.saml.providers import SamlDirectory, SamlProvider
from app.federation.saml.requests import AuthnRequest, Page, Signer
from app.federation.saml.responses import Assertion, Expected
from app.federation.saml.values import PREFIX, SamlAnswer, SamlSignIn
from app.federation.service import Federation
from app.federation.sign_in import Begun, Finished
from app.federation.states import LIFETIME, Pending
from app.keys import KeysUnreadable, Sealer
from app.redirects import Redirects, joined

_HINT = {"saml_hint": "idp_initiated"}
_PLACE = "saml_form"
_log = logging.getLogger("sekisho.federation.saml")


class _Form(Struct, frozen=True):
    """A request that waits for the browser to come for the page that posts it."""

    domain: str
    request_id: str
    relay_state: str = ""
    expires_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Saml:
    """The service provider."""

    settings: SamlSettings
    directory: SamlDirectory
    certificates: Certificates
    federation: Federation
    redirects: Redirects
    sealer: Sealer
    clock: Clock

    @classmethod
    def of(  # noqa: PLR0913, PLR0917  # what it stands on
        cls,
        config: Config,
        directory: SamlDirectory,
        federation: Federation,
        audit: AuditLog,
        sealer: Sealer,
        clock: Clock,
    ) -> Self:
        """Build it from the configuration."""
        settings = config.saml
        allowed = (*settings.allowed_redirect_urls, settings.default_redirect_url)
        return cls(
            settings=settings,
            directory=directory,
            certificates=Certificates(config.service.name, sealer, audit, clock),
            federation=federation,
            redirects=Redirects(allowed),
            sealer=sealer,
            clock=clock,
        )

    async def open(self) -> None:
        """Get ready at a start: own certificates, and what is known of the providers.

        Raises:
            KeysUnreadable: A private key cannot be opened.
            SamlMetadataRefused: Metadata in a file or in the settings cannot be used.
        """
        await self.certificates.reseal()
        await self.certificates.keep_ready(SYSTEM)
        await self.certificates.all()
        await self.directory.load()

    async def work(self) -> None:
        """Do what is due from time to time: ask providers, renew certificates."""
        await self.directory.refresh()
        await self.certificates.keep_ready(SYSTEM)
        await self.certificates.sweep()

    async def close(self) -> None:
        """Let go of connections."""
        await self.directory.close()

    def provider_for_address(self, address: str) -> str | None:
        """Give the domain to begin with for somebody's address, None where no provider has it."""
        found = self.directory.for_address(address)
        return found.key if found else None

    async def get_ready(self, domain: str) -> None:
        """Learn over the network what a start needs; call it outside of transactions.

        Raises:
            SamlProviderUnknown, ProviderUnreachable: It cannot begin.
        """
        await self.directory.of_domain(domain).source.get_ready()

    async def begin(self, wanted: SamlSignIn) -> Begun:
        """Begin a sign-in; `get_ready` has run.

        Raises:
            SamlProviderUnknown: No provider has the domain.
            ProviderUnreachable: Its metadata are not known.
            RedirectNotAllowed: The target is not on the list.
            CodeChallengeInvalid: The challenge is none.
        """
        provider = self.directory.of_domain(wanted.domain)
        metadata = _known(provider)
        request_id = f"_{uuid4().hex}"
        kept = await self.federation.states.keep(self._pending(wanted, metadata, request_id))
        relay_state = PREFIX + kept.state
        if metadata.binding == "redirect":
            request, signer = await self._request(metadata, request_id)
            url = request.by_redirect(relay_state, signer)
        else:
            url = self._form_url(_Form(provider.key, request_id, relay_state))
        return Begun(url, kept.browser_secret)

    async def form(self, ticket: str) -> Page:
        """Give the page that posts a request, for a provider that takes no redirects.

        Raises:
            StateUnverified, StateExpired: The ticket is none of ours, or too old.
            SamlProviderUnknown, ProviderUnreachable: The provider is not there any more.
        """
        try:
            form = msgspec.json.decode(self.sealer.open(ticket, _PLACE), type=_Form)
        except (KeysUnreadable, msgspec.DecodeError):
            raise StateUnverified from None
        if form.expires_at <= self.clock().timestamp():
            raise StateExpired
        metadata = _known(self.directory.of_domain(form.domain))
        request, signer = await self._request(metadata, form.request_id)
        return request.by_form(form.relay_state, signer)

    async def finish(self, actor: Actor, answer: SamlAnswer) -> Finished:
        """Take what came back from a provider; whatever it is, the browser is sent on.

        It must run outside of transactions.
        """
        try:
            pending = await self._pending_of(answer)
        except IdentityError as error:
            return await self.refused(actor, error)
        try:
            token = await self._arrive(pending, answer)
        except IdentityError as error:
            return await self.refused(actor, error, pending)
        except Exception:  # noqa: BLE001  # a document that nobody has foreseen
            _log.exception("a SAML response failed", extra={"provider": pending.provider})
            return await self.refused(actor, IdentityError(), pending)
        told = {"hanko_token": token} | ({} if answer.is_begun_here else _HINT)
        url = joined(pending.redirect_to, told)
        return Finished(url, forgets_browser=answer.is_begun_here)

    async def refused(
        self, actor: Actor, error: IdentityError, pending: Pending | None = None
    ) -> Finished:
        """Record a refusal, and send the browser on with its code; never to a Referer (SEC-082)."""
        at = pending or Pending("", self.settings.default_redirect_url, "token_exchange")
        finished = await self.federation.refused(actor, error, at)
        return replace(finished, forgets_browser=bool(at.request_id))

    async def metadata(self, domain: str) -> bytes:
        """Give our metadata, for the provider of a domain.

        Raises:
            SamlDomainUnknown: There is none.
        """
        provider = self.directory.for_address(f"a@{domain}")
        if provider is None:
            raise SamlDomainUnknown
        options, known = self.settings.options, provider.metadata
        return OwnMetadata(
            entity_id=self.settings.entity_id,
            acs_url=self.settings.acs_url,
            signs_requests=options.sign_authn_requests
            or (known is not None and known.wants_signed_requests),
            wants_signed=not options.skip_signature_validation,
            certificates=[one.certificate for one in await self.own_certificates()],
            now=self.clock(),
        ).written()

    async def own_certificates(self) -> list[OwnCertificate]:
        """Give our certificates, the one that signs now first."""
        found, now = await self.certificates.all(), self.clock()
        active = [one for one in found if one.active_from <= now]
        return [*reversed(active), *(one for one in found if one not in active)]

    def _pending(self, wanted: SamlSignIn, metadata: Metadata, request_id: str) -> Pending:
        redirect_to = wanted.redirect_to or self.settings.default_redirect_url
        if not self.redirects.allow(redirect_to):
            raise RedirectNotAllowed
        return Pending(
            provider=metadata.entity_id,
            redirect_to=redirect_to,
            kind=wanted.kind,
            flow_id=wanted.flow_id,
            code_challenge=client_challenge("", wanted.code_challenge),
            request_id=request_id,
        )

    async def _request(
        self, metadata: Metadata, request_id: str
    ) -> tuple[AuthnRequest, Signer | None]:
        options = self.settings.options
        request = AuthnRequest(
            id=request_id,
            sso_url=metadata.sso_url,
            acs_url=self.settings.acs_url,
            issuer=self.settings.entity_id,
            issued_at=self.clock(),
            is_anew=options.force_login,
        )
        is_signed = options.sign_authn_requests or metadata.wants_signed_requests
        return request, await self.certificates.signer() if is_signed else None

    def _form_url(self, form: _Form) -> str:
        expires_at = (self.clock() + LIFETIME).timestamp()
        kept = msgspec.structs.replace(form, expires_at=expires_at)
        ticket = self.sealer.seal(msgspec.json.encode(kept).decode(), _PLACE)
        return joined(f"{self.settings.entity_id}/saml/form", {"ticket": ticket})

    async def _pending_of(self, answer: SamlAnswer) -> Pending:
        """Find what was begun; a sign-in that the provider has begun begins here (SEC-090)."""
        if not answer.is_begun_here:
            return await self._unsolicited(answer)
        if not answer.browser_secret:
            raise BrowserUnknown
        pending = await self.federation.states.take(answer.state, answer.browser_secret)
        if not pending.request_id or not self.redirects.allow(pending.redirect_to):
            raise StateUnverified
        return pending

    async def _unsolicited(self, answer: SamlAnswer) -> Pending:
        issuer = await asyncio.to_thread(responses.issuer_of, _document(answer))
        provider = self.directory.by_entity_id(issuer)
        if provider is None:
            raise IssuerUnknown
        if not provider.settings.allow_idp_initiated:
            raise UnsolicitedRefused
        target = self.settings.default_redirect_url
        return Pending(issuer, target, "token_exchange", is_unsolicited=True)

    async def _arrive(self, pending: Pending, answer: SamlAnswer) -> str:
        provider = self.directory.by_entity_id(pending.provider)
        if provider is None:
            raise ProviderDisabled
        expected = await self._expected(_known(provider), pending.request_id)
        assertion = await asyncio.to_thread(responses.read, _document(answer), expected)
        await replay.take_once(
            pending.provider, assertion.response_id, assertion.assertion_id, assertion.expires_at
        )
        return await self.federation.arrive(_outside(provider, pending, assertion), pending)

    async def _expected(self, metadata: Metadata, request_id: str) -> Expected:
        options = self.settings.options
        return Expected(
            issuer=metadata.entity_id,
            keys=metadata.keys,
            own_keys=[one.key for one in await self.certificates.all()],
            audience=self.settings.audience_uri,
            acs_url=self.settings.acs_url,
            request_id=request_id,
            now=self.clock(),
            checks_signatures=not options.skip_signature_validation,
            needs_attributes=not options.allow_missing_attributes,
            is_anew=options.force_login and bool(request_id),
        )


def _known(provider: SamlProvider) -> Metadata:
    if provider.metadata is None:
        raise ProviderUnreachable
    return provider.metadata


def _document(answer: SamlAnswer) -> bytes:
    """Read the response's base64, which has line breaks in places."""
    try:
        document = base64.b64decode("".join(answer.response.split()), validate=True)
    except (binascii.Error, ValueError):
        raise ResponseUnreadable from None
    if len(document) > MAX_SIZE:
        raise ResponseUnreadable
    return document


def _outside(provider: SamlProvider, pending: Pending, assertion: Assertion) -> OutsideIdentity:
    """Give who it is, from what the assertion says."""
    vouches = provider.settings.skip_email_verification
    claims = claims_of(assertion.attributes, provider.attribute_names, vouches=vouches)
    told = claims | {"sub": assertion.subject}
    return identity_of(pending.provider, pending.provider, told)
