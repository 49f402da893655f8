"""`python -m bench` measures the server; SMALL=1 for less, --write to keep the table."""

import argparse
import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench import report
from bench.processes import ROOT
from bench.run import FULL, SMALL, Bench

_PAGE = ROOT / "docs" / "performance.md"


def main(arguments: Sequence[str]) -> None:
    """Run the bench."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--write", action="store_true", help="put the table into docs/performance.md"
    )
    parser.add_argument("--signing-in", action="store_true", help="measure nothing but signing in")
    parser.add_argument("--importing", action="store_true", help="measure nothing but imports")
    given = parser.parse_args(arguments)
    small = os.environ.get("SMALL", "0") not in ("", "0")  # noqa: TID251  # no setting of the server
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)  # so that the stack unwinds
    command = " ".join([*(["SMALL=1"] if small else []), "python -m bench", *arguments])
    with (
        tempfile.TemporaryDirectory(prefix="sekisho-bench-") as name,
        contextlib.ExitStack() as stack,
    ):
        bench = Bench(SMALL if small else FULL, Path(name), stack)
        if given.importing:
            parts = bench.run_imports(command)
        else:
            parts = bench.run(command, everything=not given.signing_in)
    for part, text in parts.items():
        print(text, end="\n\n")
        if given.write:
            report.into(_PAGE, part, text)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(130)
