"""Traces: what a request spends its time on, for who has a place to send them to."""

from app.telemetry.spans import (
    NOTHING,
    Attributes,
    Kind,
    NoFailure,
    Part,
    Span,
    Tracer,
    begin,
    is_traced,
    span,
    statement,
    trace_id,
    tracing,
    work,
)
from app.telemetry.tracer import tracer_of

__all__ = [
    "NOTHING",
    "Attributes",
    "Kind",
    "NoFailure",
    "Part",
    "Span",
    "Tracer",
    "begin",
    "is_traced",
    "span",
    "statement",
    "trace_id",
    "tracer_of",
    "tracing",
    "work",
]
