"""How long the server takes from nothing to its first answer, and how much memory it then has."""

import statistics
import time
from dataclasses import dataclass
from pathlib import Path

from bench import asking, processes, targets
from bench.data import Filled
from bench.generator import Generator
from bench.load import Order

_STARTS = 3


@dataclass(frozen=True, slots=True)
class Started:
    """Seconds to the first answer, and MiB after a second of work; None where nobody tells."""

    database: str
    seconds: float
    memory: float | None


def measure(
    generator: Generator, filled: Filled, empty: Path, log: Path, core: set[int]
) -> Started:
    """Start the server a few times, and let the last one work."""
    requests = asking.me(filled)
    taken: list[float] = []
    for n in range(_STARTS):
        began = time.perf_counter()
        with targets.server(filled, empty, log, core) as target:
            processes.first_answer(target.port, requests[0])
            taken.append(time.perf_counter() - began)
            if n == _STARTS - 1:
                order = Order(target.port, target.pid, requests, '"me"', 16, 1.0, 0.2)
                generator.carry_out(order)
                memory = processes.memory(target.pid)
    return Started(filled.name, statistics.median(taken), memory)
