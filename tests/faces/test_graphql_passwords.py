"""Passwords through GraphQL, by a secret key."""

import asyncio
import logging
import threading
from dataclasses import replace
from uuid import uuid4

import bcrypt
import msgspec
import pytest
from faces.clients import MODERN, Face
from factories import make_key, make_session, make_user

from app.access import SYSTEM
from app.config.sections import PasswordHashing
from app.credentials.errors import HashingOverloaded
from app.credentials.password_hashing import PasswordHasher
from app.credentials.passwords import NoPassword, Verified, Wrong
from app.persistence import fetch

NOBODY = "00000000-0000-7000-8000-000000000000"
PASSWORD = "correct horse battery"
HASH = bcrypt.hashpw(PASSWORD.encode(), b"$2b$04$" + b"u" * 22).decode()
SET = """mutation ($user: ID!, $password: String!, $keep: Boolean! = false) {
  setUserPassword(userId: $user, input: {password: $password, keepSessions: $keep}) { ...outcome } }
"""
DELETE = "mutation ($user: ID!) { deleteUserPassword(userId: $user) { ...outcome } }"
CREATE = "mutation ($input: CreateUserInput!) { createUser(input: $input) { ...outcome } }"
OUTCOME = """fragment outcome on UserPayload { user { id } userErrors { __typename code message path
  ... on PasswordRejected { minLength breached } } }"""
SET, DELETE, CREATE = (document + OUTCOME for document in (SET, DELETE, CREATE))


@pytest.fixture
async def user(services):
    return await make_user(services, email="ada@example.com", username="countess")


async def set_password(face, key, user, password=PASSWORD, *, keep=False):
    variables = {"user": str(getattr(user, "id", user)), "password": password, "keep": keep}
    return (await face.gql(SET, variables, key=key))["data"]["setUserPassword"]


async def delete_password(face, key, user):
    variables = {"user": str(getattr(user, "id", user))}
    return (await face.gql(DELETE, variables, key=key))["data"]["deleteUserPassword"]


async def create(face, key, **given):
    variables = {"input": {"emails": [{"address": "grace@example.com"}], **given}}
    return (await face.gql(CREATE, variables, key=key))["data"]["createUser"]


def refusal(payload):
    (error,) = payload["userErrors"]
    assert payload["user"] is None
    return error["code"], error["path"]


def with_passwords(services, **parts):
    """The services with other parts in that of passwords."""
    passwords = replace(services.passwords, **parts)
    managed = replace(services.managed_credentials, passwords=passwords)
    return replace(services, passwords=passwords, managed_credentials=managed)


async def trusted(services, user):
    """Trust a browser of the user, and give its cookie."""
    return await services.trusted_devices.issue(SYSTEM, user.id)


async def sessions():
    return len(await fetch("SELECT id FROM user_session"))


class TestSetUserPassword:
    async def test_a_password_is_set(self, services, admin, key, user):
        payload = await set_password(admin, key, user)
        assert payload == {"user": {"id": str(user.id)}, "userErrors": []}
        assert isinstance(await services.passwords.verify(user.id, PASSWORD), Verified)

    async def test_every_session_of_the_user_ends_sec_027(self, services, admin, key, user):
        other = await make_user(services)
        for one in (user, user, other):
            await make_session(services, one)
        await set_password(admin, key, user)
        assert await sessions() == 1

    async def test_no_browser_of_the_user_is_trusted_any_longer_sec_027_059(
        self, services, admin, key, user
    ):
        """SEC-027, SEC-059"""
        other = await make_user(services)
        cookie, others = await trusted(services, user), await trusted(services, other)
        await set_password(admin, key, user, "short")
        assert await services.trusted_devices.is_trusted(user.id, cookie)
        await set_password(admin, key, user)
        assert not await services.trusted_devices.is_trusted(user.id, cookie)
        assert await services.trusted_devices.is_trusted(other.id, others)
        kept = await trusted(services, user)
        await set_password(admin, key, user, "another " + PASSWORD, keep=True)
        assert await services.trusted_devices.is_trusted(user.id, kept)

    async def test_sessions_are_kept_where_that_is_asked_for_sec_027(
        self, services, admin, key, user
    ):
        await make_session(services, user)
        await set_password(admin, key, user, keep=True)
        assert await sessions() == 1

    async def test_a_refused_password_ends_no_session(self, services, admin, key, user):
        await make_session(services, user)
        await set_password(admin, key, user, "short")
        assert await sessions() == 1

    @pytest.mark.parametrize(
        ("password", "code"),
        [
            ("short", "PASSWORD_TOO_SHORT"),
            ("x" * 1025, "PASSWORD_TOO_LONG"),
            ("iloveyou", "PASSWORD_TOO_COMMON"),
            ("Countess1815", "PASSWORD_GUESSABLE"),
        ],
    )
    async def test_a_password_that_breaks_a_rule_is_refused_sec_035_036(  # noqa: PLR0917  # fixtures
        self, services, admin, key, user, password, code
    ):
        payload = await set_password(admin, key, user, password)
        assert refusal(payload) == (code, ["input", "password"])
        (error,) = payload["userErrors"]
        assert error["__typename"] == "PasswordRejected"
        assert (error["minLength"], error["breached"]) == (8, False)
        assert password not in str(payload)
        assert await services.passwords.verify(user.id, password) in (NoPassword(), Wrong())

    async def test_a_breached_password_says_so_sec_036(self, services, key, user):
        class Lost:
            async def hold(self, password):
                return True

        others = with_passwords(services, breaches=Lost())
        payload = await set_password(Face(others, "admin"), key, user)
        assert refusal(payload) == ("PASSWORD_BREACHED", ["input", "password"])
        assert payload["userErrors"][0]["breached"] is True

    @pytest.mark.parametrize("nobody", [NOBODY, "", "0", "not an id"])
    async def test_nobody_gets_no_password_sec_099(self, admin, key, nobody):
        assert refusal(await set_password(admin, key, nobody)) == ("NOT_FOUND", ["userId"])

    async def test_only_a_key_that_may_write_users_sets_one_sec_012(self, services, admin, user):
        variables = {"user": str(user.id), "password": PASSWORD}
        issued = await make_session(services, user)
        narrow = await make_key(services, "users:read", "sessions:write", "users.metadata:write")
        for credential, code in (
            ({}, "UNAUTHENTICATED"),
            ({"token": issued.token}, "FORBIDDEN"),
            ({"key": narrow}, "FORBIDDEN"),
        ):
            answer = await admin.gql(SET, variables, **credential)
            assert answer["errors"][0]["extensions"]["code"] == code
        assert await services.passwords.verify(user.id, PASSWORD) == NoPassword()
        assert await sessions() == 1

    async def test_one_operation_sets_one_password_sec_096(self, admin, key, user):
        given = f'userId: "{user.id}", input: {{password: "{PASSWORD}"}}'
        call = f"setUserPassword({given}) {{ user {{ id }} }}"
        create_one = 'createUser(input: {username: "another"}) { user { id } }'
        for second in (call, create_one):
            answer = await admin.gql(f"mutation {{ a: {call} b: {second} }}", key=key)
            assert answer["errors"][0]["extensions"]["code"] == "QUERY_TOO_EXPENSIVE"

    async def test_no_answer_and_no_log_repeats_a_password_sec_116(self, admin, key, user, caplog):
        caplog.set_level(logging.DEBUG)
        variables = {"user": str(user.id), "password": PASSWORD}
        answers = [await admin.ask(SET, variables, key=key)]
        answers.append(await admin.ask(SET, {**variables, "user": "none"}, key=key))
        answers.append(await admin.ask(SET, {**variables, "keep": PASSWORD}, key=key))
        answers.append(await admin.ask(SET, {**variables, "user": [PASSWORD]}, key=key))
        logged = [str(record.__dict__) for record in caplog.records]
        assert PASSWORD not in "\n".join([*(answer.text for answer in answers), *logged])


class TestOverload:
    @pytest.mark.parametrize("accept", ["application/json", MODERN])
    async def test_a_full_queue_answers_503_with_retry_after_sec_123(
        self, services, key, user, accept, caplog
    ):
        tight = msgspec.structs.replace(
            services.config.password, hashing=PasswordHashing(threads=1, queue=0)
        )
        hasher, leave = PasswordHasher(tight), threading.Event()
        others = with_passwords(services, hasher=hasher)
        busy = asyncio.create_task(hasher.run(leave.wait))
        await asyncio.sleep(0)
        variables = {"user": str(user.id), "password": PASSWORD}
        face = Face(others, "admin")
        answer = await face.ask(SET, variables, key=key, headers={"accept": accept})
        leave.set()
        await busy
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "1"
        (error,) = answer.json()["errors"]
        assert error["extensions"] == {"code": "OVERLOADED", "retryAfter": 1}
        assert answer.json()["data"] is None
        assert [one for one in caplog.records if one.levelno >= logging.ERROR] == []
        assert (await face.ask(SET, variables, key=key)).status_code == 200

    async def test_rest_says_when_to_come_again_too_sec_123(self, services, key):
        class Full:
            async def by_id(self, user_id):
                raise HashingOverloaded

        face = Face(replace(services, users=Full()), "admin")
        answer = await face.get(f"/api/server/v1/users/{NOBODY}", key=key)
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "1"
        assert answer.json()["error"]["code"] == "overloaded"


class TestDeleteUserPassword:
    async def test_a_password_is_taken_away_and_what_it_opened_ends_sec_027(
        self, services, admin, key, user
    ):
        await set_password(admin, key, user)
        await make_session(services, user)
        cookie = await trusted(services, user)
        payload = await delete_password(admin, key, user)
        assert payload == {"user": {"id": str(user.id)}, "userErrors": []}
        assert await services.passwords.verify(user.id, PASSWORD) == NoPassword()
        assert await sessions() == 0
        assert not await services.trusted_devices.is_trusted(user.id, cookie)

    async def test_where_there_is_none_nothing_happens(self, services, admin, key, user):
        await make_session(services, user)
        cookie = await trusted(services, user)
        assert refusal(await delete_password(admin, key, user)) == ("NOT_FOUND", ["userId"])
        assert refusal(await delete_password(admin, key, uuid4())) == ("NOT_FOUND", ["userId"])
        assert await sessions() == 1
        assert await services.trusted_devices.is_trusted(user.id, cookie)

    async def test_only_a_key_that_may_write_users_deletes_one_sec_012(
        self, services, admin, key, user
    ):
        await set_password(admin, key, user)
        narrow = await make_key(services, "users:read", "sessions:write")
        for credential in ({}, {"key": narrow}):
            answer = await admin.gql(DELETE, {"user": str(user.id)}, **credential)
            assert answer["errors"][0]["extensions"]["code"] in ("UNAUTHENTICATED", "FORBIDDEN")
        assert isinstance(await services.passwords.verify(user.id, PASSWORD), Verified)


class TestCreateUser:
    async def test_a_user_is_made_with_a_password(self, services, admin, key):
        payload = await create(admin, key, password=PASSWORD)
        assert payload["userErrors"] == []
        account = await services.users.by_email("grace@example.com")
        assert isinstance(await services.passwords.verify(account.id, PASSWORD), Verified)

    async def test_a_user_is_made_with_the_hash_of_one_sec_034(self, services, admin, key):
        await create(admin, key, passwordHash=HASH)
        account = await services.users.by_email("grace@example.com")
        assert isinstance(await services.passwords.verify(account.id, PASSWORD), Verified)

    async def test_null_is_left_out(self, services, admin, key):
        payload = await create(admin, key, password=None, passwordHash=None)
        assert payload["userErrors"] == []
        account = await services.users.by_email("grace@example.com")
        assert await services.passwords.verify(account.id, PASSWORD) == NoPassword()

    @pytest.mark.parametrize(
        ("given", "refused"),
        [
            ({"password": "short"}, ("PASSWORD_TOO_SHORT", "password")),
            ({"password": "grace1906"}, ("PASSWORD_GUESSABLE", "password")),
            ({"passwordHash": "$1$abc"}, ("PASSWORD_HASH_INVALID", "passwordHash")),
            (
                {"passwordHash": "$2b$31" + HASH[6:]},
                ("PASSWORD_HASH_TOO_COSTLY", "passwordHash"),
            ),
            (
                {"password": PASSWORD, "passwordHash": HASH},
                ("PASSWORD_GIVEN_TWICE", "passwordHash"),
            ),
        ],
    )
    async def test_with_a_password_that_is_refused_nobody_is_made_sec_115(
        self, services, admin, key, given, refused
    ):
        code, name = refused
        assert refusal(await create(admin, key, **given)) == (code, ["input", name])
        assert await services.users.by_email("grace@example.com") is None

    async def test_a_user_who_is_refused_leaves_no_password(self, admin, key):
        given = {"username": "no good!", "password": PASSWORD}
        assert refusal(await create(admin, key, **given))[0] == "USERNAME_INVALID"
        assert await fetch("SELECT user_id FROM user_password") == []
