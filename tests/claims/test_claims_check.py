from contextlib import suppress
from functools import partial

import msgspec
import pytest
from claims.strategies import cap, claims_maps, users
from hypothesis import given, settings
from stopwatch import in_time

from app import strictjson
from app.claims.check import Cap, Caps, check_claims, worst_case_size
from app.claims.claims import MAX_SOURCES, RESERVED, render_claims
from app.claims.errors import (
    ClaimReserved,
    ClaimsTooLarge,
    PrivateMetadataNamed,
    TemplateSyntaxError,
)
from app.claims.gotemplate import tree
from app.claims.size_paths import reach

SMALL = Caps(Cap(512, "bytes"), Cap(512, "bytes"))
BUDGET = 1228


def bag_of(size: int, core: str = "x") -> str:
    """A bag as full as it may be."""
    return strictjson.encode({"a": core * ((size - len('{"a":""}')) // len(core.encode()))})


@pytest.mark.parametrize(
    ("claims", "path"),
    [
        ({"a": "{{"}, ("a",)),
        ({"a": 1, "b": {"c": ["x", "{{.User"]}}, ("b", "c", "1")),
        ({"a": "{{user.email}}"}, ("a",)),
        ({"a": [{1, 2}]}, ("a", "0")),
        ({"a": "{{1}}" + "x" * 4096}, ("a",)),
        ({str(n): f"{{{{{n}}}}}" + "x" * (MAX_SOURCES // 3) for n in range(3)}, ("2",)),
    ],
)
def test_a_template_that_cannot_be_read_is_refused_where_it_stands(claims, path):
    with pytest.raises(TemplateSyntaxError) as caught:
        check_claims(claims)
    assert caught.value.path == path


def test_claims_nested_too_deeply_are_refused():
    deep = "x"
    for _ in range(60):
        deep = [deep]
    with pytest.raises(TemplateSyntaxError):
        check_claims({"a": deep})


@pytest.mark.parametrize(
    ("claims", "path"),
    [
        ({"a": "x\0"}, ("a",)),
        ({"a": "\ud800"}, ("a",)),
        ({"a": ["{{1}}\udfff"]}, ("a", "0")),
        ({"a": {"\ud800": 1}}, ("a",)),
        ({"a\0": 1}, ()),
    ],
)
def test_a_text_that_no_database_keeps_is_refused(claims, path):
    with pytest.raises(TemplateSyntaxError) as caught:
        check_claims(claims)
    assert caught.value.path == path


@pytest.mark.parametrize(
    "source",
    [
        *('{{.User.Metadata.Private "x"}}', "{{.User.Metadata.Private}}", "{{.User.private}}"),
        *(
            "{{user.private_metadata}}",
            "{{user.private_metadata.x || 1}}",
            "{{.User.PrivateMetadata}}",
        ),
        *("{{with .User.Metadata}}{{.Private}}{{end}}", "{{$m := .User.Metadata}}{{$m.Private}}"),
        *(
            '{{(index .User.Metadata).Private "x"}}',
            '{{if false}}{{.User.Metadata.Private "x"}}{{end}}',
        ),
        *(
            '{{define "a"}}{{.Private}}{{end}}',
            "{{range 1}}{{else}}{{print (.x.private_metadata)}}{{end}}",
        ),
        *("{{print 1 | .User.Metadata.Private}}", '{{template "a" .Private}}'),
    ],
)
def test_a_template_that_names_the_private_bag_is_refused_sec_009(source):
    with pytest.raises(PrivateMetadataNamed) as caught:
        check_claims({"a": [source]})
    assert caught.value.path == ("a", "0")


def test_the_word_private_may_stand_elsewhere():
    check_claims({"private": 'private {{.User.Metadata.Public "Private"}} {{"private"}}'})


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_a_reserved_claim_is_refused_sec_010(name):
    with pytest.raises(ClaimReserved) as caught:
        check_claims({"role": "x", name: "x"})
    assert caught.value.path == (name,)
    check_claims({"own": {name: "x"}})


def test_claims_that_fit_whatever_the_bags_hold_are_accepted_sec_010():
    fitting = {"public": "{{user.public_metadata}}", "unsafe": "{{ user.unsafe_metadata }}"}
    check_claims(fitting, caps=SMALL, budget=BUDGET)
    full = {"public_metadata_raw": bag_of(512), "unsafe_metadata_raw": bag_of(512, "é")}
    assert 1024 < render_claims(fitting, full).size <= worst_case_size(fitting, SMALL) <= BUDGET


@pytest.mark.parametrize(
    "claims",
    [
        {
            "a": "{{user.public_metadata}}",
            "b": "{{user.public_metadata}}",
            "c": "{{user.unsafe_metadata}}",
        },
        {"a": "{{user.public_metadata.x}}", "b": ["{{user.public_metadata.x.y}}"] * 2},
        {"a": "{{.User.Picture}}"},
        {"a": "x" * 1300},
        {"a": "{{range 3}}x{{end}}"},
        {"a": "{{.User}}"},
    ],
)
def test_claims_that_could_outgrow_their_budget_are_refused_sec_010(claims):
    check_claims(claims)
    with pytest.raises(ClaimsTooLarge):
        check_claims(claims, caps=SMALL, budget=BUDGET)


@pytest.mark.parametrize(
    ("claims", "size"),
    [
        ({}, 2),
        ({"sub": "x" * 5000}, 2),
        ({"a": "x", "b": [1, None, True], "c": {"d": 1.5}}, None),
        ({"a": "true", "b": "{ }", "é": "é\n"}, None),
        ({"a": "{{user.public_metadata}}"}, 512 + 7),
        ({"a": '{{user.public_metadata || "x"}}'}, 512 + 3 + 7),
        ({"a": "{{user.public_metadata.x}}", "b": "{{user.public_metadata.y}}"}, 512 + 12),
        ({"a": "{{user.public_metadata.x}}", "b": "{{user.public_metadata.x.y}}"}, 1024 + 12),
        ({"a": "{{user.public_metadata}}", "b": "{{user.unsafe_metadata.y}}"}, 1024 + 12),
        ({"a": "{{.User.Metadata.Public}}"}, 512 + 12 + 7),
    ],
)
def test_a_bound_is_no_wider_than_need_be(claims, size):
    bound = worst_case_size(claims, SMALL)
    assert bound == size or (size is None and 0 <= bound - render_claims(claims, {}).size <= 4)


@pytest.mark.parametrize(
    "source",
    [
        *("{{range 3}}x{{end}}", '{{define "a"}}{{template "a"}}{{end}}{{template "a"}}'),
        *(
            '{{printf "%9d" 1}}',
            '{{printf "%*d" 1 2}}',
            '{{printf "%[1]s" "a"}}',
            "{{printf .User.Name}}",
        ),
        *('{{.User.Metadata.Public "@pretty"}}', '{{.User.Metadata.Public "a|@tostr"}}'),
        *('{{.User.Metadata.Public "[[a]]"}}', '{{.User.Metadata.Public "..#"}}', "{{printf 1}}"),
        *("{{.User.Metadata.Public .User.Name}}", '{{.User.Metadata.Public (or "a" "b")}}'),
        *(
            '{{$p := "a"}}{{if 1}}{{$p = "b"}}{{end}}{{.User.Metadata.Public $p}}',
            '{{template ""}}',
        ),
        *('{{$p := "a"}}{{with $p := "b"}}{{end}}{{.User.Metadata.Public $p}}', "{{1}}" * 1100),
        '{{$p := "a"}}{{and 0 ($p = "b")}}{{.User.Metadata.Public $p}}',
    ],
)
def test_what_has_no_bound_counts_as_too_large(source):
    claims = {"a": source[:4096]}
    assert worst_case_size(claims, SMALL) is None
    with pytest.raises(ClaimsTooLarge):
        check_claims(claims, caps=SMALL, budget=10**9)


def test_a_field_has_the_cap_that_is_given_or_that_of_the_product():
    caps = Caps(SMALL.public, SMALL.unsafe, {"Username": Cap(16, "bytes", is_printable=True)})
    assert worst_case_size({"a": "{{.User.Username}}"}, caps) == 16 * 2 + 2 + 7
    assert worst_case_size({"a": "{{.User.Username}}"}, SMALL) == 32 * 4 + 2 + 7
    assert worst_case_size({"a": "{{.User.Name}}"}, caps) == 255 * 4 + 2 + 7


@pytest.mark.parametrize(
    ("path", "parts", "added"),
    [
        ("", (), ""),
        ("plan", (("plan",),), ""),
        ("a.0.b", (("a", "0", "b"),), ""),
        (r"a\.b.c", (("a.b", "c"),), ""),
        ("a.*", ((),), ""),
        ("list.#(a!=1)#.b", ((),), ""),
        ("a.b.@reverse", (("a", "b"),), ""),
        ("@this", ((),), ""),
        ('{a,"x":b.c}', (("a",), ("b", "c")), '[]"a":,"x":,'),
        ("[a,b|@this]", None, None),
        ("..@this", None, None),
        ("a..#|..0", None, None),
        ('#.!"x"', None, None),
        ("{a}.b", None, None),
        ("x" * 2000, (), ""),
    ],
)
def test_a_path_reaches_known_parts_of_a_bag(path, parts, added):
    found = reach(path)
    assert (found and found.parts, found and found.added) == (parts, added)


def test_checking_hostile_claims_ends_in_time_sec_124():
    each = {
        "keys": {str(n): f"{{{{user.public_metadata.a{n}}}}}" for n in range(200)},
        "key_in_key": {str(n): "{{user.public_metadata" + ".a" * n + "}}" for n in range(60)},
        "actions": {str(n): "{{1}}" * 100 for n in range(12)},
        "doubled": {"a": _doubling_templates()},
        "paths": {str(n): '{{.User.Metadata.Public "' + "(" * 1000 + '"}}' for n in range(5)},
        "statics": {str(n): [n] * 50 for n in range(100)},
        "never_ended": {"a": '{{define "a"}}' * 200},
    }

    def attempt(claims) -> None:
        tree.cache_clear()
        with suppress(TemplateSyntaxError, ClaimsTooLarge):
            check_claims(claims, caps=SMALL, budget=BUDGET)

    for name, claims in each.items():
        assert in_time(partial(attempt, claims)), name


def _doubling_templates():
    return (
        "".join(
            f'{{{{define "{n}"}}}}{{{{template "{n + 1}"}}}}{{{{template "{n + 1}"}}}}{{{{end}}}}'
            for n in range(50)
        )
        + '{{template "0"}}'
    )


# The property: whatever the bags hold within their caps, no rendered claim outgrows its bound.

EXTREMES = {
    "escapes": ("x{{.User.Metadata.Public}}", {"a": [""] * 300}, "bytes"),
    "escapes_by_path": ('x{{.User.Metadata.Public "a"}}', {"a": [""] * 300}, "bytes"),
    "escapes_of_a_shortcode": ("x{{user.public_metadata}}", {"a": [""] * 300}, "bytes"),
    "wide_characters": ("{{user.public_metadata.a}}", {"a": "😀" * 200}, "characters"),
    "wide_characters_as_text": ('x{{.User.Metadata.Public "a"}}', {"a": "😀" * 200}, "characters"),
    "control_characters": ('{{.User.Metadata.Public "a"}}', {"a": "\x01" * 200}, "characters"),
    "a_small_number": ('x{{.User.Metadata.Public "a"}}', {"a": msgspec.Raw(b"-5e-324")}, "bytes"),
    "a_number_shown": ("x{{user.public_metadata.a}}", {"a": msgspec.Raw(b"-5e-324")}, "bytes"),
    "a_large_number": ('{{.User.Metadata.Public "*"}}', {"a": msgspec.Raw(b"-1e308")}, "bytes"),
    "angles": ("x{{.User.Metadata}}", {"a": "<" * 300}, "bytes"),
    "angles_and_user": ("x{{.User}}", {"a": "&" * 300}, "characters"),
    "angles_in_a_script": ('{{js "&&&&&&&&&&&&"}}', {}, "bytes"),
    "ampersands": ('{{html "&&&&&&&&&&&&"}}', {}, "bytes"),
    "spaces_in_a_query": ('{{urlquery "!!!!!!!!!!!!"}}', {}, "bytes"),
    "deletes": (r'{{printf "%q" "\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f"}}', {}, "bytes"),
    "cut": ('{{slice "日本" 1 5}}', {}, "bytes"),
    "cut_out": ('{{slice (slice "\U0001f600\U0001f600" 1 7) 0 6}}', {}, "bytes"),
    "what_is_missing": ('{{printf "%d%d%d"}}', {}, "bytes"),
    "what_is_left_over": ('{{printf "" 1.5 1.5 1.5}}', {}, "bytes"),
    "what_does_not_fit": ('{{printf "%t%t" 1i 1i}}', {}, "bytes"),
    "a_key_and_all_around_it": (
        "{{user.public_metadata.a}}{{user.public_metadata}}{{user.public_metadata.a.b}}",
        {"a": {"b": [""] * 200}},
        "bytes",
    ),
    "a_part_twice": ('{{.User.Metadata.Public "[a,a,a]"}}', {"a": "x" * 300}, "bytes"),
}


@pytest.mark.parametrize(("source", "bag", "unit"), EXTREMES.values(), ids=EXTREMES)
def test_the_most_that_a_text_can_become_stays_within_its_bound_sec_010(source, bag, unit):
    raw = strictjson.encode(bag)
    filler = "<" * 40
    fields = ("user_id", "username", "name", "given_name", "family_name", "picture")
    user = dict.fromkeys(fields, filler) | {"public_metadata_raw": raw}
    names = ("UserID", "Username", "Name", "GivenName", "FamilyName", "Picture", "Address")
    caps = Caps(cap(raw, unit), Cap(0), dict.fromkeys(names, cap(filler, "bytes")))
    assert render_claims({"c": source}, user).size <= worst_case_size({"c": source}, caps)


@given(claims=claims_maps, held=users())
@settings(max_examples=250)
def test_no_claims_outgrow_their_bound_sec_010(claims, held):
    user, caps = held
    try:
        bound = worst_case_size(claims, caps)
    except TemplateSyntaxError:
        return
    if bound is not None:
        assert render_claims(claims, user).size <= bound
