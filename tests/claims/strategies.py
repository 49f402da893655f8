"""Claims, bags and users as anybody might write them."""

import json

import msgspec
from hypothesis import strategies as st

from app import strictjson
from app.claims.check import Cap, Caps

awkward = st.text(
    st.sampled_from("\"\\<>&'{}[]\n\t\x00\x01\x1f\x7f\xa0é\u2028\ufffd😀aé truefals,:1")
    | st.characters(exclude_categories=("Cs",)),
    max_size=12,
)
numbers = st.sampled_from(
    ["1e308", "-1.7976931348623157e308", "5e-324", "-2.2250738585072014e-308", "1e15", "1.50", "-0"]
).map(lambda text: msgspec.Raw(text.encode()))
keys = st.sampled_from(["a", "b", "c", "0", "1", "a.b", "<&>", "\u2028"])
looks_like_json = st.sampled_from(["true", "{}", "[1e15]", '{"x":"\\u0001"}', "{not}", "[", '""'])
items = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | numbers
    | awkward
    | looks_like_json,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys | awkward, inner, max_size=4),
    max_leaves=12,
)
bags = st.dictionaries(keys, items, max_size=4)
texts = awkward | st.sampled_from(
    ["", "{}", "true", '{"a":1}', "[1e15,1e15]", '"' * 12, "\x01" * 12]
)
literals = awkward.map(lambda text: f"`{text.replace('`', '').replace(chr(13), '')}`")
paths = st.sampled_from(
    [
        *(
            "a",
            "b",
            "c",
            "a.b",
            "a.0",
            "a.0.b",
            r"a\.b",
            "*",
            "a.*",
            "?",
            "#",
            "a.#",
            "a.#.b",
            "*.#.*",
        ),
        *(
            "a.#(b>0)#",
            "a.#(b)",
            "@this",
            "@ugly",
            "a.@reverse",
            "@reverse",
            "a.@flatten",
            "a.@join",
        ),
        *("{a,b}", "[a,b,a]", '{"x":a,b.c,*}', "b.@valid", "@pretty", "@tostr|@tostr", "a.@values"),
    ]
)
bag_names = st.sampled_from(["Public", "Unsafe"])
calls = st.tuples(bag_names, paths).map(lambda c: f"(.User.Metadata.{c[0]} `{c[1]}`)")
objects = st.sampled_from(
    [
        *(".User", ".User.Email", ".User.Metadata", ".", ".User.Metadata.Public", "$x", "$x.User"),
        *(".User.Name", ".User.Username", ".User.UserID", ".User.Email.Address", ".User.String"),
        *(".User.Email.IsVerified", ".User.Picture", "1", "1.5", "-1e-300", "true", "$y", "1i"),
        *(
            '(index "é" 0)',
            "(len .User.Name)",
            "(eq 1 1)",
            "(slice .User.Name 1)",
            "(and 1 ($y = 2))",
        ),
    ]
)
functions = st.sampled_from(
    [
        *("print", "println", "html", "js", "urlquery", "and", "or", "index", 'printf "%s<%v>%d"'),
        *('printf "%q%q"', 'printf "\\n%t%%"', "printf `%v`", "slice"),
    ]
)


def extended(operands):
    called = st.tuples(functions, st.lists(operands, min_size=1, max_size=3))
    call = called.map(lambda c: f"({' '.join((c[0], *c[1]))})")
    cut = st.tuples(operands, st.integers(0, 3), st.integers(3, 9))
    return (
        call
        | cut.map(lambda c: f"(slice {c[0]} {c[1]} {c[2]})")
        | st.tuples(operands, functions).map(lambda c: f"({c[0]} | {c[1]})")
    )


operands = st.recursive(calls | objects | literals, extended, max_leaves=4)
shortcode_keys = st.lists(st.sampled_from(["a", "b", "c", "0", "1"]), max_size=3)
defaults = st.none() | awkward.map(json.dumps) | st.sampled_from(["1.50", "true"])
shortcodes = st.tuples(st.sampled_from(["public", "unsafe"]), shortcode_keys, defaults).map(
    lambda c: f"{{{{user.{'.'.join((c[0] + '_metadata', *c[1]))}{f' || {c[2]}' if c[2] else ''}}}}}"
)
static = awkward.filter(lambda text: "{{" not in text and not text.endswith("{"))


def around(blocks):
    control = st.tuples(st.sampled_from(["if", "with", "with $z :="]), operands, blocks, blocks)
    return (
        control.map(lambda c: f"{{{{{c[0]} {c[1]}}}}}{c[2]}{{{{else}}}}{c[3]}{{{{end}}}}")
        | st.tuples(blocks, operands).map(
            lambda c: f'{{{{define "t"}}}}{c[0]}{{{{end}}}}{{{{template "t" {c[1]}}}}}'
        )
        | st.lists(blocks, max_size=3).map("".join)
    )


set_variable = st.tuples(st.sampled_from("xy"), operands).map(lambda c: f"{{{{${c[0]} = {c[1]}}}}}")
statements = operands.map("{{{{{}}}}}".format) | shortcodes | static | set_variable
blocks = st.recursive(statements, around, max_leaves=4)
templates = (
    shortcodes
    | calls.map(lambda call: f"{{{{{call[1:-1]}}}}}")
    | operands.map("{{{{{}}}}}".format)
    | blocks.map('{{{{$x := .}}}}{{{{$y := "a"}}}}{}'.format)
)
claims_maps = st.dictionaries(
    awkward,
    st.recursive(
        templates | static | st.integers() | st.booleans(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(awkward, inner, max_size=3),
        max_leaves=4,
    ),
    max_size=4,
)
units = st.sampled_from(["characters", "bytes"])


@st.composite
def users(draw):
    """A user, and caps that leave the bags and fields no room beyond what they hold."""
    bags_held = [strictjson.encode(draw(bags)) for _ in range(2)]
    unit = [draw(units) for _ in range(2)]
    held = {name: draw(texts) for name in ("user_id", "username", "name", "given_name", "picture")}
    address = draw(texts)
    email = {"address": address, "is_primary": draw(st.booleans()), "is_verified": False}
    names = ("UserID", "Username", "Name", "GivenName", "Picture")
    fields = {n: cap(held[k], draw(units)) for n, k in zip(names, held, strict=True)}
    fields |= {"FamilyName": Cap(0), "Address": cap(address, draw(units))}
    user = held | {
        "email": draw(st.sampled_from([email, None])),
        "public_metadata_raw": bags_held[0],
        "unsafe_metadata_raw": bags_held[1],
    }
    return user, Caps(*map(cap, bags_held, unit), fields)


def cap(text, unit):
    size = len(text) if unit == "characters" else len(text.encode())
    return Cap(size, unit, is_printable=text.isprintable())
