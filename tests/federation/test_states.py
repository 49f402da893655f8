"""What is pending while a browser is at a provider: one browser's, once, for five minutes."""

import asyncio
import re
from dataclasses import replace

import msgspec
import pytest
from federation.providers import ERRORS, TARGET, VERIFIER, begun, request
from hypothesis import given
from hypothesis import strategies as st

from app.assembly import assemble
from app.federation.browsers import MARK
from app.federation.errors import (
    CodeChallengeInvalid,
    NonceUnknown,
    ProviderUnknown,
    RedirectNotAllowed,
    StateExpired,
    StateUnverified,
)
from app.federation.pkce import challenge_of, fits
from app.federation.states import Pending
from app.persistence import fetch
from app.redirects import LONGEST, Redirects

PENDING = Pending(provider="google", redirect_to=TARGET, kind="login")


async def rows():
    return await fetch("SELECT digest, payload, expires_at FROM federation_state")


class TestStates:
    async def test_a_state_is_taken_in_its_browser(self, services):
        kept = await services.federation.states.keep(PENDING)
        assert await services.federation.states.take(kept.state, kept.browser_secret) == PENDING

    async def test_a_state_has_256_random_bits_sec_074(self, services):
        states = services.federation.states
        many = [await states.keep(PENDING) for _ in range(20)]
        apart = [kept.browser_secret.removeprefix(kept.state[:MARK]) for kept in many]
        texts = {*apart, *(kept.state for kept in many)}
        assert len(texts) == 40
        assert all(re.fullmatch(r"[A-Za-z0-9_-]{43}", text) for text in texts)

    async def test_a_replayed_state_is_refused_sec_074(self, services):
        states = services.federation.states
        kept = await states.keep(PENDING)
        await states.take(kept.state, kept.browser_secret)
        with pytest.raises(StateUnverified):
            await states.take(kept.state, kept.browser_secret)

    async def test_another_browser_takes_nothing_and_spoils_nothing_sec_074(self, services):
        states = services.federation.states
        kept, other = await states.keep(PENDING), await states.keep(PENDING)
        for secret in (other.browser_secret, "", "x", "\ud800", "x" * 10_000):
            with pytest.raises(StateUnverified):
                await states.take(kept.state, secret)
        assert await states.take(kept.state, kept.browser_secret) == PENDING

    async def test_a_state_that_was_never_given_out_is_refused_sec_074(self, services):
        kept = await services.federation.states.keep(PENDING)
        for state in ("", "x", kept.state + "x", kept.state[:-1], kept.browser_secret):
            with pytest.raises(StateUnverified):
                await services.federation.states.take(state, kept.browser_secret)

    async def test_it_expires_after_five_minutes_sec_074(self, services, clock):
        states = services.federation.states
        early, late = await states.keep(PENDING), await states.keep(PENDING)
        clock.advance(minutes=4, seconds=59)
        assert await states.take(early.state, early.browser_secret) == PENDING
        clock.advance(seconds=1)
        with pytest.raises(StateExpired):
            await states.take(late.state, late.browser_secret)

    async def test_of_many_at_once_one_takes_it_sec_074(self, services):
        states = services.federation.states
        kept = await states.keep(PENDING)
        takes = (states.take(kept.state, kept.browser_secret) for _ in range(20))
        found = await asyncio.gather(*takes, return_exceptions=True)
        assert found.count(PENDING) == 1
        assert sum(isinstance(one, StateUnverified) for one in found) == 19

    async def test_of_two_replicas_one_takes_it_sec_074(self, services, replicas):
        kept = await services.federation.states.keep(PENDING)
        given = {"state": kept.state, "browser_secret": kept.browser_secret, "times": 10}
        answers = await asyncio.gather(*(one.ask("take_state", **given) for one in replicas))
        names = [name for answer in answers for name in answer]
        assert sorted(names) == ["Pending", *["StateUnverified"] * 19]

    async def test_a_row_tells_nothing_and_is_small_sec_119_126(self, services, google):
        wide = replace(services.federation, redirects=Redirects(["https://app.example.com/**"]))
        target = TARGET + "/" + "y" * (LONGEST - len(TARGET) - 1)
        made = await wide.begin(request(redirect_to=target, code_verifier=VERIFIER))
        state = google.started[0].state
        (row,) = await rows()
        shown = str(dict(row))
        assert len(shown.encode()) < 4096
        secrets = (state, made.browser_secret, VERIFIER, google.started[0].nonce, "google")
        assert not any(secret in shown for secret in secrets)

    async def test_a_sealed_row_opens_in_its_place_alone_sec_119(self, services):
        states = services.federation.states
        mine, theirs = await states.keep(PENDING), await states.keep(PENDING)
        payloads = [row["payload"] for row in await rows()]
        for row, payload in zip(await rows(), reversed(payloads), strict=True):
            await fetch(
                "UPDATE federation_state SET payload = $2 WHERE digest = $1", row["digest"], payload
            )
        for kept in (mine, theirs):
            with pytest.raises(StateUnverified):
                await states.take(kept.state, kept.browser_secret)

    async def test_what_nobody_came_back_for_is_removed_sec_126(self, services, clock):
        await services.federation.states.keep(PENDING)
        clock.advance(minutes=3)
        await services.federation.states.keep(PENDING)
        clock.advance(minutes=3)
        await services.federation.states.sweep()
        assert len(await rows()) == 1


class TestNonces:
    async def test_a_nonce_is_good_once_sec_076(self, services):
        states = services.federation.states
        nonce = await states.give_nonce()
        await states.take_nonce(nonce)
        with pytest.raises(NonceUnknown):
            await states.take_nonce(nonce)

    async def test_it_expires(self, services, clock):
        nonce = await services.federation.states.give_nonce()
        clock.advance(minutes=5)
        with pytest.raises(NonceUnknown):
            await services.federation.states.take_nonce(nonce)

    async def test_a_nonce_is_no_state_and_a_state_no_nonce_sec_023(self, services):
        states = services.federation.states
        nonce, kept = await states.give_nonce(), await states.keep(PENDING)
        for text in (kept.state, kept.browser_secret, ""):
            with pytest.raises(NonceUnknown):
                await states.take_nonce(text)
        with pytest.raises(StateUnverified):
            await states.take(nonce, "")


class TestStart:
    async def test_the_provider_gets_state_nonce_and_challenge_and_no_verifier(
        self, services, google
    ):
        """SEC-075: the verifier is in no URL and no cookie."""
        made, state = await begun(services)
        (start,) = google.started
        assert start.state == state
        assert len({start.state, start.nonce, start.code_challenge, made.browser_secret}) == 4
        pending = await services.federation.states.take(state, made.browser_secret)
        assert challenge_of(pending.code_verifier) == start.code_challenge
        assert pending.code_verifier not in made.redirect_url + made.browser_secret

    @pytest.mark.parametrize(
        ("given", "error"),
        [
            ({"provider": "github"}, ProviderUnknown),
            ({"redirect_to": "https://evil.example"}, RedirectNotAllowed),
            ({"redirect_to": "//app.example.com/in"}, RedirectNotAllowed),
            ({"code_verifier": "short"}, CodeChallengeInvalid),
            ({"code_verifier": "v" * 129}, CodeChallengeInvalid),
            ({"code_verifier": "v" * 42 + "é"}, CodeChallengeInvalid),
            ({"code_challenge": "plain"}, CodeChallengeInvalid),
        ],
    )
    async def test_what_cannot_begin_leaves_nothing(self, services, given, error):
        with pytest.raises(error):
            await services.federation.begin(request(**given))
        assert await rows() == []

    async def test_without_a_target_the_browser_comes_to_the_page_of_errors(self, services):
        made, state = await begun(services, redirect_to="")
        pending = await services.federation.states.take(state, made.browser_secret)
        assert pending.redirect_to == services.federation.error_redirect_url

    async def test_without_a_target_the_browser_comes_to_the_configured_one(self, services):
        home = replace(services.federation, default_redirect_url=TARGET)
        assert home.pending(request(redirect_to="")).redirect_to == TARGET
        assert home.pending(request(redirect_to=ERRORS)).redirect_to == ERRORS

    async def test_a_configured_target_that_is_not_allowed_leads_nowhere(self, services):
        home = replace(services.federation, default_redirect_url="https://evil.example/in")
        with pytest.raises(RedirectNotAllowed):
            home.pending(request(redirect_to=""))

    async def test_the_configuration_says_where_browsers_come_without_a_target(self, services):
        config = msgspec.structs.replace(
            services.config,
            third_party=msgspec.structs.replace(
                services.config.third_party, default_redirect_url=TARGET
            ),
        )
        assert assemble(config).federation.default_redirect_url == TARGET

    @given(st.text(max_size=140))
    def test_only_the_verifier_itself_fits_its_challenge(self, other):
        assert fits(challenge_of(VERIFIER), VERIFIER)
        assert fits(challenge_of(VERIFIER), other) is (other == VERIFIER)
