"""What a user signs in with, as `User` shows it, finds users by it, and what `server` offers."""

import json

import msgspec
import pytest
from credentials.authenticator import AAGUID, Authenticator
from credentials.ceremonies import passkey_of
from faces.clients import Face
from factories import make_identity, make_key, make_session, make_user, reconfigured
from flows.people import PASSWORD, with_totp

from app.access import SYSTEM
from app.access import Actor as Caller
from app.config.sections import AccountRules, Email, Mfa, Passkey, Password, Username
from app.ids import new_id
from app.persistence import fetch

PASSKEY = """id name kind aaguid transports isBackupEligible isBackedUp createdAt lastUsedAt"""
FIELDS = f"""
  passkeys {{ {PASSKEY} }} securityKeys {{ {PASSKEY} }} password {{ changedAt }}
  mfa {{ totp {{ createdAt }} recoveryCodesLeft }}
  trustedDevices {{ id userAgent createdAt expiresAt isCurrent }}"""
ME = f"{{ me {{ {FIELDS} }} }}"
USER = f"query ($id: ID!) {{ user(by: {{id: $id}}) {{ {FIELDS} }} }}"
TABLES = ("webauthn_credential", "user_password", "user_totp", "recovery_code", "trusted_device")
GUARDED = {
    "passkeys": "passkeys { id }",
    "securityKeys": "securityKeys { id }",
    "password": "password { changedAt }",
    "mfa": "mfa { recoveryCodesLeft }",
    "trustedDevices": "trustedDevices { id }",
}
_SAME = """user_id, public_key, sign_count, aaguid, attestation_type, transports,
is_backup_eligible, is_backed_up, is_mfa_only, name, created_at, last_used_at"""
COPY = f"""INSERT INTO webauthn_credential (id, credential_id, {_SAME})
SELECT $1, $2, {_SAME} FROM webauthn_credential WHERE id = $3"""
COPY_EMAIL = """INSERT INTO email (id, address, address_key, user_id, is_primary, is_verified,
created_at, updated_at) SELECT $1, $2, $2, user_id, FALSE, TRUE, created_at, updated_at
FROM email WHERE user_id = $3 AND is_primary"""
COPY_IDENTITY = """INSERT INTO identity (id, subject, user_id, email_id, provider, issuer, claims,
created_at, updated_at, last_sign_in_at) SELECT $1, $2, user_id, email_id, provider, issuer, claims,
created_at, updated_at, last_sign_in_at FROM identity WHERE id = $3"""
SERVER = """{ server { methods identifiers secondFactors allowsSignUp passkeyLimit securityKeyLimit
  password { minLength isRecoverable } } }"""


async def equipped(services, **given):
    """A user with one of everything, but two recovery codes fewer."""
    user = await make_user(services, **given)
    await passkey_of(services, user.id, Authenticator())
    await passkey_of(services, user.id, Authenticator(), "security_key")
    await services.passwords.set(SYSTEM, user.id, PASSWORD)
    await with_totp(services, user)
    codes = await services.recovery_codes.generate(SYSTEM, user.id)
    for code in codes[:2]:
        await services.recovery_codes.redeem(SYSTEM, user.id, code)
    return user


@pytest.fixture
async def ada(services):
    return await equipped(services)


@pytest.fixture
async def token(services, ada):
    return (await make_session(services, ada)).token


def stamp(moment):
    return moment.isoformat().replace("+00:00", "Z")


class TestOwn:
    async def test_a_user_sees_what_they_sign_in_with(self, services, public, ada, token, clock):
        answer = await public.gql(ME, token=token)
        assert "errors" not in answer
        me = answer["data"]["me"]
        passkey, key = await services.passkeys.list(ada.id)
        assert me["passkeys"] == [
            {
                "id": passkey.credential_id,
                "name": passkey.name,
                "kind": "PASSKEY",
                "aaguid": str(passkey.aaguid),
                "transports": list(passkey.transports),
                "isBackupEligible": passkey.is_backup_eligible,
                "isBackedUp": passkey.is_backed_up,
                "createdAt": stamp(passkey.created_at),
                "lastUsedAt": stamp(passkey.last_used_at),
            }
        ]
        assert passkey.aaguid.bytes == AAGUID
        assert sorted(passkey.transports) == ["hybrid", "internal"]
        assert [(one["id"], one["kind"]) for one in me["securityKeys"]] == [
            (key.credential_id, "SECURITY_KEY")
        ]
        now = stamp(clock())
        assert me["password"] == {"changedAt": now}
        assert me["mfa"] == {"totp": {"createdAt": now}, "recoveryCodesLeft": 8}
        assert me["trustedDevices"] == []

    async def test_who_has_nothing_sees_nothing(self, services, public):
        issued = await make_session(services, await make_user(services))
        answer = await public.gql(ME, token=issued.token)
        assert answer["data"]["me"] == {
            "passkeys": [],
            "securityKeys": [],
            "password": None,
            "mfa": {"totp": None, "recoveryCodesLeft": 0},
            "trustedDevices": [],
        }

    async def test_a_trusted_browser_knows_itself(self, services, public, ada, token, clock):
        """SEC-059: what has ended is not shown, and of the token itself nothing is."""
        actor = Caller()
        cookie = await services.trusted_devices.issue(actor, ada.id)
        clock.advance(seconds=1)
        await services.trusted_devices.issue(actor, ada.id)
        name = services.config.mfa.device_trust_cookie_name
        headers = {"cookie": f"{name}={cookie}"}
        answer = await public.gql(ME, token=token, headers=headers)
        devices = answer["data"]["me"]["trustedDevices"]
        assert [one["isCurrent"] for one in devices] == [False, True]
        assert cookie not in json.dumps(answer)
        newest, oldest = await services.trusted_devices.of(ada.id)
        assert [one["id"] for one in devices] == [str(newest.id), str(oldest.id)]
        assert devices[1]["expiresAt"] == stamp(oldest.expires_at)
        clock.advance(seconds=services.config.mfa.device_trust_duration.total_seconds() - 0.5)
        fresh = await make_session(services, ada)
        answer = await public.gql(ME, token=fresh.token)
        assert [one["id"] for one in answer["data"]["me"]["trustedDevices"]] == [str(newest.id)]

    async def test_every_id_that_a_change_takes_is_one_that_a_question_gives(
        self, services, public, ada, token
    ):
        await services.trusted_devices.issue(Caller(), ada.id)
        me = (await public.gql(ME, token=token))["data"]["me"]
        mutation = """mutation ($passkey: ID!, $device: ID!) {
          renamePasskey(credentialId: $passkey, input: {name: "Phone"}) {
            passkey { id name aaguid } userErrors { code } }
          forgetTrustedDevice(deviceId: $device) { deletedId userErrors { code } }
          deletePasskey(credentialId: $passkey) { deletedId userErrors { code } } }"""
        given = {"passkey": me["passkeys"][0]["id"], "device": me["trustedDevices"][0]["id"]}
        answer = await public.gql(mutation, given, token=token)
        assert "errors" not in answer
        assert all(payload["userErrors"] == [] for payload in answer["data"].values())
        me = (await public.gql(ME, token=token))["data"]["me"]
        assert (me["passkeys"], me["trustedDevices"]) == ([], [])
        assert len(me["securityKeys"]) == 1

    async def test_a_payload_shows_what_the_change_has_left(self, services, public, ada, token):
        """What was loaded before a change is not shown after it."""
        mutation = """mutation ($input: SetPasswordInput!) {
          setPassword(input: $input) { user { mfa { totp { createdAt } } } }
          deleteTotp { user { mfa { totp { createdAt } recoveryCodesLeft } } } }"""
        given = {"input": {"password": "a lantern on the stairs"}}
        answer = await public.gql(mutation, given, token=token)
        before, after = (payload["user"]["mfa"] for payload in answer["data"].values())
        assert before["totp"] is not None
        assert after == {"totp": None, "recoveryCodesLeft": 8}

    async def test_a_list_is_bounded_whatever_was_imported_sec_098(
        self, services, public, ada, token
    ):
        passkey, _ = await services.passkeys.list(ada.id)
        identity = await make_identity(services, ada)
        for number in range(120):
            credential_id = passkey.credential_id[:-4] + f"{number:04}"
            await fetch(COPY, new_id(), credential_id, passkey.id)
            await fetch(COPY_EMAIL, new_id(), f"{number}@example.com", ada.id)
            await fetch(COPY_IDENTITY, new_id(), str(number), identity.id)
        question = """{ me { passkeys { id } securityKeys { id } emails { id } identities { id }
          primaryEmail { isPrimary } } }"""
        me = (await public.gql(question, token=token))["data"]["me"]
        assert me.pop("primaryEmail") == {"isPrimary": True}
        lengths = {"passkeys": 100, "securityKeys": 1, "emails": 100, "identities": 100}
        assert {name: len(shown) for name, shown in me.items()} == lengths


class TestWhoMay:
    """SEC-002, SEC-012: the user themself, and a secret key with the scope."""

    async def test_a_key_with_the_scope_sees_what_the_user_sees(
        self, services, admin, public, ada, token
    ):
        key = await make_key(services, "users:read")
        own = (await public.gql(ME, token=token))["data"]["me"]
        answer = await admin.gql(USER, {"id": str(ada.id)}, key=key)
        assert "errors" not in answer
        assert answer["data"]["user"] == own

    @pytest.mark.parametrize("name", GUARDED)
    async def test_a_key_without_the_scope_does_not_by_way_of_a_payload(
        self, services, admin, ada, name, statements
    ):
        """SEC-015: nothing of it is read either."""
        key = await make_key(services, "users:write", "users.metadata:write")
        mutation = f"""mutation ($id: ID!) {{ updateUser(userId: $id, input: {{name: "Ada"}}) {{
          user {{ {GUARDED[name]} }} userErrors {{ code }} }} }}"""
        for cookie in (None, await _other(services)):
            statements.clear()
            answer = await admin.gql(mutation, {"id": str(ada.id)}, key=key, cookie=cookie)
            assert answer["data"]["updateUser"]["userErrors"] == []
            (error,) = answer["errors"]
            assert error["path"] == ["updateUser", "user", name]
            assert error["extensions"]["code"] == "FORBIDDEN"
            assert error["extensions"]["requiredScopes"] == ["users:read"]
            assert not (answer["data"]["updateUser"]["user"] or {}).get(name)
            assert not [sql for sql in statements if any(table in sql for table in TABLES)]

    async def test_nothing_secret_of_them_is_told_sec_017(
        self, services, admin, public, ada, token
    ):
        key = await make_key(services)
        secrets = set()
        for table, column in (
            ("user_password", "hash"),
            ("user_totp", "sealed_secret"),
            ("user_recovery_code", "digest"),
            ("webauthn_credential", "public_key"),
        ):
            secrets |= {row[column] for row in await fetch(f"SELECT {column} FROM {table}")}
        for answer in (
            await public.ask(ME, token=token),
            await admin.ask(USER, {"id": str(ada.id)}, key=key),
        ):
            assert not [secret for secret in secrets if secret in answer.text]


async def _other(services):
    return (await make_session(services, await make_user(services))).token


async def test_a_page_of_users_is_read_in_a_constant_number_of_statements(
    services, admin, statements
):
    key = await make_key(services, "users:read")
    question = """{ users(first: 100) { nodes { emails { address } passkeys { name }
      publicMetadata } } }"""
    everything = f"{{ users(first: 100) {{ nodes {{ id {FIELDS} }} }} }}"
    counts = {}
    await admin.gql(question, key=key)  # the key's first use is noted
    for number in (1, 4):
        while len(await fetch("SELECT id FROM app_user")) < number:
            await equipped(services)
        for document in (question, everything):
            statements.clear()
            answer = await admin.gql(document, key=key)
            assert "errors" not in answer
            nodes = answer["data"]["users"]["nodes"]
            assert len(nodes) == number
            assert all(len(node["passkeys"]) == 1 for node in nodes)
            counts.setdefault(document, set()).add(len(statements))
    assert counts[question] == {5}
    assert {len(found) for found in counts.values()} == {1}


async def test_what_is_asked_of_each_user_of_a_page_counts_as_often_sec_095(services, admin):
    key = await make_key(services, "users:read")
    one = "passkeys { id name } mfa { totp { createdAt } }"
    answer = await admin.gql(f"{{ users(first: 100) {{ nodes {{ {one} }} }} }}", key=key)
    assert answer["extensions"]["cost"] == 1 + 100 * (1 + 3 + 3)
    many = " ".join(f"a{number}: securityKeys {{ {PASSKEY} }}" for number in range(12))
    answer = await admin.gql(f"{{ users(first: 100) {{ nodes {{ {many} }} }} }}", key=key)
    assert answer["errors"][0]["extensions"]["code"] == "QUERY_TOO_EXPENSIVE"


class TestFilters:
    """Users by what they sign in with (SEC-098)."""

    @pytest.mark.parametrize(
        ("wanted", "names"),
        [
            ({"hasPassword": True}, "ap"),
            ({"hasPassword": False}, "kt"),
            ({"hasPasskey": True}, "ak"),
            ({"hasPasskey": False}, "pt"),
            ({"hasTotp": True}, "at"),
            ({"hasTotp": False}, "kp"),
            ({"hasTotp": None}, "akpt"),
            ({"hasPassword": True, "hasPasskey": True}, "a"),
            ({"hasPassword": False, "hasPasskey": False}, "t"),
            ({"not": {"hasPasskey": True}}, "pt"),
            ({"or": [{"hasTotp": True}, {"hasPassword": True}]}, "apt"),
            ({"hasPasskey": True, "search": "k"}, "k"),
        ],
        ids=str,
    )
    async def test_a_part_holds_where_it_says(self, services, admin, wanted, names):
        key = await make_key(services, "users:read")
        users = {
            name: await make_user(services, name=name, email=f"{name}@example.com")
            for name in "kpt"
        }
        await equipped(services, name="a", email="a@example.com")
        await passkey_of(services, users["k"].id, Authenticator())
        await services.passwords.set(SYSTEM, users["p"].id, PASSWORD)
        await passkey_of(services, users["p"].id, Authenticator(), "security_key")
        await with_totp(services, users["t"])
        question = "query ($f: UserFilter) { users(filter: $f) { nodes { name } } }"
        answer = await admin.gql(question, {"f": wanted}, key=key)
        assert "errors" not in answer
        found = answer["data"]["users"]["nodes"]
        assert "".join(sorted(node["name"] for node in found)) == names

    @pytest.mark.parametrize("bad", ["yes", 1, [True], {}])
    async def test_what_is_no_boolean_is_refused(self, services, admin, bad):
        key = await make_key(services, "users:read")
        question = "query ($f: UserFilter) { users(filter: $f) { nodes { name } } }"
        answer = await admin.gql(question, {"f": {"hasPasskey": bad}}, key=key)
        assert answer["errors"][0]["extensions"]["code"] == "BAD_REQUEST"
        assert "data" not in answer or answer["data"] is None


@pytest.mark.one_database
class TestServer:
    async def test_anybody_may_know_how_one_signs_in(self, services, public):
        answer = await public.gql(SERVER)
        assert answer["data"]["server"] == {
            "methods": ["PASSKEY", "PASSWORD", "PASSCODE"],
            "identifiers": ["EMAIL"],
            "secondFactors": ["TOTP", "SECURITY_KEY"],
            "allowsSignUp": True,
            "passkeyLimit": services.config.passkey.limit,
            "securityKeyLimit": services.config.mfa.security_keys.limit,
            "password": {"minLength": 8, "isRecoverable": True},
        }

    @pytest.mark.parametrize(
        ("changes", "shown"),
        [
            ({"passkey": Passkey(enabled=False)}, {"methods": ["PASSWORD", "PASSCODE"]}),
            (
                {"password": Password(enabled=False)},
                {"methods": ["PASSKEY", "PASSCODE"], "password": None},
            ),
            (
                {"email": Email(use_for_authentication=False)},
                {"methods": ["PASSKEY", "PASSWORD"]},
            ),
            (
                {"email": Email(enabled=False), "username": Username(enabled=True)},
                {
                    "methods": ["PASSKEY", "PASSWORD"],
                    "identifiers": ["USERNAME"],
                    "password": {"minLength": 8, "isRecoverable": False},
                },
            ),
            (
                {"email": Email(use_as_login_identifier=False)},
                {"methods": ["PASSKEY"], "identifiers": []},
            ),
            ({"mfa": Mfa(enabled=False)}, {"secondFactors": []}),
            ({"account": AccountRules(allow_signup=False)}, {"allowsSignUp": False}),
            (
                {"password": Password(recovery=False, min_length=15)},
                {"password": {"minLength": 15, "isRecoverable": False}},
            ),
        ],
        ids=str,
    )
    async def test_it_says_what_is_configured(self, services, changes, shown):
        others = await reconfigured(services, **changes)
        found = (await Face(others, "public").gql(SERVER))["data"]["server"]
        assert {name: found[name] for name in shown} == shown

    async def test_a_saml_provider_is_a_way_in(self, services):
        saml = msgspec.structs.replace(services.config.saml, enabled=True)
        others = await reconfigured(services, saml=saml)
        found = (await Face(others, "public").gql(SERVER))["data"]["server"]
        assert "PROVIDER" in found["methods"]
