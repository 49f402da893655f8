"""docs/observability.md names the metrics and fields that there are, and its alarms use them."""

import json
import re
from pathlib import Path

import pytest
import yaml

from app import gauges
from app.metrics import Metrics

pytestmark = pytest.mark.one_database

PAGE = (Path(__file__).parents[2] / "docs" / "observability.md").read_text()
METRIC = r"(?:sekisho|process)_[a-z_]+"
OUTSIDE = {"up"}
"""What Prometheus knows by itself."""


def counted() -> Metrics:
    """Counters that have counted everything once."""
    metrics = Metrics()
    metrics.request("public", "graphql me", 200, 0.1)
    metrics.login("password", "failure")
    metrics.login("password", "success")
    metrics.limit_hit("password")
    metrics.limits_apart()
    for outcome in ("sent", "deferred", "refused", "unreachable", "expired"):
        metrics.mail(outcome)
    for outcome in ("delivered", "refused", "unanswered", "address_refused"):
        metrics.webhook_attempt(outcome)
    for state in ("delivered", "failed"):
        metrics.webhook_settled(state)
    metrics.beat("deliver")
    return metrics


@pytest.fixture
async def text(services):
    """All that Prometheus reads, with a webhook that is disabled."""
    samples = await gauges.read(services)
    disabled = gauges.Sample("sekisho_webhooks_disabled", "x", 1, (("reason", "failing"),))
    return counted().text([*samples, disabled])


def kinds(text) -> dict[str, str]:
    return dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))


def series(text) -> dict[str, list[dict[str, str]]]:
    """The labels of every series, by its name."""
    found: dict[str, list[dict[str, str]]] = {}
    for line in text.splitlines():
        if line[0] != "#":
            name, _, rest = line.rpartition(" ")[0].partition("{")
            found.setdefault(name, []).append(dict(re.findall(r'(\w+)="([^"]*)"', rest)))
    return found


def rows() -> list[tuple[list[str], str, set[str]]]:
    """The names, the kind and the labels of each row of the table."""
    found = []
    for line in PAGE.splitlines():
        names = re.findall(rf"`({METRIC})`", line.partition("|")[2].partition("|")[0])
        if line.startswith("| `") and names:
            _, _, kind, labels, *_ = (cell.strip() for cell in line.split("|"))
            found.append((names, kind, set(re.findall(r"`(\w+)`", labels))))
    return found


def rules() -> list[dict[str, str]]:
    (block,) = re.findall(r"^```yaml\n(groups:.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    (group,) = yaml.safe_load(block)["groups"]
    return group["rules"]


async def test_every_metric_is_on_the_page_with_its_kind_and_labels_and_no_other(text):
    told = {name: (kind, labels) for names, kind, labels in rows() for name in names}
    there = kinds(text)
    assert set(told) == set(there)
    found = series(text)
    for name, (kind, labels) in told.items():
        assert there[name] == kind, name
        shown = found.get(name) or found[f"{name}_count"]
        assert {label for one in shown for label in one} == labels, name


async def test_an_alarm_asks_for_series_that_there_are(text):
    found = series(text)
    assert len({rule["alert"] for rule in rules()}) == len(rules()) >= 10
    for rule in rules():
        asked = re.findall(rf"\b({METRIC}|up)\b(?:\{{([^}}]*)\}})?", rule["expr"])
        assert asked, rule
        for name, labels in asked:
            if name in OUTSIDE:
                continue
            assert name in found, f"{rule['alert']}: {name}"
            for label, value in re.findall(r'(\w+)="([^"]*)"', labels):
                values = {one.get(label) for one in found[name]} | {"sekisho"}
                assert value in values, f"{rule['alert']}: {label}={value}"


def test_an_alarm_is_written_as_prometheus_reads_it():
    for rule in rules():
        assert re.fullmatch(r"Sekisho[A-Za-z]+", rule["alert"])
        assert rule["expr"].count("(") == rule["expr"].count(")")
        assert re.search(r"(==|>|>=) ?", rule["expr"])
        assert re.fullmatch(r"\d+m", rule.get("for", "0m"))


def test_the_lines_of_the_page_are_lines_of_the_log():
    (block,) = re.findall(r"^```json\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    audit, access = map(json.loads, block.splitlines())
    assert audit["logger"] == "sekisho.audit"
    assert list(access) == [
        *("time", "level", "logger", "listener", "request_id", "session_id", "address", "method"),
        *("path", "operation", "user_id", "status", "ms"),
    ]
