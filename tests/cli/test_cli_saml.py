"""Our own SAML certificates from the command line."""

import json
from datetime import datetime, timedelta

import pytest
import yaml
from cryptography import x509
from federation.saml.idp import Idp

SETTINGS = {
    "saml": {
        "enabled": True,
        "endpoint_url": "https://auth.example.com",
        "audience_uri": "urn:sekisho",
        "default_redirect_url": "https://app.example.com/login",
        "identity_providers": [
            {
                "enabled": True,
                "name": "Acme AD",
                "domain": "acme.example",
                "metadata": Idp().metadata(),
            }
        ],
    }
}


@pytest.fixture
def run(sekisho, new_database, tmp_path):
    """Runs `sekisho` on an empty database of either kind, with SAML on."""
    file = tmp_path / "saml.yaml"
    file.write_text(yaml.safe_dump(SETTINGS))
    sekisho("migrate", "up", **new_database)

    def run(*words):
        return sekisho("--config", str(file), *words, **new_database)

    return run


def test_the_first_certificate_is_there_and_listed(run):
    (one,) = json.loads(run("saml", "list", "--json").out)
    assert x509.load_pem_x509_certificate(one["certificate"].encode())
    shown = run("saml", "list")
    assert (shown.status, shown.err) == (0, "")
    assert shown.out.startswith(f"{one['id']}  signs from 20")
    assert "PRIVATE" not in shown.out


def test_the_next_one_is_made_and_waits_or_does_not(run):
    made = json.loads(run("saml", "renew", "--json").out)
    first, second = json.loads(run("saml", "list", "--json").out)
    assert second["id"] == made["id"]
    begins, before = (datetime.fromisoformat(one["active_from"]) for one in (second, first))
    assert timedelta(days=30) <= begins - before < timedelta(days=30, hours=1)
    told = run("saml", "renew", "--now")
    assert "BEGIN CERTIFICATE" in told.out
    assert len(json.loads(run("saml", "list", "--json").out)) == 3


def test_the_configuration_can_be_checked(run):
    assert run("config", "check").out == "The configuration is good.\n"


def test_without_saml_there_is_nothing_to_list(sekisho, new_database):
    sekisho("migrate", "up", **new_database)
    told = sekisho("saml", "list", **new_database)
    assert (told.status, told.err) == (1, "sekisho: SAML is not enabled for this tenant.\n")
