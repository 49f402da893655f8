"""The short way to fill in claims comes to what the long way comes to."""

import json

import pytest
from claims import strategies
from hypothesis import given
from hypothesis import strategies as st

from app import strictjson
from app.claims.claims import Rendered, render_claims
from app.claims.plain import plain_claims

KEYS = ["a", "b", "0", "1", "plan", "x-y", "A"]
paths = st.lists(st.sampled_from(KEYS), min_size=1, max_size=3).map(".".join)
defaults = st.sampled_from(["", ' || "free"', " || 1.50", " || true", ' || "true"'])
shortcodes = st.builds(
    lambda bag, path, default, blank: f"{blank}{{{{ user.{bag}.{path}{default} }}}}",
    st.sampled_from(["public_metadata", "unsafe_metadata"]),
    paths,
    defaults,
    st.sampled_from(["", " \n"]),
)
constants = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | strategies.texts
claims = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=3), shortcodes | constants, max_size=32
)
bags = st.dictionaries(st.sampled_from(KEYS), strategies.items, max_size=5)


def shown(rendered: Rendered) -> object:
    return strictjson.encode(rendered.claims), rendered.omitted


def user(public: str, unsafe: str) -> dict:
    return {"public_metadata_raw": public, "unsafe_metadata_raw": unsafe}


@given(claims, bags, bags)
def test_both_ways_agree(claims, public, unsafe):
    texts = [strictjson.encode(bag) for bag in (public, unsafe)]
    plain = plain_claims(claims)
    assert plain is not None
    found = plain.fill(dict(zip(("public_metadata", "unsafe_metadata"), texts, strict=True)))
    assert found is not None
    assert shown(found) == shown(render_claims(claims, user(*texts)))


@pytest.mark.parametrize(
    "value",
    [
        "{{ user.public_metadata }}",
        "x{{ user.public_metadata.a }}",
        "{{ .User.Name }}",
        "{{",
        ["{{ user.public_metadata.a }}"],
        {"a": 1},
        float("inf"),
    ],
)
def test_what_is_more_than_a_constant_or_a_key_takes_the_long_way(value):
    assert plain_claims({"a": 1, "b": value}) is None


def test_many_claims_take_the_long_way():
    assert plain_claims({str(n): n for n in range(33)}) is None


@pytest.mark.parametrize("bag", ["", "[]", "null", "{", '{"a":1e999}', '{"a":[[}', '"x"', "1"])
def test_a_bag_that_is_no_object_takes_the_long_way(bag):
    plain = plain_claims({"a": "{{ user.public_metadata.a }}"})
    assert plain.fill({"public_metadata": bag, "unsafe_metadata": "{}"}) is None


def test_nothing_of_a_bag_is_read_but_what_is_asked_for():
    """SEC-124: a full bag costs little more than an empty one."""
    plain = plain_claims({"a": "{{ user.public_metadata.a.b }}"})
    bag = json.dumps({"huge": "x" * 60_000, "a": {"b": [1, 2]}, "n": 10**40})
    assert plain.fill({"public_metadata": bag, "unsafe_metadata": "not even JSON"}).claims == {
        "a": [1, 2]
    }
