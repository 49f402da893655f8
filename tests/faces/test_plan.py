"""The short way answers exactly as the long way does, or not at all."""

from dataclasses import replace

import pytest
from factories import make_session, make_user
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app import strictjson
from app.access import Actor, SecretKeyPrincipal, SessionPrincipal
from app.graphql.context import Context
from app.graphql.documents import Document, Documents
from app.graphql.errors import described
from app.graphql.execute import execute
from app.graphql.schema import schema
from app.http import Caller
from app.ids import new_id
from app.sessions import SignedIn

PLAIN = [
    "{ me { id publicMetadata unsafeMetadata } }",
    "query Q { me { id username name givenName familyName picture locale createdAt updatedAt } }",
    "{ a: me { b: id c: publicMetadata } session { id isCurrent expiresAt idleExpiresAt } }",
    "{ server { name emailLimit usernameMinLength } me { lastSignInAt } session { ipAddress } }",
]
NOT_PLAIN = [
    "{ me { id id } }",
    "{ me { id } me { name } }",
    "{ me { __typename id } }",
    '{ me { publicMetadata(path: "plan") } }',
    "{ me { id @include(if: true) } }",
    "query ($x: Boolean = true) { me { id @skip(if: $x) } }",
    "{ ...F } fragment F on Query { me { id } }",
    "{ me { ... on User { id } } }",
    "{ me { privateMetadata } }",
    "{ me { emails { address } sessions { nodes { id } } } }",
    "{ server { metadataLimits { bag max unit } } }",
    "{ secretKeys { id } }",
    "mutation { signOut { deletedId } }",
]


@pytest.fixture
def documents():
    return Documents(schema(), 10_000, suggest=False)


@pytest.fixture
async def callers(services):
    """A signed-in user, a secret key, and nobody."""
    user = await make_user(services, name="Ada", public={"plan": "pro", "n": 1}, unsafe={"t": [1]})
    issued = await make_session(services, user)
    found = await services.sessions.authenticate(issued.token)
    assert isinstance(found, SignedIn)
    principal = SessionPrincipal(found.session.id, found.session.user_id)
    key = SecretKeyPrincipal(new_id(), frozenset({"*"}))
    return {
        "session": Caller(Actor(principal), found),
        "key": Caller(Actor(secret_key=key)),
        "nobody": Caller(Actor()),
    }


async def answer(services, document, caller):
    result = await execute(schema(), document, Context(caller, services), None, None, suggest=False)
    errors = [described(error, "id") for error in result.errors or []]
    return strictjson.encode({"data": result.data, "errors": errors})


@pytest.mark.parametrize("text", PLAIN)
@pytest.mark.parametrize("who", ["session", "key", "nobody"])
async def test_a_plain_question_is_answered_the_same_both_ways(
    services, documents, callers, text, who
):
    document = documents.of(text)
    assert isinstance(document, Document)
    assert document.plan is not None
    short = await answer(services, document, callers[who])
    assert short == await answer(services, replace(document, plan=None), callers[who])


@pytest.mark.parametrize("text", PLAIN)
async def test_the_plan_itself_answers_a_signed_in_user(services, documents, callers, text):
    document = documents.of(text)
    context = Context(callers["session"], services)
    assert document.plan.run(context) is not None


@pytest.mark.parametrize("text", NOT_PLAIN)
def test_what_is_not_plain_has_no_plan(documents, text):
    document = documents.of(text)
    assert isinstance(document, Document)
    assert document.plan is None


def test_an_operation_of_another_name_does_not_take_the_plan(documents):
    assert documents.of("query Q { me { id } }").plan.name == "Q"
    assert documents.of("query A { me { id } } query B { me { id } }").plan is None


async def test_an_error_in_the_short_way_is_told_by_the_long_way(services, documents, callers):
    document = documents.of("{ me { id } }")
    assert document.plan.run(Context(callers["key"], services)) is None
    assert "FORBIDDEN" in await answer(services, document, callers["key"])


LEAVES = ["id", "name", "username", "publicMetadata", "unsafeMetadata", "createdAt", "locale"]


@given(st.lists(st.sampled_from(LEAVES), min_size=1, max_size=8), st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
async def test_any_choice_of_leaves_is_answered_the_same_both_ways(
    services, documents, callers, leaves, aliased
):
    fields = " ".join(f"f{n}: {leaf}" if aliased else leaf for n, leaf in enumerate(leaves))
    document = documents.of(f"{{ me {{ {fields} }} }}")
    short = await answer(services, document, callers["session"])
    assert short == await answer(services, replace(document, plan=None), callers["session"])
