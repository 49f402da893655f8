"""REST for secret keys: users, as the reference's admin API has them, and their identities."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

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
from factories import NOBODYS_ID, make_identity, make_key, make_session, make_user
from hypothesis import given, settings
from hypothesis import strategies as st

from app.access import SCOPES, SYSTEM
from app.credentials.passwords import Verified
from app.credentials.totp import Accepted
from app.federation.connector import OutsideIdentity
from app.ids import parse_id
from app.persistence import fetch
from app.users import NewEmail, NewUser, ProfileChanges

USERS = "/users"
PASSWORD = "correct horse battery"
BASE = "http://localhost:8000/users"


@pytest.fixture
async def ada(services):
    return await make_user(
        services,
        email="ada.lovelace@example.com",
        username="ada_l",
        name="Ada L",
        public={"plan": "pro"},
        private={"s": 1},
    )


def endpoints(user_id):
    one = f"{USERS}/{user_id}"
    return [
        Endpoint("GET", USERS, "users:read"),
        Endpoint("POST", USERS, "users:write", {"username": "somebody"}),
        Endpoint("GET", f"{one}/identities", "users:read"),
        Endpoint("DELETE", f"{one}/identities/{NOBODYS_ID}", "users:write"),
        Endpoint("GET", one, "users:read"),
        Endpoint("PATCH", one, "users:write", {"name": "Ada"}),
        Endpoint("DELETE", one, "users:write"),
    ]


async def made(services, count):
    """Users whose accounts are a day apart, oldest first."""
    start = datetime(2024, 1, 1, tzinfo=UTC)
    users = []
    for number in range(count):
        new = NewUser(
            profile=ProfileChanges(username=f"user_{number}"),
            created_at=start + timedelta(days=number),
        )
        account, _ = await services.users.create(SYSTEM, new)
        users.append(str(account.id))
    return users


def ids(answer):
    assert answer.status_code == 200, answer.text
    return [one["id"] for one in answer.json()]


def links(answer):
    """The pages that the header names, by what they are."""
    found = {}
    for part in answer.headers["link"].split(","):
        url, _, name = part.partition("; rel=")
        assert url.startswith(f"<{BASE}?")
        found[name.strip('"')] = urlsplit(url.strip("<>")).query
    return found


class TestWho:
    async def test_each_endpoint_opens_for_its_scope_alone(self, services, admin, ada):
        """SEC-012, SEC-015, SEC-016"""
        for one in endpoints(ada.id):
            await opens_for_its_scope_alone(services, admin, one)

    async def test_the_public_listener_knows_none_of_them(self, public, key, ada, services):
        """SEC-108: it has a user's own profile at one of the paths, which a key does not open."""
        own = [one for one in endpoints(ada.id) if one.path == f"{USERS}/{ada.id}"]
        for one in endpoints(ada.id):
            if one not in own:
                await is_not_on_the_public_listener(public, key, one)
        answers = [await public.call(one.method, one.path, one.body, key=key) for one in own]
        assert [answer.status_code for answer in answers] == [401, 405, 405]
        assert await services.users.by_id(ada.id) == ada

    async def test_who_is_not_there_is_404(self, admin, key):
        """SEC-018, SEC-068, SEC-099: an id of nobody's and a text that is none, word for word."""
        for nobody in (NOBODYS_ID, "x", NOBODYS_ID.upper(), NOBODYS_ID.replace("-", ""), "%00"):
            for one in endpoints(nobody)[2:]:
                answer = await admin.call(one.method, one.path, one.body, key=key)
                assert refused(answer, 404, "not_found", "user_id"), one
                assert answer.json()["message"] == "user not found"


class TestOne:
    async def test_a_user_is_shown_with_all_that_is_theirs(self, services, admin, key, ada):
        """SEC-017: that there is a password or an app, and never what it is."""
        await services.passwords.set(SYSTEM, ada.id, PASSWORD)
        await services.totp.store(SYSTEM, ada.id, "JBSWY3DPEHPK3PXP", Accepted(1))
        identity = await make_identity(services, ada)
        (email,) = (await services.users.emails_of([ada.id]))[ada.id]
        password = await services.passwords.of(ada.id)
        at = {
            name: value.isoformat().replace("+00:00", "Z")
            for name, value in (
                ("created_at", ada.created_at),
                ("updated_at", ada.updated_at),
                ("identity", identity.created_at),
                ("password", password.changed_at),
            )
        }
        whole = {"created_at": at["created_at"], "updated_at": at["updated_at"]}
        answer = await admin.get(f"{USERS}/{ada.id}", key=key)
        assert answer.headers["cache-control"] == "no-store"
        shown = answer.json()
        assert shown.pop("otp").keys() == {"id", "created_at"}
        assert shown == {
            "id": str(ada.id),
            **whole,
            "emails": [
                {
                    "id": str(email.id),
                    "address": "ada.lovelace@example.com",
                    "is_verified": True,
                    "is_primary": True,
                    "created_at": email.created_at.isoformat().replace("+00:00", "Z"),
                    "updated_at": email.updated_at.isoformat().replace("+00:00", "Z"),
                }
            ],
            "username": {"id": str(ada.id), "username": "ada_l", **whole},
            "password": {
                "id": str(password.id),
                "created_at": at["password"],
                "updated_at": at["password"],
            },
            "identities": [
                {
                    "id": str(identity.id),
                    "provider_id": "subject",
                    "provider_name": "google",
                    "provider": "google",
                    "subject": "subject",
                    "created_at": at["identity"],
                    "updated_at": at["identity"],
                }
            ],
            "metadata": {"public_metadata": {"plan": "pro"}, "private_metadata": {"s": 1}},
            "name": "Ada L",
        }

    async def test_what_is_empty_is_left_out(self, services, admin, key):
        account, _ = await services.users.create(
            SYSTEM, NewUser(profile=ProfileChanges(username="plain"))
        )
        shown = (await admin.get(f"{USERS}/{account.id}", key=key)).json()
        assert shown.keys() == {"id", "created_at", "updated_at", "username"}

    async def test_passkeys_and_security_keys_are_there(self, services, admin, key, ada):
        passkey = await passkey_of(services, ada.id, Authenticator())
        shown = (await admin.get(f"{USERS}/{ada.id}", key=key)).json()
        (one,) = shown["webauthn_credentials"]
        assert (one["id"], one["mfa_only"]) == (passkey.credential_id, False)

    async def test_a_key_without_the_scope_sees_no_private_bag(self, services, admin, ada):
        """SEC-001, SEC-015: at no endpoint."""
        key = await make_key(services, *(set(SCOPES) - {"users.private:read"}))
        new = {"username": "other", "private_metadata": {"secret": 1}}
        answers = [
            await admin.get(f"{USERS}/{ada.id}", key=key),
            await admin.get(USERS, key=key),
            await admin.patch(f"{USERS}/{ada.id}", {"name": "A"}, key=key),
            await admin.post(USERS, new, key=key),
        ]
        assert [answer.status_code for answer in answers] == [200] * 4
        assert not any("private_metadata" in answer.text for answer in answers)

    async def test_who_may_write_alone_sees_the_id_and_the_times_alone(
        self, services, admin, ada, statements
    ):
        """SEC-015: nothing is read just to be shown; with `users:read` beside it all is there."""
        await services.passwords.set(SYSTEM, ada.id, PASSWORD)
        await make_identity(services, ada)
        await passkey_of(services, ada.id, Authenticator())
        new = {"emails": [{"address": "b@example.com", "is_primary": True}], "name": "B"}
        narrow = await make_key(services, "users:write", "users.private:read")
        statements.clear()
        answers = [
            await admin.patch(f"{USERS}/{ada.id}", {"name": "A"}, key=narrow),
            await admin.post(USERS, {**new, "password": PASSWORD}, key=narrow),
        ]
        assert not [sql for sql in statements if "FROM user_totp" in sql]
        for answer in answers:
            assert answer.status_code == 200
            assert answer.json().keys() == {"id", "created_at", "updated_at"}
        assert answers[0].json()["id"] == str(ada.id)
        await services.users.delete(SYSTEM, parse_id(answers[1].json()["id"]))
        both = await make_key(services, "users:write", "users:read")
        shown = (await admin.patch(f"{USERS}/{ada.id}", {"name": "A"}, key=both)).json()
        assert shown == (await admin.get(f"{USERS}/{ada.id}", key=both)).json()
        shown = (await admin.post(USERS, new, key=both)).json()
        assert [one["address"] for one in shown["emails"]] == ["b@example.com"]


class TestIdentities:
    async def test_identities_without_an_address_are_listed_too(self, services, admin, key, ada):
        first = await make_identity(services, ada, "first")
        outside = OutsideIdentity("saml", "https://idp.example.com", "second")
        (email,) = (await services.users.emails_of([ada.id]))[ada.id]
        second = await services.federation.identities.add(ada.id, outside, email.id, signs_in=False)
        answer = await admin.get(f"{USERS}/{ada.id}/identities", key=key)
        assert answer.status_code == 200
        shown = answer.json()
        assert [one["id"] for one in shown] == [str(first.id), str(second.id)]
        assert [one.get("email_id") for one in shown] == [None, str(email.id)]
        assert [one["provider_name"] for one in shown] == ["google", "saml"]
        assert shown == (await admin.get(f"{USERS}/{ada.id}", key=key)).json()["identities"]

    async def test_who_has_none_has_an_empty_list(self, admin, key, ada):
        assert (await admin.get(f"{USERS}/{ada.id}/identities", key=key)).json() == []

    async def test_an_identity_is_taken_away_and_told_of(self, services, admin, key, ada):
        """SEC-027, SEC-037, SEC-118: though it be needed; sessions and trusted devices end."""
        identity = await make_identity(services, ada)
        await make_session(services, ada)
        cookie = await services.trusted_devices.issue(SYSTEM, ada.id)
        path = f"{USERS}/{ada.id}/identities/{identity.id}"
        answer = await admin.call("DELETE", path, key=key)
        assert (answer.status_code, answer.content) == (204, b"")
        assert (await services.federation.identities_of([ada.id]))[ada.id] == []
        assert await fetch("SELECT id FROM user_session") == []
        assert not await services.trusted_devices.is_trusted(ada.id, cookie)
        assert await mailed() == [("identity_delete", "ada.lovelace@example.com")]
        assert [who for _, who, _ in await records("identity_deleted")] == ["secret_key"]
        again = await admin.call("DELETE", path, key=key)
        assert refused(again, 404, "not_found", "identity_id")

    async def test_another_s_identity_is_not_there(self, services, admin, key, ada):
        """SEC-018, SEC-099: nor is a text that is no id; and nothing ends."""
        other = await make_user(services)
        await make_session(services, other)
        identity = await make_identity(services, ada)
        for user, named in ((other, identity.id), (ada, NOBODYS_ID), (ada, "x"), (ada, "%00")):
            path = f"{USERS}/{user.id}/identities/{named}"
            answer = await admin.call("DELETE", path, key=key)
            assert refused(answer, 404, "not_found", "identity_id")
        assert (await services.federation.identities_of([ada.id]))[ada.id] == [identity]
        assert await fetch("SELECT id FROM user_session") != []
        assert await mailed() == []

    async def test_what_alone_names_a_user_stays(self, services, admin, ada):
        key = await make_key(services, "users:write")
        identity = await make_identity(services, ada)
        await fetch("DELETE FROM email")
        await fetch("UPDATE app_user SET username = NULL, username_key = NULL")
        answer = await admin.call("DELETE", f"{USERS}/{ada.id}/identities/{identity.id}", key=key)
        assert refused(answer, 400, "identifier_missing", "identity_id")
        asked = """mutation ($user: ID!, $id: ID!) {
          deleteUserIdentity(userId: $user, identityId: $id) {
            deletedId userErrors { code path } } }"""
        answer = await admin.gql(asked, {"user": str(ada.id), "id": str(identity.id)}, key=key)
        errors = [{"code": "IDENTIFIER_MISSING", "path": ["identityId"]}]
        payload = {"deletedId": None, "userErrors": errors}
        assert answer["data"] == {"deleteUserIdentity": payload}
        assert (await services.federation.identities_of([ada.id]))[ada.id] == [identity]

    async def test_graphql_does_the_same(self, services, admin, ada):
        """SEC-027, SEC-037, SEC-118"""
        key = await make_key(services, "users:write")
        identity = await make_identity(services, ada)
        asked = """mutation ($user: ID!, $id: ID!) {
          deleteUserIdentity(userId: $user, identityId: $id) {
            deletedId userErrors { code path } } }"""
        given_ids = {"user": str(ada.id), "id": str(identity.id)}
        answer = await admin.gql(asked, given_ids, key=key)
        payload = {"deletedId": str(identity.id), "userErrors": []}
        assert answer["data"] == {"deleteUserIdentity": payload}
        assert await mailed() == [("identity_delete", "ada.lovelace@example.com")]
        answer = await admin.gql(asked, given_ids, key=key)
        errors = answer["data"]["deleteUserIdentity"]["userErrors"]
        assert errors == [{"code": "NOT_FOUND", "path": ["identityId"]}]


class TestList:
    async def test_the_newest_come_first_unless_asked_otherwise(self, services, admin, key):
        users = await made(services, 3)
        assert ids(await admin.get(USERS, key=key)) == users[::-1]
        assert ids(await admin.get(f"{USERS}?sort_direction=desc", key=key)) == users[::-1]
        assert ids(await admin.get(f"{USERS}?sort_direction=asc", key=key)) == users

    async def test_a_user_of_a_list_comes_with_addresses_and_passkeys_alone(
        self, services, admin, key, ada
    ):
        await services.passwords.set(SYSTEM, ada.id, PASSWORD)
        await make_identity(services, ada)
        await passkey_of(services, ada.id, Authenticator())
        (shown,) = (await admin.get(USERS, key=key)).json()
        assert shown.keys() == {
            "id",
            "created_at",
            "updated_at",
            "emails",
            "webauthn_credentials",
            "username",
            "name",
        }

    async def test_nobody_is_an_empty_list(self, admin, key):
        answer = await admin.get(USERS, key=key)
        assert (answer.json(), answer.headers["x-total-count"]) == ([], "0")
        assert links(answer) == {"first": "page=1&per_page=20"}

    async def test_pages_are_counted_and_named(self, services, admin, key):
        """SEC-098: the table of the reference, at a tenth."""
        users = (await made(services, 5))[::-1]
        cases = [
            (1, {"last": 3, "next": 2}),
            (2, {"first": 1, "last": 3, "next": 3, "prev": 1}),
            (3, {"first": 1, "prev": 2}),
            (9, {"first": 1, "last": 3, "prev": 8}),
        ]
        for number, named in cases:
            answer = await admin.get(f"{USERS}?per_page=2&page={number}", key=key)
            assert ids(answer) == users[2 * number - 2 : 2 * number]
            assert answer.headers["x-total-count"] == "5"
            assert links(answer) == {
                name: f"page={page}&per_page=2" for name, page in named.items()
            }
        answer = await admin.get(f"{USERS}?page=1&per_page=20", key=key)
        assert links(answer) == {"first": "page=1&per_page=20"}

    async def test_zero_is_the_default(self, services, admin, key):
        users = (await made(services, 2))[::-1]
        answer = await admin.get(f"{USERS}?page=0&per_page=0", key=key)
        assert ids(answer) == users
        assert links(answer) == {"first": "page=1&per_page=20"}

    @pytest.mark.parametrize(
        ("query", "name"),
        [
            ("per_page=101", "per_page"),
            ("per_page=-1", "per_page"),
            ("per_page=x", "per_page"),
            ("per_page=1.5", "per_page"),
            ("per_page=99999999999999999999", "per_page"),
            ("page=-1", "page"),
            ("page=x", "page"),
            ("page=", "page"),
            ("page=2147483648", "page"),
        ],
    )
    async def test_a_page_that_is_none_is_refused(self, admin, key, query, name):
        """SEC-098"""
        answer = await admin.get(f"{USERS}?{query}", key=key)
        assert refused(answer, 400, "bad_request", name)

    async def test_the_last_page_that_can_be_named_is_empty(self, services, admin, key):
        await made(services, 1)
        answer = await admin.get(f"{USERS}?page=2147483647&per_page=100", key=key)
        assert ids(answer) == []

    async def test_users_are_found_by_a_part_of_an_address_or_name(self, services, admin, key, ada):
        grace, _ = await services.users.create(
            SYSTEM,
            NewUser(
                emails=(NewEmail("grace@example.com", is_primary=True),),
                profile=ProfileChanges(username="Grace_H"),
            ),
        )
        ada_id, grace_id = str(ada.id), str(grace.id)
        for query, found in (
            ("email=LOVELACE", [ada_id]),
            ("email=%40example.com", [grace_id, ada_id]),
            ("username=ACE_h", [grace_id]),
            ("username=nobody", []),
            ("email=lovelace&username=grace", [grace_id, ada_id]),
            (f"email=example&user_id={grace_id}", [grace_id]),
            (f"user_id={ada_id},{grace_id}", [grace_id, ada_id]),
            (f"user_id={NOBODYS_ID}", []),
            ("email=&username=", [grace_id, ada_id]),
        ):
            answer = await admin.get(f"{USERS}?{query}", key=key)
            assert sorted(ids(answer)) == sorted(found), query
            assert answer.headers["x-total-count"] == str(len(found))

    async def test_what_patterns_give_a_meaning_is_a_character_like_any_other(
        self, services, admin, key
    ):
        """SEC-098, SEC-121"""
        for address in ("a_b@example.com", "axb@example.com", "a%25b@example.com", "a!b@x.org"):
            await make_user(services, email=address.replace("%25", "%"))

        async def found(part):
            answer = await admin.get(USERS + f"?email={part}", key=key)
            return sorted(one["emails"][0]["address"] for one in answer.json())

        assert await found("a_b") == ["a_b@example.com"]
        assert await found("a%25b") == ["a%b@example.com"]
        assert await found("a!b") == ["a!b@x.org"]
        assert await found("%25") == ["a%b@example.com"]
        assert await found("'%20OR%20''='") == []

    async def test_a_filter_that_cannot_be_asked_is_refused(self, admin, key):
        """SEC-098"""
        many = ",".join([NOBODYS_ID] * 101)
        for query, code, path in (
            ("user_id=x", "filter_refused", ["user_id"]),
            (f"user_id={NOBODYS_ID},", "filter_refused", ["user_id"]),
            (f"user_id={NOBODYS_ID.upper()}", "filter_refused", ["user_id"]),
            (f"user_id={many}", "bad_request", ["user_id"]),
            ("sort_direction=up", "filter_refused", ["sort_direction"]),
            ("sort_direction=DESC", "filter_refused", ["sort_direction"]),
            (f"email={'x' * 256}", "bad_request", ["email"]),
            ("username=%00", "filter_refused", ["username"]),
        ):
            answer = await admin.get(f"{USERS}?{query}", key=key)
            assert refused(answer, 400, code, *path), query
        answer = await admin.get(f"{USERS}?sort_direction=up", key=key)
        assert answer.json()["message"] == "sort_direction must be desc or asc"
        answer = await admin.get(f"{USERS}?user_id=x", key=key)
        assert answer.json()["message"] == "failed to parse user_id as uuid"

    async def test_links_repeat_nothing_that_the_endpoint_does_not_know(self, services, admin, key):
        await made(services, 2)
        many = "&".join(f"other={number}" for number in range(200))
        answer = await admin.get(f"{USERS}?per_page=1&{many}&odd=%FF", key=key)
        assert len(ids(answer)) == 1
        assert links(answer)["next"] == "page=2&per_page=1"

    async def test_links_ask_for_the_same_users(self, services, admin, key):
        await made(services, 3)
        asked = f"{USERS}?username=user_&per_page=1&page=2&sort_direction=asc&email=%26a"
        answer = await admin.get(asked, key=key)
        for query in links(answer).values():
            names = [part.partition("=")[0] for part in query.split("&")]
            assert names == ["email", "page", "per_page", "sort_direction", "username"]
            given_again = parse_qs(query)
            assert (given_again["username"], given_again["email"]) == (["user_"], ["&a"])
            again = await admin.get(f"{USERS}?{query}", key=key)
            assert again.status_code == 200

    @given(st.text(max_size=40), st.text(max_size=40))
    @settings(max_examples=40)
    async def test_any_text_is_looked_for_or_refused(self, admin, key, email, username):
        """SEC-098, SEC-121"""
        query = f"email={_quoted(email)}&username={_quoted(username)}"
        answer = await admin.get(f"{USERS}?{query}", key=key)
        assert answer.status_code in (200, 400)


def _quoted(text):
    return "".join(f"%{byte:02X}" for byte in text.encode(errors="surrogatepass"))


NEW = {"emails": [{"address": "new@example.com", "is_primary": True}]}
BAD_USERS = [
    ({}, "identifier_missing", [], "at least one of [Emails, Username] must be set"),
    ([], "body_invalid", [], None),
    (None, "body_invalid", [], None),
    (
        {"emails": [{}]},
        "body_invalid",
        ["emails", "0", "address"],
        "address is a required field",
    ),
    (
        {"emails": [{"address": "a@b.org"}, {"address": None}]},
        "body_invalid",
        ["emails", "1", "address"],
        "address is a required field",
    ),
    ({"emails": [None]}, "body_invalid", ["emails", "0"], None),
    ({"emails": [{"address": "x"}]}, "email_invalid", ["emails", "0", "address"], None),
    ({"emails": "x"}, "body_invalid", ["emails"], None),
    ({"emails": None}, "identifier_missing", [], None),
    (
        {"emails": [{"address": "a@example.com"}, {"address": "b@example.com"}]},
        "primary_email_wrong",
        ["emails"],
        "at least one primary email must be provided",
    ),
    (
        {
            "emails": [
                {"address": "a@example.com", "is_primary": True},
                {"address": "b@example.com", "is_primary": True},
            ]
        },
        "primary_email_wrong",
        ["emails"],
        "only one primary email is allowed",
    ),
    (
        {"emails": [{"address": "a@b.org", "is_primary": True}, {"address": "A@b.org"}]},
        "email_taken",
        ["emails", "1", "address"],
        "email already exists",
    ),
    ({**NEW, "id": "x"}, "body_invalid", ["id"], None),
    ({**NEW, "created_at": "yesterday"}, "body_invalid", ["created_at"], None),
    ({**NEW, "created_at": "0001-01-01T00:00:00Z"}, "body_invalid", ["created_at"], None),
    ({"username": "a b"}, "username_invalid", ["username"], "username is invalid"),
    ({"username": ""}, "username_invalid", ["username"], "username is invalid"),
    ({**NEW, "picture": "x"}, "picture_invalid", ["picture"], None),
    ({**NEW, "password": "short"}, "password_too_short", ["password"], None),
    ({**NEW, "public_metadata": []}, "metadata_not_an_object", ["public_metadata"], None),
]


class TestMake:
    async def test_a_user_is_made_with_all_that_is_given(self, services, admin, key):
        """SEC-118: and one record, and what receivers are told."""
        wanted = str(uuid4())
        body = {
            "id": wanted,
            "emails": [
                {"address": "ada@example.com", "is_primary": True, "is_verified": True},
                {"address": "second@example.com"},
            ],
            "username": "ada_l",
            "created_at": "2020-01-01T00:00:00+01:00",
            "name": "Ada L",
            "given_name": "Ada",
            "family_name": "L",
            "picture": "https://example.com/a.png",
            "locale": "en-GB",
            "password": PASSWORD,
            "public_metadata": {"plan": "pro"},
            "private_metadata": {"s": 1},
        }
        answer = await admin.post(USERS, body, key=key)
        assert answer.status_code == 200
        shown = answer.json()
        assert shown == (await admin.get(f"{USERS}/{wanted}", key=key)).json()
        assert shown["id"] == wanted
        assert shown["created_at"] == "2019-12-31T23:00:00Z"
        assert [
            (one["address"], one["is_primary"], one["is_verified"]) for one in shown["emails"]
        ] == [("ada@example.com", True, True), ("second@example.com", False, False)]
        assert shown["metadata"] == {
            "public_metadata": {"plan": "pro"},
            "private_metadata": {"s": 1},
        }
        names = ("name", "given_name", "family_name", "picture", "locale")
        assert {name: shown[name] for name in names} == {name: body[name] for name in names}
        account = await services.users.by_username("ada_l")
        assert isinstance(await services.passwords.verify(account.id, PASSWORD), Verified)
        assert PASSWORD not in answer.text
        (record,) = await records("user_created")
        assert record[1] == "secret_key"
        assert "user.create" in await told()

    async def test_a_single_address_is_the_primary_one(self, admin, key):
        answer = await admin.post(USERS, {"emails": [{"address": "a@example.com"}]}, key=key)
        assert [one["is_primary"] for one in answer.json()["emails"]] == [True]

    async def test_what_it_does_not_know_is_ignored_and_addresses_are_kept_in_lower_case(
        self, services, admin, key
    ):
        email = {"address": "Ada@Example.COM", "isPrimary": False, "created_at": "x", "id": 1}
        body = {"emails": [email], "username": "Ada_L", "isAdmin": True, "metadata": 1}
        shown = (await admin.post(USERS, body, key=key)).json()
        assert [one["address"] for one in shown["emails"]] == ["ada@example.com"]
        assert shown["username"]["username"] == "Ada_L"

    async def test_null_stands_for_no_flag_and_no_addresses(self, admin, key):
        email = {"address": "ada@example.com", "is_primary": None, "is_verified": None}
        for body in ({"emails": [email]}, {"emails": None, "username": "plain"}):
            assert (await admin.post(USERS, body, key=key)).status_code == 200

    async def test_nulls_are_as_good_as_left_out(self, admin, key):
        body = dict.fromkeys(("id", "name", "locale", "created_at", "password", "public_metadata"))
        answer = await admin.post(USERS, {"username": "plain", **body}, key=key)
        assert answer.status_code == 200

    @pytest.mark.parametrize("case", BAD_USERS)
    async def test_a_user_that_breaks_a_rule_is_not_made(self, admin, key, case):
        body, code, path, message = case
        answer = await admin.post(USERS, body, key=key)
        status = 409 if code == "email_taken" else 400
        assert refused(answer, status, code, *path)
        assert message in (None, answer.json()["message"])
        assert (await fetch("SELECT count(*) AS n FROM app_user"))[0]["n"] == 0
        assert await told() == []

    async def test_what_is_taken_is_a_conflict(self, services, admin, key, ada):
        """SEC-114, SEC-122: the id of who is deleted stays taken."""
        address = "ADA.lovelace@EXAMPLE.com"
        for body, code, path, message in (
            (
                {"emails": [{"address": address}]},
                "email_taken",
                ["emails", "0", "address"],
                "email already exists",
            ),
            ({"username": "ADA_L"}, "username_taken", ["username"], "username already exists"),
            (
                {"username": "other", "id": str(ada.id)},
                "user_exists",
                ["id"],
                "user already exists",
            ),
        ):
            answer = await admin.post(USERS, body, key=key)
            assert refused(answer, 409, code, *path)
            assert answer.json()["message"] == message
        await services.users.delete(SYSTEM, ada.id)
        again = await admin.post(USERS, {"username": "other", "id": str(ada.id)}, key=key)
        assert refused(again, 409, "user_exists", "id")


BAD_CHANGES = [
    ([], "body_invalid", [], None),
    (None, "body_invalid", [], None),
    ({"name": 1}, "body_invalid", ["name"], "name must be a non-empty string or null"),
    ({"name": " "}, "body_invalid", ["name"], "name must be a non-empty string or null"),
    ({"picture": ""}, "body_invalid", ["picture"], "picture must be a non-empty string or null"),
    (
        {"picture": "ftp://example.com/a"},
        "picture_invalid",
        ["picture"],
        "picture must be a valid http(s) URL or null",
    ),
    ({"username": "a b"}, "username_invalid", ["username"], "username is invalid"),
    ({"username": "other"}, "username_taken", ["username"], "username already exists"),
    ({"name": "x" * 256}, "text_invalid", ["name"], None),
    ({"username": {"username": "x"}}, "body_invalid", ["username"], None),
]


class TestChange:
    async def test_what_is_left_out_stays_null_clears_and_a_text_is_set(
        self, services, admin, key, ada
    ):
        """SEC-037, SEC-118"""
        path = f"{USERS}/{ada.id}"
        body = {"given_name": " Ada ", "username": "Countess", "name": None}
        answer = await admin.patch(path, body, key=key)
        assert answer.status_code == 200
        shown = answer.json()
        assert (shown["given_name"], shown["username"]["username"]) == ("Ada", "countess")
        assert "name" not in shown
        assert shown == (await admin.get(path, key=key)).json()
        assert [who for _, who, _ in await records("user_updated")] == ["secret_key"]
        assert "user.update.username.update" in await told()
        assert await mailed() == [("username_update", "ada.lovelace@example.com")]

    async def test_what_was_read_is_written_back_with_one_thing_changed(
        self, services, admin, key, ada
    ):
        path = f"{USERS}/{ada.id}"
        read = (await admin.get(path, key=key)).json()
        body = {**read, "id": NOBODYS_ID, "emails": [], "username": "countess", "isAdmin": True}
        answer = await admin.patch(path, body, key=key)
        assert answer.status_code == 200
        changed = {"username", "updated_at"}
        same = read.keys() - changed
        assert {name: answer.json()[name] for name in same} == {name: read[name] for name in same}
        assert answer.json()["username"]["username"] == "countess"

    async def test_nothing_asked_is_nothing_changed(self, services, admin, key, ada):
        answer = await admin.patch(f"{USERS}/{ada.id}", {}, key=key)
        assert answer.status_code == 200
        assert await services.users.by_id(ada.id) == ada

    @pytest.mark.parametrize("case", BAD_CHANGES)
    async def test_a_change_that_breaks_a_rule_changes_nothing(self, services, admin, key, case):
        body, code, path, message = case
        ada = await make_user(services, username="ada_l", name="Ada L")
        await make_user(services, username="other")
        answer = await admin.patch(f"{USERS}/{ada.id}", body, key=key)
        assert refused(answer, 409 if code == "username_taken" else 400, code, *path)
        assert message in (None, answer.json()["message"])
        assert await services.users.by_id(ada.id) == ada

    async def test_the_last_that_addresses_a_user_stays(self, services, admin, key):
        account, _ = await services.users.create(
            SYSTEM, NewUser(profile=ProfileChanges(username="plain"))
        )
        answer = await admin.patch(f"{USERS}/{account.id}", {"username": None}, key=key)
        assert refused(answer, 400, "identifier_missing", "username")


class TestDelete:
    async def test_a_user_goes_with_all_that_is_theirs(self, services, admin, key, ada):
        """SEC-118, SEC-122"""
        await make_session(services, ada)
        answer = await admin.call("DELETE", f"{USERS}/{ada.id}", key=key)
        assert (answer.status_code, answer.content) == (204, b"")
        assert await services.users.by_id(ada.id) is None
        assert await fetch("SELECT id FROM user_session WHERE user_id = $1", ada.id) == []
        assert [who for _, who, _ in await records("user_deleted")] == ["secret_key"]
        assert "user.delete" in await told()
        again = await admin.call("DELETE", f"{USERS}/{ada.id}", key=key)
        assert refused(again, 404, "not_found", "user_id")


@given(
    body=bodies("id", "emails", "username", "name", "picture", "created_at", "password_hash")
    | st.fixed_dictionaries({"emails": st.lists(bodies("address", "is_primary"), max_size=2)})
)
@settings(max_examples=40)
async def test_whatever_is_sent_nothing_breaks(admin, key, ada, body):
    """SEC-097"""
    assert is_whole(await admin.post(USERS, body, key=key))
    assert is_whole(await admin.patch(f"{USERS}/{ada.id}", body, key=key))
