"""Base64url has one spelling."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import base64url


@given(st.binary(max_size=100))
def test_what_was_written_is_read(raw):
    text = base64url.encode(raw)
    assert base64url.decode(text) == raw
    assert text == base64.urlsafe_b64encode(raw).decode().rstrip("=")


@given(st.text(max_size=12))
def test_sec_021_what_is_read_is_what_would_be_written(text):
    try:
        raw = base64url.decode(text)
    except ValueError:
        return
    assert base64url.encode(raw) == text


@pytest.mark.parametrize("text", ["A", "AB", "AA==", "A+/A", "AA\n", " AAA", "A AA", "é", "AA*A"])
def test_sec_021_another_spelling_is_refused(text):
    with pytest.raises(ValueError, match="base64url"):
        base64url.decode(text)
