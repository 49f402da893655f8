import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.claims.gjson import MAX_PATH, Result, Type, get, plain_path

VECTORS = Path(__file__).parents[1] / "vectors" / "gjson.json"
CASES = json.loads(VECTORS.read_text(encoding="utf-8"))["cases"]

NONE = Result(exists=False, type=Type.NONE, raw="", string="")

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def raw(document: str, path: str) -> str | None:
    found = get(document, path)
    return found.raw if found.exists else None


@pytest.mark.parametrize(
    "case",
    [pytest.param(c, id=f"{c['id']}{'-quirk' * c.get('quirk', False)}") for c in CASES],
)
def test_a_recorded_case_of_the_reference_engine_comes_out_the_same(case):
    found = get(case["json"], case["path"])
    assert found == Result(case["exists"], Type(case["type"]), case["raw"], case["string"])


@given(json_values, st.data())
def test_a_path_of_escaped_keys_finds_what_the_document_holds(value, data):
    document = {"root": value}
    spelled = json.dumps(document, ensure_ascii=data.draw(st.booleans()))
    path = ["root"]
    while isinstance(value, dict | list) and value and data.draw(st.booleans()):
        where = data.draw(
            st.sampled_from(sorted(value) if isinstance(value, dict) else range(len(value)))
        )
        value = value[where]
        path.append("".join(f"\\{c}" for c in where) if isinstance(where, str) else str(where))
    written = ".".join(path)
    assume(len(written) <= MAX_PATH)
    found = get(spelled, written)
    assert found.exists
    assert json.loads(found.raw) == value
    if isinstance(value, str):
        assert found.string == value


@pytest.mark.parametrize("modifier", ["@ugly", "@pretty", "@this", "@valid", "@tostr|@fromstr"])
@given(value=json_values)
def test_a_modifier_of_spelling_keeps_the_meaning(modifier, value):
    assert json.loads(get(json.dumps(value, indent=3), modifier).raw) == value


def test_a_missing_key_yields_no_result():
    assert get('{"a":1}', "b") == NONE


def test_an_empty_path_yields_no_result():
    assert get('{"":1}', "") == NONE


def test_an_empty_component_matches_the_empty_key():
    assert raw('{"a":{"":{"b":1}}}', "a..b") == "1"
    assert raw('{"a":{"":1}}', "a.") == "1"


def test_spaces_around_the_document_do_not_matter():
    assert raw(' \n{ "a" : [ 1 , 2 ] } ', "a.1") == "2"


def test_a_modifier_keeps_the_text_behind_an_array_or_object():
    assert raw("[1] ", "@this") == "[1] "


def test_what_follows_a_pipe_runs_even_where_nothing_was_found():
    assert raw('{"a":1}', "b.c|@keys") == "[]"
    assert raw('{"a":1}', "b.c.@keys") == "[]"
    assert raw("{}", "a|@this|!1") == "1"


def test_a_dead_end_gives_way_to_the_next_member_that_matches():
    assert raw('{"ab":{"x":1},"ac":[{"y":2}],"ad":{"y":3}}', "a*.y") == "3"
    assert raw('{"a":{"b":1},"a":{"c":2}}', "a.c") == "2"


@pytest.mark.parametrize("path", ["#x", "#(a", "#(a)x", "#(a)##", "-1", "*", "0x", "²"])
def test_an_array_answers_only_to_indexes_counts_and_queries(path):
    assert get('[{"a":1}]', path) == NONE


def test_an_index_beyond_every_machine_word_yields_no_result():
    assert get("[1,2]", "9" * 500) == NONE


def test_text_in_quotes_hides_a_pipe_and_a_comma():
    assert raw('[{"a":"x|y"},{"a":"x,y"}]', '#(a="x|y")#|0') == '{"a":"x|y"}'
    assert raw('[{"a":"x|y"},{"a":"x,y"}]', '[#(a="x,y").a,0.a]') == '["x,y","x|y"]'


@pytest.mark.parametrize(
    ("condition", "hits"),
    [
        ("=true", '["true",true]'),
        ("!=true", '["b",2,-1,false]'),
        (">false", '["true",2,true]'),
        (">=no", '["true",2,true]'),
        ("<true", '["b",-1,false]'),
        ("<=0", "[-1,false]"),
        ('%"?"', '["b"]'),
        ("!%b", '["true"]'),
        ("!b", "[]"),
        (">1e0", '["b","true",2]'),
        (">-inf", '["b","true",2,-1]'),
        ("<nan", '["b"]'),
        ("=1_0", "[]"),
        ("=~true", '["true",2,-1,true]'),
        ("!=~false", '["b","true",2,-1,true]'),
        (">~*", "[]"),
        ("%~*", "[]"),
        ("!=~*", "[[1]]"),
    ],
)
def test_a_query_compares_as_the_type_of_the_element_asks(condition, hits):
    assert raw('["b","true",2,-1,true,false,null,[1]]', f"#({condition})#") == hits


def test_a_query_without_a_path_passes_over_arrays_and_objects():
    assert raw('[[1],{"a":1},1,null]', "#()#") == "[1,null]"


def test_a_query_with_a_path_passes_over_scalars():
    assert raw('[1,"a",{"a":null}]', "#(a)#") == '[{"a":null}]'
    assert raw('[1,"a",{}]', "#(a=~null)#") == "[{}]"


def test_a_query_continues_on_its_first_hit_alone():
    document = '[{"a":1,"b":[1,2]},{"a":1,"c":3}]'
    assert raw(document, "#(a=1).b.1") == "2"
    assert get(document, "#(a=1).c") == NONE
    assert raw(document, "#(a=1).b|#") == "2"
    assert get(document, "#(a=1).") == NONE


def test_the_pipe_behind_a_query_without_hits_is_passed_over():
    assert raw('[{"a":1}]', "#(a=2)#.a|@tostr") == "[]"
    assert raw('[{"a":1}]', "#(a=1)#.a|@tostr") == '"[1]"'
    assert raw('[{"a":1}]', "#(a=2)#|@tostr") == '"[]"'


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("!NULL", "null"),
        ("!-1.5.x", "-1.5.x"),
        ('!"a".b|c', '"a"'),
        ('!{"a":[1]}.a|0', "1"),
        ("![1", "[1"),
        ("!true.x", None),
        ("!truth", None),
    ],
)
def test_a_literal_stands_for_itself(path, found):
    assert raw("{}", path) == found


@pytest.mark.parametrize(
    ("path", "text"),
    [("!nan", "NaN"), ("!inf", "+Inf"), ("!-inf", "-Inf"), ("!1e400", "+Inf"), ("!-0.0", "-0")],
)
def test_numbers_that_json_lacks_have_a_spelling(path, text):
    assert get("{}", path).string == text


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("{a,b:a.b}", '{"a":{"b":1},"b":1}'),
        ("{a.@flatten:x}", '{"@flatten:x":{"b":1}}'),
        ("{@flatten:a}", '{"@flatten":{"b":1}}'),
        ('{"n\\u0061":a.b}', '{"n\\u0061":1}'),
        ("{<:a.b}", '{"\\u003c":1}'),
        ("[a:a.b]", "[1]"),
        ("{a\\.x}", "{}"),
        ("{a.b}.", None),
        ("a.{b}.b", "1"),
        ("a.[b]|0", "1"),
    ],
)
def test_a_multipath_gathers_results_under_names(path, found):
    assert raw('{"a":{"b":1}}', path) == found


@pytest.mark.parametrize(
    ("document", "path", "found"),
    [
        ("[[1 , 2],[],[[3]],4]", "@flatten", "[1 , 2,[3],4]"),
        ("[[1 , 2],[],[[3]],4]", '@flatten:{"deep":true}', "[1,2,3,4]"),
        ('[{"a":1,"b":2},{"\\u0061":3}]', "@join", '{"a":3,"b":2}'),
        ('[{"a":1},{"a":3}]', '@join:{"preserve":"t"}', '{"a":1,"a":3}'),
        ('[{"a":1},{"a":3}]', '@join:{"preserve":0}', '{"a":3}'),
        ('[{"a":1},{"a":3}]', '@join:{"preserve":null}', '{"a":3}'),
        ('[{"a":1},{"a":3}]', '@join:{"preserve":2}|a', "1"),
        ('"<\\u0001>"', "@tostr", '"\\"\\u003c\\\\u0001\\u003e\\""'),
        ("[1]", "@fromstr", "[1]"),
        ('"[1"', "@fromstr|0", "1"),
        ("[1", "@fromstr", None),
        ('{"a":[1,2],"b":3,"c":[4]}', "@group", '[{"a":1,"c":4},{"a":2}]'),
        ('{"a":[{"a":1}]}', "@dig:a", '[[{"a":1}],1]'),
        ("[NaN]", "@valid", None),
        ("5", "@values", "[5]"),
        ("5", "@keys:x|0", "null"),
        ("", "@pretty", None),
        ("", "@dig:a", "[]"),
        ("[1,2]", "@reverse:[0].0", "2"),
        ("[1,2]", '@reverse:"x".0', "2"),
        ("[1,2]", "@reverse:[x|0", "2"),
    ],
)
def test_a_modifier_converts_the_text(document, path, found):
    assert raw(document, path) == found


def test_pretty_keeps_an_array_on_one_line_only_where_it_fits():
    document = '{"long":[1,[2,"a,b"],3],"short":[]}'
    wide = '{\n  "long": [1, [2, "a,b"], 3],\n  "short": []\n}\n'
    narrow = '{\n  "long": [\n    1,\n    [2, "a,b"],\n    3\n  ],\n  "short": []\n}\n'
    assert raw(document, "@pretty") == wide
    assert raw(document, '@pretty:{"width":22}') == narrow


def test_pretty_takes_blanks_alone_for_indent_and_prefix():
    options = '{"indent":"\\tx","prefix":"> ","width":0,"sortKeys":true}'
    assert raw('{"b":[],"a":{"c":1}}', f"@pretty:{options}") == (
        '{\n \t"a": {\n \t\t"c": 1\n \t},\n \t"b": []\n }\n'
    )


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (r"\ud83d\ude00", "\U0001f600"),
        (r"\ud83dx", "\ufffdx"),
        (r"a\qb", "a"),
        (r"a\u12", "a"),
        (r"\"\\\/\b\f\n\r\t", '"\\/\b\f\n\r\t'),
        ("tab\tand\\n", "tab\tand\n"),
    ],
)
def test_escapes_are_decoded_up_to_the_first_unknown_one(body, text):
    assert get(f'["{body}"]', "0").string == text


@pytest.mark.parametrize(
    ("document", "path", "found"),
    [
        ('{"a" "b",1:2,"c":3}', "c", "3"),
        ('{"a"}', "a", None),
        ('{"a":[1,{"b":2', "a.1.b", "2"),
        ("[1 2,,3]", "#", "3"),
        ("]", "0", None),
        ("1 2]3", "..#", "2"),
        ('[1,"a\\', "1", '"a'),
        ("1\n[2]\n3", "..1.0", "2"),
        ("[1,2]", "0|..#", "1"),
        ("nix", "@this", "nix"),
        ("n", "@this", "n"),
        ("what", "@this", None),
    ],
)
def test_a_malformed_document_gives_what_can_be_made_of_it(document, path, found):
    assert raw(document, path) == found


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("plan", ("plan",)),
        ("roles.0.name", ("roles", 0, "name")),
        (r"fav\.movie.x\*y", ("fav.movie", "x*y")),
        (r"\1.1\2", ("1", "12")),
        ("a..b.", ("a", "", "b", "")),
        ("ha#sh.@at.!bang", ("ha#sh", "@at", "!bang")),
        (r"\#.\@this", ("#", "@this")),
        ("@", ("@",)),
    ],
)
def test_a_plain_path_is_taken_apart(path, parts):
    assert plain_path(path) == parts


@pytest.mark.parametrize(
    "path",
    [
        *("", "a|b", "a*", "a.?", "a.#", "a.#.b", "#(a=1)", "@this", "a.@keys", "!1", "{a}"),
        *("a.[b]", "..0", "a.01", "x" * (MAX_PATH + 1)),
    ],
)
def test_a_path_that_says_more_is_not_plain(path):
    assert plain_path(path) is None


@given(st.lists(st.sampled_from("aé1.\\#@!*?|[]{}(),:\"' \0"), max_size=12).map("".join))
def test_a_plain_path_leads_where_its_parts_lead(path):
    parts = plain_path(path)
    assume(parts is not None)
    document = "1"
    for part in reversed(parts):
        document = f"{{{json.dumps(str(part), ensure_ascii=False)}:{document}}}"
    assert raw(document, path) == "1"


def test_results_come_in_the_order_of_the_document():
    found = json.loads(get(json.dumps([{"n": n} for n in range(50)]), "#.n").raw)
    assert all(first < second for first, second in pairwise(found))
