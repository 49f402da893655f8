"""Gives orders to the load generator."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.load import Order, Outcome
from bench.processes import hear, python, tell


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
        self.order(order)
        return self.outcome()

    def order(self, order: Order) -> None:
        """Give an order, and do not wait."""
        tell(self.process, order)

    def outcome(self) -> Outcome:
        """Wait for what came of the order.

        Raises:
            RuntimeError: The generator has ended, or an answer was wrong.
        """
        outcome = hear(self.process, self.log, Outcome)
        if outcome.failures:
            raise RuntimeError(f"{outcome.failures} answers were wrong: {outcome.failure}")
        return outcome


@contextmanager
def generator(folder: Path) -> Iterator[Generator]:
    """Run a generator until the block ends; it stays on the cores this process is on."""
    log = folder / "generator.log"
    with python(["-m", "bench.load"], log, set(), talks=True) as process:
        yield Generator(process, log)
