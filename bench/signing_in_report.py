"""What signing in costs, and what it tells, as Markdown."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from bench import alike, signing_in
from bench.load import Outcome
from bench.report import span, table
from bench.rounds import Pace, median, rate
from bench.signing_in import METHODS, SignedIn
from bench.telling import compare


def document(
    command: str,
    pace: Pace,
    facts: Sequence[str],
    found: Sequence[SignedIn],
    told: Mapping[str, alike.Seconds],
) -> str:
    """Write both tables of ratios, and what they were taken from."""
    seconds = pace.seconds * signing_in.LONGER
    cost = signing_in.default_cost()
    argon2 = f"m = {cost.memory} MiB, t = {cost.iterations}, p = {cost.parallelism}"
    rounds = f"{pace.rounds} rounds of {seconds:g} s a trial"
    parts = [
        f"`{command}`, {datetime.now(UTC):%d %B %Y}; {rounds}.",
        f"{signing_in.CONNECTIONS} connections; Argon2id at {argon2}, which is the default.",
        "\n".join(f"- {fact}" for fact in facts),
        "### Logins a second",
        table(
            ["database", "login by", "logins/s", "p50 ms", "beside `me`, logins/s"],
            _rates(found),
        ),
        table(["database", "ratio", "median", "range", "goal"], _ratios(found)),
        table(["database", "`me`", "requests/s", "p50 ms", "p99 ms"], _asking(found)),
        "### Known and unknown accounts",
        table(
            [
                "database",
                "step",
                "case",
                "times",
                "median ms",
                "÷ known",
                "difference ms",
                "area",
                "chance",
                "best threshold",
            ],
            _told(told),
        ),
    ]
    return "\n\n".join(parts)


def _rates(found: Sequence[SignedIn]) -> Iterable[list[str]]:
    for one in found:
        for method in METHODS:
            alone, together = one.alone[method], one.together[method]
            yield [
                one.database,
                method,
                f"**{signing_in.a_second(alone):.1f}**",
                f"{signing_in.took(alone) * 1000:.0f}",
                f"{signing_in.a_second(together):.1f}",
            ]
        yield [one.database, "Argon2id alone", f"{statistics.median(one.hashes):.1f}", "", ""]


def _ratios(found: Sequence[SignedIn]) -> Iterable[list[str]]:
    for one in found:
        for method in METHODS:
            goal = "≥ 0.85" if method == "password" else ""
            name = f"logins by {method} ÷ Argon2id hashes"
            yield _ratio(one, name, one.of_hashes(method), goal)
        for method in METHODS:
            name = f"`me` kept during logins by {method}"
            yield _ratio(one, name, one.kept(method), "≥ 0.85")
            name = f"p99 of `me` during logins by {method} ÷ idle"
            yield _ratio(one, name, one.slower(method), "≤ 2")


def _ratio(one: SignedIn, name: str, values: Sequence[float], goal: str) -> list[str]:
    return [one.database, name, f"**{statistics.median(values):.2f}**", span(values), goal]


def _asking(found: Sequence[SignedIn]) -> Iterable[list[str]]:
    for one in found:
        trials = {"idle": one.idle}
        trials |= {f"during logins by {method}": one.beside[method] for method in METHODS}
        for name, outcomes in trials.items():
            p50, p99 = (median(outcomes, figure) * 1000 for figure in (_p50, _p99))
            answers = f"{median(outcomes, rate):,.0f}"
            yield [one.database, name, answers, f"{p50:.2f}", f"{p99:.2f}"]


def _told(told: Mapping[str, alike.Seconds]) -> Iterable[list[str]]:
    for database, questions in told.items():
        for question, cases in questions.items():
            base = cases[alike.WITH]
            for case in (case for case in alike.CASES if case in cases):
                times = cases[case]
                start = [database, question, case, str(len(times))]
                if case == alike.WITH:
                    yield [*start, f"{statistics.median(base) * 1000:.2f}", *[""] * 5]
                    continue
                one = compare(base, times)
                yield [
                    *start,
                    f"{one.other * 1000:.2f}",
                    f"**{one.other / one.base:.3f}**",
                    f"{(one.other - one.base) * 1000:+.2f}",
                    f"**{one.area:.3f}**" if one.is_told else f"{one.area:.3f}",
                    f"0.5 ± {one.margin:.3f}",
                    f"{one.threshold:.0%}",
                ]


def _p50(outcome: Outcome) -> float:
    return outcome.p50


def _p99(outcome: Outcome) -> float:
    return outcome.p99
