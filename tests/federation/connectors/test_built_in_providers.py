"""What each provider has of its own."""

import hashlib
import hmac
import json
from urllib.parse import parse_qsl, urlsplit

import jwt
import pytest
from federation.connectors.conftest import START
from federation.connectors.doubles import (
    ACCESS_TOKEN,
    CLIENT_ID,
    EMAIL,
    SECRET,
    TENANT,
    ec_key,
    jwk_of,
    pem_of,
    rsa_key,
)
from federation.connectors.loopback import Reply

from app.config.load import convert
from app.config.sections import Config
from app.federation.connectors import Connectors
from app.federation.discovery import metadata_of
from app.federation.errors import (
    CodeNotExchanged,
    IssuerMismatch,
    ProviderDisabled,
    ProviderUnknown,
    ProviderUnreachable,
    UserDataUnusable,
)
from app.federation.microsoft import metadata_for

OTHER_TENANT = "99999999-2222-3333-4444-555555555555"


def query_of(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query))


class TestMicrosoft:
    @pytest.mark.parametrize("value", [None, False, "false", "0", 0, "", "yes", [], [True], {}])
    async def test_an_address_of_an_unproved_domain_is_not_verified_sec_078(self, meet, value):
        meeting = await meet("microsoft")
        meeting.double.claims |= {"xms_edov": value, "email_verified": True}
        if value is None:
            del meeting.double.claims["xms_edov"]
        found = await meeting.identify()
        assert (found.email, found.email_verified) == (EMAIL, False)

    @pytest.mark.parametrize("value", [True, "true", "1", 1])
    async def test_an_address_of_a_proved_domain_is_verified_sec_078(self, meet, value):
        meeting = await meet("microsoft")
        meeting.double.claims["xms_edov"] = value
        assert (await meeting.identify()).email_verified

    async def test_a_upn_is_an_address_at_most_and_never_verified_sec_078(self, meet):
        meeting = await meet("microsoft")
        meeting.double.claims |= {"upn": "victim@example.com"}
        assert (await meeting.identify()).email == EMAIL
        del meeting.double.claims["email"]
        found = await meeting.identify()
        assert (found.email, found.email_verified) == ("victim@example.com", False)

    async def test_a_token_of_a_tenant_that_is_not_listed_is_refused_sec_078(self, meet):
        meeting = await meet("microsoft", tenants=[OTHER_TENANT.upper(), TENANT])
        assert (await meeting.identify()).subject == "person-1"
        only = await meet("microsoft", tenants=[OTHER_TENANT, OTHER_TENANT])
        with pytest.raises(UserDataUnusable):
            await only.identify()

    @pytest.mark.parametrize("tenant", [OTHER_TENANT, "", "common", None, 5, "../x", TENANT + "x"])
    async def test_an_issuer_is_that_of_the_token_s_own_tenant_sec_078(self, meet, tenant):
        meeting = await meet("microsoft")
        meeting.double.claims["tid"] = tenant
        with pytest.raises(UserDataUnusable):
            await meeting.identify()

    async def test_a_key_of_another_tenant_signs_nobody_in_sec_078(self, meet):
        meeting = await meet("microsoft")
        issuer = f"{meeting.server.url}/{OTHER_TENANT}/v2.0"
        meeting.double.keys = [jwk_of(rsa_key(), issuer=issuer)]
        with pytest.raises(UserDataUnusable):
            await meeting.identify()

    async def test_an_answer_names_the_tenant_of_the_token_or_none_sec_079(self, meet):
        meeting = await meet("microsoft")
        issuer = f"{meeting.server.url}/{{}}/v2.0"
        assert (await meeting.identify(issuer=issuer.format(TENANT))).subject == "person-1"
        for tenant in (OTHER_TENANT, "common", "", "{tenantid}", f"{TENANT}/x"):
            with pytest.raises(IssuerMismatch):
                await meeting.identify(issuer=issuer.format(tenant))

    async def test_the_only_tenant_is_asked_at_its_own_place(self, meet):
        meeting = await meet("microsoft")
        place = meeting.double.metadata(authorization_endpoint="https://ms.example/common/auth")
        own = metadata_for([TENANT.upper()], place)
        assert own.authorization_endpoint == f"https://ms.example/{TENANT}/auth"
        assert metadata_for([TENANT, OTHER_TENANT], place) == metadata_for([], place) == place


class TestApple:
    async def test_the_answer_comes_by_post_and_the_scopes_are_apart_by_spaces(self, meet):
        url = await (await meet("apple")).start()
        assert query_of(url)["response_mode"] == "form_post"
        assert "scope=name%20email" in url

    async def test_the_name_comes_once_beside_the_code_and_nothing_else_of_it_counts(self, meet):
        meeting = await meet("apple")
        name = {"firstName": " Ada ", "lastName": "Lovelace"}
        user = json.dumps({"name": name, "email": "evil@example.com", "sub": "evil"})
        found = await meeting.identify(user=user)
        names = ("name", "given_name", "family_name")
        assert [found.claims[key] for key in names] == ["Ada Lovelace", "Ada", "Lovelace"]
        assert (found.subject, found.email) == ("person-1", EMAIL)

    @pytest.mark.parametrize(
        "user",
        [
            *(
                "",
                "null",
                "[]",
                "5",
                "{",
                '{"name": 5}',
                '{"name": null}',
                '{"name": []}',
                "\ud800",
            ),
            *('{"name": {"firstName": 5, "lastName": {}}}', '{"name": {"firstName": "a\\u0000"}}'),
            *('{"name": {"firstName": "' + "x" * 200 + '"}}', "x" * 5000, "[" * 4000),
        ],
    )
    async def test_a_name_that_is_none_is_left_out(self, meet, user):
        found = await (await meet("apple")).identify(user=user)
        assert not {"name", "given_name", "family_name"} & found.claims.keys()

    @pytest.mark.parametrize("spelling", [lambda pem: pem, lambda pem: pem.replace("\n", "\\n")])
    async def test_the_secret_is_made_of_the_private_key(self, meet, spelling, clock):
        key = spelling(pem_of(ec_key()))
        own = {"secret": "", "team_id": "TEAM", "key_id": "KEY", "private_key": key}
        meeting = await meet("apple", **own)
        await meeting.identify()
        (asked,) = [one for one in meeting.server.asked if one.path == "/token"]
        secret = asked.form["client_secret"]
        assert jwt.get_unverified_header(secret) == {"alg": "ES256", "kid": "KEY", "typ": "JWT"}
        audience = "https://appleid.apple.com"
        claims = jwt.decode(secret, ec_key().public_key(), ["ES256"], audience=audience)
        assert (claims["iss"], claims["sub"]) == ("TEAM", CLIENT_ID)
        assert 0 < claims["exp"] - claims["iat"] <= 600

    async def test_a_token_that_denies_nonces_needs_one_all_the_same_sec_076(self, meet):
        meeting = await meet("apple")
        meeting.double.claims["nonce_supported"] = False
        del meeting.double.claims["nonce"]
        with pytest.raises(UserDataUnusable):
            await meeting.identify()


class TestGitHub:
    async def test_the_primary_address_counts_and_its_own_verification(self, meet):
        meeting = await meet("github")
        meeting.double.emails[1]["verified"] = False
        found = await meeting.identify()
        assert (found.email, found.email_verified) == (EMAIL, False)
        assert found.claims["preferred_username"] == "ada"
        assert found.claims["picture"] == "https://x.example/a"

    async def test_without_a_primary_address_there_is_none(self, meet):
        meeting = await meet("github")
        meeting.double.emails[1]["primary"] = "true"
        assert (await meeting.identify()).email is None

    @pytest.mark.parametrize("emails", [[], {}, None, "a@example.com", {"primary": True}])
    async def test_a_list_of_addresses_that_is_none_is_refused(self, meet, emails):
        meeting = await meet("github")
        meeting.double.emails = emails
        with pytest.raises(UserDataUnusable):
            await meeting.identify()

    async def test_an_answer_names_the_issuer_that_github_documents_sec_079(self, meet):
        meeting = await meet("github")
        assert (await meeting.identify(issuer=meeting.server.url)).issuer == "https://github.com"

    async def test_refused_codes_come_with_status_200(self, meet):
        meeting = await meet("github")
        refusal = {"error": "bad_verification_code", "error_description": "expired"}
        meeting.server.paths["/token"] = lambda _: Reply(refusal)
        with pytest.raises(CodeNotExchanged):
            await meeting.identify()


class TestDiscordAndFacebook:
    @pytest.mark.parametrize("name", ["discord", "facebook", "google"])
    @pytest.mark.parametrize("email", [None, "", "no address", 5, ["a@example.com"]])
    async def test_without_an_address_nobody_signs_in(self, meet, name, email):
        meeting = await meet(name)
        meeting.double.claims["email"] = email
        if meeting.double.person:
            meeting.double.person["email"] = email
        with pytest.raises(UserDataUnusable):
            await meeting.identify()

    async def test_discord_shows_a_picture_only_where_its_parts_are_plain(self, meet):
        meeting = await meet("discord")
        found = await meeting.identify()
        assert found.claims["picture"] == (
            "https://cdn.discordapp.com/avatars/80351110224678912/"
            "8342729096ea3675442027381ff50dfe.png"
        )
        for avatar in (None, "../../x", "a/b", "", 5):
            meeting.double.person["avatar"] = avatar
            assert "picture" not in (await meeting.identify()).claims

    async def test_discord_s_address_counts_as_discord_says(self, meet):
        meeting = await meet("discord")
        meeting.double.person["verified"] = False
        assert not (await meeting.identify()).email_verified

    async def test_facebook_is_shown_that_we_know_the_secret(self, meet):
        meeting = await meet("facebook")
        found = await meeting.identify()
        asked = meeting.server.asked[-1]
        expected = hmac.new(SECRET.encode(), ACCESS_TOKEN.encode(), hashlib.sha256).hexdigest()
        assert asked.query["appsecret_proof"] == expected
        assert ACCESS_TOKEN not in json.dumps(asked.query)
        assert found.claims["picture"] == "https://x.example/f"
        assert (found.claims["given_name"], found.claims["family_name"]) == ("Ada", "L")


class TestLinkedIn:
    async def test_its_id_tokens_are_not_used_since_they_carry_no_nonce_sec_076(self, meet):
        meeting = await meet("linkedin")
        meeting.double.has_id_token = True
        meeting.double.id_token = "x.y.z"
        found = await meeting.identify()
        assert found.subject == "person-1"
        assert found.claims["locale"] == "en-GB"
        assert found.issuer == "https://www.linkedin.com/oauth"

    @pytest.mark.parametrize("locale", [None, {}, {"language": 5}, [], 5])
    async def test_a_locale_that_is_none_is_left_out(self, meet, locale):
        meeting = await meet("linkedin")
        meeting.double.person["locale"] = locale
        assert "locale" not in (await meeting.identify()).claims


class TestOwnProviders:
    @pytest.mark.parametrize("subject", ["person-2", "", None, 5, ["person-1"]])
    async def test_userinfo_of_another_subject_is_not_used_sec_080(self, meet, subject):
        meeting = await meet("custom_corp")
        meeting.double.person["sub"] = subject
        with pytest.raises(UserDataUnusable):
            await meeting.identify()

    async def test_what_userinfo_says_is_added_sec_080(self, meet):
        meeting = await meet("custom_corp")
        meeting.double.person |= {"iss": "https://evil.example.com", "aud": "evil"}
        found = await meeting.identify()
        assert (found.claims["name"], found.claims["department"]) == ("Ada L", "Engines")
        assert found.issuer == found.claims["iss"] == meeting.server.url

    async def test_an_address_of_userinfo_is_not_verified_by_the_id_token_sec_081(self, meet):
        meeting = await meet("custom_corp")
        meeting.double.person["email"] = "victim@example.com"
        found = await meeting.identify()
        assert (found.email, found.email_verified) == ("victim@example.com", False)

    @pytest.mark.parametrize(
        ("policy", "claim", "expected"),
        [
            ("claim", "true", True),
            ("claim", 0, False),
            ("always", False, True),
            ("never", True, False),
        ],
    )
    @pytest.mark.parametrize("name", ["custom_corp", "custom_forum"])
    async def test_whether_an_address_is_verified_is_a_policy(
        self, meet, name, policy, claim, expected
    ):
        meeting = await meet(name, email_verified=policy)
        meeting.double.person |= {"email": EMAIL, "email_verified": claim}
        assert (await meeting.identify()).email_verified is expected

    async def test_claims_are_renamed_by_their_paths(self, meet):
        meeting = await meet("custom_forum")
        found = await meeting.identify()
        assert (found.subject, found.claims["preferred_username"]) == ("7", "ada")
        assert "login" not in found.claims

    async def test_the_identity_of_plain_oauth_is_the_provider_s_whatever_it_is_called(self, meet):
        found = await (await meet("custom_forum")).identify()
        assert (found.issuer, found.claims["iss"]) == ("custom_forum", "custom_forum")

    @pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
    async def test_the_secret_is_shown_as_the_settings_say(self, meet, method):
        meeting = await meet("custom_corp", token_endpoint_auth_method=method)
        await meeting.identify()
        (asked,) = [one for one in meeting.server.asked if one.path == "/token"]
        assert ("authorization" in asked.headers) == (method == "client_secret_basic")
        assert ("client_secret" in asked.form) == (method == "client_secret_post")

    async def test_what_the_settings_say_is_sent(self, meet):
        own = {"prompt": "login", "acr_values": ["urn:a", "urn:b"], "pkce": False}
        meeting = await meet("custom_corp", **own)
        query = query_of(await meeting.start())
        assert (query["prompt"], query["acr_values"]) == ("login", "urn:a urn:b")
        assert "code_challenge" not in query
        await meeting.identify()
        assert all("code_verifier" not in asked.form for asked in meeting.server.asked)

    async def test_an_issuer_that_is_advertised_has_to_come_sec_079(self, meet):
        meeting = await meet("custom_corp")
        meeting.double.discovery = {"authorization_response_iss_parameter_supported": True}
        with pytest.raises(IssuerMismatch):
            await meeting.identify()
        assert meeting.server.count("/token") == 0
        assert (await meeting.identify(issuer=meeting.server.url)).subject == "person-1"

    async def test_without_openid_an_id_token_is_not_looked_at(self, meet):
        meeting = await meet("custom_corp", scopes=["profile"])
        meeting.double.id_token = "x.y.z"
        meeting.double.person = {"sub": "person-9"}
        found = await meeting.identify()
        assert (found.subject, found.email) == ("person-9", None)


class TestDiscovery:
    @pytest.mark.parametrize("name", ["custom_corp", "linkedin"])
    @pytest.mark.parametrize(
        "document",
        [
            {"issuer": "https://evil.example.com"},
            {"issuer": None},
            {"issuer": ["URL"]},
            {"issuer": "URL/"},
            {"authorization_endpoint": None},
            {"authorization_endpoint": "javascript:alert(1)"},
            {"authorization_endpoint": "//evil.example.com"},
            {"token_endpoint": ""},
            {"token_endpoint": 5},
            {"token_endpoint": "file:///etc/passwd"},
            {"token_endpoint": "https://me:word@example.com/"},
            {"token_endpoint": "https://example.com/#x"},
            {"token_endpoint": "https://exa\nmple.com/"},
            {"token_endpoint": "https://[::1"},
            {"token_endpoint": "https://example.com/" + "x" * 3000},
            {"jwks_uri": None},
            {"jwks_uri": "ftp://example.com/"},
            {"userinfo_endpoint": 5},
        ],
        ids=str,
    )
    async def test_a_document_that_is_not_the_issuer_s_is_refused_sec_083(
        self, meet, name, document
    ):
        meeting = await meet(name)
        url = meeting.server.url
        meeting.double.discovery = {
            key: value.replace("URL", url) if isinstance(value, str) else value
            for key, value in document.items()
        }
        with pytest.raises(ProviderUnreachable):
            await meeting.start()

    async def test_an_https_issuer_has_no_endpoint_without_it_sec_083(self):
        issuer = "https://idp.example.com"
        names = ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint")
        good = {"issuer": issuer, **{name: f"{issuer}/{name}" for name in names}}
        assert metadata_of(good, issuer).jwks_uri == f"{issuer}/jwks_uri"
        for name in names:
            with pytest.raises(ProviderUnreachable):
                metadata_of(good | {name: "http://idp.example.com/"}, issuer)

    async def test_it_is_asked_once_an_hour_and_in_vain_not_again_at_once(self, meet, clock):
        meeting = await meet("custom_corp")
        path = "/.well-known/openid-configuration"
        good = meeting.server.paths[path]
        meeting.server.paths[path] = lambda _: Reply({}, 500)
        with pytest.raises(ProviderUnreachable):
            meeting.connector.authorization_url(None)
        for _ in range(3):
            with pytest.raises(ProviderUnreachable):
                await meeting.start()
        assert meeting.server.count(path) == 1
        meeting.server.paths[path] = good
        clock.advance(seconds=1)
        for _ in range(3):
            await meeting.start()
        assert meeting.server.count(path) == 2
        clock.advance(seconds=3600)
        await meeting.start()
        assert meeting.server.count(path) == 3


class TestConnectors:
    SETTINGS = {  # noqa: RUF012  # a test's own
        "third_party": {
            "redirect_url": "https://id.example.com/thirdparty/callback",
            "providers": {
                name: {"enabled": name != "discord", "client_id": "c", "secret": "s"}
                for name in (
                    "google",
                    "facebook",
                    "apple",
                    "github",
                    "discord",
                    "linkedin",
                    "microsoft",
                )
            },
            "custom_providers": {
                key: {
                    "enabled": on,
                    "display_name": shown,
                    "client_id": "c",
                    "secret": "s",
                    "scopes": ["openid"],
                    "use_discovery": True,
                    "issuer": "https://idp.example.com",
                }
                for key, shown, on in (
                    ("Zeta", "alpha", True),
                    ("b", "Beta", True),
                    ("c", "C", False),
                )
            },
        }
    }

    async def test_they_stand_in_the_order_of_the_page(self, clock):
        connectors = Connectors.of(convert(self.SETTINGS), clock)
        assert [one.id for one in connectors.enabled()] == [
            *("apple", "github", "google", "linkedin", "microsoft", "facebook"),
            *("custom_zeta", "custom_b"),
        ]
        shown = [one.display_name for one in connectors.enabled()]
        assert shown[:3] == ["Apple", "GitHub", "Google"]
        linking = {one.id: one.allow_linking for one in connectors.enabled()}
        assert (linking["google"], linking["custom_b"]) == (True, False)
        await connectors.close()

    async def test_a_provider_that_is_off_is_told_from_one_that_is_none_sec_084(self, clock):
        connectors = Connectors.of(convert(self.SETTINGS), clock)
        assert connectors.get("custom_zeta").provider.id == "custom_zeta"
        for name in ("discord", "custom_c"):
            with pytest.raises(ProviderDisabled):
                connectors.get(name)
        for name in ("", "custom_x", "Zeta", "custom_Zeta", "myspace"):
            with pytest.raises(ProviderUnknown):
                connectors.get(name)
        await connectors.close()

    async def test_without_providers_there_is_nothing_to_close(self, clock):
        connectors = Connectors.of(Config(), clock)
        assert connectors.enabled() == []
        with pytest.raises(ProviderDisabled):
            connectors.get("google")
        await connectors.close()

    async def test_the_known_places_are_https_and_their_scopes_can_be_replaced_sec_083(self, clock):
        settings = json.loads(json.dumps(self.SETTINGS))
        settings["third_party"]["providers"]["google"]["scopes"] = ["email", "calendar"]
        settings["third_party"]["providers"]["google"]["prompt"] = "select_account"
        connectors = Connectors.of(convert(settings), clock)
        for name in ("apple", "github", "google", "microsoft", "facebook"):
            assert connectors.get(name).authorization_url(START).startswith("https://")
        query = query_of(connectors.get("google").authorization_url(START))
        assert query["scope"] == "openid email calendar"
        assert query["prompt"] == "select_account"
        await connectors.close()
