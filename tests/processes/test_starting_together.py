"""Servers that start at the same time on the same empty database."""

import json

import httpx
import pytest
from processes import servers

ROUNDS = 3


@pytest.mark.parametrize("turn", range(ROUNDS))
def test_servers_that_start_at_once_make_everything_once_sec_135(tmp_path, new_database, turn):
    shared = {"DATA_DIR": str(tmp_path / "data"), **new_database}
    started = [servers.start(tmp_path / name, **shared) for name in ("one", "other")]
    try:
        for server in started:
            server.wait_until_ready()
        greetings = [server.output for server in started]
        assert sorted("migration(s) applied" in text for text in greetings) == [False, True]
        assert sorted("shown this once" in text for text in greetings) == [False, True]
        sets = [httpx.get(f"{server.url}/.well-known/jwks.json").json() for server in started]
        assert sets[0] == sets[1]
        assert len(sets[0]["keys"]) == 1
        logs = [json.loads(line) for server in started for line in server.errors.splitlines()]
        assert {line["level"] for line in logs if "level" in line} <= {"info"}
        told = [line for text in greetings for line in text.splitlines() if line.startswith("{")]
        events = sorted(json.loads(line)["audit"] for line in told)
        assert events == ["secret_key_created", "signing_key_created"]
    finally:
        for server in started:
            server.stop()
    assert [server.process.returncode for server in started] == [0, 0]
