"""Whose account it is: the one decision about an identity (SEC-064, SEC-080, SEC-081). Pure.

It is taken twice: when the provider has answered, so that the browser learns of a refusal early,
and again when the token is redeemed, under the lock of the account.
"""

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from app.errors import IdentityError
from app.federation import errors

Address = Literal["ignore", "own", "add"]
"""What becomes of the provider's address: nothing, it is the account's own, or it joins it."""


@dataclass(frozen=True, slots=True)
class Facts:
    """All that the decision rests on.

    Attributes:
        owner: Whose the identity is, if it is known.
        asked_by: Who links it from a live session, None for a sign-in.
        tells_address: Whether the provider tells an address.
        has_address: Whether it is one that can be kept here.
        is_vouched: Whether the provider vouches for it.
        address_owner: Who has the address here.
        is_proved: Whether it was verified here.
        has_changed: Whether it is another address than the identity had.
        has_room: Whether the owner may have one more address.
        allows_linking: Whether the provider's identities may join accounts by address.
        is_saml: Whether it is a SAML provider.
        in_domain: Whether the address is in that provider's own domain.
        allows_signup: Whether accounts are made.
        shows_existence: Whether it may be told that somebody has an address (SEC-068).
    """

    owner: UUID | None = None
    asked_by: UUID | None = None
    tells_address: bool = False
    has_address: bool = False
    is_vouched: bool = False
    address_owner: UUID | None = None
    is_proved: bool = False
    has_changed: bool = False
    has_room: bool = True
    allows_linking: bool = False
    is_saml: bool = False
    in_domain: bool = False
    allows_signup: bool = True
    shows_existence: bool = True


@dataclass(frozen=True, slots=True)
class SignIn:
    """The identity is known: its owner signs in."""

    user_id: UUID
    address: Address = "ignore"


@dataclass(frozen=True, slots=True)
class Link:
    """The identity joins an account."""

    user_id: UUID
    address: Address = "ignore"


@dataclass(frozen=True, slots=True)
class SignUp:
    """An account is made."""

    with_address: bool


@dataclass(frozen=True, slots=True)
class Refusal:
    """Nothing comes of it."""

    error: type[IdentityError]


Decision = SignIn | Link | SignUp | Refusal


def decide(facts: Facts) -> Decision:
    """Decide what an identity that a provider has asserted means here."""
    says_an_address = facts.tells_address or facts.has_address
    if facts.is_saml and says_an_address and not facts.in_domain:
        return Refusal(errors.AddressOutsideDomain)
    if facts.asked_by is not None:
        return _asked_for(facts, facts.asked_by)
    if facts.owner is not None:
        return _known(facts, facts.owner)
    if facts.has_address and facts.address_owner is not None:
        return _address_taken(facts, facts.address_owner)
    return _sign_up(facts, with_address=facts.has_address and _may_be_told(facts))


def _asked_for(facts: Facts, user_id: UUID) -> Decision:
    """Link for who is signed in; nobody else's identity ever moves, whatever the provider allows.

    The address plays no part, so no rule about addresses is asked.
    """
    if facts.owner not in (None, user_id):
        return Refusal(errors.IdentityOfAnother)
    is_own = facts.has_address and facts.address_owner == user_id
    return Link(user_id, "own" if is_own else "ignore")


def _known(facts: Facts, owner: UUID) -> Decision:
    """Sign in; a new address joins the account only where the provider vouches for it."""
    if facts.has_address and facts.address_owner == owner:
        return SignIn(owner, "own")
    if not facts.has_address or not facts.is_vouched or not facts.has_changed:
        return SignIn(owner)
    if facts.address_owner is not None:
        # Who has never proved the address keeps nobody out who is known by an identity.
        return Refusal(errors.MultipleAccounts) if facts.is_proved else SignIn(owner)
    if not facts.has_room:
        return Refusal(errors.EmailMaxnum)
    return SignIn(owner, "add")


def _address_taken(facts: Facts, address_owner: UUID) -> Decision:
    """Link by address: both sides must have proved it, and the provider must allow it (SEC-081)."""
    if not facts.is_vouched:
        if not facts.shows_existence:
            return _sign_up(facts, with_address=False)
        return Refusal(errors.UnverifiedEmail)
    may_link = facts.allows_linking or facts.is_saml
    if not facts.is_proved or not may_link:
        return Refusal(errors.UserConflict)
    return Link(address_owner, "own")


def _sign_up(facts: Facts, *, with_address: bool) -> Decision:
    return SignUp(with_address) if facts.allows_signup else Refusal(errors.SignupDisabled)


def _may_be_told(facts: Facts) -> bool:
    """Say whether a new account gets the address: one nobody vouches for would tell who has one."""
    return facts.is_vouched or facts.shows_existence
