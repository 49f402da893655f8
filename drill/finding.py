"""What one scenario has found."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

from drill.line import Answer
from drill.stream import Stream


@dataclass(slots=True)
class Finding:
    """One row of the table.

    Attributes:
        promise: The number of the promise, such as SEC-139.
        deed: What was done.
        goal: What must be so.
        requests: How many requests were sent meanwhile.
        failures: How many of them failed, by kind.
        longest: What took longest, in words.
        broken: What was not as promised.
    """

    promise: str
    deed: str
    goal: str
    requests: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    longest: str = ""
    broken: list[str] = field(default_factory=list)

    @property
    def is_held(self) -> bool:
        return not self.broken

    @property
    def verdict(self) -> str:
        """Say whether it was held, and what was not."""
        return "held" if self.is_held else "; ".join(["NOT HELD", *self.broken[:5]])

    def expect(self, *, so: bool, or_else: str) -> None:
        """Note what is not as promised."""
        if not so:
            self.broken.append(or_else)

    def of(self, stream: Stream | None = None, answers: Iterable[Answer] = ()) -> Self:
        """Count what was asked meanwhile, and what of it failed."""
        for answer in [*(stream.answers if stream else ()), *answers]:
            self.requests += 1
            if answer.failure:
                self.failures[answer.failure] += 1
        return self


def times(number: int) -> str:
    """Say how often."""
    return "once" if number == 1 else f"{number} times"
