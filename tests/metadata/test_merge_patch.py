"""Merge patch by itself: the RFC's own examples, and what must hold for every input (SEC-005)."""

import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.metadata import merge_patch

RFC_7396_APPENDIX_A = (
    ('{"a":"b"}', '{"a":"c"}', '{"a":"c"}'),
    ('{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'),
    ('{"a":"b"}', '{"a":null}', "{}"),
    ('{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'),
    ('{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'),
    ('{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'),
    ('{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}'),
    ('{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}'),
    ('["a","b"]', '["c","d"]', '["c","d"]'),
    ('{"a":"b"}', '["c"]', '["c"]'),
    ('{"a":"foo"}', "null", "null"),
    ('{"a":"foo"}', '"bar"', '"bar"'),
    ('{"e":null}', '{"a":1}', '{"e":null,"a":1}'),
    ("[1,2]", '{"a":"b","c":null}', '{"a":"b"}'),
    ("{}", '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}'),
)

scalars = st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3)
keys = st.sampled_from(["a", "b", "c", "", "a.b", "__proto__"])
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)
objects = st.dictionaries(keys, values, max_size=5)


@pytest.mark.parametrize(("target", "patch", "result"), RFC_7396_APPENDIX_A)
def test_the_examples_of_rfc_7396_hold(target, patch, result):
    merged = merge_patch(json.loads(target), json.loads(patch))
    assert json.dumps(merged) == json.dumps(json.loads(result))


@given(values, values)
def test_a_merge_alters_neither_of_its_inputs(target, patch):
    before = copy.deepcopy((target, patch))
    merge_patch(target, patch)
    assert (target, patch) == before


@given(values, values)
def test_the_same_patch_twice_changes_nothing_more(target, patch):
    once = merge_patch(target, patch)
    assert merge_patch(once, patch) == once


@given(objects, objects)
def test_a_key_that_the_patch_leaves_out_keeps_its_value_and_its_place(target, patch):
    merged = merge_patch(target, patch)
    kept = [key for key in target if key not in patch]
    assert [merged[key] for key in kept] == [target[key] for key in kept]
    assert [key for key in merged if key in kept] == kept


@given(objects, objects)
def test_a_null_removes_its_key_and_only_a_null_does(target, patch):
    merged = merge_patch(target, patch)
    nulls = {key for key, value in patch.items() if value is None}
    assert merged.keys() == (target.keys() | patch.keys()) - nulls


@given(objects, objects)
def test_keys_that_stay_keep_their_order_and_new_ones_follow_in_the_order_of_the_patch(
    target, patch
):
    merged = list(merge_patch(target, patch))
    stayed = [key for key in target if key in merged]
    added = [key for key in patch if key in merged and key not in target]
    assert merged == stayed + added


@given(objects)
def test_an_object_that_is_new_holds_no_null_outside_of_arrays(patch):
    assert not _has_null_member(merge_patch({}, patch))


@given(objects, st.lists(values, max_size=4))
def test_an_array_replaces_what_was_there_and_stays_verbatim(target, array):
    assert merge_patch(target, {"a": array})["a"] == array


@given(values)
def test_what_is_no_object_takes_the_place_of_the_target(target):
    for patch in (None, True, 7, "text", [None, {"k": None}]):
        assert merge_patch(target, patch) == patch


@given(objects, st.lists(keys, min_size=1, max_size=4))
def test_a_null_removes_at_any_depth_and_touches_nothing_beside_it(target, path):
    patch = None
    for key in reversed(path):
        patch = {key: patch}
    merged = merge_patch(target, patch)
    node = merged
    for key in path[:-1]:
        node = node[key]
    assert path[-1] not in node
    assert {k: v for k, v in merged.items() if k != path[0]} == {
        k: v for k, v in target.items() if k != path[0]
    }


def _has_null_member(value):
    if not isinstance(value, dict):
        return False
    return any(item is None or _has_null_member(item) for item in value.values())
