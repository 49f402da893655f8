import re
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import click
import pytest

from app import __version__
from app.cli.main import sekisho as root

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def commands(command: click.Command = root, *path: str) -> Iterator[tuple[str, ...]]:
    """The words of every command, groups included."""
    yield path
    for name, child in getattr(command, "commands", {}).items():
        yield from commands(child, *path, name)


root.load()
COMMANDS = list(commands())


def command_at(path: tuple[str, ...]) -> click.Command:
    found: click.Command = root
    for name in path:
        assert isinstance(found, click.Group)
        found = found.commands[name]
    return found


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_of_each_command_reads_well(sekisho, path):
    outcome = sekisho(*path, "--help")
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.startswith(f"Usage: {' '.join(('sekisho', *path))} ")
    about = command_at(path).help
    assert about, path
    assert about.rstrip().endswith(".")
    assert "..." not in re.sub(r"\[?[A-Z_]{4,}\]?\.*", "", outcome.out), "a summary is cut off"


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_option_says_what_it_does(path):
    options = [p for p in command_at(path).params if isinstance(p, click.Option)]
    assert [option.name for option in options if not (option.help or "").endswith(".")] == []


def test_what_prints_a_record_prints_it_as_json_too():
    groups = {"key", "jwt", "migrate"}
    leaves = [path for path in COMMANDS if path and path[0] in groups and len(path) == 2]
    assert len(leaves) == 8
    for path in leaves:
        assert "as_json" in [parameter.name for parameter in command_at(path).params]


def test_the_command_alone_prints_its_help_and_counts_as_misuse(sekisho):
    outcome = sekisho()
    assert outcome.status == 2
    assert outcome.err.startswith("Usage: sekisho [OPTIONS] COMMAND [ARGS]...")


@pytest.mark.parametrize("words", [["version"], ["--version"]])
def test_the_version_is_the_projects(sekisho, words):
    outcome = sekisho(*words)
    assert outcome.status == 0
    assert outcome.out.split()[-1] == __version__ == PROJECT["version"]


def test_the_installed_command_is_the_one_under_test():
    module, _, name = PROJECT["scripts"]["sekisho"].partition(":")
    assert callable(getattr(import_module(module), name))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["srve"], "No such command 'srve'"),
        (["serve", "everything"], "'everything' is not one of 'public', 'admin', 'all'"),
        (["serve", "--prot", "80"], "No such option"),
        (["key", "revoke"], "Missing argument 'KEY_ID'"),
        (["key", "revoke", "nr-1"], "'nr-1' is not a valid UUID"),
        (["jwt", "create", "ada"], "'ada' is not a valid UUID"),
        (["key", "create", "--scope", "users:all"], "'users:all' is not one of"),
        (["key", "create", "--expires-in", "soon"], "'soon' is no duration"),
        (["migrate", "down", "0"], "0 is not in the range x>=1"),
        (["--config", ".", "config", "check"], "'.' is a directory"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_misuse_exits_with_two_and_says_what_is_wrong(sekisho, words, says):
    outcome = sekisho(*words)
    assert outcome.status == 2
    assert outcome.out == ""
    assert outcome.err.startswith("Usage: sekisho ")
    assert says in " ".join(outcome.err.split())


def test_the_schema_is_printed_as_it_stands_in_the_repository(sekisho):
    outcome = sekisho("schema", "print")
    assert outcome.status == 0
    kept = ROOT / "graphql" / "schema.graphql"
    assert outcome.out == kept.read_text(), "run `make schema`"
