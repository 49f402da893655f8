"""`sekisho config check` explains each contradiction that the server knows of."""

import ast
import json
import re
from pathlib import Path

import pytest

CHECKS = sorted((Path(__file__).parents[2] / "app" / "config").glob("check*.py"))
FILES = {
    "what each section says of itself": r"""
service: {name: " "}
audit_log: {retention: -1h}
email: {enabled: false}
server: {public: {address: nowhere}, ip: {extractor: x_real_ip}}
database: {dialect: postgres, port: many, host: " "}
secret_keys: [short]
secrets: {key_management: {type: aws_kms, publish_ahead: -1s}}
session:
  lifespan: 0s
  idle_timeout: -1s
  access_token_lifespan: 1s
  cookie: {name: "__Host-a b", same_site: none, secure: false}
cors: {allow_origins: ["*", "a.example"]}
webauthn: {relying_party: {id: Example.com, display_name: " ", origins: ["http://a.example"]}}
passkey: {attestation_required: true, attestation_preference: none}
username: {min_length: 9, max_length: 8}
password: {breach_check: {url: "http://a.example", timeout: 0s}}
email_delivery:
  from_address: nobody
  from_name: "a\nb"
  smtp: {host: a.example, user: ada, tls: none, timeout: 1h}
mfa: {device_trust_cookie_name: "a b", device_trust_duration: 0s}
rate_limiter: {store: redis, otp_limits: {interval: 48h}}
outbound: {allowed_networks: [everywhere]}
""",
    "the rest of it": r"""
passkey: {enabled: false}
password: {enabled: false, breach_check: {url: "ftp://a.example"}}
email: {use_for_authentication: false}
server: {ip: {extractor: x_forwarded_for, trusted_proxies: [everywhere]}}
database: {url: "oracle://a.example/b"}
session:
  issuer: "https://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example"
  audience: [AUDIENCE, AUDIENCE, AUDIENCE]
  cookie: {name: __Secure-a, secure: false}
mfa: {device_trust_cookie_name: __Secure-a}
rate_limiter: {redis_config: {address: "redis://:word@a.example"}}
""".replace("AUDIENCE", "a" * 300),
    "no place in the web": 'server: {public: {url: "nowhere"}}',
    "providers": r"""
third_party:
  redirect_url: "nowhere/{provider}/{x}"
  error_redirect_url: "nowhere/"
  default_redirect_url: "nowhere/"
  allowed_redirect_urls: ["https://a.example/", "https://["]
  providers: {google: {enabled: true}, microsoft: {tenants: [mine]}}
  custom_providers:
    "a b": {}
    One: {}
    one: {enabled: true, display_name: "a\nb", attribute_mapping: {sub: "a b"}, use_discovery: true}
    two: {enabled: true, authorization_endpoint: nowhere, jwks_uri: "https://a.example/k"}
    three: {enabled: true, use_discovery: true, jwks_uri: "https://a.example/k"}
""",
    "providers without a target": "third_party: {providers: {google: {enabled: true}}}",
    "a target that is not allowed": r"""
third_party:
  redirect_url: "https://id.example.com/thirdparty/callback"
  error_redirect_url: "https://app.example.com/error"
  default_redirect_url: "https://other.example.com/home"
  allowed_redirect_urls: ["https://app.example.com/**"]
  providers: {google: {enabled: true, client_id: a, secret: b}}
""",
    "SAML": r"""
saml:
  enabled: true
  endpoint_url: "https://a.example/?b"
  default_redirect_url: nowhere
  allowed_redirect_urls: ["https://["]
  identity_providers:
    - {enabled: true}
    - {enabled: true, name: one, domain: "not a domain", metadata_url: nowhere}
    - {enabled: true, name: one, domain: a.example, metadata_file: /there/is/none}
    - {enabled: true, name: two, domain: a.example}
""",
    "SAML without providers": "saml: {enabled: true}",
    "webhooks": r"""
webhooks:
  enabled: true
  hooks: [{callback: nowhere, events: []}, {callback: "https://a.example/", events: [never],
    secrets: [one, two, three]}]
""",
    "production": r"""
environment: production
session: {cookie: {secure: false}}
secrets: {key_management: {publish_ahead: 1m}}
saml:
  enabled: true
  endpoint_url: "http://a.example"
  options: {skip_signature_validation: true}
""",
    "production with a secret of a document": r"""
environment: production
secret_keys: [abcedfghijklmnopqrstuvwxyz]
""",
}
NEVER_HERE = {"saml.enabled needs the packages of the extra: pip install 'sekisho[saml]'"}
"""What is said where something is not installed that the tests need."""


def sentences() -> set[tuple[str, ...]]:
    """The fixed parts of every sentence in which a contradiction is told."""
    calls = [
        node
        for path in CHECKS
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "refuse"
    ]
    return {tuple(_parts(call.args[0])) for call in calls}


def _parts(told: ast.expr) -> list[str]:
    if isinstance(told, ast.JoinedStr):
        return [str(one.value) for one in told.values if isinstance(one, ast.Constant)]
    assert isinstance(told, ast.Constant)
    return [str(told.value)]


@pytest.fixture
def told(sekisho, tmp_path):
    """Checks a file, and gives what is wrong with it."""

    def check(text: str) -> list[str]:
        file = tmp_path / "checked.yaml"
        file.write_text(text)
        outcome = sekisho("--config", str(file), "config", "check", "--json")
        assert outcome.status == 1
        found = json.loads(outcome.out)
        assert found["good"] is False
        for_people = sekisho("--config", str(file), "config", "check")
        assert for_people.err.splitlines() == [f"sekisho: {one}" for one in found["problems"]]
        return found["problems"]

    return check


def test_each_contradiction_is_explained_by_a_sentence_of_its_own(told):
    problems = [problem for text in FILES.values() for problem in told(text)]
    assert len(sentences()) > 80
    missing = [
        parts
        for parts in sentences()
        if not any(re.fullmatch(".*".join(("", *map(re.escape, parts), "")), p) for p in problems)
    ]
    assert [parts for parts in missing if not NEVER_HERE & set(parts)] == []


@pytest.mark.parametrize("name", FILES)
def test_all_of_it_is_told_at_once_and_nothing_twice(told, name):
    problems = told(FILES[name])
    assert len(set(problems)) == len(problems)
    assert not [problem for problem in problems if "\n" in problem or len(problem) > 400]
