import json
import sys
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stopwatch import in_time

from app.claims.context import user_context
from app.claims.errors import TemplateRunError, TemplateSyntaxError
from app.claims.gotemplate import MAX_SOURCE, MAX_TEXT, render, tree
from app.claims.gotemplate_cursor import MAX_NESTING
from app.claims.gotemplate_runner import MAX_DEPTH

REFUSALS = (TemplateSyntaxError, TemplateRunError)
BAG = json.dumps({"a": [{"b": [1, 2, {"c": "x"}]}] * 100, "s": "é<&\"'" * 200, "long": "x" * 900})
USER = user_context(
    {
        "user_id": "u",
        "username": "ada",
        "email": {"address": "a@example.com", "is_primary": True, "is_verified": True},
        "public_metadata_raw": BAG,
        "unsafe_metadata_raw": BAG,
    }
)


def filled(unit: str, start: str = "", end: str = "", size: int = MAX_SOURCE) -> str:
    return start + unit * ((size - len(start) - len(end)) // len(unit)) + end


def looped(action: str) -> str:
    return f'{{{{$x := .User.Metadata.Public "s"}}}}{{{{range 100000}}}}{action}{{{{end}}}}'


def nested(start: str, end: str, times: int, core: str = "1") -> str:
    return start * times + core + end * times


SOURCES = {
    "actions": filled("{{1}}"),
    "trimmed_actions": filled("  {{- 1 -}}  "),
    "comments": filled("{{/*x*/}}"),
    "texts": filled("a{{/**/}}"),
    "opened": filled("{{"),
    "opened_names": filled("{{x"),
    "closed": filled("}}"),
    "one_comment": filled("/*", "{{/*"),
    "blanks": filled(" ", "{{", "}}"),
    "blanks_never_closed": filled(" ", "{{", "x"),
    "quotes": filled('"', "{{"),
    "backquotes": filled("`", "{{"),
    "backslashes": filled("\\", '{{"'),
    "escapes": filled("\\n", '{{"', '"}}'),
    "digits": filled("1", "{{", "}}"),
    "underscores": filled("_1", "{{1", "}}"),
    "fraction": filled("1", "{{1.", "}}"),
    "exponent": filled("1", "{{1e", "}}"),
    "hexadecimal": filled("f", "{{0x", "p1}}"),
    "complex": filled("1+", "{{", "i}}"),
    "imaginary": filled("1", "{{1+", "i}}"),
    "fields": filled(".a", "{{", "}}"),
    "fields_of_nothing": filled(".a", "{{(index .User)", "}}"),
    "letters": filled("é", "{{", "}}"),
    "half_pairs": filled("\ud800"),
    "parentheses": filled("(", "{{", "}}"),
    "ifs": filled("{{if 1}}"),
    "else_ifs": filled("{{else if 1}}", "{{if 0}}", "{{end}}"),
    "pipes": filled("|print", "{{1", "}}"),
    "arguments": filled("1 ", "{{eq ", "}}"),
    "lazy_arguments": filled("1 ", "{{and ", "}}"),
    "variables": filled("{{$x:=1}}"),
    "variables_looked_up": "".join(f"{{{{$x{n} := 1}}}}" for n in range(150)) + "{{$x1}}" * 200,
    "as_deep_as_may_be": f"{{{{{nested('(print ', ')', MAX_NESTING - 1)}}}}}",
    "many_as_deep": filled("{{if 1}}" * 60 + "{{end}}" * 60),
    "doubled": '{{$x := "aaaaaaaa"}}' + "{{$x = print $x $x}}" * 100,
    "repeated": filled("{{print $x $x $x}}", "{{$x := .User.Metadata.Public}}"),
    "empty_rounds": "{{range 100000}}{{end}}",
    "endless_rounds": "{{range 9223372036854775807}}x{{end}}",
    "rounds_in_rounds": "{{range 1000}}{{range 1000}}{{.}}{{end}}{{end}}",
    "rounds_left": "{{range 100000}}{{range 3}}{{break}}{{end}}{{continue}}{{end}}",
    "rounds_of_tests": looped("{{if and (eq 1 1) (lt 2 3) (not false)}}{{end}}"),
    "endless_recursion": '{{define "R"}}{{template "R" .}}{{end}}{{template "R" .}}',
    "doubled_recursion": '{{define "R"}}{{template "R"}}{{template "R"}}{{end}}{{template "R"}}',
    "doubled_calls": "".join(
        f'{{{{define "{n}"}}}}{{{{template "{n + 1}"}}}}{{{{template "{n + 1}"}}}}{{{{end}}}}'
        for n in range(60)
    )
    + '{{define "60"}}{{end}}{{template "0"}}',
    "wide": looped('{{$y := printf "%016000d" 1}}'),
    "too_wide": looped('{{printf "%999999d" 1}}'),
    "precise": looped('{{$y := printf "%.16000f" 1e300}}'),
    "precise_and_short": looped('{{$y := printf "%.16000g" 1e-300}}'),
    "precise_hexadecimal": looped('{{$y := printf "%.16000x" 1e-300}}'),
    "directives": filled("%v", '{{printf "', '"}}'),
    "directives_of_one": filled("%[1]v", '{{printf "', '" .User}}'),
    "star_directives": filled("%*", '{{printf "', '" 1}}'),
    "bracket_directives": filled("%[", '{{printf "', '" 1}}'),
    "many_formats": looped('{{len (printf "%d %v %s %08.3f" 1 2 "a" 3.5)}}'),
    "cut_bytes": looped("{{$y := print (slice $x 1) (slice $x 0 1)}}"),
    "documents": filled('{{.User.Metadata.Public "#.#.#"}}'),
    **{name: looped(f"{{{{$y := {name} $x}}}}") for name in ("html", "js", "urlquery", "len")},
    **{f"comparing_{name}": looped(f"{{{{$y := {name} $x $x}}}}") for name in ("eq", "lt", "ge")},
    **{f"format_{v}": looped(f'{{{{$y := printf "%{v}" $x}}}}') for v in ("q", "#q", "x", "# X")},
    **{f"index_{name}": looped(f"{{{{$y := {name} $x 1}}}}") for name in ("index", "slice")},
    **{
        f"object_{name}": looped(f"{{{{$y := print $.User{name}}}}}")
        for name in ("", ".Email", ".Metadata")
    },
    **{
        f"path_{path}": looped(f'{{{{$y := $.User.Metadata.Public "{path}"}}}}')
        for path in ("a", "nope", "a.#.b.#.c", "@dig:a", "@pretty|@ugly|@pretty", "@tostr|@tostr")
    },
}

FRAGMENTS = [
    *(
        "{{",
        "}}",
        "{{-",
        " -}}",
        " ",
        ".",
        ".a",
        ".User",
        ".Email",
        ".Metadata",
        ".Public",
        "$",
        "$x",
    ),
    *(":=", "=", ",", "|", "(", ")", '"a"', "`b`", "'c'", "1", "-2", "1.5", "1i", "true", "nil"),
    *("if ", "else", "end", "else if ", "with ", "range ", 'define "T"', 'template "T" '),
    *('block "B" ', "break", "continue", "print ", 'printf "%v %[1]*d" ', "len ", "index "),
    *("slice ", "eq ", "lt ", "and ", "or ", "not ", "html ", "js ", "urlquery ", "call "),
    *("{{end}}", "{{else}}", "{{if .}}", "{{range .}}", "{{with .}}", "{{.}}", "{{$x := .}}"),
    *("\n", "é", "\0", "\ud800", "/*", "*/", "user.public_metadata.a", "||", '"'),
]

anything = st.text(st.characters(exclude_categories=()), max_size=60)
fragments = st.lists(st.sampled_from(FRAGMENTS), max_size=25).map("".join)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | anything,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(anything, inner, max_size=4),
    max_leaves=20,
)
operands = st.sampled_from([".", ".a", "$", '"é"', "1", "0", "1.5", "nil", "true", "$x", "`%6.2v`"])
names = st.sampled_from(
    [
        *("print", "println", "printf", "len", "index", "slice", "eq", "ne", "lt", "le", "gt"),
        *("ge", "and", "or", "not", "html", "js", "urlquery", "call"),
    ]
)


def extended(pipelines):
    call = st.tuples(names, st.lists(operands | pipelines.map("({})".format), max_size=3))
    calls = call.map(lambda c: " ".join((c[0], *c[1])))
    return calls | st.tuples(pipelines, calls).map(" | ".join)


pipelines = st.recursive(operands, extended, max_leaves=6)


def around(blocks):
    control = st.sampled_from(["if", "with", "range", "range $i, $x :=", "range $x ="])
    return st.tuples(control, pipelines, blocks, blocks).map(
        lambda c: f"{{{{{c[0]} {c[1]}}}}}{c[2]}{{{{else}}}}{c[3]}{{{{end}}}}"
    ) | st.tuples(blocks, blocks).map("".join)


actions = pipelines.map("{{{{ {} }}}}".format) | pipelines.map("{{{{$x = {}}}}}".format)
valid = st.recursive(actions, around, max_leaves=8).map("{{{{$x := .}}}}{}".format)


def attempt(source: str, data: object = USER) -> None:
    tree.cache_clear()
    with suppress(*REFUSALS):
        render(source, data)


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_a_hostile_template_ends_in_time_sec_124(source):
    assert len(source) <= MAX_SOURCE
    assert in_time(lambda: attempt(source))


@pytest.mark.parametrize("unit", ["{{1}}", "a", "{{", "{{if 1}}", '"', "("])
def test_the_longest_input_is_refused_in_time_sec_124(unit):
    assert in_time(lambda: attempt(filled(unit, size=64 * 1024)))


@pytest.mark.parametrize(
    "data",
    [["a"] * 100_000, {str(n): n for n in range(50_000)}, "é" * 500_000, [[[]] * 100] * 1000],
    ids=["list", "map", "string", "lists"],
)
@pytest.mark.parametrize(
    "source",
    [
        *("{{.}}", "{{range .}}{{.}}{{end}}", "{{range .}}{{end}}", "{{len .}}", "{{html .}}"),
        *("{{$x := print .}}", "{{printf `%q` .}}", "{{slice . 1}}", "{{index . 1}}", "{{eq . .}}"),
    ],
)
def test_hostile_data_end_in_time_sec_124(source, data):
    assert in_time(lambda: attempt(source, data))


def test_a_template_writes_only_so_much():
    assert len(render(f"{{{{printf `%{MAX_TEXT}d` 1}}}}", {})) == MAX_TEXT
    for source in (f"{{{{printf `%{MAX_TEXT}d` 1}}}}x", "{{print . .}}", "{{.}}{{.}}"):
        with pytest.raises(TemplateRunError):
            render(source, "x" * (MAX_TEXT // 2 + 1))
    with pytest.raises(TemplateRunError):
        render("{{$x := html .}}", "&" * (MAX_TEXT // 2))


def test_a_template_does_only_so_much():
    with pytest.raises(TemplateRunError) as caught:
        render("{{range 9223372036854775807}}{{end}}", {})
    assert caught.value.message == "The template does more work than it may."


def test_recursion_ends_long_before_the_stack_does():
    source = '{{define "R"}}{{if .}}{{template "R" (slice . 1)}}{{end}}{{end}}{{template "R" .}}'
    allowed = MAX_DEPTH // 2 - 2
    assert not render(source, "x" * allowed)
    with pytest.raises(TemplateRunError):
        render(source, "x" * (allowed + 1))


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("{{if 1}}", "{{end}}"),
        ("{{if 0}}{{else}}", "{{end}}"),
        ("{{range 1}}", "{{end}}"),
        ("(", ")"),
    ],
)
def test_structures_nest_only_so_deep(start, end):
    frame = "{{%s}}" if start == "(" else "%s"
    assert render(frame % nested(start, end, MAX_NESTING), {}) == "1"
    with pytest.raises(TemplateSyntaxError):
        render(frame % nested(start, end, MAX_NESTING + 1), {})


def test_data_nested_too_deeply_are_not_printed():
    data = 1
    for _ in range(5000):
        data = [data]
    with pytest.raises(TemplateRunError):
        render("{{.}}", data)


@pytest.mark.parametrize("left", [20, 60, 120, 200])
def test_a_caller_deep_in_its_stack_gets_our_error(left):
    source = f"{{{{if 1}}}}{nested('{{print (', ')}}', 1, nested('(', ')', 50))}{{{{end}}}}"

    def from_depth(frames: int) -> None:
        if frames:
            from_depth(frames - 1)
        else:
            tree.cache_clear()
            render(source, {})

    used = len(list(_frames()))
    with suppress(*REFUSALS):
        from_depth(sys.getrecursionlimit() - used - left)


@given(source=anything | fragments, data=json_values)
@settings(max_examples=500)
def test_no_text_and_no_json_raise_anything_but_our_two_errors(source, data):
    with suppress(*REFUSALS):
        render(source, data).encode()


@given(source=valid, data=json_values)
@settings(max_examples=250)
def test_no_template_and_no_json_raise_anything_but_our_two_errors(source, data):
    with suppress(*REFUSALS):
        render(source, data).encode()


@given(source=fragments, times=st.integers(1, 100))
@settings(max_examples=300)
def test_no_template_made_of_the_language_itself_lingers_sec_124(source, times):
    assert in_time(lambda: attempt((source * times)[:MAX_SOURCE]))


@given(text=st.text(max_size=200).filter(lambda text: "{{" not in text))
def test_text_without_actions_comes_out_as_it_is(text):
    assert render(text, {}) == text


@given(value=json_values)
def test_a_value_is_never_run_as_a_template_sec_008(value):
    held = {"a": "{{.secret}}{{printf `%d` 1}}", "secret": value}
    assert render("{{.a}}", held) == held["a"]


def _frames():
    frame = sys._getframe()
    while frame:
        yield frame
        frame = frame.f_back
