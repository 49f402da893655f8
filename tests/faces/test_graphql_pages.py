"""Connections and filters: `users` and `User.sessions` in pages, sorted and searched."""

import base64
from datetime import timedelta

import pytest
from faces.clients import Face
from factories import make_key, make_session, make_user, reconfigured

from app.access import SYSTEM
from app.config.sections import Session
from app.persistence import fetch
from app.users import NewEmail, NewUser, ProfileChanges

PAGE = """query ($first: Int, $after: String, $last: Int, $before: String, $filter: UserFilter,
    $order: UserOrder) {
  users(first: $first, after: $after, last: $last, before: $before, filter: $filter,
      orderBy: $order) {
    edges { cursor node { name } } nodes { name }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }"""
FILTERS = [
    ({}, "abc"),
    ({"search": "adr"}, "a"),
    ({"search": "B_NA"}, "b"),
    ({"search": "dress"}, ""),
    ({"search": "%"}, ""),
    ({"email": "ADRESS@example.com"}, "a"),
    ({"email": "adress"}, ""),
    ({"emailVerified": True}, "abc"),
    ({"emailVerified": False}, ""),
    ({"signedInAfter": "2020-01-01T00:00:00Z"}, ""),
    ({"signedInBefore": "2020-01-01T00:00:00Z"}, ""),
    ({"metadata": {"bag": "PUBLIC", "path": "plan", "equals": "pro"}}, "a"),
    ({"metadata": {"bag": "PUBLIC", "path": "plan", "exists": True}}, "ab"),
    ({"metadata": {"bag": "PUBLIC", "path": "plan", "exists": False}}, "c"),
    ({"metadata": {"bag": "PUBLIC", "path": "roles.0", "equals": "x"}}, "b"),
    ({"metadata": {"bag": "PUBLIC", "path": "roles", "equals": ["x"]}}, "b"),
    ({"metadata": {"bag": "PUBLIC", "path": "roles", "equals": "x"}}, ""),
    ({"metadata": {"bag": "PRIVATE", "path": "secret", "equals": "c"}}, "c"),
    ({"metadata": {"bag": "UNSAFE", "path": "theme", "equals": {"dark": True}}}, "b"),
    ({"metadata": {"bag": "UNSAFE", "path": "n", "equals": 1.1}}, "abc"),
    ({"or": [{"email": "adress@example.com"}, {"search": "c"}]}, "ac"),
    ({"and": [{"search": "a"}, {"search": "b"}]}, ""),
    ({"not": {"search": "a"}}, "bc"),
    ({"not": {"or": [{"search": "a"}, {"search": "b"}]}, "emailVerified": True}, "c"),
    ({"or": []}, "abc"),
    ({"and": None, "or": None, "not": None, "metadata": None, "search": None}, "abc"),
    ({"search": "'; DROP TABLE app_user; --"}, ""),
]
UNKNOWN_PARTS = [
    {"emails": "a"},
    {"metadata": {"bag": "SECRET", "path": "a"}},
    {"metadata": {"path": "a"}},
    {"createdAfter": "yesterday"},
    {"and": [None]},
    {"not": {"and": [{"nothing": 1}]}},
]
NO_PAGES = [
    ({"first": 101}, ["first"]),
    ({"first": -1}, ["first"]),
    ({"first": 2**31 - 1}, ["first"]),
    ({"last": 101}, ["last"]),
    ({"last": -1}, ["last"]),
    ({"first": 1, "last": 1}, []),
    ({"first": 1, "before": "x"}, []),
    ({"after": "x", "last": 1}, []),
    ({"after": ""}, ["after"]),
    ({"after": "x"}, ["after"]),
    ({"after": "é"}, ["after"]),
    ({"before": "' OR 1=1 --"}, ["before"]),
    ({"after": base64.urlsafe_b64encode(b"\x7f" * 24).decode()}, ["after"]),
    ({"after": base64.urlsafe_b64encode(bytes(25)).decode()}, ["after"]),
]


@pytest.fixture
async def seven(services, clock):
    """Seven users named by a letter, each a second younger than the one before."""
    users = []
    for letter in "abcdefg":
        clock.advance(seconds=1)
        users.append(await make_user(services, email=f"{letter}@example.com", name=letter))
    return users


@pytest.fixture
def page(admin, key):
    async def page(**given):
        answer = await admin.gql(PAGE, given, key=key)
        assert "errors" not in answer, answer
        found = answer["data"]["users"]
        assert [edge["node"] for edge in found["edges"]] == found["nodes"]
        cursors = [edge["cursor"] for edge in found["edges"]] or [None]
        info = found["pageInfo"]
        assert (info["startCursor"], info["endCursor"]) == (cursors[0], cursors[-1])
        return "".join(node["name"] for node in found["nodes"]), info

    return page


@pytest.fixture
def names(page):
    async def names(**wanted):
        found, _ = await page(filter=wanted, order="CREATED_AT_ASC")
        return found

    return names


@pytest.fixture
def refused(admin, key):
    async def refused(**given):
        answer = await admin.gql(PAGE, given, key=key)
        assert answer["data"] is None
        (error,) = answer["errors"]
        assert error["path"] == ["users"]
        extensions = error["extensions"]
        assert extensions["code"] == "BAD_REQUEST"
        return extensions["reason"], extensions["argument"]

    return refused


class TestPages:
    async def test_the_newest_come_first_unless_asked_otherwise(self, seven, page):
        assert (await page())[0] == "gfedcba"
        assert (await page(order="CREATED_AT_ASC"))[0] == "abcdefg"
        assert (await page(order=None))[0] == "gfedcba"

    @pytest.mark.parametrize(
        ("order", "pages"), [(None, ["gfe", "dcb", "a"]), ("CREATED_AT_ASC", ["abc", "def", "g"])]
    )
    async def test_pages_follow_each_other_to_the_end(self, seven, page, order, pages):
        after = None
        for n, expected in enumerate(pages):
            found, info = await page(first=3, after=after, order=order)
            assert found == expected
            assert info["hasNextPage"] is (n < 2)
            assert info["hasPreviousPage"] is (n > 0)
            after = info["endCursor"]

    @pytest.mark.parametrize(
        ("order", "pages"), [(None, ["cba", "fed", "g"]), ("CREATED_AT_ASC", ["efg", "bcd", "a"])]
    )
    async def test_pages_lead_back_to_the_start(self, seven, page, order, pages):
        before = None
        for n, expected in enumerate(pages):
            found, info = await page(last=3, before=before, order=order)
            assert found == expected
            assert info["hasPreviousPage"] is (n < 2)
            assert info["hasNextPage"] is (n > 0)
            before = info["startCursor"]

    async def test_a_page_before_a_cursor_has_the_default_size(self, seven, page):
        _, info = await page(first=6)
        assert (await page(before=info["endCursor"]))[0] == "gfedc"

    async def test_a_page_of_nothing_is_empty(self, seven, page):
        found, info = await page(first=0)
        assert (found, info["hasNextPage"]) == ("", True)
        found, info = await page(filter={"email": "nobody@example.com"})
        assert (found, info["hasNextPage"], info["hasPreviousPage"]) == ("", False, False)

    async def test_users_made_at_one_moment_are_each_seen_once(self, services, page):
        for letter in "abcde":
            await make_user(services, name=letter)
        seen, after = "", None
        for _ in range(3):
            found, info = await page(first=2, after=after)
            seen, after = seen + found, info["endCursor"]
        assert sorted(seen) == list("abcde")

    async def test_twenty_are_given_unless_asked_and_a_hundred_at_most(self, services, page):
        """SEC-098"""
        for n in range(101):
            await services.users.create(
                SYSTEM, NewUser(profile=ProfileChanges(username=f"u{n:03}", name="x"))
            )
        found, info = await page()
        assert (len(found), info["hasNextPage"]) == (20, True)
        assert len((await page(first=100))[0]) == 100

    async def test_what_describes_no_page_is_refused(self, refused):
        """SEC-098"""
        for given, argument in NO_PAGES:
            assert await refused(**given) == ("PAGE_REFUSED", argument)

    async def test_a_forged_cursor_is_at_worst_another_place(self, seven, page):
        """SEC-098"""
        ends = [bytes(24), b"\x00" + b"\x01" * 23, (10**14).to_bytes(8) + bytes(16)]
        for raw in ends:
            found, _ = await page(after=base64.urlsafe_b64encode(raw).decode())
            assert found == ""

    async def test_a_cursor_of_one_list_reads_another_only_as_a_place(
        self, services, admin, key, seven
    ):
        """SEC-099"""
        user = seven[0]
        await make_session(services, user)
        query = """query ($id: ID!, $after: String) { user(by: {id: $id}) {
          sessions(after: $after) { nodes { id } edges { cursor } } } }"""
        first = await admin.gql("{ users(last: 1) { edges { cursor } } }", key=key)
        cursor = first["data"]["users"]["edges"][0]["cursor"]
        answer = await admin.gql(query, {"id": str(user.id), "after": cursor}, key=key)
        assert answer["data"]["user"]["sessions"]["nodes"] == []


class TestSessionPages:
    QUERY = """query ($first: Int, $after: String) { me { sessions(first: $first, after: $after) {
      nodes { id } pageInfo { hasNextPage hasPreviousPage endCursor } } } }"""

    async def test_sessions_are_given_in_pages(self, services, clock):
        others = await reconfigured(services, session=Session(limit=7))
        face = Face(others)
        user = await make_user(others)
        made = []
        for _ in range(7):
            clock.advance(seconds=1)
            made.append(await make_session(others, user))
        seen, after = [], None
        for n in range(3):
            given = {"first": 3, "after": after}
            answer = await face.gql(self.QUERY, given, token=made[0].token)
            found = answer["data"]["me"]["sessions"]
            assert found["pageInfo"]["hasNextPage"] is (n < 2)
            assert found["pageInfo"]["hasPreviousPage"] is (n > 0)
            seen += [node["id"] for node in found["nodes"]]
            after = found["pageInfo"]["endCursor"]
        assert seen == [str(issued.session.id) for issued in reversed(made)]

    async def test_a_session_that_has_run_out_is_not_listed(self, services, public, clock):
        user = await make_user(services)
        await make_session(services, user)
        clock.advance(hours=11)
        token = (await make_session(services, user)).token
        clock.advance(hours=2)
        answer = await public.gql(self.QUERY, {}, token=token)
        assert len(answer["data"]["me"]["sessions"]["nodes"]) == 1

    @pytest.mark.parametrize("given", [{"first": 101}, {"first": -1}, {"after": "x"}])
    async def test_what_describes_no_page_is_refused(self, services, public, given):
        """SEC-098"""
        token = (await make_session(services, await make_user(services))).token
        answer = await public.gql(self.QUERY, given, token=token)
        assert answer["data"] == {"me": None}
        assert answer["errors"][0]["extensions"]["reason"] == "PAGE_REFUSED"
        assert answer["errors"][0]["path"] == ["me", "sessions"]

    async def test_many_users_sessions_take_one_statement_a_page(self, services, admin, key, seven):
        for user in seven:
            await make_session(services, user)
        answer = await admin.gql(
            """{ users(orderBy: CREATED_AT_ASC) { nodes { name emails { address }
              primaryEmail { address } publicMetadata privateMetadata
              a: sessions(first: 1) { nodes { id } }
              b: sessions(first: 2) { nodes { id } } } } }""",
            key=key,
        )
        nodes = answer["data"]["users"]["nodes"]
        assert [n["emails"] for n in nodes] == [
            [{"address": f"{letter}@example.com"}] for letter in "abcdefg"
        ]
        assert all(len(n["a"]["nodes"]) == len(n["b"]["nodes"]) == 1 for n in nodes)


class TestRefusalsBesideValues:
    """A refusal empties its own branch; what others wait for is theirs still."""

    async def test_a_refusal_in_one_branch_leaves_another_s_values(self, services, public):
        user = await make_user(services, email="ada@example.com")
        token = (await make_session(services, user)).token
        document = """{ a: me { emails { address } sessions(first: 101) { nodes { id } } }
          b: me { emails { address } } }"""
        answer = await public.gql(document, token=token)
        assert answer["data"] == {"a": None, "b": {"emails": [{"address": "ada@example.com"}]}}
        assert [error["path"] for error in answer["errors"]] == [["a", "sessions"]]

    async def test_refusals_in_many_rows_are_answered(self, services, admin, seven):
        key = await make_key(services, "users:read")
        document = """{ users { edges { node { publicMetadata sessions { nodes { id } } } }
          nodes { publicMetadata emails { id } metadataVersion sessions { nodes { id } } } } }"""
        for _ in range(5):
            answer = await admin.gql(document, key=key)
            assert answer["data"] is None
            codes = {error["extensions"]["code"] for error in answer["errors"]}
            assert codes == {"FORBIDDEN"}


class TestFilters:
    @pytest.fixture
    async def three(self, services, clock):
        bags = {"a": {"plan": "pro"}, "b": {"plan": "free", "roles": ["x"]}, "c": {}}
        for letter, bag in bags.items():
            clock.advance(minutes=1)
            await make_user(
                services,
                email=f"{letter}dress@example.com",
                username=f"{letter}_name",
                name=letter,
                public=bag,
                private={"secret": letter},
                unsafe={"theme": {"dark": letter == "b"}, "n": 1.10},
            )
        return clock.now

    async def test_a_filter_gives_who_fits(self, three, names):
        for wanted, expected in FILTERS:
            assert await names(**wanted) == expected

    async def test_ranges_leave_out_their_ends(self, three, names):
        second = (three - timedelta(minutes=1)).isoformat()
        assert await names(createdAfter=second) == "c"
        assert await names(createdBefore=second) == "a"

    async def test_who_signed_in_when_is_asked_of_the_sign_in(self, services, three, names):
        await fetch("UPDATE app_user SET last_sign_in_at = $1 WHERE name = 'b'", three)
        long_ago, later = "2020-01-01T00:00:00Z", (three + timedelta(hours=1)).isoformat()
        assert await names(signedInAfter=long_ago) == "b"
        assert await names(signedInBefore=later) == "b"
        assert await names(**{"not": {"signedInAfter": long_ago}}) == "ac"

    async def test_the_verified_address_is_the_primary_one(self, services, names):
        user = await make_user(services, name="a")
        await services.users.add_email(SYSTEM, user.id, NewEmail("second@example.com"))
        assert await names(emailVerified=False) == ""

    @pytest.mark.parametrize(
        ("wanted", "argument"),
        [
            ({"metadata": {"bag": "PUBLIC", "path": "", "exists": True}}, "metadata.path"),
            ({"metadata": {"bag": "PUBLIC", "path": "a.#", "exists": True}}, "metadata.path"),
            ({"metadata": {"bag": "PUBLIC", "path": "a*", "exists": True}}, "metadata.path"),
            ({"metadata": {"bag": "PUBLIC", "path": "@this", "exists": True}}, "metadata.path"),
            ({"metadata": {"bag": "PUBLIC", "path": "x" * 2000, "exists": True}}, "metadata.path"),
            ({"metadata": {"bag": "PUBLIC", "path": "a", "equals": "\0"}}, "metadata.equals"),
            ({"search": "\ud800"}, "search"),
            ({"or": [{"search": str(n)} for n in range(50)]}, ""),
        ],
    )
    async def test_a_filter_that_cannot_be_asked_is_refused(self, refused, wanted, argument):
        """SEC-098"""
        where = ["filter", *filter(None, argument.split("."))]
        assert await refused(filter=wanted) == ("FILTER_REFUSED", where)

    async def test_an_unknown_part_is_refused_before_anything_runs(self, admin, key):
        for wanted in UNKNOWN_PARTS:
            answer = await admin.gql(PAGE, {"filter": wanted}, key=key)
            assert "data" not in answer

    @pytest.mark.parametrize(
        "around",
        [
            lambda asked: asked,
            lambda asked: {"and": [{}, asked]},
            lambda asked: {"or": [{"search": "a"}, {"or": [asked]}]},
            lambda asked: {"not": asked},
            lambda asked: {"not": {"and": [{"not": {"or": [asked]}}]}},
        ],
    )
    async def test_a_question_about_the_private_bag_needs_its_scope_however_deep_it_hides(
        self, services, admin, three, around
    ):
        """SEC-002"""
        asked = {"metadata": {"bag": "PRIVATE", "path": "secret", "equals": "c"}}
        key = await make_key(services, "users:read", "users:write", "users.metadata:write")
        answer = await admin.gql(PAGE, {"filter": around(asked)}, key=key)
        assert answer["data"] is None
        assert answer["errors"][0]["extensions"] == {
            "code": "FORBIDDEN",
            "requiredScopes": ["users.private:read"],
        }
        key = await make_key(services, "users:read", "users.private:read")
        assert "errors" not in await admin.gql(PAGE, {"filter": around(asked)}, key=key)
