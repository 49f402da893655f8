"""Traces by OpenTelemetry, sent as OTLP over HTTP; it needs the packages of the extra `otel`.

Where to, how many and how often is told to the library by the standard's own variables, `OTEL_*`.
"""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Mapping
from typing import Self
from uuid import uuid4

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span as LibrarySpan
from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.trace import Tracer as LibraryTracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from app import __version__
from app.telemetry.spans import Attributes, Kind, Value

LAST = 3.0
"""Seconds that the last spans may take to be sent when the server stops."""

_KINDS = {
    "internal": SpanKind.INTERNAL,
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "consumer": SpanKind.CONSUMER,
}
_LONGEST = 512  # W3C Trace Context §3.3.1.5; of a longer one the library says a line each time
_callers = TraceContextTextMapPropagator()


class OtlpSpan:
    """A span that is recorded."""

    __slots__ = ("_span", "_tracer")

    def __init__(self, tracer: LibraryTracer, span: LibrarySpan) -> None:
        self._tracer = tracer
        self._span = span

    @property
    def trace_id(self) -> str:
        """Give the id of its trace, in hexadecimal."""
        return f"{self._span.get_span_context().trace_id:032x}"

    def child(self, name: str, kind: Kind, attributes: Attributes) -> "OtlpSpan":
        """Begin a span within it."""
        within = set_span_in_context(self._span, Context())
        begun = self._tracer.start_span(name, within, _KINDS[kind], attributes)
        return OtlpSpan(self._tracer, begun)

    def rename(self, name: str) -> None:
        """Name it, once more is known."""
        self._span.update_name(name)

    def set(self, name: str, value: Value) -> None:
        """Add an attribute."""
        self._span.set_attribute(name, value)

    def fail(self, kind: str) -> None:
        """Mark it as failed, by the kind of the error."""
        self._span.set_attribute("error.type", kind)
        self._span.set_status(Status(StatusCode.ERROR))

    def end(self) -> None:
        """End it."""
        self._span.end()


class OtlpTracer:
    """Begins traces, and sends them in batches from a thread of the library's.

    Args:
        provider: The library's own, with what it sends by.
        trust_callers: Whether a caller's trace is gone on with.
    """

    def __init__(self, provider: TracerProvider, *, trust_callers: bool = False) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("sekisho", __version__)
        self._trust_callers = trust_callers

    @classmethod
    def of_environment(cls, *, trust_callers: bool) -> Self:
        """Build it as the standard's variables say.

        Raises:
            ValueError: One of them has a value that cannot be used.
        """
        for name in tuple(logging.root.manager.loggerDict):
            if name.startswith("opentelemetry."):
                logging.getLogger(name).addFilter(_without_values)
        provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        return cls(provider, trust_callers=trust_callers)

    def begin(
        self, name: str, kind: Kind, attributes: Attributes, caller: Mapping[str, str]
    ) -> OtlpSpan | None:
        """Begin a trace, or go on with the caller's; None where it is not recorded."""
        within = Context()
        if self._trust_callers:
            short = {name: value for name, value in caller.items() if len(value) <= _LONGEST}
            within = _callers.extract(short, within)
        begun = self._tracer.start_span(name, within, _KINDS[kind], attributes)
        return OtlpSpan(self._tracer, begun) if begun.is_recording() else None

    async def close(self) -> None:
        """Send what is left; what takes longer than a few seconds is lost."""
        loop, sent = asyncio.get_running_loop(), asyncio.Event()

        def send() -> None:
            self._provider.shutdown()
            with contextlib.suppress(RuntimeError):  # too late: the loop has ended
                loop.call_soon_threadsafe(sent.set)

        threading.Thread(target=send, name="last-spans", daemon=True).start()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST):
                await sent.wait()


def _resource() -> Resource:
    """Say who sends; `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` come first."""
    ours = {
        SERVICE_NAME: "sekisho",
        "service.version": __version__,
        "service.instance.id": str(uuid4()),
    }
    given = OTELResourceDetector().detect().attributes
    return Resource.create({**ours, **given})


def _without_values(record: logging.LogRecord) -> bool:
    """Let a line of the library say what is wrong, but not with which value (SEC-116).

    It repeats what it cannot use of a variable, and keys of collectors stand in those.
    """
    if isinstance(record.args, tuple):
        record.args = tuple(_kind(one) for one in record.args)
    return True


def _kind(argument: object) -> object:
    if argument == "spans" or isinstance(argument, int | float | None):
        return argument
    return type(argument).__name__ if isinstance(argument, Exception) else "(not shown)"
