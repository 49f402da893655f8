"""REST for secret keys: users' addresses, as the reference's admin API has them."""

import pytest
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
from factories import NOBODYS_ID, make_key, make_user, reconfigured
from hypothesis import given, settings

from app.access import SYSTEM
from app.config.sections import Email
from app.users import NewEmail, NewUser, ProfileChanges

FIRST, SECOND = "ada@example.com", "ada@example.org"


@pytest.fixture
async def ada(services):
    return await make_user(services, email=FIRST)


@pytest.fixture
async def second(services, ada):
    return await services.users.add_email(SYSTEM, ada.id, NewEmail(SECOND))


def emails_of(user_id):
    return f"/users/{user_id}/emails"


def endpoints(user_id, email_id):
    base = f"/users/{user_id}/emails"
    return [
        Endpoint("GET", base, "users:read"),
        Endpoint("POST", base, "users:write", {"address": "third@example.com"}),
        Endpoint("GET", f"{base}/{email_id}", "users:read"),
        Endpoint("POST", f"{base}/{email_id}/set_primary", "users:write"),
        Endpoint("DELETE", f"{base}/{email_id}", "users:write"),
    ]


async def kept(services, user_id):
    """What addresses a user has, the primary one first."""
    mine = (await services.users.emails_of([user_id]))[user_id]
    return [one.address for one in sorted(mine, key=lambda one: not one.is_primary)]


class TestWho:
    async def test_each_endpoint_opens_for_its_scope_alone(self, services, admin, key, second):
        """SEC-012, SEC-015, SEC-016"""
        for one in endpoints(second.user_id, second.id):
            await opens_for_its_scope_alone(services, admin, one)

    async def test_the_public_listener_knows_none_of_them(self, public, key, ada, second):
        """SEC-108"""
        for one in endpoints(ada.id, second.id):
            await is_not_on_the_public_listener(public, key, one)

    async def test_who_is_not_there_is_404(self, admin, key, second):
        """SEC-068, SEC-099"""
        for nobody in (NOBODYS_ID, "x", NOBODYS_ID.upper(), "%00"):
            for one in endpoints(nobody, second.id):
                answer = await admin.call(one.method, one.path, one.body, key=key)
                assert refused(answer, 404, "not_found", "user_id"), one
                assert answer.json()["message"] == "user not found"

    async def test_another_s_address_is_not_there(self, services, admin, key, second):
        """SEC-018, SEC-099: nor is an id of none, nor a text that is no id."""
        other = await make_user(services)
        for mine, email_id in (
            (other.id, str(second.id)),
            (second.user_id, NOBODYS_ID),
            (second.user_id, str(second.id).upper()),
            (second.user_id, "{email_id}"),
            (second.user_id, "%00"),
        ):
            for one in endpoints(mine, email_id)[2:]:
                answer = await admin.call(one.method, one.path, one.body, key=key)
                assert refused(answer, 404, "not_found", "email_id"), one
        answer = await admin.get(f"/users/{second.user_id}/emails/{NOBODYS_ID}", key=key)
        assert answer.json()["message"] == f"email with id '{NOBODYS_ID}' was not found"
        assert await kept(services, second.user_id) == [FIRST, SECOND]


class TestRead:
    async def test_addresses_are_listed_oldest_first(self, services, admin, key, second):
        (first, _) = (await services.users.emails_of([second.user_id]))[second.user_id]
        answer = await admin.get(emails_of(second.user_id), key=key)
        assert answer.status_code == 200
        assert answer.json() == [
            {
                "id": str(one.id),
                "address": one.address,
                "is_verified": one.is_verified,
                "is_primary": one.is_primary,
                "created_at": one.created_at.isoformat().replace("+00:00", "Z"),
                "updated_at": one.updated_at.isoformat().replace("+00:00", "Z"),
            }
            for one in (first, second)
        ]
        for one in answer.json():
            alone = await admin.get(f"{emails_of(second.user_id)}/{one['id']}", key=key)
            assert (alone.status_code, alone.json()) == (200, one)

    async def test_who_has_none_has_an_empty_list(self, services, admin, key):
        account, _ = await services.users.create(
            SYSTEM, NewUser(profile=ProfileChanges(username="plain"))
        )
        answer = await admin.get(f"/users/{account.id}/emails", key=key)
        assert (answer.status_code, answer.json()) == (200, [])


class TestAdd:
    async def test_an_address_is_added_and_is_not_the_primary_one(self, services, admin, key, ada):
        """SEC-037, SEC-118: whatever `is_primary` says, as with the reference."""
        body = {"address": SECOND, "is_verified": True, "is_primary": True}
        answer = await admin.post(emails_of(ada.id), body, key=key)
        assert answer.status_code == 201
        shown = answer.json()
        assert (shown["address"], shown["is_verified"], shown["is_primary"]) == (
            SECOND,
            True,
            False,
        )
        assert shown == (await admin.get(f"{emails_of(ada.id)}/{shown['id']}", key=key)).json()
        assert await kept(services, ada.id) == [FIRST, SECOND]
        assert [who for _, who, _ in await records("email_created")] == ["secret_key"]
        assert "user.update.email.create" in await told()
        assert await mailed() == [("email_create", FIRST)]

    async def test_the_first_address_of_a_user_is_the_primary_one(self, services, admin, key):
        account, _ = await services.users.create(
            SYSTEM, NewUser(profile=ProfileChanges(username="plain"))
        )
        body = {"address": SECOND, "is_primary": False}
        answer = await admin.post(f"/users/{account.id}/emails", body, key=key)
        assert (answer.json()["is_primary"], answer.json()["is_verified"]) == (True, False)

    async def test_an_address_that_somebody_has_is_a_bad_request(self, services, admin, key, ada):
        """SEC-114: as with the reference; elsewhere it is a conflict."""
        other = await make_user(services, email="taken@example.com")
        for address in ("TAKEN@example.com", FIRST.upper()):
            answer = await admin.post(emails_of(ada.id), {"address": address}, key=key)
            assert refused(answer, 400, "email_taken", "address")
            assert answer.json()["message"] == "email already exists"
        assert await kept(services, ada.id) == [FIRST]
        assert await kept(services, other.id) == ["taken@example.com"]

    @pytest.mark.parametrize(
        "case",
        [
            ({}, "body_invalid", ["address"], "address is a required field"),
            ({"address": None}, "body_invalid", ["address"], "address is a required field"),
            ({"address": 1}, "body_invalid", ["address"], None),
            (
                {"address": "x"},
                "email_invalid",
                ["address"],
                "address must be a valid email address",
            ),
            ({"address": f"{'a' * 101}@x.org"}, "email_invalid", ["address"], None),
            ({"address": SECOND, "is_verified": 1}, "body_invalid", ["is_verified"], None),
            ([], "body_invalid", [], None),
            (None, "body_invalid", [], None),
        ],
    )
    async def test_what_is_no_address_is_refused(self, services, admin, ada, case):
        body, code, path, message = case
        answer = await admin.post(emails_of(ada.id), body, key=await make_key(services))
        assert refused(answer, 400, code, *path)
        assert message in (None, answer.json()["message"])
        assert await kept(services, ada.id) == [FIRST]

    async def test_what_it_does_not_know_is_ignored_and_the_address_is_kept_in_lower_case(
        self, services, admin, key, ada
    ):
        body = {"id": "x", "address": SECOND.upper(), "is_verified": None, "isVerified": True}
        answer = await admin.post(emails_of(ada.id), body, key=key)
        shown = answer.json()
        assert (answer.status_code, shown["address"], shown["is_verified"]) == (201, SECOND, False)
        assert await kept(services, ada.id) == [FIRST, SECOND]

    async def test_one_too_many_is_a_conflict(self, services, key, ada):
        few = Face(await reconfigured(services, email=Email(limit=1)), "admin")
        answer = await few.post(emails_of(ada.id), {"address": SECOND}, key=key)
        assert refused(answer, 409, "email_limit_reached")
        assert await kept(services, ada.id) == [FIRST]


class TestPrimary:
    async def test_an_address_becomes_the_primary_one(self, services, admin, key, second):
        """SEC-037, SEC-118: and the old one is told."""
        answer = await admin.call(
            "POST", f"{emails_of(second.user_id)}/{second.id}/set_primary", key=key
        )
        assert (answer.status_code, answer.content) == (204, b"")
        assert await kept(services, second.user_id) == [SECOND, FIRST]
        assert [who for _, who, _ in await records("primary_email_changed")] == ["secret_key"]
        assert "user.update.email.primary" in await told()
        assert await mailed() == [("primary_email_update", FIRST)]

    async def test_what_is_primary_already_is_told_to_nobody(self, services, admin, key, second):
        first = (await services.users.emails_of([second.user_id]))[second.user_id][0]
        answer = await admin.call(
            "POST", f"{emails_of(second.user_id)}/{first.id}/set_primary", key=key
        )
        assert answer.status_code == 204
        assert "user.update.email.primary" not in await told()
        assert await records("primary_email_changed") == []
        assert await mailed() == []


class TestDelete:
    async def test_an_address_is_taken_away(self, services, admin, key, second):
        """SEC-037, SEC-118"""
        answer = await admin.call("DELETE", f"{emails_of(second.user_id)}/{second.id}", key=key)
        assert (answer.status_code, answer.content) == (204, b"")
        assert await kept(services, second.user_id) == [FIRST]
        assert [who for _, who, _ in await records("email_deleted")] == ["secret_key"]
        assert "user.update.email.delete" in await told()
        assert await mailed() == [("email_delete", FIRST)]

    async def test_the_primary_one_stays(self, services, admin, key, second):
        first = (await services.users.emails_of([second.user_id]))[second.user_id][0]
        answer = await admin.call("DELETE", f"{emails_of(second.user_id)}/{first.id}", key=key)
        assert refused(answer, 409, "email_is_primary", "email_id")
        assert await kept(services, second.user_id) == [FIRST, SECOND]
        assert "user.update.email.delete" not in await told()


@given(body=bodies("address", "is_primary", "is_verified"))
@settings(max_examples=30)
async def test_whatever_is_sent_nothing_breaks(admin, key, ada, body):
    """SEC-097"""
    assert is_whole(await admin.post(emails_of(ada.id), body, key=key))
