import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.claims.context import look_up, user_context
from app.claims.errors import TemplateRunError
from app.claims.gjson import get
from app.claims.gjson_text import Refused, Work
from app.claims.gotemplate import render

EMAIL = {"address": "ann@example.com", "is_primary": True, "is_verified": False}
USER = {
    "user_id": "0b7a4c1e-1111-4aaa-8bbb-000000000001",
    "email": EMAIL,
    "username": "ann",
    "name": 'Ann <"Reed">\u2028',
    "given_name": "Ann",
    "family_name": "Reed",
    "picture": "https://cdn.example.com/?a&b",
    "public_metadata_raw": '{ "plan" : "pro", "n": 1.50, "html": "<&>" }',
    "unsafe_metadata_raw": '{"theme":"dark"}',
    "private_metadata_raw": '{"secret":"hidden"}',
    "private_metadata": {"secret": "hidden"},
}


def test_a_user_prints_as_json_that_is_safe_in_html():
    assert render("{{.User}}", user_context(USER)) == (
        '{"user_id":"0b7a4c1e-1111-4aaa-8bbb-000000000001",'
        '"email":{"address":"ann@example.com","is_primary":true,"is_verified":false},'
        '"username":"ann",'
        '"metadata":{"public_metadata":{"plan":"pro","n":1.50,"html":"\\u003c\\u0026\\u003e"},'
        '"unsafe_metadata":{"theme":"dark"}},'
        '"name":"Ann \\u003c\\"Reed\\"\\u003e\\u2028","family_name":"Reed","given_name":"Ann",'
        '"picture":"https://cdn.example.com/?a\\u0026b"}'
    )


def test_the_data_print_as_the_user_between_braces():
    data = user_context({"user_id": "u"})
    assert render("{{.}}", data) == f"{{{render('{{.User}}', data)}}}"


@pytest.mark.parametrize("raw", [None, "", "{}", " { } ", "null"])
def test_without_bags_there_is_no_metadata(raw):
    data = user_context({"public_metadata_raw": raw, "unsafe_metadata_raw": raw})
    assert render("{{if .User.Metadata}}y{{else}}n{{end}}{{.User.Metadata}}", data) == "n"
    assert render("{{.User.Metadata.String}}{{.User.Email.String}}", data) == ""
    for call in ("Public", 'Public "a"', "Unsafe", 'Unsafe "a"'):
        with pytest.raises(TemplateRunError):
            render(f"{{{{.User.Metadata.{call}}}}}", data)


def test_a_bag_that_is_absent_beside_another_gives_nothing():
    data = user_context({"unsafe_metadata_raw": '{"a":1}', "public_metadata_raw": "{}"})
    assert render('[{{.User.Metadata.Public}}{{.User.Metadata.Public "a"}}]', data) == "[]"
    assert render("{{.User.Metadata}}", data) == '{"unsafe_metadata":{"a":1}}'


def test_a_bag_comes_as_it_is_stored_and_by_path():
    data = user_context(USER)
    assert render("{{.User.Metadata.Public}}", data) == USER["public_metadata_raw"]
    assert (
        render('{{.User.Metadata.Public "n"}} {{"plan" | .User.Metadata.Public}}', data)
        == "1.5 pro"
    )
    assert render('{{.User.Metadata.Public "" }}{{.User.Metadata.Public "nope"}}', data) == ""


@pytest.mark.parametrize(
    "expression",
    [
        *(".User.Metadata.Private", '.User.Metadata.Private "secret"', ".User.PrivateMetadata"),
        *(".User.private_metadata", ".User.private_metadata_raw", ".User.Metadata.private"),
        *('index .User "private_metadata"', ".private_metadata", '.User.Metadata.Public.plan "x"'),
        *("len .User", "range .User", ".User.Metadata.Public 1", ".User.Metadata.Public nil"),
        *(
            ".User.Email.String 1",
            '.User.Email.String "x"',
            '.User.UserID "x"',
            ".User.methods",
            ".User.fields",
            ".User.text",
        ),
    ],
)
def test_nothing_but_the_documented_names_can_be_reached_sec_009(expression):
    source = f"{{{{{expression}}}}}{'{{end}}' if expression.startswith('range') else ''}"
    with pytest.raises(TemplateRunError):
        render(source, user_context(USER))


@given(path=st.text(max_size=20) | st.sampled_from(["@this", "..0", "#", "*", "@dig:secret"]))
def test_private_metadata_never_show_sec_009(path):
    data = user_context(USER)
    for source in ("{{.User.Metadata.Public $.p}}", "{{.User}}{{.User.Metadata}}{{.}}"):
        written = source.replace("$.p", f"`{path.replace('`', '')}`")
        try:
            shown = render(written, data)
        except TemplateRunError:
            continue
        assert "hidden" not in shown


def test_an_object_equals_itself_and_one_absent_another():
    user, nobody = user_context(USER), user_context({})
    assert render("{{eq .User.Email .User.Email}} {{ne .User .User.Email}}", user) == "true true"
    assert render("{{eq .User.Email .User.Metadata nil}} {{eq . .}}", nobody) == "true true"
    for source in ('{{eq .User "x"}}', "{{lt .User 1}}", "{{eq .User.Email 1}}"):
        with pytest.raises(TemplateRunError):
            render(source, user)


def test_what_metadata_hold_is_never_run_sec_008():
    hostile = {"a": "{{.User.Username}}", "__proto__": "{{range 9}}x{{end}}", "x.y": "@this"}
    data = user_context(USER | {"public_metadata_raw": json.dumps(hostile)})
    assert render('{{.User.Metadata.Public "a"}}', data) == hostile["a"]
    assert render('{{.User.Metadata.Public "__proto__"}}', data) == hostile["__proto__"]
    assert render('{{.User.Metadata.Public "x\\\\.y"}}', data) == "@this"


def test_a_lookup_gives_what_the_path_language_gives():
    document = json.dumps({"a": [{"b": 1}, {"b": [2]}], "c": "x\n"})
    for path in ("a.#.b", "c", "a.#(b=1).b", "@keys", "nope", "", "a" * 2000, "[" * 40 + "]" * 40):
        assert look_up(document, path, Work()) == get(document, path).string


def test_lookups_share_the_work_of_a_run():
    work, document = Work(), json.dumps(list(range(2_000)))
    with pytest.raises(Refused):
        for _ in range(20):
            look_up(document, "#.a", work)
    assert work.steps < 0
