"""The commands, gathered, and how they end: 0 done, 1 refused, 2 misused."""

import sys
from pathlib import Path

import click

from app import __version__
from app.cli import configuration, database, flows, jwk, keys, mail, running, sessions
from app.cli.session import Refused, State


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A YAML file. Without it config/config.yaml is read if it is there.",
)
@click.version_option(__version__, prog_name="sekisho")
@click.pass_context
def sekisho(context: click.Context, config_file: Path | None) -> None:
    """Sekisho: an identity server whose API is GraphQL."""
    context.obj = State(config_file)


for command in (
    running.serve,
    running.isready,
    database.migrate,
    keys.key,
    jwk.jwk,
    sessions.jwt,
    mail.mail,
    flows.flow,
    configuration.config,
    configuration.schema,
):
    sekisho.add_command(command)


@sekisho.command()
def version() -> None:
    """Print the version."""
    click.echo(__version__)


def main() -> None:
    """Run the command line; a refusal is one sentence."""
    try:
        sekisho(prog_name="sekisho", standalone_mode=False)
    except click.UsageError as error:
        error.show()
        sys.exit(2)
    except Refused as error:
        click.echo(f"sekisho: {error}", err=True)
        sys.exit(1)
    except OSError as error:  # a folder or a file that this account may not use
        click.echo(f"sekisho: {error.filename or 'system'}: {error.strerror}", err=True)
        sys.exit(1)
    except click.Abort:
        sys.exit(130)
