"""Events of real servers: told after a commit, and told although a server is killed before that."""

import base64
import json
import signal
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
import pytest
from processes.servers import ask, until

CREATE = 'mutation { createUser(input: {username: "ada"}) { user { id } } }'
SECRET = "whsec_" + base64.b64encode(b"x" * 24).decode()


class There:
    """A receiver in a thread; it refuses until it is told not to."""

    def __init__(self) -> None:
        self.status = 503
        self.bodies: list[dict[str, str]] = []
        self.ids: list[str] = []
        there = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                there.bodies.append(json.loads(body))
                there.ids.append(self.headers["webhook-id"])
                self.send_response(there.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hooks"


@pytest.fixture
def there() -> Iterator[There]:
    made = There()
    thread = threading.Thread(target=made.server.serve_forever, args=[0.02])
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


def outcomes(server, key, hook_id):
    """What the log says of the last attempts."""
    query = "query ($id: ID!) { webhookDeliveries(webhookId: $id) { nodes { outcome } } }"
    log = ask(server.url, query, key, id=hook_id)["data"]["webhookDeliveries"]
    return [one["outcome"] for one in log["nodes"]]


def test_an_event_outlives_the_server_that_it_happened_on(start_server, new_database, there):
    """SEC-133, SEC-111"""
    hook = {"callback": there.url, "events": ["user"], "secrets": [SECRET]}
    given = {"WEBHOOKS_ENABLED": "true", "WEBHOOKS_HOOKS": json.dumps(hook), **new_database}
    first = start_server("first", **given)
    key = first.secret_key
    user = ask(first.url, CREATE, key)["data"]["createUser"]["user"]["id"]
    (hook,) = ask(first.url, "{ webhooks { id } }", key)["data"]["webhooks"]
    until(lambda: outcomes(first, key, hook["id"]) == ["REFUSED"])
    first.send(signal.SIGKILL)
    first.wait()
    refused = len(there.bodies)
    there.status = 200
    secrets = {"DATA_DIR": first.environment["DATA_DIR"]}
    second = start_server("second", **{**given, **secrets})
    until(lambda: len(there.bodies) > refused)
    assert len(set(there.ids)) == 1
    body = there.bodies[-1]
    assert body["event"] == "user.create"
    keys = jwt.PyJWKClient(f"{second.url}/.well-known/jwks.json")
    claims = jwt.decode(
        body["token"],
        keys.get_signing_key_from_jwt(body["token"]).key,
        algorithms=["ES256", "RS256", "EdDSA"],
        audience=there.url,
        leeway=30,
    )
    assert (claims["evt"], claims["data"]["id"], claims["jti"]) == (
        "user.create",
        user,
        there.ids[-1],
    )
