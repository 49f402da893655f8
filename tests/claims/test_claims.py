import json
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stopwatch import in_time

from app import strictjson
from app.claims.claims import MAX_SOURCES, RESERVED, Omitted, Rendered, convert, render_claims
from app.claims.errors import TemplateSyntaxError
from app.claims.gotemplate import tree
from app.claims.shortcodes import shortcode

VECTORS = json.loads(
    (Path(__file__).parents[1] / "vectors" / "jwt-claims.json").read_text(encoding="utf-8")
)

USER = {
    "user_id": "u-1",
    "email": None,
    "username": "ann",
    "public_metadata_raw": (
        '{"plan":"pro","seats":25,"rate":1.50,"big":123456789012345678901,"exp":1e3,"yes":"true",'
        '"on":true,"off":false,"nil":null,"empty":"","zero":0,"list":["a",{"b":2}],"none":[],'
        '"obj":{"a-b":1,"0":"zero"},"json":"{\\"x\\":1}","half":"\\ud83d"}'
    ),
    "unsafe_metadata_raw": '{"theme":"dark","html":"<b>"}',
}


def claims_of(claims, user=USER):
    """Render, and read the claims as a verifier does."""
    return json.loads(strictjson.encode(render_claims(claims, user).claims))


def value_of(source, user=USER):
    return claims_of({"c": source}, user)["c"]


def omitted(claims, user=USER):
    return {left.claim for left in render_claims(claims, user).omitted}


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["name"])
def test_a_recorded_case_of_the_reference_comes_out_the_same(case):
    rendered = render_claims(case["claims"], VECTORS["users"][case["user"]])
    as_doubles = json.loads(strictjson.encode(rendered.claims), parse_int=float)
    assert as_doubles == json.loads(json.dumps(case["expected_custom_claims"]), parse_int=float)
    left = {left.claim for left in rendered.omitted}
    assert left - RESERVED == set(case["dropped"])
    assert left & RESERVED == set(case["ignored_reserved"])


@pytest.mark.parametrize(
    "name",
    [
        *("sub", "iat", "exp", "nbf", "aud", "iss", "jti", "session_id", "email", "username"),
        *("amr", "metadata_version", "typ", "token_type"),
    ],
)
@pytest.mark.parametrize("value", ["x", 1, None, {"a": "b"}, "{{.User.Username}}", "{{"])
def test_a_reserved_claim_is_never_set_sec_010(name, value):
    rendered = render_claims({name: value, "role": "r"}, USER)
    assert rendered.claims == {"role": "r"}
    assert [left.claim for left in rendered.omitted] == [name]


@pytest.mark.parametrize(
    ("output", "claim"),
    [
        *(("true", True), ("false", False), ("True", "True"), ("true\n", "true\n"), ("1", "1")),
        *(("null", "null"), ('"a"', '"a"'), ("{}", {}), ("[]", []), ("[1 , 2]", [1, 2])),
        *((" {}", " {}"), ("{a}", "{a}"), ("{]", "{]"), ("[NaN]", "[NaN]"), ("[1e999]", "[1e999]")),
        *(("[01]", "[01]"), ('["\t"]', '["\t"]'), ("[-Infinity]", "[-Infinity]"), ("[1,]", "[1,]")),
        ('{"a":1,"a":2}', {"a": 2}),
        ('["\\ud800",{"\\udc00":"\\ud83d\\ude00"}]', ["\ufffd", {"\ufffd": "😀"}]),
        ("[" * 60 + "]" * 60, "[" * 60 + "]" * 60),
        ("[" * 50_000 + "]" * 50_000, "[" * 50_000 + "]" * 50_000),
    ],
)
def test_an_output_becomes_json_where_it_looks_like_it(output, claim):
    assert convert(output) == claim
    assert type(convert(output)) is type(claim)


@pytest.mark.parametrize(
    "number", ["1.50", "1e3", "-0", "12345678901234567890", "0.1000000000000000000001"]
)
def test_a_number_inside_json_keeps_its_spelling(number):
    assert strictjson.encode(convert(f"[ {number} ]")) == f"[{number}]"


@pytest.mark.parametrize(
    ("static", "claim"),
    [
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "2026-01-02T03:04:05Z"),
        (datetime(2026, 1, 2, 3, 4, 5), "2026-01-02T03:04:05Z"),  # noqa: DTZ001 - as in YAML
        (date(2026, 1, 2), "2026-01-02T00:00:00Z"),
        (msgspec.Raw(b"1.50"), 1.5),
        (10**30, 10**30),
        (1.5, 1.5),
        ({1: {True: "{{.User.Username}}"}}, {"1": {"True": "ann"}}),
    ],
)
def test_what_is_no_text_is_taken_as_it_is(static, claim):
    assert value_of(static) == claim


@pytest.mark.parametrize("static", [b"x", {1}, object(), float("nan"), float("inf"), 10**400])
def test_what_json_does_not_have_is_left_out(static):
    assert omitted({"c": [static], "d": 1}) == {"c"}


def test_a_claim_nested_too_deeply_is_left_out():
    deep = []
    deep.append(deep)
    assert omitted({"c": deep, "d": 1}) == {"c"}


@pytest.mark.parametrize(
    ("source", "claim"),
    [
        *(("{{ user.public_metadata.plan }}", "pro"), ("{{user.public_metadata.seats}}", 25)),
        *(("{{user.public_metadata.yes}}", "true"), ("{{user.public_metadata.on}}", True)),
        *(("{{user.public_metadata.off}}", False), ("{{user.public_metadata.empty}}", "")),
        *(("{{user.public_metadata.zero}}", 0), ("{{user.public_metadata.rate}}", 1.5)),
        *(("{{user.public_metadata.json}}", '{"x":1}'), ("{{user.public_metadata.none}}", [])),
        ("{{user.public_metadata.half}}", "\ufffd"),
        ("{{user.public_metadata.obj.a-b}}", 1),
        ("{{user.public_metadata.obj.0}}", "zero"),
        ("{{user.public_metadata.list.1.b}}", 2),
        ("{{user.unsafe_metadata}}", {"theme": "dark", "html": "<b>"}),
        ("\n {{- user.public_metadata.seats -}} \n", 25),
        (" {{\tuser.public_metadata.seats\n}} ", 25),
        ('{{ user.public_metadata.nope || "free" }}', "free"),
        ('{{ user.public_metadata.nil||"\\u00e9}}\\"" }}', 'é}}"'),
        ("{{ user.public_metadata.nope || -1.50 }}", -1.5),
        ("{{ user.public_metadata.nope || true }}", True),
        ('{{ user.public_metadata.empty || "free" }}', ""),
        ('{{ user.public_metadata.off || "free" }}', False),
    ],
)
def test_a_shortcode_alone_takes_the_value_with_its_type(source, claim):
    assert value_of(source) == claim
    assert type(value_of(source)) is type(claim)


@pytest.mark.parametrize(
    ("source", "claim"),
    [
        ("<{{user.public_metadata.plan}}>", "<pro>"),
        ("{{user.public_metadata.exp}}{{user.public_metadata.rate}}", "10001.5"),
        ("n={{user.public_metadata.seats}}", "n=25"),
        ("{{user.public_metadata.on}}{{/* x */}}", True),
        ("{{user.public_metadata.on}}!", "true!"),
        ("[{{user.public_metadata.seats}},{{user.public_metadata.list}}]", [25, ["a", {"b": 2}]]),
        ("x{{user.public_metadata.obj}}", 'x{"a-b":1,"0":"zero"}'),
        ('{{user.public_metadata.nope || "a"}}-{{.User.Username}}', "a-ann"),
        ("{{if .User.Email}}{{user.public_metadata.nope}}{{else}}no mail{{end}}", "no mail"),
        ('{{define "a"}}{{user.public_metadata.plan}}{{end}}{{template "a"}}!', "pro!"),
        (
            '{{"user.public_metadata.plan"}}{{/* user.x */}}user.x',
            "user.public_metadata.planuser.x",
        ),
    ],
)
def test_a_shortcode_among_other_things_is_text(source, claim):
    assert value_of(source) == claim


@pytest.mark.parametrize(
    "source",
    [
        *(
            "{{user.public_metadata.nope}}",
            "{{user.public_metadata.nil}}",
            "{{user.public_metadata.plan.x}}",
        ),
        *(
            "{{user.public_metadata.list.9}}",
            "{{user.public_metadata.list.01}}",
            "x{{user.public_metadata.nope}}",
        ),
        *("{{user.public_metadata.list.99999999999}}", "{{user.public_metadata.list.-1}}"),
    ],
)
def test_a_shortcode_that_finds_nothing_leaves_its_claim_out(source):
    assert omitted({"c": source, "d": 1}) == {"c"}
    assert claims_of({"c": {"a": source, "b": [source, 1]}, "d": [source]}) == {
        "c": {"b": [1]},
        "d": [],
    }


@pytest.mark.parametrize("raw", [None, "{}", " { }"])
def test_a_bag_that_holds_nothing_is_nothing(raw):
    user = USER | {"public_metadata_raw": raw}
    assert omitted({"a": "{{user.public_metadata}}"}, user) == {"a"}
    assert claims_of({"a": "{{user.public_metadata || 1}}"}, user) == {"a": 1}


@pytest.mark.parametrize(
    "source",
    [
        *(
            "{{user.private_metadata}}",
            "{{user.private_metadata.x}}",
            "{{user.email}}",
            "{{user.}}",
        ),
        *("{{user.public_metadata | print}}", "{{if user.public_metadata}}{{end}}", "{{user}}"),
        *(
            "{{print user.public_metadata.a}}",
            "{{$x := user.public_metadata.a}}",
            "{{user .public_metadata}}",
        ),
        *("{{user.public_metadata.a || nil}}", "{{user.public_metadata.a || null}}"),
        *(
            "{{user.public_metadata.a || b}}",
            "{{user.public_metadata.a ||}}",
            "{{user.public_metadata.a | 1}}",
        ),
        *(
            "{{user.public_metadata.a || 01}}",
            "{{user.public_metadata..a}}",
            "{{user.public_metadata.a b}}",
        ),
        *(
            "{{user.public_metadata.é}}",
            '{{user.public_metadata["a"]}}',
            "{{user.public_metadata.a",
        ),
        *(
            '{{user.public_metadata.a || "\\x"}}',
            "{{user.public_metadata.a || 1e999}}",
            "{{-user.public_metadata}}",
        ),
    ],
)
def test_a_shortcode_written_otherwise_leaves_its_claim_out(source):
    assert omitted({"c": {"a": [source]}, "d": 1}) == {"c"}


def test_a_bag_that_is_no_json_leaves_its_claims_out():
    user = USER | {"public_metadata_raw": "{broken"}
    assert omitted({"a": "{{user.public_metadata.x}}", "b": 1}, user) == {"a"}


def test_a_reason_says_nothing_of_the_data():
    reasons = [
        left.reason
        for left in render_claims(
            {
                "a": '{{eq (.User.Metadata.Public "plan") 1}}',
                "b": '{{range .User.Metadata.Public "plan"}}{{end}}',
                "c": "{{user.public_metadata.nope}}",
                "d": "{{.User.Nope}}",
                "e": "{{.User.Email.Address}}",
            },
            USER,
        ).omitted
    ]
    assert len(reasons) == len(set(reasons)) == 5
    assert not any("pro" in reason.split() for reason in reasons)


def test_claims_over_their_budget_go_largest_first_sec_010():
    rendered = Rendered({"a": "x" * 10, "b": "x" * 30, "c": "x" * 20}, (Omitted("z", "why"),))
    assert rendered.within(rendered.size) == rendered
    fitted = rendered.within(rendered.size - 1)
    assert fitted.claims == {"a": "x" * 10, "c": "x" * 20}
    assert [left.claim for left in fitted.omitted] == ["z", "b"]
    for budget in range(rendered.size + 1):
        assert rendered.within(budget).size <= max(budget, len("{}"))


def test_a_size_counts_the_bytes_of_the_token():
    assert render_claims({"é": ["{{user.public_metadata.rate}}", "ü"]}, USER).size == len(
        '{"é":[1.50,"ü"]}'.encode()
    )


def test_templates_share_the_room_that_claims_have():
    long = "{{1}}" + "x" * 2000
    assert omitted({f"c{n}": f"{long}{n}" for n in range(4)}) == {"c3"}
    assert 4 * len(long) > MAX_SOURCES


@pytest.mark.parametrize("place", [0, 5, 10])
def test_a_claim_that_costs_too_much_leaves_the_others_as_they_are(place):
    cheap = {f"c{n}": '{{.User.Metadata.Public "plan"}}' for n in range(10)}
    dear = [("dear", "{{range 9223372036854775807}}{{end}}")]
    claims = dict([*cheap.items()][:place] + dear + [*cheap.items()][place:])
    rendered = render_claims(claims, USER)
    assert list(rendered.claims) == list(cheap)
    assert rendered.omitted == (Omitted("dear", "The template does more work than it may."),)


@pytest.mark.parametrize("others", ["x", "{{range 100000}}{{end}}"])
@pytest.mark.parametrize(("rounds", "is_there"), [(100, True), (100_000, False)])
def test_no_claim_depends_on_what_another_costs(others, rounds, is_there):
    """SEC-008: nobody writes much into one claim to be rid of another."""
    claims = {str(n): others for n in range(9)}
    claims["dear"] = f"{{{{range {rounds}}}}}{{{{end}}}}done"
    assert ("dear" in claims_of(claims)) is is_there


@given(
    st.dictionaries(st.text(max_size=4), st.text("aü", max_size=40), max_size=6),
    st.integers(2, 200),
    st.frozensets(st.text(max_size=4), max_size=3),
)
def test_no_more_claims_are_left_out_than_there_is_no_room_for(claims, budget, first):
    """SEC-010"""
    found = Rendered(claims, ()).within(budget, first)
    assert found.size <= budget
    assert found.claims.keys() | {one.claim for one in found.omitted} == claims.keys()
    for one in found.omitted:
        assert Rendered(found.claims | {one.claim: claims[one.claim]}, ()).size > budget


def test_hostile_claims_end_in_time_sec_124():
    document = json.dumps({"a": [{"b": [1, 2, {"c": "x"}]}] * 100})
    user = USER | {"public_metadata_raw": document, "unsafe_metadata_raw": document}
    paths = ("a.#.b.#.c", "@dig:a", "@pretty|@ugly|@pretty", "*.*.*.*")
    each = {
        "paths": [f'{{{{.User.Metadata.Public "{path}"}}}}' for path in paths] * 20,
        "loops": ["{{range 100000}}{{end}}"] * 100,
        "bags": ["{{user.public_metadata}}"] * 250,
        "texts": ["x{{user.public_metadata}}"] * 200,
        "parsed": ["[{{user.public_metadata}}]"] * 200,
        "users": ["{{.User}}"] * 500,
    }

    def attempt(templates) -> None:
        tree.cache_clear()
        render_claims({str(n): source for n, source in enumerate(templates)}, user)

    for name, templates in each.items():
        assert in_time(partial(attempt, templates)), name


def test_what_is_no_shortcode_is_read_as_none():
    assert shortcode("user.public_metadata.a").keys == ("a",)
    with pytest.raises(TemplateSyntaxError):
        shortcode("user.public_metadata.a }}")
