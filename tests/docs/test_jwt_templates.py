"""The page on claim templates is true: each of its examples is run."""

import json
import re
from pathlib import Path
from uuid import UUID

import jwt
import pytest
import yaml
from factories import with_config
from processes import servers

from app import strictjson
from app.access import SYSTEM
from app.assembly import assemble
from app.claims.claims import RESERVED
from app.config.sections import JwtTemplate, Session, UserMetadata
from app.errors import Invalid
from app.metadata import BagChanges
from app.users import NewEmail, NewUser, ProfileChanges

PAGE = (Path(__file__).parents[2] / "docs" / "jwt-templates.md").read_text()
BAGS = {f"{bag}_metadata": bag for bag in ("public", "private", "unsafe")}


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


READ = [yaml.safe_load(block) for block in blocks("yaml")]
ADA = next(block["user"] for block in READ if block.keys() == {"user"})
EXAMPLES = [block for block in READ if "claims" in block]
KNOWN = {"user", "claims", "token", "omitted", "refused", "path", "budget", "over_budget"}
KNOWN |= {"limits", "allow_omission", "write"}


def test_every_block_is_an_example_but_for_two():
    assert len(EXAMPLES) >= 30
    others = [block for block in READ if "claims" not in block]
    assert [set(block) for block in others] == [{"session"}, {"user"}]
    for example in EXAMPLES:
        assert example.keys() <= KNOWN
        assert ("token" in example) != ("refused" in example)


def test_the_page_names_every_code_of_a_refusal_and_every_reserved_claim():
    refused = {example["refused"] for example in EXAMPLES if "refused" in example}
    assert refused == {
        *("template_syntax_error", "template_private_metadata", "claim_reserved"),
        *("claims_not_an_object", "claims_too_large"),
        "metadata_overflows_claims",
    }
    assert {f"`{name}`" for name in RESERVED} <= set(re.findall(r"`\w+`", PAGE))


def nested(depth):
    return [nested(depth - 1)] if depth > 1 else []


@pytest.mark.one_database
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: " ".join(map(str, e["claims"]))[:60])
async def test_an_example_comes_out_as_it_says(services, example):
    ours = deployment(services, example)
    allow = example.get("allow_omission", "limits" not in example)
    set_ = ours.templates.set(SYSTEM, example["claims"], allow_omission=allow)
    if "refused" in example and "write" not in example:
        await refused(example, set_)
        return
    await set_
    user, _ = await ours.users.create(SYSTEM, new_user(example.get("user", ADA)))
    if "write" in example:
        change = ours.metadata.change(SYSTEM, user.id, changes(example["write"]))
        if "refused" in example:
            await refused(example, change)
            return
        await change
    rendered = await ours.templates.preview(user.id)
    shown = json.loads(strictjson.encode(rendered.claims))
    assert json.dumps(shown) == json.dumps(example["token"])
    assert [o.claim for o in rendered.omitted] == example.get("omitted", [])


async def refused(example, doing):
    with pytest.raises(Invalid) as error:
        await doing
    assert error.value.code == example["refused"]
    assert error.value.path == tuple(example["path"])


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"a": "x" * 16_377}, "claims_too_long"),
        ({"a": "{{1}}" + "x" * 4_092}, "template_syntax_error"),
        ({"a": "{{1}}" + "x" * 3_068, "b": "{{2}}" + "x" * 3_067}, "template_syntax_error"),
        ({"a": nested(32)}, "template_syntax_error"),
    ],
    ids=["bytes", "one template", "all templates", "depth"],
)
async def test_the_lengths_are_those_that_the_page_tells(services, claims, code):
    """One more is refused; exactly as much is taken."""
    ours = deployment(services, {})
    with pytest.raises(Invalid) as error:
        await ours.templates.set(SYSTEM, claims)
    assert error.value.code == code
    name, value = next(iter(claims.items()))
    less = value[0] if isinstance(value, list) else value[:-1]
    await ours.templates.set(SYSTEM, claims | {name: less})


def deployment(services, example):
    """Services as the example has them; where it says nothing of sizes, none keep it from view."""
    wanted = {name: example[name] for name in ("budget", "over_budget") if name in example}
    if "limits" not in example:
        wanted.setdefault("budget", 0)
    config = with_config(
        services,
        session=Session(jwt_template=JwtTemplate(**wanted)),
        user_metadata=UserMetadata(limits=example.get("limits", "hanko")),
    )
    return assemble(config, clock=services.clock)


def new_user(user):
    profile = {name: user[name] for name in ("username", "name") if name in user}
    emails = [user["email"]] if "email" in user else []
    return NewUser(
        id=UUID(user["id"]) if "id" in user else None,
        emails=tuple(NewEmail(address, is_verified=True) for address in emails),
        profile=ProfileChanges(**profile),
        bags=changes(user),
    )


def changes(given):
    return BagChanges(**{bag: given[name] for name, bag in BAGS.items() if name in given})


def test_the_example_from_end_to_end_works_as_typed(start_server):
    """SEC-010: the claims that were set are in the next token, beside those of the product."""
    (setting, previewing), (was_set, previewed) = blocks("graphql"), blocks("json")
    server = start_server(USER_METADATA_LIMITS="torii")
    key = server.secret_key
    made = servers.ask(
        server.admin_url,
        """mutation { createUser(input: {username: "ada", publicMetadata: {plan: "pro", seats: 25}})
        { user { id } } }""",
        key,
    )
    user = made["data"]["createUser"]["user"]["id"]
    for asked, shown in ((setting, was_set), (previewing, previewed)):
        answer = servers.ask(server.admin_url, asked, key, id=user)
        assert {"data": answer["data"]} == json.loads(shown)
    begin = "mutation ($id: ID!) { createUserSession(userId: $id) { token } }"
    issued = servers.ask(server.admin_url, begin, key, id=user)["data"]["createUserSession"]
    claims = jwt.decode(issued["token"], options={"verify_signature": False})
    assert (claims["plan"], claims["seats"]) == ("pro", 25)
    assert (claims["sub"], claims["username"]) == (user, "ada")
