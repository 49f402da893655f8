"""Secrets at rest (SEC-119, SEC-120)."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.keys import KeysUnreadable, Sealer

FIRST, SECOND = "first-secret-of-16+", "second-secret-of-16+"
PLACE = "signing_key:01926b6c-0000-7000-8000-0000000000ab"
SEALED = Sealer([FIRST]).seal("the private half", PLACE)
texts = st.text(st.characters(exclude_categories=["Cs"]))


def parts(sealed: str) -> tuple[str, str, bytes]:
    version, key_id, text = sealed.split(".")
    return version, key_id, base64.urlsafe_b64decode(text)


def joined(version: str, key_id: str, raw: bytes) -> str:
    return f"{version}.{key_id}.{base64.urlsafe_b64encode(raw).decode()}"


@given(texts, texts)
def test_what_is_sealed_for_a_place_opens_there(text, place):
    sealer = Sealer([FIRST])
    assert sealer.open(sealer.seal(text, place), place) == text


def test_nothing_of_the_text_or_the_secret_shows():
    """SEC-119"""
    raw = parts(SEALED)[2]
    assert b"private" not in raw
    assert FIRST not in SEALED
    assert len(raw) == 12 + len("the private half") + 16


def test_the_same_text_is_never_sealed_the_same_way_twice():
    """SEC-119: the nonce is random."""
    sealer = Sealer([FIRST])
    sealed = {sealer.seal("x", PLACE) for _ in range(200)}
    assert len(sealed) == 200
    assert len({parts(one)[2][:12] for one in sealed}) == 200


@given(st.integers(0, len(parts(SEALED)[2]) - 1), st.integers(1, 255))
def test_an_altered_byte_opens_nothing(place, mask):
    """SEC-119"""
    version, key_id, raw = parts(SEALED)
    altered = bytearray(raw)
    altered[place] ^= mask
    with pytest.raises(KeysUnreadable):
        Sealer([FIRST]).open(joined(version, key_id, bytes(altered)), PLACE)


@given(st.integers(0, len(parts(SEALED)[2]) - 1))
def test_a_shortened_text_opens_nothing(length):
    version, key_id, raw = parts(SEALED)
    with pytest.raises(KeysUnreadable):
        Sealer([FIRST]).open(joined(version, key_id, raw[:length]), PLACE)


@pytest.mark.parametrize(
    "place", ["", PLACE[:-1], PLACE + " ", PLACE.upper(), PLACE.replace("signing", "secret")]
)
def test_what_was_moved_to_another_row_or_table_does_not_open(place):
    """SEC-119"""
    with pytest.raises(KeysUnreadable):
        Sealer([FIRST]).open(SEALED, place)


@given(st.text(max_size=60) | st.from_regex(r"v1\.[0-9a-f]{12}\.[\w-]{0,40}={0,2}"))
def test_no_other_text_opens_or_raises_anything_else(sealed):
    with pytest.raises(KeysUnreadable):
        Sealer([FIRST]).open(sealed, PLACE)


def test_another_version_does_not_open():
    _, key_id, raw = parts(SEALED)
    for version in ("v0", "v2", "", "V1"):
        with pytest.raises(KeysUnreadable):
            Sealer([FIRST]).open(joined(version, key_id, raw), PLACE)


def test_another_secret_does_not_open():
    """SEC-120"""
    with pytest.raises(KeysUnreadable):
        Sealer([SECOND]).open(SEALED, PLACE)


def test_another_secret_does_not_open_even_under_the_right_key_id():
    other = Sealer([SECOND])
    key_id = parts(other.seal("x", PLACE))[1]
    with pytest.raises(KeysUnreadable):
        other.open(joined("v1", key_id, parts(SEALED)[2]), PLACE)


def test_every_secret_opens_and_the_first_one_seals():
    """SEC-120"""
    both = Sealer([SECOND, FIRST])
    assert both.open(SEALED, PLACE) == "the private half"
    renewed = both.seal("anew", PLACE)
    assert Sealer([SECOND]).open(renewed, PLACE) == "anew"
    with pytest.raises(KeysUnreadable):
        Sealer([FIRST]).open(renewed, PLACE)
    assert Sealer([FIRST, SECOND]).open(renewed, PLACE) == "anew"


def test_the_key_id_tells_secrets_apart_and_says_nothing_of_them():
    ids = {parts(Sealer([f"secret-number-{n:04}"]).seal("x", PLACE))[1] for n in range(50)}
    assert len(ids) == 50
