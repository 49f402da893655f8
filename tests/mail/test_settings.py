"""Settings of mail that cannot be meant, and what the rest comes to."""

from pathlib import Path

import pytest

from app.config import Config, ConfigurationRefused, load, show

LOGIN = {"EMAIL_DELIVERY_SMTP_USER": "product", "EMAIL_DELIVERY_SMTP_PASSWORD": "its-password"}
PRODUCTION = {
    "ENVIRONMENT": "production",
    "SECRET_KEYS": "a-random-text-of-my-own-0001",
    "SERVER_PUBLIC_URL": "https://id.example.com",
}


def made(**variables: str) -> Config:
    return load(Path("/dev/null"), variables)


def smtp(**given: str) -> dict[str, str]:
    return {f"EMAIL_DELIVERY_SMTP_{name.upper()}": value for name, value in given.items()}


@pytest.mark.parametrize(
    ("host", "port", "tls", "protection"),
    [
        ("mail.example.com", "465", "auto", "implicit"),
        ("mail.example.com", "587", "auto", "starttls"),
        ("mail.example.com", "25", "auto", "starttls"),
        ("localhost", "465", "auto", "implicit"),
        ("localhost", "2500", "auto", "none"),
        ("127.0.0.1", "25", "auto", "none"),
        ("::1", "25", "auto", "none"),
        ("localhost.example.com", "25", "auto", "starttls"),
        ("localhost", "25", "starttls", "starttls"),
        ("mail.example.com", "587", "implicit", "implicit"),
        ("mail.example.com", "465", "starttls", "starttls"),
        ("mail.example.com", "25", "none", "none"),
    ],
)
def test_mail_is_plain_to_this_machine_or_by_choice_alone(host, port, tls, protection):
    config = made(**smtp(host=host, port=port, tls=tls))
    assert config.email_delivery.smtp.protection == protection


@pytest.mark.parametrize(
    ("variables", "why"),
    [
        (smtp(host="mail.example.com", tls="none") | LOGIN, "in the clear"),
        (smtp(port="0"), "smtp.port"),
        (smtp(port="65536"), "smtp.port"),
        (smtp(port="x"), "whole number"),
        (smtp(tls="maybe"), "smtp.tls"),
        (smtp(timeout="0s"), "smtp.timeout"),
        (smtp(timeout="31s"), "smtp.timeout"),
        ({"EMAIL_DELIVERY_FROM_ADDRESS": "nobody"}, "from_address"),
        ({"EMAIL_DELIVERY_FROM_ADDRESS": "a@example.com\r\nBcc: b@example.com"}, "from_address"),
        ({"EMAIL_DELIVERY_FROM_NAME": "A\r\nBcc: b@example.com"}, "control characters"),
        ({"SERVICE_NAME": "A\x00"}, "control characters"),
        (PRODUCTION, "production needs email_delivery.smtp.host"),
    ],
)
def test_what_cannot_be_meant_is_refused_sec_113(variables, why):
    with pytest.raises(ConfigurationRefused, match=why):
        made(**variables)


def test_production_starts_with_a_server_or_without_mail_sec_120():
    assert not made(**PRODUCTION, **smtp(host="mail.example.com")).keeps_mailbox
    assert not made(**PRODUCTION, EMAIL_DELIVERY_ENABLED="false").keeps_mailbox


def test_development_keeps_mail_until_it_has_a_server():
    assert made().keeps_mailbox
    assert not made(**smtp(host="localhost")).keeps_mailbox
    assert not made(EMAIL_DELIVERY_ENABLED="false").keeps_mailbox


def test_the_sender_comes_from_the_settings_and_no_request_sec_102():
    assert made().mail_sender == "noreply@localhost"
    assert made(SERVER_PUBLIC_URL="https://id.example.com").mail_sender == "noreply@id.example.com"
    assert made(SERVER_PUBLIC_URL="http://[::1]:8000").mail_sender == "noreply@localhost"
    given = {"EMAIL_DELIVERY_FROM_ADDRESS": "accounts@example.com"}
    assert made(**given).mail_sender == "accounts@example.com"


def test_the_password_is_shown_nowhere_sec_116():
    config = made(**smtp(host="mail.example.com"), **LOGIN)
    assert "its-password" not in repr(config) + str(show(config))


def test_a_port_may_be_written_as_a_text_or_a_number(tmp_path):
    for port in ('"2500"', "2500"):
        file = tmp_path / "config.yaml"
        file.write_text(f"email_delivery:\n  smtp:\n    host: localhost\n    port: {port}\n")
        assert load(file, {}).email_delivery.smtp.port == 2500
