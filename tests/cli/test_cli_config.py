import itertools
import json

import pytest
import yaml

from app.config import schema, settings
from app.config.moved import MOVED, UNUSED

SECRETS = {
    "SECRET_KEYS": "first-secret-of-this-test,second-secret-of-this-test",
    "SECRETS_KEYS": "third-secret-of-this-test",
    "DATABASE_PASSWORD": "password-of-this-test",
    "DATABASE_URL": "postgres://ada:url-secret-of-this-test@db.example.com:5432/sekisho",
}


def test_show_prints_the_configuration_in_force_as_a_file_that_could_be_read_again(sekisho):
    shown = sekisho(
        "config", "show", SESSION_LIFESPAN="90m", CORS_ALLOW_ORIGINS="https://a.example"
    )
    assert (shown.status, shown.err) == (0, "")
    values = yaml.safe_load(shown.out)
    assert values["session"]["lifespan"] == "90m"
    assert values["cors"]["allow_origins"] == ["https://a.example"]
    file = "config.yaml"
    with open(file, "w") as again:  # noqa: PTH123  # in the test's own folder
        again.write(shown.out)
    assert sekisho("--config", file, "config", "show").out == shown.out


def test_show_names_every_setting(sekisho):
    values = json.loads(sekisho("config", "show", "--json").out)
    for setting in settings():
        node = values
        for key in itertools.takewhile(lambda part: part != "<key>", setting.path):
            assert key in node, setting.name
            node = node[key]


@pytest.mark.parametrize(
    "words", [["config", "show"], ["config", "show", "--json"], ["config", "check"]]
)
def test_nothing_that_is_printed_holds_a_secret_sec_116(sekisho, words):
    outcome = sekisho(*words, **SECRETS)
    assert outcome.status == 0
    assert "of-this-test" not in outcome.out + outcome.err
    assert ("********" in outcome.out) == ("show" in words)


def test_a_file_a_variable_and_a_default_win_in_this_order(sekisho, tmp_path):
    file = tmp_path / "given.yaml"
    file.write_text("session: {limit: 7, lifespan: 1h}\n")
    words = ("--config", str(file), "config", "show", "--json")
    session = json.loads(sekisho(*words, SESSION_LIMIT="9").out)["session"]
    assert (session["limit"], session["lifespan"], session["idle_timeout"]) == (9, "1h", "0s")


def test_the_file_in_the_folder_config_is_read_unasked(sekisho, tmp_path):
    folder = tmp_path / "cwd" / "config"
    folder.mkdir()
    (folder / "config.yaml").write_text("service: {name: Barrier}\n")
    assert json.loads(sekisho("config", "show", "--json").out)["service"]["name"] == "Barrier"
    (folder / "config.yaml").write_text("service: [\n")
    assert sekisho("config", "show").status == 1


def test_check_says_that_the_configuration_is_good_and_makes_nothing(sekisho, tmp_path):
    checked = sekisho("config", "check")
    assert (checked.status, checked.out, checked.err) == (0, "The configuration is good.\n", "")
    assert not (tmp_path / "data").exists()


def test_the_printed_json_schema_knows_every_key_and_no_other(sekisho):
    printed = sekisho("config", "schema")
    assert printed.status == 0
    assert json.loads(printed.out) == schema()
    definitions = json.loads(printed.out)["$defs"]
    assert set(definitions["Server"]["properties"]) >= {"public", "admin", "allowed_hosts"}
    assert definitions["Server"]["additionalProperties"] is False


def test_the_reference_tells_every_setting_its_variables_and_its_meaning(sekisho):
    printed = sekisho("config", "reference")
    assert (printed.status, printed.err) == (0, "")
    tables, _, older = printed.out.partition("## Older names")
    rows = {row.split("`")[1]: row for row in tables.splitlines() if row.startswith("| `")}
    assert list(rows) == [setting.name for setting in settings()]
    for setting in settings():
        assert setting.description in rows[setting.name]
        for variable in setting.variables:
            assert f"`{variable}`" in rows[setting.name]
        assert rows[setting.name].count("|") == 6, "a cell holds a bar"
    for name in [*MOVED, *(one.key for one in UNUSED)]:
        assert f"| `{name}` | " in older


@pytest.mark.parametrize(
    ("key", "type_", "default"),
    [
        ("secret_keys", "list of secrets", "none"),
        ("session.lifespan", "duration", "`12h`"),
        ("session.limit", "number", "`5`"),
        ("session.cookie.secure", "`true`, `false`", "`true`"),
        ("database.dialect", "`sqlite`, `postgres`, `cockroach`", "`sqlite`"),
        ("cors.allow_origins", "list of texts", "none"),
        ("user_metadata.limits", "`hanko`, `torii` or keys and values", "`hanko`"),
    ],
)
def test_the_reference_tells_types_and_defaults_in_words(sekisho, key, type_, default):
    assert f"| `{key}` | {type_} | {default} | `" in sekisho("config", "reference").out
