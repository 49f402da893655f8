"""`sekisho serve` as a person meets it: what it prints, what it keeps, how it is asked."""

import json
import re
import socket
import stat
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest
from processes import servers
from processes.servers import Server, ask, health, until

from app.cli.running import _greeting
from app.config import load
from app.http.listener import Listener

GRACE = 'mutation { createUser(input: {emails: [{address: "grace@example.com"}]}) { user { id } } }'


def secrets_in(text: str) -> list[str]:
    return re.findall(r"sk_\w{12}_\w{49}", text)


def mode(path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    """A server after its first start, for the tests that only look at it."""
    started = servers.start(tmp_path_factory.mktemp("serving"))
    try:
        started.wait_until_ready()
        yield started
    finally:
        started.stop()


def test_the_greeting_says_where_everything_is_and_what_to_type_next_sec_011(server):
    assert f"SQLite in {server.folder / 'data'}/" in server.output
    assert set(secrets_in(server.output)) == {server.secret_key}
    accept = {"accept": "text/html, application/json"}
    urls = set(re.findall(r"http://localhost:\d+\S*", server.output))
    assert {url: httpx.get(url, headers=accept).status_code for url in urls} == dict.fromkeys(
        urls, 200
    )
    typed = re.search(r"^ +(curl .+\n.+)$", server.output, re.MULTILINE)
    assert typed
    answer = subprocess.run(["bash", "-c", typed[1]], check=True, capture_output=True).stdout
    made = json.loads(answer)["data"]["createUser"]
    assert made["user"]["id"]
    assert made["userErrors"] == []


def test_every_line_of_the_log_is_json_and_none_holds_the_key_sec_117(server):
    httpx.get(f"{server.url}/me?token=x%0Ay", headers={"x-request-id": "evil\tid"})
    until(lambda: "/me" in server.errors)
    lines = [json.loads(line) for line in server.errors.splitlines()]
    assert [line["status"] for line in lines if line.get("path") == "/me"] == [401]
    told = [json.loads(line) for line in server.output.splitlines() if line.startswith("{")]
    assert {"signing_key_created", "secret_key_created"} <= {line.get("audit") for line in told}
    assert secrets_in(server.errors) == []
    assert secrets_in(json.dumps(told)) == []


def test_the_records_of_a_start_follow_the_greeting_and_do_not_cut_into_it(server):
    lines = server.output.splitlines()
    assert lines[0].startswith("Sekisho is starting")
    first = next(number for number, line in enumerate(lines) if line.startswith("{"))
    greeting = lines[:first]
    assert any("Make a user with it" in line for line in greeting)
    begun = [json.loads(line)["audit"] for line in lines[first:] if line.startswith("{")]
    assert begun[:2] == ["signing_key_created", "secret_key_created"]


def test_what_development_makes_up_is_for_its_owner_alone_sec_120(server):
    data = server.folder / "data"
    assert {path.name for path in data.iterdir()} >= {"encryption.key", "sekisho.sqlite"}
    assert mode(data) == 0o700
    assert {mode(path) for path in data.iterdir()} == {0o600}


def test_a_taken_port_ends_a_real_start_with_one_sentence(server):
    taken = {"SERVER_PUBLIC_ADDRESS": f"127.0.0.1:{server.public_port}"}
    second = servers.run(server.folder / "second", "serve", **taken)
    assert (second.returncode, second.stdout) == (1, "")
    assert second.stderr.count("\n") == 1
    assert str(server.public_port) in second.stderr
    assert server.is_ready()


def test_a_token_from_the_command_line_signs_in_at_the_running_server_sec_024(server, sekisho):
    user = ask(server.url, GRACE, server.secret_key)["data"]["createUser"]["user"]["id"]
    bare = sekisho("jwt", "create", user, **server.environment)
    told = sekisho("jwt", "create", user, "--json", **server.environment)
    assert (bare.status, bare.err, told.status, told.err) == (0, "", 0, "")
    query = "{ me { id } session { id expiresAt } }"
    first = ask(server.url, query, bare.out.strip())["data"]
    token = json.loads(told.out)
    second = ask(server.url, query, token["token"])["data"]
    assert first["me"] == second["me"] == {"id": user}
    assert token["session_id"] == second["session"]["id"] != first["session"]["id"]
    ends = datetime.fromisoformat(token["expires_at"])
    assert ends == datetime.fromisoformat(second["session"]["expiresAt"])
    assert (token["claims"]["sub"], token["claims"]["session_id"]) == (user, token["session_id"])


def test_a_key_of_the_command_line_counts_at_the_running_server_at_once_sec_014(server, sekisho):
    made = json.loads(sekisho("key", "create", "--json", **server.environment).out)
    assert "errors" not in ask(server.url, "{ secretKeys { id } }", made["secret"])
    assert sekisho("key", "revoke", made["id"], **server.environment).status == 0
    assert "errors" in ask(server.url, "{ secretKeys { id } }", made["secret"])


def test_isready_finds_both_listeners_of_the_running_server(server, sekisho):
    for which in ("public", "admin"):
        outcome = sekisho("isready", which, **server.environment)
        assert (outcome.status, outcome.out) == (0, "ready\n")


def test_a_second_start_shows_no_key_and_keeps_everything(start_server):
    first = start_server()
    made = ask(first.url, GRACE, first.secret_key)["data"]["createUser"]
    jwks = httpx.get(f"{first.url}/.well-known/jwks.json").json()
    first.stop()
    shown = first.output
    second = start_server()
    printed = second.output.removeprefix(shown)
    assert secrets_in(printed) == []
    assert "A secret key was shown at the first start" in printed
    found = ask(second.url, '{ user(by: {email: "grace@example.com"}) { id } }', first.secret_key)
    assert found["data"]["user"] == made["user"]
    assert httpx.get(f"{second.url}/.well-known/jwks.json").json() == jwks
    keys = ask(second.url, "{ secretKeys { name } }", first.secret_key)["data"]["secretKeys"]
    assert keys == [{"name": "first key"}]


def test_no_mailbox_is_named_where_an_smtp_server_takes_the_mail(start_server):
    server = start_server(EMAIL_DELIVERY_SMTP_HOST="localhost")
    assert "Admin listener" in server.output
    assert "Mailbox" not in server.output
    assert httpx.get(f"{server.admin_url}/mailbox").status_code == 404


def test_production_makes_nothing_up_and_shows_no_explorer_sec_012_120(start_server, sekisho):
    server = start_server(
        ENVIRONMENT="production",
        SECRET_KEYS="a-secret-of-this-test-alone",
        SERVER_PUBLIC_URL="https://id.example.com",
        SERVER_ALLOWED_HOSTS="127.0.0.1",
        EMAIL_DELIVERY_ENABLED="false",
    )
    assert secrets_in(server.output + server.errors) == []
    assert not (server.folder / "data" / "encryption.key").exists()
    assert f"  Admin listener         {server.admin_url}/graphql\n" in server.output
    refused = httpx.get(f"{server.admin_url}/graphql", headers={"host": "elsewhere.example"})
    assert refused.status_code == 400
    assert "server.allowed_hosts" in refused.json()["message"]
    for url in (server.url, server.admin_url):
        page = httpx.get(f"{url}/graphql", headers={"accept": "text/html"})
        assert page.status_code == 405
        assert httpx.get(f"{url}/schema").status_code == 404
        asked = ask(url, "{ __schema { queryType { name } } }")
        assert asked["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    assert sekisho("key", "list", **server.environment).out == "no secret keys\n"
    for which in ("public", "admin"):
        assert sekisho("isready", which, **server.environment).status == 0


@pytest.mark.parametrize(
    ("hosts", "said"),
    [
        ("", "http://localhost:8001/graphql, with the header Host: id.example.com"),
        ("admin.internal", "http://admin.internal:8001/graphql"),
        ("admin.internal:8443", "http://admin.internal:8443/graphql"),
        ("[fd00::1],localhost", "http://localhost:8001/graphql"),
        ("[fd00::1]", "http://[fd00::1]:8001/graphql"),
    ],
)
def test_the_greeting_of_production_names_what_the_admin_listener_accepts_sec_102(hosts, said):
    given = {
        "ENVIRONMENT": "production",
        "SECRET_KEYS": "a-secret-of-this-test-alone",
        "SERVER_PUBLIC_URL": "https://id.example.com",
        "SERVER_ALLOWED_HOSTS": hosts,
        "EMAIL_DELIVERY_ENABLED": "false",
    }
    config = load(Path("/dev/null"), given)
    assert f"  Admin listener         {said}\n" in f"{_greeting(config, ('admin',), [], None)}\n"
    (host,) = re.findall(r"Host: (.+)|http://(.+)/graphql$", said)
    assert Listener("admin", config).accepts_host("".join(host))


def test_the_greeting_follows_a_public_listener_that_was_moved():
    moved = load(Path("/dev/null"), {"SERVER_PUBLIC_ADDRESS": ":9000"})
    assert "http://localhost:9000/graphql" in _greeting(moved, ("public",), [], None)
    url = {"SERVER_PUBLIC_ADDRESS": ":9000", "SERVER_PUBLIC_URL": "http://localhost:7000"}
    named = _greeting(load(Path("/dev/null"), url), ("public",), [], None)
    assert "http://localhost:7000/graphql" in named


def test_what_is_odd_is_logged_at_the_start(start_server):
    server = start_server(MFA_TOTP_ENABLED="false", MFA_SECURITY_KEYS_ENABLED="false")
    told = [json.loads(line).get("message", "") for line in server.errors.splitlines()]
    assert any("neither mfa.totp nor mfa.security_keys" in line for line in told)


@pytest.mark.parametrize("which", ["public", "admin"])
def test_each_listener_can_be_served_alone_on_every_address(tmp_path, which):
    port, other = servers.free_port(), servers.free_port()
    places = (
        {"public": port, "admin": other} if which == "public" else {"public": other, "admin": port}
    )
    variables = {f"SERVER_{name.upper()}_ADDRESS": f":{at}" for name, at in places.items()}
    variables["SERVER_PUBLIC_URL"] = f"http://localhost:{places['public']}"
    server = servers.start(tmp_path / "server", which, **variables)
    try:
        until(lambda: health(port) == 200)
        assert health(other) is None
        if socket.has_dualstack_ipv6():
            assert httpx.get(f"http://[::1]:{port}/health/alive").status_code == 200
        named = set(re.findall(r"http://localhost:(\d+)", server.output))
        assert named == {str(port)}, "the greeting names what is not served"
    finally:
        server.stop()


def test_no_token_is_made_for_a_user_that_is_not_there(sekisho):
    sekisho("migrate", "up")
    refused = sekisho("jwt", "create", "0191d3a0-0000-7000-8000-000000000000")
    assert (refused.status, refused.out) == (1, "")
    assert refused.line == "sekisho: There is no such user."


# isready


@contextmanager
def answering(status: int) -> Iterator[int]:
    """Something on a port that gives every request this status, or no HTTP at all."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            if status:
                self.send_response(status)
                self.end_headers()
            else:
                self.wfile.write(b"220 mail.example.com ESMTP\r\n")

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_isready_is_content_with_a_server_that_is(sekisho):
    with answering(200) as port:
        outcome = sekisho("isready", "admin", SERVER_ADMIN_ADDRESS=f"127.0.0.1:{port}")
    assert (outcome.status, outcome.out) == (0, "ready\n")


@pytest.mark.parametrize(
    ("status", "says"), [(503, "is not ready"), (0, "does not answer on port")]
)
def test_isready_is_not_content_with_less(sekisho, status, says):
    with answering(status) as port:
        outcome = sekisho("isready", SERVER_PUBLIC_ADDRESS=f":{port}")
    assert (outcome.status, outcome.out) == (1, "")
    assert f"the public listener {says}" in outcome.line
    with answering(status) as port:
        outcome = sekisho("isready", "--json", SERVER_PUBLIC_ADDRESS=f":{port}")
    told = json.loads(outcome.out)
    assert (outcome.status, outcome.err, told.pop("listener")) == (1, "", "public")
    assert says in told.pop("reason")
    assert told == {"ready": False}


def test_isready_says_that_nobody_answers(sekisho):
    port = servers.free_port()
    outcome = sekisho("isready", "public", SERVER_PUBLIC_ADDRESS=f"127.0.0.1:{port}")
    assert outcome.status == 1
    assert outcome.line == f"sekisho: the public listener does not answer on port {port}"
