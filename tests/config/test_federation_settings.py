"""The settings of signing in elsewhere: what is read, and what cannot be meant."""

import copy

import pytest
import yaml

from app.config import ConfigurationRefused, load, show

TENANT = "11111111-2222-3333-4444-555555555555"
CUSTOM = {
    "enabled": True,
    "display_name": "Corporate SSO",
    "client_id": "corp-client",
    "secret": "SECRETWORD",
    "use_discovery": True,
    "issuer": "https://sso.corp.example",
    "scopes": ["openid", "email"],
}
PLAIN = {
    "enabled": True,
    "display_name": "Forum",
    "client_id": "forum-client",
    "secret": "SECRETWORD",
    "authorization_endpoint": "https://forum.example/oauth/authorize",
    "token_endpoint": "https://forum.example/oauth/token",
    "userinfo_endpoint": "https://forum.example/api/me",
    "scopes": ["profile"],
    "attribute_mapping": {"sub": "user.id"},
}
KEYED = {
    **{name: value for name, value in PLAIN.items() if name != "userinfo_endpoint"},
    "issuer": "https://forum.example",
    "jwks_uri": "https://forum.example/keys",
    "scopes": ["openid"],
}
GOOD = {
    "redirect_url": "https://auth.example.com/thirdparty/callback",
    "error_redirect_url": "https://app.example.com/login",
    "default_redirect_url": "https://app.example.com/home",
    "allowed_redirect_urls": [
        "https://app.example.com",
        "https://*.example.com/**",
        "myapp://back",
    ],
    "providers": {"google": {"enabled": True, "client_id": "g", "secret": "SECRETWORD"}},
    "custom_providers": {"corp": CUSTOM, "Forum": PLAIN},
}


@pytest.fixture
def read(tmp_path):
    """Reads the good settings with some of them changed, and variables."""

    def make(*changes: tuple[str, object], given: dict = GOOD, **variables: str):
        values = copy.deepcopy(given)
        for path, value in changes:
            node = values
            *above, last = path.split(".")
            for name in above:
                node = node.setdefault(name, {})
            node[last] = value
        file = tmp_path / "config.yaml"
        file.write_text(yaml.safe_dump({"third_party": values}))
        return load(file, variables)

    return make


class TestReading:
    def test_the_file_of_the_reference_product_is_read(self, read):
        settings = read().third_party
        assert settings.enabled_providers() == ["google", "custom_corp", "custom_forum"]
        assert settings.custom_providers["corp"].is_oidc
        assert not settings.custom_providers["Forum"].is_oidc

    def test_a_provider_whose_keys_are_named_is_one_of_openid_connect_sec_077(self, read):
        settings = read(("custom_providers.forum", KEYED), given={**GOOD, "custom_providers": {}})
        assert settings.third_party.custom_providers["forum"].is_oidc

    def test_each_provider_may_have_a_callback_of_its_own_sec_079(self, read):
        shared = "https://a.example/thirdparty/callback"
        settings = read(("redirect_url", shared + "/{provider}")).third_party
        assert settings.has_own_callbacks
        assert settings.callback_of("custom_corp") == f"{shared}/custom_corp"
        settings = read(("redirect_url", shared)).third_party
        assert not settings.has_own_callbacks
        assert settings.callback_of("custom_corp") == shared

    def test_the_defaults_are_the_documented_ones(self, read):
        settings = read(given={}).third_party
        assert settings.enabled_providers() == []
        assert settings.providers.google.allow_linking
        custom = read(("custom_providers.x", {}), given={}).third_party.custom_providers["x"]
        assert (custom.enabled, custom.allow_linking, custom.use_discovery) == (False, False, False)

    @pytest.mark.parametrize(
        "name", ["APPLE", "DISCORD", "GITHUB", "GOOGLE", "LINKEDIN", "MICROSOFT", "FACEBOOK"]
    )
    def test_built_in_providers_are_set_by_variables(self, read, name):
        given = {"CLIENT_ID": "id", "SECRET": "word", "ALLOW_LINKING": "false", "PROMPT": "login"}
        variables = {f"THIRD_PARTY_PROVIDERS_{name}_{key}": value for key, value in given.items()}
        found = read(given={}, **variables).third_party.providers.by_name()[name.lower()]
        assert (found.client_id, found.secret.reveal()) == ("id", "word")
        assert (found.allow_linking, found.prompt, found.enabled) == (False, "login", False)

    def test_the_lists_and_urls_are_set_by_variables(self, read):
        config = read(
            given={},
            THIRD_PARTY_REDIRECT_URL="https://a.example/x",
            THIRD_PARTY_ERROR_REDIRECT_URL="https://a.example/e",
            THIRD_PARTY_DEFAULT_REDIRECT_URL="https://a.example/d",
            THIRD_PARTY_ALLOWED_REDIRECT_URLS="https://a.example,https://b.example/**",
            OUTBOUND_ALLOWED_NETWORKS="10.0.0.0/8",
        )
        assert config.third_party.allowed_redirect_urls[1] == "https://b.example/**"
        assert config.outbound.allowed_networks == ["10.0.0.0/8"]

    def test_no_secret_of_a_provider_is_shown_sec_017(self, read):
        config = read(("providers.apple.private_key", "SECRETWORD"))
        assert "SECRETWORD" not in str(show(config)) + repr(config)

    def test_no_refusal_quotes_a_secret_sec_116(self, read):
        with pytest.raises(ConfigurationRefused) as refused:
            read(("custom_providers.corp.client_id", ""))
        assert "SECRETWORD" not in str(refused.value)


class TestContradictions:
    @pytest.mark.parametrize(
        ("path", "value", "words"),
        [
            ("redirect_url", "", "redirect_url must be"),
            ("redirect_url", "/thirdparty/callback", "redirect_url must be"),
            ("redirect_url", "https://[::1/callback", "redirect_url must be"),
            ("redirect_url", "https://me@a.example/x", "redirect_url must be"),
            ("redirect_url", "https://a.example/x#y", "redirect_url must be"),
            ("redirect_url", "https://{provider}.a.example/x", "{provider} at its end"),
            ("redirect_url", "https://a.example/{provider}/x", "{provider} at its end"),
            ("redirect_url", "https://a.example/x/{name}", "{provider} at its end"),
            ("error_redirect_url", "", "error_redirect_url must be"),
            ("error_redirect_url", "javascript:alert(1)", "error_redirect_url must be"),
            ("error_redirect_url", "https://a.example/", "must not end with /"),
            ("default_redirect_url", "nowhere", "default_redirect_url must be"),
            ("default_redirect_url", "https://a.example/", "must not end with /"),
            (
                "default_redirect_url",
                "https://a.example/home",
                "allowed_redirect_urls has to allow it",
            ),
            ("default_redirect_url", "https://evil.example.com.a.example", "has to allow it"),
            ("allowed_redirect_urls", ["https://app.example.com"], "has to allow it"),
            ("allowed_redirect_urls", [], "needs at least one"),
            ("allowed_redirect_urls", ["https://a.example/"], "must not end with /"),
            ("providers.google.client_id", "", "needs client_id and secret"),
            ("providers.google.secret", "", "needs client_id and secret"),
            ("providers.apple.enabled", True, "providers.apple needs client_id and secret"),
            ("providers.microsoft.tenants", ["common"], "'common' is no tenant id"),
            ("custom_providers.corp.display_name", "", "needs display_name"),
            ("custom_providers.corp.display_name", "a\u202eb", "control characters"),
            ("custom_providers.corp.client_id", "", "needs client_id"),
            ("custom_providers.corp.secret", "", "needs secret"),
            ("custom_providers.corp.scopes", [], "needs scopes"),
            ("custom_providers.corp.issuer", "", "needs issuer"),
            ("custom_providers.corp.issuer", "sso.corp.example", "issuer must be"),
            ("custom_providers.Forum.authorization_endpoint", "", "needs authorization_endpoint"),
            ("custom_providers.Forum.token_endpoint", "", "needs token_endpoint"),
            ("custom_providers.Forum.userinfo_endpoint", "", "needs userinfo_endpoint"),
            ("custom_providers.Forum.token_endpoint", "ftp://x.example", "token_endpoint must be"),
            ("custom_providers.Forum", {**KEYED, "issuer": ""}, "Forum needs issuer"),
            ("custom_providers.Forum", {**KEYED, "scopes": ["email"]}, "needs the scope openid"),
            ("custom_providers.Forum", {**KEYED, "jwks_uri": "keys"}, "jwks_uri must be"),
            ("custom_providers.Forum", {**KEYED, "token_endpoint": ""}, "needs token_endpoint"),
            ("custom_providers.Forum", {**KEYED, "userinfo_endpoint": "x"}, "userinfo_endpoint m"),
            ("custom_providers.corp.jwks_uri", "https://x.example/keys", "without use_discovery"),
            ("custom_providers.Forum.attribute_mapping", {"sub": ""}, "dotted path"),
            ("custom_providers.Forum.attribute_mapping", {"sub": "a..b"}, "dotted path"),
            ("custom_providers.Forum.attribute_mapping", {"a b": "c"}, "dotted path"),
            ("custom_providers.forum", PLAIN, "the same in lower case"),
            ("custom_providers.a b", PLAIN, "a key is made of"),
        ],
    )
    def test_what_cannot_be_meant_is_refused(self, read, path, value, words):
        with pytest.raises(ConfigurationRefused) as refused:
            read((path, value))
        assert words in str(refused.value)
        assert str(refused.value).startswith("third_party.")

    @pytest.mark.parametrize(
        "pattern",
        [
            *("", "app.example.com", "https://", "//a.example", "https://a.example/ x"),
            *("https://a.example/[", "https://a.example/]", "https://a.example/{a,b"),
            "https://a.example/\\",
        ],
    )
    def test_a_pattern_that_is_none_is_refused_though_nothing_is_on_sec_082(self, read, pattern):
        with pytest.raises(ConfigurationRefused, match="is no URL pattern"):
            read(("allowed_redirect_urls", [pattern]), given={})

    @pytest.mark.parametrize(
        "pattern",
        [
            *("https://a.example/{x,y}", "https://a.example/[!a-c]", "http://localhost:8888**"),
            *("https://**.example.com/**", "myapp://callback", "http://[::1]:8080/**"),
            "https://a/\\*",
        ],
    )
    def test_a_pattern_is_accepted(self, read, pattern):
        read(("allowed_redirect_urls", [pattern]), ("default_redirect_url", ""))

    @pytest.mark.parametrize(
        "target",
        [
            *("", "https://app.example.com", "https://app.example.com/home"),
            *("https://one.example.com/a/b?c=d", "https://elsewhere.example/errors"),
        ],
    )
    def test_a_target_that_is_allowed_stands_where_none_is_asked_for_sec_082(self, read, target):
        """The page of errors is allowed without being on the list."""
        error = ("error_redirect_url", "https://elsewhere.example/errors")
        settings = read(error, ("default_redirect_url", target)).third_party
        assert settings.default_redirect_url == target

    def test_a_target_that_is_not_allowed_is_let_be_while_no_provider_is_on(self, read):
        read(given={"default_redirect_url": "https://a.example/home"})

    def test_what_is_off_is_not_looked_at(self, read):
        read(given={"providers": {"google": {"client_id": "x"}}, "custom_providers": {"x": {}}})

    def test_apple_may_have_what_its_secret_is_made_of_in_place_of_one(self, read):
        own = {"client_id": "a", "team_id": "T", "key_id": "K", "private_key": "P"}
        read(("providers.apple", {"enabled": True} | own))
        for missing in ("team_id", "key_id", "private_key", "client_id"):
            with pytest.raises(ConfigurationRefused):
                read(("providers.apple", {"enabled": True} | own | {missing: ""}))

    def test_endpoints_are_https_in_production_unless_a_network_is_allowed_sec_083(self, read):
        production = {
            "ENVIRONMENT": "production",
            "SECRET_KEYS": "a-random-text-of-my-own-0001",
            "SERVER_PUBLIC_URL": "https://id.example.com",
            "EMAIL_DELIVERY_SMTP_HOST": "mail.example.com",
        }
        plain = ("custom_providers.corp.issuer", "http://idp.internal")
        read(plain)
        with pytest.raises(ConfigurationRefused, match="issuer must be an absolute https URL"):
            read(plain, **production)
        read(plain, OUTBOUND_ALLOWED_NETWORKS="10.0.0.0/8", **production)

    @pytest.mark.parametrize("entry", ["x", "10.0.0.0/33", "10.0.0.1/8", ""])
    def test_a_network_is_a_range_of_addresses_sec_083(self, read, entry):
        with pytest.raises(ConfigurationRefused, match=r"outbound\.allowed_networks"):
            read(given={}, OUTBOUND_ALLOWED_NETWORKS=f"127.0.0.0/8,{entry}")

    def test_a_deployment_that_nobody_could_enter_is_refused(self, read):
        shut = {
            "PASSKEY_ENABLED": "false",
            "PASSWORD_ENABLED": "false",
            "EMAIL_USE_FOR_AUTHENTICATION": "false",
        }
        with pytest.raises(ConfigurationRefused, match="nobody could sign in"):
            read(given={}, **shut)
        read(**shut)
        for name in shut:
            read(given={}, **{key: value for key, value in shut.items() if key != name})
