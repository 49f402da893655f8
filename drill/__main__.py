"""`python -m drill` puts two replicas through everything; SMALL=1 for less, --write to keep it."""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Sequence

from bench import report as pages
from bench.processes import ROOT
from drill import machine, report
from drill.finding import Finding
from drill.run import FULL, SMALL, Size, run, scenarios

_PAGE = ROOT / "docs" / "reliability.md"


def main(arguments: Sequence[str]) -> int:
    """Run the drill; give 1 where a promise was not held."""
    parser = argparse.ArgumentParser(prog="python -m drill", description=__doc__)
    parser.add_argument(
        "--write", action="store_true", help="put the table into docs/reliability.md"
    )
    parser.add_argument(
        "scenario", nargs="*", help=f"all, or some of: {', '.join(scenarios(SMALL))}"
    )
    given = parser.parse_args(arguments)
    unknown = [name for name in given.scenario if name not in scenarios(SMALL)]
    if unknown:
        parser.error(f"there is no {', '.join(unknown)}")
    small = os.environ.get("SMALL", "0") not in ("", "0")  # noqa: TID251  # no setting of the server
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the stack unwinds
    command = " ".join([*(["SMALL=1"] if small else []), "python -m drill", *arguments])
    facts = machine.facts()
    findings = asyncio.run(_found(SMALL if small else FULL, given.scenario))
    text = report.document(command, facts, findings)
    print(text)
    if given.write:
        pages.into(_PAGE, "drill", text)
    return 0 if all(finding.is_held for finding in findings) else 1


async def _found(size: Size, names: Sequence[str]) -> list[Finding]:
    return [finding async for finding in run(size, names)]


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
