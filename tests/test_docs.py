"""The documents tell what the code does: every setting, code and command, and no other."""

import ast
import itertools
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from graphql import ExecutableDefinitionNode, GraphQLSyntaxError, parse, validate

from app.cli.configuration import config
from app.cli.main import sekisho
from app.config import settings
from app.config.moved import MOVED, UNUSED
from app.config.webhook_sections import SUBSCRIBABLE
from app.errors import leaves
from app.graphql import schema
from app.mail.templates import TEMPLATES, values_of

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]
GUIDES = [page for page in PAGES if page.parent.name != "decisions"]

BLOCK = re.compile(r"^(<!-- run -->\n)?```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return [text for _, word, text in BLOCK.findall(page.read_text()) if word == language]


def code(page: Path) -> list[str]:
    """All that stands as code: the lines of fenced blocks, and what stands between backticks."""
    text = page.read_text()
    spans = re.findall(r"`([^`\n]+)`", BLOCK.sub("", text))
    return [*spans, *(line for _, _, block in BLOCK.findall(text) for line in block.splitlines())]


# Settings


def test_the_configuration_page_is_the_one_that_the_command_prints():
    printed = CliRunner().invoke(config, ["reference"])
    page = DOCS / "configuration.md"
    assert page.is_file(), "run `sekisho config reference > docs/configuration.md`"
    assert page.read_text() == printed.output, (
        "run `sekisho config reference > docs/configuration.md`"
    )


def test_every_setting_has_a_meaning_that_is_a_sentence():
    odd = [s.name for s in settings() if not re.fullmatch(r"[A-Z`].*\.", s.description, re.DOTALL)]
    assert odd == []


@pytest.mark.parametrize("page", GUIDES, ids=name_of)
def test_a_page_names_only_settings_that_there_are(page):
    known = {".".join(s.path[:n]) for s in settings() for n in range(1, len(s.path) + 1)}
    known |= {*MOVED, *(one.key for one in UNUSED)}
    sections = {s.path[0] for s in settings() if len(s.path) > 1}
    named = {span for span in code(page) if re.fullmatch(r"[a-z_]+(\.[a-z_]+)+(?<!\.py)", span)}
    named -= SUBSCRIBABLE  # events, which are called alike
    assert {n for n in named if n.partition(".")[0] in sections} - known == set()


@pytest.mark.parametrize("page", GUIDES, ids=name_of)
def test_a_page_sets_only_variables_that_there_are(page):
    known = {variable for setting in settings() for variable in setting.variables}
    text = "\n".join(line for language in ("sh", "") for line in blocks(page, language))
    named = set(re.findall(r"\b([A-Z][A-Z0-9_]+)=", text + "\n".join(code(page))))
    assert {name for name in named - known if not re.fullmatch(OF_THE_SHELL, name)} == set()


OF_THE_SHELL = (
    r"KEY|TOKEN|USER_ID|ANSWER|SMALL|PYTHON|PYTEST_ARGS|LOCK_ARGS|WORKERS|SEKISHO_\w+|PG\w+"
    r"|POSTGRES_\w+|OTEL_\w+"
)
"""Variables of the examples, of make, of the tests and of other programs."""


# Codes


def codes() -> set[str]:
    """Every code that a caller, or who starts the server, may be told, in lower case."""
    found = {leaf.code for leaf in leaves()}
    for path in sorted((ROOT / "app").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            found |= set(_codes_in(node))
    return {one.lower() for one in found}


def _codes_in(node: ast.AST) -> Iterator[str]:
    """A code stands second in a refusal, under "code" in an extension, or beside a status."""
    match node:
        case ast.Call(func=ast.Name(id="BodyRefused" | "problem"), args=[_, code, *_]):
            yield from _literal(code)
        case ast.Dict(keys=keys, values=values):
            for key, value in zip(keys, values, strict=True):
                is_status = (
                    isinstance(key, ast.Attribute) and ast.unparse(key.value) == "HTTPStatus"
                )
                if is_status or _literal(key) == ["code"]:
                    yield from _literal(value)


def _literal(node: ast.AST | None) -> list[str]:
    is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
    return [node.value] if is_text else []


def test_the_codes_are_found_where_they_are_told():
    told = codes()
    assert {"not_found", "metadata_too_large", "email_taken", "forbidden", "internal"} <= told
    assert {"body_too_large", "cross_site", "unsupported_media_type"} <= told
    assert {"query_too_expensive", "bad_request", "unauthenticated"} <= told


def test_every_code_is_on_the_page_of_errors_and_no_other():
    page = DOCS / "errors.md"
    assert page.is_file(), "docs/errors.md is to list every code"
    text = page.read_text()
    named = {span.lower() for span in re.findall(r"`([A-Za-z_]+)`", text)}
    assert codes() - named == set()
    listed = re.findall(r"^\| *`([A-Za-z_]+)`", text, re.MULTILINE)
    assert {code.lower() for code in listed} - codes() == set()


# Mails


def test_every_mail_is_told_with_the_values_it_has():
    _, _, table = (DOCS / "mail.md").read_text().partition("| mail | values beside `service` |\n")
    told: dict[str, tuple[str, ...]] = {}
    for row in table.partition("\n\n")[0].splitlines()[1:]:
        mails, values = (re.findall(r"`(\w+)`", cell) for cell in row.strip("|").split("|"))
        told |= dict.fromkeys(mails, tuple(values))
    assert told == {mail: values_of(mail) for mail in TEMPLATES}


# Commands


def commands(
    command: click.Command = sekisho, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    for name, child in getattr(command, "commands", {}).items():
        yield from commands(child, (*path, name))


sekisho.load()
COMMANDS = dict(commands())


def typed(page: Path) -> Iterator[list[str]]:
    """The words after `sekisho` wherever a page types it, without what comes behind."""
    for text in code(page):
        found = re.search(r"(?:^|[\s/])sekisho (?!sekisho )([^|>#&;]+)", text)
        if found:
            yield re.sub(r"--config \S+", "", found[1]).split()


def test_every_command_is_told_about():
    told = {tuple(words[:n]) for page in GUIDES for words in typed(page) for n in (1, 2, 3)}
    leaves_ = {path for path, command in COMMANDS.items() if not isinstance(command, click.Group)}
    assert leaves_ - {("version",)} - told == set()


@pytest.mark.parametrize("page", GUIDES, ids=name_of)
def test_a_page_types_only_commands_and_options_that_there_are(page):
    for words in typed(page):
        path = tuple(itertools.takewhile(lambda word: re.fullmatch("[a-z]+", word), words[:3]))
        while path and path not in COMMANDS:
            assert path[:-1] in COMMANDS, words
            assert not isinstance(COMMANDS[path[:-1]], click.Group), f"no such command: {words}"
            path = path[:-1]
        known = {name for option in COMMANDS[path].params for name in option.opts}
        given = {word for word in words if re.fullmatch("--[a-z-]+", word)}
        assert given <= known | {"--help", "--version"}, words


def test_every_make_target_that_a_page_types_is_there():
    listed = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert listed
    lines = [line for page in GUIDES for line in code(page)]
    named = {word for line in lines for word in re.findall(r"(?:^|&& )make ([a-z]+)", line)}
    assert "run" in named
    assert named <= set(listed[1].split())


# Examples


@pytest.mark.parametrize("page", GUIDES, ids=name_of)
def test_every_graphql_example_is_valid(page):
    for example in blocks(page, "graphql"):
        try:
            document = parse(example)
        except GraphQLSyntaxError as error:
            pytest.fail(f"{error}\n{example}")
        if all(isinstance(one, ExecutableDefinitionNode) for one in document.definitions):
            assert validate(schema(), document) == [], example


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_somewhere(page):
    text = BLOCK.sub("", page.read_text())
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        file, _, anchor = target.partition("#")
        there = (page.parent / file).resolve() if file else page
        assert there.exists(), target
        if anchor:
            assert anchor in anchors(there), target


def anchors(page: Path) -> set[str]:
    """The headings of a page, as links write them."""
    headings = re.findall(r"^#+ (.+)$", BLOCK.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_every_page_is_on_the_list_of_pages():
    text = (DOCS / "README.md").read_text()
    listed = {(DOCS / target).resolve() for target in re.findall(r"\]\(([^)#]+\.md)\)", text)}
    assert set(DOCS.rglob("*.md")) - {DOCS / "README.md"} - listed == set()


def test_the_readme_works_as_typed(start_server):
    steps = readme_steps()
    assert len(steps) >= 6
    server = start_server()
    script = "\n".join(f"{step}\necho {END}" for step, _ in steps)
    for port, ours in (("8000", server.public_port), ("8001", server.admin_port)):
        script = script.replace(f"localhost:{port}", f"localhost:{ours}")
    script = script.replace(".venv/bin/python", sys.executable)
    ran = subprocess.run(
        ["bash", "-c", f"set -eu\n{script}"],
        env=dict(os.environ, KEY=server.secret_key),  # noqa: TID251  # handed on
        cwd=server.folder,
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    outputs = ran.stdout.split(f"{END}\n")[:-1]
    for (step, shown), output in zip(steps, outputs, strict=True):
        assert varying(output) == varying(shown), step


def test_the_readme_shows_the_greeting(start_server):
    server = start_server()
    greeting = next(text for text in blocks(ROOT / "README.md", "text") if "starting" in text)
    said = [line for line in server.output.splitlines() if not line.startswith("{")]
    printed = "\n".join(said).replace(server.environment["DATA_DIR"], "data")
    for port, ours in (("8000", server.public_port), ("8001", server.admin_port)):
        printed = printed.replace(f"localhost:{ours}", f"localhost:{port}")
    assert varying(printed).startswith(varying(greeting))


END = "=== end of step ==="


def readme_steps() -> list[tuple[str, str]]:
    """What is to be typed, and what the README shows as its output."""
    text = (ROOT / "README.md").read_text()
    found = [(bool(runs), language, block) for runs, language, block in BLOCK.findall(text)]
    steps = []
    for (runs, language, typed_), (_, next_language, shown) in itertools.pairwise(found):
        if runs:
            assert language == "sh"
            steps.append((typed_, shown if next_language in ("json", "text") else ""))
    return steps


def varying(text: str) -> str:
    """Put a word in place of all that differs each time."""
    for pattern, word in (
        (r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", "ID"),
        (r"eyJ[\w.…-]+", "TOKEN"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", "TIME"),
        (r"sk_\w{12}_\w{49}", "KEY"),
        (r"\d+ migration", "N migration"),
    ):
        text = re.sub(pattern, word, text)
    return text
