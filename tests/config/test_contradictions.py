"""What cannot be meant, and what must not go into production."""

# ruff: noqa: RUF001  # letters that only look alike are the matter here

from pathlib import Path

import pytest

from app.config import ConfigurationRefused, load
from app.config.check import EXAMPLE_SECRETS

OWN = "a-random-text-of-my-own-0001"
PRODUCTION = {
    "ENVIRONMENT": "production",
    "SECRET_KEYS": OWN,
    "SERVER_PUBLIC_URL": "https://id.example.com",
    "EMAIL_DELIVERY_SMTP_HOST": "mail.example.com",
}


def refusal(**variables: str) -> str:
    with pytest.raises(ConfigurationRefused) as refused:
        load(Path("/dev/null"), variables)
    return str(refused.value)


def accepted(**variables: str) -> None:
    load(Path("/dev/null"), variables)


@pytest.mark.parametrize(
    "address", ["", "8000", "localhost", ":", ":x", ":65536", ":-1", ":８０００", "a:8000x", ":80 "]
)
@pytest.mark.parametrize("listener", ["PUBLIC", "ADMIN"])
def test_an_address_without_a_port_is_refused(listener, address):
    words = refusal(**{f"SERVER_{listener}_ADDRESS": address})
    assert words.startswith(f"server.{listener.lower()}.address: ")


@pytest.mark.parametrize("address", [":8000", ":0", "127.0.0.1:1", "[::1]:65535", "host.name:80"])
def test_an_address_with_a_port_is_accepted(address):
    accepted(SERVER_PUBLIC_ADDRESS=address, SERVER_ADMIN_ADDRESS=address)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "id.example.com",
        "/path",
        "//id.example.com",
        "ftp://id.example.com",
        "javascript:alert(1)",
        "https://",
        "https:///path",
        "https://me@id.example.com",
        "https://me:word@id.example.com",
        "http://[::1",
        "http://id.example.com:port",
        "http://id.example.com:99999",
        "https://id.example.com/#fragment",
        "https://id.example.com/a b",
        "https://id.example.com/\x1b",
    ],
)
def test_a_public_url_is_absolute_and_of_the_web(url):
    assert refusal(SERVER_PUBLIC_URL=url).startswith("server.public.url must be")


@pytest.mark.parametrize(
    "url", ["http://localhost:8000", "https://id.example.com", "https://[::1]:8443/base"]
)
def test_a_url_of_the_web_is_accepted(url):
    accepted(SERVER_PUBLIC_URL=url)


@pytest.mark.parametrize(
    "url",
    [
        "mysql://me:SECRETWORD@host/database",
        "me:SECRETWORD@host/database",
        "SECRETWORD",
        "//me:SECRETWORD@host/database",
        "postgres://me:SECRETWORD@[::1/database",
        "postgres://me:SECRETWORD@host:port/database",
        "postgres://me:SECRETWORD@host:99999/database",
    ],
)
def test_a_database_is_one_that_is_known_and_its_word_is_not_repeated(url):
    """SEC-116"""
    words = refusal(DATABASE_URL=url)
    assert words.startswith("database.url must begin with")
    assert "SECRETWORD" not in words


@pytest.mark.parametrize(
    "url", ["postgres://me:word@host:5432/database", "sqlite:///data/file", "sqlite:////data/file"]
)
def test_a_database_that_is_known_is_accepted(url):
    accepted(DATABASE_URL=url)


@pytest.mark.parametrize("port", ["", "five", "54 32", "-1"])
def test_the_port_of_a_database_is_a_number(port):
    assert refusal(DATABASE_DIALECT="postgres", DATABASE_PORT=port) == (
        "database.port must be a number"
    )
    accepted(DATABASE_DIALECT="sqlite", DATABASE_PORT=port)


@pytest.mark.parametrize("entry", ["", "x", "10.0.0.0/33", "10.0.0.1/8", "::1/129", "10.0.0"])
def test_a_proxy_is_a_range_of_addresses(entry):
    """SEC-070"""
    words = refusal(SERVER_IP_TRUSTED_PROXIES=f"127.0.0.1,{entry}")
    assert words == f"server.ip.trusted_proxies: '{entry}' is no CIDR range"


@pytest.mark.parametrize("extractor", ["x_forwarded_for", "x_real_ip"])
def test_a_header_is_believed_of_named_proxies_only(extractor):
    """SEC-070"""
    words = refusal(SERVER_IP_EXTRACTOR=extractor)
    assert words == f"server.ip.extractor: {extractor} needs server.ip.trusted_proxies"
    accepted(SERVER_IP_EXTRACTOR=extractor, SERVER_IP_TRUSTED_PROXIES="10.0.0.0/8,fd00::/8,::1")


@pytest.mark.parametrize("name", ["SECRET_KEYS", "SECRETS_KEYS"])
@pytest.mark.parametrize("secrets", ["x", "x" * 15, f"{'y' * 16},{'x' * 15}", ","])
def test_a_secret_has_sixteen_characters(name, secrets):
    """SEC-120"""
    assert refusal(**{name: secrets}) == "secret_keys: each secret needs at least 16 characters"
    accepted(**{name: "x" * 16})


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"SAME_SITE": "none", "SECURE": "false"}, "same_site none needs secure true"),
        ({"NAME": "__Host-id", "SECURE": "false"}, "__Host- needs secure true"),
        ({"NAME": "__Host-id", "DOMAIN": "example.com"}, "__Host- needs secure true and no domain"),
        ({"NAME": "__Secure-id", "SECURE": "false"}, "__Secure- needs secure true"),
        *(({"NAME": name}, "cannot have") for name in ("a b", "a;b", "a=b", "a,b", "é", "a\nb")),
    ],
)
def test_a_cookie_that_no_browser_keeps_is_refused(variables, words):
    """SEC-030"""
    named = {f"SESSION_COOKIE_{name}": value for name, value in variables.items()}
    assert words in refusal(**named)


@pytest.mark.parametrize(
    "variables",
    [
        {"SAME_SITE": "none"},
        {"NAME": "__Host-id"},
        {"NAME": "__Secure-id", "DOMAIN": "example.com"},
        {"NAME": "", "SECURE": "false", "SAME_SITE": "lax"},
    ],
)
def test_a_cookie_that_browsers_keep_is_accepted(variables):
    """SEC-030"""
    accepted(**{f"SESSION_COOKIE_{name}": value for name, value in variables.items()})


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "app.example.com",
        "https://app.example.com/",
        "https://app.example.com/path",
        "https://me@app.example.com",
        "ftp://app.example.com",
        "https://*",
        "https://a.*.example.com",
        "https://*example.com",
        "https://app.example.com:port",
        "https://app.example.com ",
        "https://.*",
        "file://",
    ],
)
def test_an_origin_is_a_literal_or_one_wild_label(origin):
    """SEC-101"""
    assert "is no origin" in refusal(CORS_ALLOW_ORIGINS=f"https://ok.example.com,{origin}")


@pytest.mark.parametrize(
    "origin", ["https://a.example.com", "http://localhost:3000", "https://*.example.com:8443"]
)
def test_an_origin_is_accepted(origin):
    """SEC-101"""
    accepted(CORS_ALLOW_ORIGINS=origin)


def test_every_origin_at_once_needs_a_word_of_its_own():
    """SEC-101"""
    assert "unsafe_wildcard_origin_allowed" in refusal(CORS_ALLOW_ORIGINS="*")
    accepted(CORS_ALLOW_ORIGINS="*", CORS_UNSAFE_WILDCARD_ORIGIN_ALLOWED="true")


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"SESSION_LIFESPAN": "0"}, "session.lifespan must be at least 1s"),
        ({"SESSION_LIFESPAN": "999ms"}, "session.lifespan must be at least 1s"),
        ({"SESSION_LIFESPAN": "-1h"}, "session.lifespan must be at least 1s"),
        ({"SESSION_IDLE_TIMEOUT": "-1s"}, "session.idle_timeout must not be negative"),
        (
            {"AUDIT_LOG_RETENTION": "-1h"},
            "audit_log.retention must not be negative; 0 keeps records for good",
        ),
        (
            {"USERNAME_MIN_LENGTH": "10", "USERNAME_MAX_LENGTH": "9"},
            "username.min_length is above username.max_length",
        ),
    ],
)
def test_spans_that_hold_nothing_are_refused(variables, words):
    assert refusal(**variables) == words


class TestProduction:
    def test_with_its_own_secret_and_url_it_starts(self):
        accepted(**PRODUCTION)

    @pytest.mark.parametrize("secrets", ["", None])
    def test_without_a_secret_it_does_not_start(self, secrets):
        """SEC-120"""
        variables = PRODUCTION | {"SECRET_KEYS": secrets}
        words = refusal(**{name: value for name, value in variables.items() if value is not None})
        assert words.startswith("production needs secret_keys")

    @pytest.mark.parametrize("example", sorted(EXAMPLE_SECRETS))
    def test_a_secret_out_of_a_document_is_refused_wherever_it_stands(self, example):
        """SEC-120"""
        for variables in (
            {"SECRET_KEYS": example},
            {"SECRET_KEYS": f"{OWN},{example}"},
            {"SECRET_KEYS": "", "SECRETS_KEYS": example},
        ):
            words = refusal(**PRODUCTION | variables)
            assert words == "secret_keys holds a value from a document; make one of your own"
            assert example not in words

    def test_without_the_url_of_the_world_it_does_not_start(self):
        variables = {name: PRODUCTION[name] for name in ("ENVIRONMENT", "SECRET_KEYS")}
        assert refusal(**variables).startswith("production needs server.public.url")
        for local in ("http://localhost", "https://LOCALHOST:8443"):
            words = refusal(**PRODUCTION | {"SERVER_PUBLIC_URL": local})
            assert words.startswith("production needs server.public.url")

    def test_its_cookie_is_secure(self):
        """SEC-030"""
        words = refusal(**PRODUCTION, SESSION_COOKIE_SECURE="false")
        assert words == "production needs session.cookie.secure: true"

    def test_development_starts_without_any_of_it(self):
        accepted()
        accepted(SESSION_COOKIE_SECURE="false", SECRET_KEYS=next(iter(EXAMPLE_SECRETS)))


class TestTokens:
    @pytest.mark.parametrize("span", ["59s", "12h", "13h", "-1m"])
    def test_a_token_that_is_refreshed_lives_a_minute_and_less_than_its_session(self, span):
        words = refusal(SESSION_ACCESS_TOKEN_LIFESPAN=span)
        assert words.startswith("session.access_token_lifespan ")

    @pytest.mark.parametrize("span", ["0", "1m", "11h59m"])
    def test_a_shorter_life_is_accepted(self, span):
        accepted(SESSION_ACCESS_TOKEN_LIFESPAN=span)

    @pytest.mark.parametrize(
        "given",
        [{}, {"KEYID": "alias/x"}, {"REGION": "eu-central-1"}],
        ids=["none", "id", "region"],
    )
    def test_a_kms_needs_a_key_and_a_region(self, given):
        variables = {f"SECRETS_KEYMANAGEMENT_{name}": value for name, value in given.items()}
        words = refusal(SECRETS_KEYMANAGEMENT_TYPE="aws_kms", **variables)
        assert "aws_kms needs key_id and region" in words

    def test_a_key_is_published_before_it_signs_and_longer_than_others_keep_the_set_sec_033(self):
        ahead = "SECRETS_KEY_MANAGEMENT_PUBLISH_AHEAD"
        assert "publish_ahead must not be negative" in refusal(**{ahead: "-1s"})
        assert "publish_ahead of at least 12m" in refusal(**PRODUCTION, **{ahead: "11m59s"})
        accepted(**PRODUCTION, **{ahead: "12m"})
        accepted(**{ahead: "0"})


@pytest.mark.parametrize("section", ["PASSKEY", "MFA_SECURITYKEYS"])
def test_attestation_cannot_be_required_and_not_be_asked_for_sec_051(section):
    required = {f"{section}_ATTESTATION_REQUIRED": "true"}
    assert "attestation_preference" in refusal(
        **required, **{f"{section}_ATTESTATION_PREFERENCE": "none"}
    )
    accepted(**required)
