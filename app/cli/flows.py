"""`sekisho flow`: the flows as they are defined."""

import click

from app.flows.definitions import FLOWS
from app.flows.diagram import diagram


@click.group()
def flow() -> None:
    """Look at the flows of signing up and in."""


@flow.command(name="print")
@click.argument("kind", type=click.Choice(list(FLOWS)))
def draw(kind: str) -> None:
    """Print a flow's states and actions as a Mermaid diagram."""
    found = next(one for one in FLOWS.values() if one.kind == kind)
    click.echo(diagram(found))
