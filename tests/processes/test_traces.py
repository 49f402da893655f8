"""Real servers whose traces are on: a collector has them when the server has stopped."""

import json
import signal

import pytest
from processes.servers import ROOT, ask
from traces import Collector

from app.config import load

pytestmark = pytest.mark.one_database

CREATE = """mutation { createUser(input: {username: "ada736455918273"}) { user { id } } }"""


def test_traces_are_off_unless_they_are_asked_for(tmp_path):
    empty = tmp_path / "empty.yaml"
    empty.touch()
    traces = load(empty, {}).telemetry.traces
    assert (traces.enabled, traces.trust_callers) == (False, False)
    given = {"TELEMETRY_TRACES_ENABLED": "true", "TELEMETRY_TRACES_TRUST_CALLERS": "true"}
    traces = load(empty, given).telemetry.traces
    assert (traces.enabled, traces.trust_callers) == (True, True)


def test_a_server_that_stops_has_sent_its_last_spans_sec_139(start_server):
    with Collector() as collector:
        server = start_server(
            TELEMETRY_TRACES_ENABLED="true",
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
            OTEL_BSP_SCHEDULE_DELAY="600000",
        )
        key = server.secret_key
        assert ask(server.url, CREATE, key)["data"]["createUser"]["user"]
        assert not collector.taken
        server.send(signal.SIGTERM)
        assert server.wait() == 0
        named = {span.name: span for span in collector.spans}
        assert {"graphql createUser", "field createUser", "transaction"} <= set(named)
        told = b"".join(request.SerializeToString() for request in collector.taken)
        for hidden in (key, "736455918273", "127.0.0.1"):
            assert hidden.encode() not in told
        request = named["graphql createUser"]
        trace = {"trace_id": request.trace_id.hex()}
        lines = [json.loads(line) for line in server.errors.splitlines()]
        (line,) = [one for one in lines if one.get("operation") == "graphql createUser"]
        assert trace.items() <= line.items()


def test_a_server_without_the_extra_says_so_and_runs(start_server, tmp_path):
    hidden = tmp_path / "hidden" / "opentelemetry"
    hidden.mkdir(parents=True)
    (hidden / "__init__.py").touch()  # a package of this name that holds nothing
    server = start_server(
        TELEMETRY_TRACES_ENABLED="true",
        PYTHONPATH=f"{hidden.parent}:{ROOT}",
    )
    assert server.is_ready()
    lines = [json.loads(line) for line in server.errors.splitlines()]
    (line,) = [one for one in lines if one["logger"] == "sekisho.telemetry"]
    assert line["level"] == "warning"
    assert "pip install 'sekisho[otel]'" in line["message"]
