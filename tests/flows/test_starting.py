"""A flow is a row that anybody may make: how many, for how long, and how large (SEC-126)."""

import random

import pytest
from faces.clients import Face
from factories import make_session
from flows.journeys import JOURNEYS, World, travelled
from flows.people import person
from flows.walking import GraphQLClient, RestClient, preflight

from app import worker
from app.persistence import fetch

LIMITED = {
    "rate_limiter__enabled": True,
    "rate_limiter__flow_limits__tokens": 3,
}
FOUR_KIB = 4096


async def rows():
    return len(await fetch("SELECT id FROM flow"))


def elsewhere(client, services):
    """A browser in another network, on the same face."""
    return type(client)(Face(services, peer=("198.51.100.7", 50_000)))


@pytest.mark.configured(**LIMITED)
async def test_one_network_begins_so_many_flows_and_no_more_sec_126(client, services, clock):
    for _ in range(3):
        assert (await client.start("login")).name == "preflight"
    for kind in ("login", "registration"):
        shown = await client.start(kind)
        assert (shown.name, shown.status, shown.error) == ("error", 429, "rate_limit_exceeded")
        assert (shown.actions, shown.payload) == ({}, {})
        assert 0 < int(shown.retry_after) <= 60
    assert await rows() == 3
    assert (await elsewhere(client, services).start("login")).name == "preflight"
    clock.advance(seconds=int(shown.retry_after))
    assert (await client.start("login")).name == "preflight"


@pytest.mark.configured(**LIMITED)
async def test_both_faces_count_together_sec_126(public, services):
    for client in (RestClient(public), GraphQLClient(public), RestClient(public)):
        assert (await client.start("registration")).status == 200
    assert (await GraphQLClient(public).start("login")).error == "rate_limit_exceeded"
    assert await rows() == 3


@pytest.mark.configured(**LIMITED)
async def test_who_has_begun_a_flow_goes_on_in_it(client, services):
    for _ in range(4):
        shown = await client.start("login")
    assert shown.status == 429
    shown = await client.act("register_client_capabilities", webauthn_available=False)
    assert (shown.name, shown.status) == ("login_init", 200)


@pytest.mark.configured(**LIMITED)
async def test_a_session_begins_no_more_flows_than_others(client, services):
    client.cookies["hanko"] = (await make_session(services, await person(services))).token
    assert [(await client.start("profile")).status for _ in range(4)] == [200] * 3 + [429]
    assert await rows() == 3


@pytest.mark.configured(**LIMITED)
async def test_what_is_refused_anyway_is_not_counted(client):
    for _ in range(5):
        assert (await client.start("profile")).status == 401
    assert (await client.start("login")).status == 200


@pytest.mark.configured(rate_limiter__flow_limits__tokens=1)
async def test_limits_may_be_switched_off(client):
    assert [(await client.start("login")).status for _ in range(3)] == [200] * 3


async def test_the_worker_removes_flows_that_have_expired_sec_126(client, services, clock):
    await client.start("login")
    clock.advance(hours=23)
    await client.start("registration")
    kept = client.flow_id
    clock.advance(hours=2)
    await worker._sweep(services)
    assert [str(row["id"]) for row in await fetch("SELECT id FROM flow")] == [kept]


async def longest_row():
    found = await fetch("SELECT * FROM flow")
    return max(len(str(dict(row)).encode()) for row in found)


@pytest.mark.one_database
@pytest.mark.parametrize(
    "journey",
    [
        pytest.param(one, marks=pytest.mark.configured(**one.settings), id=name)
        for name, one in JOURNEYS.items()
    ],
)
async def test_a_row_stays_small_wherever_a_flow_goes_sec_126(rest, services, journey):
    """SEC-126"""
    await travelled(journey, World(services, rest), lambda shown: None)
    assert await longest_row() < FOUR_KIB


@pytest.mark.one_database
@pytest.mark.configured(username__enabled=True)
async def test_a_row_stays_small_whatever_is_typed_sec_126(rest):
    """SEC-126: of the longest identifier, in characters that take the most bytes."""
    chance = random.Random(126)  # noqa: S311  # a text
    typed = "".join(chr(chance.randrange(0x20000, 0x2A6D0)) for _ in range(255))
    await preflight(rest)
    shown = await rest.act("continue_with_login_identifier", identifier=typed)
    assert shown.name == "login_method_chooser"
    await rest.act("continue_to_password_login")
    shown = await rest.act("continue_to_passcode_confirmation_recovery")
    assert shown.name == "passcode_confirmation"
    assert await longest_row() < FOUR_KIB


async def test_a_wish_for_a_language_takes_no_room_sec_126(rest):
    chance = random.Random(1)  # noqa: S311  # a text
    for header in ("x-language", "accept-language"):
        rest.headers[header] = "".join(chance.choices("abcdefghij-,", k=7000))
    await rest.start("login")
    (row,) = await fetch("SELECT content FROM flow WHERE id = $1", rest.flow_id)
    assert len(row["content"]) < FOUR_KIB
