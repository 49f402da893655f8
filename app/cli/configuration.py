"""Looking at the configuration, and printing what it and the API are made of."""

import json

import click
import yaml

from app.cli.session import State
from app.config import schema as config_schema
from app.config import show as plain
from app.graphql import printed_schema


@click.group()
def config() -> None:
    """Show and check the configuration."""


@config.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of YAML.")
@click.pass_obj
def show(state: State, as_json: bool) -> None:
    """Print the configuration in force, its secrets hidden."""
    values = plain(state.config())
    click.echo(json.dumps(values, indent=2) if as_json else yaml.safe_dump(values, sort_keys=False))


@config.command()
@click.pass_obj
def check(state: State) -> None:
    """Say whether the configuration can be used, and if not, why."""
    state.config()
    click.echo("The configuration is good.")


@config.command(name="schema")
def schema_of_config() -> None:
    """Print the JSON Schema of the configuration file, for editors."""
    click.echo(json.dumps(config_schema(), indent=2))


@click.group()
def schema() -> None:
    """Print the schema of the API."""


@schema.command(name="print")
def print_() -> None:
    """Print the GraphQL schema, guards included."""
    click.echo(printed_schema(), nl=False)
