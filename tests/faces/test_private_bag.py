"""The private bag is for secret keys: nothing of it reaches anybody else, on any way (SEC-001)."""

import base64
import re
from dataclasses import replace
from uuid import UUID

import pytest
from databases import emptied
from faces.clients import Face
from faces.documents import call, ways_to
from factories import make_session, make_user

from app.access import SYSTEM
from app.metadata import BagChanges, Metadata
from app.persistence import fetch
from app.users import NewEmail, NewUser

ADA = "0190c0de-0000-7000-8000-000000000001"
PRIVATE = {
    "sentinelkey": "sentinelvalue",
    "deep": {"sentinelinner": ["sentinelleaf", 736455918273]},
}
SENTINELS = ("sentinel", "736455918273")
ASKED = "11111111-1111-4111-8111-111111111111"
"""The id of each request, which its answer repeats."""

_CHANCE = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|eyJ[\w-]+\.[\w-]+\.[\w-]+")
"""Ids and tokens that are made by chance."""

SHAPES = {
    "plainly": ("privateMetadata", ""),
    "by an alias": ("a: privateMetadata b: privateMetadata", ""),
    "under another's name": ("publicMetadata: privateMetadata", ""),
    "in part": ('privateMetadata(path: "sentinelkey")', ""),
    "counted": ('privateMetadata(path: "deep.sentinelinner.#")', ""),
    "whole by a modifier": ('privateMetadata(path: "@this")', ""),
    "with a variable": ("privateMetadata(path: $p)", ""),
    "in a fragment": ("...f", "fragment f on User { privateMetadata }"),
    "in nested fragments": (
        "...f",
        "fragment f on User { ...g } fragment g on User { ... { privateMetadata } }",
    ),
    "in an inline fragment": ("... { privateMetadata }", ""),
    "in a typed fragment": ("... on User { privateMetadata }", ""),
    "included": ("privateMetadata @include(if: true)", ""),
    "not skipped": ("privateMetadata @skip(if: $no)", ""),
    "in an included fragment": (
        "...f @include(if: $yes)",
        "fragment f on User { privateMetadata }",
    ),
    "beside the others": ("id publicMetadata privateMetadata unsafeMetadata metadataVersion", ""),
    "twice": ("privateMetadata ... { privateMetadata }", ""),
}
HEADS = {"$p": ("$p: String", {"p": "sentinelkey"}), "$no": ("$no: Boolean = false", {})}
HEADS |= {"$yes": ("$yes: Boolean!", {"yes": True})}


def documents(*shapes):
    """Every way to a user, asked for the private bag in every shape, or in those named."""
    for kind, (root, *rest) in ways_to("User"):
        for shape in shapes or SHAPES:
            selected, tail = SHAPES[shape]
            used = [pair for name, pair in HEADS.items() if name in selected]
            head = " ".join(text for text, _ in used)
            inner = selected
            for name in reversed(rest):
                inner = f"{name} {{ {inner} }}"
            document, variables = call(kind, root, inner, an_id=ADA, head=head, tail=tail)
            for _, given in used:
                variables |= given
            yield f"{'.'.join((root, *rest))} {shape}", document, variables


OTHERS = [
    "{ me { emails { id } sessions { nodes { id } edges { node { id } } } metadataVersion } }",
    """mutation { updateMe(input: {ifMetadataVersion: 9}) { user { privateMetadata }
      userErrors { message path ... on MetadataRejected { bag size currentVersion } } } }""",
    """mutation { updateMe(input: {unsafeMetadata: {a: "\\u0000"}}) { user { privateMetadata }
      userErrors { message path } } }""",
    "mutation { updateMe(input: {privateMetadata: {}}) { user { id } } }",
    'mutation { updateMe(input: {name: ""}) { user { privateMetadata } userErrors { path } } }',
    "mutation { updateMe(input: {unsafeMetadata: {a: 1}}) { user { metadataVersion } } }",
    """{ users(filter: {metadata: {bag: PRIVATE, path: "sentinelkey", exists: true}}) {
      nodes { id } } }""",
    "{ me { privateMetadata { x } } }",
    "{ me { privateMetadata(no: 1) } }",
    "{ me { privateMetadat } }",
    '{ node(id: "x") { id } }',
    "{ server { metadataLimits { bag max } } }",
    '{ __type(name: "User") { fields { name } } }',
]
REST = [
    ("GET", "/me", ...),
    ("GET", f"/users/{ADA}", ...),
    ("GET", f"/users/{ADA}/metadata", ...),
    ("PATCH", f"/users/{ADA}/metadata", {"private_metadata": {"a": 1}}),
    ("PATCH", f"/users/{ADA}/metadata", None),
    ("GET", f"/api/server/v1/users/{ADA}", ...),
    ("PATCH", f"/api/server/v1/users/{ADA}/metadata", {"privateMetadata": {"a": 1}}),
    ("PATCH", f"/api/server/v1/users/{ADA}/metadata", {"privateMetadata": []}),
    ("POST", "/api/server/v1/users", {"id": ADA, "email": "x@example.com"}),
    ("GET", "/sessions/validate", ...),
    ("GET", "/health/ready", ...),
    ("GET", "/schema/openapi.json", ...),
    ("GET", "/nowhere", ...),
]


class Stage:
    """A user with a given private bag, and everything that anybody without a key may ask."""

    def __init__(self, services, *faces):
        self.services = services
        self.faces = faces or (Face(services, "public"), Face(services, "admin"))
        self.seen: list[tuple[str, str]] = []

    async def observe(self, private):
        await emptied(but="signing_key")
        new = NewUser(
            id=UUID(ADA),
            emails=(NewEmail("ada@example.com", is_primary=True),),
            bags=BagChanges(public={"plan": "pro"}, private=private, unsafe={"t": 1}),
        )
        await self.services.users.create(SYSTEM, new)
        if not private:  # so that the versions are alike
            await fetch("UPDATE user_metadata SET version = 1")
        self.seen = []
        await self._at(self.faces[0])
        await self._at(self.faces[1], "plainly", "in nested fragments")
        return self.seen

    async def _at(self, face, *shapes):
        account = await self.services.users.by_email("ada@example.com")
        token = (await make_session(self.services, account)).token
        for segment in token.split(".")[:2]:
            self.note("token", base64.urlsafe_b64decode(segment + "==").decode())
        for bearing in ({"token": token}, {"cookie": token}, {}):
            for name, document, variables in documents(*shapes):
                if "cookie" not in bearing:
                    self.note(name, await face.ask(document, variables, **self.call(bearing)))
            for document in OTHERS:
                self.note(document, await face.ask(document, **self.call(bearing)))
            for method, path, body in REST:
                answer = await face.call(method, path, body, **self.call(bearing))
                self.note(f"{method} {path}", answer)
        body = {"session_token": token}
        self.note("validate", await face.post("/sessions/validate", body, **self.call({})))
        self.note("logout", await face.post("/logout", token=token, **self.call({})))

    def call(self, bearing):
        return {**bearing, "headers": {"x-request-id": ASKED}}

    def note(self, what, answer):
        text = answer
        if not isinstance(answer, str):
            head = "\n".join(f"{k}: {v}" for k, v in sorted(answer.headers.multi_items()))
            text = f"{answer.status_code}\n{head}\n{answer.text}"
        self.seen.append((what, _CHANCE.sub("#", text)))


@pytest.fixture
def stage(services, public, admin):
    return Stage(services, public, admin)


async def test_no_answer_tells_an_empty_private_bag_from_a_full_one_or_holds_a_part_of_it(stage):
    """SEC-001, SEC-002: byte by byte, ids and tokens made by chance aside."""
    empty = await stage.observe({})
    full = await stage.observe(PRIVATE)
    assert len(full) > 300
    for (what, before), (_, after) in zip(empty, full, strict=True):
        assert before == after, what
        assert after.count("sentinel") <= what.count("sentinel"), what
        assert "736455918273" not in after, what


@pytest.mark.one_database
async def test_the_private_bag_is_not_even_read(services):
    """SEC-002: the guard speaks before the value is loaded."""

    class Unreadable(Metadata):
        async def private_of(self, user_ids):
            raise RuntimeError("the private bag was read")

    metadata = Unreadable(services.metadata.config, services.templates, services.metadata.audit)
    seen = await Stage(replace(services, metadata=metadata)).observe(PRIVATE)
    assert not [what for what, text in seen if "INTERNAL" in text or text.startswith("500")]


async def test_every_way_to_a_user_is_walked():
    """SEC-002: the walk below finds them by itself; these are the ones there were."""
    ways = {".".join(names) for _, names in ways_to("User")}
    assert {"me", "user", "users.nodes", "users.edges.node", "updateMe.user"} <= ways


@pytest.mark.one_database
@pytest.mark.parametrize("shape", SHAPES)
async def test_a_session_gets_null_and_forbidden_at_the_path(public, token, shape):
    """SEC-002"""
    for name, document, variables in documents(shape):
        answer = await public.gql(document, variables, token=token)
        way = name.partition(" ")[0].split(".")
        if "errors" not in answer:  # refused by a rule, so there is no user to look at
            assert way[0] not in ("me", "updateMe")
            assert set(answer["data"][way[0]].values()) == {None}
            continue
        assert {error["extensions"]["code"] for error in answer["errors"]} == {"FORBIDDEN"}
        value = answer["data"]
        if way[0] not in ("me", "updateMe"):
            assert not any((value or {}).values())
            continue
        for step in way:
            value = value[step]
        for error in answer["errors"]:
            assert error["path"][:-1] == way
            assert error["extensions"]["requiredScopes"] == ["users.private:read"]
            assert value[error["path"][-1]] is None


@pytest.fixture
async def token(services):
    user = await make_user(services, private=PRIVATE)
    return (await make_session(services, user)).token


async def test_a_key_reads_what_the_others_do_not(services, admin, key):
    """The sentinels above are there to be found."""
    user = await make_user(services, private=PRIVATE)
    answer = await admin.ask(
        "query ($id: ID!) { user(by: {id: $id}) { privateMetadata } }",
        {"id": str(user.id)},
        key=key,
    )
    assert all(sentinel in answer.text for sentinel in SENTINELS)
    answer = await admin.get(f"/api/server/v1/users/{user.id}", key=key)
    assert all(sentinel in answer.text for sentinel in SENTINELS)
