"""The worker: it delivers what is due, outlives what goes wrong, and stops between mails."""

import asyncio
import logging
from dataclasses import replace

import pytest

from app import worker
from app.errors import Unavailable
from app.mail import Outcome

TO = "ada@example.com"


@pytest.fixture
def busy(monkeypatch):
    """Looks without waiting."""
    for name in ("LOOK_EVERY", "PAUSE"):
        monkeypatch.setattr(worker, name, 0.01)


async def until(condition):
    async with asyncio.timeout(20):
        while not await condition():  # noqa: ASYNC110  # what is waited for has no event
            await asyncio.sleep(0.01)


def newest(services, count):
    async def there():
        return len(await services.mail.mailbox.newest()) == count

    return there


async def test_what_is_queued_is_delivered(services, busy):
    async with worker.working(services):
        for n in range(5):
            await services.mail.send("passkey_create", f"user{n}@example.com")
        await until(newest(services, 5))


async def test_two_workers_deliver_each_mail_once(services, busy):
    async with worker.working(services), worker.working(services):
        for n in range(20):
            await services.mail.send("passkey_create", f"user{n}@example.com")
        await until(newest(services, 20))
    to = [mail.to for mail in await services.mail.mailbox.newest()]
    assert sorted(to) == sorted(f"user{n}@example.com" for n in range(20))


async def test_it_finishes_the_mail_in_hand_and_takes_no_other_sec_139(smtp, delivering, busy):
    server = await smtp(waits="DATA")
    services = await delivering(server, tls="starttls")
    for n in range(6):
        await services.mail.send("passkey_create", f"user{n}@example.com")

    async def work():
        async with worker.working(services):
            await server.reached.wait()

    working = asyncio.create_task(work())
    await server.reached.wait()
    server.release.set()
    await working
    assert 1 <= len(server.mails) <= 2 * worker.LANES
    sent = {mail.recipients for mail in server.mails}
    assert len(sent) == len(server.mails)
    before = len(server.mails)
    while await services.mail.deliver_next():
        pass
    assert len(server.mails) == 6 >= before


async def test_it_does_not_wait_for_ever_for_a_mail_in_hand_sec_139(
    smtp, delivering, busy, monkeypatch
):
    monkeypatch.setattr(worker, "_LAST", 0.05)
    server = await smtp(waits="RCPT")
    services = await delivering(server, tls="starttls")
    await services.mail.send("passkey_create", TO)
    async with asyncio.timeout(5), worker.working(services):
        await server.reached.wait()
    assert server.mails == []


class Flaky:
    """Mail that fails a few times before it works."""

    def __init__(self, *errors):
        self.errors = list(errors)
        self.worked = asyncio.Event()

    async def deliver_next(self):
        if self.errors:
            raise self.errors.pop()
        self.worked.set()
        return Outcome("unreachable", "timeout")

    async def sweep(self):
        await self.deliver_next()
        return 0


async def test_a_defect_or_a_lost_database_does_not_end_its_work(services, busy, caplog):
    mail = Flaky(ZeroDivisionError(), Unavailable(), ValueError())
    with caplog.at_level(logging.ERROR):
        async with asyncio.timeout(20), worker.working(replace(services, mail=mail)):
            await mail.worked.wait()
    assert [record.message for record in caplog.records] == ["worker failed"] * 2
