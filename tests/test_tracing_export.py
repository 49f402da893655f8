"""Spans reach a collector over OTLP, and what is missing or wrong keeps no server from starting."""

import asyncio
import io
import json
import logging
import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest
from faces.clients import Face
from factories import make_session, make_user
from traces import Collector

from app import __version__, logs
from app.telemetry import otlp, tracer_of
from app.telemetry.otlp import OtlpTracer

pytestmark = pytest.mark.one_database


@pytest.fixture
def told():
    """What is logged meanwhile, a line each."""
    stream = io.StringIO()
    logs.configure("INFO", stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    logs.configure("ERROR")


@pytest.fixture(autouse=True)
def _nothing_given(monkeypatch):
    for name in ("ENDPOINT", "TRACES_ENDPOINT", "HEADERS", "TIMEOUT", "COMPRESSION"):
        monkeypatch.delenv(f"OTEL_EXPORTER_OTLP_{name}", raising=False)


async def test_spans_reach_a_collector_when_the_server_stops(services, monkeypatch):
    token = (await make_session(services, await make_user(services))).token
    with Collector() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key=secret736455918273")
        monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
        tracer = tracer_of(enabled=True, trust_callers=False)
        await Face(replace(services, tracer=tracer)).gql("{ me { id } }", token=token)
        assert not collector.taken
        await tracer.close()
        (asked,) = collector.headers
        assert (asked["path"], asked["api-key"]) == ("/v1/traces", "secret736455918273")
        assert {one.name for one in collector.spans} >= {"graphql me", "field me"}
        resource = collector.resource()
        assert resource["service.name"] == "sekisho"
        assert resource["service.version"] == __version__
        assert resource["deployment.environment.name"] == "test"
        told = collector.taken[0].SerializeToString()
        for hidden in (token, token.rpartition(".")[2], "secret736455918273", "example.com"):
            assert hidden.encode() not in told


async def test_the_name_of_the_service_can_be_given(monkeypatch):
    with Collector() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        monkeypatch.setenv("OTEL_SERVICE_NAME", "identity")
        tracer = tracer_of(enabled=True, trust_callers=False)
        tracer.begin("x", "internal", {}, {}).end()
        await tracer.close()
        assert collector.resource()["service.name"] == "identity"


async def test_a_collector_that_keeps_silent_does_not_keep_the_server(monkeypatch):
    monkeypatch.setattr(otlp, "LAST", 0.2)
    with Collector(stalls=True) as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        tracer = tracer_of(enabled=True, trust_callers=False)
        tracer.begin("x", "internal", {}, {}).end()
        began = time.monotonic()
        await tracer.close()
        assert time.monotonic() - began < 5
        collector.go_on.set()
        await asyncio.to_thread(_wait_for, "last-spans")


async def test_a_collector_that_is_not_there_costs_spans_and_nothing_else(monkeypatch, told):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9/?key=secret736455918273")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.2")
    tracer = tracer_of(enabled=True, trust_callers=False)
    tracer.begin("x", "internal", {}, {}).end()
    await tracer.close()
    await asyncio.to_thread(_wait_for, "last-spans")
    assert any("Failed to export spans" in line["message"] for line in told())
    assert "736455918273" not in json.dumps(told())


def test_without_being_asked_there_is_no_tracer():
    assert tracer_of(enabled=False, trust_callers=True) is None


def test_without_the_extra_the_server_is_told_so_and_runs(monkeypatch, told):
    monkeypatch.delitem(sys.modules, "app.telemetry.otlp", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    assert tracer_of(enabled=True, trust_callers=False) is None
    (line,) = told()
    assert (line["level"], line["logger"]) == ("warning", "sekisho.telemetry")
    assert "pip install 'sekisho[otel]'" in line["message"]


def test_a_variable_that_cannot_be_used_is_told_and_the_server_runs(monkeypatch, told):
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "-736455918273")
    assert tracer_of(enabled=True, trust_callers=False) is None
    (line,) = told()
    assert (line["level"], line["logger"]) == ("warning", "sekisho.telemetry")
    assert "OTEL_*" in line["message"]
    assert "736455918273" not in json.dumps(line)


@pytest.mark.parametrize(
    "variable",
    [
        "OTEL_EXPORTER_OTLP_HEADERS",
        "OTEL_EXPORTER_OTLP_TIMEOUT",
        "OTEL_EXPORTER_OTLP_COMPRESSION",
        "OTEL_RESOURCE_ATTRIBUTES",
        "OTEL_TRACES_SAMPLER",
    ],
)
async def test_what_the_library_says_of_a_variable_does_not_repeat_it_sec_116(
    monkeypatch, told, variable
):
    monkeypatch.setenv(variable, "secret736455918273")
    tracer = tracer_of(enabled=True, trust_callers=False)
    assert isinstance(tracer, OtlpTracer)
    await tracer.close()
    assert {line["level"] for line in told()} == {"warning"}
    assert "736455918273" not in json.dumps(told())


async def test_the_standards_switch_turns_it_off(monkeypatch):
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    tracer = tracer_of(enabled=True, trust_callers=False)
    assert tracer.begin("x", "internal", {}, {}) is None
    await tracer.close()


def test_a_server_without_traces_imports_no_library():
    look = (
        "import sys, app.cli.running; print(*sys.modules)"  # Redis's client looks for a part of it
    )
    ran = subprocess.run([sys.executable, "-c", look], check=True, capture_output=True, text=True)
    imported = set(ran.stdout.split())
    assert "app.telemetry.spans" in imported
    assert not imported & {"app.telemetry.otlp", "opentelemetry.exporter", "requests"}


def _wait_for(name: str) -> None:
    for thread in threading.enumerate():
        if thread.name in (name, "OtelBatchSpanRecordProcessor"):
            thread.join(30)


def test_the_library_is_quiet_at_the_usual_level():
    assert logging.getLogger("urllib3").getEffectiveLevel() >= logging.WARNING
