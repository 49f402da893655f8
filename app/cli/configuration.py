"""Looking at the configuration, and printing what it and the API are made of."""

import inspect
import json
import sys
from collections.abc import Iterator
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import click
import yaml
from msgspec import Struct

from app.cli.editors import file_schema
from app.cli.output import force_option, target_option, written
from app.cli.session import Refused, State, json_option
from app.cli.session import show as show_outcome
from app.config import Config, ConfigurationRefused, Secret, Setting, read, settings
from app.config import show as shown
from app.config.load import plain
from app.config.moved import MOVED, UNUSED
from app.graphql import printed_schema
from app.http.listener import Name
from app.rest import document
from app.templates import caps_of, fault_of_size
from app.transfer import schema_of


@click.group()
def config() -> None:
    """Show and check the configuration."""


@config.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of YAML.")
@click.pass_obj
def show(state: State, as_json: bool) -> None:
    """Print the configuration in force, its secrets hidden."""
    values = shown(state.config())
    click.echo(json.dumps(values, indent=2) if as_json else yaml.safe_dump(values, sort_keys=False))


@config.command()
@json_option
@click.pass_obj
def check(state: State, as_json: bool) -> None:
    """Say whether the configuration can be used, and if not, why.

    It tells all that is wrong, and warns of what is odd. Nothing is made, no server is asked.
    """
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    try:
        reading = read(state.config_file)
        warnings = (*reading.warnings, *_sizes(reading.config))
    except ConfigurationRefused as refused:
        problems = refused.problems
    if problems and not as_json:
        raise Refused("\n".join(problems))
    told = [f"warning: {warning}" for warning in warnings]
    text = "\n".join([*told, "The configuration is good."])
    value = {"good": not problems, "problems": problems, "warnings": warnings}
    show_outcome(value, as_json=as_json, text=text)
    if problems:
        sys.exit(1)


def _sizes(config: Config) -> Iterator[str]:
    reason = fault_of_size(config.session.jwt_template, caps_of(config))
    if reason is not None:
        yield f"session.jwt_template.claims may not fit, and tokens go without some: {reason}"


@config.command(name="schema")
def schema_of_config() -> None:
    """Print the JSON Schema of the configuration file, for editors."""
    click.echo(json.dumps(file_schema(), indent=2))


@config.command()
def reference() -> None:
    """Print the reference of every setting, as Markdown."""
    click.echo("\n\n".join([_INTRODUCTION, *_tables(), *_older()]))


@click.group()
def schema() -> None:
    """Print the schemas of the APIs, and those for editors."""


@schema.command(name="print")
def print_() -> None:
    """Print the GraphQL schema, guards included."""
    click.echo(printed_schema(), nl=False)


@schema.command()
@click.option(
    "--listener",
    type=click.Choice(["admin", "public"]),
    default="admin",
    show_default=True,
    help="Whose endpoints are described.",
)
def openapi(listener: Name) -> None:
    """Print the OpenAPI 3.1 description of a listener's JSON endpoints."""
    click.echo(json.dumps(document(listener), indent=2, sort_keys=True, ensure_ascii=False))


@schema.group()
def generate() -> None:
    """Write a JSON Schema, for editors."""


@generate.command(name="config")
@target_option
@force_option
def generate_config(output: str, force: bool) -> None:
    """Write the JSON Schema of the configuration file."""
    _write_schema(file_schema(), output, force=force)


@generate.command(name="import")
@target_option
@force_option
def generate_import(output: str, force: bool) -> None:
    """Write the JSON Schema of a file to import, in Hanko's format."""
    _write_schema(schema_of("hanko"), output, force=force)


def _write_schema(value: dict[str, Any], output: str, *, force: bool) -> None:
    with written(output, force=force) as write:
        write(f"{json.dumps(value, indent=2)}\n".encode())


_INTRODUCTION = """\
# Configuration

Every setting of the server, printed by `sekisho config reference`.

What is not given has its default. A YAML file comes over the defaults: the one that `--config`
names, else `config/config.yaml` if it is there. The environment comes over the file. In the
environment a list is split at its commas. A duration is written like `12h`, `1h30m` or `500ms`.
Where a setting has two variables either will do; if both are set and differ, if a key is unknown or
if a value does not fit, the server says so and does not start. `sekisho config check` tells all
that is wrong at once.

Files and variables written for Hanko are read as they are: keys in letters of either case, a single
value for a list of one, a number or a truth for a text. What they may say and no server here can do
is brought within bounds, with a warning. Below the settings stand the names that
moved, and those that are read and have no effect; each is told when the server starts."""
_OLDER_SECRETS = {"secrets.keys": "secret_keys"}
_HEAD = "| Key | Type | Default | Environment | Meaning |\n| --- | --- | --- | --- | --- |"
_TYPES = {str: "text", int: "number", bool: "`true`, `false`", Secret: "secret"}


def _tables() -> Iterator[str]:
    """Write a table for each section, the settings of no section first."""
    sections = inspect.get_annotations(Config)
    groups: dict[str, list[str]] = {}
    for setting in settings():
        name = setting.path[0] if len(setting.path) > 1 else ""
        groups.setdefault(name, []).append(_row(setting))
    for name, rows in sorted(groups.items(), key=lambda group: group[0] != ""):
        title = f"## `{name}`\n\n{inspect.getdoc(sections[name])}" if name else "## General"
        yield "\n".join([f"{title}\n", _HEAD, *rows])


def _older() -> Iterator[str]:
    """Write what became of names that files of the reference hold."""
    moved = [f"| `{old}` | `{new}` |" for old, new in {**MOVED, **_OLDER_SECRETS}.items()]
    yield "\n".join(["## Older names", "", "| Name | Today's |", "| --- | --- |", *moved])
    rows = [f"| `{one.key}` | {one.why[0].upper()}{one.why[1:]}. |" for one in UNUSED]
    yield "\n".join(["## Without effect", "", "| Key | Why |", "| --- | --- |", *rows])


def _row(setting: Setting) -> str:
    cells = [
        f"`{setting.name}`",
        _kind(setting.type),
        _default(plain(setting.default)),
        ", ".join(f"`{name}`" for name in setting.variables),
        setting.description,
    ]
    return f"| {' | '.join(cells)} |"


def _kind(kind: Any) -> str:  # noqa: ANN401  # any annotation
    if get_origin(kind) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(kind))
    if get_origin(kind) is list and _is_struct(get_args(kind)[0]):
        return "list of objects"
    if get_origin(kind) is list:
        return f"list of {_kind(get_args(kind)[0])}s"
    if get_origin(kind) in (Union, UnionType):
        return " or ".join(_kind(one) for one in get_args(kind))
    if get_origin(kind) is dict:
        return "keys and values"
    return _TYPES.get(kind) or ("keys and values" if _is_struct(kind) else "duration")


def _is_struct(kind: Any) -> bool:  # noqa: ANN401  # any annotation
    return isinstance(kind, type) and issubclass(kind, Struct)


def _default(value: Any) -> str:  # noqa: ANN401  # any plain value
    text = value if isinstance(value, str) else json.dumps(value)
    return f"`{text}`" if value not in ("", [], {}) else "none"
