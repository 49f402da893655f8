"""Which passwords may be chosen."""

# ruff: noqa: RUF001  # letters of every script

import unicodedata

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.credentials.errors import (
    PasswordGuessable,
    PasswordRefused,
    PasswordTooCommon,
    PasswordTooLong,
    PasswordTooShort,
    PasswordUnreadable,
)
from app.credentials.password_policy import PasswordPolicy, common_passwords
from app.credentials.password_text import MAX_BYTES, normalised, received

POLICY = PasswordPolicy(8, "Sekisho")
ANYTHING = st.characters(exclude_categories=["Cs"])
IDENTIFIERS = ["ada.lovelace@example.com", "countess_99"]


class TestLength:
    @pytest.mark.parametrize("password", ["", "1234567", "ééééééé", "密码密码密码密", "🔑" * 7])
    def test_seven_characters_are_too_few_sec_035(self, password):
        with pytest.raises(PasswordTooShort) as refused:
            POLICY.check_length(password)
        assert refused.value.min_length == 8
        assert refused.value.message == "A password has at least 8 characters."

    @pytest.mark.parametrize("password", ["xk4!Qz9p", "密码密码密码密码", "🔑" * 8, "        "])
    def test_eight_characters_of_any_script_are_enough_sec_035(self, password):
        assert POLICY.check_length(password) == password

    def test_more_can_be_asked_for_sec_035(self):
        strict = PasswordPolicy(15, "Sekisho")
        with pytest.raises(PasswordTooShort) as refused:
            strict.check_length("x" * 14)
        assert refused.value.min_length == 15
        assert strict.check_length("x" * 15)

    @given(st.text(ANYTHING, min_size=8, max_size=256).map(normalised))
    def test_any_text_of_8_to_256_characters_is_accepted_as_it_is_sec_035(self, password):
        assume(len(password) >= 8)
        assume(received(password) is not None)
        assert POLICY.check_length(password) == password

    @given(st.text(ANYTHING, min_size=128, max_size=128))
    def test_128_characters_of_any_script_fit_sec_035(self, password):
        assert received(password) == password.encode()

    @pytest.mark.parametrize("character", ["x", "é", "密", "🔑"])
    def test_above_1024_bytes_is_refused_sec_035(self, character):
        most = MAX_BYTES // len(character.encode())
        assert POLICY.check_length(character * most)
        for more in (most + 1, 100_000):
            with pytest.raises(PasswordTooLong):
                POLICY.check_length(character * more)

    @pytest.mark.parametrize("password", ["\ud800" * 8, "password\udfff"])
    def test_half_of_a_surrogate_pair_is_no_text(self, password):
        with pytest.raises(PasswordUnreadable):
            POLICY.check_length(password)
        assert received(password) is None


class TestForm:
    @given(st.text(ANYTHING, max_size=64))
    def test_a_text_is_one_password_however_it_is_composed_sec_035(self, password):
        form = normalised(password)
        for other in ("NFC", "NFD"):
            assert normalised(unicodedata.normalize(other, password)) == form
        assert normalised(form) == form

    @given(st.text(st.characters(max_codepoint=0x7F), max_size=64))
    def test_ascii_stays_as_it_is_sec_035(self, password):
        assert normalised(password) == password

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("Password", "password"),
            (" password", "password"),
            ("password ", "password"),
            ("pass  word", "pass word"),
            ("ﬁsh", "fish"),
            ("Ａ", "A"),
            ("²", "2"),
            ("ß", "ss"),
            ("pass\tword", "pass word"),
            ("a\u200db", "ab"),
            ("x\0y", "x"),
        ],
    )
    def test_nothing_is_trimmed_folded_or_cut_off_sec_035(self, one, other):
        assert normalised(one) != normalised(other)

    @pytest.mark.parametrize("space", ["\xa0", "\u2003", "\u202f", "\u3000", "\u1680"])
    def test_a_space_is_a_space_rfc_8265(self, space):
        assert normalised(f"a{space}b") == "a b"

    def test_every_space_of_unicode_is_known(self):
        spaces = [chr(n) for n in range(0x110000) if unicodedata.category(chr(n)) == "Zs"]
        assert {normalised(space) for space in spaces} == {" "}


class TestLikeness:
    def test_the_list_holds_more_than_the_3000_most_common_that_could_be_chosen_sec_036(self):
        assert len(common_passwords()) > 3000
        assert min(map(len, common_passwords())) == 8

    @pytest.mark.parametrize(
        "password",
        [
            "password",
            "12345678",
            "qwertyuiop",
            "iloveyou",
            "PassWord",
            "1QAZ2WSX",
            "ｐａｓｓｗｏｒｄ",
        ],
    )
    def test_what_many_have_chosen_is_refused_sec_036(self, password):
        with pytest.raises(PasswordTooCommon):
            POLICY.check_likeness(password, ())

    @pytest.mark.parametrize(
        "password",
        ["sekisho", "SEKISHO!", "sekisho2026", "1sekisho1", "s-e-k-i-s-h-o", "sekisho_1234567"],
    )
    def test_the_name_of_the_service_is_refused_sec_036(self, password):
        with pytest.raises(PasswordGuessable):
            POLICY.check_likeness(password, ())

    @pytest.mark.parametrize(
        "password",
        [
            "ada.lovelace@example.com",
            "Ada.Lovelace@Example.Com",
            "ada.lovelace",
            "adalovelace1",
            "AdaLovelace1815!",
            "countess_99",
            "countess2026",
        ],
    )
    def test_what_the_user_is_addressed_by_is_refused_sec_036(self, password):
        with pytest.raises(PasswordGuessable):
            POLICY.check_likeness(password, IDENTIFIERS)

    def test_a_name_without_letters_is_compared_as_it_is_sec_036(self):
        with pytest.raises(PasswordGuessable):
            POLICY.check_likeness("491711234567", ["491711234567"])
        POLICY.check_likeness("491711234568", ["491711234567"])

    @pytest.mark.parametrize(
        "password",
        ["sekisho is where I live", "lovelace wrote notes", "sekisho 8471-9923-1104-5562"],
    )
    def test_a_word_within_a_longer_password_does_no_harm(self, password):
        POLICY.check_likeness(password, IDENTIFIERS)

    @pytest.mark.parametrize(
        "password", ["aaaabbbbccccdd", "84719923110455", "!!!!$$$$????", "ONLYCAPITALSHERE"]
    )
    def test_no_rule_asks_for_kinds_of_characters_sec_036(self, password):
        assert POLICY.check_length(password)
        POLICY.check_likeness(password, IDENTIFIERS)

    @given(st.text(ANYTHING, min_size=8, max_size=64), st.lists(st.text(ANYTHING), max_size=3))
    def test_any_text_is_judged_without_an_error(self, password, identifiers):
        try:
            POLICY.check_likeness(password, identifiers)
        except PasswordRefused as refused:
            assert refused.path == ("password",)

    @given(st.text(ANYTHING, min_size=8, max_size=64))
    def test_an_identifier_itself_is_always_refused_sec_036(self, word):
        with pytest.raises(PasswordRefused):
            POLICY.check_likeness(word, [word])


def test_a_refusal_repeats_nothing_of_the_password_sec_116():
    for password in ("hunter", "password", "sekisho-2026", "x" * 2000):
        with pytest.raises(PasswordRefused) as refused:
            POLICY.check_likeness(POLICY.check_length(password), ())
        assert (
            password not in str(refused.value) or password == "password"
        )  # the word, not the value
