"""What a secret key asks and changes of users: found, made, changed, deleted, addressed."""

from uuid import uuid4

import pytest
from faces.admin_endpoints import mailed
from factories import NOBODYS_ID, make_key, make_session, make_user

from app.access import SYSTEM
from app.users import NewEmail

WHOLE = """ fragment whole on User {
  id username name givenName familyName picture locale createdAt metadataVersion
  emails { id address isPrimary isVerified } primaryEmail { address }
  publicMetadata privateMetadata unsafeMetadata }"""
CREATE = (
    """mutation ($input: CreateUserInput!) { createUser(input: $input) {
  user { ...whole } userErrors { code path } } }"""
    + WHOLE
)
UPDATE = (
    """mutation ($id: ID!, $input: UpdateUserInput!) { updateUser(userId: $id, input: $input) {
  user { ...whole } userErrors { code path } } }"""
    + WHOLE
)
DELETE = "mutation ($id: ID!) { deleteUser(userId: $id) { deletedId userErrors { code path } } }"
FIND = "query ($by: UserBy!) { user(by: $by) { id } }"
NO_MOMENTS = [
    "2020-01-01",
    "2020-01-01T00:00:00",
    "2020-13-01T00:00:00Z",
    "2020-01-01 00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "yesterday",
    1577836800,
    True,
]
NOT_ONE_NAME = [{}, {"id": None}, {"id": "a", "email": "b"}, {"nothing": "a"}, None, [], "x"]
NOT_ONE_NAME_WRITTEN = ["{}", "{id: null}", '{id: "a", email: "b"}', '{id: "a", username: null}']
NOBODY = [
    {"id": str(uuid4())},
    {"id": "not an id"},
    {"id": "00000000000000000000000000000000"},
    {"id": ""},
    {"email": "nobody@example.com"},
    {"email": "no address"},
    {"username": "nobody"},
    {"username": "\0"},
]


async def create(admin, key, **given):
    answer = await admin.gql(CREATE, {"input": given}, key=key)
    return answer["data"]["createUser"]


def refusal(payload):
    (error,) = payload["userErrors"]
    return error["code"], error["path"]


class TestCreateUser:
    async def test_a_user_is_made_with_everything_it_is_given(self, admin, key):
        wanted = str(uuid4())
        payload = await create(
            admin,
            key,
            id=wanted,
            emails=[
                {"address": "Ada@Example.com", "isPrimary": True, "isVerified": True},
                {"address": "second@example.com"},
            ],
            username="ada_l",
            name="Ada L",
            givenName="Ada",
            familyName="L",
            picture="https://example.com/a.png",
            locale="en-GB",
            publicMetadata={"plan": "pro"},
            privateMetadata={"stripe": "cus_1"},
            unsafeMetadata={"theme": "dark"},
            createdAt="2020-02-29T12:00:00+02:00",
        )
        assert payload["userErrors"] == []
        user = payload["user"]
        emails = {(e["address"], e["isPrimary"], e["isVerified"]) for e in user.pop("emails")}
        assert emails == {("Ada@Example.com", True, True), ("second@example.com", False, False)}
        assert user == {
            "id": wanted,
            "username": "ada_l",
            "name": "Ada L",
            "givenName": "Ada",
            "familyName": "L",
            "picture": "https://example.com/a.png",
            "locale": "en-GB",
            "createdAt": "2020-02-29T10:00:00Z",
            "metadataVersion": 1,
            "primaryEmail": {"address": "Ada@Example.com"},
            "publicMetadata": {"plan": "pro"},
            "privateMetadata": {"stripe": "cus_1"},
            "unsafeMetadata": {"theme": "dark"},
        }

    async def test_a_single_address_is_primary_and_null_means_left_out(self, admin, key):
        given = dict.fromkeys(("id", "username", "name", "publicMetadata", "createdAt"))
        payload = await create(admin, key, emails=[{"address": "a@example.com"}], **given)
        assert payload["userErrors"] == []
        assert payload["user"]["primaryEmail"] == {"address": "a@example.com"}
        assert payload["user"]["publicMetadata"] == {}

    async def test_a_null_flag_of_an_address_is_no(self, admin, key):
        email = {"address": "a@example.com", "isPrimary": None, "isVerified": None}
        payload = await create(admin, key, emails=[email])
        assert payload["user"]["emails"][0]["isVerified"] is False

    @pytest.mark.parametrize(
        ("given", "refused"),
        [
            ({}, ("IDENTIFIER_MISSING", [])),
            ({"emails": []}, ("IDENTIFIER_MISSING", [])),
            ({"emails": [{"address": "nobody"}]}, "EMAIL_INVALID"),
            ({"emails": [{"address": f"{'x' * 120}@example.com"}]}, "EMAIL_INVALID"),
            ({"emails": [{"address": "TAKEN@example.com"}]}, "EMAIL_TAKEN"),
            (
                {"emails": [{"address": "a@example.com"}, {"address": "b@example.com"}]},
                ("PRIMARY_EMAIL_WRONG", ["input", "emails"]),
            ),
            ({"username": "taken"}, ("USERNAME_TAKEN", ["input", "username"])),
            ({"username": "a!"}, ("USERNAME_INVALID", ["input", "username"])),
            ({"username": "ok_name", "name": " "}, ("TEXT_INVALID", ["input", "name"])),
            ({"username": "ok_name", "picture": "x"}, ("PICTURE_INVALID", ["input", "picture"])),
            (
                {"username": "ok_name", "privateMetadata": {"a": "x" * 2993}},
                ("METADATA_TOO_LARGE", ["input", "privateMetadata"]),
            ),
            (
                {"username": "ok_name", "publicMetadata": [1]},
                ("METADATA_NOT_AN_OBJECT", ["input", "publicMetadata"]),
            ),
            (
                {"username": "ok_name", "unsafeMetadata": {"a": {"b": "\0"}}},
                ("METADATA_INVALID", ["input", "unsafeMetadata", "a", "b"]),
            ),
            ({"username": "ok_name", "id": "0"}, ("NOT_FOUND", ["input", "id"])),
        ],
    )
    async def test_a_user_that_breaks_a_rule_is_not_made(
        self, services, admin, key, given, refused
    ):
        await make_user(services, email="taken@example.com", username="taken")
        if isinstance(refused, str):
            refused = (refused, ["input", "emails", "0", "address"])
        payload = await create(admin, key, **given)
        assert refusal(payload) == refused
        assert payload["user"] is None
        assert await services.users.by_username("ok_name") is None

    async def test_an_id_in_use_and_one_that_was_are_both_refused(self, services, admin, key):
        """SEC-122"""
        user = await make_user(services)
        again = await create(admin, key, id=str(user.id), username="another")
        assert refusal(again) == ("USER_EXISTS", ["input", "id"])
        await services.users.delete(SYSTEM, user.id)
        again = await create(admin, key, id=str(user.id), username="another")
        assert refusal(again) == ("USER_EXISTS", ["input", "id"])

    async def test_a_moment_that_is_none_is_refused_before_anything_runs(self, admin, key):
        for moment in NO_MOMENTS:
            answer = await admin.gql(CREATE, {"input": {"createdAt": moment}}, key=key)
            assert "data" not in answer
            assert answer["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


class TestFindUser:
    @pytest.mark.parametrize("by", ["id", "email", "username"])
    async def test_a_user_is_found_by_each_of_its_names(self, services, admin, key, by):
        user = await make_user(services, email="ada@example.com", username="ada_l")
        names = {"id": str(user.id), "email": "ADA@example.com ", "username": "ADA_L"}
        answer = await admin.gql(FIND, {"by": {by: names[by]}}, key=key)
        assert answer["data"]["user"] == {"id": str(user.id)}

    async def test_who_is_not_there_is_null_and_no_error(self, admin, key):
        """SEC-099"""
        for by in NOBODY:
            assert await admin.gql(FIND, {"by": by}, key=key) == {
                "data": {"user": None},
                "extensions": {"cost": 2},
            }

    async def test_exactly_one_name_must_be_given(self, admin, key):
        for by in NOT_ONE_NAME:
            answer = await admin.gql(FIND, {"by": by}, key=key)
            assert "data" not in answer
            assert answer["errors"][0]["extensions"]["code"] == "BAD_REQUEST"

    async def test_exactly_one_name_must_be_written(self, admin, key):
        for by in NOT_ONE_NAME_WRITTEN:
            answer = await admin.gql(f"{{ user(by: {by}) {{ id }} }}", key=key)
            assert "data" not in answer
            assert answer["errors"][0]["extensions"]["code"] == "BAD_REQUEST"

    async def test_one_name_among_variables_must_be_the_only_one(self, admin, key):
        query = "query ($i: ID!, $e: String) { user(by: {id: $i, email: $e}) { id } }"
        answer = await admin.gql(query, {"i": "secret-value", "e": "b"}, key=key)
        assert answer["errors"][0]["extensions"]["code"] == "BAD_REQUEST"
        assert "secret-value" not in str(answer)

    async def test_the_users_sessions_are_there_for_the_scope(self, services, admin):
        user = await make_user(services)
        issued = await make_session(services, user)
        query = "query ($id: ID!) { user(by: {id: $id}) { sessions { nodes { id isCurrent } } } }"
        key = await make_key(services, "users:read", "sessions:read")
        answer = await admin.gql(query, {"id": str(user.id)}, key=key)
        nodes = answer["data"]["user"]["sessions"]["nodes"]
        assert nodes == [{"id": str(issued.session.id), "isCurrent": False}]
        key = await make_key(services, "users:read")
        answer = await admin.gql(query, {"id": str(user.id)}, key=key)
        assert answer["data"] == {"user": None}
        assert answer["errors"][0]["extensions"]["requiredScopes"] == ["sessions:read"]
        assert answer["errors"][0]["path"] == ["user", "sessions"]

    async def test_the_private_bag_is_there_for_its_scope_alone(self, services, admin):
        """SEC-001"""
        user = await make_user(services, private={"stripe": "cus_1"})
        query = "query ($id: ID!) { user(by: {id: $id}) { id privateMetadata } }"
        key = await make_key(services, "users:read", "users.private:read")
        answer = await admin.gql(query, {"id": str(user.id)}, key=key)
        assert answer["data"]["user"]["privateMetadata"] == {"stripe": "cus_1"}
        key = await make_key(services, "users:read", "users:write", "users.metadata:write")
        answer = await admin.gql(query, {"id": str(user.id)}, key=key)
        assert answer["data"]["user"] == {"id": str(user.id), "privateMetadata": None}
        assert answer["errors"][0]["extensions"]["requiredScopes"] == ["users.private:read"]

    async def test_a_part_of_the_private_bag_is_read_by_path(self, services, admin, key):
        user = await make_user(services, private={"ids": {"stripe": "cus_1"}})
        query = """query ($id: ID!) { user(by: {id: $id}) {
          a: privateMetadata(path: "ids.stripe") b: privateMetadata(path: "no") } }"""
        answer = await admin.gql(query, {"id": str(user.id)}, key=key)
        assert answer["data"]["user"] == {"a": "cus_1", "b": None}


class TestUpdateUser:
    async def test_a_profile_is_changed_and_the_rest_stays(self, services, admin, key):
        user = await make_user(services, name="Ada", locale="en", public={"plan": "pro"})
        given = {"id": str(user.id), "input": {"name": "Ida", "locale": None, "givenName": "I"}}
        payload = (await admin.gql(UPDATE, given, key=key))["data"]["updateUser"]
        changed = {"name": "Ida", "locale": None, "givenName": "I", "familyName": None}
        assert changed.items() <= payload["user"].items()
        assert payload["user"]["publicMetadata"] == {"plan": "pro"}

    async def test_an_empty_change_changes_nothing(self, services, admin, key):
        user = await make_user(services, name="Ada")
        given = {"id": str(user.id), "input": {}}
        payload = (await admin.gql(UPDATE, given, key=key))["data"]["updateUser"]
        assert payload["user"]["name"] == "Ada"

    @pytest.mark.parametrize(
        ("given", "refused"),
        [
            ({"username": "taken"}, ("USERNAME_TAKEN", ["input", "username"])),
            ({"username": ""}, ("USERNAME_INVALID", ["input", "username"])),
            ({"name": ""}, ("TEXT_INVALID", ["input", "name"])),
            ({"picture": "ftp://example.com"}, ("PICTURE_INVALID", ["input", "picture"])),
        ],
    )
    async def test_a_change_that_breaks_a_rule_is_refused(
        self, services, admin, key, given, refused
    ):
        await make_user(services, username="taken")
        user = await make_user(services, name="Ada")
        answer = await admin.gql(UPDATE, {"id": str(user.id), "input": given}, key=key)
        assert refusal(answer["data"]["updateUser"]) == refused

    @pytest.mark.parametrize("user_id", [NOBODYS_ID, "x", "", "A" * 36])
    async def test_who_is_not_there_cannot_be_changed(self, admin, key, user_id):
        answer = await admin.gql(UPDATE, {"id": user_id, "input": {"name": "x"}}, key=key)
        assert refusal(answer["data"]["updateUser"]) == ("NOT_FOUND", ["userId"])


class TestDeleteUser:
    async def test_a_user_is_gone_with_all_that_is_theirs(self, services, admin, key):
        """SEC-122"""
        user = await make_user(services, email="ada@example.com")
        issued = await make_session(services, user)
        payload = (await admin.gql(DELETE, {"id": str(user.id)}, key=key))["data"]["deleteUser"]
        assert payload == {"deletedId": str(user.id), "userErrors": []}
        found = await admin.gql(FIND, {"by": {"id": str(user.id)}}, key=key)
        assert found["data"] == {"user": None}
        after = await admin.gql("{ me { id } }", token=issued.token)
        assert (after["data"], after["extensions"]["session"]) == ({"me": None}, "revoked")

    @pytest.mark.parametrize("user_id", [NOBODYS_ID, "x"])
    async def test_who_is_not_there_cannot_be_deleted(self, admin, key, user_id):
        payload = (await admin.gql(DELETE, {"id": user_id}, key=key))["data"]["deleteUser"]
        assert payload["deletedId"] is None
        assert refusal(payload) == ("NOT_FOUND", ["userId"])


class TestEmails:
    ADD = """mutation ($u: ID!, $input: EmailInput!) { addUserEmail(userId: $u, input: $input) {
      email { id address isPrimary isVerified } userErrors { code path } } }"""
    CHANGE = """mutation ($u: ID!, $e: ID!) { %s(userId: $u, emailId: $e) {
      email { id isPrimary isVerified } userErrors { code path } } }"""
    DELETE = """mutation ($u: ID!, $e: ID!) { deleteUserEmail(userId: $u, emailId: $e) {
      deletedId userErrors { code path } } }"""

    @pytest.fixture
    async def ada(self, services):
        return await make_user(services, email="ada@example.com")

    @pytest.fixture
    async def second(self, services, ada):
        return await services.users.add_email(SYSTEM, ada.id, NewEmail("second@example.com"))

    async def add(self, admin, key, user, **given):
        answer = await admin.gql(self.ADD, {"u": str(user.id), "input": given}, key=key)
        return answer["data"]["addUserEmail"]

    async def test_an_address_is_added(self, admin, key, ada):
        payload = await self.add(admin, key, ada, address="b@example.com", isVerified=True)
        email = payload["email"]
        assert (email["address"], email["isPrimary"], email["isVerified"]) == (
            "b@example.com",
            False,
            True,
        )
        payload = await self.add(admin, key, ada, address="c@example.com", isPrimary=True)
        assert payload["email"]["isPrimary"] is True

    @pytest.mark.parametrize(
        ("address", "code"),
        [("no", "EMAIL_INVALID"), ("ADA@example.com", "EMAIL_TAKEN")],
    )
    async def test_an_address_that_cannot_be_is_refused(self, admin, key, ada, address, code):
        payload = await self.add(admin, key, ada, address=address)
        assert refusal(payload) == (code, ["input", "address"])
        assert payload["email"] is None

    async def test_only_so_many_addresses_are_taken(self, admin, key, ada):
        for n in range(4):
            payload = await self.add(admin, key, ada, address=f"n{n}@example.com")
            assert payload["userErrors"] == []
        payload = await self.add(admin, key, ada, address="n4@example.com")
        assert refusal(payload)[0] == "EMAIL_LIMIT_REACHED"

    async def test_an_address_becomes_the_primary_one(self, services, admin, key, ada, second):
        query = self.CHANGE % "setPrimaryUserEmail"
        given = {"u": str(ada.id), "e": str(second.id)}
        payload = (await admin.gql(query, given, key=key))["data"]["setPrimaryUserEmail"]
        assert payload["email"]["isPrimary"] is True
        emails = (await services.users.emails_of([ada.id]))[ada.id]
        assert [e.address for e in emails if e.is_primary] == ["second@example.com"]

    async def test_an_address_is_vouched_for(self, admin, key, ada, second):
        query = self.CHANGE % "verifyUserEmail"
        given = {"u": str(ada.id), "e": str(second.id)}
        payload = (await admin.gql(query, given, key=key))["data"]["verifyUserEmail"]
        assert payload["email"] == {
            "id": str(second.id),
            "isPrimary": False,
            "isVerified": True,
        }

    async def test_an_address_is_deleted_but_not_the_primary_one(
        self, services, admin, key, ada, second
    ):
        given = {"u": str(ada.id), "e": str(second.id)}
        payload = (await admin.gql(self.DELETE, given, key=key))["data"]["deleteUserEmail"]
        assert payload == {"deletedId": str(second.id), "userErrors": []}
        (primary,) = (await services.users.emails_of([ada.id]))[ada.id]
        given = {"u": str(ada.id), "e": str(primary.id)}
        payload = (await admin.gql(self.DELETE, given, key=key))["data"]["deleteUserEmail"]
        assert refusal(payload) == ("EMAIL_IS_PRIMARY", ["emailId"])

    async def test_the_primary_address_is_told(self, admin, key, ada, second):
        """SEC-037: whichever face it is."""
        given = {"u": str(ada.id), "e": str(second.id)}
        await admin.gql(UPDATE, {"id": str(ada.id), "input": {"username": "ada_l"}}, key=key)
        await self.add(admin, key, ada, address="b@example.com")
        await admin.gql(self.CHANGE % "verifyUserEmail", given, key=key)
        await admin.gql(self.DELETE, given, key=key)
        told = ["username_update", "email_create", "email_create", "email_delete"]
        assert sorted(await mailed()) == sorted((one, "ada@example.com") for one in told)

    async def test_the_old_primary_address_is_told_which_is_the_new(self, admin, key, ada, second):
        """SEC-037"""
        given = {"u": str(ada.id), "e": str(second.id)}
        await admin.gql(self.CHANGE % "setPrimaryUserEmail", given, key=key)
        assert await mailed() == [("primary_email_update", "ada@example.com")]

    @pytest.mark.parametrize("field", ["setPrimaryUserEmail", "verifyUserEmail", "deleteUserEmail"])
    async def test_an_address_of_somebody_else_is_not_there(
        self, services, admin, key, second, field
    ):
        """SEC-099"""
        query = self.DELETE if field == "deleteUserEmail" else self.CHANGE % field
        other = await make_user(services)
        cases = [
            (str(other.id), str(second.id), ["emailId"]),
            (str(other.id), str(uuid4()), ["emailId"]),
            (str(other.id), "x", ["emailId"]),
            (str(uuid4()), str(second.id), ["userId"]),
            ("x", str(second.id), ["userId"]),
        ]
        for user_id, email_id, path in cases:
            answer = await admin.gql(query, {"u": user_id, "e": email_id}, key=key)
            assert refusal(answer["data"][field]) == ("NOT_FOUND", path)


class TestSessions:
    CREATE = """mutation ($u: ID!) { createUserSession(userId: $u) {
      session { id isCurrent } token userErrors { code path } } }"""

    async def test_a_session_is_begun_and_its_token_shown_once(self, services, admin, key):
        user = await make_user(services)
        answer = await admin.ask(self.CREATE, {"u": str(user.id)}, key=key)
        payload = answer.json()["data"]["createUserSession"]
        assert payload["userErrors"] == []
        assert payload["session"]["isCurrent"] is False
        assert "set-cookie" not in answer.headers
        me = await admin.gql("{ me { id } session { id } }", token=payload["token"])
        assert me["data"] == {
            "me": {"id": str(user.id)},
            "session": {"id": payload["session"]["id"]},
        }

    @pytest.mark.parametrize("user_id", [NOBODYS_ID, "x"])
    async def test_nobody_gets_no_session(self, admin, key, user_id):
        answer = await admin.gql(self.CREATE, {"u": user_id}, key=key)
        payload = answer["data"]["createUserSession"]
        assert refusal(payload) == ("NOT_FOUND", ["userId"])
        assert payload["token"] is payload["session"] is None

    async def test_one_session_is_ended_or_all_of_them(self, services, admin, key):
        user = await make_user(services)
        made = [await make_session(services, user) for _ in range(3)]
        one = """mutation ($u: ID!, $s: ID!) { revokeUserSession(userId: $u, sessionId: $s) {
          deletedId userErrors { code path } } }"""
        given = {"u": str(user.id), "s": str(made[0].session.id)}
        payload = (await admin.gql(one, given, key=key))["data"]["revokeUserSession"]
        assert payload == {"deletedId": given["s"], "userErrors": []}
        again = (await admin.gql(one, given, key=key))["data"]["revokeUserSession"]
        assert refusal(again) == ("NOT_FOUND", ["sessionId"])
        every = """mutation ($u: ID!) { revokeUserSessions(userId: $u) {
          ended userErrors { code path } } }"""
        payload = (await admin.gql(every, given | {"s": None}, key=key))["data"]
        assert payload["revokeUserSessions"] == {"ended": 2, "userErrors": []}
        for issued in made:
            assert (await admin.gql("{ me { id } }", token=issued.token))["data"] == {"me": None}

    async def test_a_session_of_somebody_else_is_not_there(self, services, admin, key):
        """SEC-099"""
        issued = await make_session(services, await make_user(services))
        other = await make_user(services)
        query = """mutation ($u: ID!, $s: ID!) { revokeUserSession(userId: $u, sessionId: $s) {
          deletedId userErrors { code path } } }"""
        for user_id, session_id, path in (
            (str(other.id), str(issued.session.id), ["sessionId"]),
            (str(other.id), "x", ["sessionId"]),
            ("x", str(issued.session.id), ["userId"]),
        ):
            answer = await admin.gql(query, {"u": user_id, "s": session_id}, key=key)
            assert refusal(answer["data"]["revokeUserSession"]) == ("NOT_FOUND", path)
        query = """mutation ($u: ID!) { revokeUserSessions(userId: $u) {
          ended userErrors { code path } } }"""
        for user_id in (str(uuid4()), "x"):
            payload = (await admin.gql(query, {"u": user_id}, key=key))["data"]
            assert refusal(payload["revokeUserSessions"]) == ("NOT_FOUND", ["userId"])


class TestSecretKeys:
    CREATE = """mutation ($input: CreateSecretKeyInput!) { createSecretKey(input: $input) {
      secretKey { id name prefix scopes expiresAt revokedAt lastUsedAt }
      secret userErrors { code path } } }"""
    ROTATE = """mutation ($id: ID!, $grace: Int! = 86400) {
      rotateSecretKey(secretKeyId: $id, input: {grace: $grace}) {
      secretKey { id name scopes expiresAt } secret userErrors { code path } } }"""
    REVOKE = """mutation ($id: ID!) { revokeSecretKey(secretKeyId: $id) {
      secretKey { id revokedAt } secret userErrors { code path } } }"""
    LIST = "{ secretKeys { id name prefix scopes revokedAt expiresAt lastUsedAt createdAt } }"

    async def make(self, face, key, **given):
        answer = await face.gql(self.CREATE, {"input": given}, key=key)
        return answer["data"]["createSecretKey"]

    async def test_a_key_is_made_shown_once_and_works(self, admin, key):
        """SEC-011"""
        payload = await self.make(admin, key, name=" ci ", scopes=["users:read", "users:read"])
        made = payload["secretKey"]
        assert payload["userErrors"] == []
        assert (made["name"], made["scopes"]) == ("ci", ["users:read"])
        assert payload["secret"].startswith(f"sk_{made['prefix']}_")
        listed = await admin.ask(self.LIST, key=key)
        assert made["id"] in [k["id"] for k in listed.json()["data"]["secretKeys"]]
        assert payload["secret"] not in listed.text
        answer = await admin.gql("{ users { nodes { id } } }", key=payload["secret"])
        assert answer["data"] == {"users": {"nodes": []}}

    @pytest.mark.parametrize(
        ("given", "refused"),
        [
            ({"name": "", "scopes": ["users:read"]}, ("SECRET_KEY_INVALID", "name")),
            ({"name": "x" * 101, "scopes": ["users:read"]}, ("SECRET_KEY_INVALID", "name")),
            ({"name": "a\nb", "scopes": ["users:read"]}, ("SECRET_KEY_INVALID", "name")),
            ({"name": "a", "scopes": []}, ("SCOPES_INVALID", "scopes")),
            ({"name": "a", "scopes": ["admin"]}, ("SCOPES_INVALID", "scopes")),
            (
                {"name": "a", "scopes": ["*"], "expiresAt": "2020-01-01T00:00:00Z"},
                ("SECRET_KEY_INVALID", "expiresAt"),
            ),
        ],
    )
    async def test_a_key_that_cannot_be_is_refused(self, admin, key, given, refused):
        code, path = refused
        payload = await self.make(admin, key, **given)
        assert refusal(payload) == (code, ["input", path])
        assert payload["secret"] is None

    async def test_a_key_grants_no_more_than_it_has(self, services, admin):
        """SEC-015"""
        narrow = await make_key(services, "keys:write", "users:read")
        for wider in (["*"], ["users:write"], ["users:read", "keys:read"]):
            given = {"input": {"name": "x", "scopes": wider}}
            answer = await admin.gql(self.CREATE, given, key=narrow)
            assert answer["data"] is None
            (error,) = answer["errors"]
            assert error["extensions"] == {"code": "FORBIDDEN", "requiredScopes": wider}
        payload = await self.make(admin, narrow, name="x", scopes=["users:read"])
        assert payload["userErrors"] == []

    async def test_a_key_neither_sees_nor_changes_a_wider_one(self, services, admin, key):
        """SEC-015"""
        narrow = await make_key(services, "keys:read", "keys:write")
        listed = (await admin.gql(self.LIST, key=narrow))["data"]["secretKeys"]
        assert [k["scopes"] for k in listed] == [["keys:read", "keys:write"]]
        every = (await admin.gql(self.LIST, key=key))["data"]["secretKeys"]
        wide = next(k["id"] for k in every if k["scopes"] == ["*"])
        for query, field in ((self.ROTATE, "rotateSecretKey"), (self.REVOKE, "revokeSecretKey")):
            answer = await admin.gql(query, {"id": wide}, key=narrow)
            assert refusal(answer["data"][field]) == ("NOT_FOUND", ["secretKeyId"])

    async def test_a_key_is_rotated_and_both_work_for_a_while(self, services, admin, key, clock):
        """SEC-014"""
        old = await self.make(admin, key, name="ci", scopes=["users:read"])
        given = {"id": old["secretKey"]["id"], "grace": 60}
        new = (await admin.gql(self.ROTATE, given, key=key))["data"]["rotateSecretKey"]
        assert new["secretKey"]["id"] != old["secretKey"]["id"]
        assert (new["secretKey"]["name"], new["secretKey"]["scopes"]) == ("ci", ["users:read"])
        for secret in (old["secret"], new["secret"]):
            answer = await admin.gql("{ users { nodes { id } } }", key=secret)
            assert "errors" not in answer
        clock.advance(seconds=60)
        answer = await admin.gql("{ users { nodes { id } } }", key=old["secret"])
        assert answer["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
        assert "errors" not in await admin.gql("{ users { nodes { id } } }", key=new["secret"])

    @pytest.mark.parametrize("grace", [-1, 90 * 86_400 + 1])
    async def test_a_grace_period_has_bounds(self, admin, key, grace):
        old = await self.make(admin, key, name="ci", scopes=["users:read"])
        given = {"id": old["secretKey"]["id"], "grace": grace}
        payload = (await admin.gql(self.ROTATE, given, key=key))["data"]["rotateSecretKey"]
        assert refusal(payload) == ("SECRET_KEY_INVALID", ["input", "grace"])

    async def test_a_revoked_key_opens_nothing_at_once(self, admin, key):
        """SEC-014"""
        made = await self.make(admin, key, name="ci", scopes=["users:read"])
        given = {"id": made["secretKey"]["id"]}
        payload = (await admin.gql(self.REVOKE, given, key=key))["data"]["revokeSecretKey"]
        assert payload["secretKey"]["revokedAt"] is not None
        assert payload["secret"] is None
        answer = await admin.gql("{ users { nodes { id } } }", key=made["secret"])
        assert answer["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
        payload = (await admin.gql(self.ROTATE, given, key=key))["data"]["rotateSecretKey"]
        assert refusal(payload) == ("NOT_FOUND", ["secretKeyId"])

    @pytest.mark.parametrize("key_id", [NOBODYS_ID, "x"])
    async def test_a_key_that_is_not_there_cannot_be_changed(self, admin, key, key_id):
        for query, field in ((self.ROTATE, "rotateSecretKey"), (self.REVOKE, "revokeSecretKey")):
            answer = await admin.gql(query, {"id": key_id}, key=key)
            assert refusal(answer["data"][field]) == ("NOT_FOUND", ["secretKeyId"])
