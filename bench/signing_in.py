"""Logins a second, and what is left for others meanwhile.

A login is a whole flow as a browser walks it: begin, capabilities, identifier, method, password or
mailed code. In each round every trial runs once, in an order drawn anew: signing in alone, `me`
alone, both together, and Argon2id alone on the servers' core.
"""

import random
import statistics
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from app.config import sections
from bench import asking, flood, hashes
from bench.data import Filled, with_passwords
from bench.generator import Generator
from bench.load import Order, Outcome
from bench.processes import hear, python, tell
from bench.rounds import Pace, rate
from bench.targets import Target

METHODS: tuple[flood.Method, ...] = ("password", "passcode")
CONNECTIONS = 16
LONGER = 2.0
"""A login takes so much longer than a question that its trials do."""

_WARM_UP = 1.0


@dataclass(frozen=True, slots=True)
class People:
    """The process that signs in and takes mail, and the one that hashes."""

    signing: subprocess.Popen[str]
    hashing: subprocess.Popen[str]
    signing_log: Path
    hashing_log: Path

    def logins(self) -> flood.Outcome:
        """Wait for what came of signing in.

        Raises:
            RuntimeError: Somebody could not sign in.
        """
        outcome = hear(self.signing, self.signing_log, flood.Outcome)
        if outcome.failure:
            raise RuntimeError(f"somebody could not sign in: {outcome.failure}")
        return outcome

    def hashes(self, seconds: float) -> float:
        """Give Argon2id hashes a second, at the cost that is the default."""
        cost = default_cost()
        job = hashes.Job(cost.memory, cost.iterations, cost.parallelism, seconds)
        tell(self.hashing, job)
        return hear(self.hashing, self.hashing_log, float)


def _of_each() -> dict[flood.Method, list[Any]]:
    return {method: [] for method in METHODS}


@dataclass(frozen=True, slots=True)
class SignedIn:
    """What was found on one kind of database, round by round, by the name of the trial."""

    database: str
    idle: list[Outcome] = field(default_factory=list)
    beside: dict[flood.Method, list[Outcome]] = field(default_factory=_of_each)
    """`me` while somebody signs in."""

    alone: dict[flood.Method, list[flood.Outcome]] = field(default_factory=_of_each)
    together: dict[flood.Method, list[flood.Outcome]] = field(default_factory=_of_each)
    """Logins without and with `me` beside them."""

    hashes: list[float] = field(default_factory=list)

    def of_hashes(self, method: flood.Method) -> list[float]:
        """Give logins ÷ hashes, as the core would make them alone, in every round."""
        pairs = zip(self.alone[method], self.hashes, strict=True)
        return [outcome.logins / outcome.seconds / made for outcome, made in pairs]

    def of_idle(self, method: flood.Method, figure: Callable[[Outcome], float]) -> list[float]:
        """Give a figure of `me` beside logins ÷ the same without them, in every round."""
        pairs = zip(self.beside[method], self.idle, strict=True)
        return [figure(beside) / figure(idle) for beside, idle in pairs]

    def kept(self, method: flood.Method) -> list[float]:
        """Give the part of answers a second that `me` keeps."""
        return self.of_idle(method, rate)

    def slower(self, method: flood.Method) -> list[float]:
        """Give by how much the p99 of `me` grows."""
        return self.of_idle(method, lambda outcome: outcome.p99)


def default_cost() -> sections.Argon2:
    """Give what a password hash costs unless it is told otherwise."""
    return sections.Argon2()


@contextmanager
def people(folder: Path, core: set[int], mail_port: int) -> Iterator[People]:
    """Run both processes: who signs in beside us, hashing on the servers' core."""
    logs = folder / "signing.log", folder / "hashing.log"
    arguments = ["-m", "bench.flood", str(mail_port)]
    with (
        python(arguments, logs[0], set(), talks=True) as signing,
        python(["-m", "bench.hashes"], logs[1], core, talks=True) as hashing,
    ):
        yield People(signing, hashing, *logs)


def measure(
    generator: Generator, who: People, target: Target, filled: Filled, pace: Pace
) -> SignedIn:
    """Run all rounds on one kind of database."""
    found = SignedIn(filled.name)
    run = _Run(generator, who, target, filled, pace.seconds * LONGER, found)
    trials: list[Callable[[], None]] = [run.idle, run.hash]
    for method in METHODS:
        trials += [partial(run.alone, method), partial(run.both, method)]
    for _ in range(pace.rounds):
        for trial in random.sample(trials, len(trials)):
            trial()
    return found


@dataclass(frozen=True, slots=True)
class _Run:
    generator: Generator
    who: People
    target: Target
    filled: Filled
    seconds: float
    found: SignedIn

    def idle(self) -> None:
        self.found.idle.append(self.generator.carry_out(self._asking()))

    def hash(self) -> None:
        self.found.hashes.append(self.who.hashes(self.seconds))

    def alone(self, method: flood.Method) -> None:
        tell(self.who.signing, self._signing_in(method))
        self.found.alone[method].append(self.who.logins())

    def both(self, method: flood.Method) -> None:
        tell(self.who.signing, self._signing_in(method))
        self.found.beside[method].append(self.generator.carry_out(self._asking()))
        self.found.together[method].append(self.who.logins())

    def _asking(self) -> Order:
        requests, target = asking.me(self.filled), self.target
        return Order(
            target.port, target.pid, requests, '"me":{"id":"', CONNECTIONS, self.seconds, _WARM_UP
        )

    def _signing_in(self, method: flood.Method) -> flood.Order:
        numbers = with_passwords(self.filled.users)
        return flood.Order(
            self.target.port,
            method,
            numbers.start,
            numbers.stop - 1,
            CONNECTIONS,
            self.seconds,
            _WARM_UP,
        )


def a_second(outcomes: list[flood.Outcome]) -> float:
    """Give logins a second: the median of the rounds."""
    return statistics.median(outcome.logins / outcome.seconds for outcome in outcomes)


def took(outcomes: list[flood.Outcome]) -> float:
    """Give what a login took: the median of all."""
    times = [time for outcome in outcomes for time in outcome.times]
    return statistics.median(times) if times else 0.0
