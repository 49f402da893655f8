"""Exports of other systems, made into a file that can be imported."""

import os
import sys
from collections.abc import Callable
from typing import IO, BinaryIO

import click

from app import strictjson
from app.cli.output import STDOUT, Write, force_option, progress, target_option, written
from app.cli.session import Refused, json_option, show
from app.errors import IdentityError
from app.transfer import Conversion, HashParameters, LeftOut

SOME_REFUSED = 3
_SHOWN = 20
_TOLD_EVERY = 1_000


@click.group()
def convert() -> None:
    """Convert another system's export for an import."""


@convert.command()
@click.argument("file", type=click.File("rb"))
@click.option(
    "--hashes",
    type=click.File("rb"),
    required=True,
    help="A JSON file of the project's hash parameters, named as Firebase's console names them.",
)
@target_option
@force_option
@click.option(
    "--report",
    type=click.File("w", lazy=False),
    help="Convert who can be converted; write here who cannot, a JSON object a line.",
)
@json_option
def firebase(  # noqa: PLR0913, PLR0917  # its options
    file: BinaryIO,
    hashes: BinaryIO,
    output: str,
    force: bool,
    report: IO[str] | None,
    as_json: bool,
) -> None:
    """Convert FILE, which `firebase auth:export` has written as JSON.

    Users keep their address, name, times and password; their id in Firebase goes into the private
    bag as firebaseId. Who is disabled there, or has no address, cannot be converted; then nobody
    is, unless a report is asked for.
    """
    left_out: list[LeftOut] = []

    def note(one: LeftOut) -> None:
        if len(left_out) < _SHOWN:
            left_out.append(one)
        if report is not None:
            report.write(strictjson.encode(_plain(one)) + "\n")

    try:
        with written(output, force=force) as write:
            done = _converted(file, HashParameters.of(hashes.read()), note, write)
            if not done.converted or (done.left_out and report is None):
                raise Refused(_reasons(left_out, done))
    except IdentityError as error:
        raise Refused(error.message) from None
    value = {"converted": done.converted, "left_out": done.left_out, "file": output}
    told = f", {done.left_out} left out" if done.left_out else ""
    if output != STDOUT:
        show(value, as_json=as_json, text=f"converted {done.converted} users{told} to {output}")
    if done.left_out:
        sys.exit(SOME_REFUSED)


def _converted(
    file: BinaryIO, hashes: HashParameters, note: Callable[[LeftOut], None], write: Write
) -> Conversion:
    size = os.fstat(file.fileno()).st_size or None  # of a pipe nothing is known
    conversion = Conversion(file, hashes, note)
    with progress("converting", "bytes") as moved:
        for number, line in enumerate(conversion.lines()):
            write(line)
            if not number % _TOLD_EVERY:
                moved(conversion.bytes_read, size)
    return conversion


def _reasons(left_out: list[LeftOut], done: Conversion) -> str:
    lines = [f"entry {one.entry}: {one.message}" for one in left_out]
    if done.left_out > _SHOWN:
        lines.append(f"… and {done.left_out - _SHOWN} more")
    entries = done.converted + done.left_out
    return "\n".join([*lines, f"nothing was converted: {done.left_out} of {entries} cannot be"])


def _plain(one: LeftOut) -> dict[str, object]:
    return {"entry": one.entry, "firebase_id": one.firebase_id, "message": one.message}
