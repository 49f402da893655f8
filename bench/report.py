"""The figures as Markdown, and their place in docs/performance.md."""

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.engines import Taken
from bench.load import Outcome
from bench.rounds import Measured, Pace, cost, median, rate
from bench.starting import Started

_BUSY = 0.8
_GOALS = {"read": "≥ 4", "write": "≥ 6"}


@dataclass(frozen=True, slots=True)
class Findings:
    """All that one run has found."""

    command: str
    pace: Pace
    facts: Sequence[str]
    measured: Sequence[Measured]
    engines: dict[str, list[Taken]]
    minting: dict[str, list[Taken]]
    starts: Sequence[Started]


def document(found: Findings) -> str:
    """Write everything."""
    rounds = f"{found.pace.rounds} rounds of {found.pace.seconds:g} s a trial"
    parts = [
        f"`{found.command}`, {datetime.now(UTC):%d %B %Y}; {rounds}.",
        "\n".join(f"- {fact}" for fact in found.facts),
        "### Ratios",
        _ratios(found),
        "### Measures",
        _measures(found.measured),
        "### Start and memory",
        _starts(found.starts),
        _doubts(found.measured),
    ]
    return "\n\n".join(parts)


def into(file: Path, part: str, text: str) -> None:
    """Put a part of the report between its markers in a file.

    Raises:
        ValueError: The markers are not there.
    """
    opening, closing = f"<!-- {part}:begin -->", f"<!-- {part}:end -->"
    page = file.read_text("utf-8")
    head, begin, rest = page.partition(opening)
    _, end, tail = rest.partition(closing)
    if not begin or not end:
        raise ValueError(f"{file.name} holds no {opening} … {closing}")
    file.write_text(f"{head}{opening}\n{text}\n{closing}{tail}", "utf-8")


def _ratios(found: Findings) -> str:
    rows = [
        [one.comparison.database, str(one.comparison.connections), *_ratio(one, n)]
        for one in found.measured
        for n in range(len(one.comparison.ratios))
    ]
    rows += [["SQLite", "in process", *row] for row in _engines(found.engines)]
    rows.append(["none", "in process", *_minting(found.minting)])
    titles = ["database", "connections", "ratio", "median", "range", "by CPU", "goal"]
    return table(titles, rows)


def _ratio(one: Measured, number: int) -> list[str]:
    ratio = one.comparison.ratios[number]
    found, dearer = one.paired(ratio, rate), one.paired(ratio, cost)
    by_cpu = f"{1 / statistics.median(dearer):.2f}" if dearer else ""
    return [ratio.name, f"**{statistics.median(found):.2f}**", span(found), by_cpu, ratio.goal]


def _engines(found: dict[str, list[Taken]]) -> Iterable[list[str]]:
    if not found:
        return
    for name, base in (("read", "read"), ("look-up", "read"), ("write", "write")):
        pairs = list(zip(found[f"{base}, stock"], found[f"{name}, ours"], strict=True))
        ratios = [stock.clock / ours.clock for stock, ours in pairs]
        by_cpu = statistics.median(stock.cpu / ours.cpu for stock, ours in pairs)
        micros = statistics.median(ours.clock for _, ours in pairs) * 1e6
        title = f"our engine's {name} ({micros:.0f} µs) ÷ Piccolo's own"
        middle = f"**{statistics.median(ratios):.1f}**"
        yield [title, middle, span(ratios), f"{by_cpu:.1f}", _GOALS.get(name, "")]


def _minting(found: dict[str, list[Taken]]) -> list[str]:
    pairs = list(zip(found["mint"], found["sign"], strict=True))
    ratios = [mint.clock / sign.clock for mint, sign in pairs]
    by_cpu = statistics.median(mint.cpu / sign.cpu for mint, sign in pairs)
    micros = statistics.median(mint.clock for mint, _ in pairs) * 1e6
    title = f"minting with claims from full bags ({micros:.0f} µs) ÷ signing alone, time"
    middle = f"**{statistics.median(ratios):.2f}**"
    return [title, middle, span(ratios), f"{by_cpu:.2f}", "< 1.5"]


def _measures(measured: Sequence[Measured]) -> str:
    titles = ["database", "connections", "measure", "requests/s", "p50 ms", "p99 ms", "CPU µs"]
    rows = [
        [one.comparison.database, str(one.comparison.connections), name, *_figures(outcomes)]
        for one in measured
        for name, outcomes in one.outcomes.items()
    ]
    return table(titles, rows)


def _figures(outcomes: list[Outcome]) -> list[str]:
    milliseconds: Sequence[Callable[[Outcome], float]] = (lambda o: o.p50, lambda o: o.p99)
    times = [f"{median(outcomes, figure) * 1000:.2f}" for figure in milliseconds]
    return [f"{median(outcomes, rate):,.0f}", *times, f"{median(outcomes, cost) * 1e6:.0f}"]


def _starts(starts: Sequence[Started]) -> str:
    rows = [
        [
            start.database,
            f"{start.seconds:.2f}",
            "" if start.memory is None else f"{start.memory:.0f}",
        ]
        for start in starts
    ]
    return table(["database", "first answer after s (≤ 2)", "memory, PSS, MiB (≤ 80)"], rows)


def _doubts(measured: Sequence[Measured]) -> str:
    """Say where the generator may have been what was measured."""
    busy = {
        name: median(outcomes, lambda o: o.own_cpu / o.seconds)
        for one in measured
        for name, outcomes in one.outcomes.items()
    }
    name = max(busy, key=lambda key: busy[key])
    share = f"The load generator was busiest during `{name}`: {busy[name]:.0%} of a core."
    return share if busy[name] < _BUSY else f"{share} Its figures may be too low."


def span(values: Sequence[float]) -> str:
    """Give the least and the most."""
    return f"{min(values):.2f} to {max(values):.2f}"


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table."""
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
