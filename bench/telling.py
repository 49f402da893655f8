"""Whether two cases can be told apart by the time they take: the Mann-Whitney test."""

import math
import statistics
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

_CERTAIN = 1.96  # of a normal distribution, 95 % lie within


@dataclass(frozen=True, slots=True)
class Telling:
    """A comparison of two cases.

    Attributes:
        base, other: Their medians, in seconds.
        area: The chance that one of the other is slower than one of the base, ties counted half:
            the area under the curve of all thresholds; 0.5 where they are alike.
        margin: How far from 0.5 the area of two samples of one kind lies in 19 of 20 cases.
        threshold: The part that the best threshold there is, chosen afterwards, puts right; of two
            samples of one kind it is above a half as well.
    """

    base: float
    other: float
    area: float
    margin: float
    threshold: float

    @property
    def is_told(self) -> bool:
        """Say whether the area is further from a half than chance explains."""
        return abs(self.area - 0.5) > self.margin


def compare(base: Sequence[float], other: Sequence[float]) -> Telling:
    """Compare two samples."""
    low, high = sorted(base), sorted(other)
    n, m = len(low), len(high)
    wins = sum(bisect_left(low, time) + bisect_right(low, time) for time in high) / 2
    gap = max(abs(bisect_right(low, t) / n - bisect_right(high, t) / m) for t in low + high)
    margin = _CERTAIN * math.sqrt((n + m + 1) / (12 * n * m))
    return Telling(
        statistics.median(low), statistics.median(high), wins / (n * m), margin, 0.5 + gap / 2
    )
