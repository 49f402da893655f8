"""Gives orders to the load generator."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bench.load import Order, Outcome
from bench.processes import python


@dataclass(frozen=True, slots=True)
class Generator:
    """The running generator; one order at a time."""

    process: subprocess.Popen[str]
    log: Path

    def carry_out(self, order: Order) -> Outcome:
        """Have an order carried out.

        Raises:
            RuntimeError: The generator has ended, or an answer was wrong.
        """
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(msgspec.json.encode(order).decode() + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the load generator has ended:\n{self.log.read_text()[-3000:]}")
        outcome = msgspec.json.decode(line, type=Outcome)
        if outcome.failures:
            raise RuntimeError(f"{outcome.failures} answers were wrong: {outcome.failure}")
        return outcome


@contextmanager
def generator(folder: Path) -> Iterator[Generator]:
    """Run a generator until the block ends; it stays on the cores this process is on."""
    log = folder / "generator.log"
    with python(["-m", "bench.load"], log, set(), talks=True) as process:
        yield Generator(process, log)
