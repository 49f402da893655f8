"""Signing keys change under two real servers on one database, and nobody notices."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import httpx
import jwt
import pytest
from processes import servers
from processes.servers import ask, until

AHEAD = 3
SOON = 5.0
"""Seconds in which a server must know of a change: one, and what a busy machine takes."""

ME = "{ me { id } }"
CREATE_USER = """mutation { createUser(input: {emails: [{address: "ada@example.com"}]}) {
  user { id } userErrors { code } } }"""
CREATE_SESSION = """mutation ($user: ID!) {
  createUserSession(userId: $user) { token userErrors { code } } }"""
ROTATE = """mutation { rotateSigningKey {
  signingKey { kid state activatesAt } userErrors { code } } }"""


@pytest.fixture
def pair(tmp_path, new_database):
    """Two servers on a database that is theirs alone, with new keys published shortly ahead."""
    shared = {
        "DATA_DIR": str(tmp_path / "data"),
        "SECRETS_KEY_MANAGEMENT_PUBLISH_AHEAD": f"{AHEAD}s",
        "SESSION_LIMIT": "100000",
        **new_database,
    }
    started = [servers.start(tmp_path / name, **shared) for name in ("one", "other")]
    try:
        for server in started:
            server.wait_until_ready()
        yield sorted(started, key=lambda server: "sk_" not in server.output)
    finally:
        for server in started:
            server.stop()


@pytest.fixture
def key(pair):
    return pair[0].secret_key


@pytest.fixture
def user(pair, key):
    return ask(pair[0].url, CREATE_USER, key)["data"]["createUser"]["user"]["id"]


@pytest.fixture
def sign_in(key, user):
    """Begins a session of the user at a server and gives its token."""

    def begin(server):
        return ask(server.url, CREATE_SESSION, key, user=user)["data"]["createUserSession"]["token"]

    return begin


def jwks(server):
    return httpx.get(f"{server.url}/.well-known/jwks.json").json()["keys"]


def kids(server):
    return [one["kid"] for one in jwks(server)]


def kid_of(token):
    return jwt.get_unverified_header(token)["kid"]


def user_of(server, token):
    """The user that a server takes the bearer of a token for, or what is wrong with it."""
    answer = ask(server.url, ME, token)
    return answer["data"]["me"] and answer["data"]["me"]["id"], answer.get("extensions", {}).get(
        "session"
    )


def operate(pair, *words):
    """Run a command beside the servers, as their operator would."""
    done = servers.run(pair[0].folder, "jwk", *words, **pair[0].environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def rotated(pair, key):
    """Rotate at the first server; give the new key's id and when it signs."""
    payload = ask(pair[0].url, ROTATE, key)["data"]["rotateSigningKey"]
    assert payload["userErrors"] == []
    following = payload["signingKey"]
    assert following["state"] == "NEXT"
    return following["kid"], datetime.fromisoformat(following["activatesAt"])


def test_both_publish_the_next_key_before_it_signs_and_then_sign_with_it_sec_033(
    pair, key, user, sign_in
):
    """SEC-020, SEC-033"""
    (old,) = kids(pair[0])
    earlier = sign_in(pair[1])
    new, begins = rotated(pair, key)
    for server in pair:
        until(lambda server=server: kids(server) == [new, old], SOON)
        while True:
            token = sign_in(server)
            if datetime.now(UTC) >= begins:
                break
            assert kid_of(token) == old  # it does not sign a moment too early
            assert user_of(server, token) == (user, None)
    for server in pair:
        assert datetime.now(UTC) >= begins
        token = sign_in(server)
        assert kid_of(token) == new
        for other in pair:
            assert user_of(other, token) == (user, None)
            assert user_of(other, earlier) == (user, None)
            public = next(one for one in jwks(other) if one["kid"] == new)
            assert jwt.decode(token, jwt.PyJWK(public), ["ES256"], audience="localhost")


def test_a_key_retired_by_the_operator_is_refused_by_every_server_soon_and_without_a_restart(
    pair, key, user, sign_in
):
    """SEC-033"""
    (old,) = kids(pair[0])
    earlier = sign_in(pair[0])
    new = operate(pair, "rotate", "--now").split()[0]
    for server in pair:
        until(lambda server=server: kid_of(sign_in(server)) == new, SOON)
        assert user_of(server, earlier) == (user, None)
    later = sign_in(pair[1])
    operate(pair, "retire", old)
    for server in pair:
        until(lambda server=server: user_of(server, earlier) == (None, "invalid"), SOON)
        until(lambda server=server: kids(server) == [new], SOON)
        assert user_of(server, later) == (user, None)
    assert [server.process.poll() for server in pair] == [None, None]


def test_two_rotations_at_once_make_one_next_key_sec_135(pair, key):
    """SEC-033, SEC-135"""
    with ThreadPoolExecutor(6) as threads:
        bodies = list(threads.map(lambda server: ask(server.url, ROTATE, key), pair * 3))
    payloads = [body["data"]["rotateSigningKey"] for body in bodies]
    made = {one["signingKey"]["kid"] for one in payloads if one["signingKey"]}
    assert len(made) == 1
    refused = [one["userErrors"] for one in payloads if not one["signingKey"]]
    assert refused == [[{"code": "SIGNING_KEY_PENDING"}]] * 5
    for server in pair:
        until(lambda server=server: len(kids(server)) == 2, SOON)


def test_another_algorithm_takes_over_without_a_gap_sec_019(pair, key, user, sign_in):
    """SEC-019, SEC-033"""
    earlier = sign_in(pair[0])
    environment = pair[0].environment | {"SECRETS_KEY_MANAGEMENT_ALGORITHM": "EdDSA"}
    done = servers.run(pair[0].folder, "jwk", "rotate", "--now", **environment)
    assert done.returncode == 0, done.stderr
    for server in pair:
        until(
            lambda server=server: jwt.get_unverified_header(sign_in(server))["alg"] == "EdDSA",
            SOON,
        )
        assert user_of(server, earlier) == (user, None)
    later = sign_in(pair[0])
    for server in pair:
        assert user_of(server, later) == (user, None)
        assert [one["alg"] for one in jwks(server)] == ["EdDSA", "ES256"]
