"""The settings of traces."""

from typing import Annotated

from msgspec import field

from app.config.section import Section, about


class Traces(Section, frozen=True):
    """What the time of requests is spent on, told to a collector."""

    enabled: Annotated[
        bool,
        about(
            "Send traces to a collector of OpenTelemetry, as the variables `OTEL_*` say; it needs "
            "the packages of the extra `sekisho[otel]`."
        ),
    ] = False
    trust_callers: Annotated[
        bool,
        about(
            "Go on with the trace that a caller names in `traceparent`; only behind a proxy that "
            "throws away what comes from outside."
        ),
    ] = False


class Telemetry(Section, frozen=True):
    """What the server tells of itself."""

    traces: Traces = field(default_factory=Traces)
