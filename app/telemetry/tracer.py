"""The tracer that is configured."""

import logging

from app.telemetry.spans import Tracer

_log = logging.getLogger("sekisho.telemetry")


def tracer_of(*, enabled: bool, trust_callers: bool) -> Tracer | None:
    """Make the tracer, where traces are on.

    What is missing is told, and the server runs without traces: nobody signs in by them.

    Args:
        enabled: Whether there are to be traces.
        trust_callers: Whether a caller's trace is gone on with.
    """
    if not enabled:
        return None
    try:
        from app.telemetry.otlp import OtlpTracer  # noqa: PLC0415  # the packages of an extra
    except ImportError:
        _log.warning("there are no traces: install the extra, pip install 'sekisho[otel]'")
        return None
    try:
        return OtlpTracer.of_environment(trust_callers=trust_callers)
    except ValueError:
        _log.warning("there are no traces: a variable OTEL_* has a value that cannot be used")
        return None
