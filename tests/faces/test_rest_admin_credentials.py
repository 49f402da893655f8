"""REST for secret keys: users' passwords, authenticator apps and WebAuthn credentials."""

import asyncio
import logging

import msgspec
import pytest
from credentials.authenticator import Authenticator
from credentials.ceremonies import passkey_of
from faces.admin_endpoints import (
    Endpoint,
    bodies,
    is_not_on_the_public_listener,
    is_whole,
    mailed,
    opens_for_its_scope_alone,
    records,
    refused,
    told,
)
from faces.clients import Face
from factories import NOBODYS_ID, make_key, make_session, make_user, reconfigured
from hypothesis import given, settings

from app.access import SYSTEM
from app.config.sections import Notification, Notifications, SecurityNotifications
from app.credentials.passwords import NoPassword, Verified
from app.credentials.totp import Accepted
from app.persistence import fetch

ADA = "ada.lovelace@example.com"
PASSWORD = "correct horse battery"
OTHER = "another " + PASSWORD
NEW = {"password": PASSWORD}
TELLS = "security_notification_sent"


@pytest.fixture
async def ada(services):
    return await make_user(services, email=ADA)


@pytest.fixture
def password(ada):
    return f"/users/{ada.id}/password"


@pytest.fixture
def otp(ada):
    return f"/users/{ada.id}/otp"


@pytest.fixture
def keys(ada):
    return f"/users/{ada.id}/webauthn_credentials"


def endpoints(user_id, credential_id="Y3JlZA"):
    base = f"/users/{user_id}"
    one = f"{base}/webauthn_credentials/{credential_id}"
    return [
        Endpoint("GET", f"{base}/password", "users:read"),
        Endpoint("POST", f"{base}/password", "users:write", NEW),
        Endpoint("PUT", f"{base}/password", "users:write", NEW),
        Endpoint("DELETE", f"{base}/password", "users:write"),
        Endpoint("GET", f"{base}/otp", "users:read"),
        Endpoint("DELETE", f"{base}/otp", "users:write"),
        Endpoint("GET", f"{base}/webauthn_credentials", "users:read"),
        Endpoint("GET", one, "users:read"),
        Endpoint("DELETE", one, "users:write"),
    ]


async def with_password(services, user):
    await services.passwords.set(SYSTEM, user.id, PASSWORD)


async def with_app(services, user):
    return await services.totp.store(SYSTEM, user.id, "JBSWY3DPEHPK3PXP", Accepted(1))


async def signed_in(services, user):
    """A session and a trusted browser of a user; gives the browser's cookie."""
    await make_session(services, user)
    return await services.trusted_devices.issue(SYSTEM, user.id)


async def opened(services, user, cookie):
    """Whether sessions are left, and whether the browser is still trusted."""
    rows = await fetch("SELECT id FROM user_session WHERE user_id = $1", user.id)
    return bool(rows), await services.trusted_devices.is_trusted(user.id, cookie)


def moment(at):
    return at.isoformat().replace("+00:00", "Z")


class TestWho:
    async def test_each_endpoint_opens_for_its_scope_alone(self, services, admin, ada):
        """SEC-012, SEC-015, SEC-016"""
        await with_password(services, ada)
        for one in endpoints(ada.id):
            await opens_for_its_scope_alone(services, admin, one)

    async def test_the_public_listener_knows_none_of_them(self, services, public, key, ada):
        """SEC-108"""
        await with_password(services, ada)
        await with_app(services, ada)
        for one in endpoints(ada.id):
            await is_not_on_the_public_listener(public, key, one)
        assert isinstance(await services.passwords.verify(ada.id, PASSWORD), Verified)

    async def test_who_is_not_there_is_404(self, admin, key):
        """SEC-099"""
        for nobody in (NOBODYS_ID, "x", NOBODYS_ID.upper(), NOBODYS_ID.replace("-", ""), "%00"):
            for one in endpoints(nobody):
                answer = await admin.call(one.method, one.path, one.body, key=key)
                assert answer.status_code == 404, (one, nobody)
                assert answer.json()["error"]["code"] == "not_found"

    async def test_no_answer_holds_a_hash_or_a_secret(self, services, admin, key, ada):
        """SEC-017"""
        await with_password(services, ada)
        await with_app(services, ada)
        (row,) = await fetch("SELECT hash FROM user_password")
        (app,) = await fetch("SELECT sealed_secret FROM user_totp")
        for one in endpoints(ada.id):
            answer = await admin.call(one.method, one.path, one.body, key=key)
            for secret in (row["hash"], app["sealed_secret"], "JBSWY3DPEHPK3PXP", PASSWORD):
                assert secret not in answer.text


class TestPassword:
    async def test_a_password_is_shown_without_its_hash(self, services, admin, key, ada, password):
        """SEC-017"""
        await with_password(services, ada)
        found = await services.passwords.of(ada.id)
        answer = await admin.get(password, key=key)
        assert answer.status_code == 200
        assert answer.json() == {
            "id": str(found.id),
            "created_at": moment(found.changed_at),
            "updated_at": moment(found.changed_at),
        }
        assert answer.headers["cache-control"] == "no-store"

    async def test_who_has_none_has_none_to_show_change_or_delete(self, admin, key, password):
        for method, body in (("GET", ...), ("PUT", NEW), ("DELETE", ...)):
            answer = await admin.call(method, password, body, key=key)
            assert refused(answer, 404, "not_found", "user_id")
        assert await records("password_changed") == []

    async def test_a_first_password_is_set_and_told_of(self, services, admin, key, ada, password):
        """SEC-027, SEC-037, SEC-118: the record names the key, and the address is told."""
        cookie = await signed_in(services, ada)
        answer = await admin.post(password, NEW, key=key)
        assert answer.status_code == 200
        assert answer.json()["created_at"] == moment(services.clock())
        assert isinstance(await services.passwords.verify(ada.id, PASSWORD), Verified)
        assert await opened(services, ada, cookie) == (False, False)
        assert await mailed() == [("password_create", ADA)]
        (record,) = await records("password_changed")
        assert record == ("password_changed", "secret_key", {"context": "admin"})
        assert [who for _, who, _ in await records(TELLS)] == ["secret_key"]
        assert "session.delete.admin.revoke" in await told()
        assert "user.update.password.update" not in await told()

    async def test_a_second_one_is_refused_and_nothing_changes(
        self, services, admin, key, ada, password
    ):
        await with_password(services, ada)
        cookie = await signed_in(services, ada)
        answer = await admin.post(password, {"password": OTHER}, key=key)
        assert refused(answer, 409, "password_exists", "user_id")
        assert isinstance(await services.passwords.verify(ada.id, PASSWORD), Verified)
        assert await opened(services, ada, cookie) == (True, True)
        assert await mailed() == []

    async def test_a_password_is_changed_and_told_of(self, services, admin, key, ada, password):
        """SEC-027, SEC-037, SEC-118"""
        await with_password(services, ada)
        before = (await admin.get(password, key=key)).json()
        cookie = await signed_in(services, ada)
        answer = await admin.call("PUT", password, {"password": OTHER}, key=key)
        assert answer.status_code == 200
        assert answer.json()["id"] != before["id"]
        assert isinstance(await services.passwords.verify(ada.id, OTHER), Verified)
        assert await opened(services, ada, cookie) == (False, False)
        assert await mailed() == [("password_update", ADA)]
        assert (await records("password_changed"))[-1][1] == "secret_key"
        events = ["session.delete.admin.revoke", "user.update.password.update", "email.send"]
        assert (await told())[-3:] == events

    async def test_a_password_is_taken_away_and_told_of(self, services, admin, key, ada, password):
        """SEC-027, SEC-037, SEC-118: though it be the only way in."""
        await with_password(services, ada)
        cookie = await signed_in(services, ada)
        answer = await admin.call("DELETE", password, key=key)
        assert (answer.status_code, answer.content) == (204, b"")
        assert await services.passwords.verify(ada.id, PASSWORD) == NoPassword()
        assert await opened(services, ada, cookie) == (False, False)
        assert await mailed() == [("password_delete", ADA)]
        assert [who for _, who, _ in await records("password_deleted")] == ["secret_key"]

    @pytest.mark.parametrize(
        ("given", "code"),
        [
            ("sh0rt", "password_too_short"),
            ("x" * 1025, "password_too_long"),
            ("iloveyou", "password_too_common"),
            ("ada.lovelace1815", "password_guessable"),
            ("\ud800" * 8, "password_unreadable"),
        ],
    )
    async def test_a_password_that_breaks_a_rule_is_refused(  # noqa: PLR0917  # fixtures
        self, services, admin, key, ada, password, given, code
    ):
        """SEC-035, SEC-036"""
        assert refused(
            await admin.post(password, {"password": given}, key=key), 400, code, "password"
        )
        await with_password(services, ada)
        cookie = await signed_in(services, ada)
        answer = await admin.call("PUT", password, {"password": given}, key=key)
        assert refused(answer, 400, code, "password")
        assert given not in answer.text
        assert isinstance(await services.passwords.verify(ada.id, PASSWORD), Verified)
        assert await opened(services, ada, cookie) == (True, True)

    async def test_a_long_password_is_taken(self, services, admin, key, ada, password):
        """SEC-035"""
        long = "🦉" * 200
        assert (await admin.post(password, {"password": long}, key=key)).status_code == 200
        assert isinstance(await services.passwords.verify(ada.id, long), Verified)

    async def test_a_body_that_is_something_else_is_refused(self, admin, key, password):
        for body, path in (
            ({}, "password"),
            ({"password": None}, "password"),
            ({"password": 12345678}, "password"),
            ({"password": [PASSWORD]}, "password"),
        ):
            assert refused(await admin.post(password, body, key=key), 400, "body_invalid", path)
        for body in ([], "x", None, 1):
            assert refused(await admin.post(password, body, key=key), 400, "body_invalid")
        answer = await admin.post(password, NEW, key=key, headers={"content-type": "text/plain"})
        assert refused(answer, 415, "unsupported_media_type")
        assert await records("password_changed") == []

    async def test_what_it_does_not_know_is_ignored(self, services, admin, key, ada, password):
        body = {**NEW, "id": NOBODYS_ID, "hash": "x"}
        assert (await admin.post(password, body, key=key)).status_code == 200
        assert isinstance(await services.passwords.verify(ada.id, NEW["password"]), Verified)

    async def test_no_log_and_no_record_holds_a_password(self, admin, key, password, caplog):
        """SEC-116"""
        caplog.set_level(logging.DEBUG)
        for method, path, body in (
            ("POST", password, NEW),
            ("PUT", password, {**NEW, "x": PASSWORD}),
            ("PUT", password, {"password": [PASSWORD]}),
            ("PUT", f"/users/{NOBODYS_ID}/password", NEW),
        ):
            assert PASSWORD not in (await admin.call(method, path, body, key=key)).text
        logged = [str(record.__dict__) for record in caplog.records]
        assert PASSWORD not in "\n".join([*logged, str(await records())])

    async def test_there_is_none_where_passwords_are_off(self, services, key, password):
        off = msgspec.structs.replace(services.config.password, enabled=False)
        face = Face(await reconfigured(services, password=off), "admin")
        assert refused(await face.post(password, NEW, key=key), 409, "passwords_disabled")

    async def test_of_two_that_come_at_once_one_is_first(self, services, admin, key, password):
        """SEC-133"""
        calls = (admin.post(password, {"password": one}, key=key) for one in (PASSWORD, OTHER))
        answers = await asyncio.gather(*calls)
        assert sorted(answer.status_code for answer in answers) == [200, 409]


class TestApp:
    async def test_an_app_is_shown_without_its_secret(self, services, admin, key, ada, otp):
        """SEC-017"""
        app_id = await with_app(services, ada)
        answer = await admin.get(otp, key=key)
        assert answer.status_code == 200
        assert answer.json() == {"id": str(app_id), "created_at": moment(services.clock())}

    async def test_who_has_none_has_none_to_show_or_delete(self, services, admin, key, ada, otp):
        cookie = await signed_in(services, ada)
        for method in ("GET", "DELETE"):
            answer = await admin.call(method, otp, key=key)
            assert refused(answer, 404, "not_found", "user_id")
        assert await opened(services, ada, cookie) == (True, True)
        assert await mailed() == []

    async def test_an_app_is_taken_away_and_told_of(self, services, admin, key, ada, otp):
        """SEC-027, SEC-037, SEC-059, SEC-118"""
        app_id = await with_app(services, ada)
        await services.recovery_codes.generate(SYSTEM, ada.id)
        cookie = await signed_in(services, ada)
        answer = await admin.call("DELETE", otp, key=key)
        assert (answer.status_code, answer.content) == (204, b"")
        assert await services.totp.of(ada.id) is None
        assert await services.recovery_codes.left(ada.id) == 0
        assert await opened(services, ada, cookie) == (False, False)
        assert await mailed() == [("mfa_delete", ADA)]
        (record,) = await records("otp_deleted")
        assert record == ("otp_deleted", "secret_key", {"otp_secret": str(app_id)})

    async def test_recovery_codes_stay_while_another_second_factor_does(
        self, services, admin, key, ada, otp
    ):
        await with_app(services, ada)
        await passkey_of(services, ada.id, Authenticator(), "security_key")
        await services.recovery_codes.generate(SYSTEM, ada.id)
        assert (await admin.call("DELETE", otp, key=key)).status_code == 204
        assert await services.recovery_codes.left(ada.id) == 10

    async def test_it_goes_though_everybody_must_have_one(self, services, key, ada, otp):
        """So is somebody let in again who has lost the phone."""
        must = msgspec.structs.replace(services.config.mfa, optional=False)
        face = Face(await reconfigured(services, mfa=must), "admin")
        await with_app(services, ada)
        assert (await face.call("DELETE", otp, key=key)).status_code == 204


class TestCredentials:
    async def test_passkeys_and_security_keys_are_listed(self, services, admin, key, ada, keys):
        passkey = await passkey_of(services, ada.id, Authenticator())
        second = await passkey_of(services, ada.id, Authenticator(), "security_key")
        answer = await admin.get(keys, key=key)
        assert answer.status_code == 200
        shown = answer.json()
        assert [one["id"] for one in shown] == [passkey.credential_id, second.credential_id]
        assert [one["mfa_only"] for one in shown] == [False, True]
        assert shown[0].keys() >= {
            *("id", "public_key", "attestation_type", "aaguid", "created_at", "transports"),
            *("backup_eligible", "backup_state", "mfa_only"),
        }
        assert (await admin.get(f"{keys}/{second.credential_id}", key=key)).json() == shown[1]

    async def test_who_has_none_has_an_empty_list(self, admin, key, keys):
        assert (await admin.get(keys, key=key)).json() == []

    async def test_one_that_is_not_there_is_404(self, services, admin, key, ada, keys):
        """SEC-054: and so is somebody else's."""
        theirs = await passkey_of(services, (await make_user(services)).id, Authenticator())
        cookie = await signed_in(services, ada)
        for name in (theirs.credential_id, "x", "%00", "%F0%9F%A6%89", "-" * 500):
            for method in ("GET", "DELETE"):
                answer = await admin.call(method, f"{keys}/{name}", key=key)
                assert refused(answer, 404, "not_found", "credential_id")
        assert len(await services.passkeys.list(theirs.user_id)) == 1
        assert await opened(services, ada, cookie) == (True, True)

    async def test_a_passkey_is_taken_away_and_told_of(self, services, admin, key, ada, keys):
        """SEC-027, SEC-037, SEC-118: though it be the only way in."""
        passkey = await passkey_of(services, ada.id, Authenticator())
        cookie = await signed_in(services, ada)
        answer = await admin.call("DELETE", f"{keys}/{passkey.credential_id}", key=key)
        assert (answer.status_code, answer.content) == (204, b"")
        assert await services.passkeys.list(ada.id) == []
        assert await opened(services, ada, cookie) == (False, False)
        assert await mailed() == [("passkey_delete", ADA)]
        details = {"credential_id": passkey.credential_id}
        assert await records("passkey_deleted") == [("passkey_deleted", "secret_key", details)]

    async def test_a_security_key_is_taken_away_with_the_codes_that_stood_in_for_it(
        self, services, admin, key, ada, keys
    ):
        """SEC-027, SEC-059"""
        one = await passkey_of(services, ada.id, Authenticator(), "security_key")
        two = await passkey_of(services, ada.id, Authenticator(), "security_key")
        await services.recovery_codes.generate(SYSTEM, ada.id)
        await admin.call("DELETE", f"{keys}/{one.credential_id}", key=key)
        assert await services.recovery_codes.left(ada.id) == 10
        cookie = await signed_in(services, ada)
        await admin.call("DELETE", f"{keys}/{two.credential_id}", key=key)
        assert await services.recovery_codes.left(ada.id) == 0
        assert await opened(services, ada, cookie) == (False, False)
        assert await mailed() == [("mfa_delete", ADA)] * 2
        assert [who for _, who, _ in await records("security_key_deleted")] == ["secret_key"] * 2


async def test_nobody_is_told_where_the_notice_is_off(services, key, ada, otp):
    off = msgspec.structs.replace(Notifications(), mfa_delete=Notification(enabled=False))
    quiet = await reconfigured(services, security_notifications=SecurityNotifications(off))
    await with_app(services, ada)
    assert (await Face(quiet, "admin").call("DELETE", otp, key=key)).status_code == 204
    assert (await mailed(), await records(TELLS)) == ([], [])


class TestGraphQL:
    """The same by GraphQL: one service call behind both faces."""

    APP = """mutation ($user: ID!) { deleteUserTotp(userId: $user) {
      user { id } userErrors { code path } } }"""
    KEY = """mutation ($user: ID!, $id: ID!) { deleteUserPasskey(userId: $user, credentialId: $id) {
      deletedId userErrors { code path } } }"""

    async def test_an_app_is_taken_away(self, services, admin, ada):
        """SEC-027, SEC-037, SEC-118"""
        key = await make_key(services, "users:write")
        await with_app(services, ada)
        cookie = await signed_in(services, ada)
        answer = await admin.gql(self.APP, {"user": str(ada.id)}, key=key)
        payload = {"user": {"id": str(ada.id)}, "userErrors": []}
        assert answer["data"] == {"deleteUserTotp": payload}
        assert await services.totp.of(ada.id) is None
        assert await opened(services, ada, cookie) == (False, False)
        assert await mailed() == [("mfa_delete", ADA)]
        assert [who for _, who, _ in await records("otp_deleted")] == ["secret_key"]
        answer = await admin.gql(self.APP, {"user": str(ada.id)}, key=key)
        errors = answer["data"]["deleteUserTotp"]["userErrors"]
        assert errors == [{"code": "NOT_FOUND", "path": ["userId"]}]

    async def test_a_passkey_is_taken_away(self, services, public, ada):
        """SEC-027, SEC-037, SEC-054, SEC-118"""
        key = await make_key(services, "users:write")
        passkey = await passkey_of(services, ada.id, Authenticator())
        given = {"user": str(ada.id), "id": passkey.credential_id}
        other = {"user": str((await make_user(services)).id), "id": passkey.credential_id}
        answer = await public.gql(self.KEY, other, key=key)
        errors = answer["data"]["deleteUserPasskey"]["userErrors"]
        assert errors == [{"code": "NOT_FOUND", "path": ["credentialId"]}]
        answer = await public.gql(self.KEY, given, key=key)
        payload = {"deletedId": passkey.credential_id, "userErrors": []}
        assert answer["data"] == {"deleteUserPasskey": payload}
        assert await services.passkeys.list(ada.id) == []
        assert await mailed() == [("passkey_delete", ADA)]
        assert [who for _, who, _ in await records("passkey_deleted")] == ["secret_key"]


@settings(max_examples=30)
@given(body=bodies("password", "hash"))
async def test_whatever_is_sent_nothing_breaks(admin, key, ada, body):
    """SEC-097"""
    for method in ("POST", "PUT"):
        assert is_whole(await admin.call(method, f"/users/{ada.id}/password", body, key=key))
