"""What tests of traces ask: a tracer that keeps its spans, and a collector that takes them."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from app.assembly import Services
from app.telemetry.otlp import OtlpTracer


class Kept:
    """A tracer, and the spans that it has recorded."""

    def __init__(self, *, trust_callers: bool = False) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracer = OtlpTracer(provider, trust_callers=trust_callers)

    def on(self, services: Services) -> Services:
        """The services, traced."""
        return replace(services, tracer=self.tracer)

    @property
    def spans(self) -> Sequence[ReadableSpan]:
        """Those that have ended, in that order."""
        return self._exporter.get_finished_spans()

    def named(self, name: str) -> list[ReadableSpan]:
        return [one for one in self.spans if one.name == name]

    def one(self, name: str) -> ReadableSpan:
        (found,) = self.named(name)
        return found

    def forget(self) -> None:
        self._exporter.clear()

    def path(self, span: ReadableSpan) -> list[str]:
        """The names from the beginning of its trace down to a span."""
        by_id = {one.context.span_id: one for one in self.spans}
        names = [span.name]
        while span.parent is not None and span.parent.span_id in by_id:
            span = by_id[span.parent.span_id]
            names.insert(0, span.name)
        return names

    def text(self) -> str:
        """All that is told of all spans, as one text."""
        return "\n".join(word for one in self.spans for word in _words(one))


class Collector:
    """Takes spans on loopback; one that stalls answers when it is told to."""

    def __init__(self, *, stalls: bool = False) -> None:
        self.taken: list[Any] = []
        self.headers: list[dict[str, str]] = []
        self.go_on = threading.Event()
        if not stalls:
            self.go_on.set()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                collector.headers.append({"path": self.path, **self.headers})
                collector.taken.append(ExportTraceServiceRequest.FromString(body))
                collector.go_on.wait(30)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                """Print nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.go_on.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def spans(self) -> list[Any]:
        return [
            one
            for request in self.taken
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for one in scope.spans
        ]

    def resource(self) -> dict[str, str]:
        found = self.taken[0].resource_spans[0].resource.attributes
        return {one.key: one.value.string_value for one in found}


def _words(span: ReadableSpan) -> Iterator[str]:
    yield span.name
    yield str(span.status.description)
    yield from _pairs(span.attributes or {})
    for event in span.events:
        yield event.name
        yield from _pairs(event.attributes or {})
    for link in span.links:
        yield from _pairs(link.attributes or {})
    yield from _pairs(span.resource.attributes)


def _pairs(attributes: Any) -> Iterator[str]:
    for name, value in attributes.items():
        yield f"{name}={value}"
