"""Each write of a backend leaves a record that names its key (SEC-118)."""

import json
from typing import Any

import pytest
from faces.documents import call, guards, roots
from factories import make_identity, make_key, make_session, make_user
from flows.members import with_app, with_key

from app.access import SYSTEM
from app.persistence import fetch
from app.users import NewEmail

pytestmark = pytest.mark.one_database

GUARDS = guards()
WRITES = {
    name
    for kind, name, _ in roots()
    if kind == "mutation" and "requiresSecretKey" in GUARDS["Mutation", name]
} - {"pingWebhook"}
"""The mutations of backends; a ping, which somebody has to answer, stands with the webhooks."""

ENDED = ["security_notification_sent", "sessions_revoked"]
"""What every change of a way in comes with."""

TELLS = "security_notification_sent"
"""What a change of an address comes with."""

DONE: dict[str, tuple[dict[str, Any], list[str]]] = {
    "updateUserMetadata": (
        {"userId": "user", "input": {"privateMetadata": {"a": "sentinel"}}},
        ["metadata_updated"],
    ),
    "createUser": (
        {
            "input": {
                "username": "augusta",
                "emails": [{"address": "new@example.com"}],
                "password": "sentinel of a password",
                "privateMetadata": {"a": "sentinel"},
            }
        },
        ["password_changed", "user_created"],
    ),
    "updateUser": ({"userId": "user", "input": {"name": "Augusta"}}, ["user_updated"]),
    "addUserEmail": (
        {"userId": "user", "input": {"address": "sentinel@example.com"}},
        ["email_created", TELLS],
    ),
    "verifyUserEmail": ({"userId": "user", "emailId": "email"}, ["email_verified", TELLS]),
    "setPrimaryUserEmail": (
        {"userId": "user", "emailId": "email"},
        ["primary_email_changed", TELLS],
    ),
    "deleteUserEmail": ({"userId": "user", "emailId": "email"}, ["email_deleted", TELLS]),
    "setUserPassword": (
        {"userId": "user", "input": {"password": "sentinel of a password"}},
        ["password_changed", *ENDED],
    ),
    "deleteUserPassword": ({"userId": "user"}, ["password_deleted", *ENDED]),
    "deleteUserTotp": ({"userId": "user"}, ["otp_deleted", *ENDED]),
    "deleteUserPasskey": (
        {"userId": "user", "credentialId": "passkey"},
        ["passkey_deleted", *ENDED],
    ),
    "deleteUserIdentity": (
        {"userId": "user", "identityId": "identity"},
        ["identity_deleted", *ENDED],
    ),
    "createUserSession": ({"userId": "user"}, ["login_success", "session_created"]),
    "revokeUserSession": ({"userId": "user", "sessionId": "session"}, ["session_revoked"]),
    "revokeUserSessions": ({"userId": "user"}, ["sessions_revoked"]),
    "deleteUser": ({"userId": "user"}, ["user_deleted"]),
    "createSecretKey": ({"input": {"name": "x", "scopes": ["*"]}}, ["secret_key_created"]),
    "rotateSecretKey": (
        {"secretKeyId": "secret_key"},
        ["secret_key_rotated"],
    ),
    "revokeSecretKey": ({"secretKeyId": "secret_key"}, ["secret_key_revoked"]),
    "setJwtTemplate": ({"input": {"claims": {"a": "sentinel"}}}, ["jwt_template_updated"]),
    "resetJwtTemplate": ({}, ["jwt_template_updated"]),
    "rotateSigningKey": (
        {"input": {"now": True}},
        ["signing_key_created", "signing_key_rotated"],
    ),
    "createWebhook": (
        {"input": {"callback": "https://h.example.com/sentinel", "events": ["user"]}},
        ["webhook_created"],
    ),
    "updateWebhook": ({"webhookId": "webhook", "input": {"enabled": True}}, ["webhook_updated"]),
    "rotateWebhookSecret": ({"webhookId": "webhook"}, ["webhook_secret_rotated"]),
    "replayWebhookDelivery": ({"deliveryId": "delivery"}, ["webhook_delivery_replayed"]),
    "deleteWebhook": ({"webhookId": "webhook"}, ["webhook_deleted"]),
}
"""What each is asked, `user` and the like standing for ids, and the records that it leaves."""

NAMING = [
    name
    for name, (given, _) in DONE.items()
    if given.keys() & {"userId", "webhookId", "secretKeyId"}
]
"""Those that name what could be missing."""


@pytest.fixture
async def ids(services) -> dict[str, str]:
    """What there is to be changed."""
    user = await make_user(services)
    email = await services.users.add_email(SYSTEM, user.id, NewEmail("second@example.com"))
    await services.passwords.set(SYSTEM, user.id, "correct horse battery staple")
    await with_app(services, user)
    await with_key(services, user, "passkey")
    (passkey,) = await services.passkeys.list(user.id)
    session = (await make_session(services, user)).session
    hook, _ = await services.webhooks.create(SYSTEM, "https://hooks.example.com/", ("user",))
    await services.users.verify_email(SYSTEM, user.id, email.id)
    await services.users.set_primary_email(SYSTEM, user.id, email.id)
    await services.dispatch.spread()
    (delivery, *_) = await fetch("SELECT id FROM webhook_delivery")
    other = await services.users.add_email(SYSTEM, user.id, NewEmail("third@example.com"))
    await make_key(services, "users:read")
    (secret_key, *_) = [
        one for one in await services.secret_keys.list(None) if one.scopes == ("users:read",)
    ]
    await services.templates.set(SYSTEM, {"a": "b"})
    return {
        "user": str(user.id),
        "email": str(other.id),
        "passkey": passkey.credential_id,
        "identity": str((await make_identity(services, user)).id),
        "session": str(session.id),
        "webhook": str(hook.id),
        "delivery": str(delivery["id"]),
        "secret_key": str(secret_key.id),
    }


def test_no_write_of_a_backend_is_missing():
    assert DONE.keys() == WRITES


@pytest.mark.parametrize("name", DONE)
async def test_it_leaves_a_record_by_its_key_and_no_value_sec_118(services, admin, key, ids, name):
    """SEC-116, SEC-118: once each, in the order of what happened, with the id of the request."""
    given, expected = DONE[name]
    variables = {
        argument: ids.get(value, value) if isinstance(value, str) else value
        for argument, value in given.items()
    }
    (who,) = await fetch("SELECT id FROM secret_key WHERE scopes LIKE '%*%'")
    await fetch("DELETE FROM audit_event")
    document, _ = call("mutation", name, "userErrors { code }", whole=False)
    if "now" in variables:
        document = "mutation { rotateSigningKey(input: {now: true}) { userErrors { code } } }"
        variables = {}
    answer = await admin.gql(
        document, variables, key=key, headers={"x-request-id": "request-of-mine"}
    )
    assert answer["data"][name] == {"userErrors": []}, answer
    rows = await fetch("SELECT * FROM audit_event ORDER BY id")
    assert sorted(row["type"] for row in rows) == expected
    for row in rows:
        assert (row["actor_kind"], row["actor_id"]) == ("secret_key", who["id"])
        assert row["request_id"] == "request-of-mine"
        assert "sentinel" not in json.dumps(row["details"])
    if "userId" in variables:
        assert {str(row["subject_id"]) for row in rows} == {ids["user"]}


@pytest.mark.parametrize("name", NAMING)
async def test_what_is_refused_leaves_none_sec_118(admin, key, name):
    """Of something that is not there."""
    document, variables = call("mutation", name, "userErrors { code }")
    given, _ = DONE[name]
    more = {k: v for k, v in given.items() if not isinstance(v, str) or k == "password"}
    await fetch("DELETE FROM audit_event")
    answer = await admin.gql(document, variables | more, key=key)
    assert answer.get("errors") or answer["data"][name]["userErrors"], answer
    assert await fetch("SELECT type FROM audit_event") == []
