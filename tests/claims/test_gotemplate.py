import json
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest

from app.claims.context import user_context
from app.claims.errors import TemplateRunError, TemplateSyntaxError
from app.claims.gotemplate import MAX_SOURCE, render

VECTORS = json.loads(
    (Path(__file__).parents[1] / "vectors" / "go-template.json").read_text(encoding="utf-8")
)

ERRORS = {"parse": TemplateSyntaxError, "exec": TemplateRunError}


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=f"{case['name']}{'-quirk' * case.get('quirk', False)}")
        for case in VECTORS["cases"]
    ],
)
def test_a_recorded_case_of_the_reference_engine_comes_out_the_same(case):
    data = VECTORS["contexts"][case["context"]]
    if case["context_kind"] == "user":
        data = user_context(data)
    if "expected_error" in case:
        with pytest.raises(ERRORS[case["expected_error"]]):
            render(case["template"], data)
    else:
        assert render(case["template"], data) == case["expected_output"]


@pytest.mark.parametrize(
    ("source", "output"),
    [
        ("{{1_000.5}} {{09.5}} {{0x_1}} {{1e-3}} {{-.5}}", "1000.5 9.5 1 0.001 -0.5"),
        ("{{-9223372036854775808}}", "-9223372036854775808"),
        ("{{1+2i}} {{-1.5e2i}} {{0x1p1i}}", "(1+2i) (0-150i) (0+2i)"),
        (r"{{'\''}} {{'\x41'}} {{'\101'}} {{'\xff'}} {{'\U0001F600'}}", "39 65 65 255 128512"),
        (r"""{{"\101\a\b\f\v\r\"\\\xc3\xa9"}}""", 'A\a\b\f\v\r"\\é'),
        (r'{{"\xff"}}{{"\xc3"}}', "\ufffd\ufffd"),
        ("{{`a\r\n\\n`}}", "a\n\\n"),
    ],
)
def test_a_literal_says_what_it_is_written_for(source, output):
    assert render(source, {}) == output


@pytest.mark.parametrize(
    "source",
    [
        *(
            "{{08}}",
            "{{1__0}}",
            "{{1e400}}",
            "{{0x1.8}}",
            "{{0b2}}",
            "{{-}}",
            "{{1-2}}",
            "{{1.2.3}}",
        ),
        *("{{+9223372036854775808}}", "{{-9223372036854775809}}", "{{1e400i}}", "{{0x1p9999}}"),
        *(r"{{'\"'}}", r"""{{"\'"}}""", "{{''}}", r'{{"\ud800"}}', r'{{"\u12"}}', r'{{"\400"}}'),
        *(r'{{"\U00110000"}}', r"{{'\q'}}", r'{{"\q"}}', "{{'\n'}}", "{{'a", "{{`a"),
    ],
)
def test_a_literal_that_stands_for_nothing_is_refused(source):
    with pytest.raises(TemplateSyntaxError):
        render(source, {})


@pytest.mark.parametrize(
    "source",
    [
        *("{{$x=1}}", "{{.n²}}", "{{.a-b}}", '{{"a""b"}}', "{{print(1)}}", "{{print (1)(2)}}"),
        *(
            "{{..a}}",
            "{{.a.}}",
            "{{nil.x}}",
            "{{1.x}}",
            "{{(1)x}}",
            "{{,}}",
            "{{:}}",
            "{{§}}",
            "{{:1}}",
        ),
        *("{{1 | .}}", "{{1 | nil}}", "{{1 | | 2}}", "{{if}}{{end}}", "{{end}}", "{{else}}"),
        *("{{range $a, 1}}{{end}}", "{{range $a, $b, $c := .}}{{end}}", "{{$a, $b := 1}}"),
        *("{{if 1}}{{else with 1}}{{end}}", "{{with 1}}{{else if 1}}{{end}}", "{{print if}}"),
        *("{{range .}}{{else if 1}}{{end}}", "{{range .}}{{else}}{{break}}{{end}}", "{{break 1}}"),
        *("{{range .}}{{define `a`}}{{end}}{{end}}", '{{block "a"}}{{end}}', "{{end 1}}"),
        *('{{define "a"}}{{else}}{{end}}', '{{block "a" .}}{{else}}{{end}}', '{{define "a"}}'),
        *("{{define 1}}{{end}}", "{{template .}}", '{{define "a" 1}}{{end}}', '{{template "\\q"}}'),
        *("{{- /* a */-}}", "{{/* a */ -}} {{/*", "{{-  /* a */}}", "{{/* a */ }}", "{{/* a"),
        *("{{range $i, }}{{end}}", "{{if 1}}a{{else}}b{{else}}c{{end}}", "{{user.name}}"),
    ],
)
def test_what_the_language_does_not_know_is_refused(source):
    with pytest.raises(TemplateSyntaxError):
        render(source, {})


def test_a_function_as_an_argument_is_called():
    assert render('{{print print "a" print}}|{{len println}}', {}) == "a|1"


def test_blanks_are_only_needed_between_arguments():
    assert render("{{if(eq 1 1)}}{{1|print|printf `%s`}}{{end}}", {}) == "1"


def test_a_right_trim_takes_the_blanks_of_the_text_behind_it_and_nothing_else():
    assert render('{{" " -}} \r\n {{- " "}}{{/* a */ -}}  b', {}) == "  b"


@pytest.mark.parametrize(
    ("source", "output"),
    [
        ("{{$x := 1}}{{if $x := 2}}{{$x = 3}}{{end}}{{$x}}", "1"),
        ("{{range $i, $e := .none}}{{else}}{{$i}}{{$e}}{{end}}", "[][]"),
        ("{{$e := 0}}{{range $e = .none}}{{end}}{{$e}}", "[]"),
        ("{{$i := 0}}{{$e := 0}}{{range $i, $e = .list}}{{end}}{{$i}}{{$e}}", "2<no value>"),
        ("{{print ($x := 1)}}{{$x}}", "11"),
        ('{{template "a" $x := 1}}{{$x}}{{define "a"}}{{.}}{{end}}', "11"),
        ("{{$x := $}}{{$x.list}}", "[1 x <nil>]"),
        ("{{range 3}}{{if .}}{{continue}}{{end}}{{with 1}}{{break}}{{end}}{{end}}{{.none}}", "[]"),
    ],
)
def test_a_variable_holds_until_its_structure_ends(source, output):
    assert render(source, {"none": [], "list": [1, "x", None]}) == output


@pytest.mark.parametrize(
    "source",
    [
        "{{if .}}{{else}}{{$x := 1}}{{end}}{{if 0}}{{$y := 1}}{{else}}{{$y}}{{end}}",
        "{{$x := $x}}",
        '{{define "a"}}{{$ = 1}}{{end}}{{$y = 1}}',
    ],
)
def test_a_variable_that_was_never_declared_fails_when_it_is_come_upon(source):
    with pytest.raises(TemplateRunError):
        render(source, {"a": 1})


def test_a_blank_definition_gives_way_to_another():
    source = '{{define "a"}} {{end}}{{define "a"}}q{{end}}{{define "a"}} \n{{end}}{{template "a"}}'
    assert render(source, {}) == "q"
    assert render('{{define ""}}x{{end}}', {}) == "x"
    assert render('{{block "q" 1}}{{.}}{{end}}{{template "q" 2}}', {}) == "12"


@pytest.mark.parametrize(
    ("source", "output"),
    [
        ("{{.missing.x 1 2}}", "<no value>"),
        ("{{(.null).x}}", "<no value>"),
        ("{{range .}}{{with .}}{{.x}}{{end}}{{end}}", "1"),
        ("{{$x := .null}}{{$x.y}}", "<no value>"),
        ('{{index .map "x"}}{{(index .map "y").z}}', "1<no value>"),
    ],
)
def test_what_is_looked_up_in_nothing_is_nothing(source, output):
    assert render(source, {"null": None, "map": {"x": 1}}) == output


@pytest.mark.parametrize(
    "source",
    [
        *("{{range .}}{{.x}}{{end}}", "{{range $v := .}}{{$v.x}}{{end}}", "{{index . 0 1}}"),
        *("{{index . 0}}{{index . true}}", "{{index . 1 2}}", "{{slice . 0 2 1}}", "{{slice . 2}}"),
        *('{{slice "ab" 0 1 1}}', '{{index "ab" 2}}', '{{index "" -1}}', "{{len . .}}", "{{eq .}}"),
        *(
            "{{slice 1}}",
            "{{slice .x}}",
            "{{print.x}}",
            "{{nil}}",
            "{{nil 1}}",
            "{{. 1}}",
            "{{1 | (2)}}",
        ),
        *("{{9223372036854775808}}", "{{range 1.5}}{{end}}", "{{template `x`}}", "{{call 1}}"),
        *("{{lt 1i 2i}}", "{{lt true false}}", "{{eq . .}}", '{{eq "a" .}}', "{{lt nil 1}}"),
    ],
)
def test_what_cannot_be_done_fails_when_it_is_come_upon(source):
    with pytest.raises(TemplateRunError):
        render(source, [None])


@pytest.mark.parametrize(
    ("source", "output"),
    [
        ('{{slice "é" 0 1}}', "\ufffd"),
        ('{{print (slice "é" 0 1) (slice "é" 1)}}', "é"),
        ('{{eq (print (slice "é" 0 1) (slice "é" 1)) "é"}}', "true"),
        ('{{len (slice "日本" 1 5)}}', "4"),
        ('{{js (slice "é" 1)}}{{html (slice "é" 1)}}', "\ufffd\ufffd"),
        ('{{urlquery (slice "é" 1)}}', "%A9"),
        ('{{printf "%q %x %+q" (slice "é" 0 1) (slice "é" 0 1) "é"}}', r'"\xc3" c3 "\u00e9"'),
        ('{{lt (slice "é" 0 1) "é"}} {{index "é" 1}}', "true 169"),
    ],
)
def test_a_string_is_cut_by_its_bytes(source, output):
    assert render(source, {}) == output


@pytest.mark.parametrize(
    ("source", "output"),
    [
        ("{{js .}}", "\x7f\\u00A0\\uE0001é\\u000A\\'\\\"\\\\\\u003C\\u003E\\u0026\\u003D"),
        ("{{html .}}", "\x7f\xa0\U000e0001é\n&#39;&#34;\\&lt;&gt;&amp;="),
        ("{{urlquery .}}", "%7F%C2%A0%F3%A0%80%81%C3%A9%0A%27%22%5C%3C%3E%26%3D"),
    ],
)
def test_escaping_makes_a_text_safe_for_one_place(source, output):
    assert render(source, "\x7f\xa0\U000e0001é\n'\"\\<>&=") == output


def test_html_says_that_there_is_nothing_to_escape():
    assert render("{{html nil 1}} {{js .x nil}}", {}) == (
        "&lt;no value&gt;1 \\u003Cno value\\u003E\\u003Cno value\\u003E"
    )


def test_a_number_that_was_kept_as_text_counts_as_a_number():
    data = {"f": msgspec.Raw(b"1.50"), "i": msgspec.Raw(b"12"), "big": msgspec.Raw(b"1" * 25)}
    assert render("{{.f}} {{eq .i 12}} {{.big}}", data) == "1.5 true 1.1111111111111111e+24"
    assert render("{{.}} {{.x}}", {"x": 10**30}) == "map[x:1e+30] 1e+30"
    assert render("{{.}} {{.x}}", {"x": -(10**400)}) == "map[x:-Inf] -Inf"


@pytest.mark.parametrize("value", [object(), {1, 2}, (1,), b"x", msgspec.Raw(b"[1]"), render])
@pytest.mark.parametrize("source", ["{{.x}}", "{{.}}", "{{range .}}{{end}}", "{{index . `x`}}"])
def test_what_json_does_not_know_is_no_value(value, source):
    with pytest.raises(TemplateRunError):
        render(source, {"x": value})
    with pytest.raises(TemplateRunError):
        render("{{.}}", value)


@pytest.mark.parametrize(
    "name", ["__class__", "__dict__", "__init__", "keys", "items", "get", "append", "upper", "real"]
)
@pytest.mark.parametrize("value", [{}, [], "a", 1, 1.5, True, None, user_context({})])
def test_no_attribute_of_a_python_object_can_be_reached_sec_009(name, value):
    for source in (f"{{{{.{name}}}}}", f"{{{{(index .).{name}}}}}", f"{{{{.x.{name}}}}}"):
        with suppress(TemplateRunError):
            assert render(source, {"x": value} if ".x." in source else value) == "<no value>"


def test_a_message_quotes_the_template_and_never_the_data():
    with pytest.raises(TemplateRunError) as caught:
        render("{{.a.field}}", {"a": "secret"})
    assert "field" in caught.value.message
    assert "secret" not in caught.value.message
    with pytest.raises(TemplateSyntaxError) as refused:
        render("text {{.a %}}", {})
    assert refused.value.message == "At character 10: Something here is no word of the language."


def test_a_template_too_long_is_refused():
    assert render("x" * MAX_SOURCE, {}) == "x" * MAX_SOURCE
    with pytest.raises(TemplateSyntaxError):
        render("x" * (MAX_SOURCE + 1), {})


def test_half_of_a_surrogate_pair_leaves_as_the_replacement_character():
    assert render("\ud800{{.}}{{`\udc00`}}", "\ud83d") == "\ufffd\ufffd\ufffd"
    assert render("{{range .}}{{.}}{{end}}", ["\udcc3", "\udca9"]) == "é"
