import pytest

from app.claims.context import user_context
from app.claims.errors import TemplateRunError
from app.claims.gotemplate import MAX_TEXT, render

DATA = {"l": [1, None, "x", [1.5]], "m": {"b": {"c": 1}, "a": None}}


def printed(directives: str, arguments: str) -> str:
    return render(f"{{{{printf `{directives}` {arguments}}}}}", DATA)


@pytest.mark.parametrize(
    ("directives", "arguments", "output"),
    [
        ("%05s|%-05s|%5.1s|%05x", '"é" "é" "éa" "é"', "0000é|é    |    é|0c3a9"),
        (
            "% x|%#x|% #x|%.1x|%X|%#x",
            '"hé" "hé" "hé" "hé" "hé" ""',
            "68 c3 a9|0x68c3a9|0x68 0xc3 0xa9|68|68C3A9|",
        ),
        ("%#q|%#q|%#q|%.2q|%05q", '"a\\tb" "a\\nb" "`" "héé" "é"', '`a\tb`|"a\\nb"|"`"|"hé"|00"é"'),
        ("%q", r'"\a\b\v\\\"\x7f\u00ad\U000e0001"', r'"\a\b\v\\\"\x7f\u00ad\U000e0001"'),
        ("%+q|%+q", r'"é😀" 233', "\"\\u00e9\\U0001f600\"|'\\u00e9'"),
        ("%q|%q", "39 34", "'\\''|'\"'"),
        ("% s|%+v|%#v|%t", '"a" "a" "a" "a"', 'a|a|"a"|%!t(string=a)'),
    ],
)
def test_a_string_is_formatted_as_asked(directives, arguments, output):
    assert printed(directives, arguments) == output


@pytest.mark.parametrize(
    ("directives", "arguments", "output"),
    [
        ("%05d|%-05d|%+d|% d|%+05d|%- 5d|", "3 3 3 3 1 1", "00003|3    |+3| 3|+0001| 1   |"),
        ("%.3d|%08.3d|%.0d|%5.0d|%+.3d", "5 5 0 0 5", "005|     005||     |+005"),
        (
            "%x|%X|%#x|%#X|%#o|%#o|%O|%#b",
            "-255 255 255 255 0 8 8 5",
            "-ff|FF|0xff|0XFF|0|010|0o10|0b101",
        ),
        ("%#08x|%#.5x", "255 255", "0x000000ff|0x000ff"),
        ("%c|%5c|%c|%c|%c", "65 97 -1 55296 1114112", "A|    a|\ufffd|\ufffd|\ufffd"),
        (
            "%U|%#U|%.6U|%010U|%-8U|",
            "233 128512 233 233 233",
            "U+00E9|U+1F600 '😀'|U+0000E9|    U+00E9|U+00E9  |",
        ),
        ("%U|%s|%z", "-1 3 3", "U+FFFFFFFFFFFFFFFF|%!s(int=3)|%!z(int=3)"),
        ("%T|%v|%#v|%s|%c", " ".join(['(index "b" 0)'] * 5), "uint8|98|0x62|%!s(uint8=98)|b"),
        ("%t|%5t|%v|%d", "true true false true", "true| true|false|%!d(bool=true)"),
    ],
)
def test_an_integer_or_bool_is_formatted_as_asked(directives, arguments, output):
    assert printed(directives, arguments) == output


@pytest.mark.parametrize(
    ("directives", "arguments", "output"),
    [
        (
            "%6.2f|%-9.3e|%08.3f|%+08.3f|% g",
            "3.14159 3.14159 -3.14159 3.14159 3.1",
            "  3.14|3.142e+00|-003.142|+003.142| 3.1",
        ),
        (
            "%g|%G|%.3g|%.20g|%.0g|%v",
            "1e8 1e-9 123456.0 0.1 123.0 123456789.25",
            "1e+08|1E-09|1.23e+05|0.10000000000000000555|1e+02|1.2345678925e+08",
        ),
        (
            "%#g|%#g|%#.3g|%#.0f|%#.0e|%#g",
            "1.5 0.0 1.5 3.0 3.0 1.23456789",
            "1.50000|0.00000|1.50|3.|3.e+00|1.23456789",
        ),
        (
            "%x|%X|%.1x|%.0x|%.15x|%x|%x",
            "2.5 0.1 3.99 3.14 1.5 0.0 5e-324",
            "0x1.4p+01|0X1.999999999999AP-04|0x1.0p+02|0x1p+02|0x1.800000000000000p+00|0x0p+00|0x1p-1074",
        ),
        (
            "%#x|%#X|%.1x|%.1x",
            "1.5 1.5 1.03125 1.09375",
            "0x1.8000p+00|0X1.8P+00|0x1.0p+00|0x1.2p+00",
        ),
        (
            "%b|%b|%b|%d",
            "1.0 0.0 5e-324 1.5",
            "4503599627370496p-52|0p-1074|1p-1074|%!d(float64=1.5)",
        ),
        (
            "%5.1f|%+v|%T|%d",
            "1i 1i 1i 1i",
            "(  0.0 +1.0i)|(0+1i)|complex128|%!d(complex128=(0+1i))",
        ),
    ],
)
def test_a_float_is_formatted_as_asked(directives, arguments, output):
    assert printed(directives, arguments) == output


def test_numbers_without_an_end_are_named():
    data = [float("inf"), float("-inf"), float("nan")]
    source = "{{range .}}{{printf `%v|%f|%+5.1f|%05f|% g;` . . . . .}}{{end}}"
    assert render(source, data) == (
        "+Inf|+Inf| +Inf| +Inf| Inf;-Inf|-Inf| -Inf| -Inf|-Inf;NaN|NaN| +NaN|  NaN| NaN;"
    )


@pytest.mark.parametrize(
    ("directives", "arguments", "output"),
    [
        ("%v|%d", ".l .l", "[1 <nil> x [1.5]]|[1 <nil> %!d(string=x) [%!d(float64=1.5)]]"),
        ("%q|%4v", ".l .l", "['\\x01' <nil> \"x\" [%!q(float64=1.5)]]|[   1 <nil>    x [ 1.5]]"),
        ("%v|%x", ".m .m", "map[a:<nil> b:map[c:1]]|map[61:<nil> 62:map[63:1]]"),
        ("%#v", ".l", '[]interface {}{1, interface {}(nil), "x", []interface {}{1.5}}'),
        (
            "%#v",
            ".m",
            'map[string]interface {}{"a":interface {}(nil), "b":map[string]interface {}{"c":1}}',
        ),
        ("%T %T %-6T| %.2T", '.l .m 1 "a"', "[]interface {} map[string]interface {} int   | st"),
        ("%v|%7v|%s|%T|%.0T", "nil nil nil nil .x", "<nil>|  <nil>|%!s(<nil>)|<nil>|<nil>"),
    ],
)
def test_a_list_or_map_is_formatted_by_what_it_holds(directives, arguments, output):
    assert printed(directives, arguments) == output


@pytest.mark.parametrize(
    ("directives", "arguments", "output"),
    [
        ("%*d|%-*d|%*d|%.*f", "5 1 5 2 -5 3 2 3.14159", "    1|2    |3    |3.14"),
        ("%*d %.*d %.*d", '"x" 4 -1 3', "%!(BADWIDTH)4 %!(BADPREC)3 %!(BADPREC)%!d(MISSING)"),
        ("%[2]d %[1]d", "1 2", "2 1"),
        ("%[2]*[1]d|%[1]*.[2]*[3]f", "8 2 3.14159", " 8|    3.14"),
        ("%[2]d %d", "1 2 3", "2 3"),
        (
            "%[3]d|%[x]d|%[]d|%[0]d",
            "1 2",
            "%!d(BADINDEX)|%!d(BADINDEX)|%!d(BADINDEX)|%!d(BADINDEX)",
        ),
        ("%[1]5d|%[2].3f|%5[1]d", "2 3", "%!d(BADINDEX)|%!f(BADINDEX)|    2"),
        ("%[1", "1", "%!(NOVERB)"),
        ("%d %s %d", "1", "1 %!s(MISSING) %!d(MISSING)"),
        ("%d", '1 2 nil "a"', "1%!(EXTRA int=2, <nil>, string=a)"),
        ("%|%5|%-|%.3|%%|%5%", "1", "%!|(int=1)%!|(MISSING)%!|(MISSING)%!|(MISSING)%|%"),
        ("%", "", "%!(NOVERB)"),
        ("%!", "", "%!!(MISSING)"),
        ("%.-1d %é", "1 2", "%!-(int=1)1d %!é(int=2)"),
    ],
)
def test_a_directive_says_itself_what_is_wrong_with_it(directives, arguments, output):
    assert printed(directives, arguments) == output


def test_an_object_is_formatted_as_its_text():
    data = user_context({"email": {"address": "a", "is_primary": True, "is_verified": False}})
    shown = '{"address":"a","is_primary":true,"is_verified":false}'
    assert render("{{printf `%s|%.3v|%60s` .User.Email .User.Email .User.Email}}", data) == (
        f"{shown}|{shown[:3]}|{shown:>60}"
    )
    assert render("{{printf `%d %T` .User.Email .User.Email}}", data) == (
        f"%!d(*Email={shown}) *Email"
    )
    assert render("{{printf `%q %x` .User.Metadata .User.Metadata}}|", data) == '"" |'


@pytest.mark.parametrize("directives", ["%99999d", "%.99999f", "%*d", "%.*d", "%12345678d"])
def test_a_width_or_precision_has_an_end(directives):
    with pytest.raises(TemplateRunError):
        printed(directives, f"{MAX_TEXT + 1} 1")
