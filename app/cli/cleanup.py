"""Removing what has expired from the command line; a running server does so by itself."""

from dataclasses import asdict

import click

from app.assembly import Services
from app.cli.output import progress
from app.cli.session import State, json_option, show, with_services
from app.upkeep import TABLES, Removed, clean, leftovers


@click.command()
@click.option(
    "-t",
    "--tables",
    default="",
    help=f"Which, separated by commas; all unless given: {', '.join(TABLES)}.",
)
@click.option("--run", is_flag=True, help="Remove them; without this they are only counted.")
@json_option
@click.pass_obj
def cleanup(state: State, tables: str, run: bool, as_json: bool) -> None:
    """Count what has expired, and with --run remove it."""
    wanted = tuple(dict.fromkeys(name.strip() for name in tables.split(",") if name.strip()))
    unknown = [name for name in wanted if name not in TABLES]
    if unknown:
        raise click.UsageError(f"There is no {unknown[0]!r}; there are {', '.join(TABLES)}.")

    async def work(services: Services) -> list[Removed]:
        chosen = [one for one in leftovers(services) if not wanted or one.name in wanted]
        done = []
        with progress("removing" if run else "counting", "tables") as moved:
            for number, one in enumerate(chosen):
                moved(number, len(chosen))
                done.append(await clean(services, one, run=run))
        return done

    done = with_services(state, work)
    lines = [f"{one.table:<22} {one.removed if run else one.found}" for one in done]
    told = "removed" if run else "to remove; --run removes them"
    text = "\n".join([*lines, f"{'':<22} {told}"])
    show([asdict(one) for one in done], as_json=as_json, text=text)
