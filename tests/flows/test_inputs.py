"""Inputs: what is shown of them, and how anything at all is read."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.flows.inputs import Choice, Input, is_email, read
from app.text import email_key

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(st.characters(exclude_categories=()))
    | st.sampled_from(["true", "1", "t", "", " ", "ada@example.com", "\ud800", "\x00"])
    | st.sampled_from([msgspec.Raw(b"1.5"), msgspec.Raw(b"0.0"), msgspec.Raw(b"1e400")]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
KINDS = ("string", "boolean", "email", "password", "json")


def one(value, **described):
    described.setdefault("kind", "string")
    found = read((Input("x", **described),), {"x": value})
    problem = found.problems.get("x")
    return found.values["x"], problem and problem.error.code


@given(
    JSON,
    st.sampled_from(KINDS),
    st.none() | st.booleans(),
    st.none() | st.integers(0, 5),
    st.none() | st.integers(5, 9),
    st.booleans(),
)
def test_whatever_is_sent_is_read_or_refused(  # noqa: PLR0917  # what is drawn
    value, kind, required, shortest, longest, folded
):
    given_ = {"x": value, "y": value}
    asked = Input(
        "x",
        kind,
        required=required,
        min_length=shortest,
        max_length=longest,
        trim=folded,
        lower=folded,
    )
    found = read((asked,), given_)
    assert found.values.keys() == {"x"}
    if kind == "json":
        assert found.values["x"] is value
    elif kind == "boolean":
        assert isinstance(found.values["x"], bool)
    else:
        assert isinstance(found.values["x"], str)
    if kind in ("json", "boolean"):
        assert not found.problems
    if kind in ("string", "email", "password") and not found.problems and found.values["x"]:
        assert len(found.values["x"]) >= (shortest or 0)


@given(st.text(st.characters(exclude_categories=())))
def test_what_is_taken_for_an_address_is_one_mailbox_sec_113(text):
    if is_email(text):
        assert email_key(text) is not None
        assert "." in text.rpartition("@")[2].replace("。", ".")
        assert not {"\r", "\n", "\x00", ",", ";"} & set(text.strip())


@pytest.mark.parametrize(
    "address",
    ["ada@example.com", "a.b+c@sub.example.co", "o'brien@example.org", "ada@xn--bcher-kva.example"],
)
def test_addresses_are_taken_for_such(address):
    assert is_email(address)


@pytest.mark.parametrize(
    "text",
    ["", "ada", "@", "a@", "@b.cd", "a@b", "a@b.c", "a b@c.de", "a@b..de", "a@.de", "a@1.2.3.4",
     "a@b.de\n\n@", "a@b.de,c@d.ef", "<a@b.de>", "Ada <a@b.de>", "a@b.d e", "a\x00@b.de"],
)  # fmt: skip
def test_other_texts_are_not(text):
    assert not is_email(text)


@pytest.mark.parametrize("value", [True, "true", "1", "t", 1, -1, 7, msgspec.Raw(b"0.5")])
def test_what_is_true(value):
    assert one(value, kind="boolean") == (True, None)


@pytest.mark.parametrize(
    "value",
    [False, None, "false", "", "True", "yes", "0", "T", 0, [], {}, [1], msgspec.Raw(b"0.0")],
)
def test_everything_else_is_false(value):
    assert one(value, kind="boolean", required=True) == (False, None)


@pytest.mark.parametrize("value", [None, "", 1, True, [], {}, ["a"]])
@pytest.mark.parametrize("kind", ["string", "email", "password"])
def test_what_is_no_text_is_missing(value, kind):
    assert one(value, kind=kind, required=True) == ("", "value_missing_error")
    assert one(value, kind=kind) == ("", None)


def test_blank_is_missing_where_it_is_trimmed():
    assert one("  ", required=True, trim=True) == ("", "value_missing_error")
    assert one("  ", required=True) == ("  ", None)


def test_lengths_count_characters_and_those_of_passwords_bytes_q_01():
    assert one("ää", max_length=2) == ("ää", None)
    assert one("äää", max_length=2)[1] == "value_too_long_error"
    assert one("ää", kind="password", max_length=4) == ("ää", None)
    assert one("äää", kind="password", max_length=4)[1] == "value_too_long_error"
    assert one("ää", kind="password", min_length=3)[1] == "value_too_short_error"
    assert one("", min_length=3) == ("", None)


def test_values_are_among_those_that_are_allowed():
    allowed = (Choice("a", "A"), Choice("b", "B"))
    assert one("b", allowed=allowed) == ("b", None)
    for value in ("c", "A", "ab", "a "):
        assert one(value, allowed=allowed)[1] == "value_invalid_error"


def test_what_no_database_keeps_is_invalid():
    for value in ("a\x00", "\ud800"):
        assert one(value)[1] == "value_invalid_error"
        assert one(value, kind="password") == (value, None)


def test_every_input_is_checked():
    inputs = (Input("a", required=True), Input("b", max_length=1), Input("c"))
    found = read(inputs, {"b": "xx", "c": "c", "d": "d"})
    assert {name: p.error.code for name, p in found.problems.items()} == {
        "a": "value_missing_error",
        "b": "value_too_long_error",
    }
