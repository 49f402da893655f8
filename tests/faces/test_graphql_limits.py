"""What one operation may ask for (SEC-095), at each limit and one step beyond."""

import asyncio
import time

import pytest
from faces.clients import MODERN, Face
from factories import make_key, make_session, make_user, reconfigured

from app.config.sections import GraphQL
from app.graphql import execute

pytestmark = pytest.mark.one_database


@pytest.fixture
def costs(public):
    """Says why an operation is refused as too expensive, or nothing where it is not."""

    async def costs(document, variables=None, **call):
        call = {"headers": {"accept": MODERN}, **call}
        answer = await public.ask(document, variables, **call)
        again = await public.ask(document, variables, **call)
        assert answer.json() == again.json()
        body = answer.json()
        codes = {error["extensions"]["code"] for error in body.get("errors", ())}
        if "QUERY_TOO_EXPENSIVE" not in codes:
            return None
        assert answer.status_code == again.status_code == 400
        assert codes == {"QUERY_TOO_EXPENSIVE"}
        assert "data" not in body
        return body["errors"][0]["message"]

    return costs


def nested(levels):
    """A document whose fields nest so deep."""
    inner = "__typename"
    for name in reversed(
        ["users", "nodes", "sessions", "nodes", *["nodes"] * levels][: levels - 1]
    ):
        inner = f"{name} {{ {inner} }}"
    return f"{{ {inner} }}"


def spread(times, inner):
    """A document whose fragments multiply: each spreads the next one twice."""
    chain = "".join(f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }}\n" for n in range(times))
    return f"{{ ...F0 }}\n{chain}fragment F{times} on Query {{ {inner} }}"


class TestLength:
    async def test_fifteen_thousand_characters_are_taken(self, costs):
        document = "{ me { id } } #"
        assert await costs(document + "x" * (15_000 - len(document))) is None
        why = await costs(document + "x" * (15_001 - len(document)))
        assert "15000" in why

    async def test_a_thousand_tokens_are_taken(self, costs):
        fixed = len(["{", "me", "{", "}", "}"])
        assert await costs("{ me { " + "id " * 100 + "name " * (1000 - fixed - 100) + "} }") is None
        why = await costs("{ me { " + "id " * 100 + "name " * (1001 - fixed - 100) + "} }")
        assert "1000" in why

    async def test_commas_and_line_ends_are_no_tokens(self, costs):
        assert await costs("{ me { id " + ",,,,\n" * 1200 + "} }") is None


class TestDepth:
    async def test_ten_levels_are_taken(self, costs):
        assert await costs(nested(10)) is None
        assert "10" in await costs(nested(11))

    async def test_levels_are_counted_through_fragments(self, costs):
        document = """{ ...a } fragment a on Query { users { ...b } }
          fragment b on UserConnection { nodes { ... { ... on User { ...c } } } }
          fragment c on User { sessions { nodes { %s } } }"""
        assert await costs(document % "id") is None
        deeper = "nodes { nodes { nodes { nodes { nodes { nodes { id } } } } } }"
        assert "10" in await costs(document % deeper)

    async def test_introspection_may_go_deeper(self, costs):
        chain = "ofType { " * 12 + "name" + " }" * 12
        document = f"{{ __schema {{ types {{ fields {{ type {{ {chain} }} }} }} }} }}"
        assert await costs(document) is None
        beside = f"{{ me {{ id }} __schema {{ types {{ fields {{ type {{ {chain} }} }} }} }} }}"
        assert "10" in await costs(beside)


class TestAliases:
    def document(self, count):
        return "{ me { " + " ".join(f"a{n}: id" for n in range(count)) + " } }"

    async def test_fifteen_aliases_are_taken(self, costs):
        assert await costs(self.document(15)) is None
        assert "15" in await costs(self.document(16))

    async def test_aliases_are_counted_through_fragments(self, costs):
        """SEC-095: CVE-2026-47707"""
        once = "fragment f on User { " + " ".join(f"a{n}: id" for n in range(8)) + " }"
        assert await costs("{ me { ...f } }" + once) is None
        assert "15" in await costs("{ me { ...f ...f } }" + once)
        assert "15" in await costs("{ me { ...f } x: me { ...f } }" + once)

    async def test_an_alias_of_the_same_name_is_one(self, costs):
        document = "{ me { " + "id: id " * 16 + "} }"
        assert "15" in await costs(document)


class TestRootFields:
    async def test_fifteen_root_fields_are_taken(self, costs):
        assert await costs("{ " + "me { id } " * 15 + "}") is None
        assert "15" in await costs("{ " + "me { id } " * 16 + "}")

    async def test_root_fields_are_counted_through_fragments(self, costs):
        once = "fragment f on Query { " + "me { id } " * 8 + "}"
        assert await costs("{ ...f }" + once) is None
        assert "15" in await costs("{ ...f ...f }" + once)
        assert "15" in await costs("{ ... { ...f } ... on Query { ...f } }" + once)

    async def test_mutations_are_counted_too(self, costs):
        one = "updateMe(input: {}) { user { id } } "
        assert await costs("mutation { " + one * 15 + "}") is None
        assert "15" in await costs("mutation { " + one * 16 + "}")

    async def test_typename_is_a_root_field_too(self, costs):
        assert "15" in await costs("{ " + "__typename " * 16 + "}")


class TestDirectives:
    def document(self, count):
        each = "id @include(if: true) @skip(if: false) "
        odd = "name @skip(if: false) " * (count % 2)
        return "{ me { " + each * (count // 2) + odd + "} }"

    async def test_fifty_directives_are_taken(self, costs):
        assert await costs(self.document(50)) is None
        assert "50" in await costs(self.document(51))

    async def test_directives_are_counted_through_fragments(self, costs):
        once = " fragment f on User { " + "id @skip(if: false) " * 26 + "}"
        assert await costs("{ me { ...f } }" + once) is None
        assert "50" in await costs("{ me { ...f ...f } }" + once)

    async def test_directives_of_an_operation_and_a_spread_count(self, costs):
        document = "query @a { me { " + "... @skip(if: false) { id } " * 50 + "} }"
        assert "50" in await costs(document)


class TestFragments:
    @pytest.mark.parametrize("times", [4, 20, 90])
    @pytest.mark.parametrize("inner", ["me { id }", "...Nowhere", "...F1", "__typename"])
    async def test_fragments_that_multiply_cost_no_more_than_their_document_is_long(
        self, costs, times, inner
    ):
        begun = time.perf_counter()
        await costs(spread(times, inner))
        assert time.perf_counter() - begun < 2

    async def test_fragments_that_multiply_are_counted_in_full(self, costs):
        assert await costs(spread(3, "me { id }")) is None
        assert "root fields" in await costs(spread(4, "me { id }"))

    @pytest.mark.parametrize(
        "document",
        [
            "{ ...a } fragment a on Query { ...a }",
            "{ ...a } fragment a on Query { me { id } ...b } fragment b on Query { ...a }",
            "{ me { ...a } } fragment a on User { id ...b } fragment b on User { ... { ...a } }",
            """{ users { ...c } } fragment c on UserConnection { nodes { sessions { ...d } } }
              fragment d on SessionConnection { nodes { ...e } } fragment e on Session { ...e }""",
            "{ me { id } } fragment a on User { ...a }",
        ],
    )
    async def test_a_fragment_that_reaches_itself_is_refused(self, public, document):
        """SEC-095: CVE-2026-47706"""
        answer = await public.ask(document, headers={"accept": MODERN})
        assert answer.status_code in (400, 422)
        assert "data" not in answer.json()
        assert (await public.ask(document, headers={"accept": MODERN})).json() == answer.json()

    @pytest.mark.parametrize("levels", [50, 150, 330])
    async def test_fragments_and_values_that_nest_deep_do_no_harm(self, public, levels):
        for document in (
            "{ " + "... { " * levels + "me { id }" + " }" * levels + " }",
            "{ user(by: {id: " + "[" * levels + "]" * levels + "}) { id } }",
            "{ user(by: " + "{a: " * levels + "1" + "}" * levels + ") { id } }",
            "query ($v: " + "[" * levels + "Int" + "]" * levels + ") { me { id } }",
        ):
            answer = await public.ask(document, headers={"accept": MODERN})
            assert answer.status_code in (200, 400, 422)


class TestCost:
    async def test_the_cost_of_an_operation_is_told_in_development(self, public):
        assert (await public.gql("{ me { id name } }"))["extensions"] == {"cost": 3}
        document = "{ users(first: 10) { nodes { id sessions(first: 5) { nodes { id } } } } }"
        answer = await public.gql(document)
        assert answer["extensions"]["cost"] == 1 + 10 * (1 + 1 + 1 + 5 * (1 + 1))

    async def test_each_operation_has_its_own(self, public):
        document = "query A { me { id } } query B { me { id name } }"
        for name, cost in (("A", 2), ("B", 3)):
            answer = await public.post("/graphql", {"query": document, "operationName": name})
            assert answer.json()["extensions"] == {"cost": cost}

    async def test_an_operation_up_to_the_configured_cost_runs(self, services):
        config = GraphQL(max_cost=21)
        face = Face(await reconfigured(services, graphql=config))
        key = await make_key(services)
        assert "errors" not in await face.gql("{ users(first: 10) { nodes { id } } }", key=key)
        answer = await face.gql("{ users(first: 11) { nodes { id } } }", key=key)
        assert answer["errors"][0]["extensions"]["code"] == "QUERY_TOO_EXPENSIVE"

    @pytest.mark.parametrize(
        "document",
        [
            "query($n: Int) { users(first: $n) { nodes { sessions(last: 99) { nodes { id } } } } }",
            "{ users(last: 100) { nodes { sessions(first: 100) { nodes { id } } } } }",
            "{users(first: 99) { edges { node { sessions(last: 60) { nodes { id b: id } } } } } }",
        ],
    )
    async def test_pages_in_pages_are_too_expensive(self, costs, document):
        assert "10000" in await costs(document, {"n": 1})

    async def test_a_page_without_a_size_costs_the_default(self, public):
        answer = await public.gql("{ users { nodes { id } } }")
        assert answer["extensions"]["cost"] == 1 + 20 * 2

    async def test_a_page_of_nothing_costs_something(self, public):
        answer = await public.gql("{ users(first: 0) { nodes { id } } }")
        assert answer["extensions"]["cost"] == 3
        answer = await public.gql("{ users(first: -5) { nodes { id } } }")
        assert answer["extensions"]["cost"] == 3


class TestSolo:
    CREATE = 'createUserSession(userId: "x") { token }'
    KEY = 'createSecretKey(input: {name: "a", scopes: ["users:read"]}) { secret }'

    @pytest.mark.parametrize(
        "document",
        [
            "mutation { a: %(session)s b: %(session)s }",
            "mutation { %(session)s %(session)s }",
            "mutation { %(session)s ...f } fragment f on Mutation { b: %(session)s }",
            "mutation { ...f ...f } fragment f on Mutation { %(session)s }",
            "mutation { ... { %(session)s } ... on Mutation { b: %(session)s } }",
            "mutation { %(session)s b: createUserSession(userId: 1) @skip(if: true) { token } }",
            "mutation { %(session)s %(key)s }",
        ],
    )
    async def test_two_fields_that_stand_alone_are_refused(self, services, costs, document):
        key = await make_key(services)
        whole = document % {"session": self.CREATE, "key": self.KEY}
        assert "@solo" in await costs(whole, key=key)
        assert len(await services.secret_keys.list(None)) == 1

    async def test_one_runs_beside_others(self, services, public):
        key = await make_key(services)
        user = await make_user(services)
        document = """mutation ($u: ID!) { updateUser(userId: $u, input: {}) { user { id } }
          createUserSession(userId: $u) { token } }"""
        answer = await public.gql(document, {"u": str(user.id)}, key=key)
        assert answer["data"]["createUserSession"]["token"]

    async def test_operations_are_judged_each_for_itself(self, services, costs):
        document = f"mutation A {{ {self.CREATE} }} mutation B {{ {self.CREATE} }}"
        assert await costs(document) is None


async def test_a_refused_document_is_answered_alike_the_second_time(public):
    """What was refused is remembered, with its status, errors and places."""
    for document in (
        "{ me { ",
        "{ me { nothing } }",
        "{ " + "me { id } " * 16 + "}",
        "x" * 15_001,
        "{ me { id } } " + "# " * 8000,
    ):
        answers = [await public.ask(document, headers={"accept": MODERN}) for _ in range(3)]
        assert len({(a.status_code, a.text) for a in answers}) == 1


async def test_refused_documents_crowd_out_no_good_one(public, services):
    token = (await make_session(services, await make_user(services))).token
    first = await public.gql("{ me { id } }", token=token)
    for n in range(120):
        await public.gql(f"{{ nothing{n} }}")
    assert await public.gql("{ me { id } }", token=token) == first


async def test_long_documents_crowd_each_other_out_and_are_answered_again(public):
    """What is remembered is bounded by its length, not only by its number."""
    documents = [f"{{ me {{ id }} }} #{n} " + "x" * 14_900 for n in range(40)]
    for _ in range(2):
        for document in documents:
            assert (await public.gql(document))["data"] == {"me": None}


async def test_a_document_seen_before_answers_each_caller_for_themself(services, public):
    tokens = [(await make_session(services, await make_user(services))).token for _ in range(3)]
    seen = {(await public.gql("{ me { id } }", token=t))["data"]["me"]["id"] for t in tokens}
    assert len(seen) == 3
    assert (await public.gql("{ me { id } }"))["data"] == {"me": None}


async def test_an_operation_that_takes_too_long_is_cancelled_and_refused_sec_125(
    services, public, monkeypatch
):
    cancelled = asyncio.Event()

    async def endless(*_, **__):
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    monkeypatch.setattr(type(services.flows), "start", endless)
    monkeypatch.setattr(execute, "TIMEOUT", 0.1)
    body = await public.gql("mutation { startFlow(kind: LOGIN) { token } }")
    assert body["errors"][0]["extensions"]["code"] == "QUERY_TOO_EXPENSIVE"
    assert body["data"] is None
    assert cancelled.is_set()
