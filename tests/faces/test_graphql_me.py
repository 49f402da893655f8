"""What a signed-in person asks and changes: themself, their bags, their sessions."""

from uuid import uuid4

import pytest
from faces.clients import Face
from factories import make_session, make_user, reconfigured

from app.access import SYSTEM
from app.config.sections import Session, UserMetadata
from app.config.values import Duration
from app.users import NewEmail, NewUser, ProfileChanges

ME = "{ me { id publicMetadata unsafeMetadata metadataVersion } }"
UPDATE = """mutation ($input: UpdateMeInput!) { updateMe(input: $input) {
  user { username name givenName familyName picture locale unsafeMetadata metadataVersion }
  userErrors { __typename code message path ... on MetadataRejected {
    bag size limit unit currentVersion } } } }"""
PATHS = [
    ("plan", "pro"),
    ("roles.1.name", "b"),
    ("roles.#", 2),
    ("roles.#.name", ["a", "b"]),
    ("a\\.b", 1),
    ("missing", None),
    ("plan.deeper", None),
    ("", None),
    ("x" * 2000, None),
]
NO_OBJECTS = [[], "x", 5, 1.5, True, False]
NO_TOKENS = ["x", "a.b.c", "", "é", "sk", "null"]


@pytest.fixture
async def ada(services):
    return await make_user(
        services, email="ada@example.com", public={"plan": "pro"}, unsafe={"theme": "dark"}
    )


@pytest.fixture
async def token(services, ada):
    return (await make_session(services, ada)).token


async def update(public, token, **given):
    answer = await public.gql(UPDATE, {"input": given}, token=token)
    return answer["data"]["updateMe"]


class TestMe:
    async def test_the_signed_in_user_reads_both_bags(self, public, ada, token):
        answer = await public.gql(ME, token=token)
        assert answer["data"]["me"] == {
            "id": str(ada.id),
            "publicMetadata": {"plan": "pro"},
            "unsafeMetadata": {"theme": "dark"},
            "metadataVersion": 1,
        }
        assert "errors" not in answer

    async def test_the_cookie_is_as_good_as_the_header(self, public, token):
        by_cookie = await public.gql(ME, cookie=token)
        assert by_cookie == await public.gql(ME, token=token)

    async def test_me_and_session_are_null_and_no_error_when_signed_out(self, public):
        answer = await public.gql("{ me { id } session { id } }")
        assert answer["data"] == {"me": None, "session": None}
        assert "errors" not in answer

    async def test_a_secret_key_has_no_me(self, public, key):
        """SEC-016"""
        answer = await public.gql("{ me { id } }", key=key)
        assert answer["data"] == {"me": None}
        (error,) = answer["errors"]
        assert error["extensions"] == {"code": "FORBIDDEN"}
        assert error["path"] == ["me"]

    async def test_every_field_of_the_profile_is_there(self, services, public, ada, token):
        profile = ProfileChanges("ada_l", "Ada L", "Ada", "L", "https://example.com/a.png", "en-GB")
        await services.users.update(SYSTEM, ada.id, profile)
        await services.users.add_email(SYSTEM, ada.id, NewEmail("second@example.com"))
        query = """{ me { username name givenName familyName picture locale createdAt updatedAt
          lastSignInAt emails { id address isPrimary isVerified } primaryEmail { address } } }"""
        me = (await public.gql(query, token=token))["data"]["me"]
        found = [me.pop("emails"), me.pop("createdAt"), me.pop("updatedAt")]
        assert me == {
            "username": "ada_l",
            "name": "Ada L",
            "givenName": "Ada",
            "familyName": "L",
            "picture": "https://example.com/a.png",
            "locale": "en-GB",
            "lastSignInAt": None,
            "primaryEmail": {"address": "ada@example.com"},
        }
        shown = [(e["address"], e["isPrimary"], e["isVerified"]) for e in found[0]]
        assert shown == [("ada@example.com", True, True), ("second@example.com", False, False)]
        assert all(moment.endswith("Z") for moment in found[1:])

    async def test_an_empty_bag_reads_as_an_empty_object(self, services, public):
        token = (await make_session(services, await make_user(services))).token
        me = (await public.gql(ME, token=token))["data"]["me"]
        assert (me["publicMetadata"], me["unsafeMetadata"], me["metadataVersion"]) == ({}, {}, 0)

    async def test_the_private_bag_is_null_with_an_error_at_its_path(self, public, token):
        answer = await public.gql("{ me { id privateMetadata } }", token=token)
        assert answer["data"]["me"]["privateMetadata"] is None
        (error,) = answer["errors"]
        assert error["path"] == ["me", "privateMetadata"]
        assert error["extensions"] == {
            "code": "FORBIDDEN",
            "requiredScopes": ["users.private:read"],
        }


class TestPaths:
    @pytest.fixture
    async def token(self, services):
        bag = {"plan": "pro", "roles": [{"name": "a"}, {"name": "b"}], "a.b": 1, "none": None}
        user = await make_user(services, public=bag, unsafe=bag)
        return (await make_session(services, user)).token

    async def test_a_path_reads_a_part_of_a_bag(self, public, token):
        for path, value in PATHS:
            query = (
                "query ($p: String) { me { publicMetadata(path: $p) unsafeMetadata(path: $p) } }"
            )
            answer = await public.gql(query, {"p": path}, token=token)
            assert answer["data"]["me"] == {"publicMetadata": value, "unsafeMetadata": value}

    async def test_no_path_and_a_null_path_read_the_whole_bag(self, public, token):
        query = """query ($left: String) { me { a: publicMetadata b: publicMetadata(path: null)
          c: publicMetadata(path: $left) } }"""
        me = (await public.gql(query, token=token))["data"]["me"]
        assert me["a"] == me["b"] == me["c"]
        assert me["a"]["plan"] == "pro"


class TestUpdateMe:
    async def test_the_unsafe_bag_is_merged(self, public, token):
        payload = await update(public, token, unsafeMetadata={"lang": "en", "theme": None})
        assert payload["userErrors"] == []
        assert payload["user"]["unsafeMetadata"] == {"lang": "en"}
        assert payload["user"]["metadataVersion"] == 2

    async def test_null_clears_the_bag_and_leaving_it_out_does_not(self, public, token):
        kept = await update(public, token, name="Ada")
        assert kept["user"]["unsafeMetadata"] == {"theme": "dark"}
        cleared = await update(public, token, unsafeMetadata=None)
        assert cleared["user"]["unsafeMetadata"] == {}

    async def test_a_literal_null_clears_and_a_literal_left_out_does_not(self, public, token):
        mutation = "mutation { updateMe(input: %s) { user { unsafeMetadata } } }"
        kept = await public.gql(mutation % "{}", token=token)
        assert kept["data"]["updateMe"]["user"]["unsafeMetadata"] == {"theme": "dark"}
        cleared = await public.gql(mutation % "{unsafeMetadata: null}", token=token)
        assert cleared["data"]["updateMe"]["user"]["unsafeMetadata"] == {}

    async def test_a_variable_that_is_not_sent_leaves_the_bag_and_a_null_one_clears_it(
        self, public, token
    ):
        mutation = """mutation ($bag: JSON) { updateMe(input: {unsafeMetadata: $bag}) {
          user { unsafeMetadata } } }"""
        kept = await public.gql(mutation, {}, token=token)
        assert kept["data"]["updateMe"]["user"]["unsafeMetadata"] == {"theme": "dark"}
        cleared = await public.gql(mutation, {"bag": None}, token=token)
        assert cleared["data"]["updateMe"]["user"]["unsafeMetadata"] == {}

    async def test_a_profile_is_set_and_cleared_field_by_field(self, public, token):
        profile = {
            "username": "ada_l",
            "name": "Ada L",
            "givenName": "Ada",
            "familyName": "L",
            "picture": "https://example.com/a.png",
            "locale": "en-GB",
        }
        payload = await update(public, token, **profile)
        assert profile.items() <= payload["user"].items()
        cleared = await update(public, token, **dict.fromkeys(profile))
        assert dict.fromkeys(profile).items() <= cleared["user"].items()

    @pytest.mark.parametrize(
        "refusal",
        [
            ({"username": "a b"}, "USERNAME_INVALID", "username"),
            ({"username": "x"}, "USERNAME_INVALID", "username"),
            ({"username": "taken"}, "USERNAME_TAKEN", "username"),
            ({"name": ""}, "TEXT_INVALID", "name"),
            ({"givenName": "x" * 256}, "TEXT_INVALID", "givenName"),
            ({"familyName": "a\u202eb"}, "TEXT_INVALID", "familyName"),
            ({"locale": "not a locale"}, "TEXT_INVALID", "locale"),
            ({"picture": "javascript:alert(1)"}, "PICTURE_INVALID", "picture"),
        ],
    )
    async def test_a_profile_that_breaks_a_rule_is_refused_whole(
        self, services, public, token, refusal
    ):
        given, code, path = refusal
        await make_user(services, username="Taken")
        payload = await update(public, token, unsafeMetadata={"new": 1}, **given)
        (error,) = payload["userErrors"]
        assert (error["code"], error["path"]) == (code, ["input", path])
        assert error["__typename"] == "InputError"
        assert payload["user"] is None
        me = (await public.gql(ME, token=token))["data"]["me"]
        assert me["unsafeMetadata"] == {"theme": "dark"}

    async def test_the_last_name_of_a_user_without_address_stays(self, services, public):
        nameless = NewUser(profile=ProfileChanges(username="ada_l"))
        user, _ = await services.users.create(SYSTEM, nameless)
        token = (await make_session(services, user)).token
        payload = await update(public, token, username=None)
        (error,) = payload["userErrors"]
        assert (error["code"], error["path"]) == ("IDENTIFIER_MISSING", ["input", "username"])

    async def test_a_bag_that_is_no_object_is_refused(self, public, token):
        """SEC-006"""
        for value in NO_OBJECTS:
            payload = await update(public, token, unsafeMetadata=value)
            (error,) = payload["userErrors"]
            assert error["__typename"] == "MetadataRejected"
            assert error["code"] == "METADATA_NOT_AN_OBJECT"
            assert error["path"] == ["input", "unsafeMetadata"]
            assert error["bag"] == "UNSAFE"

    async def test_a_bag_over_its_cap_is_refused_with_the_figures(self, public, token):
        """SEC-007"""
        payload = await update(public, token, unsafeMetadata={"theme": None, "a": "x" * 2992})
        assert payload["userErrors"] == []
        payload = await update(public, token, unsafeMetadata={"a": "x" * 2993})
        (error,) = payload["userErrors"]
        message = error.pop("message")
        assert error == {
            "__typename": "MetadataRejected",
            "code": "METADATA_TOO_LARGE",
            "path": ["input", "unsafeMetadata"],
            "bag": "UNSAFE",
            "size": 3001,
            "limit": 3000,
            "unit": "characters",
            "currentVersion": None,
        }
        assert "x" * 10 not in message
        assert payload["user"] is None

    async def test_the_cap_counts_in_the_configured_unit(self, services, token):
        """SEC-007"""
        others = await reconfigured(services, user_metadata=UserMetadata(limits="torii"))
        payload = await update(Face(others), token, unsafeMetadata={"theme": None, "a": "é" * 253})
        (error,) = payload["userErrors"]
        assert (error["size"], error["limit"], error["unit"]) == (514, 512, "bytes")

    async def test_a_stale_version_is_refused_and_the_current_one_told(self, public, token):
        good = await update(public, token, unsafeMetadata={"a": 1}, ifMetadataVersion=1)
        assert good["userErrors"] == []
        payload = await update(public, token, unsafeMetadata={"a": 2}, ifMetadataVersion=1)
        (error,) = payload["userErrors"]
        assert error["__typename"] == "MetadataRejected"
        assert error["code"] == "METADATA_VERSION_CONFLICT"
        assert error["path"] == ["input", "ifMetadataVersion"]
        assert error["currentVersion"] == 2
        assert error["bag"] == "UNSAFE"

    async def test_a_profile_change_waits_for_the_version_too(self, public, token):
        payload = await update(public, token, name="Ada", ifMetadataVersion=9)
        (error,) = payload["userErrors"]
        assert error["code"] == "METADATA_VERSION_CONFLICT"
        payload = await update(public, token, locale="en", ifMetadataVersion=None)
        assert payload["userErrors"] == []
        assert payload["user"]["name"] is None

    async def test_who_is_signed_out_changes_nothing(self, public):
        answer = await public.gql(UPDATE, {"input": {"unsafeMetadata": {"a": 1}}})
        assert answer["data"] is None
        (error,) = answer["errors"]
        assert error["extensions"] == {"code": "UNAUTHENTICATED"}
        assert error["path"] == ["updateMe"]

    async def test_a_secret_key_is_nobody_to_update(self, public, key):
        """SEC-016"""
        answer = await public.gql(UPDATE, {"input": {"unsafeMetadata": {"a": 1}}}, key=key)
        assert answer["data"] is None
        assert answer["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"

    async def test_each_change_in_an_operation_shows_what_it_left_behind(self, public, token):
        mutation = """mutation { a: updateMe(input: {unsafeMetadata: {n: 1}}) { ...bags }
          b: updateMe(input: {name: "Ada"}) { ...bags }
          c: updateMe(input: {unsafeMetadata: {n: 2}}) { ...bags }
          d: updateMe(input: {name: "Ida"}) { ...bags } }
          fragment bags on UserPayload {
            user { name unsafeMetadata(path: "n") metadataVersion } }"""
        data = (await public.gql(mutation, token=token))["data"]
        seen = [tuple(data[alias]["user"].values()) for alias in "abcd"]
        assert seen == [(None, 1, 2), ("Ada", 1, 2), ("Ada", 2, 3), ("Ida", 2, 3)]


class TestSession:
    QUERY = """{ session { id createdAt lastUsedAt expiresAt ipAddress userAgent isCurrent
      idleExpiresAt } }"""

    async def test_the_session_tells_of_itself(self, services, public, ada, clock):
        issued = await make_session(services, ada)
        session = (await public.gql(self.QUERY, token=issued.token))["data"]["session"]
        assert session["id"] == str(issued.session.id)
        assert session["isCurrent"] is True
        assert session["idleExpiresAt"] is None
        assert session["createdAt"] == clock.now.isoformat().replace("+00:00", "Z")
        assert session["createdAt"] < session["expiresAt"]

    async def test_the_idle_end_shows_where_there_is_one(self, services, ada):
        idle = Session(idle_timeout=Duration(minutes=30))
        others = await reconfigured(services, session=idle)
        issued = await make_session(others, ada)
        session = (await Face(others).gql(self.QUERY, token=issued.token))["data"]["session"]
        assert session["lastUsedAt"] < session["idleExpiresAt"] < session["expiresAt"]

    async def test_their_sessions_are_listed_newest_first_and_the_current_one_marked(
        self, services, public, ada, clock
    ):
        made = []
        for _ in range(3):
            clock.advance(seconds=1)
            made.append(await make_session(services, ada))
        query = "{ me { sessions { nodes { id isCurrent } edges { cursor node { id } } } } }"
        found = (await public.gql(query, token=made[1].token))["data"]["me"]["sessions"]
        assert [n["id"] for n in found["nodes"]] == [str(i.session.id) for i in reversed(made)]
        assert [n["isCurrent"] for n in found["nodes"]] == [False, True, False]
        assert [e["node"]["id"] for e in found["edges"]] == [n["id"] for n in found["nodes"]]

    async def test_signing_out_ends_the_session_and_takes_the_cookie(self, public, token):
        answer = await public.ask(
            "mutation { signOut { deletedId userErrors { code } } }", cookie=token
        )
        assert answer.json()["data"]["signOut"]["userErrors"] == []
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("hanko=;")
        assert "Max-Age=0" in cookie
        after = await public.gql("{ me { id } }", cookie=token)
        assert after["data"] == {"me": None}
        assert after["extensions"]["session"] == "revoked"

    async def test_another_session_is_ended_and_this_one_stays(self, services, public, ada, token):
        other = await make_session(services, ada)
        mutation = "mutation ($id: ID!) { revokeSession(sessionId: $id) { deletedId } }"
        answer = await public.gql(mutation, {"id": str(other.session.id)}, token=token)
        assert answer["data"]["revokeSession"]["deletedId"] == str(other.session.id)
        assert (await public.gql("{ me { id } }", token=other.token))["data"] == {"me": None}
        assert (await public.gql("{ me { id } }", token=token))["data"]["me"] is not None

    @pytest.mark.parametrize("named", ["unknown", "malformed", "foreign"])
    async def test_a_session_that_is_not_theirs_is_not_there(self, services, public, token, named):
        """SEC-004, SEC-099"""
        foreign = await make_session(services, await make_user(services))
        ids = {"unknown": str(uuid4()), "malformed": "1 OR 1=1", "foreign": str(foreign.session.id)}
        mutation = """mutation ($id: ID!) { revokeSession(sessionId: $id) {
          deletedId userErrors { code path } } }"""
        payload = (await public.gql(mutation, {"id": ids[named]}, token=token))["data"]
        assert payload["revokeSession"] == {
            "deletedId": None,
            "userErrors": [{"code": "NOT_FOUND", "path": ["sessionId"]}],
        }
        assert (await public.gql("{ me { id } }", token=foreign.token))["data"]["me"] is not None

    async def test_all_other_sessions_are_ended_at_once(self, services, public, ada, token):
        others = [await make_session(services, ada) for _ in range(2)]
        answer = await public.gql("mutation { revokeOtherSessions { ended } }", token=token)
        assert answer["data"]["revokeOtherSessions"] == {"ended": 2}
        assert (await public.gql("{ me { id } }", token=token))["data"]["me"] is not None
        for other in others:
            assert (await public.gql("{ me { id } }", token=other.token))["data"] == {"me": None}


class TestSessionFault:
    async def test_a_token_that_has_run_out_behaves_like_none_and_says_so(
        self, public, token, clock
    ):
        clock.advance(hours=13)
        answer = await public.gql(ME, token=token)
        assert answer["data"] == {"me": None}
        assert answer["extensions"]["session"] == "expired"
        assert "errors" not in answer

    async def test_a_revoked_session_says_so(self, services, public, ada, token):
        await services.sessions.end_all(SYSTEM, ada.id)
        answer = await public.gql(ME, token=token)
        assert (answer["data"], answer["extensions"]["session"]) == ({"me": None}, "revoked")

    async def test_what_is_no_token_says_so(self, public):
        for bad in NO_TOKENS:
            headers = [("authorization", f"Bearer {bad}".encode().decode("latin-1"))]
            answer = await public.gql(ME, headers=headers)
            assert answer["data"] == {"me": None}
            assert answer["extensions"].get("session") == ("invalid" if bad else None)

    async def test_nothing_is_said_of_a_good_session_or_of_none(self, public, token):
        assert "session" not in (await public.gql(ME, token=token))["extensions"]
        assert "session" not in (await public.gql(ME))["extensions"]

    async def test_a_mutation_with_a_stale_token_is_refused_and_says_so(self, public, token, clock):
        clock.advance(hours=13)
        answer = await public.gql(UPDATE, {"input": {}}, token=token)
        assert answer["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
        assert answer["extensions"]["session"] == "expired"

    async def test_a_good_cookie_stands_in_for_a_bad_bearer_token(self, public, token):
        answer = await public.gql(ME, token="a.b.c", cookie=token)
        assert answer["data"]["me"] is not None


class TestServer:
    async def test_anybody_may_ask_what_the_server_allows(self, public):
        query = """{ server { name emailLimit emailMaxLength usernameMinLength usernameMaxLength
          metadataLimits { bag max unit } } }"""
        assert (await public.gql(query))["data"]["server"] == {
            "name": "Sekisho",
            "emailLimit": 5,
            "emailMaxLength": 120,
            "usernameMinLength": 3,
            "usernameMaxLength": 32,
            "metadataLimits": [
                {"bag": bag, "max": 3000, "unit": "characters"}
                for bag in ("PUBLIC", "PRIVATE", "UNSAFE")
            ],
        }
