"""Users in bulk: imported, exported, looked over, made up.

The exit status is 0 where all was done, 1 where nothing was, 3 where some entries were not.
"""

import os
import sys
from collections.abc import Callable
from functools import partial
from typing import IO, Any, BinaryIO, cast

import click

from app import strictjson
from app.access import SYSTEM
from app.assembly import Services
from app.cli.convert import convert
from app.cli.output import STDOUT, Write, force_option, progress, target_option, written
from app.cli.session import State, json_option, show, with_services
from app.transfer import (
    Format,
    OnConflict,
    Outcome,
    Problem,
    Wishes,
    collect_seldom,
    made_up,
    schema_of,
)

SOME_REFUSED = 3
_SHOWN = 20
_TOLD_EVERY = 1_000


@click.group()
def user() -> None:
    """Import and export users."""


_source = click.argument("file", type=click.File("rb"))
_on_conflict = click.option(
    "--on-conflict",
    type=click.Choice(["fail", "skip", "update"]),
    default="fail",
    show_default=True,
    help="What becomes of an entry whose user is there already.",
)
_format = click.option(
    "--format",
    "kind",
    type=click.Choice(["sekisho", "hanko"]),
    default="sekisho",
    show_default=True,
    help="Ours, a user a line, or Hanko's JSON array.",
)


@user.command(name="import")
@_source
@_on_conflict
@click.option(
    "--report",
    type=click.File("w", lazy=False),
    help="Import what can be imported; write here what cannot, a JSON object a line.",
)
@json_option
@click.pass_obj
def import_(
    state: State, file: BinaryIO, on_conflict: str, report: IO[str] | None, as_json: bool
) -> None:
    """Import users from FILE, or from standard input where that is -.

    FILE is an export of ours or a JSON array in Hanko's format. If one entry cannot be imported
    nothing is, unless a report is asked for.
    """
    wishes = Wishes(cast("OnConflict", on_conflict), is_whole=report is None)
    note = _noting(report) if report is not None else None
    outcome = _imported(state, file, wishes, note)
    show(_plain(outcome), as_json=as_json, text=_summary(outcome))
    _end(outcome)


@user.command()
@_source
@_on_conflict
@json_option
@click.pass_obj
def validate(state: State, file: BinaryIO, on_conflict: str, as_json: bool) -> None:
    """Say what an import of FILE would come to, and change nothing.

    Everything is tried and undone, so that conflicts with users who are there are found as well.
    """
    wishes = Wishes(cast("OnConflict", on_conflict), is_trial=True)
    outcome = _imported(state, file, wishes, None)
    show(_plain(outcome), as_json=as_json, text=_summary(outcome, is_trial=True))
    if outcome.refused:
        sys.exit(1)


@user.command()
@target_option
@force_option
@click.option("--sessions", is_flag=True, help="Write sessions and trusted devices too.")
@json_option
@click.pass_obj
def export(state: State, output: str, force: bool, sessions: bool, as_json: bool) -> None:
    """Export every user, with nothing left out, as of one moment.

    The file holds password hashes: it is made for nobody else to read. Secrets of authenticator
    apps stay sealed, and open where the same encryption secret is configured.
    """

    async def work(services: Services, *, write: Write) -> int:
        with progress("exporting", "users") as moved:

            async def part(content: bytes, written: int, users: int) -> None:
                write(content)
                moved(written, users)

            return await services.exporter.run(SYSTEM, part, with_sessions=sessions)

    with written(output, force=force) as write:
        users = with_services(state, partial(work, write=write))
    _tell({"users": users, "file": output}, f"exported {users} users", output, as_json=as_json)


@user.command()
@target_option
@force_option
@click.option(
    "-c", "--count", type=click.IntRange(0), default=10, show_default=True, help="How many."
)
@_format
@json_option
def generate(output: str, force: bool, count: int, kind: str, as_json: bool) -> None:
    """Make up users, to try an import with."""
    with written(output, force=force) as write, progress("making up", "users") as moved:
        for number, part in enumerate(made_up(count, cast("Format", kind))):
            write(part)
            if not number % _TOLD_EVERY:
                moved(number, count)
    _tell({"users": count, "file": output}, f"made up {count} users", output, as_json=as_json)


@user.command()
@_format
def schema(kind: str) -> None:
    """Print the JSON Schema of what can be imported, for editors."""
    show(schema_of(cast("Format", kind)), as_json=True, text="")


def _imported(
    state: State, file: BinaryIO, wishes: Wishes, note: Callable[[Problem], None] | None
) -> Outcome:
    size = os.fstat(file.fileno()).st_size or None  # of a pipe nothing is known
    work = partial(_import, file=file, size=size, wishes=wishes, note=note or (lambda _: None))
    return with_services(state, work, may_begin=not wishes.is_trial)


async def _import(
    services: Services,
    *,
    file: BinaryIO,
    size: int | None,
    wishes: Wishes,
    note: Callable[[Problem], None],
) -> Outcome:
    collect_seldom()
    with progress("importing", "bytes") as moved:
        return await services.importer.run(
            SYSTEM,
            file,
            wishes,
            on_problem=note,
            on_progress=lambda read, _: moved(read, size),
        )


def _noting(report: IO[str]) -> Callable[[Problem], None]:
    def note(problem: Problem) -> None:
        report.write(strictjson.encode(_told(problem)) + "\n")

    return note


def _end(outcome: Outcome) -> None:
    """Give the exit status."""
    if not outcome.is_kept:
        sys.exit(1)
    if outcome.refused:
        sys.exit(SOME_REFUSED)


def _plain(outcome: Outcome) -> dict[str, Any]:
    counts = ("entries", "imported", "updated", "skipped", "refused")
    return {
        "kept": outcome.is_kept,
        "format": outcome.format,
        **{name: getattr(outcome, name) for name in counts},
        "unknown_fields": sorted(outcome.unknown_fields),
        "problems": [_told(problem) for problem in outcome.problems],
    }


def _told(problem: Problem) -> dict[str, Any]:
    return {
        "entry": problem.entry,
        "user_id": problem.user_id,
        "code": problem.code,
        "message": problem.message,
        "path": list(problem.path),
    }


def _summary(outcome: Outcome, *, is_trial: bool = False) -> str:
    lines = [f"entry {one.entry}: {one.message} ({one.code})" for one in outcome.problems[:_SHOWN]]
    if outcome.refused > _SHOWN:
        lines.append(f"… and {outcome.refused - _SHOWN} more")
    if outcome.unknown_fields:
        lines.append(f"fields left out: {', '.join(sorted(outcome.unknown_fields))}")
    counts = {name: getattr(outcome, name) for name in ("updated", "skipped", "refused")}
    others = (f", {count} {name}" for name, count in counts.items() if count)
    told = f"{outcome.imported} imported{''.join(others)}"
    if is_trial:
        lines.append(f"an import would end with: {told}")
    elif outcome.is_kept:
        lines.append(told)
    else:
        lines.append(
            f"nothing was imported: {outcome.refused} of {outcome.entries} entries cannot be"
        )
    return "\n".join(lines)


def _tell(value: dict[str, Any], text: str, output: str, *, as_json: bool) -> None:
    """Say what was written, unless it went where this would go."""
    if output != STDOUT:
        show(value, as_json=as_json, text=f"{text} to {output}")


user.add_command(convert)
