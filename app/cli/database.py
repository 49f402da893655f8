"""Bringing the schema up to date."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar

import click

from app.cli.session import Refused, State, json_option, show
from app.clock import utc_now
from app.errors import IdentityError
from app.persistence import Migrations, connect, disconnect

T = TypeVar("T")
_ASK_EVERY = 1.0


@click.group()
def migrate() -> None:
    """Bring the database's schema up to date, or back."""


@migrate.command()
@json_option
@click.pass_obj
def up(state: State, as_json: bool) -> None:
    """Apply every migration that is missing.

    Each is applied once, whichever replica comes first.
    """
    applied = _with_migrations(state, Migrations.up)
    text = "\n".join(f"applied {name}" for name in applied) or "nothing to do"
    show({"applied": applied}, as_json=as_json, text=text)


@migrate.command()
@click.argument("steps", type=click.IntRange(1), default=1)
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@click.pass_obj
def down(state: State, steps: int, yes: bool, as_json: bool) -> None:
    """Undo migrations, with the data they hold.

    STEPS says how many, newest first; without it one.
    """
    if not yes and not _consents(f"Undo {steps} migration(s)? What they hold is lost."):
        raise Refused("nothing was undone")
    undone = _with_migrations(state, lambda migrations: migrations.down(steps))
    text = "\n".join(f"undone {name}" for name in undone) or "nothing to do"
    show({"undone": undone}, as_json=as_json, text=text)


@migrate.command()
@json_option
@click.pass_obj
def wait(state: State, as_json: bool) -> None:
    """Wait until no migration is missing.

    For servers that start while somebody else applies them; it changes nothing itself.
    """
    _with_migrations(state, _until_current)
    show({"current": True}, as_json=as_json, text="nothing is missing")


@migrate.command()
@json_option
@click.pass_obj
def status(state: State, as_json: bool) -> None:
    """List every migration and when it was applied."""
    steps = _with_migrations(state, Migrations.status)
    rows = [{"id": s.id, "description": s.description, "applied_at": s.applied_at} for s in steps]
    text = "\n".join(f"{s.id}  {_moment(s.applied_at):<20}  {s.description}" for s in steps)
    show(rows, as_json=as_json, text=text)


def _consents(question: str) -> bool:
    """Ask beside the output, which a program may be reading.

    Raises:
        Refused: There is nobody to ask.
    """
    try:
        return click.confirm(question, err=True)
    except click.Abort:
        if sys.stdin.isatty():  # Ctrl-C
            raise
        raise Refused("nobody answered, and nothing was undone; say --yes") from None


def _moment(applied_at: datetime | None) -> str:
    return applied_at.isoformat(timespec="seconds") if applied_at else "missing"


async def _until_current(migrations: Migrations) -> None:
    if await migrations.is_current():
        return
    click.echo("waiting for migrations that are missing", err=True)
    while not await migrations.is_current():  # noqa: ASYNC110  # another process ends this
        await asyncio.sleep(_ASK_EVERY)


def _with_migrations(state: State, work: Callable[[Migrations], Awaitable[T]]) -> T:
    config = state.config()

    async def run() -> T:
        await connect(config)
        try:
            return await work(Migrations(utc_now))
        finally:
            await disconnect()

    try:
        return asyncio.run(run())
    except IdentityError as error:
        raise Refused(error.message) from None
