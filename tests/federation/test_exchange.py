"""Exchange tokens: sealed, for a minute, for one flow and verifier, once (SEC-065)."""

import asyncio
import re
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from federation.providers import ISSUER, VERIFIER
from hypothesis import given
from hypothesis import strategies as st

from app.federation.connector import OutsideIdentity
from app.federation.errors import TokenUnknown, UserDataUnusable, VerifierMismatch
from app.federation.exchange import Arrival, Bound, Redemption
from app.federation.identities import checked, fitted
from app.federation.pkce import challenge_of
from app.persistence import fetch, transaction

ADA = OutsideIdentity(
    provider="google",
    issuer=ISSUER,
    subject="subject-1",
    email="ada@example.com",
    email_verified=True,
    claims={"name": "Ada Lovelace", "groups": ["math"]},
)
FLOW, OTHER = UUID(int=1), UUID(int=2)
USER = UUID(int=3)
SIGN_IN = Bound("token_exchange", code_challenge=challenge_of(VERIFIER))
WANTED = Redemption("token_exchange", code_verifier=VERIFIER)


async def rows():
    return await fetch("SELECT digest, payload, expires_at FROM exchange_token")


@pytest.fixture
def tokens(services):
    return services.federation.tokens


async def redeem(tokens, token, wanted):
    """Redeem as a caller must: what is refused leaves the transaction."""
    async with transaction():
        return await tokens.redeem(token, wanted)


class TestTokens:
    async def test_a_token_gives_who_it_is(self, tokens):
        token = await tokens.issue(ADA, SIGN_IN)
        arrival = await redeem(tokens, token, WANTED)
        assert arrival == Arrival(ADA, arrival.new_user_id)

    async def test_a_token_has_256_random_bits_and_is_kept_as_a_digest_sec_065_119(self, tokens):
        many = [await tokens.issue(ADA, SIGN_IN) for _ in range(20)]
        assert len(set(many)) == 20
        assert all(re.fullmatch(r"[A-Za-z0-9_-]{43}", token) for token in many)
        kept = str([dict(row) for row in await rows()])
        assert not any(token in kept for token in many)
        assert not any(part in kept for part in ("subject-1", "ada@example.com", "Lovelace"))

    async def test_it_is_redeemed_once_sec_065(self, tokens):
        token = await tokens.issue(ADA, SIGN_IN)
        await redeem(tokens, token, WANTED)
        with pytest.raises(TokenUnknown):
            await redeem(tokens, token, WANTED)

    async def test_it_lives_for_60_seconds_sec_065(self, tokens, clock):
        early, late = await tokens.issue(ADA, SIGN_IN), await tokens.issue(ADA, SIGN_IN)
        clock.advance(seconds=59)
        await redeem(tokens, early, WANTED)
        clock.advance(seconds=1)
        with pytest.raises(TokenUnknown):
            await redeem(tokens, late, WANTED)

    @pytest.mark.parametrize(
        ("bound", "wanted"),
        [
            (Bound("login", FLOW), Redemption("login", OTHER)),
            (Bound("login", FLOW), Redemption("login")),
            (Bound("login", FLOW), Redemption("profile", FLOW, user_id=USER)),
            (Bound("login", FLOW), Redemption("token_exchange", FLOW)),
            (Bound("login", FLOW), Redemption("login", FLOW, user_id=USER)),
            (Bound("profile", FLOW, USER), Redemption("profile", FLOW, user_id=OTHER)),
            (Bound("profile", FLOW, USER), Redemption("profile", FLOW)),
            (Bound("profile", FLOW, USER), Redemption("login", FLOW)),
            (Bound("profile", None, USER), Redemption("token_exchange", user_id=USER)),
            (SIGN_IN, Redemption("login", FLOW, VERIFIER)),
            (SIGN_IN, Redemption("profile", None, VERIFIER, USER)),
        ],
    )
    async def test_it_is_bound_to_its_flow_and_user_sec_065(self, tokens, bound, wanted):
        token = await tokens.issue(ADA, bound)
        with pytest.raises(TokenUnknown):
            await redeem(tokens, token, wanted)
        good = Redemption(bound.kind, bound.flow_id, VERIFIER, bound.user_id)
        assert (await redeem(tokens, token, good)).outside == ADA

    @pytest.mark.parametrize("kind", ["login", "registration"])
    async def test_signing_in_and_up_is_one_kind(self, tokens, kind):
        token = await tokens.issue(ADA, Bound("login", FLOW))
        assert await redeem(tokens, token, Redemption(kind, FLOW))

    @pytest.mark.parametrize("verifier", ["", "w" * 64, "v" * 63, challenge_of(VERIFIER), "\ud800"])
    async def test_it_is_bound_to_the_verifier_where_one_was_set_sec_065(self, tokens, verifier):
        token = await tokens.issue(ADA, SIGN_IN)
        with pytest.raises(VerifierMismatch):
            await redeem(tokens, token, Redemption("token_exchange", code_verifier=verifier))
        assert (await redeem(tokens, token, WANTED)).outside == ADA

    @pytest.mark.parametrize("kind", ["login", "registration", "token_exchange"])
    async def test_a_token_that_nothing_holds_is_redeemed_by_nobody_sec_065_107(self, tokens, kind):
        token = await tokens.issue(ADA, Bound(kind))
        for flow_id in (None, FLOW):
            for verifier in ("", VERIFIER):
                with pytest.raises(VerifierMismatch):
                    await redeem(tokens, token, Redemption(kind, flow_id, verifier))

    async def test_what_a_saml_provider_begins_nobody_here_can_hold_sec_090(self, tokens):
        for wanted in (Redemption("token_exchange"), Redemption("token_exchange", FLOW)):
            token = await tokens.issue(ADA, Bound("token_exchange", is_unsolicited=True))
            with pytest.raises(TokenUnknown):
                await redeem(tokens, token, Redemption("login", FLOW))
            assert (await redeem(tokens, token, wanted)).outside == ADA

    async def test_a_verifier_that_was_set_is_asked_for_whoever_began_sec_065(self, tokens):
        held = replace(SIGN_IN, is_unsolicited=True)
        for bound in (held, replace(held, flow_id=FLOW)):
            token = await tokens.issue(ADA, bound)
            with pytest.raises(VerifierMismatch):
                await redeem(tokens, token, Redemption("token_exchange", bound.flow_id))

    async def test_no_other_random_text_is_a_token_sec_023(self, services, tokens):
        token = await tokens.issue(ADA, SIGN_IN)
        nonce = await services.federation.id_token_nonce()
        digest = (await rows())[0]["digest"]
        for other in ("", nonce, digest, token[:-1], token + "A", "\ud800", "x" * 100_000):
            with pytest.raises(TokenUnknown):
                await redeem(tokens, other, WANTED)

    async def test_what_is_undone_is_not_redeemed(self, tokens):
        token = await tokens.issue(ADA, SIGN_IN)
        with pytest.raises(ZeroDivisionError):
            async with transaction():
                await tokens.redeem(token, WANTED)
                raise ZeroDivisionError
        assert await redeem(tokens, token, WANTED)

    async def test_of_many_at_once_one_redeems_it_sec_065_137(self, tokens):
        token = await tokens.issue(ADA, SIGN_IN)
        wanted = WANTED
        tries = (redeem(tokens, token, wanted) for _ in range(20))
        found = await asyncio.gather(*tries, return_exceptions=True)
        assert sorted(type(one).__name__ for one in found) == ["Arrival", *["TokenUnknown"] * 19]

    async def test_of_two_replicas_one_redeems_it_sec_065_137(self, tokens, replicas):
        token = await tokens.issue(ADA, SIGN_IN)
        answers = await asyncio.gather(*(r.ask("redeem", token=token, times=10) for r in replicas))
        names = [name for answer in answers for name in answer]
        assert sorted(names) == ["Arrival", *["TokenUnknown"] * 19]

    async def test_what_was_not_redeemed_is_removed_sec_126(self, services, tokens, clock):
        await tokens.issue(ADA, SIGN_IN)
        clock.advance(seconds=40)
        await tokens.issue(ADA, SIGN_IN)
        clock.advance(seconds=20)
        await services.federation.tokens.sweep()
        assert len(await rows()) == 1

    async def test_a_row_stays_below_4_kib_whatever_a_provider_tells_sec_126(self, tokens):
        claims = {"picture": "https://a.example/" + "p" * 500, "bio": "b" * 100_000}
        claims |= {f"claim-{n}": "c" * 50 for n in range(200)}
        wordy = OutsideIdentity("p" * 70, "i" * 1024, "s" * 512, "a@b.example", claims=claims)
        bound = Bound("profile", uuid4(), uuid4(), challenge_of(VERIFIER))
        token = await tokens.issue(wordy, bound)
        (row,) = await rows()
        assert len(str(dict(row)).encode()) < 4096
        wanted = Redemption("profile", bound.flow_id, VERIFIER, bound.user_id)
        kept = (await redeem(tokens, token, wanted)).outside
        assert kept.claims["picture"] == claims["picture"]
        assert "bio" not in kept.claims
        assert "claim-0" in kept.claims


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)


class TestWhatProvidersSay:
    @given(st.dictionaries(st.text(max_size=10), JSON, max_size=8), st.integers(0, 300))
    def test_claims_fit_into_their_room(self, claims, room):
        kept = fitted(claims, room)
        assert kept.items() <= claims.items() or kept.keys() <= claims.keys()
        assert sum(len(f"{k}{v}") for k, v in kept.items()) <= room or not kept or room > 0

    @pytest.mark.parametrize("value", ["\ud800", {"\ud800": 1}, "\x00", [["\x00"]], object()])
    def test_what_no_database_holds_is_left_out(self, value):
        assert fitted({"odd": value, "name": "Ada"}, 1000) == {"name": "Ada"}

    def test_what_is_nested_too_deeply_is_left_out(self):
        deep = 1
        for _ in range(5000):
            deep = [deep]
        assert fitted({"deep": deep}, 100_000) == {}

    @pytest.mark.parametrize(
        "given",
        [
            {"subject": ""},
            {"subject": " "},
            {"subject": " s"},
            {"subject": "s" * 513},
            {"subject": "a\x00b"},
            {"subject": "a\nb"},
            {"subject": "a\u202eb"},
            {"subject": "\ud800"},
            {"issuer": ""},
            {"issuer": "i" * 1025},
            {"issuer": "i\r\n"},
        ],
    )
    def test_who_cannot_be_told_apart_is_refused_sec_080(self, given):
        known = {"provider": "google", "issuer": ISSUER, "subject": "s", **given}
        with pytest.raises(UserDataUnusable):
            checked(OutsideIdentity(**known))

    @pytest.mark.parametrize(
        "address",
        ["", "ada", "ada@", "a@b.example,c@d.example", "a\r\n@b.example", "a@b\x00", None],
    )
    def test_what_is_no_address_is_left_out_and_not_vouched_for(self, address):
        kept = checked(OutsideIdentity("google", ISSUER, "s", address, email_verified=True))
        assert (kept.email, kept.email_verified) == (None, False)

    @pytest.mark.parametrize("claim", ["true", 1, "false", None, [True]])
    def test_only_true_vouches_sec_081(self, claim):
        said = OutsideIdentity("google", ISSUER, "s", "a@b.example", email_verified=claim)
        assert checked(said).email_verified is False
