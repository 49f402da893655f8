"""Where long work goes: a file that is whole or not there, and a bar on a terminal."""

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from app.cli.session import Refused

STDOUT = "-"
Write = Callable[[bytes], object]

target_option = click.option(
    "-o",
    "--output",
    default=STDOUT,
    type=click.Path(dir_okay=False, allow_dash=True),
    help="Where to; without it, or for -, to standard output.",
)
force_option = click.option("--force", is_flag=True, help="Write over a file that is there.")


@contextmanager
def written(output: str, *, force: bool) -> Iterator[Write]:
    """Write a file for nobody else to read, and put it in its place when it is whole.

    Raises:
        Refused: It is there already.
    """
    if output == STDOUT:
        yield sys.stdout.buffer.write
        sys.stdout.buffer.flush()
        return
    place = Path(output)
    if place.exists() and not force:
        raise Refused(f"{output} is there already; --force writes over it")
    handle, draft = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file.write
            file.flush()
            os.fsync(file.fileno())
        Path(draft).replace(place)
    finally:
        Path(draft).unlink(missing_ok=True)


@contextmanager
def progress(what: str, unit: str) -> Iterator[Callable[[int, int | None], None]]:
    """Show on a terminal how far it is."""
    from rich.console import Console  # noqa: PLC0415  # servers need not load it
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn(f"{{task.completed:,}} {unit}"),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
