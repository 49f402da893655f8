"""Identities through GraphQL: shown, connected, disconnected, and looked for."""

from uuid import UUID

import msgspec
import pytest
from faces.clients import Face
from factories import make_key, make_session, make_user
from federation.providers import ISSUER, TARGET, VERIFIER, token_of, told

from app.access import SYSTEM
from app.assembly import assemble
from app.config.sections import Session, StepUp
from app.config.values import Duration
from app.federation.browsers import MARK, BrowserSecrets
from app.federation.exchange import Redemption
from app.federation.sign_in import CallbackAnswer
from app.persistence import fetch, transaction

pytestmark = pytest.mark.one_database
IDENTITIES = "id provider providerName subject email createdAt lastSignInAt"
ME = f"{{ me {{ identities {{ {IDENTITIES} }} }} }}"
BEGIN = """
mutation ($input: BeginIdentityConnectionInput!) {
  beginIdentityConnection(input: $input) { redirectUrl userErrors { code path } }
}
"""
CONNECT = f"""
mutation ($input: ConnectIdentityInput!) {{
  connectIdentity(input: $input) {{ identity {{ {IDENTITIES} }} userErrors {{ code path }} }}
}}
"""
DISCONNECT = """
mutation ($id: ID!) {
  disconnectIdentity(identityId: $id) { deletedId userErrors { code path } }
}
"""
USER = "query ($by: UserBy!) { user(by: $by) { id identities { subject } } }"
USERS = """
query ($filter: UserFilter!) { users(filter: $filter) { nodes { id identities { subject } } } }
"""
START = {"provider": "google", "redirectTo": TARGET, "codeVerifier": VERIFIER}


@pytest.fixture
def public(services):
    return Face(services, "public")


@pytest.fixture
async def ada(services):
    return await make_user(services, email="ada@example.com")


@pytest.fixture
async def token(services, ada):
    return (await make_session(services, ada)).token


async def begun(face, token, **given):
    answer = await face.ask(BEGIN, {"input": {**START, **given}}, token=token)
    return answer, answer.json()["data"]["beginIdentityConnection"]


async def came_with(services, face, google, token):
    """Begin, sign in at the provider, and give the token that came with the browser."""
    answer, payload = await begun(face, token)
    assert payload["userErrors"] == []
    secret = answer.headers["set-cookie"].partition("=")[2].partition(";")[0]
    back = CallbackAnswer(google.started[-1].state, "code", browser_secret=secret)
    done = await services.federation.finish(SYSTEM, back)
    return told(done.redirect_url)["hanko_token"]


async def connected(face, exchanged, token, verifier=VERIFIER):
    given = {"token": exchanged, "codeVerifier": verifier}
    answer = await face.gql(CONNECT, {"input": given}, token=token)
    return answer["data"]["connectIdentity"]


async def signed_in(services, **given):
    exchanged = await token_of(services, **given)
    async with transaction():
        return await services.federation.redeem(
            SYSTEM, exchanged, Redemption("token_exchange", code_verifier=VERIFIER)
        )


def code(payload):
    (error,) = payload["userErrors"]
    return error["code"]


class TestConnecting:
    async def test_an_identity_is_connected_and_shown(self, services, public, google, ada, token):
        google.knows()
        payload = await connected(public, await came_with(services, public, google, token), token)
        assert payload["userErrors"] == []
        shown = payload["identity"]
        assert (shown["provider"], shown["providerName"]) == ("google", "Google")
        assert (shown["subject"], shown["email"]) == ("subject-1", "ada@example.com")
        assert shown["lastSignInAt"] is None
        answer = await public.gql(ME, token=token)
        assert answer["data"]["me"]["identities"] == [shown]

    async def test_the_cookie_binds_the_browser_sec_074(self, public, token):
        answer, _ = await begun(public, token)
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("hanko_thirdparty_state=")
        assert cookie.endswith("; Path=/; Max-Age=300; HttpOnly; Secure; SameSite=None")

    async def test_a_second_tab_leaves_the_first_its_secret_sec_074(self, public, google, token):
        first, _ = await begun(public, token)
        held = first.headers["set-cookie"].partition(";")[0]
        second = await public.ask(BEGIN, {"input": START}, token=token, headers={"cookie": held})
        secrets = BrowserSecrets.of(
            second.headers["set-cookie"].partition("=")[2].partition(";")[0]
        )
        for start in google.started:
            assert secrets.of_state(start.state).startswith(start.state[:MARK])

    async def test_another_user_connects_nothing_with_it_sec_081(
        self, services, public, google, token
    ):
        google.knows()
        exchanged = await came_with(services, public, google, token)
        eve = (await make_session(services, await make_user(services))).token
        assert code(await connected(public, exchanged, eve)) == "EXCHANGE_TOKEN_INVALID"
        assert (await connected(public, exchanged, token))["userErrors"] == []

    async def test_another_verifier_connects_nothing_sec_065(self, services, public, google, token):
        google.knows()
        exchanged = await came_with(services, public, google, token)
        payload = await connected(public, exchanged, token, "w" * 64)
        assert code(payload) == "CODE_VERIFIER_MISMATCH"
        rows = await fetch(
            "SELECT 1 AS one FROM audit_event WHERE type = 'thirdparty_signin_signup_failed'"
        )
        assert len(rows) == 1

    async def test_the_token_of_a_sign_in_connects_nothing_sec_065(
        self, services, public, google, token
    ):
        google.knows(email=None)
        exchanged = await token_of(services)
        assert code(await connected(public, exchanged, token)) == "EXCHANGE_TOKEN_INVALID"

    async def test_anothers_identity_does_not_move_sec_080(
        self, services, public, google, ada, token
    ):
        google.knows(email=None)
        exchanged = await came_with(services, public, google, token)
        await signed_in(services)
        assert code(await connected(public, exchanged, token)) == "INVALID_REQUEST"

    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ({"provider": "nobody"}, "INVALID_REQUEST"),
            ({"redirectTo": "https://evil.example"}, "REDIRECT_NOT_ALLOWED"),
            ({"codeVerifier": "short"}, "CODE_CHALLENGE_INVALID"),
        ],
    )
    async def test_what_cannot_begin_sets_no_cookie(self, public, token, given, expected):
        answer, payload = await begun(public, token, **given)
        assert (code(payload), payload["redirectUrl"]) == (expected, None)
        assert "set-cookie" not in answer.headers

    @pytest.mark.parametrize(
        ("document", "given"),
        [
            (BEGIN, {"input": START}),
            (CONNECT, {"input": {"token": "x"}}),
            (DISCONNECT, {"id": "3f2b8c1e-5d47-4a90-9e66-0c7d1a2b3e4f"}),
        ],
    )
    async def test_it_needs_a_session_that_began_lately_sec_037(
        self, services, connectors, ada, document, given
    ):
        config = msgspec.structs.replace(
            services.config, session=Session(step_up=StepUp(max_age=Duration(minutes=5)))
        )
        strict = assemble(config, clock=services.clock, connectors=connectors)
        await strict.signing_keys.load()
        face = Face(strict)
        answer = await face.gql(document, given)
        assert answer["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
        old = (await make_session(strict, ada)).token
        services.clock.advance(minutes=6)
        (payload,) = (await face.gql(document, given, token=old))["data"].values()
        assert code(payload) == "STEP_UP_REQUIRED"


class TestDisconnecting:
    async def test_an_identity_is_given_up(self, services, public, google, ada, token):
        google.knows()
        payload = await connected(public, await came_with(services, public, google, token), token)
        given = {"id": payload["identity"]["id"]}
        answer = await public.gql(DISCONNECT, given, token=token)
        assert answer["data"]["disconnectIdentity"] == {
            "deletedId": given["id"],
            "userErrors": [],
        }
        assert (await public.gql(ME, token=token))["data"]["me"]["identities"] == []

    async def test_the_last_way_in_stays_sec_037(self, services, public, google):
        google.knows(email=None)
        made = await signed_in(services)
        user = await services.users.by_id(made.user_id)
        mine = (await make_session(services, user)).token
        answer = await public.gql(DISCONNECT, {"id": str(made.identity.id)}, token=mine)
        assert code(answer["data"]["disconnectIdentity"]) == "LAST_WAY_IN"

    @pytest.mark.parametrize("identity_id", ["x", "3f2b8c1e-5d47-4a90-9e66-0c7d1a2b3e4f"])
    async def test_what_is_not_there_is_not_found_sec_068(self, public, token, identity_id):
        answer = await public.gql(DISCONNECT, {"id": identity_id}, token=token)
        assert code(answer["data"]["disconnectIdentity"]) == "NOT_FOUND"


class TestLookingFor:
    async def test_a_user_is_found_by_identity(self, services, public, google):
        google.knows()
        made = await signed_in(services)
        key = await make_key(services, "users:read")
        for identity in (
            {"provider": "google", "subject": "subject-1"},
            {"provider": "google", "subject": "subject-1", "issuer": ISSUER},
        ):
            answer = await public.gql(USER, {"by": {"identity": identity}}, key=key)
            assert answer["data"]["user"] == {
                "id": str(made.user_id),
                "identities": [{"subject": "subject-1"}],
            }
        other = {"provider": "google", "subject": "subject-1", "issuer": "https://other.example"}
        answer = await public.gql(USER, {"by": {"identity": other}}, key=key)
        assert answer["data"]["user"] is None

    async def test_nobody_is_found_without_a_secret_key_sec_012(self, public, token):
        by = {"by": {"identity": {"provider": "google", "subject": "subject-1"}}}
        answer = await public.gql(USER, by, token=token)
        assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"

    async def test_users_are_asked_for_by_provider(self, services, public, google, ada):
        google.knows(email=None)
        made = await signed_in(services)
        key = await make_key(services, "users:read")
        given = {"filter": {"identityProvider": "google"}}
        answer = await public.gql(USERS, given, key=key)
        assert [UUID(one["id"]) for one in answer["data"]["users"]["nodes"]] == [made.user_id]
        given = {"filter": {"not": {"identityProvider": "google"}}}
        answer = await public.gql(USERS, given, key=key)
        assert [UUID(one["id"]) for one in answer["data"]["users"]["nodes"]] == [ada.id]

    async def test_identities_of_a_page_are_read_in_one_statement(
        self, services, public, google, monkeypatch
    ):
        for n in range(3):
            google.knows(email=None, subject=f"subject-{n}")
            await signed_in(services)
        key = await make_key(services, "users:read")
        asked = []
        of = type(services.federation.identities).of

        async def counted(self, user_ids):
            asked.append(len(user_ids))
            return await of(self, user_ids)

        monkeypatch.setattr(type(services.federation.identities), "of", counted)
        await public.gql("{ users { nodes { identities { subject } } } }", key=key)
        assert asked == [3]

    async def test_sign_in_pages_learn_the_providers(self, public, connectors):
        asked = "{ server { providers { id name } } }"
        assert (await public.gql(asked))["data"]["server"]["providers"] == [
            {"id": "google", "name": "Google"},
            {"id": "custom_corp", "name": "Corp"},
        ]
        connectors.off.add("google")
        assert (await public.gql(asked))["data"]["server"]["providers"] == [
            {"id": "custom_corp", "name": "Corp"}
        ]

    async def test_no_secret_of_a_provider_is_in_the_schema_sec_017(self, services, google):
        google.knows(claims={"access_token": "s3cret", "name": "Ada"})
        made = await signed_in(services)
        face, mine = Face(services), await services.users.by_id(made.user_id)
        token = (await make_session(services, mine)).token
        assert "s3cret" not in str(await face.gql(ME, token=token))
