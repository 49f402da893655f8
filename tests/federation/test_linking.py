"""Whose account it is: one row for each rule, and what no facts can bring about."""

from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.federation import errors
from app.federation.linking import Facts, Link, Refusal, SignIn, SignUp, decide

ADA, EVE = UUID(int=1), UUID(int=2)


def facts(**given):
    """A verified address at a provider that may link, and nobody here."""
    return Facts(
        **{
            "has_address": True,
            "is_vouched": True,
            "has_changed": True,
            "allows_linking": True,
            **given,
        }
    )


ROWS = {
    # Nobody has the identity, nor the address
    "signs up": (facts(), SignUp(with_address=True)),
    "signs up with an address nobody vouches for": (
        facts(is_vouched=False),
        SignUp(with_address=True),
    ),
    "signs up without it where that would tell who has one": (
        facts(is_vouched=False, shows_existence=False),
        SignUp(with_address=False),
    ),
    "signs up without an address": (facts(has_address=False), SignUp(with_address=False)),
    "no signing up": (facts(allows_signup=False), Refusal(errors.SignupDisabled)),
    # Somebody has the address
    "joins the account": (facts(address_owner=ADA, is_proved=True), Link(ADA, "own")),
    "the provider may not link": (
        facts(address_owner=ADA, is_proved=True, allows_linking=False),
        Refusal(errors.UserConflict),
    ),
    "the address was never proved here": (
        facts(address_owner=ADA),
        Refusal(errors.UserConflict),
    ),
    "nobody vouches for the address": (
        facts(address_owner=ADA, is_proved=True, is_vouched=False),
        Refusal(errors.UnverifiedEmail),
    ),
    "nobody vouches, and nobody is to learn who has it": (
        facts(address_owner=ADA, is_proved=True, is_vouched=False, shows_existence=False),
        SignUp(with_address=False),
    ),
    "the same where nobody signs up": (
        facts(address_owner=ADA, is_vouched=False, shows_existence=False, allows_signup=False),
        Refusal(errors.SignupDisabled),
    ),
    "SAML joins without leave": (
        facts(
            address_owner=ADA, is_proved=True, allows_linking=False, is_saml=True, in_domain=True
        ),
        Link(ADA, "own"),
    ),
    "SAML for a stranger's domain": (
        facts(address_owner=ADA, is_proved=True, is_saml=True),
        Refusal(errors.AddressOutsideDomain),
    ),
    "SAML for a stranger's address that cannot be kept": (
        facts(has_address=False, tells_address=True, is_saml=True),
        Refusal(errors.AddressOutsideDomain),
    ),
    "SAML without an address": (
        facts(has_address=False, is_saml=True),
        SignUp(with_address=False),
    ),
    # The identity is known
    "signs in": (facts(owner=ADA, has_changed=False), SignIn(ADA)),
    "signs in, the address its own": (facts(owner=ADA, address_owner=ADA), SignIn(ADA, "own")),
    "a new address joins": (facts(owner=ADA), SignIn(ADA, "add")),
    "a new address nobody vouches for is left": (
        facts(owner=ADA, is_vouched=False),
        SignIn(ADA),
    ),
    "no room for a new address": (
        facts(owner=ADA, has_room=False),
        Refusal(errors.EmailMaxnum),
    ),
    "an address that did not change is left where it is": (
        facts(owner=ADA, has_changed=False, address_owner=EVE),
        SignIn(ADA),
    ),
    "a new address that another account has": (
        facts(owner=ADA, address_owner=EVE, is_proved=True),
        Refusal(errors.MultipleAccounts),
    ),
    "an address that somebody else has never proved keeps nobody out": (
        facts(owner=ADA, address_owner=EVE, is_proved=False),
        SignIn(ADA),
    ),
    "another's address nobody vouches for": (
        facts(owner=ADA, address_owner=EVE, is_vouched=False),
        SignIn(ADA),
    ),
    "signs in where nobody signs up or links": (
        facts(owner=ADA, has_changed=False, allows_signup=False, allows_linking=False),
        SignIn(ADA),
    ),
    # A signed-in user asks
    "links for who is signed in": (facts(asked_by=ADA), Link(ADA)),
    "links without the provider's leave": (
        facts(asked_by=ADA, allows_linking=False, is_vouched=False),
        Link(ADA),
    ),
    "links, the address one's own": (facts(asked_by=ADA, address_owner=ADA), Link(ADA, "own")),
    "links whoever has the address": (facts(asked_by=ADA, address_owner=EVE), Link(ADA)),
    "links once more": (facts(asked_by=ADA, owner=ADA), Link(ADA)),
    "another's identity": (facts(asked_by=ADA, owner=EVE), Refusal(errors.IdentityOfAnother)),
}


@pytest.mark.parametrize(("known", "decision"), ROWS.values(), ids=ROWS.keys())
def test_every_row_of_the_table_sec_081(known, decision):
    assert decide(known) == decision


PEOPLE = st.sampled_from([None, ADA, EVE])
ANY = st.builds(
    Facts,
    owner=PEOPLE,
    asked_by=PEOPLE,
    address_owner=PEOPLE,
    **dict.fromkeys(
        (
            *("tells_address", "has_address", "is_vouched", "is_proved", "has_changed", "has_room"),
            *("allows_linking", "is_saml", "in_domain", "allows_signup", "shows_existence"),
        ),
        st.booleans(),
    ),
)


@given(ANY)
def test_an_address_that_one_side_has_not_proved_never_links_sec_064_081(known):
    decision = decide(known)
    if known.asked_by is None and isinstance(decision, Link):
        assert known.is_vouched
        assert known.is_proved
        assert known.allows_linking or (known.is_saml and known.in_domain)
        assert decision.user_id == known.address_owner


@given(ANY)
def test_the_identity_of_another_never_moves_sec_080(known):
    decision = decide(known)
    if known.owner is not None and not isinstance(decision, Refusal):
        assert not isinstance(decision, SignUp)
        assert decision.user_id == known.owner


@given(ANY)
def test_only_who_is_signed_in_is_linked_to_at_their_wish_sec_081(known):
    decision = decide(known)
    if known.asked_by is not None and not isinstance(decision, Refusal):
        assert isinstance(decision, Link)
        assert decision.user_id == known.asked_by


@given(ANY)
def test_what_a_saml_provider_says_of_other_domains_counts_for_nothing_sec_092(known):
    if known.is_saml and (known.has_address or known.tells_address) and not known.in_domain:
        assert isinstance(decide(known), Refusal)


@given(ANY)
def test_an_address_nobody_vouches_for_tells_nothing_of_accounts_sec_068(known):
    if known.is_vouched or known.shows_existence or known.owner or known.asked_by:
        return
    nobody = replace(known, address_owner=None, is_proved=False)
    assert decide(known) == decide(nobody)


@given(ANY)
def test_an_address_joins_only_where_it_is_vouched_for_and_nobodys_sec_064(known):
    decision = decide(known)
    if isinstance(decision, SignIn) and decision.address == "add":
        assert known.is_vouched
        assert known.address_owner is None
        assert known.has_room
