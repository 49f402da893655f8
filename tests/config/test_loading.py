"""The configuration as it is read: defaults, then a file, then the environment."""

import json
import re
from datetime import timedelta

import msgspec
import pytest

from app.config import BagLimit, Config, ConfigurationRefused, Secret, load, schema, settings, show
from app.config.load import convert
from app.config.section import Section
from app.config.sections import HANKO_LIMITS, TORII_LIMITS, Database
from app.config.values import Duration

SECRET = "a-secret-of-36-characters-0123456789"


@pytest.fixture
def file(tmp_path):
    """Writes a configuration file."""

    def write(text: str | bytes):
        path = tmp_path / "config.yaml"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


@pytest.fixture
def read(file):
    """Reads a configuration of a YAML text and some variables."""
    return lambda text="", **variables: load(file(text), variables)


class TestPrecedence:
    def test_without_anything_the_defaults_stand(self, read):
        assert read() == Config()
        assert read("# nothing but a comment") == Config()

    def test_the_file_goes_before_the_defaults_and_the_environment_before_the_file(self, read):
        text = "session: {limit: 3, issuer: from-file}"
        config = read(text, SESSION_LIMIT="9")
        assert (config.session.limit, config.session.issuer) == (9, "from-file")
        assert config.session.lifespan == timedelta(hours=12)

    def test_a_variable_that_is_empty_counts(self, read):
        assert read("session: {issuer: x}", SESSION_ISSUER="").session.issuer == ""
        given = f"secret_keys: [{SECRET}]"
        assert read(given).secret_keys == [Secret(SECRET)]
        assert read(given, SECRET_KEYS="").secret_keys == []
        with pytest.raises(ConfigurationRefused):
            read(SESSION_LIMIT="")

    def test_an_empty_key_of_the_file_leaves_the_default(self, read):
        config = read("session:\n  limit:\n  cookie: null\nserver:\n")
        assert config == Config()

    def test_lists_are_replaced_as_a_whole(self, read):
        text = "session: {audience: [a, b]}"
        assert read(text).session.audience == ["a", "b"]
        assert read(text, SESSION_AUDIENCE="c,d").session.audience == ["c", "d"]

    def test_unknown_variables_are_not_ours(self, read):
        assert read(PATH="/bin", SESSION_LIMITS="5", session_limit="5") == Config()

    def test_the_process_s_own_variables_are_read_where_none_are_handed_in(self, file, monkeypatch):
        monkeypatch.setenv("SERVICE_NAME", "From Outside")
        assert load(file("")).service.name == "From Outside"


class TestFile:
    def test_the_usual_place_is_read_if_there_is_one(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        assert load(environment={}) == Config()
        (tmp_path / "config").mkdir()
        (tmp_path / "config" / "config.yaml").write_text("service: {name: Here}")
        assert load(environment={}).service.name == "Here"
        (tmp_path / "config" / "config.yaml").write_text("service: {")
        with pytest.raises(ConfigurationRefused):
            load(environment={})

    def test_a_file_that_was_named_must_be_there(self, tmp_path):
        for path in (tmp_path / "missing.yaml", tmp_path):
            with pytest.raises(ConfigurationRefused) as refused:
                load(path, {})
            assert str(path) in str(refused.value)

    @pytest.mark.parametrize(
        ("text", "word"),
        [
            ("service: {", "line 1"),
            ("a: 1\nb: [", "line 2"),
            ("service:\n\tname: x", "line 2"),
            (b"service: \xff", "not valid YAML"),
            ("- a\n- b", "keys and values"),
            ("just text", "keys and values"),
            ("5", "keys and values"),
            ('!!python/object/apply:os.system ["true"]', "not valid YAML"),
        ],
    )
    def test_a_file_that_is_no_map_of_keys_is_refused(self, file, text, word):
        with pytest.raises(ConfigurationRefused) as refused:
            load(file(text), {})
        assert word in str(refused.value)

    @pytest.mark.parametrize(
        ("text", "hint"),
        [
            ("sesion: {limit: 1}", "did you mean 'session'?"),
            ("session: {limits: 1}", "did you mean 'session.limit'?"),
            ("session: {cookie: {samesite: lax}}", "did you mean 'session.cookie.same_site'?"),
            ("session: {same_site: lax}", "did you mean 'session.cookie.same_site'?"),
            ("Sesion: {limit: 1}", "unknown key 'sesion'; did you mean 'session'?"),
            ("webhooks: {hooks: [{callbak: x}]}", "did you mean 'webhooks.hooks[0].callback'?"),
            ("zzzzzzzzzzzz: 1", "unknown key 'zzzzzzzzzzzz'"),
            ("log: {level: LOUD}", "it takes DEBUG, INFO, WARNING, ERROR"),
            ("1: 2", "unknown key '1'"),
            ("user_metadata: {limits: {pub: {max: 5}}}", "unknown field `pub`"),
        ],
    )
    def test_an_unknown_key_is_refused_with_the_nearest_one(self, file, text, hint):
        with pytest.raises(ConfigurationRefused) as refused:
            load(file(text), {})
        assert hint in str(refused.value)

    def test_a_hint_does_not_name_what_is_merely_near(self, file):
        with pytest.raises(ConfigurationRefused) as refused:
            load(file("server: {private: {address: ':8001'}}"), {})
        assert str(refused.value) == "unknown key 'server.private'"

    @pytest.mark.parametrize(
        ("text", "place"),
        [
            ("session: {limit: many}", "session.limit"),
            ("session: {limit: 5.5}", "session.limit"),
            ("session: {limit: 0}", "session.limit"),
            ("session: 5", "session"),
            ("server: []", "server"),
            ("session: {cookie: {same_site: sometimes}}", "session.cookie.same_site"),
            ("session: {lifespan: 12}", "session.lifespan"),
            ("session: {lifespan: soon}", "session.lifespan"),
            ("session: {lifespan: 9999999999h}", "session.lifespan"),
            ("session: {audience: {a: b}}", "session.audience"),
            ("secret_keys: [null]", "secret_keys[0]"),
            ("secret_keys: [[x]]", "secret_keys[0]"),
            ("service: {name: ''}", "service.name"),
            ("environment: staging", "environment"),
            ("user_metadata: {limits: huge}", "user_metadata.limits"),
            ("user_metadata: {limits: {public: {max: 1}}}", "user_metadata.limits.public.max"),
            ("user_metadata: {limits: {public: {unit: bytes}}}", "user_metadata.limits.public"),
            ("email: {max_length: 5}", "email.max_length"),
            ("database: {pool: 0}", "database.pool"),
            ("secrets: {key_management: {algorithm: HS256}}", "secrets.key_management.algorithm"),
            ("secrets: {key_management: {algorithm: none}}", "secrets.key_management.algorithm"),
        ],
    )
    def test_a_value_that_does_not_fit_is_refused_with_its_place(self, file, text, place):
        with pytest.raises(ConfigurationRefused) as refused:
            load(file(text), {})
        assert str(refused.value).startswith(f"{place}: ")
        assert refused.value.code == "configuration_refused"


class TestEnvironment:
    @pytest.mark.parametrize(
        ("name", "text", "path", "value"),
        [
            ("SERVER_PUBLIC_URL", "https://a.example", "server.public.url", "https://a.example"),
            (
                "SERVER_IP_TRUSTED_PROXIES",
                "10.0.0.0/8",
                "server.ip.trusted_proxies",
                ["10.0.0.0/8"],
            ),
            ("SERVER_IP_TRUSTEDPROXIES", "10.0.0.0/8", "server.ip.trusted_proxies", ["10.0.0.0/8"]),
            ("SESSION_ACQUIRE_IP_ADDRESS", "false", "session.acquire_ip_address", False),
            ("SESSION_ACQUIREIPADDRESS", "false", "session.acquire_ip_address", False),
            ("SESSION_ACQUIREUSERAGENT", "0", "session.acquire_user_agent", False),
            ("DATABASE_CONNMAXIDLETIME", "5m", "database.conn_max_idletime", timedelta(minutes=5)),
            ("EMAIL_MAXLENGTH", "100", "email.max_length", 100),
            ("USERNAME_MAXLENGTH", "64", "username.max_length", 64),
            ("LOG_LOGHEALTHANDMETRICS", "T", "log.log_health_and_metrics", True),
            ("SESSION_LIMIT", "0x10", "session.limit", 16),
            ("SESSION_IDLE_TIMEOUT", "0", "session.idle_timeout", timedelta(0)),
            ("USER_METADATA_LIMITS", "torii", "user_metadata.limits", "torii"),
            ("CORS_ALLOW_ORIGINS", " ", "cors.allow_origins", []),
            ("DATABASE_PASSWORD", "word", "database.password", Secret("word")),
            ("SESSION_COOKIE_SAME_SITE", "lax", "session.cookie.same_site", "lax"),
        ],
    )
    def test_a_setting_is_set_by_its_name(self, read, name, text, path, value):
        found = read(**{name: text})
        for key in path.split("."):
            found = getattr(found, key)
        assert found == value

    @pytest.mark.parametrize("text", ["1", "t", "T", "TRUE", "true", "True"])
    def test_spellings_of_true(self, read, text):
        assert read(GRAPHQL_ONLY_PERSISTED=text).graphql.only_persisted is True

    @pytest.mark.parametrize("text", ["0", "f", "F", "FALSE", "false", "False"])
    def test_spellings_of_false(self, read, text):
        assert read(SESSION_COOKIE_HTTP_ONLY=text).session.cookie.http_only is False

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("SESSION_COOKIE_SECURE", "yes"),
            ("SESSION_COOKIE_SECURE", ""),
            ("SESSION_LIMIT", "many"),
            ("SESSION_LIMIT", "1.5"),
        ],
    )
    def test_a_value_that_cannot_be_read_is_refused_with_the_variable(self, read, name, text):
        with pytest.raises(ConfigurationRefused) as refused:
            read(**{name: text})
        assert str(refused.value).startswith(f"{name}: ")

    def test_both_names_may_agree_but_not_differ(self, read):
        assert read(EMAIL_MAX_LENGTH="99", EMAIL_MAXLENGTH="99").email.max_length == 99
        with pytest.raises(ConfigurationRefused) as refused:
            read(EMAIL_MAX_LENGTH="99", EMAIL_MAXLENGTH="98")
        assert str(refused.value) == "EMAIL_MAX_LENGTH and EMAIL_MAXLENGTH are both set and differ"

    def test_a_variable_goes_where_the_file_has_no_section(self, read):
        assert read("session:", SESSION_COOKIE_NAME="x").session.cookie.name == "x"

    def test_every_setting_but_a_map_has_a_variable(self):
        without = {setting.name for setting in settings() if not setting.variables}
        maps = {name for name in without if "<key>" not in name}
        assert maps == {
            "session.jwt_template.claims",
            "third_party.custom_providers",
        }
        inside = {name.partition(".<key>.")[0] for name in without - maps}
        assert inside == {"third_party.custom_providers"}
        names = [name for setting in settings() for name in setting.variables]
        assert all(re.fullmatch(r"[A-Z0-9_]+", name) for name in names)
        assert len(names) == len(set(names))

    def test_a_map_is_not_read_from_a_variable(self, read):
        """The reference's rule: the variable is there for nobody."""
        claims = read("", SESSION_JWT_TEMPLATE_CLAIMS='{"a": 1}').session.jwt_template.claims
        assert claims == {}

    def test_null_is_a_value_in_claims_and_nowhere_else(self, read):
        config = read("session: {lifespan: null, jwt_template: {claims: {a: null, b: [null]}}}")
        assert config.session.lifespan == Config().session.lifespan
        assert config.session.jwt_template.claims == {"a": None, "b": [None]}


class TestSecrets:
    CONFIG = Config(
        secret_keys=[Secret(SECRET)], database=Database(url=Secret(f"postgres://me:{SECRET}@h/d"))
    )

    def test_a_secret_shows_itself_nowhere(self):
        """SEC-116"""
        for shown in (
            repr(self.CONFIG),
            str(self.CONFIG),
            f"{self.CONFIG}",
            repr(self.CONFIG.secret_keys),
            str(self.CONFIG.secret_keys[0]),
            format(self.CONFIG.secret_keys[0]),
            repr([self.CONFIG.secret_keys[0], self.CONFIG.database]),
            json.dumps(show(self.CONFIG)),
        ):
            assert SECRET not in shown

    def test_a_secret_is_not_written_by_a_printer_that_does_not_know_it(self):
        for write in (msgspec.json.encode, json.dumps):
            with pytest.raises((TypeError, NotImplementedError)):
                write(self.CONFIG.secret_keys[0])
        with pytest.raises(TypeError):
            vars(self.CONFIG.secret_keys[0])

    def test_one_can_see_whether_there_is_one(self):
        assert (str(Secret("")), repr(Secret(""))) == ("", "Secret(empty)")
        assert show(self.CONFIG)["secret_keys"] == ["********"]
        assert show(Config())["database"]["url"] == ""

    def test_secrets_are_equal_by_what_they_are(self):
        assert Secret("a") == Secret("a")
        assert Secret("a") != Secret("b")
        assert Secret("a") != "a"
        assert len({Secret("a"), Secret("a"), Secret("b")}) == 2

    def test_a_refusal_does_not_quote_a_secret(self, read):
        """SEC-116"""
        for text, variables in (
            ("secret_keys: [SHORTSECRET]", {}),
            ("secret_keys: {a: SHORTSECRET}", {}),
            ("secret_keys: SHORTSECRET", {}),
            ("database: {password: [SHORTSECRET]}", {}),
            ("", {"SECRET_KEYS": "SHORTSECRET"}),
        ):
            with pytest.raises(ConfigurationRefused) as refused:
                read(text, **variables)
            assert "SHORTSECRET" not in str(refused.value)
            assert refused.value.__cause__ is None


class TestShow:
    def test_what_is_shown_can_be_read_back(self, read):
        config = read(
            "session: {lifespan: 90m, idle_timeout: 1500ms}", USER_METADATA_LIMITS="torii"
        )
        shown = show(config)
        assert shown["session"]["lifespan"] == "90m"
        assert convert(shown) == config


class TestReference:
    def test_every_setting_says_what_it_is_for(self):
        for setting in settings():
            assert re.fullmatch(r"\S.*[.:]", setting.description, re.DOTALL), setting.name

    def test_every_section_says_what_it_is_about(self):
        def sections(kind=Config):
            yield kind
            for field in msgspec.structs.fields(kind):
                if isinstance(field.type, type) and issubclass(field.type, Section):
                    yield from sections(field.type)

        for section in sections():
            assert section.__doc__

    def test_settings_come_with_their_defaults_and_names(self):
        by_name = {setting.name: setting for setting in settings()}
        assert by_name["session.limit"].default == 5
        assert by_name["session.lifespan"].default == Duration(hours=12)
        assert by_name["cors.allow_origins"].default == []
        assert by_name["email.max_length"].variables == ("EMAIL_MAX_LENGTH", "EMAIL_MAXLENGTH")
        assert by_name["environment"].path == ("environment",)
        assert len(by_name) == len(list(settings()))

    def test_the_json_schema_describes_the_file(self):
        described = json.loads(json.dumps(schema()))
        sections = described["$defs"]
        config = sections["Config"]
        assert config["additionalProperties"] is False
        assert set(config["properties"]) == {f.name for f in msgspec.structs.fields(Config)}
        assert config["properties"]["secret_keys"]["items"] == {"type": "string", "writeOnly": True}
        lifespan = sections["Session"]["properties"]["lifespan"]
        assert lifespan["type"] == "string"
        assert lifespan["description"] == (
            "How long a session lives, and its token where that is not shorter."
        )
        assert sections["Session"]["properties"]["limit"]["minimum"] == 1


class TestCaps:
    def test_the_two_rule_sets_are_the_documented_ones(self):
        """SEC-007"""
        assert {HANKO_LIMITS.public, HANKO_LIMITS.private, HANKO_LIMITS.unsafe} == {
            BagLimit(max=3000, unit="characters")
        }
        assert (TORII_LIMITS.public, TORII_LIMITS.private, TORII_LIMITS.unsafe) == (
            BagLimit(max=512, unit="bytes"),
            BagLimit(max=4096, unit="bytes"),
            BagLimit(max=512, unit="bytes"),
        )

    def test_a_rule_set_or_a_cap_for_each_bag_is_chosen(self, read):
        assert read().user_metadata.caps() == HANKO_LIMITS
        assert read(USER_METADATA_LIMITS="torii").user_metadata.caps() == TORII_LIMITS
        own = read("user_metadata: {limits: {private: {max: 9000, unit: bytes}}}")
        assert own.user_metadata.caps().private == BagLimit(max=9000, unit="bytes")
        assert own.user_metadata.caps().public == HANKO_LIMITS.public
