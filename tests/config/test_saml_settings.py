"""The settings of SAML: what can be meant, and that a file written for Hanko loads as it is."""

import importlib.util
import json

import pytest
import yaml
from federation.saml.idp import Idp

from app.config import ConfigurationRefused, load
from app.config.check_saml import PACKAGES

PROVIDER = {
    "enabled": True,
    "name": "Acme AD",
    "domain": "acme.example",
    "metadata_url": "https://idp.acme.example/metadata.xml",
}
SAML = {
    "enabled": True,
    "endpoint_url": "https://auth.example.com/",
    "audience_uri": "urn:sekisho",
    "default_redirect_url": "https://app.example.com/login",
    "allowed_redirect_urls": ["https://app.example.com/**"],
    "identity_providers": [PROVIDER],
}
PRODUCTION = {
    "ENVIRONMENT": "production",
    "SECRET_KEYS": "a-random-text-of-my-own-0001",
    "SERVER_PUBLIC_URL": "https://auth.example.com",
    "EMAIL_DELIVERY_SMTP_HOST": "mail.example.com",
}


@pytest.fixture
def read(tmp_path):
    """Reads a configuration of SAML settings and some variables."""
    file = tmp_path / "config.yaml"

    def read(given=None, **variables):
        file.write_text(yaml.safe_dump({"saml": {**SAML, **(given or {})}}))
        return load(file, variables)

    return read


@pytest.fixture
def refusal(read):
    def refusal(given=None, **variables):
        with pytest.raises(ConfigurationRefused) as refused:
            read(given, **variables)
        return str(refused.value)

    return refusal


def one(**given):
    """A list of one provider."""
    return {"identity_providers": [{**PROVIDER, **given}]}


def test_the_settings_stand_and_one_slash_at_the_end_is_cut(read):
    saml = read().saml
    assert saml.entity_id == "https://auth.example.com"
    assert saml.acs_url == "https://auth.example.com/saml/callback"
    assert [provider.name for provider in saml.enabled_providers()] == ["Acme AD"]


def test_what_hanko_writes_is_read(read):
    given = {
        "options": {
            "sign_authn_requests": True,
            "force_login": False,
            "validate_encryption_cert": True,
            "skip_signature_validation": False,
            "allow_missing_attributes": False,
        },
        "identity_providers": [
            {**PROVIDER, "skip_email_verification": True, "attribute_map": {"given_name": "first"}},
            {"enabled": False, "name": "Old partner", "domain": "partner.example"},
        ],
    }
    saml = read(given).saml
    assert saml.options.sign_authn_requests
    assert saml.identity_providers[0].attribute_map.given_name == "first"
    assert len(saml.enabled_providers()) == 1


def test_the_reference_s_variables_are_known(read):
    saml = read(
        SAML_ENDPOINT="https://other.example.com",
        SAML_AUDIENCEURI="urn:other",
        SAML_DEFAULTREDIRECTURL="https://other.example.com/login",
        SAML_OPTIONS_SIGNAUTHNREQUESTS="true",
        SAML_OPTIONS_FORCELOGIN="true",
        SAML_IDENTITY_PROVIDERS=json.dumps({**PROVIDER, "name": "From outside"}),
    ).saml
    assert saml.endpoint_url == "https://other.example.com"
    assert saml.audience_uri == "urn:other"
    assert saml.options.sign_authn_requests
    assert saml.options.force_login
    assert [one.name for one in saml.identity_providers] == ["From outside"]


def test_while_saml_is_off_nothing_is_asked_for(read):
    saml = read({"enabled": False, "endpoint_url": "", "identity_providers": []}).saml
    assert saml.enabled_providers() == []


@pytest.mark.parametrize("name", ["endpoint_url", "audience_uri"])
def test_what_saml_needs_r15(refusal, name):
    for blank in ("", "  "):
        assert f"saml.{name} is needed" in refusal({name: blank})


@pytest.mark.parametrize("name", ["endpoint_url", "default_redirect_url"])
@pytest.mark.parametrize(
    "url", ["x", "/path", "ftp://x.example", "https://", "https://u@x.example"]
)
def test_urls_are_urls_r15(refusal, name, url):
    assert f"saml.{name} must be" in refusal({name: url})


def test_there_is_at_least_one_provider_r15(refusal):
    assert "at least one" in refusal({"identity_providers": []})


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"name": " "}, "needs a name"),
        ({"name": "a\x07"}, "needs a name"),
        ({"domain": ""}, "needs a domain"),
        ({"domain": "a b"}, "is no domain"),
        ({"domain": "@acme.example"}, "is no domain"),
        ({"domains": ["bücher.example"]}, "is no domain"),
        ({"metadata_url": ""}, "needs one of"),
        ({"metadata": "<x/>"}, "needs one of"),
        ({"metadata_url": "idp.example"}, "must be an absolute https URL"),
        ({"metadata_url": "", "metadata_file": "/nowhere/idp.xml"}, "there is no file"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_a_provider_is_whole_r15(refusal, given, words):
    assert words in refusal(one(**given))


def test_a_provider_that_is_off_may_be_anything(read):
    assert read({"identity_providers": [PROVIDER, {"name": "", "domain": "x y"}]})


def test_a_domain_and_a_name_are_one_provider_s_r15(refusal):
    other = {**PROVIDER, "name": "Other"}
    assert "another enabled provider has the domain" in refusal(
        {"identity_providers": [PROVIDER, other]}
    )
    upper = {**other, "domain": "b.example", "domains": ["ACME.example"]}
    assert "has the domain" in refusal({"identity_providers": [PROVIDER, upper]})
    twin = {**PROVIDER, "domain": "b.example"}
    assert "has the name" in refusal({"identity_providers": [PROVIDER, twin]})


def test_a_pattern_is_a_pattern(refusal):
    assert "is no URL pattern" in refusal({"allowed_redirect_urls": ["app.example.com"]})


def test_metadata_may_stand_in_the_settings(read):
    text = Idp().metadata()
    assert read(one(metadata_url="", metadata=text)).saml.identity_providers[0].metadata == text


def test_production_checks_signatures_and_speaks_https_sec_085(read, refusal):
    assert read(**PRODUCTION)
    skipping = {"options": {"skip_signature_validation": True}}
    assert read(skipping)
    assert "skip_signature_validation" in refusal(skipping, **PRODUCTION)
    for name in ("endpoint_url", "default_redirect_url"):
        assert "https" in refusal({name: "http://auth.example.com"}, **PRODUCTION)
    assert "https" in refusal(one(metadata_url="http://idp.example/m"), **PRODUCTION)


def test_without_the_packages_the_server_says_what_to_install(refusal, read, monkeypatch):
    find = importlib.util.find_spec
    for missing in PACKAGES:
        monkeypatch.setattr(
            importlib.util,
            "find_spec",
            lambda name, gone=missing: None if name == gone else find(name),
        )
        assert "pip install 'sekisho[saml]'" in refusal()
        assert read({"enabled": False})


def test_saml_is_a_way_to_sign_in(read):
    off = {
        "PASSKEY_ENABLED": "false",
        "PASSWORD_ENABLED": "false",
        "EMAIL_USE_FOR_AUTHENTICATION": "false",
    }
    assert read(**off)
    with pytest.raises(ConfigurationRefused):
        read({"enabled": False}, **off)
