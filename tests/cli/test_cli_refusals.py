"""What cannot start says so in one clear sentence, exits with 1 and tells no secret."""

import json
import socket

import pytest
from processes.servers import free_port

HIDDEN = "secret-of-this-test"
SECRET_KEYS = f"{HIDDEN}-000001"
UNOPENED = "No configured encryption secret opens the stored keys."
OPENING = [["serve", "all"], ["key", "list"], ["migrate", "up"]]
"""One command of each kind that opens the database."""


@pytest.fixture
def refused(sekisho):
    """Runs a command that must be refused and gives its sentence."""

    def run(*words, **environment):
        port = {"SERVER_PUBLIC_ADDRESS": "127.0.0.1:0", "SERVER_ADMIN_ADDRESS": "127.0.0.1:0"}
        outcome = sekisho(*words, **port | environment)
        assert (outcome.status, outcome.out) == (1, "")
        assert outcome.line.startswith("sekisho: ")
        assert HIDDEN not in outcome.err
        return outcome.line.removeprefix("sekisho: ")

    return run


@pytest.fixture
def refused_file(refused, tmp_path):
    """Starts the server with a configuration file that must be refused."""

    def run(text):
        file = tmp_path / "given.yaml"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return refused("--config", str(file), "serve").replace(str(file), "FILE")

    return run


# Configuration


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("session: [", "FILE is not valid YAML at line 1"),
        ("a: 1\n b: 2\n", "FILE is not valid YAML at line 2"),
        (b"a: \xff", "FILE is not valid YAML"),
        ("- a", "FILE must hold keys and values"),
        ("text", "FILE must hold keys and values"),
        ("databse: {}", "unknown key 'databse'; did you mean 'database'?"),
        (
            "session: {lifspan: 1h}",
            "unknown key 'session.lifspan'; did you mean 'session.lifespan'?",
        ),
        ("emails: {limt: 3}", "unknown key 'email.limt'; did you mean 'email.limit'?"),
        ("x_y_z: 1", "unknown key 'x_y_z'"),
        ("session: {limit: many}", "session.limit: Expected `int`, got `str`"),
        ("session: {limit: 0}", "session.limit: Expected `int` >= 1"),
        ("session: 5", "session: Expected `object`, got `int`"),
        ("session: {lifespan: 5}", "session.lifespan: expected a text such as '12h'"),
        ("session: {lifespan: 5 days}", "session.lifespan: '5 days' is no duration"),
        ("log: {level: LOUD}", "log.level: Invalid enum value 'LOUD'"),
        (f"secret_keys: {{{SECRET_KEYS}: 1}}", "secret_keys: Expected `array`, got `object`"),
        ("secret_keys: [short]", "secret_keys: each secret needs at least 16 characters"),
        ("server: {public: {url: localhost}}", "server.public.url must be an absolute http"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_its_place(refused_file, text, sentence):
    assert refused_file(text).startswith(sentence)


def test_a_file_that_is_not_there_is_refused_where_it_was_named(refused):
    assert refused("--config", "nowhere.yaml", "serve").startswith(
        "cannot read nowhere.yaml: No such"
    )


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"SESSION_LIMIT": "many"}, "SESSION_LIMIT: "),
        ({"SESSION_COOKIE_SECURE": "perhaps"}, "SESSION_COOKIE_SECURE: expected true or false"),
        ({"SESSION_LIFESPAN": "soon"}, "session.lifespan: 'soon' is no duration"),
        ({"SERVER_PUBLIC_ADDRESS": "8000"}, "server.public.address: '8000' is no address"),
        (
            {"EMAIL_MAXLENGTH": "100", "EMAIL_MAX_LENGTH": "90"},
            "EMAIL_MAX_LENGTH and EMAIL_MAXLENGTH are both set and differ",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_a_variable_that_cannot_be_used_is_refused_by_its_name(refused, variables, sentence):
    assert refused("serve", **variables).startswith(sentence)


PRODUCTION = {
    "ENVIRONMENT": "production",
    "SECRET_KEYS": SECRET_KEYS,
    "SERVER_PUBLIC_URL": "https://id.example.com",
    "EMAIL_DELIVERY_SMTP_HOST": "mail.example.com",
}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"SECRET_KEYS": ""}, "production needs secret_keys (SECRET_KEYS)"),
        (
            {"SECRET_KEYS": "abcedfghijklmnopqrstuvwxyz"},
            "secret_keys holds a value from a document",
        ),
        ({"SERVER_PUBLIC_URL": "http://localhost:8000"}, "production needs server.public.url"),
        ({"SESSION_COOKIE_SECURE": "false"}, "production needs session.cookie.secure"),
        ({"EMAIL_DELIVERY_SMTP_HOST": ""}, "production needs email_delivery.smtp.host"),
    ],
    ids=" ".join,
)
def test_production_does_not_start_with_what_development_makes_up_sec_120(
    refused, sekisho, tmp_path, change, sentence
):
    assert sekisho("config", "check", **PRODUCTION).status == 0
    assert refused("serve", **PRODUCTION | change).startswith(sentence)
    assert not (tmp_path / "data").exists()


# Encryption secrets


def test_secrets_that_open_no_stored_key_stop_every_command_sec_120(refused, sekisho):
    assert sekisho("key", "create", SECRET_KEYS=SECRET_KEYS).status == 0
    for words in (["serve"], ["key", "list"]):
        sentence = refused(*words, SECRET_KEYS="another-" + SECRET_KEYS)
        assert sentence == UNOPENED


def test_an_old_secret_still_opens_and_the_newest_comes_first_sec_120(sekisho):
    assert sekisho("key", "create", SECRET_KEYS=SECRET_KEYS).status == 0
    assert sekisho("key", "list", SECRET_KEYS=f"newer-{SECRET_KEYS},{SECRET_KEYS}").status == 0


def test_a_data_directory_that_lost_its_encryption_key_is_not_given_another_in_silence_sec_120(
    refused, sekisho, tmp_path
):
    assert sekisho("key", "create").status == 0
    (tmp_path / "data" / "encryption.key").unlink()
    assert refused("serve") == UNOPENED


@pytest.mark.parametrize("kept", ["", "short"])
def test_a_damaged_encryption_key_is_named_sec_120(refused, sekisho, tmp_path, kept):
    assert sekisho("key", "create").status == 0
    file = tmp_path / "data" / "encryption.key"
    file.write_text(kept)
    assert refused("serve") == f"The encryption key in {file} is damaged."


# The database

NO_USER = "0191d3a0-0000-7000-8000-000000000000"
NEEDING = [
    ["key", "list"],
    ["key", "revoke", NO_USER],
    ["user", "export", "-o", "all.ndjson"],
    ["jwt", "create", NO_USER],
    ["jwk", "list"],
    ["saml", "list"],
    ["webhook", "list"],
    ["cleanup", "--run"],
    ["mail", "test", "ada@example.com"],
    ["user", "validate", __file__],
]
"""Commands that look for what is there."""


@pytest.mark.parametrize("words", NEEDING, ids=" ".join)
class TestNothingThere:
    """What looks in the wrong place says so, and makes nothing there."""

    def test_no_database_is_made(self, refused, tmp_path, words):
        for variables in ({}, {"DATABASE_URL": f"sqlite:///{tmp_path}/typo/a.sqlite"}):
            sentence = refused(*words, **variables)
            assert sentence.startswith(f"there is no {tmp_path}/")
            assert "run `sekisho migrate up` first" in sentence
        assert {path.name for path in tmp_path.iterdir()} == {"cwd"}
        assert list((tmp_path / "cwd").iterdir()) == []

    def test_an_empty_database_stays_empty(self, refused, sekisho, tmp_path, new_database, words):
        file = tmp_path / "data" / "sekisho.sqlite"
        file.parent.mkdir()
        file.touch()
        assert refused(*words, **new_database).startswith("the database lacks migrations; ")
        assert [path.name for path in file.parent.iterdir()] == [file.name]
        steps = json.loads(sekisho("migrate", "status", "--json", **new_database).out)
        assert {step["applied_at"] for step in steps} == {None}

    def test_one_that_lacks_a_migration_is_not_migrated(
        self, refused, sekisho, new_database, words
    ):
        assert sekisho("key", "create", **new_database).status == 0
        sekisho("migrate", "down", "1", "--yes", **new_database)
        assert refused(*words, **new_database).startswith("the database lacks migrations; ")
        assert sekisho("migrate", "up", **new_database).out.startswith("applied ")

    def test_no_encryption_key_is_made_beside_a_database_that_has_one_sec_120(
        self, refused, sekisho, tmp_path, new_database, words
    ):
        place = new_database or {"DATABASE_URL": f"sqlite:///{tmp_path}/data/sekisho.sqlite"}
        assert sekisho("key", "create", **place).status == 0
        wrong = tmp_path / "wrong"
        sentence = refused(*words, **place, DATA_DIR=str(wrong))
        assert sentence.startswith(f"there is no {wrong}/encryption.key, ")
        assert not wrong.exists()


@pytest.mark.parametrize("words", [["key", "list"], ["jwk", "list"]], ids=" ".join)
def test_after_the_migrations_everything_is_there(sekisho, new_database, words):
    assert sekisho("migrate", "up", **new_database).status == 0
    assert sekisho(*words, **new_database).status == 0


@pytest.mark.parametrize("words", OPENING, ids=" ".join)
class TestTheDatabase:
    def test_a_corrupt_file_is_left_as_it_is(self, refused, tmp_path, words):
        file = tmp_path / "data" / "sekisho.sqlite"
        file.parent.mkdir()
        file.write_bytes(b"no database" * 500)
        assert refused(*words) == f"{file} is no database we can use."
        assert file.read_bytes() == b"no database" * 500

    def test_a_folder_in_place_of_the_file_is_named(self, refused, tmp_path, words):
        file = tmp_path / "data" / "sekisho.sqlite"
        file.mkdir(parents=True)
        assert refused(*words) == f"{file} is no database we can use."

    def test_a_file_in_place_of_the_data_directory_is_named(self, refused, tmp_path, words):
        (tmp_path / "data").write_text("")
        assert str(tmp_path / "data") in refused(*words)

    def test_a_data_directory_that_may_not_be_made_is_named(self, refused, words):
        assert "/proc/nowhere" in refused(*words, DATA_DIR="/proc/nowhere", SECRET_KEYS=SECRET_KEYS)

    def test_a_postgresql_that_is_not_there_is_told_without_its_password_sec_116(
        self, refused, words
    ):
        url = f"postgres://ada:{HIDDEN}@127.0.0.1:{free_port()}/sekisho"
        assert refused(*words, DATABASE_URL=url).startswith("PostgreSQL does not let us in")

    @pytest.mark.parametrize("wrong", ["password", "database"])
    def test_a_postgresql_that_refuses_us_is_told_without_its_password_sec_116(
        self, refused, postgres, words, wrong
    ):
        user, _, place = postgres.rpartition("@")
        url = f"{user}-{HIDDEN}@{place}" if wrong == "password" else f"{postgres}-{HIDDEN}"
        assert refused(*words, DATABASE_URL=url).startswith("PostgreSQL does not let us in")


@pytest.mark.parametrize(
    "variables",
    [
        {"DATABASE_URL": f"postgres://ada:{HIDDEN}@localhost:port/sekisho"},
        {"DATABASE_URL": f"mysql://ada:{HIDDEN}@localhost/sekisho"},
        {"DATABASE_URL": HIDDEN},
        {"DATABASE_DIALECT": "postgres", "DATABASE_PORT": "port", "DATABASE_PASSWORD": HIDDEN},
    ],
    ids=["port in the url", "scheme", "no url", "port"],
)
def test_an_address_of_a_database_that_is_none_is_named_without_its_password_sec_116(
    refused, variables
):
    assert refused("config", "check", **variables).startswith("database.")


# The listeners


@pytest.mark.parametrize(
    ("which", "name"), [("all", "public"), ("all", "admin"), ("admin", "admin")]
)
def test_a_taken_port_is_told_before_anything_is_made(refused, tmp_path, which, name):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        sentence = refused("serve", which, **{f"SERVER_{name.upper()}_ADDRESS": address})
    told = f"Cannot listen on {address} (server.{name}.address): Address already in use."
    assert sentence == told
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("address", ["192.0.2.1:0", "nowhere.invalid:0"])
def test_an_address_that_is_not_this_machines_is_told(refused, address):
    sentence = refused("serve", "public", SERVER_PUBLIC_ADDRESS=address)
    assert sentence.startswith(f"Cannot listen on {address} (server.public.address): ")
