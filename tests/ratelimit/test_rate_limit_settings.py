"""Settings of limits and second factors that cannot be meant."""

from pathlib import Path

import pytest

from app.config import ConfigurationRefused, load


def refusal(**variables: str) -> str:
    with pytest.raises(ConfigurationRefused) as refused:
        load(Path("/dev/null"), variables)
    return str(refused.value)


@pytest.mark.parametrize(
    "address",
    [
        "redis",
        "redis:6379",
        "redis:6379/2",
        "127.0.0.1",
        "[::1]:6379",
        "redis://redis:6379/2",
        "rediss://someone@redis.example.com",
    ],
)
def test_an_address_of_redis(address):
    config = load(
        Path("/dev/null"), {"RATE_LIMITER_STORE": "redis", "RATE_LIMITER_REDIS_ADDRESS": address}
    )
    assert config.rate_limiter.redis_config.url.endswith(address.removeprefix("redis://"))


@pytest.mark.parametrize(
    "address",
    [
        "redis:port",
        "redis:99999",
        "redis:6379/database",
        "redis:6379/1/2",
        "http://redis",
        "unix:///run/redis",
        "redis://:secret@redis",
        "redis://redis?db=2",
        "redis://",
        "[::1",
    ],
)
def test_what_is_no_address_of_redis_is_refused_without_repeating_it(address):
    words = refusal(RATE_LIMITER_REDIS_ADDRESS=address)
    assert words.startswith("rate_limiter.redis_config.address must be host")
    assert "secret" not in words


def test_redis_needs_an_address():
    assert "needs rate_limiter.redis_config.address" in refusal(RATE_LIMITER_STORE="redis")


@pytest.mark.parametrize("which", ["PASSCODE", "PASSWORD", "OTP", "TOKEN", "NETWORK"])
def test_a_limit_allows_something_within_some_time(which):
    name = f"RATE_LIMITER_{which}_LIMITS"
    for interval in ("-1m", "25h", "500ms"):
        assert ".interval must be between 1s and 24h" in refusal(**{f"{name}_INTERVAL": interval})
    for tokens in ("-1", "1001", "many"):
        assert "tokens" in refusal(**{f"{name}_TOKENS": tokens}).lower()


def test_a_passcode_lives_ten_minutes_at_most_sec_039():
    assert "passcode_ttl" in refusal(EMAIL_PASSCODETTL="601")
    assert "passcode_ttl" in refusal(EMAIL_PASSCODETTL="0")
    assert load(Path("/dev/null"), {"EMAIL_PASSCODETTL": "600"}).email.passcode_ttl == 600
    assert load(Path("/dev/null"), {}).email.passcode_ttl == 300


def test_a_passcode_is_of_digits_or_of_digits_and_letters():
    assert "passcode_charset" in refusal(EMAIL_PASSCODECHARSET="words")


def test_the_cookie_of_trusted_devices_has_a_name_of_its_own():
    name = "MFA_DEVICETRUSTCOOKIENAME"
    assert "character" in refusal(**{name: "a b"})
    assert "another cookie" in refusal(**{name: "hanko"})
    assert "another cookie" in refusal(**{name: "hanko-refresh"})
    assert "another cookie" in refusal(**{name: "mine", "SESSION_COOKIE_NAME": "mine"})
    assert "device_trust_cookie_name" in refusal(**{name: ""})


def test_trust_lasts_for_some_time_and_for_no_more_users_than_a_cookie_holds():
    assert "device_trust_duration" in refusal(MFA_DEVICETRUSTDURATION="0")
    assert "max_users_per_device" in refusal(MFA_DEVICETRUSTMAXUSERSPERDEVICE="31")
    assert "device_trust_policy" in refusal(MFA_DEVICE_TRUST_POLICY="sometimes")
