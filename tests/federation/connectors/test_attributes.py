"""What becomes of claims that anybody may have typed."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import strictjson
from app.federation.attributes import (
    MAX_SUBJECT,
    email_of,
    identity_of,
    is_true,
    mapped,
    merged,
    subject_of,
    text_of,
)
from app.federation.errors import UserDataUnusable
from app.text import email_key, is_printable

NAMES = st.sampled_from(
    [
        *("sub", "iss", "email", "email_verified", "name", "picture", "locale", "address", "aud"),
        *("updated_at", "nonce", "access_token", "user", "department", "phone_verified", "a b", ""),
    ]
)
LEAVES = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=30)
LEAVES |= st.sampled_from(["ada@example.com", "true", "1", "a\x00b", "\u202e", msgspec.Raw(b"1.5")])
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3)
)
CLAIMS = st.dictionaries(NAMES, VALUES, max_size=8)
PATHS = st.lists(NAMES.filter(bool), min_size=1, max_size=3).map(".".join)


@given(CLAIMS)
def test_an_identity_is_well_formed_or_none_at_all_sec_017_080(claims):
    try:
        found = identity_of("google", "https://issuer.example.com", claims)
    except UserDataUnusable:
        return
    assert 0 < len(found.subject) <= MAX_SUBJECT
    assert is_printable(found.subject)
    assert found.email is None or email_key(found.email) is not None
    assert isinstance(found.email_verified, bool)
    assert found.email_verified <= (found.email is not None)
    assert (found.claims["sub"], found.claims["iss"]) == (found.subject, found.issuer)
    assert not {"aud", "nonce", "access_token", "a b", ""} & found.claims.keys()
    for name in ("name", "picture", "locale"):
        assert name not in found.claims or is_printable(found.claims[name])
    assert not any(value in (None, "", [], {}) for value in found.claims.values())


@given(CLAIMS, st.dictionaries(NAMES.filter(bool), PATHS, max_size=4))
def test_a_mapping_takes_what_is_there_and_breaks_on_nothing(claims, mapping):
    found = mapped(claims, mapping)
    assert None not in found.values()
    assert mapped(claims, {}) == {k: v for k, v in claims.items() if v is not None}
    for theirs in mapping.values():
        assert theirs in mapping or theirs not in found


@given(CLAIMS, CLAIMS)
def test_claims_of_another_subject_are_never_added_sec_080(told, further):
    try:
        found = merged(told, further)
    except UserDataUnusable:
        assert further.get("sub") != told.get("sub") or not isinstance(told.get("sub"), str)
        return
    assert found["sub"] == told["sub"] == further["sub"]
    assert found.get("iss") == told.get("iss")
    if "email" in further:
        assert found.get("email_verified") == further.get("email_verified")


@given(VALUES)
def test_only_what_says_yes_is_a_yes_sec_081(value):
    yes = value is True or (isinstance(value, int) and value == 1)
    yes = yes or (isinstance(value, str) and value.lower() in ("true", "1"))
    assert is_true(value) is yes


@given(st.text(max_size=40) | VALUES)
def test_a_text_can_be_shown_or_is_left_out(value):
    found = text_of(value)
    assert found is None or (is_printable(found) and found == found.strip() != "")
    address = email_of(value)
    assert address is None or email_key(address) is not None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("person-1", "person-1"),
        (583231, "583231"),
        (0, "0"),
        (-5, "-5"),
        (strictjson.parse(b"123456789012345678901234567890"), "123456789012345678901234567890"),
        ("x" * 255, "x" * 255),
    ],
)
def test_a_subject_is_a_text_or_a_whole_number(value, expected):
    assert subject_of(value) == expected


@pytest.mark.parametrize(
    "value",
    [None, True, False, "", " a", "a ", "x" * 256, "a\x00", "a\u200b", [], {}, msgspec.Raw(b"1.5")],
)
def test_a_subject_that_is_none_is_refused_sec_080(value):
    with pytest.raises(UserDataUnusable):
        subject_of(value)


def test_a_path_leads_into_objects_and_a_name_with_dots_goes_before_it():
    claims = {"user": {"id": 7, "deep": {"er": "x"}}, "a.b": 1, "a": {"b": 2}, "login": "ada"}
    mapping = {"sub": "$.user.id", "x": "user.deep.er", "y": "a.b", "z": "no.such", "name": "login"}
    found = mapped(claims, mapping)
    assert (found["sub"], found["x"], found["y"], found["name"]) == (7, "x", 1, "ada")
    assert "z" not in found
    assert "login" not in found


def test_two_claims_can_change_places():
    assert mapped({"a": 1, "b": 2}, {"a": "b", "b": "a"}) == {"a": 2, "b": 1}


def test_an_address_is_an_object_of_texts():
    claims = {
        "sub": "a",
        "address": {"country": "GB", "x": 5},
        "updated_at": 5,
        "phone_verified": "1",
    }
    found = identity_of("p", "i", claims).claims
    assert (found["address"], found["updated_at"], found["phone_verified"]) == (
        {"country": "GB"},
        5,
        True,
    )


def test_an_address_from_elsewhere_is_not_verified_by_what_is_said_of_another_sec_081():
    said = {"email": "own@evil.example", "email_verified": True, "upn": "victim@corp.example"}
    assert mapped(said, {"email": "upn"}) == {"email": "victim@corp.example"}
    both = {"email": "upn", "email_verified": "email_verified"}
    assert mapped(said, both)["email_verified"] is True


def test_userinfo_verifies_no_address_but_its_own_sec_081():
    told = {"sub": "1", "email": "a@example.com", "email_verified": False}
    assert merged(told, {"sub": "1", "email_verified": True})["email_verified"] is False
    alone = merged({"sub": "1", "email": "a@example.com"}, {"sub": "1", "email_verified": True})
    assert "email_verified" not in alone
