"""What may be configured of passwords."""

from pathlib import Path

import pytest

from app.config import ConfigurationRefused, load

URL = "PASSWORD_BREACH_CHECK_URL"
PRIVATE = "PASSWORD_BREACH_CHECK_ALLOW_PRIVATE_ADDRESSES"


def read(**variables: str):
    return load(Path("/dev/null"), variables).password


def test_the_defaults_are_those_that_are_promised_sec_034_035():
    settings = read()
    assert (settings.enabled, settings.optional, settings.recovery) == (True, False, True)
    assert (settings.acquire_on_registration, settings.acquire_on_login) == ("always", "never")
    assert settings.min_length == 8
    cost = settings.argon2
    assert (cost.memory, cost.iterations, cost.parallelism) == (19, 2, 1)
    assert (settings.breach_check.url, settings.breach_check.file) == ("", "")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PASSWORD_MIN_LENGTH", "0"),
        ("PASSWORD_MIN_LENGTH", "73"),
        ("PASSWORD_ARGON2_MEMORY", "18"),
        ("PASSWORD_ARGON2_ITERATIONS", "1"),
        ("PASSWORD_ARGON2_PARALLELISM", "0"),
        ("PASSWORD_HASHING_THREADS", "-1"),
        ("PASSWORD_HASHING_QUEUE", "-1"),
        ("PASSWORD_ACQUIRE_ON_LOGIN", "sometimes"),
        ("PASSWORD_BREACH_CHECK_TIMEOUT", "0"),
        ("PASSWORD_BREACH_CHECK_TIMEOUT", "-1s"),
        (URL, "api.example.com/range"),
        (URL, "ftp://api.example.com/range"),
        (URL, "https://user:secret@api.example.com/range"),
        (URL, "http://api.example.com/range"),
    ],
)
def test_what_cannot_be_meant_stops_the_start_sec_034_035(name, value):
    with pytest.raises(ConfigurationRefused):
        read(**{name: value})


def test_an_api_within_the_network_must_be_meant():
    url = "http://10.0.0.7/range"
    assert read(**{URL: url, PRIVATE: "true"}).breach_check.url == url
    assert read(**{URL: "https://api.example.com/range"}).breach_check.url
