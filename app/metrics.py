"""What the process counts, and how Prometheus reads it (text format 0.0.4).

Labels hold names of ours alone: no address, no id, nothing that a caller has typed (SEC-116). So
the number of series is bounded by the code (SEC-126).
"""

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the histogram of durations, in seconds."""

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Labels = tuple[tuple[str, str], ...]
_METHODS = frozenset(
    {"password", "passkey", "passcode", "third_party", "saml", "security_key", "totp"}
    | {"recovery_code", "otp"}
)
# What is counted from 0 on, since Prometheus sees no increase in a series that begins with 1.
LOGINS = tuple(
    (method, outcome) for method in (*_METHODS, "other") for outcome in ("success", "failure")
)
LIMITED = (
    *("passcode", "passcode_guess", "password", "otp", "token_exchange", "ceremony", "passkey"),
    "flow",
)
MAILS = ("sent", "deferred", "refused", "unreachable", "expired")
ATTEMPTS = ("delivered", "refused", "unanswered", "address_refused", "unreadable", "expired")
SETTLED = ("delivered", "failed")


@dataclass(frozen=True, slots=True)
class Sample:
    """One number of a metric that is read when it is asked for."""

    name: str
    help: str
    value: float
    labels: Labels = ()
    kind: Literal["gauge", "counter"] = "gauge"


class Metrics:
    """The counters of this process."""

    def __init__(self) -> None:
        self._started_at = time.time()
        self._requests: Counter[tuple[str, str, int]] = Counter()
        self._durations: dict[tuple[str, str], list[float]] = {}
        self._logins = Counter(dict.fromkeys(LOGINS, 0))
        self._limits = Counter(dict.fromkeys(LIMITED, 0))
        self._apart = 0
        self._mails = Counter(dict.fromkeys(MAILS, 0))
        self._attempts = Counter(dict.fromkeys(ATTEMPTS, 0))
        self._settled = Counter(dict.fromkeys(SETTLED, 0))
        self._beats: dict[str, float] = {}

    def request(self, listener: str, operation: str, status: int, seconds: float) -> None:
        """Count an answer; the operation is a name of ours."""
        self._requests[listener, operation, status] += 1
        counts = self._durations.get((listener, operation))
        if counts is None:
            counts = self._durations[listener, operation] = [0.0] * (len(BUCKETS) + 2)
        counts[bisect_left(BUCKETS, seconds)] += 1
        counts[-1] += seconds

    def login(self, method: object, outcome: str) -> None:
        """Count an attempt to sign in."""
        self._logins[method if method in _METHODS else "other", outcome] += 1

    def limit_hit(self, operation: str) -> None:
        """Count an attempt that came too often."""
        self._limits[operation] += 1

    def limits_apart(self) -> None:
        """Count an attempt whose limit this process had to count by itself (SEC-131)."""
        self._apart += 1

    def mail(self, outcome: str) -> None:
        """Count an attempt to send a mail, or one that has waited for too long."""
        self._mails[outcome] += 1

    def webhook_attempt(self, outcome: str) -> None:
        """Count an attempt to tell a webhook of an event."""
        self._attempts[outcome] += 1

    def webhook_settled(self, state: str) -> None:
        """Count a delivery that will not be tried again: `delivered` or `failed`."""
        self._settled[state] += 1

    def beat(self, step: str) -> None:
        """Note that a step of the worker has ended well."""
        self._beats[step] = time.time()

    def text(self, samples: Iterable[Sample]) -> str:
        """Write everything that is counted, and *samples*."""
        lines = [
            *_counter(
                "sekisho_requests_total",
                "Requests answered.",
                {
                    (("listener", one), ("operation", operation), ("status", str(status))): number
                    for (one, operation, status), number in self._requests.items()
                },
            ),
            *self._histogram(),
            *_counter(
                "sekisho_logins_total",
                "Attempts to sign in.",
                {
                    (("method", method), ("outcome", outcome)): number
                    for (method, outcome), number in self._logins.items()
                },
            ),
            *_counted(
                "rate_limit_hits", "Attempts that came too often.", "operation", self._limits
            ),
            *_counter(
                "sekisho_rate_limits_apart_total",
                "Attempts counted without the store that replicas share.",
                {(): self._apart},
            ),
            *_counted(
                "mails",
                "Attempts to send a mail, and mails that have waited for too long.",
                "outcome",
                self._mails,
            ),
            *_counted("webhook_attempts", "Attempts to tell a webhook.", "outcome", self._attempts),
            *_counted(
                "webhook_deliveries",
                "Deliveries that are not tried again.",
                "state",
                self._settled,
            ),
            *_samples(self._steps()),
            *_samples(
                [
                    Sample(
                        "process_start_time_seconds", "When the process began.", self._started_at
                    ),
                    *samples,
                ]
            ),
        ]
        return "\n".join(lines) + "\n"

    def _steps(self) -> list[Sample]:
        name = "sekisho_worker_last_step_timestamp_seconds"
        told = "When a step of the worker last ended well."
        return [Sample(name, told, at, (("step", step),)) for step, at in self._beats.items()]

    def _histogram(self) -> list[str]:
        name = "sekisho_request_duration_seconds"
        lines = _head(name, "histogram", "How long answers took.") if self._durations else []
        for (listener, operation), counts in sorted(self._durations.items()):
            labels: Labels = (("listener", listener), ("operation", operation))
            below = 0.0
            for bound, number in zip((*BUCKETS, "+Inf"), counts, strict=False):
                below += number
                at = (*labels, ("le", str(bound)))
                lines.append(f"{name}_bucket{_written(at)} {_number(below)}")
            lines.append(f"{name}_sum{_written(labels)} {_number(counts[-1])}")
            lines.append(f"{name}_count{_written(labels)} {_number(below)}")
        return lines


def _counter(name: str, text: str, values: Mapping[Labels, int]) -> list[str]:
    lines = _head(name, "counter", text) if values else []
    return lines + [f"{name}{_written(at)} {number}" for at, number in sorted(values.items())]


def _counted(name: str, text: str, label: str, values: Mapping[str, int]) -> list[str]:
    labelled: dict[Labels, int] = {((label, value),): number for value, number in values.items()}
    return _counter(f"sekisho_{name}_total", text, labelled)


def _samples(samples: Iterable[Sample]) -> list[str]:
    lines: list[str] = []
    told = ""
    for one in samples:
        if one.name != told:
            lines += _head(one.name, one.kind, one.help)
            told = one.name
        lines.append(f"{one.name}{_written(one.labels)} {_number(one.value)}")
    return lines


def _head(name: str, kind: str, text: str) -> list[str]:
    return [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]


def _written(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
