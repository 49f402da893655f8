"""What becomes of deliveries and of mail is counted, once each and by words of ours (SEC-126)."""

import pytest
from faces.clients import Face
from webhooks.conftest import happen, hooked, told

from app import upkeep
from app.access import SYSTEM
from app.persistence import fetch, transaction
from app.webhooks.deliveries import TRIED_FOR
from app.worker import working


class Counts:
    """The counters of the services, as Prometheus reads them."""

    def __init__(self, services):
        self._face = Face(services, "admin")

    async def of(self, name, label):
        """What a counter has counted, by its only label."""
        lines = (await self._face.get("/metrics")).text.splitlines()
        begin = f"sekisho_{name}_total{{{label}="
        found = [line for line in lines if line.startswith(begin)]
        counted = {line.split('"')[1]: int(line.rpartition(" ")[2]) for line in found}
        return {label: number for label, number in counted.items() if number}

    async def attempts(self):
        return await self.of("webhook_attempts", "outcome")

    async def deliveries(self):
        return await self.of("webhook_deliveries", "state")


@pytest.fixture
def counts(services):
    return Counts(services)


async def test_an_attempt_is_counted_by_its_outcome_and_a_delivery_when_it_is_over(
    services, receiver, counts, clock
):
    receiver.says(500, 200)
    await hooked(services, receiver)
    await happen(services, "user.create")
    assert await told(services) == 1
    assert await counts.attempts() == {"refused": 1}
    assert await counts.deliveries() == {}
    clock.advance(hours=1)
    assert await told(services) == 1
    assert await counts.attempts() == {"refused": 1, "delivered": 1}
    assert await counts.deliveries() == {"delivered": 1}


async def test_a_ping_counts_as_any_other(services, receiver, counts):
    hook = await hooked(services, receiver)
    await services.dispatch.ping(SYSTEM, hook.id)
    assert await counts.attempts() == {"delivered": 1}


async def test_a_delivery_that_fails_for_good_counts_as_failed(services, receiver, counts, clock):
    receiver.says(500)
    await hooked(services, receiver)
    await happen(services, "user.create")
    await told(services)
    clock.now += TRIED_FOR
    await told(services)
    assert await counts.attempts() == {"refused": 2}
    assert await counts.deliveries() == {"failed": 1}


async def test_a_delivery_that_is_given_up_unasked_counts_as_failed(
    services, receiver, counts, clock
):
    await hooked(services, receiver)
    await happen(services, "user.create", "user.delete")
    await services.dispatch.spread()
    clock.advance(hours=26)
    await services.dispatch.sweep()
    assert await counts.attempts() == {}
    assert await counts.deliveries() == {"failed": 2}
    await services.dispatch.sweep()
    assert await counts.deliveries() == {"failed": 2}


async def test_what_another_has_noted_is_not_counted_again(services, receiver, counts):
    hook = await hooked(services, receiver)
    await happen(services, "user.create")
    await services.dispatch.spread()
    taken = await services.dispatch.deliveries.take(hook.id)
    target = await services.webhooks.hooks.target(hook.id)
    await services.dispatch._deliver(target, taken)
    await services.dispatch._deliver(target, taken)
    assert await counts.attempts() == {"delivered": 1}


async def test_what_is_undone_is_not_counted(services, receiver, counts):
    hook = await hooked(services, receiver)
    await happen(services, "user.create")
    await services.dispatch.spread()
    with pytest.raises(RuntimeError):
        async with transaction():
            await services.dispatch.deliver_next(hook.id)
            raise RuntimeError
    assert await counts.attempts() == {}


async def test_labels_are_words_of_ours_whatever_a_hook_answers_sec_126(services, receiver, counts):
    receiver.says(299, 301, 404, 418, 599)
    await hooked(services, receiver)
    for _ in range(5):
        await happen(services, "user.create")
    await told(services)
    assert set(await counts.attempts()) == {"delivered", "refused"}


async def test_a_disabled_hook_shows_by_why(services, receiver, counts, clock):
    receiver.says(500)
    await hooked(services, receiver)
    for _ in range(5):
        await happen(services, "user.create")
        await told(services)
        clock.advance(hours=23)
    await told(services)
    lines = (await counts._face.get("/metrics")).text
    assert 'sekisho_webhooks_disabled{reason="failing"} 1' in lines


async def test_a_mail_that_waits_for_too_long_is_counted_once(services, counts, clock):
    await services.mail.send("email_login_attempted", "ada@example.com")
    clock.advance(hours=25)
    for _ in range(2):
        await upkeep.sweep(services)
    assert await counts.of("mails", "outcome") == {"expired": 1}


async def test_a_mail_is_counted_by_what_became_of_it(services, counts):
    await services.mail.send("email_login_attempted", "ada@example.com")
    async with working(services):
        while await fetch("SELECT 1 AS one FROM mail_outbox WHERE state = 'waiting'"):
            await services.mail.sweep()
    assert await counts.of("mails", "outcome") == {"sent": 1}
