"""`sekisho siwa`: the client secret that Apple takes."""

import json
from datetime import UTC, datetime
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

NAMED = ("-t", "TEAM123456", "-s", "com.example.web", "-k", "KEY1234567")


def pem(key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


@pytest.fixture
def key(sekisho):
    """A private key as Apple hands it out, in the folder where commands run."""
    made = ec.generate_private_key(ec.SECP256R1())
    Path("AuthKey.p8").write_bytes(pem(made))
    return made


def test_it_is_a_token_of_the_team_for_apple_for_180_days(sekisho, key):
    told = sekisho("siwa", "-p", "AuthKey.p8", *NAMED)
    assert (told.status, told.err) == (0, "")
    secret = told.out.strip()
    claims = jwt.decode(secret, key.public_key(), ["ES256"], audience="https://appleid.apple.com")
    assert jwt.get_unverified_header(secret) == {
        "alg": "ES256",
        "kid": "KEY1234567",
        "typ": "JWT",
    }
    assert (claims["iss"], claims["sub"]) == ("TEAM123456", "com.example.web")
    assert claims["exp"] - claims["iat"] == 180 * 86_400


def test_a_program_learns_when_it_ends(sekisho, key):
    words = ("--private_key", "AuthKey.p8", "--team_id", "T", "--services_id", "s", "--key_id", "K")
    told = json.loads(sekisho("siwa", *words, "--json").out)
    ends = datetime.fromisoformat(told["expires_at"])
    assert 179 <= (ends - datetime.now(UTC)).days <= 180
    assert jwt.get_unverified_header(told["secret"])["kid"] == "K"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no key",
        pem(rsa.generate_private_key(65537, 2048)),
        pem(ec.generate_private_key(ec.SECP384R1())),
    ],
    ids=["empty", "text", "RSA", "another curve"],
)
def test_what_is_no_such_key_is_refused_and_not_repeated(sekisho, content):
    Path("AuthKey.p8").write_bytes(content)
    refused = sekisho("siwa", "-p", "AuthKey.p8", *NAMED)
    assert (refused.status, refused.out) == (1, "")
    assert refused.line == "sekisho: the private key is no PKCS#8 key of the curve P-256"


def test_each_part_is_needed(sekisho, key):
    assert sekisho("siwa", "-p", "AuthKey.p8", *NAMED[:-2]).status == 2
    assert sekisho("siwa", *NAMED).status == 2
    assert sekisho("siwa", "-p", "none.p8", *NAMED).status == 2
