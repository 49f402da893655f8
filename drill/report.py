"""What was found, as Markdown."""

from collections.abc import Sequence
from datetime import UTC, datetime

from bench.report import table
from drill.finding import Finding

_TITLES = ("promise", "what was done", "requests", "without answer", "longest", "goal", "held")


def document(command: str, facts: Sequence[str], findings: Sequence[Finding]) -> str:
    """Write the table, and what it was taken on."""
    parts = [
        f"`{command}`, {datetime.now(UTC):%d %B %Y}.",
        "\n".join(f"- {fact}" for fact in facts),
        table(_TITLES, [_row(finding) for finding in findings]),
    ]
    broken = [f"- {one.promise}: {fault}" for one in findings for fault in one.broken]
    return "\n\n".join([*parts, *(["\n".join(broken)] if broken else [])])


def _row(finding: Finding) -> list[str]:
    failures = ", ".join(f"{count} {kind}" for kind, count in sorted(finding.failures.items()))
    requests = f"{finding.requests:,}" if finding.requests else ""
    return [
        finding.promise,
        finding.deed,
        requests,
        failures or ("0" if requests else ""),
        finding.longest,
        finding.goal,
        "yes" if finding.is_held else "**no**",
    ]
