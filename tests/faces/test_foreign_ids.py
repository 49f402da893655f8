"""An id that is somebody else's behaves like one that nobody has (SEC-018).

There is one pool of users, so what SEC-018 says of tenants holds between users, and between the
kinds of things: whoever names what is not theirs, or not of that kind, learns and changes nothing.
"""

import json
import re
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from faces.documents import call, guards, roots
from factories import NOBODYS_ID, make_identity, make_key, make_session, make_user
from flows.members import to_profile, with_app, with_key
from flows.walking import RestClient, preflight
from graphql import GraphQLInputObjectType, get_named_type, is_required_argument

from app.access import SYSTEM
from app.persistence import fetch
from app.users import NewEmail

pytestmark = pytest.mark.one_database

GUARDS = guards()
KIND_OF = {
    "userId": "user",
    "by": "user",
    "emailId": "email",
    "credentialId": "passkey",
    "deviceId": "device",
    "identityId": "identity",
    "sessionId": "session",
    "secretKeyId": "secret_key",
    "webhookId": "webhook",
    "deliveryId": "delivery",
    "flowId": "flow",
}
"""What each argument names that takes an id; whoever adds one says it here."""

LOOKS = {
    "user": "SELECT * FROM app_user",
    "retired": "SELECT * FROM retired_user",
    "email": "SELECT * FROM email",
    "bags": "SELECT * FROM user_metadata",
    "password": "SELECT user_id, hash FROM user_password",
    "totp": "SELECT id, user_id FROM user_totp",
    "passkey": "SELECT id, user_id, name FROM webauthn_credential",
    "device": "SELECT id, user_id FROM trusted_device",
    "identity": "SELECT id, user_id FROM identity",
    "session": "SELECT id, user_id FROM user_session",
    "secret_key": "SELECT id, digest, revoked_at FROM secret_key",
    "webhook": "SELECT id, callback, is_enabled, sealed_secret FROM webhook",
    "delivery": "SELECT id, state FROM webhook_delivery",
}


def has_id(type_: Any, depth: int = 0) -> bool:
    named = get_named_type(type_)
    if isinstance(named, GraphQLInputObjectType):
        return depth < 2 and any(has_id(one.type, depth + 1) for one in named.fields.values())
    return bool(named.name == "ID")


def ids_of(field: Any) -> list[str]:
    """The arguments that name something that is there."""
    needed = [name for name, one in field.args.items() if is_required_argument(one)]
    return [name for name in needed if name != "input" and has_id(field.args[name].type)]


NAMING = [(kind, name, ids_of(field)) for kind, name, field in roots() if ids_of(field)]
OWN = [one for one in NAMING if "requiresSession" in GUARDS[one[0].title(), one[1]]]
KEYED = [one for one in NAMING if "requiresSecretKey" in GUARDS[one[0].title(), one[1]]]
PAIRS = [one for one in KEYED if len(one[2]) > 1]
ALONE = [one for one in NAMING if one not in OWN and len(one[2]) == 1]
_ASKED = {
    (kind, name): "__typename userErrors { code message path }"
    for kind, name, field in roots()
    if "userErrors" in getattr(get_named_type(field.type), "fields", ())
}


@dataclass(frozen=True)
class Person:
    """Somebody with one of everything; `ids` are theirs, by kind."""

    token: str
    ids: dict[str, str]


async def somebody(services, email: str) -> Person:
    user = await make_user(services, email=email, private={"a": 1})
    await services.passwords.set(SYSTEM, user.id, "correct horse battery staple")
    other = await services.users.add_email(SYSTEM, user.id, NewEmail(f"second.{email}"))
    await with_app(services, user)
    await with_key(services, user, "passkey")
    await services.trusted_devices.issue(SYSTEM, user.id, "")
    identity = await make_identity(services, user, subject=email)
    issued = await make_session(services, user)
    (device,) = await fetch("SELECT id FROM trusted_device WHERE user_id = $1", user.id)
    (passkey,) = await services.passkeys.list(user.id)
    ids = {
        "user": user.id,
        "email": other.id,
        "passkey": passkey.credential_id,
        "device": device["id"],
        "identity": identity.id,
        "session": issued.session.id,
    }
    return Person(issued.token, {kind: str(one) for kind, one in ids.items()})


@pytest.fixture
async def ada(services) -> Person:
    return await somebody(services, "ada@example.com")


@pytest.fixture
async def bob(services) -> Person:
    return await somebody(services, "bob@example.com")


@pytest.fixture
async def things(services, bob) -> dict[str, str]:
    """One of each kind; Bob's where it is anybody's."""
    hook, _ = await services.webhooks.create(SYSTEM, "https://hooks.example.com/", ("user",))
    await services.users.verify_email(SYSTEM, UUID(bob.ids["user"]), UUID(bob.ids["email"]))
    await services.users.set_primary_email(SYSTEM, UUID(bob.ids["user"]), UUID(bob.ids["email"]))
    await services.dispatch.spread()
    (delivery, *_) = await fetch("SELECT id FROM webhook_delivery")
    await make_key(services, "users:read")
    (secret_key, *_) = await services.secret_keys.list(None)
    more = {"webhook": hook.id, "delivery": delivery["id"], "secret_key": secret_key.id}
    return bob.ids | {kind: str(one) for kind, one in more.items()}


async def everything_there() -> dict[str, list[dict[str, Any]]]:
    """What there is, for a comparison."""
    return {
        name: sorted((dict(row) for row in await fetch(sql)), key=str)
        for name, sql in LOOKS.items()
    }


def plain(answer: Any, an_id: str) -> Any:
    """An answer without the id that was asked for, and without what is new in each."""
    text = answer.text.replace(an_id, "<id>")
    return answer.status_code, re.sub(r'"request_?[iI]d":\s*"[^"]+"', "", text)


def nobodys(an_id: str) -> str:
    """An id of the same form that nobody has."""
    is_uuid = re.fullmatch(r"[0-9a-f-]{36}", an_id)
    return NOBODYS_ID if is_uuid else "bm9ib2R5IGhhcyB0aGlzIG9uZQ"


def given(kind: str, name: str, an_id: str, **others: str) -> tuple[str, dict[str, Any]]:
    """An operation in which an id stands wherever one may, but for those that are named."""
    document, variables = call(kind, name, _ASKED.get((kind, name)), an_id=an_id)
    return document, variables | others


def test_each_argument_that_takes_an_id_is_known():
    """What is new is covered by saying what it names."""
    assert {name for _, _, names in NAMING for name in names} <= KIND_OF.keys()
    assert len(OWN) >= 7
    assert len(PAIRS) >= 4
    assert len(ALONE) >= 15


async def test_what_is_somebody_elses_is_not_there_for_a_user(public, ada, bob):
    """SEC-018, SEC-001: nobody sees, changes or ends what another user has."""
    before = await everything_there()
    for kind, name, _ in OWN:
        for foreign in bob.ids.values():
            answers = [
                plain(await public.ask(*given(kind, name, one), token=ada.token), one)
                for one in (foreign, nobodys(foreign))
            ]
            assert answers[0] == answers[1], name
            assert '"code"' in answers[0][1], name
    assert await everything_there() == before


async def test_what_is_not_the_named_users_is_not_there_for_a_key(admin, key, ada, bob):
    """SEC-018: the user whom an operation names bounds what else it names."""
    before = await everything_there()
    for kind, name, names in PAIRS:
        assert "userId" in names
        for foreign in bob.ids.values():
            answers = [
                plain(
                    await admin.ask(*given(kind, name, one, userId=ada.ids["user"]), key=key), one
                )
                for one in (foreign, nobodys(foreign))
            ]
            assert answers[0] == answers[1], name
            assert '"code"' in answers[0][1], name
    assert await everything_there() == before


async def test_what_is_of_another_kind_is_not_there_for_a_key(admin, key, things):
    """SEC-018: a session's id names no user, and a user's no webhook."""
    before = await everything_there()
    for kind, name, (argument,) in ALONE:
        for what, foreign in things.items():
            if what == KIND_OF[argument]:
                continue
            answers = [
                plain(await admin.ask(*given(kind, name, one), key=key), one)
                for one in (foreign, nobodys(foreign))
            ]
            assert answers[0] == answers[1], (name, what)
    assert await everything_there() == before


async def test_who_has_been_deleted_is_not_there_for_a_key(services, admin, key, things):
    """SEC-018, SEC-122: neither is anything that was theirs."""
    await services.users.delete(SYSTEM, UUID(things["user"]))
    before = await everything_there()
    for kind, name, names in KEYED:
        for argument in names:
            if KIND_OF[argument] not in ("user", "email", "passkey", "session"):
                continue
            foreign = things[KIND_OF[argument]]
            answers = [
                plain(await admin.ask(*given(kind, name, one), key=key), one)
                for one in (foreign, nobodys(foreign))
            ]
            assert answers[0] == answers[1], name
    assert await everything_there() == before


async def test_rest_knows_an_id_by_its_kind_alone(services, public, admin, key, things):
    """SEC-018: as GraphQL does."""
    body = {"public_metadata": {"a": 1}}
    paths = ("/users/{}", "/users/{}/metadata", "/api/server/v1/users/{}")
    for path in paths:
        for face in (public, admin):
            for what, foreign in things.items():
                if what == "user":
                    continue
                for method, sent in (("GET", ...), ("PATCH", body)):
                    answers = [
                        plain(await face.call(method, path.format(one), sent, key=key), one)
                        for one in (foreign, nobodys(foreign))
                    ]
                    assert answers[0] == answers[1], (method, path, what)
    assert (await services.users.by_id(UUID(things["user"]))) is not None


async def test_the_endpoints_of_passkeys_know_a_users_own_alone(public, ada, bob):
    """SEC-018"""
    before = await everything_there()
    for method, sent in (("PATCH", {"name": "mine"}), ("DELETE", ...)):
        for foreign in bob.ids.values():
            answers = [
                plain(
                    await public.call(
                        method, f"/webauthn/credentials/{one}", sent, token=ada.token
                    ),
                    one,
                )
                for one in (foreign, nobodys(foreign))
            ]
            assert answers[0] == answers[1]
            assert answers[0][0] >= 400
    assert await everything_there() == before


ACTIONS = [
    ("email_delete", "email_id"),
    ("email_set_primary", "email_id"),
    ("email_verify", "email_id"),
    ("webauthn_credential_rename", "passkey_id"),
    ("webauthn_credential_delete", "passkey_id"),
    ("security_key_delete", "security_key_id"),
    ("session_delete", "session_id"),
    ("disconnect_thirdparty_oauth_provider", "identity_id"),
]


@pytest.mark.parametrize("asked", ACTIONS, ids=[action for action, _ in ACTIONS])
async def test_a_profile_knows_what_is_its_users_alone(services, public, ada, bob, asked):
    """SEC-018, SEC-060: whatever id another user's thing has, in whatever action of a flow."""
    action, argument = asked
    user = await services.users.by_id(UUID(ada.ids["user"]))
    for foreign in bob.ids.values():
        told = []
        for one in (foreign, nobodys(foreign)):
            browser = RestClient(public)
            await to_profile(browser, services, user)
            before = await everything_there()
            shown = await browser.act(action, **{argument: one})
            told.append((shown.name, shown.status, shown.error, shown.problems))
            assert await everything_there() == before
        assert told[0] == told[1]
        assert told[0][2] is not None


async def test_anothers_flow_is_not_there(public, services):
    """SEC-018, SEC-061: without the token of its last step, and with one's own."""
    mine, other = RestClient(public), RestClient(public)
    for browser in (mine, other):
        await preflight(browser)
    bodies = []
    for flow_id in (other.flow_id, NOBODYS_ID):
        for csrf in (mine.csrf, "", "x" * 32):
            shown = await mine.act(
                "continue_with_login_identifier", flow_id=flow_id, csrf=csrf, email="a@example.com"
            )
            bodies.append((shown, json.dumps(mine.body).replace(flow_id, "<id>")))
    assert bodies[:3] == bodies[3:]
    assert {shown.error for shown, _ in bodies} == {"operation_not_permitted_error"}
    going_on = await other.act("continue_with_login_identifier", email="a@example.com")
    assert going_on.error is None
