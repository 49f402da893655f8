"""Identifiers."""

import time
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.ids import new_id, parse_id


def test_a_new_id_is_a_version_7_uuid_of_the_rfc_variant():
    for _ in range(1000):
        made = new_id()
        assert (made.version, made.variant) == (7, uuid.RFC_4122)


def test_a_new_id_begins_with_the_time_in_milliseconds():
    before = time.time_ns() // 1_000_000
    made = new_id()
    assert before <= made.int >> 80 <= time.time_ns() // 1_000_000


def test_ids_of_different_moments_sort_by_time_as_numbers_bytes_and_text():
    made = []
    for _ in range(5):
        made.append(new_id())
        while time.time_ns() // 1_000_000 <= made[-1].int >> 80:
            pass
    assert made == sorted(made)
    assert [one.bytes for one in made] == sorted(one.bytes for one in made)
    assert [str(one) for one in made] == sorted(str(one) for one in made)


def test_ids_of_one_process_stand_in_the_order_in_which_they_were_made():
    made = [new_id() for _ in range(2000)]
    assert [one.int >> 64 for one in made] == sorted(one.int >> 64 for one in made)


def test_no_two_ids_are_the_same_and_every_random_bit_is_used():
    made = [new_id() for _ in range(2000)]
    assert len(set(made)) == len(made)
    random = ((1 << 76) - 1) ^ (0b11 << 62)
    assert {bit for bit in range(76) if any(one.int >> bit & 1 for one in made)} >= {
        bit for bit in range(76) if random >> bit & 1
    }


@given(st.uuids())
def test_the_canonical_text_of_any_uuid_is_read(value):
    assert parse_id(str(value)) == value


@given(st.text(max_size=45))
def test_nothing_else_is_an_id_and_nothing_raises(text):
    """SEC-099"""
    found = parse_id(text)
    assert found is None or str(found) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "123",
        "../../etc/passwd",
        "01926B6C-0000-7000-8000-0000000000AB",
        "{01926b6c-0000-7000-8000-0000000000ab}",
        "urn:uuid:01926b6c-0000-7000-8000-0000000000ab",
        "01926b6c00007000800000000000000ab",
        "01926b6c0000700080000000000000ab",
        "01926b6c-0000-7000-8000-0000000000ab ",
        "01926b6c-0000-7000-8000-0000000000a\u0661",
        "01926b6c-0000-7000-8000-0000000000ab\0",
    ],
)
def test_another_spelling_of_an_id_is_no_id(text):
    """SEC-099"""
    assert parse_id(text) is None
