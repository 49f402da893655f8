"""Passcodes: drawn, bound, tried three times, used once."""

import asyncio
from collections import Counter
from dataclasses import replace
from itertools import product
from uuid import uuid4

import msgspec
import pytest
from factories import make_user, reconfigured
from hypothesis import given
from hypothesis import strategies as st

from app import worker
from app.access import SYSTEM
from app.config.sections import Email
from app.credentials import passcode_text
from app.credentials.guessing import MOST_IN_SUCCESSION, Paused
from app.credentials.passcodes import Binding, Exhausted, Expired, Matched, NewPasscode, Wrong
from app.keyedhash import KeyedHash
from app.persistence import fetch, transaction

ADDRESS = "alice@example.com"
ROUNDS = 50


def binding(**given) -> Binding:
    return Binding(**{"flow_id": uuid4(), "purpose": "login", "address": ADDRESS, **given})


def another(code: str) -> str:
    """A code that is wrong."""
    return f"{(int(code) + 1) % 1_000_000:06}"


class TestDrawing:
    def test_every_digit_stands_everywhere_equally_often_sec_039(self):
        """SEC-039: 999999 can come as well as any other."""
        counts = Counter((n, c) for _ in range(20_000) for n, c in enumerate(draw("numeric")))
        assert counts.keys() == set(product(range(6), "0123456789"))
        assert all(1_700 < count < 2_300 for count in counts.values())  # 7 sigma

    def test_letters_are_of_the_whole_alphabet_and_none_looks_like_another_sec_039(self):
        counts = Counter(c for _ in range(20_000) for c in draw("alphanumeric"))
        assert len(counts) == 57
        assert not counts.keys() & set("01IOl")
        assert all(1_780 < count < 2_430 for count in counts.values())

    def test_a_code_has_the_six_characters_that_pages_have_boxes_for(self):
        assert {len(draw(charset)) for charset in ("numeric", "alphanumeric")} == {6}

    async def test_the_charset_is_the_configured_one(self, services):
        config = msgspec.structs.replace(services.config.email, passcode_charset="alphanumeric")
        others = await reconfigured(services, email=config)
        codes = [(await others.passcodes.issue(binding())).code for _ in range(20)]
        assert any(not code.isdigit() for code in codes)
        assert (await services.passcodes.issue(binding())).code.isdigit()


draw = passcode_text.draw


class TestVerifying:
    async def test_a_code_works_once_sec_039(self, services):
        asked = binding()
        issued = await services.passcodes.issue(asked)
        assert await services.passcodes.verify(asked, issued.code) == Matched()
        assert await services.passcodes.verify(asked, issued.code) == Expired()

    async def test_a_code_lives_five_minutes_sec_039(self, services, clock):
        asked = binding()
        issued = await services.passcodes.issue(asked)
        assert (issued.expires_at - clock.now).total_seconds() == 300
        clock.advance(seconds=299)
        assert await services.passcodes.is_live(asked)
        other = binding()
        late = await services.passcodes.issue(other)
        clock.advance(seconds=1)
        assert not await services.passcodes.is_live(asked)
        assert await services.passcodes.verify(asked, issued.code) == Expired()
        assert await services.passcodes.verify(other, late.code) == Matched()

    async def test_the_third_wrong_try_is_the_last_sec_041(self, services, clock):
        asked = binding()
        code = (await services.passcodes.issue(asked)).code
        assert await services.passcodes.verify(asked, another(code)) == Wrong(2)
        assert await services.passcodes.verify(asked, another(code)) == Wrong(1)
        assert await services.passcodes.is_live(asked)
        assert await services.passcodes.verify(asked, another(code)) == Exhausted()
        assert not await services.passcodes.is_live(asked)
        assert await services.passcodes.verify(asked, code) == Exhausted()
        clock.advance(seconds=300)
        assert await services.passcodes.verify(asked, code) == Expired()

    async def test_the_third_try_may_be_right(self, services):
        asked = binding()
        code = (await services.passcodes.issue(asked)).code
        for _ in range(2):
            await services.passcodes.verify(asked, another(code))
        assert await services.passcodes.verify(asked, code) == Matched()

    async def test_a_newer_code_of_the_flow_ends_the_older_sec_039(self, services):
        asked = binding()
        old = (await services.passcodes.issue(asked)).code
        await services.passcodes.verify(asked, another(old))
        new = (await services.passcodes.issue(asked)).code
        if old != new:
            assert await services.passcodes.verify(asked, old) == Wrong(2)
        assert await services.passcodes.verify(asked, new) == Matched()

    @pytest.mark.parametrize(
        "other",
        [
            {"flow_id": uuid4()},
            {"purpose": "recovery"},
            {"address": "mallory@example.com"},
            {"user_id": uuid4()},
        ],
        ids=lambda other: next(iter(other)),
    )
    async def test_a_code_is_good_for_one_thing_alone_sec_040(self, services, other):
        asked = binding()
        issued = await services.passcodes.issue(asked)
        wrong = replace(asked, **other)
        assert not await services.passcodes.is_live(wrong)
        refused = Expired() if "flow_id" in other else Wrong(2)
        assert await services.passcodes.verify(wrong, issued.code) == refused
        assert await services.passcodes.verify(asked, issued.code) == Matched()

    async def test_an_address_is_compared_as_addresses_are(self, services):
        asked = binding(address="Alice@Example.com")
        issued = await services.passcodes.issue(asked)
        same = binding(flow_id=asked.flow_id, address="alice@EXAMPLE.COM")
        assert await services.passcodes.is_live(same)
        assert await services.passcodes.verify(same, issued.code) == Matched()

    async def test_nobody_gets_on_with_a_decoy(self, services):
        asked = binding(purpose="email_registration_attempted")
        issued = await services.passcodes.issue(asked, is_decoy=True)
        assert await services.passcodes.is_live(asked)
        assert await services.passcodes.verify(asked, issued.code) == Wrong(2)

    async def test_letters_keep_their_case(self, services):
        config = msgspec.structs.replace(services.config.email, passcode_charset="alphanumeric")
        others = await reconfigured(services, email=config)
        asked = binding()
        code = (await others.passcodes.issue(asked)).code
        while code == code.swapcase():
            code = (await others.passcodes.issue(asked)).code
        assert await others.passcodes.verify(asked, code.swapcase()) == Wrong(2)
        assert await others.passcodes.verify(asked, code) == Matched()

    @given(st.text(st.characters(exclude_categories=()), max_size=200))
    async def test_any_text_may_be_entered(self, services, text):
        asked = binding()
        code = (await services.passcodes.issue(asked)).code
        right = text == code
        assert await services.passcodes.verify(asked, text) == (Matched() if right else Wrong(2))
        await services.guesses.clear("passcode", f"any:{ADDRESS}")

    async def test_what_follows_a_right_code_makes_it_wrong(self, services):
        asked = binding()
        code = (await services.passcodes.issue(asked)).code
        for entered in (code + " ", f" {code}", code + "\0" * 100):
            await services.passcodes.issue(asked)
            assert isinstance(await services.passcodes.verify(asked, entered), Wrong)

    async def test_a_code_outlives_a_change_of_the_encryption_secret(self, services):
        old, new = "an-older-secret-0000001", "a-newer-secret-00000002"
        asked = binding()
        before = replace(services.passcodes, hash=KeyedHash([old], "passcodes"))
        after = replace(services.passcodes, hash=KeyedHash([new, old], "passcodes"))
        issued = await before.issue(asked)
        assert await after.is_live(asked)
        assert await after.verify(asked, issued.code) == Matched()


class TestRaces:
    async def test_of_100_parallel_redemptions_one_succeeds_sec_137(self, services):
        for _ in range(5):
            asked = binding()
            code = (await services.passcodes.issue(asked)).code
            outcomes = await asyncio.gather(
                *(services.passcodes.verify(asked, code) for _ in range(100))
            )
            assert Counter(outcomes) == {Matched(): 1, Expired(): 99}

    async def test_of_100_parallel_guesses_three_are_evaluated_sec_041(self, services):
        asked = binding()
        code = (await services.passcodes.issue(asked)).code
        outcomes = await asyncio.gather(
            *(services.passcodes.verify(asked, another(code)) for _ in range(100))
        )
        assert Counter(outcomes) == {Wrong(2): 1, Wrong(1): 1, Exhausted(): 98}
        assert await services.passcodes.verify(asked, code) == Exhausted()

    async def test_two_processes_redeem_a_code_once_sec_137(self, services, replicas):
        for _ in range(ROUNDS):
            asked = binding()
            code = (await services.passcodes.issue(asked)).code
            outcomes = await everywhere(replicas, asked, [code] * 10)
            assert Counter(outcomes) == {"Matched": 1, "Expired": 19}

    async def test_two_processes_evaluate_three_guesses_sec_041(self, services, replicas):
        asked = binding()
        code = (await services.passcodes.issue(asked)).code
        outcomes = await everywhere(replicas, asked, [another(code)] * 50)
        assert Counter(outcomes) == {"Wrong": 2, "Exhausted": 98}

    async def test_what_is_rolled_back_was_no_redemption(self, services):
        asked = binding()
        code = (await services.passcodes.issue(asked)).code
        with pytest.raises(ZeroDivisionError):
            async with transaction():
                assert await services.passcodes.verify(asked, code) == Matched()
                raise ZeroDivisionError
        assert await services.passcodes.verify(asked, code) == Matched()


async def everywhere(replicas, asked, codes) -> list[str]:
    """Enter codes in every process at once."""
    named = {"flow_id": str(asked.flow_id), "purpose": asked.purpose, "address": asked.address}
    answers = await asyncio.gather(
        *(replica.ask("try_passcode", binding=named, codes=codes) for replica in replicas)
    )
    return [outcome for answer in answers for outcome in answer]


class TestGuessing:
    """Across flows and codes that are issued anew (SEC-042)."""

    async def guess(self, services, count, *, known_browser=False, **given):
        """Guess wrong so often, in as many flows as it takes."""
        outcomes, verify = [], services.passcodes.verify
        for n in range(count):
            if n % 3 == 0:
                asked = binding(**given)
                wrong = another((await services.passcodes.issue(asked)).code)
            outcomes.append(await verify(asked, wrong, known_browser=known_browser))
        return outcomes

    async def test_a_hundred_wrong_codes_in_succession_close_an_account_for_a_day_sec_042(
        self, services, clock
    ):
        outcomes = await self.guess(services, MOST_IN_SUCCESSION + 2)
        assert not any(isinstance(one, Paused) for one in outcomes[:100])
        assert outcomes[100:] == [Paused(86_400)] * 2
        asked = binding()
        issued = await services.passcodes.issue(asked)
        clock.advance(seconds=60)
        assert await services.passcodes.verify(asked, issued.code) == Paused(86_340)
        clock.advance(seconds=86_340)
        issued = await services.passcodes.issue(asked)
        assert await services.passcodes.verify(asked, issued.code) == Matched()

    async def test_another_account_and_a_known_browser_go_on_sec_042_072(self, services):
        await self.guess(services, 101)
        other = binding(address="bob@example.com")
        issued = await services.passcodes.issue(other)
        assert await services.passcodes.verify(other, issued.code) == Matched()
        asked = binding()
        issued = await services.passcodes.issue(asked)
        found = await services.passcodes.verify(asked, issued.code, known_browser=True)
        assert found == Matched()

    async def test_a_known_browser_guesses_no_more_often_sec_042(self, services):
        outcomes = await self.guess(services, 101, known_browser=True)
        assert isinstance(outcomes[100], Paused)

    async def test_a_right_code_begins_the_count_anew(self, services):
        await self.guess(services, 99)
        asked = binding()
        issued = await services.passcodes.issue(asked)
        assert await services.passcodes.verify(asked, issued.code) == Matched()
        outcomes = await self.guess(services, 100)
        assert not any(isinstance(one, Paused) for one in outcomes)

    async def test_all_addresses_of_a_user_are_one_account_sec_042(self, services):
        user = await make_user(services)
        for address in ("a@example.com", "b@example.com"):
            outcomes = await self.guess(services, 51, address=address, user_id=user.id)
        assert isinstance(outcomes[-1], Paused)

    async def test_an_address_without_an_account_is_counted_alike_sec_066(self, services):
        outcomes = await self.guess(services, 101, address="nobody@example.com")
        assert isinstance(outcomes[100], Paused)

    async def test_a_day_without_a_guess_ends_the_count(self, services, clock):
        await self.guess(services, 99)
        clock.advance(hours=24)
        outcomes = await self.guess(services, 100)
        assert not any(isinstance(one, Paused) for one in outcomes)

    async def test_parallel_guesses_do_not_pass_the_hundred_sec_042(self, services):
        await self.guess(services, 90)
        asked = [binding() for _ in range(30)]
        codes = [(await services.passcodes.issue(one)).code for one in asked]
        outcomes = await asyncio.gather(
            *(
                services.passcodes.verify(one, another(code))
                for one, code in zip(asked, codes, strict=True)
            )
        )
        assert sum(isinstance(one, Wrong) for one in outcomes) == 10


class TestStorage:
    async def test_neither_code_nor_address_is_stored_sec_039_119(self, services):
        user = await make_user(services)
        asked = binding(user_id=user.id)
        issued = await services.passcodes.issue(asked)
        await services.passcodes.verify(asked, another(issued.code))
        rows = [*await fetch("SELECT * FROM passcode"), *await fetch("SELECT * FROM guess_count")]
        text = " ".join(str(value) for row in rows for value in dict(row).values())
        assert ADDRESS not in text
        assert issued.code not in [str(value) for row in rows for value in dict(row).values()]
        assert len(text) < 4096

    async def test_one_code_has_a_hash_of_its_own_in_every_flow_sec_039(self, services):
        one, other = binding(), binding()
        digests = {
            services.passcodes.hash.digest("code", *asked.parts, "123456") for asked in (one, other)
        }
        assert len(digests) == 2

    def test_a_code_does_not_show_itself_sec_043_116(self):
        assert "123456" not in repr(NewPasscode("123456", None))

    async def test_codes_of_a_deleted_user_are_gone_sec_122(self, services):
        user = await make_user(services)
        asked = binding(user_id=user.id)
        issued = await services.passcodes.issue(asked)
        await services.users.delete(SYSTEM, user.id)
        assert await fetch("SELECT * FROM passcode") == []
        assert await services.passcodes.verify(asked, issued.code) == Expired()

    async def test_a_code_may_be_for_a_user_who_is_still_to_be_made(self, services):
        asked = binding(user_id=uuid4())
        issued = await services.passcodes.issue(asked)
        assert await services.passcodes.verify(asked, issued.code) == Matched()

    async def test_what_has_expired_is_removed_sec_126(self, services, clock):
        asked = binding()
        code = (await services.passcodes.issue(asked)).code
        await services.passcodes.verify(asked, another(code))
        clock.advance(seconds=299)
        await services.passcodes.sweep()
        await services.guesses.sweep()
        assert await services.passcodes.is_live(asked)
        clock.advance(hours=24)
        await services.passcodes.sweep()
        await services.guesses.sweep()
        assert not await fetch("SELECT 1 AS one FROM passcode")
        assert not await fetch("SELECT 1 AS one FROM guess_count")

    async def test_the_worker_removes_what_has_expired_sec_126(self, services, clock):
        user = await make_user(services)
        await services.passcodes.issue(binding())
        await services.trusted_devices.issue(SYSTEM, user.id)
        await services.totp.verify(user.id, "000000")
        clock.advance(days=31)
        await worker._sweep(services)
        for table in ("passcode", "guess_count", "trusted_device"):
            assert not await fetch(f"SELECT 1 AS one FROM {table}")

    def test_the_default_life_is_five_minutes_sec_039(self):
        assert Email().passcode_ttl == 300
