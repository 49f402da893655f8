"""The programs of docs/webhooks.md, cut out of the page and run."""

import base64
import hashlib
import hmac
import http.server
import json
import re
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import jwt
import pytest
from docs.test_verifying_tokens import node
from webhooks.conftest import Receiver, body_of, happen, receiver, told

from app.access import SYSTEM
from app.config.webhook_sections import SUBSCRIBABLE
from app.keys import pairs
from app.webhooks import EVENTS

__all__ = ["receiver"]

PAGE = Path(__file__).parents[2] / "docs" / "webhooks.md"
FILES = {"python": "receive.py", "js": "receive.mjs"}
SECRET, OTHER = ("whsec_" + base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))
CALLBACK, EVENT = "https://backend.example.com/hooks", "0192f0c4-7a4e-7c1b-9f0e-3b5d2a1c4e6f"
PAIRS = {
    algorithm: pairs.generate(f"key-{algorithm}", algorithm) for algorithm in ("ES256", "RS256")
}
STRANGER = pairs.generate("stranger", "ES256")
TOLD = f"user.login {EVENT}"


@pytest.fixture(params=FILES)
def command(request, tmp_path):
    """The program of a language as it stands on the page."""
    (block,) = re.findall(
        rf"^```{request.param}\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL
    )
    file = tmp_path / FILES[request.param]
    file.write_text(block)
    return [sys.executable if request.param == "python" else node(), str(file)]


@pytest.fixture
def keys():
    """Serves keys on loopback, and gives their URL; they can be others than ours."""
    served = {"keys": [pairs.public_jwk(pair) for pair in PAIRS.values()]}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = json.dumps(served).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=[0.02])
    thread.start()
    yield served, f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()
    thread.join()


def said(command, url, requests, callback=CALLBACK, secret=SECRET):
    done = subprocess.run(
        [*command, url, callback, secret],
        input="".join(f"{json.dumps(one)}\n" for one in requests),
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def token(algorithm="ES256", pair=None, header=(), **other):
    now = int(time.time())
    claims = {"sub": "hanko webhooks", "iat": now, "exp": now + 300, "aud": [CALLBACK]}
    claims |= {"jti": EVENT, "evt": "user.login", "data": {"name": "Käse"}, **other}
    kept = {name: value for name, value in claims.items() if value is not None}
    pair = pair or PAIRS[algorithm]
    head = {"kid": PAIRS[algorithm].kid, "typ": "webhook+jwt", **dict(header)}
    return jwt.encode(kept, pair.private, pair.algorithm, headers=head)


def request(text=None, *, secret=SECRET, at=None, body=None, **headers):
    sent = body or json.dumps({"token": text or token(), "event": "user.login"})
    at = str(int(time.time()) if at is None else at)
    return {"headers": {**signed(sent, secret, at), **headers}, "body": sent}


def signed(body, secret, at):
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{EVENT}.{at}.{body}".encode(), hashlib.sha256).digest()
    signature = f"v1,{base64.b64encode(digest).decode()}"
    return {"webhook-id": EVENT, "webhook-timestamp": at, "webhook-signature": signature}


def good():
    mine, others = request(), request(secret=OTHER)
    both = f"{others['headers']['webhook-signature']} {mine['headers']['webhook-signature']}"
    return {
        "as it comes": mine,
        "by another algorithm": request(token("RS256")),
        "signed by two secrets": mine | {"headers": mine["headers"] | {"webhook-signature": both}},
        "a little late": request(at=int(time.time()) - 60),
    }


def bad():
    now = int(time.time())
    fine = request()
    head, payload, tail = token().split(".")
    unsigned = base64.urlsafe_b64encode(b'{"alg":"none","typ":"webhook+jwt"}').decode().rstrip("=")
    return {
        "too old": request(at=now - 600),
        "of the future": request(at=now + 600),
        "at no time": request(at="soon"),
        "by another secret": request(secret=OTHER),
        "with another body": fine | {"body": fine["body"] + " "},
        "with another id": fine | {"headers": fine["headers"] | {"webhook-id": "x"}},
        "without a signature": fine | {"headers": {}},
        "with a signature that is none": request(**{"webhook-signature": "v1, v1"}),
        "a session": request(token(header={"typ": "JWT"})),
        "of no kind": request(token(header={"typ": None})),
        "for somebody else": request(token(aud=["https://evil.example/hooks"])),
        "for nobody": request(token(aud=None)),
        "expired": request(token(exp=now - 600)),
        "without an end": request(token(exp=None)),
        "without an id": request(token(jti=None)),
        "of no event": request(token(evt=None)),
        "by a stranger": request(token(pair=STRANGER)),
        "by an unknown key": request(token(pair=STRANGER, header={"kid": "stranger"})),
        "unsigned": request(f"{unsigned}.{payload}."),
        "with another signature": request(f"{head}.{payload}.{tail[::-1]}"),
        "no token": request("x"),
        "no object": request(body="[]"),
        "no JSON": request(body="x"),
    }


def test_events_are_told_and_all_else_is_refused_sec_111(command, keys):
    cases = good() | bad()
    lines = said(command, keys[1], cases.values())
    verdicts = dict(zip(cases, lines, strict=True))
    assert verdicts == dict.fromkeys(good(), TOLD) | dict.fromkeys(bad(), "refused")


@pytest.mark.one_database
async def test_what_the_product_sends_is_told(services, receiver: Receiver, keys, command):
    """SEC-111: by the old secret as by the new one, while both sign."""
    hook, old = await services.webhooks.create(SYSTEM, receiver.url, ("user",))
    _, new = await services.webhooks.rotate_secret(SYSTEM, hook.id, timedelta(hours=1))
    await happen(services, "user.login", name="Käse")
    await told(services)
    keys[0]["keys"] = services.signing_keys.jwks()["keys"]
    (asked,) = receiver.asked
    sent = {"headers": asked.headers, "body": body_of(asked).decode()}
    for secret, line in (
        (old, f"user.login {asked.headers['webhook-id']}"),
        (new, f"user.login {asked.headers['webhook-id']}"),
        (OTHER, "refused"),
    ):
        assert said(command, keys[1], [sent], receiver.url, secret) == [line]


def test_the_page_tells_of_every_event_and_no_other():
    table = re.search(r"^## Events$(.*?)^## ", PAGE.read_text(), re.MULTILINE | re.DOTALL)[1]
    listed = {name for name in re.findall(r"`([a-z]+(?:\.[a-z]+)+)`", table) if "." in name}
    named = {name for name in listed if name.startswith(("user.", "session.", "email."))}
    assert set(EVENTS) <= named
    assert named - {"session.limit"} <= SUBSCRIBABLE
