"""Keyed hashes tell texts apart, and tell nothing without their secret."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from app.keyedhash import KeyedHash

OLD, NEW = "an-older-secret-0000001", "a-newer-secret-00000002"
texts = st.lists(st.text(st.characters(exclude_categories=()), max_size=8), max_size=4)


@given(texts, texts)
def test_different_lists_of_texts_have_different_digests(one, other):
    keyed = KeyedHash([NEW], "tests")
    same = keyed.digest(*one) == keyed.digest(*other)
    assert same == (one == other)
    assert keyed.recognises(keyed.digest(*one), *other) == same


def test_a_digest_needs_the_secret_and_the_purpose_sec_023_039():
    digest = KeyedHash([NEW], "tests").digest("123456")
    assert not KeyedHash([OLD], "tests").recognises(digest, "123456")
    assert not KeyedHash([NEW], "other tests").recognises(digest, "123456")
    assert digest not in {hashlib.sha256(text).hexdigest() for text in (b"123456", b"")}


def test_what_an_older_secret_has_written_is_recognised_and_no_longer_written():
    digest = KeyedHash([OLD], "tests").digest("a")
    both = KeyedHash([NEW, OLD], "tests")
    assert both.recognises(digest, "a")
    assert not both.recognises(digest, "b")
    assert both.digest("a") == KeyedHash([NEW], "tests").digest("a") != digest
