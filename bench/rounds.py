"""Paired rounds: every trial of a comparison runs in every round, in an order drawn anew.

One figure says little on a machine with neighbours. A ratio of two figures of the same round says
more, and the median of such ratios is what gets quoted.
"""

import random
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field

from bench.generator import Generator
from bench.load import Order, Outcome
from bench.targets import Target


@dataclass(frozen=True, slots=True)
class Pace:
    """How many rounds, and how long each trial takes in one."""

    rounds: int
    seconds: float
    warm_up: float


@dataclass(frozen=True, slots=True)
class Trial:
    """What is asked of a server, and a text that every right answer holds."""

    name: str
    target: Target
    requests: list[str]
    expect: str


@dataclass(frozen=True, slots=True)
class Ratio:
    """Two trials to compare by what they answer a second, and what is hoped for."""

    name: str
    over: str
    under: str
    goal: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Trials that stand beside each other, and the ratios to draw from them."""

    database: str
    connections: int
    trials: tuple[Trial, ...]
    ratios: tuple[Ratio, ...]


@dataclass(frozen=True, slots=True)
class Measured:
    """A comparison with the outcomes of each trial, round by round."""

    comparison: Comparison
    outcomes: dict[str, list[Outcome]] = field(default_factory=dict)

    def paired(self, ratio: Ratio, figure: Callable[[Outcome], float]) -> list[float]:
        """Give the ratio of a figure in every round."""
        both = zip(self.outcomes[ratio.over], self.outcomes[ratio.under], strict=True)
        return [figure(over) / figure(under) for over, under in both if figure(under)]


def measure(generator: Generator, comparison: Comparison, pace: Pace) -> Measured:
    """Run all rounds of a comparison."""
    measured = Measured(comparison, {trial.name: [] for trial in comparison.trials})
    for _ in range(pace.rounds):
        for trial in random.sample(comparison.trials, len(comparison.trials)):
            order = Order(
                trial.target.port,
                trial.target.pid,
                trial.requests,
                trial.expect,
                comparison.connections,
                pace.seconds,
                pace.warm_up,
            )
            measured.outcomes[trial.name].append(generator.carry_out(order))
    return measured


def rate(outcome: Outcome) -> float:
    """Answers a second."""
    return outcome.answers / outcome.seconds


def cost(outcome: Outcome) -> float:
    """CPU seconds of the server for an answer; 0 where the system does not tell."""
    return outcome.cpu / outcome.answers if outcome.answers else 0.0


def median(outcomes: list[Outcome], figure: Callable[[Outcome], float]) -> float:
    """The middle one of a figure."""
    return statistics.median(figure(outcome) for outcome in outcomes)
