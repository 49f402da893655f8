"""The one normalisation of addresses and user names (SEC-114)."""

# ruff: noqa: RUF001  # letters that only look alike are the matter here

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.text import MAX_ADDRESS, email_key, is_printable, is_storable, username_key

SAME_NAMES = (
    ("Ada", "ada", "ADA", "  ada ", "\tada\n", "\u00a0ada\u3000"),
    ("ada", "ａｄａ", "ＡＤＡ", "𝐚𝐝𝐚", "ⓐⓓⓐ"),
    ("ﬁne", "fine", "FINE", "ﬁNE"),
    ("strasse", "straße", "STRASSE", "STRAẞE", "STRAßE"),
    ("σίσυφος", "ΣΊΣΥΦΟΣ", "σίσυφοσ"),
    ("é", "e\u0301", "É", "E\u0301"),
    ("\u212b", "å", "Å", "a\u030a"),
    ("ǆ", "Ǆ", "ǅ", "dž", "DŽ"),
    ("\u1e9b\u0323", "\u1e69", "\u017f\u0323\u0307"),
)
OTHER_NAMES = (
    ("mike", "mıke"),  # Turkish dotless i
    ("istanbul", "İstanbul"),  # Turkish capital dotted I
    ("paypal", "pаypal"),  # Cyrillic a: another letter, however alike it looks
    ("o", "0"),
    ("ada", "a da"),
    ("resume", "résumé"),
)

SAME_ADDRESSES = (
    ("ada@example.com", "ADA@EXAMPLE.COM", " Ada@Example.Com\n", "ａｄａ@ｅｘａｍｐｌｅ。ｃｏｍ"),
    ("ﬁne@example.com", "fine@example.com"),
    ("straße@example.com", "STRASSE@example.com"),
    (
        "a@münchen.example",
        "A@MÜNCHEN.example",
        "a@mu\u0308nchen.example",
        "a@xn--mnchen-3ya.example",
    ),
    ("a@日本.example", "a@xn--wgv71a.example", "a@XN--WGV71A.EXAMPLE"),
    ("e\u0301@example.com", "É@example.com"),
)
OTHER_ADDRESSES = (
    ("mike@example.com", "mıke@example.com"),
    ("a@strasse.example", "a@straße.example"),  # two domains in the DNS of today (IDNA 2008)
    ("a.b@example.com", "ab@example.com"),
    ("a+b@example.com", "a@example.com"),
    ("a@example.com", "a@example.org"),
)
NO_ADDRESSES = (
    "",
    "@",
    "a@",
    "@example.com",
    "a",
    "a b@example.com",
    "a@b@example.com",
    "a@example..com",
    "a@.example.com",
    "a@example.com.",
    "a@-example.com",
    "a@example-.com",
    "a@exam_ple.com",
    "a@exam ple.com",
    ".a@example.com",
    "a.@example.com",
    "a..b@example.com",
    '"a b"@example.com',
    "a@[127.0.0.1]",
    "<a@example.com>",
    "Ada <a@example.com>",
    "a@example.com,b@example.com",
    "a;b@example.com",
    "a(b)@example.com",
    "a\\b@example.com",
    "a＠example.com",
    "a＠b@example.com",
    "a@" + "x" * 64 + ".com",
    "x" * 65 + "@example.com",
    "ﬃ" * 30 + "@example.com",
    "a@" + "x." * 126 + "com",
    "a\u00a0b@example.com",
    "a @example.com",
    "a\u3000@example.com",
    "a\u3164@example.com",
)


class TestUserNames:
    @pytest.mark.parametrize("spellings", SAME_NAMES)
    def test_spellings_of_one_name_have_one_key(self, spellings):
        """SEC-114"""
        assert len({username_key(name) for name in spellings}) == 1

    @pytest.mark.parametrize(("one", "other"), OTHER_NAMES)
    def test_different_names_have_different_keys(self, one, other):
        assert username_key(one) != username_key(other)

    @given(st.from_regex(r"\w{1,20}", fullmatch=True))
    def test_the_key_of_a_key_is_itself(self, name):
        key = username_key(name)
        assert username_key(key) == key or key.strip() != key

    @pytest.mark.parametrize("piece", ["a", "é", "\u0301", "\ufdfa", "İ"])
    def test_the_longest_name_is_folded_quickly_and_is_nobodys(self, piece):
        """SEC-124"""
        start = time.process_time()
        assert len(username_key(piece * 65536)) >= 65536
        assert time.process_time() - start < 0.1


class TestAddresses:
    @pytest.mark.parametrize("spellings", SAME_ADDRESSES)
    def test_spellings_of_one_address_have_one_key(self, spellings):
        """SEC-114"""
        keys = {email_key(address) for address in spellings}
        assert len(keys) == 1
        assert None not in keys

    @pytest.mark.parametrize(("one", "other"), OTHER_ADDRESSES)
    def test_different_addresses_have_different_keys(self, one, other):
        assert email_key(one) != email_key(other)
        assert None not in (email_key(one), email_key(other))

    @pytest.mark.parametrize("address", NO_ADDRESSES)
    def test_what_is_not_exactly_one_mailbox_is_refused(self, address):
        assert email_key(address) is None

    @pytest.mark.parametrize(
        "character",
        [
            "\0",
            "\r",
            "\n",
            "\r\n",
            "\t",
            "\x7f",
            "\x1b",
            "\u0085",
            "\u2028",
            "\u202e",
            "\u200b",
            "\u00ad",
            "\u2060",
            "\ufeff",
            "\u180e",
            "\ud800",
            "\U000e0041",
        ],
    )
    def test_a_control_or_unseen_character_is_in_no_address(self, character):
        """SEC-113"""
        for address in (
            f"a{character}b@example.com",
            f"ab@exa{character}mple.com",
            f"ab@example.com{character}x",
            f"{character}\u200bab@example.com",
        ):
            assert email_key(address) is None

    @given(st.text(max_size=40))
    def test_nothing_raises_and_a_key_is_its_own_key(self, text):
        for address in (text, f"{text}@example.com", f"a@{text}", f"a@{text}.example"):
            key = email_key(address)
            assert key is None or email_key(key) == key

    def test_the_longest_address_is_accepted_and_one_more_is_not(self):
        domain = ".".join(["x" * 63] * 2 + ["x" * (MAX_ADDRESS - 64 - 1 - 128)])
        longest = "a" * 64 + "@" + domain
        assert len(longest) == MAX_ADDRESS
        assert email_key(longest) == longest
        assert email_key(longest + "x") is None

    def test_a_key_longer_than_an_address_may_be_is_refused(self):
        assert email_key("é" * 60 + "@" + ".".join(["ü" * 40] * 4)) is None

    @pytest.mark.parametrize("piece", ["a", ".", "@", "é", "\u0130", "xn--", "a@", "ﷺ", "🅰."])
    def test_the_longest_input_is_refused_quickly(self, piece):
        """SEC-124"""
        start = time.process_time()
        email_key(piece * 65536)
        email_key("a@" + piece * 65536)
        assert time.process_time() - start < 0.1


@pytest.mark.parametrize(
    ("text", "printable", "storable"),
    [
        ("plain é 日本 😀 \u00a0", True, True),
        ("", True, True),
        ("\0", False, False),
        ("a\ud800", False, False),
        ("\r", False, True),
        ("\x1b[31m", False, True),
        ("\u202e", False, True),
        ("\u2028", False, True),
        ("\u2029", False, True),
        ("\u0085", False, True),
        ("\u200d", False, True),
        ("\u115f", False, True),
        ("a\u3164", False, True),
    ],
)
def test_what_can_be_shown_and_what_can_be_kept(text, printable, storable):
    """SEC-113"""
    assert (is_printable(text), is_storable(text)) == (printable, storable)
