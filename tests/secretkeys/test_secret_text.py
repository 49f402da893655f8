"""The text of a secret key (SEC-011)."""

import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.secretkeys import secret

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def test_a_key_is_a_mark_a_prefix_a_secret_and_a_checksum():
    """SEC-011, SEC-023: the mark tells it from every other kind of token."""
    made = secret.generate()
    assert re.fullmatch(r"sk_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}", made.text)
    assert made.text.startswith(f"sk_{made.prefix}_")
    assert secret.prefix_of(made.text) == made.prefix


def test_the_secret_has_room_for_256_bits_and_uses_them():
    """SEC-011"""
    assert 62**43 > 2**256
    bodies = [secret.generate().text[16:59] for _ in range(400)]
    assert len(set(bodies)) == 400
    for place in range(1, 43):
        assert len({body[place] for body in bodies}) > 50
    values = [_number(body) for body in bodies]
    assert all(value < 2**256 for value in values)
    for bit in range(256):
        assert {value >> bit & 1 for value in values} == {0, 1}


def test_prefixes_differ_too():
    assert len({secret.generate().prefix for _ in range(400)}) == 400


def test_a_mistyped_key_is_told_from_a_key_without_asking_anybody():
    text = secret.generate().text
    for place in range(3, len(text)):
        for other in "0aZ_":
            if other != text[place]:
                altered = text[:place] + other + text[place + 1 :]
                assert secret.prefix_of(altered) is None
    for place in range(16, len(text) - 1):
        if text[place] != text[place + 1]:
            swapped = text[:place] + text[place + 1] + text[place] + text[place + 2 :]
            assert secret.prefix_of(swapped) is None


@pytest.mark.parametrize(
    "alter",
    [
        str.upper,
        str.lower,
        lambda text: text[:-1],
        lambda text: text + "0",
        lambda text: text + "\n",
        lambda text: " " + text,
        lambda text: text.removeprefix("sk_"),
        lambda text: "pk_" + text[3:],
        lambda text: text.replace("_", "-"),
        lambda text: text[:20] + "\u0661" + text[21:],
        lambda _: "",
        lambda _: "sk_",
        lambda _: "sk_" + "0" * 100_000,
        lambda _: "\ud800",
    ],
)
def test_what_is_not_shaped_like_a_key_is_none(alter):
    assert secret.prefix_of(alter(secret.generate().text)) is None


@given(st.text(max_size=80))
def test_no_text_raises_or_passes(text):
    assert secret.prefix_of(text) is None
    assert secret.prefix_of(f"sk_{text}") is None


def test_the_digest_is_sha_256():
    """SEC-011"""
    text = secret.generate().text
    assert secret.digest(text) == hashlib.sha256(text.encode()).hexdigest()


def test_a_key_in_clear_does_not_show_itself():
    """SEC-116"""
    made = secret.generate()
    for shown in (repr(made), str(made), f"{made}"):
        assert made.text[16:] not in shown
        assert made.prefix in shown


def _number(body: str) -> int:
    value = 0
    for character in body:
        value = value * 62 + ALPHABET.index(character)
    return value
