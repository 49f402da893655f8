"""What comes of an identity that a provider has asserted: the facts, and the effects."""

from dataclasses import dataclass
from typing import Literal, Protocol
from uuid import UUID

from app.access import Actor
from app.audit import AuditLog
from app.config.sections import Config
from app.errors import Conflict
from app.federation.connector import OutsideIdentity, Provider
from app.federation.errors import IdentityOfAnother, UserConflict
from app.federation.exchange import Arrival
from app.federation.identities import Identities, Identity
from app.federation.linking import Address, Decision, Facts, Link, Refusal, SignIn, SignUp, decide
from app.federation.profiles import missing_in, profile_of
from app.text import email_key
from app.users import Account, Email, EmailTaken, NewEmail, NewUser, ProfileChanges, Users
from app.users.errors import UserNotFound
from app.users.locking import lock_user

Notice = Literal["identity_create", "identity_delete"]
Event = Literal[
    "thirdparty_signup_succeeded", "thirdparty_signin_succeeded", "thirdparty_linking_succeeded"
]


class Notices(Protocol):
    """Tells users what has changed on their account (SEC-037)."""

    async def tell(
        self, notice: Notice, actor: Actor, account: Account, email: Email | None, provider: str
    ) -> None:
        """Queue a mail in the open transaction.

        Args:
            notice: What has happened.
            actor: Who has done it.
            account: Whose account it is.
            email: The primary address, as it was before.
            provider: What users call the provider.
        """


class SamlProviders(Protocol):
    """The SAML providers, as far as whose account it is depends on them."""

    def find(self, provider_id: str) -> Provider | None:
        """Give an enabled provider by its entity id."""

    def speaks_for(self, provider_id: str, address: str) -> bool:
        """Say whether an address is in one of the provider's own domains (SEC-092)."""


@dataclass(frozen=True, slots=True)
class NoSaml:
    """A deployment without SAML."""

    def find(self, provider_id: str) -> Provider | None:  # noqa: ARG002  # whichever
        """Find none."""
        return None

    def speaks_for(self, provider_id: str, address: str) -> bool:  # noqa: ARG002  # whichever
        """Speak for nothing."""
        return False


@dataclass(frozen=True, slots=True)
class Redeemed:
    """Who has come back from a provider.

    Attributes:
        user_id: Whose account it is.
        identity: The identity as it is kept now.
        provider: The provider.
        created: Whether the account was made just now.
        address: The account's address that the identity stands for, if any.
        address_is_proved: Whether that address is verified.
    """

    user_id: UUID
    identity: Identity
    provider: Provider
    created: bool
    address: str | None = None
    address_is_proved: bool = False


@dataclass(frozen=True, slots=True)
class Admission:
    """Makes, links and touches accounts; nothing else does it for providers."""

    config: Config
    users: Users
    identities: Identities
    saml: SamlProviders
    notices: Notices
    audit: AuditLog

    async def foresee(
        self, outside: OutsideIdentity, provider: Provider, asked_by: UUID | None
    ) -> Decision:
        """Say what would come of an identity; nothing is locked or written."""
        return decide(await self._facts(outside, provider, asked_by))

    async def admit(
        self, actor: Actor, arrival: Arrival, provider: Provider, asked_by: UUID | None
    ) -> Redeemed:
        """Do what is to come of an identity, in the open transaction.

        Raises:
            IdentityError: The decision, or one of its effects, is a refusal.
        """
        outside = arrival.outside
        facts = await self._facts(outside, provider, asked_by)
        locked = {one for one in (facts.owner, facts.address_owner, asked_by) if one is not None}
        for user_id in sorted(locked):
            await lock_user(user_id)
        facts = await self._facts(outside, provider, asked_by)
        decision = decide(facts)
        if isinstance(decision, Refusal):
            raise decision.error
        if isinstance(decision, SignUp):
            return await self._sign_up(actor, arrival, provider, with_address=decision.with_address)
        if decision.user_id not in locked:
            raise Conflict
        return await self._enter(actor, outside, provider, decision, asked_by)

    async def _facts(
        self, outside: OutsideIdentity, provider: Provider, asked_by: UUID | None
    ) -> Facts:
        known = await self.identities.find(outside)
        address = self._address(outside)
        here = await self._email(address) if address else None
        is_saml = self.saml.find(provider.id) is not None
        told = known.told_address if known else None
        return Facts(
            owner=known.user_id if known else None,
            asked_by=asked_by,
            tells_address=outside.email is not None,
            has_address=address is not None,
            is_vouched=outside.email_verified,
            address_owner=here.user_id if here else None,
            is_proved=here is not None and here.is_verified,
            has_changed=email_key(told or "") != email_key(address or ""),
            has_room=known is None or await self._has_room(known.user_id),
            allows_linking=provider.allow_linking,
            is_saml=is_saml,
            in_domain=is_saml and self.saml.speaks_for(provider.id, outside.email or ""),
            allows_signup=self.config.account.allow_signup,
            shows_existence=self.config.privacy.show_account_existence_hints,
        )

    async def _enter(
        self,
        actor: Actor,
        outside: OutsideIdentity,
        provider: Provider,
        decision: SignIn | Link,
        asked_by: UUID | None,
    ) -> Redeemed:
        """Sign in to an account that is there, or join it."""
        account = await self._fill(actor, decision.user_id, outside)
        primary = await self._primary(account.id)
        email = await self._settle(actor, account.id, outside, decision.address)
        known = await self.identities.find(outside)
        if known is not None and known.user_id != account.id:  # since the decision
            raise IdentityOfAnother
        email_id, signs_in = email.id if email else None, asked_by is None
        event: Event = "thirdparty_signin_succeeded"
        if known is None:
            identity = await self.identities.add(account.id, outside, email_id, signs_in=signs_in)
            if identity is None:
                raise IdentityOfAnother
            event = "thirdparty_linking_succeeded"
            name = provider.display_name
            await self.notices.tell("identity_create", actor, account, primary, name)
        else:
            identity = await self.identities.refresh(known, outside, email_id, signs_in=signs_in)
        await self._note(actor, event, identity)
        return _redeemed(identity, provider, email, created=False)

    async def _sign_up(
        self, actor: Actor, arrival: Arrival, provider: Provider, *, with_address: bool
    ) -> Redeemed:
        """Make an account; an identity is enough to be known by."""
        outside = arrival.outside
        address = self._address(outside) if with_address else None
        email = NewEmail(address, is_verified=outside.email_verified) if address else None
        profile = profile_of(outside.claims, self.config.username)
        new = NewUser(
            id=arrival.new_user_id,
            emails=(email,) if email else (),
            profile=ProfileChanges(**profile),
        )
        try:
            await self.users.create(
                actor,
                new,
                then=lambda user_id: self._add_first(user_id, outside),
                ways_in={"third_party_provider": provider.id},
                is_addressed_otherwise=True,
            )
        except EmailTaken:  # in this very moment
            raise UserConflict from None
        identity = await self.identities.find(outside)
        if identity is None:
            raise Conflict
        await self._note(actor, "thirdparty_signup_succeeded", identity)
        primary = await self._primary(identity.user_id)
        return _redeemed(identity, provider, primary, created=True)

    async def _add_first(self, user_id: UUID, outside: OutsideIdentity) -> None:
        primary = await self._primary(user_id)
        email_id = primary.id if primary else None
        if await self.identities.add(user_id, outside, email_id, signs_in=True) is None:
            raise Conflict  # in this very moment; redeemed once more it is a sign-in

    async def _fill(self, actor: Actor, user_id: UUID, outside: OutsideIdentity) -> Account:
        """Fill what the profile lacks."""
        account = await self.users.by_id(user_id)
        if account is None:
            raise UserNotFound
        missing = missing_in(account, profile_of(outside.claims, self.config.username))
        if not missing:
            return account
        return await self.users.update(actor, user_id, ProfileChanges(**missing))

    async def _settle(
        self, actor: Actor, user_id: UUID, outside: OutsideIdentity, what: Address
    ) -> Email | None:
        """Do with the provider's address what was decided, and give the account's own."""
        address = self._address(outside)
        if address is None or what == "ignore":
            return None
        if what == "add":
            new = NewEmail(address, is_verified=True)
            return await self.users.add_email(actor, user_id, new)
        email = await self._email(address)
        if email is not None and outside.email_verified and not email.is_verified:
            return await self.users.verify_email(actor, user_id, email.id)
        return email

    async def _note(self, actor: Actor, event: Event, identity: Identity) -> None:
        details = {"provider": identity.provider, "identity": str(identity.id)}
        await self.audit.record(event, actor, subject=identity.user_id, details=details)

    def _address(self, outside: OutsideIdentity) -> str | None:
        """Give the address as far as one can be kept here."""
        address, rules = outside.email, self.config.email
        return address if address and rules.enabled and len(address) <= rules.max_length else None

    async def _email(self, address: str) -> Email | None:
        """Find an address here, with whose it is."""
        account = await self.users.by_email(address)
        if account is None:
            return None
        key = email_key(address)
        emails = (await self.users.emails_of([account.id]))[account.id]
        return next((one for one in emails if email_key(one.address) == key), None)

    async def _primary(self, user_id: UUID) -> Email | None:
        emails = (await self.users.emails_of([user_id]))[user_id]
        return next((one for one in emails if one.is_primary), None)

    async def _has_room(self, user_id: UUID) -> bool:
        emails = (await self.users.emails_of([user_id]))[user_id]
        return len(emails) < self.config.email.limit


def _redeemed(
    identity: Identity, provider: Provider, email: Email | None, *, created: bool
) -> Redeemed:
    return Redeemed(
        user_id=identity.user_id,
        identity=identity,
        provider=provider,
        created=created,
        address=email.address if email else None,
        address_is_proved=email is not None and email.is_verified,
    )
