"""`updateUserMetadata`: merged, replaced, cleared, refused; and numbers that keep their digits."""

import json

import pytest
from faces.clients import Face
from factories import NOBODYS_ID, make_key, make_session, make_user, reconfigured

from app.config.sections import UserMetadata

CHANGE = """mutation ($id: ID!, $input: UserMetadataInput!) {
  updateUserMetadata(userId: $id, input: $input) {
    user { publicMetadata privateMetadata unsafeMetadata metadataVersion }
    userErrors { __typename code path message
      ... on MetadataRejected { bag size limit unit currentVersion } } } }"""
BAGS = ("publicMetadata", "privateMetadata", "unsafeMetadata")
NUMBERS = (
    '{"big":12345678901234567890123456789,"i":9007199254740993,"f":1.10,"g":1E5,"z":-0,'
    '"small":-9223372036854775808,"long":0.1234567890123456789012345678901234567890}'
)
PROFILE = (
    *("username", "name", "givenName", "familyName", "picture", "locale", "lastSignInAt"),
    *("emails { address }", "primaryEmail { address }", "identities { id }"),
)
UNKNOWN = [
    {"publicMetadata": {}, "metadata": {}},
    {"public_metadata": {"a": 1}},
    {"mode": "OVERWRITE"},
    {"mode": "merge"},
    {"ifMetadataVersion": "1"},
    {"ifMetadataVersion": 2**31},
    {"ifMetadataVersion": 1.5},
]


@pytest.fixture
async def ada(services):
    bags = {"public": {"n": 1}, "private": {"s": 1}, "unsafe": {"t": 1}}
    return await make_user(services, email="ada@example.com", **bags)


@pytest.fixture
def change(admin, key, ada):
    async def change(user=ada, **given):
        variables = {"id": str(getattr(user, "id", user)), "input": given}
        answer = await admin.gql(CHANGE, variables, key=key)
        return answer["data"]["updateUserMetadata"]

    return change


def bags(payload):
    assert payload["userErrors"] == []
    return tuple(payload["user"][name] for name in BAGS)


class TestMerge:
    async def test_bags_left_out_stay_and_null_clears_one_alone(self, change):
        """SEC-005"""
        payload = await change(publicMetadata={"a": 1}, privateMetadata=None)
        assert bags(payload) == ({"n": 1, "a": 1}, {}, {"t": 1})
        assert payload["user"]["metadataVersion"] == 2

    async def test_an_object_is_merged_at_every_depth(self, change):
        """SEC-005"""
        await change(publicMetadata={"a": {"x": 1, "y": 2}, "l": [1, 2]})
        payload = await change(publicMetadata={"a": {"y": None, "z": 3}, "l": [3], "n": None})
        assert bags(payload)[0] == {"a": {"x": 1, "z": 3}, "l": [3]}

    async def test_nothing_at_all_changes_nothing(self, change):
        for given in ({}, {"publicMetadata": {}}, {"publicMetadata": {"n": 1}}):
            payload = await change(**given)
            assert bags(payload) == ({"n": 1}, {"s": 1}, {"t": 1})
            assert payload["user"]["metadataVersion"] == 1

    async def test_replacing_takes_the_bags_place_and_leaves_the_others(self, change):
        payload = await change(mode="REPLACE", publicMetadata={"a": None, "b": 1})
        assert bags(payload) == ({"a": None, "b": 1}, {"s": 1}, {"t": 1})
        payload = await change(mode="REPLACE", publicMetadata={})
        assert bags(payload)[0] == {}

    async def test_a_null_mode_is_the_default(self, change):
        payload = await change(mode=None, publicMetadata={"a": 1})
        assert bags(payload)[0] == {"n": 1, "a": 1}

    @pytest.mark.parametrize(
        "case",
        [
            ("", "{}", ({"n": 1}, {"s": 1}, {"t": 1})),
            ("", "{publicMetadata: null}", ({}, {"s": 1}, {"t": 1})),
            (
                "",
                "{publicMetadata: {a: {b: null, c: [null]}}, mode: MERGE}",
                ({"n": 1, "a": {"c": [None]}}, {"s": 1}, {"t": 1}),
            ),
            ("", "{unsafeMetadata: {n: null, t: null}}", ({"n": 1}, {"s": 1}, {})),
            (
                '($v: String = "v")',
                "{privateMetadata: {t: true, s: $v}}",
                ({"n": 1}, {"s": "v", "t": True}, {"t": 1}),
            ),
            (
                '($v: String = "v")',
                "{privateMetadata: {l: [$v, [1]]}}",
                ({"n": 1}, {"s": 1, "l": ["v", [1]]}, {"t": 1}),
            ),
            ("($null: JSON)", "{privateMetadata: {s: $null}}", ({"n": 1}, {}, {"t": 1})),
            (
                "($unsent: JSON)",
                "{privateMetadata: $unsent, mode: REPLACE}",
                ({"n": 1}, {"s": 1}, {"t": 1}),
            ),
            ("($unsent: JSON = null)", "{privateMetadata: $unsent}", ({"n": 1}, {}, {"t": 1})),
            (
                "($unsent: JSON)",
                "{privateMetadata: {s: $unsent, u: 1}}",
                ({"n": 1}, {"s": 1, "u": 1}, {"t": 1}),
            ),
        ],
    )
    async def test_a_bag_written_into_the_document_means_what_a_variable_does(
        self, admin, key, ada, case
    ):
        head, written, expected = case
        document = f"""mutation {head} {{ updateUserMetadata(userId: "{ada.id}", input: {written})
          {{ user {{ publicMetadata privateMetadata unsafeMetadata }} userErrors {{ code }} }} }}"""
        variables = {"null": None} if "null:" in head else {}
        answer = await admin.gql(document, variables, key=key)
        assert bags(answer["data"]["updateUserMetadata"]) == expected

    async def test_each_change_in_an_operation_shows_what_it_left_behind(self, admin, key, ada):
        document = """mutation ($id: ID!) {
          a: updateUserMetadata(userId: $id, input: {privateMetadata: {s: 2}}) { ...it }
          b: updateUser(userId: $id, input: {name: "Ada"}) { ...it }
          c: updateUserMetadata(userId: $id, input: {privateMetadata: {s: 3}}) { ...it }
          d: updateUser(userId: $id, input: {name: "Ida"}) { ...it } }
          fragment it on UserPayload { user { name privateMetadata(path: "s") metadataVersion } }"""
        data = (await admin.gql(document, {"id": str(ada.id)}, key=key))["data"]
        seen = [tuple(data[alias]["user"].values()) for alias in "abcd"]
        assert seen == [(None, 2, 2), ("Ada", 2, 2), ("Ada", 3, 3), ("Ida", 3, 3)]


class TestNumbers:
    async def test_numbers_come_back_as_they_were_sent_in_variables(self, admin, key, ada):
        body = '{"query": %s, "variables": {"id": "%s", "input": {"publicMetadata": %s}}}'
        content = body % (json.dumps(CHANGE), ada.id, NUMBERS)
        answer = await admin.post("/graphql", content=content.encode(), key=key)
        assert NUMBERS[1:] in answer.text

    async def test_numbers_come_back_as_they_were_written_in_the_document(self, admin, key, ada):
        literal = NUMBERS.replace('"', "").replace(":", ": ")
        document = f"""mutation {{ updateUserMetadata(userId: "{ada.id}",
          input: {{unsafeMetadata: {literal}}}) {{ user {{ unsafeMetadata }} }} }}"""
        answer = await admin.ask(document, key=key)
        assert NUMBERS[1:] in answer.text

    async def test_numbers_survive_a_merge_a_restart_and_a_path(self, services, admin, key, ada):
        content = '{"query": %s, "variables": {"id": "%s", "input": {"publicMetadata": %s}}}'
        for bag in (NUMBERS, '{"other":1}'):
            body = (content % (json.dumps(CHANGE), ada.id, bag)).encode()
            await admin.post("/graphql", content=body, key=key)
        again = Face(await reconfigured(services), "public")
        token = (await make_session(services, ada)).token
        answer = await again.ask('{ me { publicMetadata(path: "f") } }', token=token)
        assert '"publicMetadata":1.10' in answer.text
        answer = await again.ask("{ me { publicMetadata } }", token=token)
        assert NUMBERS[1:-1] in answer.text

    @pytest.mark.parametrize("number", ["1e400", "-1e400", "1e-401", "9" * 4001])
    async def test_a_number_no_computer_holds_is_refused_either_way(self, admin, key, ada, number):
        """SEC-006"""
        body = '{"query": %s, "variables": {"id": "%s", "input": {"publicMetadata": {"n": %s}}}}'
        content = (body % (json.dumps(CHANGE), ada.id, number)).encode()
        answer = await admin.post("/graphql", content=content, key=key)
        assert answer.status_code == 400
        document = f"""mutation {{ updateUserMetadata(userId: "{ada.id}",
          input: {{publicMetadata: {{n: {number}}}}}) {{ user {{ id }} }} }}"""
        answer = await admin.ask(document, key=key, headers={"accept": "application/json"})
        assert answer.json()["errors"][0]["extensions"]["code"] == "BAD_REQUEST"
        assert "data" not in answer.json()


@pytest.mark.one_database
@pytest.mark.parametrize("word", ["FOO", "undefined", "{a: BAR}", "[BAZ]"])
async def test_a_bare_word_is_no_json(admin, key, ada, word):
    document = f"""mutation {{ updateUserMetadata(userId: "{ada.id}",
      input: {{publicMetadata: {{n: {word}}}}}) {{ user {{ id }} }} }}"""
    answer = await admin.gql(document, key=key)
    assert "data" not in answer
    assert answer["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


class TestRefusals:
    @pytest.mark.parametrize(
        ("bag", "name"), list(zip(BAGS, ("PUBLIC", "PRIVATE", "UNSAFE"), strict=True))
    )
    async def test_a_bag_over_its_cap_is_refused_with_the_figures(self, change, bag, name):
        """SEC-007"""
        whole = {"mode": "REPLACE", bag: {"a": "😀" * 2992}}
        assert (await change(**whole))["userErrors"] == []
        payload = await change(mode="REPLACE", **{bag: {"a": "😀" * 2993}})
        (error,) = payload["userErrors"]
        del error["message"]
        assert error == {
            "__typename": "MetadataRejected",
            "code": "METADATA_TOO_LARGE",
            "path": ["input", bag],
            "bag": name,
            "size": 3001,
            "limit": 3000,
            "unit": "characters",
            "currentVersion": None,
        }
        assert payload["user"] is None

    @pytest.mark.parametrize(("bag", "limit"), [("publicMetadata", 512), ("privateMetadata", 4096)])
    async def test_the_other_rule_set_counts_bytes(self, services, key, ada, bag, limit):
        """SEC-007"""
        torii = await reconfigured(services, user_metadata=UserMetadata(limits="torii"))
        face = Face(torii, "admin")
        for size, codes in ((limit, []), (limit + 1, ["METADATA_TOO_LARGE"])):
            given = {"mode": "REPLACE", bag: {"a": "x" * (size - 8)}}
            answer = await face.gql(CHANGE, {"id": str(ada.id), "input": given}, key=key)
            errors = answer["data"]["updateUserMetadata"]["userErrors"]
            assert [e["code"] for e in errors] == codes
            assert [(e["size"], e["limit"], e["unit"]) for e in errors] == [
                (size, limit, "bytes") for _ in errors
            ]

    async def test_a_change_of_several_bags_is_all_or_nothing(self, services, change, ada):
        """SEC-007"""
        payload = await change(publicMetadata={"a": 1}, privateMetadata={"b": "x" * 3000})
        assert [e["code"] for e in payload["userErrors"]] == ["METADATA_TOO_LARGE"]
        found = (await services.metadata.of([ada.id]))[ada.id]
        assert (found.public, found.unsafe, found.version) == ('{"n":1}', '{"t":1}', 1)

    @pytest.mark.parametrize("bag", BAGS)
    async def test_a_bag_that_is_no_object_is_refused(self, change, bag):
        """SEC-006"""
        for value in ([], [{}], "x", "{}", 5, 1.10, True, False):
            (error,) = (await change(**{bag: value}))["userErrors"]
            assert (error["code"], error["path"]) == ("METADATA_NOT_AN_OBJECT", ["input", bag])

    @pytest.mark.parametrize(
        ("value", "place"),
        [
            ({"a": "\0"}, ["a"]),
            ({"a": {"b": [1, "\ud800"]}}, ["a", "b", "1"]),
            ({"a": {"\0": 1}}, ["a"]),
            ({"a": {"\udfff": 1}}, ["a"]),
        ],
    )
    async def test_a_text_that_nothing_can_hold_is_refused_with_its_place(
        self, change, value, place
    ):
        """SEC-006"""
        (error,) = (await change(privateMetadata=value))["userErrors"]
        assert (error["code"], error["bag"]) == ("METADATA_INVALID", "PRIVATE")
        assert error["path"] == ["input", "privateMetadata", *place]

    async def test_nesting_deeper_than_32_levels_is_refused(self, change):
        """SEC-006"""
        value = 1
        for _ in range(31):
            value = {"d": value}
        assert (await change(publicMetadata={"d": value}))["userErrors"] == []
        (error,) = (await change(publicMetadata={"d": {"d": value}}))["userErrors"]
        assert error["code"] == "METADATA_INVALID"

    async def test_a_stale_version_is_refused_and_the_current_one_told(self, change):
        assert (await change(publicMetadata={"a": 1}, ifMetadataVersion=1))["userErrors"] == []
        (error,) = (await change(privateMetadata={"a": 1}, ifMetadataVersion=1))["userErrors"]
        assert error["__typename"] == "MetadataRejected"
        assert error["code"] == "METADATA_VERSION_CONFLICT"
        assert error["path"] == ["input", "ifMetadataVersion"]
        assert (error["bag"], error["currentVersion"]) == ("PRIVATE", 2)

    @pytest.mark.parametrize("user_id", [NOBODYS_ID, "x", ""])
    async def test_who_is_not_there_has_no_bags(self, change, user_id):
        payload = await change(user_id, publicMetadata={"a": 1})
        (error,) = payload["userErrors"]
        assert (error["__typename"], error["code"], error["path"]) == (
            "InputError",
            "NOT_FOUND",
            ["userId"],
        )

    async def test_an_unknown_field_or_value_is_refused_before_anything_runs(
        self, services, admin, key, ada
    ):
        for given in UNKNOWN:
            answer = await admin.ask(
                CHANGE,
                {"id": str(ada.id), "input": {"publicMetadata": {"x": 1}} | given},
                key=key,
                headers={"accept": "application/graphql-response+json"},
            )
            assert answer.status_code == 422
            assert "data" not in answer.json()
            assert (await services.metadata.of([ada.id]))[ada.id].version == 1

    async def test_the_private_bag_in_a_payload_is_guarded_too(self, services, admin, ada):
        """SEC-002"""
        key = await make_key(services, "users.metadata:write")
        variables = {"id": str(ada.id), "input": {"privateMetadata": {"more": 1}}}
        answer = await admin.gql(CHANGE, variables, key=key)
        payload = answer["data"]["updateUserMetadata"]
        assert payload["user"]["privateMetadata"] is None
        assert payload["user"]["publicMetadata"] == {"n": 1}
        (error,) = answer["errors"]
        assert error["path"] == ["updateUserMetadata", "user", "privateMetadata"]
        assert error["extensions"]["requiredScopes"] == ["users.private:read"]

    @pytest.mark.parametrize("field", PROFILE)
    async def test_who_may_change_bags_alone_sees_no_profile(self, services, admin, ada, field):
        """SEC-002, SEC-015: neither by the payload nor, with a session beside it, of another."""
        document = CHANGE.replace("privateMetadata", field)
        variables = {"id": str(ada.id), "input": {"publicMetadata": {"n": 2}}}
        key = await make_key(services, "users.metadata:write")
        other = await make_user(services, email="eve@example.com")
        eve = (await make_session(services, other)).token
        for bearing in ({}, {"cookie": eve}):
            answer = await admin.gql(document, variables, key=key, **bearing)
            assert "ada@" not in json.dumps(answer).lower()
            (error,) = answer["errors"]
            assert error["extensions"]["requiredScopes"] == ["users:read"]
            assert error["path"][:3] == ["updateUserMetadata", "user", field.split()[0]]
        both = await make_key(services, "users.metadata:write", "users:read")
        mine = (await make_session(services, ada)).token
        for bearing in ({"key": both}, {"key": key, "cookie": mine}):
            assert "errors" not in await admin.gql(document, variables, **bearing)


async def test_a_variable_that_was_not_given_leaves_the_key_of_a_literal_alone(public, services):
    user = await make_user(services, unsafe={"cart": [1], "theme": "dark"})
    token = (await make_session(services, user)).token
    document = """mutation ($cart: JSON) {
        updateMe(input: {unsafeMetadata: {theme: "light", cart: $cart}}) {
            user { unsafeMetadata }
        }
    }"""
    left_out = await public.gql(document, token=token)
    assert left_out["data"]["updateMe"]["user"]["unsafeMetadata"] == {"cart": [1], "theme": "light"}
    null = await public.gql(document, {"cart": None}, token=token)
    assert null["data"]["updateMe"]["user"]["unsafeMetadata"] == {"theme": "light"}
