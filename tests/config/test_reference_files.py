"""Files and variables of the reference are read as they are; what has no effect is told by name."""

import functools
from datetime import timedelta
from pathlib import Path

import pytest

from app.config import Config, ConfigurationRefused, Secret, load, read, settings, show
from app.config.moved import MOVED, UNUSED
from app.config.saml_sections import AttributeMap, IdentityProvider
from app.config.webhook_sections import Hook

FILES = Path(__file__).parent / "reference"
ROWS = [
    tuple((*line.split("\t"), "", "")[:3])
    for line in (FILES / "settings.tsv").read_text().splitlines()[1:]
]
FROM_OUTSIDE = {
    "production.yaml": {
        "DATABASE_URL": "postgres://auth:auth@db:5432/auth",
        "SECRET_KEYS": "a-random-text-of-my-own-0001",
        "EMAIL_DELIVERY_SMTP_PASSWORD": "word-of-the-mail-server",
        "RATE_LIMITER_REDIS_PASSWORD": "word-of-redis",
        "FLOWLOCKER_REDIS_PASSWORD": "word-of-redis",
    }
}
"""The variables that a file's own first lines name."""

WITHOUT_EFFECT = {
    "database.conn_max_lifetime": "a connection is kept as long as it works",
    "database.idle_pool": "all connections of `database.pool` are kept",
    "debug": "answers never hold internals; `log.level: DEBUG` makes the log tell more",
    **dict.fromkeys(
        (
            "flow_locker.enabled",
            "flow_locker.store",
            "flow_locker.ttl",
            "flow_locker.redis_config.address",
            "flow_locker.redis_config.password",
        ),
        "the database sees to it that one request at a time moves a flow",
    ),
    "multi_tenancy.enabled": "there is one pool of users",
    "server.management.address": "there are no tenants to manage",
    **dict.fromkeys(
        (f"default_email_delivery.{name}" for name in ("enabled", "from_address", "from_name")),
        "it was meant for tenants; `email_delivery` sends the mail",
    ),
    **dict.fromkeys(
        (f"default_email_delivery.smtp.{name}" for name in ("host", "port", "user", "password")),
        "it was meant for tenants; `email_delivery` sends the mail",
    ),
    "webauthn.relying_party.icon": "authenticators do not show it",
}


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "config.yaml"
        path.write_text(text)
        return path

    return write


@pytest.fixture
def reading(file):
    """Reads a YAML text and some variables; gives the configuration and the warnings."""
    return lambda text="", **variables: read(file(text), variables)


def unused(key):
    return next((one for one in UNUSED if f"{key}.".startswith(f"{one.key}.")), None)


def nested(key, value):
    """A YAML text that gives one key a value."""
    *sections, last = key.split(".")
    lines = [f"{'  ' * depth}{name}:" for depth, name in enumerate(sections)]
    return "\n".join([*lines, f"{'  ' * len(sections)}{last}: {value}"])


# Every key


def test_the_list_of_settings_is_whole():
    assert len(ROWS) == 235
    assert len({key for key, *_ in ROWS}) == len(ROWS)


@pytest.mark.parametrize(("key", "type_", "variable"), ROWS, ids=[row[0] for row in ROWS])
def test_a_setting_of_the_reference_is_known_or_told_to_have_no_effect(key, type_, variable):
    found = next((one for one in settings() if one.name.lower() == key), None)
    if "[]" in key:
        entry = {"saml": IdentityProvider, "webhooks": Hook}[key.partition(".")[0]]
        member = key.partition("[].")[2]
        fields = AttributeMap if member.startswith("attribute_map.") else entry
        assert member.rpartition(".")[2] in fields.__struct_fields__
    elif found is None:
        assert unused(key) is not None, f"{key} ({type_}) is unknown"
    elif variable:
        assert variable in found.variables


@pytest.mark.parametrize("key", [key for key, *_ in ROWS if unused(key)])
def test_what_has_no_effect_is_read_and_told_by_name(reading, key):
    found = reading(nested(key, "false" if key == "multi_tenancy.enabled" else "5"))
    assert found.config == Config()
    (warning,) = found.warnings
    assert warning == f"{unused(key).key} has no effect: {unused(key).why}"


def test_each_key_without_effect_has_its_reason():
    assert {key: unused(key).why for key, *_ in ROWS if unused(key)} == WITHOUT_EFFECT


@pytest.mark.parametrize(
    "variable", [variable for key, _, variable in ROWS if unused(key) and variable != "DEBUG"]
)
def test_a_variable_without_effect_is_told_by_name(reading, variable):
    found = reading(**{variable: "false"})
    assert found.config == Config()
    assert found.warnings[0].startswith(f"{variable} has no effect: ")


def test_a_variable_that_anybody_may_use_is_not_remarked_on(reading):
    assert reading(DEBUG="1").warnings == ()


def test_several_pools_of_users_are_refused_rather_than_thrown_together(reading):
    for text, variables in (
        ("multi_tenancy: {enabled: true}", {}),
        ("multi_tenancy: {enabled: 'T'}", {}),
        ("", {"MULTITENANCY_ENABLED": "true"}),
    ):
        with pytest.raises(ConfigurationRefused, match="there is one pool of users"):
            reading(text, **variables)


# Whole files


@pytest.mark.parametrize("name", sorted(path.name for path in FILES.glob("*.yaml")))
class TestFiles:
    def test_a_file_is_good_in_development_as_it_is(self, name):
        assert load(FILES / name, FROM_OUTSIDE.get(name, {})).environment == "development"

    def test_production_refuses_what_a_file_leaves_to_be_made_up(self, name):
        """SEC-120"""
        given = FROM_OUTSIDE.get(name, {}) | {"ENVIRONMENT": "production"}
        with pytest.raises(ConfigurationRefused) as refused:
            load(FILES / name, given)
        problems = refused.value.problems
        if "database.dialect" not in problems[0]:
            assert any(one.startswith("production needs server.public.url") for one in problems)
            document = [one for one in problems if "a value from a document" in one]
            assert bool(document) == (name != "production.yaml")

    @pytest.mark.parametrize("environment", ["development", "production"])
    def test_a_url_goes_before_whatever_the_database_section_says(self, name, environment):
        url = "postgres://auth:auth@db:5432/auth"
        given = FROM_OUTSIDE.get(name, {}) | {
            "DATABASE_URL": url,
            "ENVIRONMENT": environment,
            "SECRET_KEYS": "a-random-text-of-my-own-0001",
            "SERVER_PUBLIC_URL": "https://login.example.com",
            "EMAIL_DELIVERY_ENABLED": "false",
            "SESSION_COOKIE_SECURE": "true",
        }
        assert load(FILES / name, given).database.url.reveal() == url


def test_the_file_for_production_is_good_there_once_the_url_is_given():
    name = "production.yaml"
    variables = {
        **FROM_OUTSIDE[name],
        "ENVIRONMENT": "production",
        "SERVER_PUBLIC_URL": "https://login.example.com",
    }
    found = read(FILES / name, variables)
    assert found.config.is_production
    assert found.config.email_delivery.smtp.port == 465
    *without_effect, hosts = found.warnings
    assert hosts.startswith("server.allowed_hosts is empty: ")
    assert [one.partition(" has no effect")[0] for one in without_effect] == [
        "flow_locker",
        "database.conn_max_lifetime",
        "database.idle_pool",
        "FLOWLOCKER_REDIS_PASSWORD",
    ]


def test_what_the_files_say_arrives():
    social = load(FILES / "social-login.yaml", {})
    assert social.third_party.enabled_providers() == [
        "github",
        "google",
        "custom_forum",
        "custom_corpsso",
    ]
    saml = load(FILES / "saml.yaml", {})
    assert [one.name for one in saml.saml.identity_providers if one.enabled] == ["Acme AD"]
    mfa = load(FILES / "password-mfa.yaml", {})
    assert mfa.mfa.device_trust_duration.total_seconds() == 168 * 3600
    assert (mfa.password.min_length, mfa.mfa.optional) == (12, False)


# Databases


def test_a_place_of_a_database_without_a_kind_is_postgresql_as_it_is_there(reading):
    assert reading("database: {host: db, password: x}").config.database.dialect == "postgres"
    assert reading(DATABASE_HOST="db").config.database.dialect == "postgres"
    assert reading("database: {pool: 9}").config.database.dialect == "sqlite"
    assert reading("database: {host: db, dialect: sqlite}").config.database.dialect == "sqlite"


@pytest.mark.parametrize("dialect", ["mysql", "mariadb"])
def test_a_database_without_a_driver_gives_way_in_development_alone(reading, dialect):
    found = reading(f"database: {{dialect: {dialect}, host: db}}")
    assert found.config.database.dialect == "sqlite"
    assert found.warnings[0].startswith(f"database.dialect: there is no driver for {dialect}; ")
    with pytest.raises(ConfigurationRefused, match=r"database\.dialect: Invalid enum value"):
        reading(f"database: {{dialect: {dialect}}}", ENVIRONMENT="production")


def test_a_url_goes_before_a_database_without_a_driver_which_is_told(reading):
    url = "postgres://auth:auth@db:5432/auth"
    text = "database: {dialect: mysql, host: db}"
    found = reading(text, DATABASE_URL=url)
    assert found.config.database.url.reveal() == url
    assert found.warnings[0] == "database.dialect: mysql has no effect beside database.url"
    with pytest.raises(ConfigurationRefused, match=r"database\.url must begin with"):
        reading(text, DATABASE_URL="mysql://auth:auth@db:3306/auth")


# Older names


@pytest.mark.parametrize(
    ("old", "text", "value"),
    [
        ("server.public.cors", "{allow_origins: [https://a.example]}", "https://a.example"),
        ("emails", "{limit: 3}", "'limit': 3"),
        ("smtp", "{host: mail.example}", "'host': 'mail.example'"),
        ("passcode.smtp", "{host: mail.example}", "'host': 'mail.example'"),
        ("passcode.email.from_address", "a@b.example", "a@b.example"),
        ("passcode.email.from_name", "Ada", "Ada"),
        ("email_delivery.email.from_address", "a@b.example", "a@b.example"),
        ("email_delivery.email.from_name", "Ada", "Ada"),
        ("passcode.ttl", "120", "120"),
        ("password.min_password_length", "12", "12"),
        ("webauthn.relying_party.origin", "http://a.localhost", "['http://a.localhost']"),
    ],
)
def test_an_older_name_is_read_at_its_new_place_and_told(reading, old, text, value):
    found = reading(nested(old, text))
    assert found.warnings == (f"{old} is an old name of {MOVED[old]}",)
    node = show(found.config)
    for key in MOVED[old].split("."):
        node = node[key]
    assert value in str(node)


def test_the_new_name_goes_before_the_older_one(reading):
    found = reading("password: {min_length: 20, min_password_length: 12}")
    assert found.config.password.min_length == 20
    assert found.warnings == (
        "password.min_password_length is an old name of password.min_length, and ignored beside it",
    )
    both = "cors: {allow_origins: [https://a.example]}\n"
    both += "server: {public: {cors: {unsafe_wildcard_origin_allowed: true}}}"
    assert reading(both).config.cors.unsafe_wildcard_origin_allowed is False


def test_every_older_name_is_tried_above():
    assert len(MOVED) == 11


@pytest.mark.parametrize(
    "key", ["enabled", "allow_credentials", "allow_methods", "allow_headers", "max_age"]
)
def test_what_the_server_itself_decides_of_other_origins_is_told(reading, key):
    found = reading(f"server: {{public: {{cors: {{{key}: 1}}}}}}")
    assert found.config == Config()
    assert found.warnings == (f"server.public.cors.{key} has no effect: the server decides it",)


def test_older_secrets_are_used_where_there_are_no_newer_ones(reading):
    found = reading("secrets: {keys: [a-secret-of-my-own-0001]}")
    assert found.config.secrets.keys == [Secret("a-secret-of-my-own-0001")]
    assert found.warnings == ("secrets.keys is an old name of secret_keys",)
    both = reading(
        "secrets: {keys: [a-secret-of-my-own-0001]}\nsecret_keys: [a-secret-of-my-own-0002]"
    )
    assert both.warnings == ("secrets.keys is an old name of secret_keys, and ignored beside it",)


# How values are written


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("database: {port: 6432, dialect: postgres}", "database.port", "6432"),
        ("service: {name: 5}", "service.name", "5"),
        ("service: {name: true}", "service.name", "1"),
        ("service: {name: no}", "service.name", "no"),
        ("service: {name: 12:30}", "service.name", "12:30"),
        ("service: {name: 2024-01-01}", "service.name", "2024-01-01"),
        ("service: {name: 1.5}", "service.name", "1.5"),
        ("graphql: {explorer: on}", "graphql.explorer", "on"),
        ("email_delivery: {smtp: {port: '2500'}}", "email_delivery.smtp.port", 2500),
        ("session: {limit: '0x10'}", "session.limit", 16),
        ("session: {limit: 0x10}", "session.limit", 16),
        ("session: {limit: '010'}", "session.limit", 8),
        ("session: {limit: 0o10}", "session.limit", 8),
        ("session: {limit: '0b11'}", "session.limit", 3),
        ("session: {show_on_profile: 'f'}", "session.show_on_profile", False),
        ("session: {show_on_profile: ''}", "session.show_on_profile", False),
        ("session: {show_on_profile: 0}", "session.show_on_profile", False),
        ("session: {show_on_profile: 7}", "session.show_on_profile", True),
        ("session: {audience: 'a,b'}", "session.audience", ["a,b"]),
        ("session: {audience: [1, true]}", "session.audience", ["1", "1"]),
        ("session: {idle_timeout: 0}", "session.idle_timeout.days", 0),
        ("SESSION: {Limit: 7}", "session.limit", 7),
        ("server: {ip: {extractor: ''}}", "server.ip.extractor", "direct"),
        ("email: {passcode_charset: ''}", "email.passcode_charset", "numeric"),
        (
            "webhooks: {hooks: [{Callback: https://a.example, EVENTS: user}]}",
            "webhooks.hooks",
            [Hook(callback="https://a.example", events=["user"])],
        ),
    ],
)
def test_a_value_is_taken_as_leniently_as_there(reading, text, path, value):
    found = reading(text).config
    for key in path.split("."):
        found = getattr(found, key)
    assert found == value


@pytest.mark.parametrize("word", ["yes", "no", "on", "off", "2x"])
def test_a_word_that_is_no_truth_there_is_none_here(reading, word):
    with pytest.raises(ConfigurationRefused, match=r"^session\.show_on_profile: "):
        reading(f"session: {{show_on_profile: {word}}}")


def test_what_an_application_names_keeps_its_letters(reading):
    claims = reading("session: {jwt_template: {claims: {Plan: a, plan: b}}}")
    assert claims.config.session.jwt_template.claims == {"Plan": "a", "plan": "b"}
    own = reading("third_party: {custom_providers: {CorpSSO: {Attribute_Mapping: {sub: userId}}}}")
    provider = own.config.third_party.custom_providers["CorpSSO"]
    assert provider.attribute_mapping == {"sub": "userId"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("session: {limit: 5}\nsession: {limit: 6}", "names 'session' twice, at line 2 again"),
        ("session: {limit: 5, Limit: 6}", "'Limit' stands twice, in letters of another case"),
    ],
)
def test_a_key_stands_once(reading, text, words):
    with pytest.raises(ConfigurationRefused) as refused:
        reading(text)
    assert words in str(refused.value)


# Values that the reference takes

SAML = (
    "saml: {enabled: true, endpoint_url: 'https://id.example.com', audience_uri: sekisho, "
    "identity_providers: [{enabled: true, name: A, domain: a.example, metadata: '<x/>'}]}"
)


@pytest.mark.parametrize(
    ("text", "of", "used", "words"),
    [
        ("password: {min_length: 6}", "password.min_length", 8, "6 is below 8, which is used"),
        ("password: {min_length: '0x6'}", "password.min_length", 8, "6 is below 8, which is used"),
        ("email: {max_length: 320}", "email.max_length", 254, "320 is above 254, which is used"),
        (
            "mfa: {device_trust_duration: 2592000000000000}",
            "mfa.device_trust_duration",
            timedelta(days=30),
            "2592000000000000 is read as nanoseconds; write it like 12h or 90s",
        ),
        (
            "rate_limiter: {otp_limits: {interval: 60000000000}}",
            "rate_limiter.otp_limits.interval",
            timedelta(minutes=1),
            "60000000000 is read as nanoseconds; write it like 12h or 90s",
        ),
        (
            "rate_limiter: {otp_limits: {interval: 0}}",
            "rate_limiter.otp_limits.interval",
            timedelta(seconds=1),
            "0 is read as 1s",
        ),
        (
            "rate_limiter: {token_limits: {tokens: 0}}",
            "rate_limiter.token_limits.tokens",
            1,
            "0 is read as 1",
        ),
    ],
)
def test_what_the_reference_takes_is_brought_within_bounds_sec_035(reading, text, of, used, words):
    found = reading(text)
    assert functools.reduce(getattr, of.split("."), found.config) == used
    assert found.warnings == (f"{of}: {words}",)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("password: {min_length: 0}", "password.min_length: Expected"),
        ("password: {min_length: 73}", "password.min_length: Expected"),
        ("password: {min_length: many}", "password.min_length: Expected"),
        ("email: {max_length: true}", "email.max_length: Expected"),
        ("rate_limiter: {otp_limits: {interval: 60}}", "rate_limiter.otp_limits.interval must be"),
        ("rate_limiter: {otp_limits: {interval: -1}}", "rate_limiter.otp_limits.interval must be"),
        ("rate_limiter: {otp_limits: {tokens: -1}}", "rate_limiter.otp_limits.tokens: Expected"),
        ("mfa: {device_trust_duration: true}", "mfa.device_trust_duration: expected a text"),
        ("session: {lifespan: 43200000000000}", "session.lifespan: expected a text"),
        ("audit_log: {retention: 720}", "audit_log.retention: expected a text"),
    ],
)
def test_what_neither_takes_is_refused(reading, text, words):
    with pytest.raises(ConfigurationRefused) as refused:
        reading(text)
    assert str(refused.value).startswith(words)


def test_a_bare_number_in_a_variable_is_no_duration(reading):
    with pytest.raises(ConfigurationRefused, match="'60000000000' is no duration"):
        reading(RATE_LIMITER_OTP_LIMITS_INTERVAL="60000000000")


@pytest.mark.parametrize("given", ["{}", "{saml: {default_redirect_url: ' '}}"])
def test_saml_without_a_default_target_sends_browsers_to_the_public_url(file, given):
    text = f"{SAML[:-1]}, default_redirect_url: ' '}}" if "saml" in given else SAML
    found = read(file(text), {"SERVER_PUBLIC_URL": "https://id.example.com"})
    assert found.config.saml.default_redirect_url == "https://id.example.com"
    assert "saml.default_redirect_url is not given; server.public.url is used" in found.warnings
    assert not read(file("saml: {enabled: false}"), {}).config.saml.default_redirect_url


@pytest.mark.parametrize(
    ("smtp", "words"),
    [
        ("{host: mail.example.com, user: ada}", "smtp.user is given, and no password"),
        ("{host: mail.example.com, password: x}", "smtp.password has no effect without a user"),
    ],
)
def test_half_a_login_at_the_mail_server_is_told_and_can_be_used(reading, smtp, words):
    assert reading(f"email_delivery: {{smtp: {smtp}}}").warnings == (f"email_delivery.{words}",)
