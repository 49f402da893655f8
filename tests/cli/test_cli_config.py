import itertools
import json
from pathlib import Path

import pytest
import yaml
from jsonschema_rs import validator_for

from app.cli.editors import file_schema
from app.config import ConfigurationRefused, load, schema, settings
from app.config.moved import MOVED, UNUSED
from app.transfer import schema_of

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


def test_claims_that_may_not_fit_are_told_once_by_the_check_and_by_no_other_command(sekisho):
    Path("config").mkdir()
    claims = "{plan: '{{ user.public_metadata.plan }}'}"
    Path("config/config.yaml").write_text(f"session: {{jwt_template: {{claims: {claims}}}}}\n")
    checked = sekisho("config", "check")
    (warning,) = checked.out.splitlines()[:-1]
    assert warning.startswith(
        "warning: session.jwt_template.claims may not fit, and tokens go without some: "
    )
    assert (checked.status, checked.err) == (0, "")
    assert sekisho("migrate", "up").status == 0
    listed = sekisho("jwk", "list")
    assert (listed.status, listed.err) == (0, "")
    claims = (
        Path("config/config.yaml").read_text() + "user_metadata: {limits: {public: {max: 100}}}"
    )
    Path("config/config.yaml").write_text(claims)
    assert sekisho("config", "check").out == "The configuration is good.\n"


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
    told, strict = json.loads(printed.out)["$defs"], schema()["$defs"]
    assert told.keys() == strict.keys()
    for name, definition in strict.items():
        added = told[name]["properties"].keys() - definition["properties"].keys()
        assert told[name]["properties"].keys() >= definition["properties"].keys()
        assert all(told[name]["properties"][one]["deprecated"] for one in added)
        assert told[name]["additionalProperties"] is False


@pytest.fixture(scope="module")
def editor():
    """What an editor checks a file with."""
    return validator_for(file_schema())


REFERENCE = sorted((Path(__file__).parents[1] / "config" / "reference").glob("*.yaml"))


@pytest.mark.parametrize("file", REFERENCE, ids=lambda file: file.stem)
def test_an_editor_takes_the_files_of_the_reference_as_they_are(editor, file):
    assert [error.message for error in editor.iter_errors(yaml.safe_load(file.read_text()))] == []


@pytest.mark.parametrize(
    "written",
    [
        "session:",
        "session: {limit: }",
        "session: {limit: '0x10'}",
        "session: {audience: one}",
        "session: {idle_timeout: 0}",
        "session: {cookie: {secure: 'T'}}",
        "session: {cookie: {secure: 1}}",
        "database: {port: 5432}",
        "database: {dialect: mysql}",
        "database: {idle_pool: 2}",
        "secret_keys: [12345678901234567890]",
        "secrets: {keys: a-secret-of-this-test}",
        "debug: true",
        "flow_locker: {store: redis, redis_config: {address: x}}",
        "emails: {limit: 3}",
        "smtp: {host: x}",
        "passcode: {ttl: 60, email: {from_name: x}}",
        "server: {public: {cors: {allow_origins: ['https://a.example']}}}",
        "webauthn: {relying_party: {origin: 'https://a.example', icon: x}}",
        "user_metadata: {limits: torii}",
        "user_metadata: {limits: {public: {max: 10}}}",
        "webhooks: {enabled: true, hooks: [{callback: 'https://a.example/', events: [user]}]}",
        "third_party: {custom_providers: {x: {display_name: X, scopes: openid}}}",
        "session: {jwt_template: {claims: {a: {b: [1]}}}}",
    ],
)
def test_an_editor_takes_whatever_the_server_takes(editor, written, tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text(written)
    assert load(file, {})
    assert [error.message for error in editor.iter_errors(yaml.safe_load(written))] == []


@pytest.mark.parametrize(
    "written",
    [
        "sesion: {limit: 1}",
        "session: {limits: 1}",
        "session: {limit: 0}",
        "session: {limit: many}",
        "session: {lifespan: 12}",
        "session: {cookie: {secure: 'yes'}}",
        "session: {cookie: {same_site: loose}}",
        "database: {dialect: oracle}",
        "passcode: {length: 6}",
        "webhooks: {hooks: [{callback: x, events: [user], more: 1}]}",
        "email: []",
    ],
)
def test_an_editor_refuses_what_the_server_refuses(editor, written, tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text(written)
    with pytest.raises(ConfigurationRefused):
        load(file, {})
    assert not editor.is_valid(yaml.safe_load(written))


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


@pytest.mark.parametrize("kind", ["config", "import"])
def test_the_schemas_for_editors_are_written_where_the_reference_writes_them(sekisho, kind):
    """As `schema generate` of the reference: to a file that is not written over by accident."""
    printed = sekisho("schema", "generate", kind)
    assert (printed.status, printed.err) == (0, "")
    expected = file_schema() if kind == "config" else schema_of("hanko")
    assert json.loads(printed.out) == json.loads(json.dumps(expected))
    assert sekisho("schema", "generate", kind, "-o", "made.json").out == ""
    assert Path("made.json").read_text() == printed.out
    assert sekisho("schema", "generate", kind, "-o", "made.json").status == 1
    assert sekisho("schema", "generate", kind, "-o", "made.json", "--force").status == 0
