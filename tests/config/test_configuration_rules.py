"""The rules that the reference starts by (R1 to R19), those it should have, and mere advice.

R4 is about locks of flows, which the database keeps here; R19's second half, stored keys that no
secret opens, is tried with the command line.
"""

import pytest

from app.config import ConfigurationRefused, load, read, show

OWN = "a-random-text-of-my-own-0001"
PROVIDER = "{enabled: true, client_id: a, secret: b}"
REDIRECTS = (
    "redirect_url: https://a.example/thirdparty/callback, error_redirect_url: https://a.example/e, "
    "allowed_redirect_urls: [https://a.example/**]"
)
THIRD_PARTY = f"{REDIRECTS}, providers: {{google: {PROVIDER}}}"
OIDC = "enabled: true, display_name: D, client_id: c, secret: s, scopes: [openid]"
SAML = (
    "enabled: true, endpoint_url: https://a.example, audience_uri: urn:a, "
    "default_redirect_url: https://a.example/login"
)
BROKEN = "'http://[::1',"
IDP = "enabled: true, name: A, domain: a.example, metadata_url: https://idp.example/m"


@pytest.fixture
def reading(tmp_path):
    def run(text, **variables):
        path = tmp_path / "config.yaml"
        path.write_text(text)
        return read(path, variables)

    return run


def without(text, part):
    assert part in text
    return text.replace(part, "")


REFUSED = [
    ("R1", "server: {public: {address: ' '}}", "server.public.address: "),
    ("R1", "server: {admin: {address: ''}}", "server.admin.address: "),
    ("R2", "server: {ip: {extractor: header}}", "server.ip.extractor: Invalid enum"),
    ("R2", "server: {ip: {extractor: x_real_ip}}", "x_real_ip needs server.ip.trusted_proxies"),
    ("R2", "server: {ip: {extractor: x_real_ip, trusted_proxies: [here]}}", "no CIDR range"),
    ("R3", "rate_limiter: {store: memcached}", "rate_limiter.store: Invalid enum"),
    ("R3", "rate_limiter: {store: redis}", "redis needs rate_limiter.redis_config.address"),
    ("R5", "database: {dialect: postgres, host: ' '}", "database.host is needed"),
    ("R5", "database: {dialect: postgres, user: ''}", "database.user is needed"),
    ("R5", "database: {dialect: postgres, database: ''}", "database.database is needed"),
    ("R5", "database: {dialect: postgres, port: ''}", "database.port must be a number"),
    ("R5", "database: {dialect: oracle}", "database.dialect: Invalid enum"),
    ("R6", "webauthn: {relying_party: {id: 'https://a'}}", "webauthn.relying_party.id must"),
    ("R6", "webauthn: {relying_party: {display_name: ''}}", "display_name: Expected `str`"),
    ("R6", "webauthn: {relying_party: {display_name: ' '}}", "display_name must not be blank"),
    ("R6", "webauthn: {relying_party: {origins: []}}", "webauthn.relying_party.origins: Expected"),
    ("R7", "email_delivery: {smtp: {host: m, port: ''}}", "email_delivery.smtp.port: Expected"),
    ("R7", "email_delivery: {smtp: {host: m, port: 0}}", "email_delivery.smtp.port: Expected"),
    ("R7", "email_delivery: {smtp: {port: 65536}}", "email_delivery.smtp.port: Expected"),
    ("R8", "secrets: {key_management: {type: hsm}}", "secrets.key_management.type: Invalid"),
    ("R8", "secrets: {key_management: {type: aws_kms}}", "aws_kms needs key_id and region"),
    ("R9", "service: {name: ''}", "service.name: Expected"),
    ("R9", "service: {name: '  '}", "service.name must not be blank"),
    ("R10", "session: {lifespan: a day}", "session.lifespan: 'a day' is no duration"),
    (
        "R11",
        f"third_party: {{providers: {{google: {PROVIDER}}}}}",
        "third_party.redirect_url must be",
    ),
    (
        "R11",
        f"third_party: {{providers: {{google: {PROVIDER}}}}}",
        "third_party.error_redirect_url must be",
    ),
    (
        "R11",
        f"third_party: {{providers: {{google: {PROVIDER}}}}}",
        "third_party.allowed_redirect_urls: an enabled provider needs at least one",
    ),
    (
        "R11",
        f"third_party: {{{THIRD_PARTY.replace('/e,', '/e/,')}}}",
        "third_party.error_redirect_url must not end with /",
    ),
    (
        "R11",
        f"third_party: {{{THIRD_PARTY}, default_redirect_url: https://a.example/}}",
        "third_party.default_redirect_url must not end with /",
    ),
    (
        "R11",
        f"third_party: {{{THIRD_PARTY.replace('/**', '/')}}}",
        "third_party.allowed_redirect_urls: 'https://a.example/' must not end with /",
    ),
    *(
        (
            "R12",
            f"third_party: {{{without(THIRD_PARTY, part)}}}",
            "third_party.providers.google needs client_id and secret",
        )
        for part in ("client_id: a, ", ", secret: b")
    ),
    *(
        (
            "R13",
            (
                f"third_party: {{{REDIRECTS}, custom_providers: {{own: {{"
                f"{without(OIDC, part)}, use_discovery: true, issuer: https://i.example}}}}}}"
            ),
            f"third_party.custom_providers.own needs {part.strip(', ').partition(':')[0]}",
        )
        for part in (", display_name: D", ", client_id: c", ", secret: s", ", scopes: [openid]")
    ),
    (
        "R13",
        f"third_party: {{{REDIRECTS}, custom_providers: {{own: {{{OIDC}, use_discovery: true}}}}}}",
        "third_party.custom_providers.own needs issuer",
    ),
    *(
        (
            "R13",
            f"third_party: {{{REDIRECTS}, custom_providers: {{own: {{{OIDC}}}}}}}",
            f"third_party.custom_providers.own needs {name}",
        )
        for name in ("authorization_endpoint", "token_endpoint", "userinfo_endpoint")
    ),
    (
        "R14",
        "third_party: {allowed_redirect_urls: ['https://a.example/[']}",
        "third_party.allowed_redirect_urls: 'https://a.example/[' is no URL pattern",
    ),
    (
        "R14",
        f"saml: {{{SAML}, identity_providers: [{{{IDP}}}], allowed_redirect_urls: ['https://a/[']}}",
        "saml.allowed_redirect_urls: 'https://a/[' is no URL pattern",
    ),
    *(
        (
            "R15",
            f"saml: {{{without(SAML, part)}, identity_providers: [{{{IDP}}}]}}",
            f"saml.{part.strip(', ').partition(':')[0]} is needed",
        )
        for part in (", endpoint_url: https://a.example", ", audience_uri: urn:a")
    ),
    ("R15", f"saml: {{{SAML}}}", "saml.identity_providers: at least one is needed"),
    (
        "R15",
        f"saml: {{{SAML.replace('https://a.example,', BROKEN)}}}",
        "saml.endpoint_url must be an absolute",
    ),
    *(
        (
            "R15",
            f"saml: {{{SAML}, identity_providers: [{{{without(IDP, part)}}}]}}",
            f"saml.identity_providers[0] needs {what}",
        )
        for part, what in (
            (", name: A", "a name"),
            (", domain: a.example", "a domain"),
            (", metadata_url: https://idp.example/m", "one of metadata_url"),
        )
    ),
    (
        "R15",
        f"saml: {{{SAML}, identity_providers: [{{{IDP}}}, {{{IDP.replace('A,', 'B,')}}}]}}",
        "another enabled provider has the domain 'a.example'",
    ),
    (
        "R16",
        "webhooks: {enabled: true, hooks: [{callback: 'http://[::1', events: [user]}]}",
        "webhooks.hooks[0].callback must be",
    ),
    (
        "R16",
        "webhooks: {enabled: true, hooks: [{callback: 'https://a', events: [user.born]}]}",
        "webhooks.hooks[0].events: there is no event 'user.born'",
    ),
    ("R17", "email: {passcode_charset: emoji}", "email.passcode_charset: Invalid enum"),
    ("R18", "environment: production", "production needs secret_keys"),
    ("R19", "secret_keys: [fifteen-letters]", "each secret needs at least 16 characters"),
]

RECOMMENDED = [
    *(
        (f"{section}: {sometimes}", f"{section}.")
        for section, sometimes in (
            ("passkey", "{acquire_on_login: sometimes}"),
            ("passkey", "{acquire_on_registration: sometimes}"),
            ("passkey", "{attestation_preference: sometimes}"),
            ("passkey", "{user_verification: sometimes}"),
            ("password", "{acquire_on_login: sometimes}"),
            ("password", "{acquire_on_registration: sometimes}"),
            ("mfa", "{device_trust_policy: sometimes}"),
            ("mfa", "{security_keys: {attestation_preference: sometimes}}"),
            ("mfa", "{security_keys: {authenticator_attachment: sometimes}}"),
            ("mfa", "{security_keys: {user_verification: sometimes}}"),
            ("session", "{cookie: {retention: sometimes}}"),
            ("session", "{cookie: {same_site: sometimes}}"),
            ("audit_log", "{console_output: {output: sometimes}}"),
        )
    ),
    ("session: {idle_timeout: soon}", "session.idle_timeout: 'soon' is no duration"),
    ("audit_log: {retention: 30d}", "audit_log.retention: '30d' is no duration"),
    ("session: {limit: 0}", "session.limit: Expected `int` >= 1"),
    ("email: {limit: -1}", "email.limit: Expected `int` >= 0"),
    ("passkey: {limit: -1}", "passkey.limit: Expected `int` >= 0"),
    ("mfa: {security_keys: {limit: -1}}", "mfa.security_keys.limit: Expected `int` >= 0"),
    ("username: {min_length: 9, max_length: 8}", "username.min_length is above"),
    ("password: {min_length: 0}", "password.min_length: Expected `int` >= 8"),
    ("password: {min_length: 73}", "password.min_length: Expected `int` <= 72"),
    ("email_delivery: {smtp: {port: smtp}}", "email_delivery.smtp.port: Expected"),
    ("cors: {allow_origins: ['*']}", "needs cors.unsafe_wildcard_origin_allowed"),
    ("session: {cookie: {same_site: none, secure: false}}", "same_site none needs secure true"),
    (
        (
            "{passkey: {enabled: false}, password: {enabled: false}, "
            "email: {use_for_authentication: false}}"
        ),
        "nobody could sign in",
    ),
    ("email: {enabled: false}", "nobody could have an account"),
]

ADVICE = [
    (
        "mfa: {totp: {enabled: false}, security_keys: {enabled: false}}",
        "mfa.enabled: neither mfa.totp nor mfa.security_keys is enabled",
    ),
    (
        "{email: {enabled: false}, username: {enabled: true}}",
        "password.recovery has no effect while email.enabled is false",
    ),
    ("email_delivery: {enabled: false}", "email_delivery.enabled is false and no hook"),
    (
        (
            "{session: {enable_auth_token_header: true}, "
            "cors: {allow_origins: ['*'], unsafe_wildcard_origin_allowed: true}}"
        ),
        "session.enable_auth_token_header: with cors.allow_origins '*'",
    ),
    (
        "session: {jwt_template: {claims: {plan: '{{ .User'}}}",
        "session.jwt_template.claims.plan is left out of tokens: ",
    ),
    ("secret_keys: [abcedfghijklmnopqrstuvwxyz]", "secret_keys holds a value from a document"),
    (
        "webauthn: {relying_party: {id: example.com}}",
        "environment is development, and webauthn.relying_party is not of this machine: ",
    ),
    (
        "webauthn: {relying_party: {origins: ['https://login.example.com']}}",
        "environment is development, and webauthn.relying_party is not of this machine: ",
    ),
]


@pytest.mark.parametrize(("rule", "text", "words"), REFUSED)
def test_what_stops_the_reference_stops_us(reading, rule, text, words):
    with pytest.raises(ConfigurationRefused) as refused:
        reading(text)
    assert any(words in problem for problem in refused.value.problems), refused.value.problems


def test_every_rule_is_tried():
    assert {rule for rule, *_ in REFUSED} == {f"R{n}" for n in range(1, 20)} - {"R4"}


@pytest.mark.parametrize(("text", "words"), RECOMMENDED)
def test_what_the_reference_lets_pass_is_refused(reading, text, words):
    with pytest.raises(ConfigurationRefused) as refused:
        reading(text)
    assert words in str(refused.value)


@pytest.mark.parametrize(("text", "words"), ADVICE)
def test_what_is_odd_is_told_and_can_be_used(reading, text, words):
    (warning,) = reading(text).warnings
    assert warning.startswith(words)


def test_listeners_that_cannot_be_reached_as_they_are_named_are_told(reading):
    taken = "server: {public: {address: ':8001', url: 'https://id.example.com'}}"
    (warning,) = reading(taken).warnings
    assert warning.startswith("server.admin.address is that of server.public")
    other = {"public": "127.0.0.1:8001", "admin": "127.0.0.2:8001"}
    named = {f"SERVER_{name.upper()}_ADDRESS": at for name, at in other.items()}
    assert reading("", SERVER_PUBLIC_URL="http://localhost:8001", **named).warnings == ()
    (warning,) = reading("server: {public: {address: ':9000'}}").warnings
    assert warning.startswith("server.public.url is not given, and says another port")


def test_the_callbacks_of_hooks_are_shown_without_their_query_sec_116(reading):
    hooks = "[{callback: 'https://a.example/in?token=hidden', events: [user]}]"
    shown = show(reading(f"webhooks: {{enabled: true, hooks: {hooks}}}").config)
    assert shown["webhooks"]["hooks"][0]["callback"] == "https://a.example/in?********"


def test_nothing_is_told_where_nothing_is_odd(reading):
    assert reading("").warnings == ()
    hooks = "webhooks: {enabled: true, hooks: [{callback: 'https://a', events: [email.send]}]}"
    assert reading(f"{{email_delivery: {{enabled: false}}, {hooks}}}").warnings == ()
    for party in ("{id: localhost}", "{id: app.localhost, origins: ['http://app.localhost:3000']}"):
        assert reading(f"webauthn: {{relying_party: {party}}}").warnings == ()


def test_all_that_is_wrong_is_told_at_once(reading):
    text = "{sesion: {}, session: {limit: 0, lifespan: x, cooky: {}}, log: {level: LOUD}}"
    with pytest.raises(ConfigurationRefused) as refused:
        reading(text, SESSION_IDLE_TIMEOUT="0", PASSKEY_LIMIT="many")
    assert [problem.partition(":")[0] for problem in refused.value.problems] == [
        "PASSKEY_LIMIT",
        "unknown key 'sesion'; did you mean 'session'?",
        "session.limit",
        "session.lifespan",
        "unknown key 'session.cooky'; did you mean 'session.cookie'?",
        "log.level",
    ]
    assert str(refused.value) == (
        "PASSKEY_LIMIT: expected a whole number (`sekisho config check` tells 5 more)"
    )


def test_all_contradictions_are_told_at_once(reading):
    text = (
        "{cors: {allow_origins: ['*', here]}, session: {lifespan: 0s}, "
        f"third_party: {{providers: {{google: {PROVIDER}}}}}, service: {{name: ' '}}}}"
    )
    with pytest.raises(ConfigurationRefused) as refused:
        reading(text)
    assert [problem.partition(" ")[0].rstrip(":") for problem in refused.value.problems] == [
        "service.name",
        "cors.allow_origins",
        "cors.allow_origins",
        "session.lifespan",
        "third_party.redirect_url",
        "third_party.error_redirect_url",
        "third_party.allowed_redirect_urls",
    ]


def test_what_cannot_be_read_and_what_contradicts_itself_is_told_at_once(reading):
    text = (
        "{session: {limit: 0, cookie: {same_site: none, secure: false}}, unknown: 1, "
        "webhooks: {enabled: true, hooks: [{callback: 1}]}}"
    )
    with pytest.raises(ConfigurationRefused) as refused:
        reading(text, PASSKEY_LIMIT="many", RATE_LIMITER_STORE="redis")
    assert [problem.partition(":")[0] for problem in refused.value.problems] == [
        "PASSKEY_LIMIT",
        "session.limit",
        "unknown key 'unknown'",
        "webhooks.hooks[0]",
        "session.cookie",
        "rate_limiter.store",
    ]


@pytest.mark.parametrize(
    ("text", "variables", "place"),
    [
        ("session: {access_token_lifespan: 24h, lifespan: x}", {}, "session.lifespan"),
        ("session: {access_token_lifespan: 24h}", {"SESSION_LIFESPAN": "x"}, "session.lifespan"),
        (
            "passkey: {attestation_required: true, attestation_preference: some}",
            {},
            "passkey.attestation_preference",
        ),
        (
            "secrets: {key_management: {type: aws_kms, region: eu, key_id: [1]}}",
            {},
            "secrets.key_management.key_id",
        ),
        ("server: {ip: {extractor: x_real_ip, trusted_proxies: {a: 1}}}", {}, "server.ip.trusted_"),
        ("rate_limiter: 5", {}, "rate_limiter"),
    ],
)
def test_no_contradiction_is_told_that_rests_on_what_could_not_be_read(
    reading, text, variables, place
):
    """The default that stands in for it would make one that nobody wrote."""
    with pytest.raises(ConfigurationRefused) as refused:
        reading(text, **variables)
    (problem,) = refused.value.problems
    assert problem.startswith(place)


def test_a_secret_that_is_too_short_is_counted_and_not_repeated(tmp_path):
    """SEC-116"""
    path = tmp_path / "config.yaml"
    path.write_text("secret_keys: [SHORTWORD, SHORTWORD]")
    with pytest.raises(ConfigurationRefused) as refused:
        load(path, {})
    assert refused.value.problems == ("secret_keys: each secret needs at least 16 characters",)
    assert OWN not in str(refused.value)
