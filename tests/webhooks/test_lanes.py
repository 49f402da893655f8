"""The worker: hooks do not hold each other up, workers share the work, and stopping is clean."""

import asyncio
import logging
import time

import pytest
from factories import with_config
from federation.connectors.loopback import Reply
from webhooks.conftest import claims_of, happen, hooked, log, receiving

from app import worker
from app.assembly import assemble
from app.config.values import Secret
from app.errors import Unavailable
from app.ids import new_id
from app.keys import KeysUnreadable, Sealer
from app.persistence import fetch
from app.webhooks import Dispatch
from app.webhooks.hooks import place
from app.webhooks.lanes import LANES, Lanes

SECONDS = 5.0
"""SEC-133: longer than this, a failing hook keeps nobody."""


@pytest.fixture
def busy(monkeypatch):
    """Looks without waiting, and does not wait long for what hangs."""
    for name in ("LOOK_EVERY", "PAUSE"):
        monkeypatch.setattr(worker, name, 0.01)
    monkeypatch.setattr(worker, "_LAST", 0.3)


async def until(condition, seconds=20.0):
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  # what is waited for has no event
            await asyncio.sleep(0.01)


async def test_what_happens_is_told(services, receiver, busy):
    await hooked(services, receiver)
    async with worker.working(services):
        await happen(services, *["user.login"] * 5)
        await until(lambda: len(receiver.asked) == 5)


async def test_a_hook_that_hangs_keeps_no_other_waiting(services, busy):
    """SEC-133"""
    async with receiving() as good, receiving() as hanging, receiving() as failing:
        hanging.answers[:] = [Reply(stalls=True)]
        failing.says(500)
        for one in (hanging, failing, good):
            await hooked(services, one)
        async with worker.working(services):
            await happen(services, *["user.login"] * 30)
            await until(lambda: len(hanging.asked) >= LANES)
            for _ in range(5):
                before, begun = len(good.asked), time.monotonic()
                await happen(services, *["user.delete"] * 6)
                await until(lambda n=before: len(good.asked) >= n + 6)
                assert time.monotonic() - begun < SECONDS
            await until(lambda: len(good.asked) == 60)
        assert len(hanging.asked) == LANES
        assert len(failing.asked) >= 30


async def test_two_workers_tell_each_event_once_and_in_order(services, receiver, busy):
    """SEC-133"""
    await hooked(services, receiver)
    users = [new_id() for _ in range(4)]
    async with worker.working(services), worker.working(services):
        for n in range(40):
            await happen(services, "user.login", user_id=users[n % 4], n=n)
        await until(lambda: len(receiver.asked) == 40)
    numbers = [claims_of(services, asked)["data"]["n"] for asked in receiver.asked]
    assert sorted(numbers) == list(range(40))
    for one in range(4):
        mine = [n for n in numbers if n % 4 == one]
        assert mine == sorted(mine)


async def test_two_processes_tell_each_event_once_and_in_order(services, receiver, replicas):
    """SEC-133, SEC-129"""
    await hooked(services, receiver)
    users = [new_id() for _ in range(5)]
    for n in range(60):
        await happen(services, "user.login", user_id=users[n % 5], n=n)
    done = 0
    while done < 60:
        done += sum(await asyncio.gather(*(one.ask("tell_hooks") for one in replicas)))
    numbers = [claims_of(services, asked)["data"]["n"] for asked in receiver.asked]
    assert sorted(numbers) == list(range(60))
    for one in range(5):
        mine = [n for n in numbers if n % 5 == one]
        assert mine == sorted(mine)
    assert {row["state"] for row in await log()} == {"delivered"}


async def test_it_finishes_what_is_in_hand_and_takes_no_other(services, receiver, monkeypatch):
    """SEC-139"""
    monkeypatch.setattr(worker, "LOOK_EVERY", 0.01)
    await hooked(services, receiver)
    await happen(services, *["user.login"] * 50)
    async with worker.working(services):
        await until(lambda: receiver.asked)
    count = len(receiver.asked)
    assert count < 50
    rows = [row for row in await log() if row["attempts"]]
    assert len(rows) == count
    assert {row["state"] for row in rows} == {"delivered"}


async def test_it_does_not_wait_for_ever(services, receiver, busy):
    """SEC-139"""
    receiver.answers[:] = [Reply(stalls=True)]
    await hooked(services, receiver)
    await happen(services, "user.login")
    async with asyncio.timeout(5), worker.working(services):
        await until(lambda: receiver.asked)


@pytest.mark.parametrize(("error", "lines"), [(Unavailable, 0), (ZeroDivisionError, 1)])
async def test_a_defect_does_not_end_the_work(  # noqa: PLR0917  # fixtures
    services, receiver, monkeypatch, caplog, error, lines
):
    await hooked(services, receiver)
    await happen(services, "user.login")
    working = Dispatch.deliver_next

    async def fail(*_):
        monkeypatch.setattr(Dispatch, "deliver_next", working)
        raise error

    monkeypatch.setattr(Dispatch, "deliver_next", fail)
    lanes = Lanes(services.dispatch, asyncio.Event())
    with caplog.at_level(logging.ERROR):
        for _ in range(2):
            await lanes.look()
            await asyncio.gather(*lanes.tasks())
    assert [record.message for record in caplog.records] == ["webhook failed"] * lines
    assert len(receiver.asked) == 1


async def test_a_hook_whose_secret_opens_no_more_is_warned_of_once_and_left_alone(
    services, receiver, caplog, clock
):
    hook = await hooked(services, receiver)
    await happen(services, *["user.login"] * 3)
    (row,) = await fetch("SELECT sealed_secret FROM webhook")
    other = Sealer(["another-secret-of-this-test"]).seal("x", place(hook.id))
    await fetch("UPDATE webhook SET sealed_secret = $1", other)
    lanes = Lanes(services.dispatch, asyncio.Event())
    with caplog.at_level(logging.WARNING, "sekisho.webhooks"):
        for _ in range(3):
            await lanes.look()
            await asyncio.gather(*lanes.tasks())
    told = [(record.message, record.webhook) for record in caplog.records]
    assert told == [("webhook unreadable", hook.id)]
    assert not any(record.exc_info for record in caplog.records)
    assert {(row["state"], row["attempts"]) for row in await log()} == {("waiting", 0)}
    await fetch("UPDATE webhook SET sealed_secret = $1", row["sealed_secret"])
    clock.advance(seconds=299)
    await lanes.look()
    assert lanes.tasks() == []
    clock.advance(seconds=1)
    await lanes.look()
    await asyncio.gather(*lanes.tasks())
    assert len(receiver.asked) == 3


async def test_who_cannot_open_a_hooks_secret_holds_up_nothing_of_who_can(
    services, receiver, clock, caplog
):
    """SEC-133: a replica that was not given the secret of the others, or not yet."""
    lacking = with_config(services, secret_keys=[Secret("another secret of the tests")])
    blind = Lanes(assemble(lacking, clock=clock).dispatch, asyncio.Event())
    healthy = Lanes(services.dispatch, asyncio.Event())
    await hooked(services, receiver)
    for n in range(1, 4):
        await happen(services, "user.login")
        with caplog.at_level(logging.WARNING, "sekisho.webhooks"):
            await blind.look()
            await asyncio.gather(*blind.tasks())
            assert len(receiver.asked) == n - 1
            await healthy.look()
            await asyncio.gather(*healthy.tasks())
        assert len(receiver.asked) == n
    assert [record.message for record in caplog.records] == ["webhook unreadable"]
    assert {(row["state"], row["attempts"]) for row in await log()} == {("delivered", 1)}


async def test_lanes_that_go_blind_together_warn_once(services, receiver, monkeypatch, caplog):
    hook = await hooked(services, receiver)
    await happen(services, *["user.login"] * 4)
    together = asyncio.Event()

    async def fail(*_):
        await together.wait()
        raise KeysUnreadable

    monkeypatch.setattr(Dispatch, "deliver_next", fail)
    lanes = Lanes(services.dispatch, asyncio.Event())
    for _ in range(LANES):
        await lanes.look()
    assert len(lanes.tasks()) == LANES
    with caplog.at_level(logging.WARNING, "sekisho.webhooks"):
        together.set()
        await asyncio.gather(*lanes.tasks())
    assert [(one.message, one.webhook) for one in caplog.records] == [
        ("webhook unreadable", hook.id)
    ]


async def test_a_lane_more_is_opened_at_each_look_up_to_four(services, receiver):
    receiver.answers[:] = [Reply(stalls=True)]
    await hooked(services, receiver)
    await happen(services, *["user.login"] * 9)
    lanes = Lanes(services.dispatch, asyncio.Event())
    for opened in (1, 2, 3, 4, 4):
        await lanes.look()
        await until(lambda n=opened: len(receiver.asked) == n)
        assert len(lanes.tasks()) == opened
    for task in lanes.tasks():
        task.cancel()
    await asyncio.gather(*lanes.tasks(), return_exceptions=True)
