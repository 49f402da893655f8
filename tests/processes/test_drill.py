"""The drill at a size that fits here: two replicas behind a balancer, and what they go through."""

import asyncio
from types import SimpleNamespace

import pytest

from drill import losing, racing, report, restarting, waiting
from drill.balancer import Balancer
from drill.finding import Finding
from drill.history import Event, History
from drill.line import Line
from drill.programs import until
from drill.registrar import Registrar
from drill.run import FULL, SMALL, scenarios
from drill.waiting import Slow
from drill.world import opened

CLIENTS = 3
SLACK = 4.0
"""How many times as long as promised something may take: others use the machine as well."""


@pytest.fixture(scope="module")
async def everything():
    """Databases, peers, replicas and balancer; what a test has ended, the next finds started."""
    async with opened(SLACK) as world:
        yield world


@pytest.fixture
async def world(everything):
    await everything.well()
    return everything


async def test_a_rolling_restart_drops_no_request_sec_139(world):
    finding = await restarting.rolling_restart(world, CLIENTS, count=1, requests=1_000)
    assert finding.broken == []
    assert finding.requests >= 1_000
    assert not finding.failures


async def test_a_kill_loses_nothing_acknowledged_and_lets_no_code_in_twice_sec_129(world):
    finding = await restarting.kills(world, CLIENTS, count=2)
    assert finding.broken == []
    assert finding.requests > 0


async def test_nothing_that_clients_see_through_kills_contradicts_one_honest_server_sec_138(world):
    finding = await restarting.history(world, CLIENTS, seconds=4.0, every=1.0)
    assert finding.broken == []
    assert finding.requests > 0


async def test_without_the_database_nobody_is_let_in_and_with_it_everybody_is_again_sec_130(world):
    finding = await losing.database(world, CLIENTS, count=2, rest=0.5)
    assert finding.broken == []
    assert finding.failures["503"] > 0


async def test_without_redis_guessing_stays_limited_and_more_so_sec_131(world):
    finding = await losing.redis(world)
    assert finding.broken == []


async def test_replicas_that_start_at_once_migrate_an_old_schema_once_sec_135(world):
    finding = await restarting.migrations(world, count=1)
    assert finding.broken == []


async def test_one_of_many_at_once_is_the_one_sec_137(world):
    finding = await racing.redemptions(world, count=30, rounds=1)
    assert finding.broken == []


@pytest.fixture(scope="module")
async def waits(everything):
    """What came of those scenarios in which there is little to do but wait, all at once."""
    await everything.well()
    return await asyncio.gather(
        losing.mail(everything, mails=3, away=1.0),
        losing.hooks(everything, users=3, changes=2, away=2.0),
        waiting.slow_clients(everything, Slow(heads=300, bodies=0), health=100),
        waiting.long_operation(everything),
    )


def test_mail_waits_for_its_server_and_what_expires_meanwhile_never_leaves_sec_132(waits):
    assert waits[0].broken == []


def test_events_wait_for_their_receiver_and_keep_no_other_waiting_sec_133(waits):
    assert waits[1].broken == []


def test_clients_who_let_a_server_wait_are_left_and_keep_nobody_sec_125(waits):
    assert waits[2].broken == []


def test_an_operation_that_takes_too_long_ends_with_its_database_work_sec_125(waits):
    assert waits[3].broken == []


# What the drill itself is worth: it must see what is wrong.


def seen(*events):
    history = History()
    for event in events:
        history.add(event)
    return history.faults()


def event(deed, began, ended, **what):
    return Event(deed, "ada", "s1", began, ended, **what)


HONEST = {
    "a read of what was written": (
        event("merge", 0, 1, number=1),
        event("read", 2, 3, number=1),
    ),
    "a read of what was not acknowledged": (
        event("merge", 0, 1, number=1, acknowledged=False),
        event("read", 2, 3, number=1),
    ),
    "a read beside a write": (
        event("merge", 0, 3, number=1),
        event("read", 1, 2, number=0),
    ),
    "two reads at once": (
        event("merge", 0, 5, number=1),
        event("read", 1, 4, number=1),
        event("read", 2, 3, number=0),
    ),
    "acceptance beside the end": (
        event("revoke", 0, 3),
        event("check", 1, 2),
        event("read", 1, 2, accepted=False),
    ),
    "acceptance after an end that failed": (
        event("revoke", 0, 1, acknowledged=False),
        event("check", 2, 3),
    ),
}
FALSE = {
    "a lost write": (
        event("merge", 0, 1, number=1),
        event("read", 2, 3, number=0),
    ),
    "a write out of nowhere": (event("read", 0, 1, number=1),),
    "a read that goes back": (
        event("merge", 0, 9, number=1),
        event("read", 1, 2, number=1),
        event("read", 3, 4, number=0),
    ),
    "a session after its end": (
        event("revoke", 0, 1),
        event("check", 2, 3),
    ),
    "a session refused before its end": (
        event("check", 0, 1, accepted=False),
        event("revoke", 2, 3),
    ),
    "a session refused without an end": (event("read", 0, 1, accepted=False),),
}


@pytest.mark.parametrize("story", HONEST)
def test_what_an_honest_server_can_show_is_no_fault(story):
    assert seen(*HONEST[story]) == []


@pytest.mark.parametrize("story", FALSE)
def test_what_no_honest_server_can_show_is_a_fault(story):
    assert len(seen(*FALSE[story])) == 1


async def test_what_is_lost_and_what_is_done_by_half_is_seen(world):
    registrar = Registrar(world)

    async def has_three():
        return len(registrar.answers) >= 3

    async with registrar.registering():
        await until(has_three, "three users")
    assert await registrar.faults() == []
    half, lost = f"{registrar.prefix}0", f"{registrar.prefix}1"
    users = "(SELECT id FROM app_user WHERE username = $1)"
    await world.fetch(f"DELETE FROM email WHERE user_id = {users}", half)
    await world.fetch("UPDATE app_user SET username = 'somebody_else' WHERE username = $1", lost)
    faults = await registrar.faults()
    assert len(faults) == 2
    assert f"{lost} was acknowledged and is lost" in faults
    assert any(fault.startswith(f"{half} is there in part") for fault in faults)


def test_every_scenario_has_both_sizes_and_a_row():
    assert scenarios(FULL).keys() == scenarios(SMALL).keys()
    kept, broken = Finding("SEC-139", "this", "that"), Finding("SEC-130", "other", "more")
    broken.expect(so=False, or_else="it fell")
    text = report.document("python -m drill", ["2 cores"], [kept, broken])
    assert "| SEC-139 | this |  |  |  | that | yes |" in text
    assert "| SEC-130 | other |  |  |  | more | **no** |" in text
    assert "- SEC-130: it fell" in text


async def test_what_is_cut_off_is_told_from_what_is_refused():
    async def hang_up(_, writer):
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    line = Line(server.sockets[0].getsockname()[1])
    assert (await line.get("/")).failure == "cut"
    server.close()
    await server.wait_closed()
    assert (await line.get("/")).failure == "refused"


async def test_the_balancer_hands_a_connection_that_is_refused_to_the_next_one():
    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
        writer.close()

    gone = await asyncio.start_server(answer, "127.0.0.1", 0)
    there = await asyncio.start_server(answer, "127.0.0.1", 0)
    ports = SimpleNamespace(
        gone=gone.sockets[0].getsockname()[1], there=there.sockets[0].getsockname()[1]
    )
    gone.close()
    await gone.wait_closed()
    async with Balancer([ports.gone, ports.there]).balancing() as balancer:
        await balancer.knows(ports.there, ready=True)
        answers = [await Line(balancer.port).get("/") for _ in range(4)]
    assert [answer.status for answer in answers] == [200] * 4
    there.close()
    await there.wait_closed()
