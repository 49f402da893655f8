"""The relying party: what a browser would never match, or a challenge could outlive, is refused."""

from pathlib import Path

import pytest

from app.config import ConfigurationRefused, load


def refusal(**variables: str) -> str:
    with pytest.raises(ConfigurationRefused) as refused:
        load(Path("/dev/null"), variables)
    return str(refused.value)


@pytest.mark.parametrize(
    "origin",
    [
        "https://app.example.com",
        "https://example.com:8443",
        "http://localhost",
        "http://localhost:8888",
        "http://app.localhost:3000",
        "android:apk-key-hash:" + "Ab_-" * 10 + "abc",
    ],
)
def test_an_origin_that_browsers_send_is_accepted(origin):
    config = load(Path("/dev/null"), {"WEBAUTHN_RELYING_PARTY_ORIGINS": origin})
    assert config.webauthn.relying_party.origins == [origin]


@pytest.mark.parametrize(
    "origin",
    [
        "http://example.com",
        "https://example.com/",
        "https://example.com/path",
        "https://*.example.com",
        "*",
        "https://EXAMPLE.com",
        "https://user@example.com",
        "example.com",
        "https://",
        "http://localhost.evil.example",
        "http://notlocalhost",
        "android:apk-key-hash:short",
        "android:apk-key-hash:" + "=" * 43,
        "https://example.com\n",
    ],
)
def test_an_origin_that_no_ceremony_can_have_is_refused_sec_046(origin):
    words = refusal(WEBAUTHN_RELYING_PARTY_ORIGINS=origin)
    assert words.startswith("webauthn.relying_party.origins: ")


@pytest.mark.parametrize(
    "name", ["https://example.com", "example.com:443", "Example.com", "a..b", "-a", "é"]
)
def test_a_relying_party_is_a_domain(name):
    assert refusal(WEBAUTHN_RELYING_PARTY_ID=name).startswith("webauthn.relying_party.id ")


@pytest.mark.parametrize("which", ["REGISTRATION", "LOGIN"])
@pytest.mark.parametrize("milliseconds", ["600001", "-1", "ten"])
def test_no_challenge_outlives_ten_minutes_sec_044(which, milliseconds):
    assert refusal(**{f"WEBAUTHN_TIMEOUTS_{which}": milliseconds})


def test_what_is_not_given_is_as_published():
    config = load(Path("/dev/null"), {})
    assert (config.passkey.limit, config.mfa.security_keys.limit) == (10, 10)
    assert config.passkey.user_verification == "preferred"
    assert config.mfa.security_keys.user_verification == "discouraged"
    assert config.webauthn.timeouts.login == config.webauthn.timeouts.registration == 600_000


@pytest.mark.parametrize("variable", ["MFA_SECURITYKEYS_LIMIT", "MFA_SECURITY_KEYS_LIMIT"])
def test_both_spellings_of_a_variable_are_heard(variable):
    assert load(Path("/dev/null"), {variable: "3"}).mfa.security_keys.limit == 3


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PASSKEY_USER_VERIFICATION", "sometimes"),
        ("PASSKEY_ATTESTATION_PREFERENCE", "enterprise"),
        ("PASSKEY_LIMIT", "-1"),
        ("MFA_SECURITYKEYS_AUTHENTICATOR_ATTACHMENT", "usb"),
    ],
)
def test_a_word_that_is_not_known_is_refused(variable, value):
    assert refusal(**{variable: value})
