"""REST for backends with a secret key: Torii's endpoints, and Hanko's metadata endpoints."""

import json
from uuid import uuid4

import pytest
from faces.clients import Face
from factories import NOBODYS_ID, make_key, make_session, make_user, reconfigured

from app.access import SCOPES, SYSTEM
from app.config.sections import UserMetadata
from app.http import Callers
from app.persistence import fetch

USERS = "/api/server/v1/users"
BAGS = ("public", "private", "unsafe")
NUMBERS = '{"big":12345678901234567890123456789,"i":9007199254740993,"f":1.10,"g":1E5,"z":-0}'


class Torii:
    """The backend API, on both listeners; bags in camelCase, every one of them shown."""

    def path(self, user_id):
        return f"{USERS}/{user_id}/metadata"

    def bags(self, answer):
        assert answer.status_code == 200
        body = answer.json()
        return tuple(body[f"{name}Metadata"] for name in BAGS)


class Hanko:
    """The reference's admin endpoints; bags in snake_case, empty ones left out."""

    def path(self, user_id):
        return f"/users/{user_id}/metadata"

    def bags(self, answer):
        if answer.status_code == 204:
            assert answer.content == b""
            return {}, {}, {}
        assert answer.status_code == 200
        body = answer.json()
        assert body
        assert {} not in body.values()
        return tuple(body.pop(f"{name}_metadata", {}) for name in BAGS)


@pytest.fixture(params=[Torii(), Hanko()], ids=["torii", "hanko"])
def endpoint(request):
    return request.param


@pytest.fixture
async def ada(services):
    return await make_user(
        services,
        email="ada@example.com",
        username="ada_l",
        name="Ada L",
        public={"a": 1},
        private={"s": 1},
        unsafe={"t": 1},
    )


@pytest.fixture
def patch(admin, endpoint, key, ada):
    async def patch(body=..., **call):
        return await admin.patch(endpoint.path(ada.id), body, **{"key": key, **call})

    return patch


@pytest.fixture
def kept(ada):
    async def kept():
        sql = "SELECT public_bag, private_bag, unsafe_bag FROM user_metadata WHERE user_id = $1"
        (row,) = await fetch(sql, ada.id)
        return tuple(json.loads(text) for text in row.values())

    return kept


NOT_STRICT = [
    b'{"public_metadata":{"x":1},"public_metadata":{"y":2}}',
    b'{"public_metadata":{"x":1,"x":2}}',
    b'{"public_metadata":{"d":{"x":1,"x":2}}}',
    b'{"public_metadata":',
    b'{"public_metadata":{"a":1}} trailing',
    b'{"public_metadata":{"a":1}}{}',
    b"",
    b" ",
    b"nul",
    b"NaN",
    b'{"public_metadata":{"e":1e400}}',
    b'{"public_metadata":{"e":NaN}}',
    b'\xef\xbb\xbf{"public_metadata":{"b":1}}',
    b'{"public_metadata":{"a":"\xff"}}',
    b'{"public_metadata":' + b'{"d":' * 11_000 + b"1" + b"}" * 11_000 + b"}",
    b"[" * 100_000,
]
NO_OBJECTS = [[], "s", "", 7, True, False, 1.5, [{"public_metadata": {}}]]
UNKNOWN = ["other", "Public_Metadata", "PublicMetadata", "metadata", "public", "", "\ud800", "a.b"]
OTHER_MEDIA = [
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/xml",
    "application/merge-patch+json",
    "application/msgpack",
]
ODD_VERSIONS = ["1", '"x"', 'W/"1"', '"1", "2"', '""', "x" * 50]
BAD_USERS = [
    ({}, "identifier_missing", []),
    ([], "body_invalid", []),
    (None, "body_invalid", []),
    ("x", "body_invalid", []),
    ({"email": 1}, "body_invalid", ["email"]),
    ({"email": "x"}, "email_invalid", ["emails", "0", "address"]),
    ({"emails": [{"address": 1}]}, "body_invalid", ["emails", "0", "address"]),
    ({"emails": [{"adress": "x"}]}, "body_invalid", ["emails", "0"]),
    ({"emails": {"address": "x"}}, "body_invalid", ["emails"]),
    ({"emails": [{"address": "a@example.com", "\ud800": 1}]}, "body_invalid", []),
    (
        {"emails": [{"address": "a@example.com"}, {"address": "b@example.com"}]},
        "primary_email_wrong",
        ["emails"],
    ),
    ({"email": "a@example.com", "password": "x"}, "body_invalid", ["password"]),
    ({"email": "a@example.com", "given_name": "x"}, "body_invalid", ["given_name"]),
    ({"email": "a@example.com", "isAdmin": True}, "body_invalid", ["isAdmin"]),
    ({"email": "a@example.com", "id": "x"}, "body_invalid", ["id"]),
    ({"email": "a@example.com", "id": "A" * 36}, "body_invalid", ["id"]),
    ({"email": "a@example.com", "createdAt": "yesterday"}, "body_invalid", ["createdAt"]),
    ({"email": "a@example.com", "createdAt": 5}, "body_invalid", ["createdAt"]),
    (
        {"email": "a@example.com", "createdAt": "0001-01-01T00:00:00Z"},
        "body_invalid",
        ["createdAt"],
    ),
    (
        {"email": "a@example.com", "createdAt": "9999-12-31T23:59:59-14:00"},
        "body_invalid",
        ["createdAt"],
    ),
    (
        {"email": "a@example.com", "createdAt": "2020-01-01T00:00:00"},
        "body_invalid",
        ["createdAt"],
    ),
    ({"username": "a b"}, "username_invalid", ["username"]),
    ({"username": "ok_name", "name": ""}, "text_invalid", ["name"]),
    ({"username": "ok_name", "picture": "x"}, "picture_invalid", ["picture"]),
    (
        {"username": "ok_name", "publicMetadata": []},
        "metadata_not_an_object",
        ["public_metadata"],
    ),
    (
        {"username": "ok_name", "privateMetadata": {"a": "x" * 3000}},
        "metadata_too_large",
        ["private_metadata"],
    ),
]
BEFORE = ({"a": 1}, {"s": 1}, {"t": 1})


def refused(answer, status, code, *path):
    """Check the one shape of a refusal."""
    body = answer.json()
    assert answer.status_code == status, body
    assert body["code"] == status
    assert body["message"] == body["error"]["message"]
    assert body["error"]["code"] == code
    assert body["error"]["request_id"] == answer.headers["x-request-id"]
    assert body["error"].get("path", []) == list(path)
    return True


class TestPatch:
    """Rows of the worked examples, on both endpoints."""

    @pytest.mark.parametrize(
        ("body", "after"),
        [
            ({}, BEFORE),
            ({"public_metadata": {}}, BEFORE),
            ({"public_metadata": {"b": 2}}, ({"a": 1, "b": 2}, {"s": 1}, {"t": 1})),
            ({"publicMetadata": {"b": 2}}, ({"a": 1, "b": 2}, {"s": 1}, {"t": 1})),
            ({"public_metadata": {"a": None}}, ({}, {"s": 1}, {"t": 1})),
            ({"public_metadata": None}, ({}, {"s": 1}, {"t": 1})),
            ({"privateMetadata": None}, ({"a": 1}, {}, {"t": 1})),
            (
                {"public_metadata": {"b": 1}, "private_metadata": None, "unsafe_metadata": {}},
                ({"a": 1, "b": 1}, {}, {"t": 1}),
            ),
            (
                {"publicMetadata": {"b": 1}, "private_metadata": {"u": {"v": {"w": None}}}},
                ({"a": 1, "b": 1}, {"s": 1, "u": {"v": {}}}, {"t": 1}),
            ),
            (
                dict.fromkeys(("public_metadata", "private_metadata", "unsafe_metadata")),
                ({}, {}, {}),
            ),
        ],
    )
    async def test_bags_that_are_named_change_and_the_others_stay(
        self, endpoint, patch, kept, body, after
    ):
        """SEC-005: rows 5 to 10"""
        answer = await patch(body)
        assert endpoint.bags(answer) == after
        assert await kept() == after

    async def test_null_for_the_whole_body(self, endpoint, patch, kept):
        """Row 9: Hanko's endpoint clears all three, Torii's knows no such thing."""
        answer = await patch(None)
        if isinstance(endpoint, Hanko):
            assert answer.status_code == 204
            assert await kept() == ({}, {}, {})
        else:
            assert refused(answer, 400, "body_invalid")
            assert await kept() == BEFORE

    async def test_a_body_that_is_no_strict_json_is_refused(self, patch, kept):
        """SEC-006, SEC-105: rows 34, 38, 51, 52, 56"""
        for content in NOT_STRICT:
            answer = await patch(content=content)
            assert answer.status_code == 400
            assert answer.json()["error"]["code"] in ("bad_request", "body_invalid")
            assert await kept() == BEFORE

    async def test_a_body_that_is_no_object_is_refused(self, patch, kept):
        """SEC-006: row 50"""
        for body in NO_OBJECTS:
            assert refused(await patch(body), 400, "body_invalid")
            assert await kept() == BEFORE

    async def test_an_unknown_name_is_refused(self, patch, kept):
        """SEC-003: rows 53, 54"""
        for name in UNKNOWN:
            answer = await patch({"public_metadata": {"b": 1}, name: {"a": 1}})
            shown = "\\ud800" if name == "\ud800" else name
            assert refused(answer, 400, "body_invalid", shown)
            assert await kept() == BEFORE

    async def test_a_bag_in_both_spellings_is_refused(self, patch, kept):
        answer = await patch({"public_metadata": {"x": 1}, "publicMetadata": {"y": 1}})
        assert refused(answer, 400, "body_invalid")
        assert await kept() == BEFORE

    @pytest.mark.parametrize("name", ["public_metadata", "privateMetadata"])
    async def test_a_bag_that_is_no_object_is_refused(self, patch, kept, name):
        """SEC-006: rows 47 to 49"""
        snake = "public_metadata" if "public" in name else "private_metadata"
        for value in ([], "x", 5, 1.10, True, False):
            answer = await patch({name: value})
            assert refused(answer, 400, "metadata_not_an_object", snake)
        assert await kept() == BEFORE

    async def test_a_text_that_nothing_can_hold_is_refused_with_its_place(self, patch, kept):
        """SEC-006: rows 68, 69"""
        for text in ("\0", "\ud800"):
            answer = await patch({"unsafe_metadata": {"a": ["b", {"c": text}]}})
            where = ("unsafe_metadata", "a", "1", "c")
            assert refused(answer, 400, "metadata_invalid", *where)
        assert await kept() == BEFORE

    async def test_a_bag_over_its_cap_is_refused_and_no_bag_changes(self, patch, kept):
        """SEC-007: rows 57, 58, 67"""
        answer = await patch({"private_metadata": {"b": 1}, "public_metadata": {"a": "x" * 2993}})
        assert refused(answer, 400, "metadata_too_large", "public_metadata")
        assert "3000" in answer.json()["message"]
        assert await kept() == BEFORE
        answer = await patch({"public_metadata": {"a": "x" * 2992}})
        assert answer.status_code == 200

    async def test_numbers_keep_their_digits(self, endpoint, patch, admin, key, ada):
        """Rows 35 to 37"""
        answer = await patch(content=b'{"public_metadata":' + NUMBERS.encode() + b"}")
        assert NUMBERS[1:] in answer.text
        again = await admin.get(
            f"{USERS}/{ada.id}" if isinstance(endpoint, Torii) else endpoint.path(ada.id), key=key
        )
        assert NUMBERS[1:] in again.text

    async def test_anything_but_json_is_refused(self, patch, kept):
        for media in OTHER_MEDIA:
            answer = await patch({"public_metadata": {"b": 1}}, headers={"content-type": media})
            assert refused(answer, 415, "unsupported_media_type")
            assert await kept() == BEFORE

    @pytest.mark.parametrize("user_id", [NOBODYS_ID, "x", "0" * 32, "{id}", "%00"])
    async def test_who_is_not_there_is_404(self, admin, endpoint, key, user_id):
        answer = await admin.patch(endpoint.path(user_id), {"public_metadata": {}}, key=key)
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "not_found"

    async def test_an_id_in_another_spelling_is_nobody_s(self, admin, endpoint, key, ada):
        """SEC-099"""
        for text in (str(ada.id).upper(), ada.id.hex, f"urn:uuid:{ada.id}", f"{{{ada.id}}}"):
            if text == str(ada.id):
                continue
            answer = await admin.patch(endpoint.path(text), {"public_metadata": {}}, key=key)
            assert answer.status_code == 404


class TestVersions:
    async def test_an_answer_carries_the_version_and_a_change_may_ask_for_it(
        self, endpoint, patch, kept
    ):
        first = await patch({})
        assert first.headers["etag"] == '"1"'
        answer = await patch({"public_metadata": {"b": 1}}, headers={"if-match": '"1"'})
        assert answer.headers["etag"] == '"2"'
        answer = await patch({"public_metadata": {"c": 1}}, headers={"if-match": '"1"'})
        assert refused(answer, 412, "metadata_version_conflict", "if-match")
        assert (await kept())[0] == {"a": 1, "b": 1}
        answer = await patch({"public_metadata": {"c": 1}}, headers={"if-match": "*"})
        assert answer.status_code == 200

    async def test_a_version_that_is_none_is_refused(self, patch, kept):
        for value in ODD_VERSIONS:
            answer = await patch({"public_metadata": {"b": 1}}, headers={"if-match": value})
            assert answer.status_code in (400, 412)
            assert await kept() == BEFORE

    async def test_an_empty_answer_carries_the_version_too(self, admin, key, ada):
        answer = await admin.patch(f"/users/{ada.id}/metadata", None, key=key)
        assert (answer.status_code, answer.headers["etag"]) == (204, '"2"')
        answer = await admin.get(f"/users/{ada.id}/metadata", key=key)
        assert (answer.status_code, answer.headers["etag"]) == (204, '"2"')


class TestHankoRead:
    async def test_bags_are_read_and_empty_ones_left_out(self, services, admin, key, ada):
        answer = await admin.get(f"/users/{ada.id}/metadata", key=key)
        assert answer.json() == {
            "public_metadata": {"a": 1},
            "private_metadata": {"s": 1},
            "unsafe_metadata": {"t": 1},
        }
        user = await make_user(services, private={"s": 1})
        answer = await admin.get(f"/users/{user.id}/metadata", key=key)
        assert answer.json() == {"private_metadata": {"s": 1}}
        user = await make_user(services)
        answer = await admin.get(f"/users/{user.id}/metadata", key=key)
        assert (answer.status_code, answer.content) == (204, b"")

    async def test_a_key_without_the_scope_sees_no_private_bag(self, services, admin, ada):
        """SEC-001"""
        key = await make_key(services, "users:read", "users.metadata:write")
        path = f"/users/{ada.id}/metadata"
        for answer in (await admin.get(path, key=key), await admin.patch(path, {}, key=key)):
            assert answer.json() == {"public_metadata": {"a": 1}, "unsafe_metadata": {"t": 1}}

    @pytest.mark.parametrize("user_id", [NOBODYS_ID, "x"])
    async def test_who_is_not_there_is_404(self, admin, key, user_id):
        answer = await admin.get(f"/users/{user_id}/metadata", key=key)
        assert refused(answer, 404, "not_found", "user_id")

    async def test_the_public_listener_knows_no_such_endpoint(self, public, key, ada):
        """SEC-108"""
        path = f"/users/{ada.id}/metadata"
        assert (await public.get(path, key=key)).status_code == 404
        assert (await public.patch(path, {}, key=key)).status_code == 404


class TestToriiUsers:
    @pytest.fixture(params=["public", "admin"])
    def face(self, request, services):
        return request.getfixturevalue(request.param)

    async def test_a_user_is_made_with_its_bags(self, face, key):
        wanted = str(uuid4())
        body = {
            "id": wanted,
            "emails": [
                {"address": "ada@example.com", "isPrimary": True, "isVerified": True},
                {"address": "second@example.com"},
            ],
            "username": "ada_l",
            "name": "Ada L",
            "givenName": "Ada",
            "familyName": "L",
            "picture": "https://example.com/a.png",
            "locale": "en-GB",
            "createdAt": "2020-01-01T00:00:00+01:00",
            "publicMetadata": {"plan": "pro", "role": "admin"},
            "privateMetadata": {"stripeId": "cus_123"},
            "unsafe_metadata": {"theme": "dark"},
        }
        answer = await face.post(USERS, body, key=key)
        assert answer.status_code == 201
        assert answer.headers["location"] == f"{USERS}/{wanted}"
        assert answer.headers["etag"] == '"1"'
        shown = answer.json()
        emails = shown.pop("emails")
        assert {e["address"]: (e["isPrimary"], e["isVerified"]) for e in emails} == {
            "ada@example.com": (True, True),
            "second@example.com": (False, False),
        }
        assert all(email.keys() == {"id", "address", "isPrimary", "isVerified"} for email in emails)
        assert shown.pop("updatedAt").endswith("Z")
        assert shown == {
            "id": wanted,
            "username": "ada_l",
            "name": "Ada L",
            "givenName": "Ada",
            "familyName": "L",
            "picture": "https://example.com/a.png",
            "locale": "en-GB",
            "publicMetadata": {"plan": "pro", "role": "admin"},
            "privateMetadata": {"stripeId": "cus_123"},
            "unsafeMetadata": {"theme": "dark"},
            "metadataVersion": 1,
            "createdAt": "2019-12-31T23:00:00Z",
            "lastSignInAt": None,
        }
        again = await face.get(answer.headers["location"], key=key)
        assert again.status_code == 200
        assert again.json() == answer.json()

    async def test_an_address_is_enough(self, face, key):
        answer = await face.post(USERS, {"email": "ada@example.com"}, key=key)
        body = answer.json()
        assert [(e["address"], e["isPrimary"]) for e in body["emails"]] == [
            ("ada@example.com", True)
        ]
        assert (body["publicMetadata"], body["privateMetadata"], body["metadataVersion"]) == (
            {},
            {},
            0,
        )

    async def test_a_key_without_the_scope_sees_no_private_bag(self, services, face, ada):
        """SEC-001, SEC-015"""
        key = await make_key(services, *(set(SCOPES) - {"users.private:read"}))
        private = {"privateMetadata": {"b": 1}}
        answers = [
            await face.get(f"{USERS}/{ada.id}", key=key),
            await face.patch(f"{USERS}/{ada.id}/metadata", private, key=key),
            await face.post(USERS, {"email": "b@example.com", **private}, key=key),
        ]
        bodies = [answer.json() for answer in answers]
        assert not any("privateMetadata" in body for body in bodies)
        assert all("publicMetadata" in body for body in bodies)

    async def test_who_may_make_users_alone_sees_no_profile(self, services, face):
        """SEC-015: on neither listener; with `users:read` beside it it is there."""
        key = await make_key(services, "users:write")
        body = {"email": "a@example.com", "name": "A", "publicMetadata": {"plan": "pro"}}
        answer = await face.post(USERS, body, key=key)
        assert answer.status_code == 201
        assert answer.json().keys() == {
            *("id", "metadataVersion", "createdAt", "updatedAt"),
            *("publicMetadata", "unsafeMetadata"),
        }
        both = await make_key(services, "users:write", "users:read")
        shown = (await face.post(USERS, {**body, "email": "b@example.com"}, key=both)).json()
        assert [one["address"] for one in shown["emails"]] == ["b@example.com"]
        assert shown["name"] == "A"
        assert {"username", "givenName", "picture", "lastSignInAt"} <= shown.keys()

    async def test_a_user_that_breaks_a_rule_is_not_made(self, admin, key):
        for case in BAD_USERS:
            body, code, path = case
            answer = await admin.post(USERS, body, key=key)
            assert refused(answer, 400, code, *path)
            assert (await fetch("SELECT count(*) AS n FROM app_user"))[0]["n"] == 0

    async def test_what_is_taken_is_a_conflict(self, services, admin, key, ada):
        cases = [
            ({"email": "ADA@example.com"}, "email_taken", ["emails", "0", "address"]),
            ({"username": "ADA_L"}, "username_taken", ["username"]),
            ({"username": "other", "id": str(ada.id)}, "user_exists", ["id"]),
        ]
        for body, code, path in cases:
            assert refused(await admin.post(USERS, body, key=key), 409, code, *path)
        await services.users.delete(SYSTEM, ada.id)
        again = await admin.post(USERS, {"username": "other", "id": str(ada.id)}, key=key)
        assert refused(again, 409, "user_exists", "id")

    async def test_nulls_are_as_good_as_left_out(self, admin, key):
        body = dict.fromkeys(("id", "username", "name", "locale", "createdAt", "publicMetadata"))
        answer = await admin.post(USERS, {"email": "a@example.com", **body}, key=key)
        assert answer.status_code == 201

    @pytest.mark.parametrize("user_id", [NOBODYS_ID, "x", "0"])
    async def test_who_is_not_there_is_404(self, face, key, user_id):
        answer = await face.get(f"{USERS}/{user_id}", key=key)
        assert refused(answer, 404, "not_found", "user_id")


class TestTheOtherRuleSet:
    @pytest.mark.parametrize(("name", "cap"), [("public", 512), ("unsafe", 512), ("private", 4096)])
    async def test_bytes_are_counted_and_one_too_many_is_400(self, services, key, ada, name, cap):
        """SEC-007: rows 60 to 66"""
        torii = await reconfigured(services, user_metadata=UserMetadata(limits="torii"))
        face = Face(torii)
        path = f"{USERS}/{ada.id}/metadata"
        await face.patch(path, {f"{name}Metadata": None}, key=key)
        fits = {"a": "é" * ((cap - 8) // 2)}
        answer = await face.patch(path, {f"{name}Metadata": fits}, key=key)
        assert answer.status_code == 200
        answer = await face.patch(path, {f"{name}Metadata": {"a": fits["a"] + "x"}}, key=key)
        assert refused(answer, 400, "metadata_too_large", f"{name}_metadata")
        assert f"{cap} bytes" in answer.json()["message"]
        (row,) = await fetch(f"SELECT {name}_bag AS bag FROM user_metadata")
        assert json.loads(row["bag"]) == fits


ENDPOINTS = [
    ("POST", USERS, ["users:write"]),
    ("GET", f"{USERS}/ID", ["users:read"]),
    ("PATCH", f"{USERS}/ID/metadata", ["users.metadata:write"]),
    ("GET", "/users/ID/metadata", ["users:read"]),
    ("PATCH", "/users/ID/metadata", ["users.metadata:write"]),
]


@pytest.mark.one_database
class TestWhoMay:
    @pytest.mark.parametrize("asked", ENDPOINTS)
    async def test_nobody_without_the_right_key(self, services, admin, ada, asked):
        """SEC-012, SEC-015, SEC-016"""
        method, path, scopes = asked
        token = (await make_session(services, ada)).token
        where = path.replace("ID", str(ada.id))
        before = await fetch("SELECT * FROM user_metadata")
        body = {"email": "b@example.com"} if method == "POST" else {"public_metadata": {"b": 1}}
        for bearing in ({}, {"key": "sk_x"}, {"headers": {"x-api-key": "x"}}):
            assert refused(await admin.call(method, where, body, **bearing), 401, "unauthenticated")
        narrow = await make_key(services, *(set(SCOPES) - set(scopes)))
        for bearing in ({"token": token}, {"cookie": token}, {"key": narrow}):
            assert refused(await admin.call(method, where, body, **bearing), 403, "forbidden")
        both = {"key": narrow, "cookie": token}
        assert refused(await admin.call(method, where, body, **both), 403, "forbidden")
        assert await fetch("SELECT * FROM user_metadata") == before

    @pytest.mark.parametrize("asked", ENDPOINTS)
    async def test_a_key_with_just_the_scope(self, services, admin, ada, asked):
        """SEC-015"""
        method, path, scopes = asked
        body = {"email": "b@example.com"} if method == "POST" else {"public_metadata": {"b": 1}}
        key = await make_key(services, *scopes)
        answer = await admin.call(method, path.replace("ID", str(ada.id)), body, key=key)
        assert answer.status_code in (200, 201)

    async def test_who_is_there_is_not_told_without_a_key(self, admin, ada):
        """SEC-068"""
        for path in (f"{USERS}/%s", "/users/%s/metadata"):
            texts = {
                (a.status_code, a.text)
                for a in [
                    await admin.get(path % name, headers={"x-request-id": "r"})
                    for name in (ada.id, uuid4(), "x")
                ]
            }
            assert len(texts) == 1

    async def test_who_may_not_is_told_before_the_body_is_judged(self, services, admin, ada):
        """SEC-012: and before a query is."""
        path = f"{USERS}/{ada.id}/metadata"
        narrow = await make_key(services, "users:read")
        wrong = (
            ("PATCH", path, {"content": b'{"nothing": 1}'}),
            ("PATCH", path, {"content": b"{"}),
            ("PATCH", path, {}),
            ("PATCH", path, {"content": b"x", "headers": {"content-type": "text/xml"}}),
            ("POST", USERS, {"content": b"[]"}),
        )
        for method, where, sent in wrong:
            answer = await admin.call(method, where, **sent)
            assert refused(answer, 401, "unauthenticated")
            assert answer.headers["www-authenticate"] == "Bearer"
            answer = await admin.call(method, where, key=narrow, **sent)
            assert refused(answer, 403, "forbidden")
        assert refused(await admin.get("/users?page=x"), 401, "unauthenticated")

    async def test_who_asks_is_learned_once(self, services, admin, ada, key, monkeypatch):
        asked = []
        learn = Callers.of

        async def counted(*args, **given):
            asked.append(args)
            return await learn(*args, **given)

        monkeypatch.setattr(Callers, "of", counted)
        assert (await admin.get(f"{USERS}/{ada.id}", key=key)).status_code == 200
        assert len(asked) == 1

    async def test_a_body_that_is_not_there_is_asked_for(self, admin, ada, key):
        for method, path in (
            ("PATCH", f"{USERS}/{ada.id}/metadata"),
            ("PATCH", f"/users/{ada.id}"),
            ("POST", "/users"),
            ("POST", "/sessions"),
        ):
            answer = await admin.call(method, path, key=key)
            assert refused(answer, 400, "bad_request")
            assert answer.json()["message"] == "A body is needed."

    async def test_who_may_change_bags_alone_sees_no_profile(self, services, admin, ada):
        """SEC-015: on neither listener; with `users:read` beside it it is there."""
        path = f"{USERS}/{ada.id}/metadata"
        answer = await admin.patch(path, {}, key=await make_key(services, "users.metadata:write"))
        assert answer.status_code == 200
        assert answer.json().keys() == {
            *("id", "metadataVersion", "createdAt", "updatedAt"),
            *("publicMetadata", "unsafeMetadata"),
        }
        both = await make_key(services, "users.metadata:write", "users:read")
        shown = (await admin.patch(path, {}, key=both)).json()
        assert [one["address"] for one in shown["emails"]] == ["ada@example.com"]
        assert {"username", "name", "givenName", "picture", "lastSignInAt"} <= shown.keys()


async def test_each_write_leaves_one_record(services, admin, key, ada):
    """SEC-118: what was written, by whom, without a private key or a value."""
    await fetch("DELETE FROM audit_event")
    body = {"public_metadata": {"plan": "sentinel"}, "private_metadata": {"sentinel": 1}}
    for path in (f"{USERS}/{ada.id}/metadata", f"/users/{ada.id}/metadata"):
        await admin.patch(path, body, key=key, headers={"x-request-id": "r-9"})
    rows = await fetch("SELECT type, actor_kind, request_id, details FROM audit_event")
    assert [(r["type"], r["actor_kind"], r["request_id"]) for r in rows] == [
        ("metadata_updated", "secret_key", "r-9")
    ] * 2
    assert "sentinel" not in "".join(r["details"] for r in rows)
