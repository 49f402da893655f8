"""Recovery codes: ten, shown once, each good once."""

import asyncio
import re
from collections import Counter
from uuid import uuid4

import pytest
from factories import make_user
from hypothesis import given
from hypothesis import strategies as st

from app.access import SYSTEM
from app.credentials import recovery_code_text
from app.credentials.recovery_codes import Accepted, Malformed, Wrong
from app.errors import NotFound
from app.persistence import fetch

SHAPE = re.compile(r"[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){3}")
ROUNDS = 50


class TestText:
    def test_a_code_has_80_random_bits_in_groups_of_four(self):
        codes = {recovery_code_text.draw() for _ in range(1000)}
        assert len(codes) == 1000
        assert all(SHAPE.fullmatch(code) for code in codes)
        counts = Counter(character for code in codes for character in code.replace("-", ""))
        assert len(counts) == 32
        assert all(380 < count < 620 for count in counts.values())

    @given(st.data())
    def test_blanks_hyphens_and_case_do_not_matter(self, data):
        code = recovery_code_text.draw().replace("-", "")
        typed = "".join(
            data.draw(st.sampled_from([c, c.lower()])) + data.draw(st.sampled_from(["", " ", "-"]))
            for c in code
        )
        assert recovery_code_text.read(typed) == code

    def test_what_looks_alike_is_the_same(self):
        assert recovery_code_text.read("OoIi-Ll01-ABCD-EFGH") == "0011110" + "1ABCDEFGH"
        assert recovery_code_text.read("ABCD\u2013EFGH\u20110000\u22121111\n") == "ABCDEFGH00001111"

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "-",
            "123456",
            "A" * 15,
            "A" * 17,
            "U" * 16,
            "é" * 16,
            "A" * 8 + "_" * 8,
            "\u0131" * 16,
        ],
    )
    def test_what_is_no_code_is_told_apart(self, text):
        assert recovery_code_text.read(text) is None

    @given(st.text(st.characters(exclude_categories=()), max_size=100))
    def test_any_text_is_a_code_or_none_sec_124(self, text):
        code = recovery_code_text.read(text)
        assert code is None or re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{16}", code)

    def test_a_long_text_is_none(self):
        assert recovery_code_text.read("A" * 16 + " " * 100_000) is None


class TestCodes:
    async def test_ten_are_made_and_each_works_once(self, services):
        user = await make_user(services)
        codes = await services.recovery_codes.generate(SYSTEM, user.id)
        assert len(set(codes)) == 10
        for n, code in enumerate(codes, 1):
            redeem = services.recovery_codes.redeem
            assert await redeem(SYSTEM, user.id, code) == Accepted(10 - n)
            assert await redeem(SYSTEM, user.id, code.lower()) == Wrong()
        assert await services.recovery_codes.left(user.id) == 0

    async def test_new_ones_make_the_old_ones_void(self, services):
        user = await make_user(services)
        old = await services.recovery_codes.generate(SYSTEM, user.id)
        new = await services.recovery_codes.generate(SYSTEM, user.id)
        assert await services.recovery_codes.left(user.id) == 10
        assert await services.recovery_codes.redeem(SYSTEM, user.id, old[0]) == Wrong()
        assert await services.recovery_codes.redeem(SYSTEM, user.id, new[0]) == Accepted(9)

    async def test_parallel_generations_leave_the_ten_of_one(self, services):
        user = await make_user(services)
        made = await asyncio.gather(
            *(services.recovery_codes.generate(SYSTEM, user.id) for _ in range(5))
        )
        assert await services.recovery_codes.left(user.id) == 10
        found = [await services.recovery_codes.redeem(SYSTEM, user.id, codes[0]) for codes in made]
        assert Counter(found) == {Wrong(): 4, Accepted(9): 1}

    async def test_a_code_of_another_user_is_wrong(self, services):
        alice, bob = await make_user(services), await make_user(services)
        codes = await services.recovery_codes.generate(SYSTEM, alice.id)
        assert await services.recovery_codes.redeem(SYSTEM, bob.id, codes[0]) == Wrong()
        assert await services.recovery_codes.left(alice.id) == 10

    async def test_what_is_no_code_is_no_guess(self, services):
        user = await make_user(services)
        assert await services.recovery_codes.redeem(SYSTEM, user.id, "123456") == Malformed()
        assert await fetch("SELECT 1 AS one FROM guess_count") == []

    async def test_deleted_codes_are_void(self, services):
        user = await make_user(services)
        codes = await services.recovery_codes.generate(SYSTEM, user.id)
        await services.recovery_codes.delete(SYSTEM, user.id)
        await services.recovery_codes.delete(SYSTEM, user.id)
        assert await services.recovery_codes.redeem(SYSTEM, user.id, codes[0]) == Wrong()
        assert await services.recovery_codes.left(user.id) == 0

    async def test_nobody_has_none(self, services):
        with pytest.raises(NotFound):
            await services.recovery_codes.generate(SYSTEM, uuid4())
        assert await services.recovery_codes.left(uuid4()) == 0
        assert await services.recovery_codes.redeem(SYSTEM, uuid4(), "0" * 16) == Wrong()

    async def test_of_100_parallel_uses_of_a_code_one_succeeds_sec_137(self, services):
        user = await make_user(services)
        codes = await services.recovery_codes.generate(SYSTEM, user.id)
        outcomes = await asyncio.gather(
            *(services.recovery_codes.redeem(SYSTEM, user.id, codes[0]) for _ in range(100))
        )
        assert Counter(outcomes) == {Accepted(9): 1, Wrong(): 99}

    async def test_two_processes_accept_a_code_once_sec_137(self, services, replicas):
        for _ in range(ROUNDS):
            user = await make_user(services)
            code = (await services.recovery_codes.generate(SYSTEM, user.id))[0]
            answers = await asyncio.gather(
                *(
                    replica.ask("try_recovery_code", user=str(user.id), codes=[code] * 5)
                    for replica in replicas
                )
            )
            assert Counter(answers[0] + answers[1]) == {"Accepted": 1, "Wrong": 9}

    async def test_codes_are_stored_as_digests_alone_sec_119(self, services):
        user = await make_user(services)
        codes = await services.recovery_codes.generate(SYSTEM, user.id)
        rows = await fetch("SELECT * FROM user_recovery_code")
        stored = str([dict(row) for row in rows])
        assert len(rows) == 10
        assert not any(code in stored or code.replace("-", "") in stored for code in codes)
        digests = {recovery_code_text.digest(one, "0" * 16) for one in (user.id, uuid4())}
        assert len(digests) == 2

    async def test_a_deleted_user_leaves_no_code_sec_122(self, services):
        user = await make_user(services)
        await services.recovery_codes.generate(SYSTEM, user.id)
        await services.users.delete(SYSTEM, user.id)
        assert await fetch("SELECT 1 AS one FROM user_recovery_code") == []

    async def test_records_tell_what_happened_and_no_code_sec_116_118(self, services):
        user = await make_user(services)
        codes = await services.recovery_codes.generate(SYSTEM, user.id)
        await services.recovery_codes.redeem(SYSTEM, user.id, codes[0])
        await services.recovery_codes.delete(SYSTEM, user.id)
        rows = await fetch("SELECT type, details FROM audit_event WHERE type LIKE 'recovery%'")
        assert {row["type"] for row in rows} == {
            "recovery_codes_created",
            "recovery_code_used",
            "recovery_codes_deleted",
        }
        assert not any(code in str([dict(row) for row in rows]) for code in codes)
