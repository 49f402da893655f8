"""Claim templates through GraphQL: who may, what comes back, what is refused and where."""

import pytest
from faces.clients import Face
from factories import make_key, make_session, make_user, with_config

from app.access import SYSTEM
from app.assembly import assemble
from app.config.sections import BagLimit, BagLimits, JwtTemplate, Session, UserMetadata
from app.persistence import fetch

FIELDS = "claims source version updatedAt worstCase budget"
LIVE = f"{{ jwtTemplate {{ {FIELDS} }} }}"
SET = f"""mutation ($claims: JSON!, $allow: Boolean! = false) {{
  setJwtTemplate(input: {{claims: $claims, allowOmission: $allow}}) {{
    jwtTemplate {{ {FIELDS} }} userErrors {{ code message path }} }} }}"""
SET_PLAINLY = """mutation ($claims: JSON!) { setJwtTemplate(input: {claims: $claims}) {
  jwtTemplate { version } userErrors { code path } } }"""
RESET = f"mutation {{ resetJwtTemplate {{ jwtTemplate {{ {FIELDS} }} userErrors {{ code }} }} }}"
PREVIEW = """query ($user: ID!, $claims: JSON) {
  previewJwtTemplate(userId: $user, claims: $claims) {
    claims omitted { claim reason } size } }"""
NOBODY = "0190c0de-0000-7000-8000-00000000000a"
PLAN = {"plan": '{{ user.public_metadata.plan || "free" }}'}


@pytest.fixture
async def torii(services):
    """The admin listener of a deployment with small bags."""
    return await face(services)


async def face(services, limits="torii", **template):
    session = Session(jwt_template=JwtTemplate(**template))
    config = with_config(services, session=session, user_metadata=UserMetadata(limits=limits))
    assembled = assemble(config, clock=services.clock)
    await assembled.signing_keys.load()
    return Face(assembled, "admin")


class TestTheTemplate:
    async def test_at_first_it_is_the_configured_one(self, services, key):
        admin = await face(services, claims={"a": 1})
        assert (await admin.gql(LIVE, key=key))["data"]["jwtTemplate"] == {
            "claims": {"a": 1},
            "source": "CONFIGURATION",
            "version": 0,
            "updatedAt": None,
            "worstCase": len('{"a":1}') + 1,
            "budget": 1200,
        }

    async def test_what_is_set_is_in_force(self, torii, key, clock):
        payload = (await torii.gql(SET, {"claims": PLAN}, key=key))["data"]["setJwtTemplate"]
        assert payload["userErrors"] == []
        set_ = payload["jwtTemplate"]
        moment = clock.now.isoformat().replace("+00:00", "Z")
        assert set_ == {
            "claims": PLAN,
            "source": "DATABASE",
            "version": 1,
            "updatedAt": moment,
            "worstCase": 528,
            "budget": 1200,
        }
        assert (await torii.gql(LIVE, key=key))["data"]["jwtTemplate"] == set_
        back = (await torii.gql(RESET, key=key))["data"]["resetJwtTemplate"]
        assert back["userErrors"] == []
        assert (back["jwtTemplate"]["source"], back["jwtTemplate"]["claims"]) == (
            "CONFIGURATION",
            {},
        )

    async def test_claims_may_be_written_into_the_document(self, torii, key):
        query = """mutation {
          setJwtTemplate(input: {claims: {rate: 1.10, plan: "{{ user.public_metadata.plan }}"}}) {
          jwtTemplate { claims } userErrors { code } } }"""
        answer = await torii.ask(query, key=key)
        assert '"claims":{"rate":1.10,"plan":"{{ user.public_metadata.plan }}"}' in answer.text

    async def test_without_a_budget_or_a_bound_there_is_null(self, services, key):
        admin = await face(services, budget=0, claims={"a": "{{range 3}}x{{end}}"})
        live = (await admin.gql(LIVE, key=key))["data"]["jwtTemplate"]
        assert (live["worstCase"], live["budget"]) == (None, None)

    async def test_a_bound_beyond_every_int_reads_as_none(self, services, key):
        huge = BagLimits(public=BagLimit(max=65536), unsafe=BagLimit(max=65536))
        admin = await face(services, huge, claims={"a": ["{{.User.Metadata}}"] * 9000})
        answer = await admin.gql(LIVE, key=key)
        assert answer["data"]["jwtTemplate"]["worstCase"] is None

    @pytest.mark.parametrize(
        ("claims", "code", "path"),
        [
            ([], "CLAIMS_NOT_AN_OBJECT", ["input", "claims"]),
            ("x", "CLAIMS_NOT_AN_OBJECT", ["input", "claims"]),
            ({"my_claim": ["{{"]}, "TEMPLATE_SYNTAX_ERROR", ["input", "claims", "my_claim", "0"]),
            (
                {"a": "{{user.private_metadata}}"},
                "TEMPLATE_PRIVATE_METADATA",
                ["input", "claims", "a"],
            ),
            ({"session_id": 1}, "CLAIM_RESERVED", ["input", "claims", "session_id"]),
            ({"a": "x" * 17_000}, "CLAIMS_TOO_LONG", ["input", "claims"]),
            ({"a": "x" * 1200}, "CLAIMS_TOO_LARGE", ["input", "claims"]),
        ],
        ids=lambda value: str(value)[:40],
    )
    async def test_a_refusal_says_what_and_where_sec_009_010(self, torii, key, claims, code, path):
        payload = (await torii.gql(SET_PLAINLY, {"claims": claims}, key=key))["data"]
        assert payload["setJwtTemplate"] == {
            "jwtTemplate": None,
            "userErrors": [{"code": code, "path": path}],
        }
        assert await fetch("SELECT id FROM jwt_template") == []

    async def test_claims_that_can_outgrow_the_budget_are_taken_if_asked_sec_010(
        self, services, key
    ):
        admin = await face(services, "hanko")
        refused = (await admin.gql(SET, {"claims": PLAN}, key=key))["data"]["setJwtTemplate"]
        assert refused["userErrors"][0]["message"].endswith("or allow omission (allowOmission).")
        given = {"claims": PLAN, "allow": True}
        taken = (await admin.gql(SET, given, key=key))["data"]["setJwtTemplate"]
        assert (taken["jwtTemplate"]["worstCase"], taken["userErrors"]) == (12_016, [])

    async def test_null_is_no_template(self, torii, key):
        answer = await torii.gql(SET_PLAINLY, {"claims": None}, key=key)
        assert answer["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


class TestPreview:
    async def test_it_shows_what_claims_come_to_and_saves_nothing(self, services, torii, key):
        user = await make_user(services, name="Ada", public={"plan": "pro", "rate": 1})
        claims = {**PLAN, "name": "{{.User.Name}}", "no": "{{user.public_metadata.no}}"}
        given = {"user": str(user.id), "claims": claims}
        assert (await torii.gql(PREVIEW, given, key=key))["data"]["previewJwtTemplate"] == {
            "claims": {"plan": "pro", "name": "Ada"},
            "omitted": [{"claim": "no", "reason": "There is no value for this claim."}],
            "size": len('{"plan":"pro","name":"Ada"}'),
        }
        assert await fetch("SELECT id FROM jwt_template") == []

    @pytest.mark.parametrize("given", [{}, {"claims": None}])
    async def test_without_claims_it_shows_those_in_force(self, services, torii, key, given):
        user = await make_user(services)
        await torii.gql(SET, {"claims": PLAN}, key=key)
        answer = await torii.gql(PREVIEW, {"user": str(user.id), **given}, key=key)
        assert answer["data"]["previewJwtTemplate"]["claims"] == {"plan": "free"}

    @pytest.mark.parametrize("user", [NOBODY, "no-id", ""])
    async def test_nobody_has_no_preview(self, torii, key, user):
        answer = await torii.gql(PREVIEW, {"user": user}, key=key)
        assert answer["data"] is None
        assert answer["errors"][0]["extensions"] == {
            "code": "BAD_REQUEST",
            "reason": "NOT_FOUND",
            "argument": ["userId"],
        }

    async def test_a_refusal_says_what_and_where_sec_009(self, services, torii, key):
        user = await make_user(services)
        given = {"user": str(user.id), "claims": {"my_claim": ["{{.User.Metadata.Private}}"]}}
        answer = await torii.gql(PREVIEW, given, key=key)
        assert answer["errors"][0]["extensions"] == {
            "code": "BAD_REQUEST",
            "reason": "TEMPLATE_PRIVATE_METADATA",
            "argument": ["claims", "my_claim", "0"],
        }

    async def test_jwt_read_alone_shows_a_user_and_never_its_private_bag_sec_009(
        self, services, torii
    ):
        """The scope is as good as reading every user's profile, address and two bags."""
        user = await make_user(services, name="Ada", private={"secret": "MARKER"})
        key = await make_key(services, "jwt:read")
        given = {"user": str(user.id), "claims": {"all": "{{.User}}"}}
        answer = await torii.ask(PREVIEW, given, key=key)
        assert answer.json()["data"]["previewJwtTemplate"]["claims"]["all"]["name"] == "Ada"
        assert "MARKER" not in answer.text


class TestWhoMay:
    NEEDS = (
        (LIVE, {}, "jwt:read"),
        (PREVIEW, {"user": NOBODY}, "jwt:read"),
        (SET, {"claims": {}}, "jwt:write"),
        (RESET, {}, "jwt:write"),
    )

    @pytest.mark.parametrize(("query", "given", "scope"), NEEDS)
    async def test_a_key_without_the_scope_is_turned_away(
        self, services, admin, query, given, scope
    ):
        others = {"users:read", "users:write", "keys:write", "jwt:read", "jwt:write"} - {scope}
        key = await make_key(services, *sorted(others))
        answer = await admin.gql(query, given, key=key)
        assert answer["errors"][0]["extensions"] == {
            "code": "FORBIDDEN",
            "requiredScopes": [scope],
        }
        assert await fetch("SELECT id FROM jwt_template") == []

    @pytest.mark.parametrize(("query", "given", "scope"), NEEDS)
    async def test_a_session_and_nobody_are_turned_away(
        self, services, public, query, given, scope
    ):
        user = await make_user(services)
        token = (await make_session(services, user)).token
        answer = await public.gql(query, given, token=token)
        assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"
        answer = await public.gql(query, given)
        assert answer["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


class TestMetadataThatHasNoRoom:
    CHANGE = """mutation ($id: ID!, $input: UserMetadataInput!) {
      updateUserMetadata(userId: $id, input: $input) { user { id } userErrors {
        code path message ... on MetadataRejected { bag size limit unit currentVersion } } } }"""
    CREATE = """mutation ($input: CreateUserInput!) { createUser(input: $input) {
      user { id } userErrors { code path ... on MetadataRejected { bag size limit unit } } } }"""
    ME = """mutation ($bag: JSON) { updateMe(input: {unsafeMetadata: $bag}) {
      user { id } userErrors { code path ... on MetadataRejected { bag size limit unit } } } }"""

    @staticmethod
    async def refusing(services):
        claims = {"p": "{{user.public_metadata}}", "u": "{{user.unsafe_metadata}}"}
        return await face(services, budget=60, over_budget="refuse", claims=claims)

    async def test_the_refusal_has_its_figures_sec_010(self, services, key):
        admin = await self.refusing(services)
        user = await make_user(services)
        given = {"id": str(user.id), "input": {"publicMetadata": {"a": "x" * 60}}}
        payload = (await admin.gql(self.CHANGE, given, key=key))["data"]["updateUserMetadata"]
        assert payload == {
            "user": None,
            "userErrors": [
                {
                    "code": "METADATA_OVERFLOWS_CLAIMS",
                    "path": ["input", "publicMetadata"],
                    "message": (
                        "With this public_metadata the claims of the user's tokens would take "
                        "74 bytes; 60 are allowed."
                    ),
                    "bag": "PUBLIC",
                    "size": 74,
                    "limit": 60,
                    "unit": "bytes",
                    "currentVersion": None,
                }
            ],
        }

    async def test_a_new_user_is_refused_alike(self, services, key):
        admin = await self.refusing(services)
        given = {"username": "ada", "unsafeMetadata": {"a": "x" * 60}}
        payload = (await admin.gql(self.CREATE, {"input": given}, key=key))["data"]["createUser"]
        assert payload["userErrors"] == [
            {
                "code": "METADATA_OVERFLOWS_CLAIMS",
                "path": ["input", "unsafeMetadata"],
                "bag": "UNSAFE",
                "size": 74,
                "limit": 60,
                "unit": "bytes",
            }
        ]
        assert await fetch("SELECT id FROM app_user") == []

    async def test_users_are_told_of_their_own_bag(self, services):
        admin = await self.refusing(services)
        user = await make_user(services)
        token = (await services.sessions.issue(SYSTEM, user.id)).token
        answer = await admin.gql(self.ME, {"bag": {"a": "x" * 60}}, token=token)
        error = answer["data"]["updateMe"]["userErrors"][0]
        assert (error["code"], error["bag"]) == ("METADATA_OVERFLOWS_CLAIMS", "UNSAFE")

    @pytest.mark.parametrize(
        ("path", "body"),
        [
            ("/users/{}/metadata", {"public_metadata": {"a": "x" * 60}}),
            ("/api/server/v1/users/{}/metadata", {"publicMetadata": {"a": "x" * 60}}),
        ],
    )
    async def test_rest_refuses_with_the_same_code(self, services, key, path, body):
        admin = await self.refusing(services)
        user = await make_user(services)
        answer = await admin.patch(path.format(user.id), body, key=key)
        assert answer.status_code == 400
        assert answer.json()["error"]["code"] == "metadata_overflows_claims"
