"""The help of the whole command line, its page, and what every command has in common."""

import json
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from processes import servers

from app import __version__
from app.cli.main import sekisho as root
from app.cli.reference import leaves

ROOT = Path(__file__).parents[2]
LEAVES = list(leaves(root))
HEALTH_CHECK = """\
import sys
from app.cli import main
sys.argv = ["sekisho", "isready", "--config", "/dev/null"]
try:
    main()
except SystemExit:
    print(*sys.modules)
"""
NO_RECORD = {
    ("serve",): "runs until it is stopped",
    ("config", "schema"): "JSON Schema, which is JSON",
    ("config", "reference"): "a page of Markdown",
    ("schema", "print"): "GraphQL's own language",
    ("schema", "openapi"): "OpenAPI, which is JSON",
    ("schema", "generate", "config"): "JSON Schema, which is JSON",
    ("schema", "generate", "import"): "JSON Schema, which is JSON",
    ("flow", "print"): "a diagram in Mermaid's language",
    ("user", "schema"): "JSON Schema, which is JSON",
    ("reference",): "a page of Markdown",
}
"""Commands that print no record, and what they print in its place."""


def test_the_page_is_the_one_that_the_command_prints(sekisho):
    printed = sekisho("reference")
    assert (printed.status, printed.err) == (0, "")
    page = ROOT / "docs" / "cli.md"
    assert page.read_text() == printed.out, "run `sekisho reference > docs/cli.md`"


def test_the_page_has_every_command_and_every_option(sekisho):
    page = sekisho("reference").out
    titles = re.findall(r"^### `sekisho ([^`]+)`$", page, re.MULTILINE)
    assert len(titles) == len(LEAVES)
    for path, leaf in LEAVES:
        assert any(f"{title} ".startswith(f"{' '.join(path)} ") for title in titles), path
        for option in leaf.params:
            if isinstance(option, click.Option) and option.name not in ("as_json", "config_file"):
                assert option.help in page


def test_help_lists_every_command_once_in_its_section(sekisho):
    lines = sekisho("--help").out.splitlines()
    listed = [line.split()[0] for line in lines if re.match(r"  [a-z]", line)]
    in_sections = [name for modules in root.sections.values() for name in modules]
    assert sorted(root.load()) == sorted(in_sections)
    assert [name for name in listed if name in in_sections] == in_sections
    for section in root.sections:
        assert f"{section}:" in lines


@pytest.mark.parametrize(("path", "leaf"), LEAVES, ids=[" ".join(path) for path, _ in LEAVES])
def test_a_command_prints_json_for_programs_unless_it_prints_no_record(path, leaf):
    has_json = "as_json" in [parameter.name for parameter in leaf.params]
    assert has_json != (path in NO_RECORD)


def test_a_health_check_loads_nothing_but_the_configuration():
    """It runs every few seconds, beside the server and at its cost."""
    nowhere = {"SERVER_PUBLIC_ADDRESS": f"127.0.0.1:{servers.free_port()}"}
    ran = subprocess.run(
        [sys.executable, "-c", HEALTH_CHECK],
        env=servers.inherited() | nowhere,
        check=True,
        capture_output=True,
        text=True,
    )
    assert "the public listener does not answer" in ran.stderr
    loaded = set(ran.stdout.split())
    assert not loaded & {
        *("asyncpg", "authlib", "cryptography", "graphql", "httpx2", "litestar", "piccolo"),
        *("pydantic", "redis", "rich", "strawberry", "uvicorn", "webauthn", "zxcvbn"),
    }
    ours = {name.split(".")[1] for name in loaded if name.startswith("app.")}
    assert not ours & {"assembly", "server", "graphql", "rest", "http", "flows", "persistence"}
    assert {name for name in loaded if name.startswith("app.cli.")} == {
        *("app.cli.main", "app.cli.readiness", "app.cli.reference", "app.cli.session")
    }


def test_the_version_is_printed_as_json(sekisho):
    assert json.loads(sekisho("version", "--json").out) == {"version": __version__}


# The configuration, named after the command


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "named.yaml"
    path.write_text("service: {name: Barrier}\n")
    return str(path)


def test_a_file_may_be_named_before_the_command_or_after_it(sekisho, file, tmp_path):
    other = tmp_path / "other.yaml"
    other.write_text("service: {name: Other}\n")
    for words in (
        ("--config", file, "config", "show", "--json"),
        ("config", "show", "--json", "--config", file),
        ("--config", str(other), "config", "show", "--config", file, "--json"),
    ):
        assert json.loads(sekisho(*words).out)["service"]["name"] == "Barrier"


def test_a_file_named_after_the_command_must_be_there(sekisho, tmp_path):
    outcome = sekisho("serve", "all", "--config", str(tmp_path / "nowhere.yaml"))
    assert (outcome.status, outcome.out) == (1, "")
    assert outcome.line.startswith("sekisho: cannot read ")


# config check


def test_check_tells_all_that_is_wrong_a_line_each(sekisho):
    outcome = sekisho("config", "check", SESSION_LIMIT="0", LOG_LEVEL="LOUD", PASSKEY_LIMIT="x")
    assert (outcome.status, outcome.out) == (1, "")
    assert [line.split()[1] for line in outcome.err.splitlines()] == [
        "PASSKEY_LIMIT:",
        "session.limit:",
        "log.level:",
    ]


def test_check_tells_programs_what_is_wrong(sekisho):
    outcome = sekisho("config", "check", "--json", SESSION_LIMIT="0", CORS_ALLOW_ORIGINS="x")
    assert outcome.status == 1
    assert json.loads(outcome.out) == {
        "good": False,
        "problems": [
            "session.limit: Expected `int` >= 1",
            "cors.allow_origins: 'x' is no origin such as https://app.example.com",
        ],
        "warnings": [],
    }


def test_check_tells_what_is_odd_and_stays_content(sekisho):
    odd = {"FLOWLOCKER_TTL": "30s", "EMAIL_DELIVERY_ENABLED": "false"}
    outcome = sekisho("config", "check", **odd)
    assert (outcome.status, outcome.err) == (0, "")
    *warnings, last = outcome.out.splitlines()
    assert last == "The configuration is good."
    assert [line[:40] for line in warnings] == [
        "warning: FLOWLOCKER_TTL has no effect: t",
        "warning: email_delivery.enabled is false",
    ]
    told = json.loads(sekisho("config", "check", "--json", **odd).out)
    assert told["good"]
    assert [f"warning: {warning}" for warning in told["warnings"]] == warnings


@pytest.mark.parametrize("name", sorted((ROOT / "tests/config/reference").glob("*.yaml")))
def test_a_file_of_the_reference_is_good(sekisho, name):
    variables = {"EMAIL_DELIVERY_SMTP_PASSWORD": "x"} if name.stem == "production" else {}
    outcome = sekisho("config", "check", "--config", str(name), **variables)
    assert outcome.status == 0
    assert outcome.out.endswith("The configuration is good.\n")


# Misuse


def test_a_file_that_cannot_be_opened_is_a_refusal_of_one_line(sekisho, tmp_path):
    outcome = sekisho("user", "import", str(tmp_path / "nowhere.json"))
    assert outcome.status == 2
    assert "No such file" in outcome.err


@pytest.mark.parametrize(
    "words",
    [
        ["reference", "all"],
        ["version", "now"],
        ["config", "check", "--yaml"],
        ["config", "forget"],
        ["isready", "both"],
        ["mail", "test"],
        ["flow", "print", "everything"],
        ["jwk", "retire", "not-an-id"],
        ["saml", "renew", "--later"],
        ["migrate", "sideways"],
        ["webhook", "replay", "not-an-id"],
        ["user", "generate", "--count", "-1"],
        ["cleanup", "--tables"],
    ],
    ids=" ".join,
)
def test_every_command_tells_misuse_from_a_refusal(sekisho, words):
    outcome = sekisho(*words)
    assert (outcome.status, outcome.out) == (2, "")
    assert "Error: " in outcome.err
