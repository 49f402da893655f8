"""What redeeming a token makes: accounts, links, and nothing that was not decided anew."""

import asyncio
import json
from dataclasses import replace

import msgspec
import pytest
from factories import make_session, make_user, session_actor
from federation.providers import ISSUER, VERIFIER, round_trip, token_of

from app.access import SYSTEM
from app.assembly import assemble
from app.config.sections import AccountRules, Email, Privacy
from app.errors import IdentityError
from app.federation.errors import (
    EmailMaxnum,
    IdentityNotFound,
    IdentityOfAnother,
    MultipleAccounts,
    ProviderDisabled,
    SignupDisabled,
    TokenUnknown,
    UnverifiedEmail,
    UserConflict,
    VerifierMismatch,
)
from app.federation.exchange import Redemption
from app.persistence import fetch, transaction
from app.selfservice import Oneself
from app.selfservice.errors import LastWayIn
from app.users import NewEmail, NewUser, ProfileChanges

ADA = "ada@example.com"
SIGN_IN = Redemption("token_exchange", code_verifier=VERIFIER)


async def redeem(services, token, wanted=SIGN_IN):
    async with transaction():
        return await services.federation.redeem(SYSTEM, token, wanted)


async def signed_in(services, **given):
    """Sign in at a provider, and redeem the token."""
    return await redeem(services, await token_of(services, **given))


async def linked(services, user, **given):
    """Link an identity from a live session."""
    token = await token_of(services, kind="profile", user_id=user.id, **given)
    return await redeem(services, token, Redemption("profile", user_id=user.id))


async def emails_of(services, user_id):
    found = (await services.users.emails_of([user_id]))[user_id]
    return [(one.address, one.is_primary, one.is_verified) for one in found]


async def identities_of(services, user_id):
    return (await services.federation.identities_of([user_id]))[user_id]


async def events():
    rows = await fetch("SELECT type FROM audit_event WHERE type LIKE 'thirdparty%' ORDER BY at, id")
    return [row["type"].removeprefix("thirdparty_") for row in rows]


async def count(table):
    return (await fetch(f"SELECT COUNT(*) AS n FROM {table}"))[0]["n"]


async def unproved(services, **given):
    new = NewUser(emails=(NewEmail(ADA),), **given)
    user, _ = await services.users.create(SYSTEM, new)
    return user


def reconfigured(services, connectors, **changes):
    config = msgspec.structs.replace(services.config, **changes)
    return assemble(config, clock=services.clock, connectors=connectors)


class TestSigningUp:
    async def test_an_account_is_made_with_address_and_names(self, services, google):
        google.knows(claims={"name": "Ada", "family_name": "L", "picture": "https://a.example/p"})
        made = await signed_in(services)
        assert (made.created, made.address, made.address_is_proved) == (True, ADA, True)
        account = await services.users.by_id(made.user_id)
        assert (account.name, account.family_name) == ("Ada", "L")
        assert account.picture == "https://a.example/p"
        assert await emails_of(services, made.user_id) == [(ADA, True, True)]
        (identity,) = await identities_of(services, made.user_id)
        assert (identity.provider, identity.issuer, identity.subject) == (
            *("google", ISSUER),
            "subject-1",
        )
        assert identity.last_sign_in_at == services.clock()
        assert await events() == ["signup_succeeded"]

    async def test_claims_that_break_a_rule_are_left_out(self, services, google):
        google.knows(
            claims={"name": "a\x00b", "picture": "javascript:alert(1)", "given_name": "x" * 999}
        )
        made = await signed_in(services)
        account = await services.users.by_id(made.user_id)
        assert (account.name, account.picture, account.given_name) == (None, None, None)

    async def test_claims_change_no_bag_sec_003(self, services, google):
        bags = {f"{name}_metadata": {"a": 1} for name in ("public", "private", "unsafe")}
        google.knows(claims={**bags, "metadata": bags, "username": "root"})
        made = await signed_in(services)
        found = (await services.metadata.of([made.user_id])).get(made.user_id)
        assert found is None or (found.public, found.unsafe) == ("{}", "{}")
        assert (await services.users.by_id(made.user_id)).username is None

    async def test_an_address_nobody_vouches_for_is_unverified(self, services, google):
        google.knows(email_verified=False)
        made = await signed_in(services)
        assert (made.address, made.address_is_proved) == (ADA, False)
        assert await emails_of(services, made.user_id) == [(ADA, True, False)]

    async def test_without_an_address_the_identity_is_enough(self, services, google):
        google.knows(email=None)
        made = await signed_in(services)
        assert (made.address, await emails_of(services, made.user_id)) == (None, [])
        assert (await signed_in(services)).user_id == made.user_id

    async def test_without_signing_up_nothing_is_made(self, services, google, connectors):
        closed = reconfigured(services, connectors, account=AccountRules(allow_signup=False))
        google.knows()
        back = await round_trip(closed)
        assert back["error"] == "signup_disabled"
        token = await token_of(services)
        with pytest.raises(SignupDisabled):
            await redeem(closed, token)
        assert await count("app_user") == 0

    @pytest.mark.parametrize("is_taken", [True, False])
    async def test_who_is_not_vouched_for_learns_of_no_account_sec_068(
        self, services, google, connectors, is_taken
    ):
        discreet = reconfigured(services, connectors, privacy=Privacy())
        if is_taken:
            await make_user(services, email=ADA)
        google.knows(email_verified=False)
        made = await signed_in(discreet)
        assert (made.created, made.address) == (True, None)

    async def test_a_step_that_runs_twice_makes_the_same_account(self, services, google):
        google.knows()
        token = await token_of(services)
        with pytest.raises(ZeroDivisionError):
            async with transaction():
                first = await services.federation.redeem(SYSTEM, token, SIGN_IN)
                raise ZeroDivisionError
        assert (await redeem(services, token)).user_id == first.user_id

    async def test_of_many_sign_ups_at_once_one_account_comes_sec_137(self, services, google):
        google.knows()
        tokens = [await token_of(services) for _ in range(8)]
        tries = (redeem(services, token) for token in tokens)
        found = await asyncio.gather(*tries, return_exceptions=True)
        assert all(
            not isinstance(one, Exception) or isinstance(one, IdentityError) for one in found
        )
        assert await count("app_user") == await count("identity") == 1
        refused = [t for t, one in zip(tokens, found, strict=True) if isinstance(one, Exception)]
        again = [await redeem(services, token) for token in refused]
        assert not any(one.created for one in again)


class TestSigningIn:
    async def test_the_identity_finds_its_account_whatever_the_address_sec_080(
        self, services, google
    ):
        google.knows()
        made = await signed_in(services)
        google.knows(email=None, email_verified=False)
        again = await signed_in(services)
        assert (again.user_id, again.created) == (made.user_id, False)
        assert await events() == ["signup_succeeded", "signin_succeeded"]

    @pytest.mark.parametrize(
        "other", [{"subject": "subject-2"}, {"issuer": "https://other.example"}]
    )
    async def test_subject_and_issuer_tell_people_apart_sec_080(self, services, google, other):
        google.knows(email=None)
        made = await signed_in(services)
        google.knows(email=None, **other)
        assert (await signed_in(services)).user_id != made.user_id

    async def test_the_same_subject_at_another_provider_is_another_sec_080(
        self, services, google, corp
    ):
        google.knows(email=None)
        corp.knows(email=None)
        made = await signed_in(services)
        assert (await signed_in(services, provider="custom_corp")).user_id != made.user_id

    async def test_local_edits_stay_and_only_gaps_are_filled(self, services, google):
        google.knows(claims={"name": "Ada"})
        made = await signed_in(services)
        await services.users.update(SYSTEM, made.user_id, ProfileChanges(name="Countess"))
        google.knows(claims={"name": "Ada", "given_name": "Augusta"})
        await signed_in(services)
        account = await services.users.by_id(made.user_id)
        assert (account.name, account.given_name) == ("Countess", "Augusta")

    async def test_a_new_verified_address_joins_the_account(self, services, google):
        google.knows()
        made = await signed_in(services)
        google.knows(email="new@example.com")
        again = await signed_in(services)
        assert (again.user_id, again.address) == (made.user_id, "new@example.com")
        assert await emails_of(services, made.user_id) == [
            (ADA, True, True),
            ("new@example.com", False, True),
        ]

    async def test_a_new_address_nobody_vouches_for_does_not_sec_064(self, services, google):
        google.knows()
        made = await signed_in(services)
        google.knows(email="new@example.com", email_verified=False)
        await signed_in(services)
        assert await emails_of(services, made.user_id) == [(ADA, True, True)]

    async def test_an_address_that_was_deleted_here_does_not_come_back(self, services, google):
        google.knows()
        made = await signed_in(services)
        other = NewEmail("other@example.com", is_primary=True, is_verified=True)
        await services.users.add_email(SYSTEM, made.user_id, other)
        (first, _) = (await services.users.emails_of([made.user_id]))[made.user_id]
        await services.users.delete_email(SYSTEM, made.user_id, first.id)
        assert (await signed_in(services)).address is None
        assert len(await emails_of(services, made.user_id)) == 1

    async def test_anothers_address_is_refused(self, services, google):
        google.knows()
        await signed_in(services)
        await make_user(services, email="new@example.com")
        google.knows(email="new@example.com")
        assert (await round_trip(services))["error"] == "multiple_accounts"

    async def test_one_address_too_many_is_refused(self, services, google, connectors):
        few = reconfigured(services, connectors, email=Email(limit=1))
        google.knows()
        await signed_in(few)
        token = await token_of(few)
        google.knows(email="new@example.com")
        assert (await round_trip(few))["error"] == "email_maxnum"
        assert await redeem(few, token)

    async def test_who_vouches_for_ones_own_address_verifies_it(self, services, google):
        google.knows(email_verified=False)
        made = await signed_in(services)
        google.knows()
        again = await signed_in(services)
        assert again.address_is_proved
        assert await emails_of(services, made.user_id) == [(ADA, True, True)]


class TestLinkingByAddress:
    async def test_a_proved_address_joins(self, services, google):
        user = await make_user(services, email=ADA)
        google.knows(email="ADA@Example.com")
        joined = await signed_in(services)
        assert (joined.user_id, joined.created, joined.address) == (user.id, False, ADA)
        assert await events() == ["linking_succeeded"]

    async def test_its_user_is_told_by_mail_sec_037(self, services, google):
        await make_user(services, email=ADA)
        google.knows()
        await signed_in(services)
        await signed_in(services)
        rows = await fetch("SELECT template, recipient FROM mail_outbox")
        assert [dict(row) for row in rows] == [{"template": "identity_create", "recipient": ADA}]

    @pytest.mark.parametrize("name", ["google", "custom_corp"])
    async def test_an_account_that_somebody_has_prepared_is_not_joined_sec_064_081(
        self, services, google, corp, name
    ):
        """The victim's address was registered by another, who waits with a password or identity."""
        user = await unproved(services)
        google.knows()
        corp.knows()
        assert (await round_trip(services, provider=name))["error"] == "user_conflict"
        assert await identities_of(services, user.id) == []

    async def test_a_provider_that_may_not_link_does_not_sec_081(self, services, corp):
        await make_user(services, email=ADA)
        corp.knows()
        assert (await round_trip(services, provider="custom_corp"))["error"] == "user_conflict"

    async def test_an_address_nobody_vouches_for_does_not_join_sec_081(self, services, google):
        user = await make_user(services, email=ADA)
        google.knows(email_verified=False)
        assert (await round_trip(services))["error"] == "unverified_email"
        assert await identities_of(services, user.id) == []


class TestLinkingFromASession:
    async def test_it_needs_no_leave_of_the_provider_and_no_address_sec_081(self, services, corp):
        user = await make_user(services)
        corp.knows(email_verified=False)
        joined = await linked(services, user, provider="custom_corp")
        assert (joined.user_id, joined.address) == (user.id, None)
        assert (await signed_in(services, provider="custom_corp")).user_id == user.id
        assert len(await emails_of(services, user.id)) == 1

    async def test_several_accounts_at_one_provider_can_be_linked(self, services, google):
        user = await make_user(services)
        google.knows()
        await linked(services, user)
        google.knows(subject="subject-2")
        await linked(services, user)
        assert len(await identities_of(services, user.id)) == 2

    async def test_linking_once_more_changes_nothing(self, services, google):
        user = await make_user(services)
        google.knows()
        first, second = await linked(services, user), await linked(services, user)
        assert first.identity.id == second.identity.id

    async def test_a_link_that_is_given_up_leaves_no_identity(self, services, google):
        """The reference keeps one without an owner, on which the next sign-in crashes (W-4)."""
        user = await make_user(services)
        google.knows(email="other@example.com")
        await token_of(services, kind="profile", user_id=user.id)
        assert await count("identity") == 0
        assert (await signed_in(services)).user_id != user.id

    async def test_anothers_token_links_nothing_sec_081(self, services, google):
        ada, eve = await make_user(services), await make_user(services)
        google.knows()
        token = await token_of(services, kind="profile", user_id=eve.id)
        with pytest.raises(TokenUnknown):
            await redeem(services, token, Redemption("profile", user_id=ada.id))

    async def test_an_identity_that_was_taken_meanwhile_does_not_move_sec_080(
        self, services, google
    ):
        ada, eve = await make_user(services), await make_user(services)
        google.knows()
        token = await token_of(services, kind="profile", user_id=ada.id)
        await linked(services, eve)
        with pytest.raises(IdentityOfAnother):
            await redeem(services, token, Redemption("profile", user_id=ada.id))
        assert len(await identities_of(services, eve.id)) == 1

    async def test_of_two_users_at_once_one_gets_the_identity_sec_137(self, services, google):
        users = [await make_user(services) for _ in range(4)]
        google.knows(email=None)
        tokens = [await token_of(services, kind="profile", user_id=one.id) for one in users]
        tries = (
            redeem(services, token, Redemption("profile", user_id=user.id))
            for user, token in zip(users, tokens, strict=True)
        )
        found = await asyncio.gather(*tries, return_exceptions=True)
        assert sum(not isinstance(one, Exception) for one in found) == 1
        assert await count("identity") == 1


class TestDecidedAgain:
    async def test_a_provider_that_was_switched_off_lets_nobody_in_sec_084(
        self, services, google, connectors
    ):
        google.knows()
        token = await token_of(services)
        connectors.off.add("google")
        with pytest.raises(ProviderDisabled):
            await redeem(services, token)
        assert await count("app_user") == 0

    async def test_an_address_that_was_taken_meanwhile_sec_081(self, services, google):
        google.knows()
        token = await token_of(services)
        await unproved(services)
        with pytest.raises(UserConflict):
            await redeem(services, token)

    async def test_an_account_that_lost_its_address_meanwhile(self, services, google):
        user = await make_user(services, email=ADA)
        google.knows()
        token = await token_of(services)
        await services.users.delete(SYSTEM, user.id)
        assert (await redeem(services, token)).user_id != user.id

    async def test_an_address_nobody_vouches_for_that_was_taken_meanwhile(self, services, google):
        google.knows(email_verified=False)
        token = await token_of(services)
        await make_user(services, email=ADA)
        with pytest.raises(UnverifiedEmail):
            await redeem(services, token)

    async def test_a_new_address_that_was_taken_meanwhile(self, services, google):
        google.knows()
        await signed_in(services)
        google.knows(email="new@example.com")
        token = await token_of(services)
        await make_user(services, email="new@example.com")
        with pytest.raises(MultipleAccounts):
            await redeem(services, token)

    async def test_a_new_address_for_which_there_is_no_room_any_more(
        self, services, google, connectors
    ):
        google.knows()
        await signed_in(services)
        google.knows(email="new@example.com")
        token = await token_of(services)
        with pytest.raises(EmailMaxnum):
            await redeem(reconfigured(services, connectors, email=Email(limit=1)), token)

    async def test_the_verifier_of_the_start_is_asked_for_sec_065(self, services, google):
        google.knows()
        token = await token_of(services, code_verifier=VERIFIER)
        for other in ("", "w" * 64):
            with pytest.raises(VerifierMismatch):
                await redeem(services, token, replace(SIGN_IN, code_verifier=other))
        assert await redeem(services, token)

    async def test_a_token_that_nothing_holds_is_good_for_nobody_sec_065_107(
        self, services, google
    ):
        google.knows()
        token = await token_of(services, code_challenge="")
        for verifier in ("", VERIFIER):
            with pytest.raises(VerifierMismatch):
                await redeem(services, token, replace(SIGN_IN, code_verifier=verifier))
        assert await services.users.by_email("ada@example.com") is None


class TestLosing:
    async def test_proving_an_address_voids_identities_sec_064(self, services, google):
        google.knows(email_verified=False)
        made = await signed_in(services)
        assert await services.federation.forget_all(SYSTEM, made.user_id) == 1
        assert await services.federation.forget_all(SYSTEM, made.user_id) == 0
        assert await identities_of(services, made.user_id) == []

    async def test_deleting_a_user_deletes_identities_sec_122(self, services, google):
        google.knows()
        made = await signed_in(services)
        await services.users.delete(SYSTEM, made.user_id)
        assert await count("identity") == 0
        again = await signed_in(services)
        assert again.created
        assert again.user_id != made.user_id

    async def test_deleting_an_address_keeps_the_identity(self, services, google):
        google.knows()
        made = await signed_in(services)
        await services.users.add_email(
            SYSTEM, made.user_id, NewEmail("b@example.com", is_primary=True, is_verified=True)
        )
        (first, _) = (await services.users.emails_of([made.user_id]))[made.user_id]
        await services.users.delete_email(SYSTEM, made.user_id, first.id)
        (identity,) = await identities_of(services, made.user_id)
        assert identity.email_id is None

    async def me(self, services, user):
        return Oneself(session_actor(await make_session(services, user)))

    async def test_an_identity_is_disconnected_and_its_user_told_sec_037(self, services, google):
        user = await make_user(services, email=ADA)
        google.knows()
        joined = await linked(services, user)
        me = await self.me(services, user)
        await services.own_credentials.disconnect_identity(me, joined.identity.id)
        assert await identities_of(services, user.id) == []
        rows = await fetch("SELECT template FROM mail_outbox ORDER BY created_at, id")
        assert [row["template"] for row in rows] == ["identity_create", "identity_delete"]
        found = await fetch("SELECT details FROM audit_event WHERE type = 'identity_deleted'")
        details = {"provider": "google", "identity": str(joined.identity.id)}
        assert [json.loads(row["details"]) for row in found] == [details]

    async def test_the_last_way_in_is_not_disconnected_sec_037(self, services, google):
        google.knows(email=None)
        made = await signed_in(services)
        user = await services.users.by_id(made.user_id)
        with pytest.raises(LastWayIn):
            me = await self.me(services, user)
            await services.own_credentials.disconnect_identity(me, made.identity.id)
        assert len(await identities_of(services, user.id)) == 1

    async def test_one_of_a_provider_that_is_off_opens_nothing_sec_037(
        self, services, google, corp, connectors
    ):
        google.knows(email=None)
        made = await signed_in(services)
        user = await services.users.by_id(made.user_id)
        corp.knows(email=None)
        await linked(services, user, provider="custom_corp")
        connectors.off.add("custom_corp")
        me = await self.me(services, user)
        with pytest.raises(LastWayIn):
            await services.own_credentials.disconnect_identity(me, made.identity.id)
        connectors.off.clear()
        await services.own_credentials.disconnect_identity(me, made.identity.id)

    async def test_anothers_identity_is_not_there_sec_054(self, services, google):
        ada, eve = await make_user(services), await make_user(services)
        google.knows()
        theirs = await linked(services, ada)
        me = await self.me(services, eve)
        with pytest.raises(IdentityNotFound):
            await services.own_credentials.disconnect_identity(me, theirs.identity.id)
        with pytest.raises(IdentityNotFound):
            await services.federation.disconnect(SYSTEM, eve.id, theirs.identity.id)


class TestFinding:
    async def test_a_user_is_found_by_identity(self, services, google):
        google.knows()
        made = await signed_in(services)
        owner = services.federation.owner_of
        assert await owner("google", "subject-1") == made.user_id
        assert await owner("google", "subject-1", ISSUER) == made.user_id
        for key in [
            ("google", "subject-1", "https://other.example"),
            ("google", "subject-2"),
            ("custom_corp", "subject-1"),
            ("google", "\x00"),
            ("\ud800", "subject-1"),
        ]:
            assert await owner(*key) is None

    async def test_without_the_issuer_two_are_nobody(self, services, google):
        for issuer in (ISSUER, "https://other.example"):
            google.knows(email=None, issuer=issuer)
            await signed_in(services)
        assert await services.federation.owner_of("google", "subject-1") is None
        assert await services.federation.owner_of("google", "subject-1", ISSUER) is not None
