"""What Prometheus reads is well-formed, bounded, and says nothing of anybody."""

import re
from typing import get_args, get_type_hints

from app.audit import service as audit
from app.mail.outcomes import Outcome
from app.metrics import ATTEMPTS, BUCKETS, LIMITED, LOGINS, MAILS, SETTLED, Metrics, Sample
from app.ratelimit.rules import Operation
from app.webhooks.deliveries import DeliveryState, OutcomeKind

LINE = re.compile(
    r'[a-z_]+(\{[a-z_]+="[^"\n]*"(,[a-z_]+="[^"\n]*")*\})? ([0-9.e+-]+|\+Inf)|# (HELP|TYPE) .+'
)


def lines(metrics, samples=()) -> list[str]:
    text = metrics.text(samples)
    assert text.endswith("\n")
    return text.splitlines()


def test_every_line_is_one_that_prometheus_reads():
    metrics = Metrics()
    metrics.request("public", "graphql me", 200, 0.0031)
    metrics.login("password", "success")
    metrics.limit_hit("passcode")
    metrics.beat("deliver")
    sample = Sample("sekisho_outbox_waiting", "What waits.", 2, (("queue", 'a"b\\c\nd'),))
    for line in lines(metrics, [sample]):
        assert LINE.fullmatch(line.replace('\\"', "")), line
    assert r'{queue="a\"b\\c\nd"} 2' in metrics.text([sample])


def test_each_metric_is_described_once_however_many_series_it_has():
    metrics = Metrics()
    for operation in ("graphql me", "GET /me", "other"):
        for status in (200, 500):
            metrics.request("public", operation, status, 1)
    heads = [line for line in lines(metrics) if line.startswith("# TYPE")]
    assert len(heads) == len(set(heads)) == 9


def test_requests_are_counted_by_listener_operation_and_status():
    metrics = Metrics()
    for _ in range(3):
        metrics.request("public", "graphql me", 200, 0.1)
    metrics.request("admin", "graphql me", 200, 0.1)
    found = [line for line in lines(metrics) if line.startswith("sekisho_requests_total{")]
    assert found == [
        'sekisho_requests_total{listener="admin",operation="graphql me",status="200"} 1',
        'sekisho_requests_total{listener="public",operation="graphql me",status="200"} 3',
    ]


def test_a_histogram_counts_each_duration_once_and_adds_up():
    metrics = Metrics()
    for seconds in (0.0, 0.001, 0.0011, 9.9, 11.0):
        metrics.request("public", "other", 200, seconds)
    found = [line for line in lines(metrics) if "duration_seconds_" in line]
    counts = [int(line.rpartition(" ")[2]) for line in found if "_bucket" in line]
    assert counts == sorted(counts)
    assert len(counts) == len(BUCKETS) + 1
    assert (counts[0], counts[1], counts[-2], counts[-1]) == (2, 3, 4, 5)
    assert any('le="+Inf"' in line for line in found)
    assert found[-2].endswith(" 20.9021")
    assert found[-1].endswith(" 5")


def test_a_method_that_is_none_of_ours_is_told_as_other_sec_126():
    metrics = Metrics()
    for method in (None, "x\ny", "ada@example.com", "password"):
        metrics.login(method, "failure")
    found = [line for line in lines(metrics) if line.startswith("sekisho_logins_total{")]
    assert [line for line in found if not line.endswith(" 0")] == [
        'sekisho_logins_total{method="other",outcome="failure"} 3',
        'sekisho_logins_total{method="password",outcome="failure"} 1',
    ]


def test_what_has_few_labels_is_counted_from_nought_on():
    """Prometheus sees no increase where a series begins with 1, and an alarm would miss it."""
    found = lines(Metrics())
    for labels in (
        *(f'logins_total{{method="{method}",outcome="{outcome}"}}' for method, outcome in LOGINS),
        *(f'rate_limit_hits_total{{operation="{one}"}}' for one in get_args(Operation)),
        *(f'mails_total{{outcome="{one}"}}' for one in get_args(get_type_hints(Outcome)["kind"])),
        *(f'webhook_attempts_total{{outcome="{one}"}}' for one in get_args(OutcomeKind)),
        *(f'webhook_deliveries_total{{state="{one}"}}' for one in ("delivered", "failed")),
        "rate_limits_apart_total",
    ):
        assert f"sekisho_{labels} 0" in found


def test_those_labels_are_all_that_there_are():
    assert set(LIMITED) == set(get_args(Operation))
    assert set(MAILS) == set(get_args(get_type_hints(Outcome)["kind"]))
    assert set(ATTEMPTS) == set(get_args(OutcomeKind))
    assert set(SETTLED) == set(get_args(DeliveryState)) - {"waiting"}
    assert {outcome for _, outcome in LOGINS} == set(audit._LOGINS.values())
