"""`sekisho user`: import, export, validate, generate and their exit statuses."""

import json
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from app.cli.main import sekisho as root


@pytest.fixture
def users(sekisho, new_database):
    """Runs `sekisho user` on an empty database of either kind."""

    def run(*words, **environment):
        return sekisho("user", *words, **new_database, **environment)

    return run


def file_of(*entries) -> str:
    """Write a file of ours in the folder where commands run."""
    header = {"format": "sekisho.users", "version": 1}
    Path("users.ndjson").write_text("".join(json.dumps(one) + "\n" for one in (header, *entries)))
    return "users.ndjson"


ADA = {"emails": [{"address": "ada@example.com", "is_verified": True}]}
GRACE = {"emails": [{"address": "grace@example.com"}]}
NOBODY = {"name": "Nobody"}


def test_what_was_generated_is_imported_and_exported_and_imported_elsewhere(users, sekisho):
    assert users("generate", "-c", "3", "-o", "made.ndjson").out == (
        "made up 3 users to made.ndjson\n"
    )
    assert users("import", "made.ndjson").out == "3 imported\n"
    assert users("export", "-o", "all.ndjson").out == "exported 3 users to all.ndjson\n"
    there = {"DATA_DIR": str(Path("there").resolve())}
    shutil.copytree(Path("../data"), there["DATA_DIR"], ignore=lambda *_: ["sekisho.sqlite"])
    assert sekisho("user", "import", "all.ndjson", **there).out == "3 imported\n"
    sekisho("user", "export", "-o", "again.ndjson", **there)
    assert Path("all.ndjson").read_bytes() == Path("again.ndjson").read_bytes()


def test_an_export_is_for_nobody_else_to_read_and_overwrites_nothing_sec_115(users):
    users("import", file_of(ADA))
    assert users("export", "-o", "all.ndjson").status == 0
    assert stat.S_IMODE(Path("all.ndjson").stat().st_mode) == 0o600
    before = Path("all.ndjson").read_bytes()
    again = users("export", "-o", "all.ndjson")
    assert (again.status, again.line) == (
        1,
        "sekisho: all.ndjson is there already; --force writes over it",
    )
    assert users("export", "-o", "all.ndjson", "--force").status == 0
    assert Path("all.ndjson").read_bytes() == before
    assert list(Path().glob(".all*")) == []


def test_one_bad_entry_imports_nothing_and_exits_with_one(users):
    refused = users("import", file_of(ADA, NOBODY))
    assert refused.status == 1
    assert refused.out == (
        "entry 2: A user needs an e-mail address or a user name. (identifier_missing)\n"
        "nothing was imported: 1 of 2 entries cannot be\n"
    )
    assert users("import", file_of(ADA)).out == "1 imported\n"


def test_with_a_report_the_good_entries_stay_and_the_status_is_three(users):
    done = users("import", file_of(ADA, NOBODY, GRACE), "--report", "report.ndjson", "--json")
    assert done.status == 3
    shown = json.loads(done.out)
    assert (shown["kept"], shown["imported"], shown["refused"]) == (True, 2, 1)
    (line,) = Path("report.ndjson").read_text().splitlines()
    assert json.loads(line) == shown["problems"][0]
    assert json.loads(line) == {
        "entry": 2,
        "user_id": None,
        "code": "identifier_missing",
        "message": "A user needs an e-mail address or a user name.",
        "path": [],
    }


def test_conflicts_are_skipped_or_update_as_wished(users):
    users("import", file_of(ADA))
    assert users("import", file_of(ADA, GRACE)).status == 1
    skipped = users("import", file_of(ADA, GRACE), "--on-conflict", "skip")
    assert (skipped.status, skipped.out) == (0, "1 imported, 1 skipped\n")
    updated = users("import", file_of(ADA | {"name": "Ada"}), "--on-conflict", "update")
    assert (updated.status, updated.out) == (0, "0 imported, 1 updated\n")
    line = users("export", "-o", "all.ndjson") and Path("all.ndjson").read_text()
    assert '"name":"Ada"' in line


def test_validate_says_what_would_be_and_changes_nothing(users, sekisho, new_database):
    sekisho("migrate", "up", **new_database)
    good = users("validate", file_of(ADA, GRACE))
    assert (good.status, good.out) == (0, "an import would end with: 2 imported\n")
    users("import", file_of(ADA))
    bad = users("validate", file_of(ADA, GRACE), "--json")
    assert bad.status == 1
    shown = json.loads(bad.out)
    assert [one["code"] for one in shown["problems"]] == ["email_taken"]
    assert shown["kept"] is False
    users("export", "-o", "all.ndjson")
    assert len(Path("all.ndjson").read_text().splitlines()) == 2


def test_a_file_of_another_kind_is_refused_in_one_sentence(users):
    Path("users.csv").write_text("email\nada@example.com\n")
    refused = users("import", "users.csv")
    assert (refused.status, refused.out) == (1, "")
    assert refused.line.startswith("sekisho: The file is neither a JSON array of users")


def test_a_file_sealed_under_another_secret_is_refused_in_one_sentence_sec_119(
    users, sekisho, new_database
):
    sekisho("migrate", "up", **new_database)
    there = {"DATA_DIR": str(Path("there").resolve())}
    sekisho("user", "import", file_of(ADA), **there)
    sekisho("user", "export", "-o", "all.ndjson", **there)
    refused = users("validate", "all.ndjson")
    assert (refused.status, refused.out) == (1, "")
    assert "sealed under another server's encryption secret" in refused.line


def test_many_problems_are_counted_and_the_first_are_shown(users):
    refused = users("import", file_of(*[NOBODY] * 30))
    assert refused.out.count("identifier_missing") == 20
    assert "… and 10 more" in refused.out


def test_fields_of_hankos_that_nobody_knows_are_named(users):
    email = {"address": "ada@example.com", "is_primary": True, "is_verified": True}
    Path("hanko.json").write_text(json.dumps([{"emails": [email], "tags": []}]))
    assert users("import", "hanko.json").out == "fields left out: tags\n1 imported\n"


@pytest.mark.parametrize(
    "words", [["import"], ["import", "nowhere.json"], ["generate", "-c", "-1"]]
)
def test_misuse_exits_with_two(users, words):
    assert users(*words).status == 2


@pytest.mark.parametrize("kind", ["sekisho", "hanko"])
def test_the_schema_of_a_file_is_printed(users, kind):
    shown = json.loads(users("schema", "--format", kind).out)
    assert shown["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    definitions = shown["$defs"]
    if kind == "hanko":
        assert "emails" not in definitions["HankoUser"].get("required", [])
        aaguid = definitions["HankoCredential"]["properties"]["aaguid"]
        assert {"type": "string"} in aaguid["anyOf"]
    else:
        assert definitions["UserRecord"]["additionalProperties"] is False


def test_without_an_output_the_file_goes_to_standard_output():
    printed = CliRunner().invoke(root, ["user", "generate", "-c", "2", "--format", "hanko"])
    assert [len(one["emails"]) for one in json.loads(printed.output)] == [1, 1]


def test_a_server_does_not_load_the_progress_bars():
    code = "import sys, app.cli.running; sys.exit('rich' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


FIREBASE = {
    "algorithm": "SCRYPT",
    "base64_signer_key": "c2lnbmVyLWtleS1vZi10aGlydHktdHdvLWJ5dGVzISE=",
    "base64_salt_separator": "Bw==",
    "rounds": 8,
    "mem_cost": 14,
}


@pytest.fixture
def converted(sekisho):
    """Runs the conversion of an export of Firebase's in the folder where commands run."""

    def run(*users, options=(), hashes=FIREBASE):
        Path("hashes.json").write_text(json.dumps(hashes))
        Path("export.json").write_text(json.dumps({"users": users}))
        words = ("convert", "firebase", "export.json", "--hashes", "hashes.json")
        return sekisho("user", *words, *options)

    return run


EVE = {"localId": "e1", "email": "eve@example.com", "emailVerified": True}
GHOST = {"localId": "g1"}


def test_an_export_of_firebase_is_converted_and_imported(converted, users):
    made = converted(EVE, options=("-o", "made.ndjson"))
    assert (made.status, made.out) == (0, "converted 1 users to made.ndjson\n")
    assert stat.S_IMODE(Path("made.ndjson").stat().st_mode) == 0o600
    assert users("import", "made.ndjson").out == "1 imported\n"
    users("export", "-o", "all.ndjson")
    kept = json.loads(Path("all.ndjson").read_text().splitlines()[1])
    assert kept["private_metadata"] == {"firebaseId": "e1"}
    assert kept["emails"][0]["is_verified"] is True


def test_who_cannot_be_converted_stops_it_and_no_file_is_left(converted):
    refused = converted(EVE, GHOST, options=("-o", "made.ndjson"))
    assert (refused.status, refused.out) == (1, "")
    assert refused.err == (
        "sekisho: entry 2: The user has no e-mail address.\n"
        "sekisho: nothing was converted: 1 of 2 cannot be\n"
    )
    assert list(Path().glob("*made*")) == []


def test_with_a_report_the_others_are_converted_and_the_status_is_three(converted):
    options = ("-o", "made.ndjson", "--report", "report.ndjson", "--json")
    done = converted(EVE, GHOST, options=options)
    assert done.status == 3
    assert json.loads(done.out) == {"converted": 1, "left_out": 1, "file": "made.ndjson"}
    assert json.loads(Path("report.ndjson").read_text()) == {
        "entry": 2,
        "firebase_id": "g1",
        "message": "The user has no e-mail address.",
    }
    assert len(Path("made.ndjson").read_text().splitlines()) == 2


def test_a_report_of_everybody_leaves_no_file(converted):
    options = ("-o", "made.ndjson", "--report", "report.ndjson")
    refused = converted(GHOST, options=options)
    assert refused.status == 1
    assert "nothing was converted: 1 of 1" in refused.err
    assert not Path("made.ndjson").exists()


def test_of_many_who_cannot_be_converted_twenty_are_named(converted):
    refused = converted(*[GHOST] * 25)
    assert len(refused.err.splitlines()) == 22
    assert "… and 5 more" in refused.err


def test_what_is_no_export_and_what_are_no_parameters_is_refused(converted, sekisho):
    wrong = {**FIREBASE, "algorithm": "BCRYPT"}
    refused = converted(EVE, hashes=wrong)
    assert (refused.status, refused.out) == (1, "")
    assert refused.line == "sekisho: The hash parameters must be those of the algorithm SCRYPT."
    Path("export.json").write_text("[]")
    again = sekisho(
        *("user", "convert", "firebase", "export.json", "--hashes", "hashes.json"),
    )
    assert again.status == 1


def test_the_converted_users_go_to_the_standard_output(converted):
    done = converted(EVE)
    assert done.status == 0
    assert [json.loads(line).get("format") for line in done.out.splitlines()] == [
        "sekisho.users",
        None,
    ]
