"""The commands, gathered, and how they end: 0 done, 1 refused, 2 misused, 3 done in part."""

import sys
from pathlib import Path

import click

from app import __version__
from app.cli.reference import Sections
from app.cli.session import Refused, State, json_option, show

_FILE = click.Path(path_type=Path, dir_okay=False)


def _named_after(context: click.Context, _: click.Parameter, file: Path | None) -> None:
    """Take the file that is named after the command, as the reference's command line has it."""
    if file is not None:
        context.obj = State(file)


_FILE_AFTER = click.Option(
    ["--config", "config_file"],
    type=_FILE,
    expose_value=False,
    callback=_named_after,
    help="A YAML file, as it can be named before the command.",
)


@click.group(
    cls=Sections,
    option=_FILE_AFTER,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option(
    "--config",
    "config_file",
    type=_FILE,
    help="A YAML file. Without it config/config.yaml is read if it is there.",
)
@click.version_option(__version__, prog_name="sekisho")
@click.pass_context
def sekisho(context: click.Context, config_file: Path | None) -> None:
    """Sekisho: an identity server whose API is GraphQL."""
    context.obj = State(config_file)


@click.command()
@json_option
def version(as_json: bool) -> None:
    """Print the version."""
    show({"version": __version__}, as_json=as_json, text=__version__)


sekisho.add("Running", serve="running", isready="readiness", migrate="database", cleanup="cleanup")
sekisho.add("Users and sessions", user="user", jwt="sessions")
sekisho.add("Keys", key="keys", jwk="jwk", saml="saml", siwa="siwa")
sekisho.add("Messages", mail="mail", webhook="webhook")
sekisho.add(
    "Settings and schemas",
    config="configuration",
    schema="configuration",
    flow="flows",
    reference="reference",
    version="main",
)


def main() -> None:
    """Run the command line; a refusal is one sentence for each reason."""
    try:
        sekisho(prog_name="sekisho", standalone_mode=False)
    except click.UsageError as error:
        error.show()
        sys.exit(2)
    except click.ClickException as error:
        _refused(error.format_message())
    except Refused as error:
        _refused(str(error))
    except OSError as error:  # a folder or a file that this account may not use
        _refused(f"{error.filename or 'system'}: {error.strerror}")
    except click.Abort:
        sys.exit(130)


def _refused(reasons: str) -> None:
    for reason in reasons.splitlines():
        click.echo(f"sekisho: {reason}", err=True)
    sys.exit(1)
