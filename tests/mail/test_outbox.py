"""The outbox: written with its cause, taken by one, tried again, not sent too late."""

import asyncio
import itertools
from contextvars import Context
from datetime import timedelta

import pytest
from factories import TABLES, reconfigured
from mail.servers import free_port

from app.config.sections import EmailDelivery
from app.keys import KeysUnreadable, Sealer
from app.mail import CARRY_A_CODE, TEMPLATES, Outcome, RecipientRefused, values_of
from app.mail.outbox import KEPT, LEASE, MOST_ATTEMPTS, pause_after, pause_at
from app.persistence import fetch, transaction

TO = "ada@example.com"
CODE = "731964"


async def queue(services, to=TO, minutes=5):
    ends = services.clock() + timedelta(minutes=minutes)
    return await services.mail.send("login", to, "en", {"code": CODE}, expires_at=ends)


async def rows():
    return await fetch("SELECT * FROM mail_outbox ORDER BY id")


class TestQueueing:
    async def test_a_mail_leaves_after_the_commit_and_not_before(self, services):
        async with transaction():
            await queue(services)
            assert await services.mail.mailbox.newest() == []
        assert (await services.mail.deliver_next()).kind == "sent"
        assert [mail.to for mail in await services.mail.mailbox.newest()] == [TO]

    async def test_what_is_rolled_back_is_never_sent(self, services):
        with pytest.raises(ZeroDivisionError):
            async with transaction():
                await queue(services)
                raise ZeroDivisionError
        assert await rows() == []
        assert await services.mail.deliver_next() is None

    async def test_nothing_is_queued_where_mail_is_switched_off(self, services):
        others = await reconfigured(services, email_delivery=EmailDelivery(enabled=False))
        assert await queue(others) is None
        assert await others.mail.test(TO) is None
        assert await others.mail.deliver_next() is None
        assert await rows() == []

    async def test_a_database_read_signs_nobody_in_sec_119(self, services):
        mail_id = await queue(services)
        (row,) = await rows()
        assert CODE not in str(dict(row))
        with_another_key = Sealer(["another-secret-of-this-test"])
        with pytest.raises(KeysUnreadable):
            with_another_key.open(row["sealed_values"], f"mail_outbox:{mail_id}")

    async def test_what_a_mail_said_is_gone_once_it_is_sent_sec_119(self, services):
        await queue(services)
        await services.mail.deliver_next()
        (row,) = await rows()
        assert (row["state"], row["sealed_values"]) == ("sent", None)
        (kept,) = await fetch("SELECT * FROM mailbox_mail")
        assert CODE not in str(dict(kept))

    @pytest.mark.parametrize("reply", ["250 ok", "550 5.1.1 nobody"])
    async def test_to_whom_a_settled_mail_went_is_masked_sec_122(self, smtp, delivering, reply):
        services = await delivering(await smtp(replies={"RCPT": reply}), tls="starttls")
        await queue(services, "grace.hopper@example.com")
        await services.mail.deliver_next()
        (row,) = await rows()
        assert row["state"] in {"sent", "failed"}
        assert row["recipient"] == "gra*****@example.com"

    async def test_values_moved_to_another_mail_do_not_open_sec_119(self, services):
        await queue(services)
        other = await queue(services, "eve@example.com")
        (first, second) = await rows()
        await fetch(
            "UPDATE mail_outbox SET sealed_values = $1 WHERE id = $2", first["sealed_values"], other
        )
        assert second["id"] == other
        outcomes = {(await services.mail.deliver_next()).answer for _ in range(2)}
        assert outcomes == {"kept", "unreadable"}
        assert [mail.to for mail in await services.mail.mailbox.newest()] == [TO]

    async def test_a_row_stays_small_sec_126(self, services):
        long = f"{'a' * 60}@{'b' * 60}.{'c' * 60}.{'d' * 60}.example"
        values = dict.fromkeys(("old_address", "new_address"), "\N{PILE OF POO}" * 9999)
        await services.mail.send("primary_email_update", long, "en", values)
        (row,) = await rows()
        assert len(str(dict(row)).encode()) < 4096

    @pytest.mark.parametrize(
        "recipient",
        [
            "",
            "ada",
            "ada@",
            "@example.com",
            "ada@example.com\r\nBcc: eve@example.com",
            "ada@example.com\nRCPT TO:<eve@example.com>",
            "ada@example.com, eve@example.com",
            "Ada <ada@example.com>",
            "ada@example.com>",
            "ada\x00@example.com",
            "ada\x7f@example.com",
            "ada @example.com",
            "ada@exam\u2028ple.com",
            "ada\u202e@example.com",
            "ada@[127.0.0.1]",
            '"ada\\\r\n"@example.com',
            "a" * 65 + "@example.com",
            "ada@" + "b." * 130 + "example",
        ],
    )
    async def test_what_is_not_one_mailbox_is_refused_sec_113(self, services, recipient):
        with pytest.raises(RecipientRefused):
            await queue(services, recipient)
        with pytest.raises(RecipientRefused):
            await services.mail.test(recipient)
        assert await rows() == []

    async def test_a_mail_without_what_it_needs_is_a_defect_of_the_caller(self, services):
        ends = services.clock() + timedelta(minutes=5)
        for template in TEMPLATES:
            end = ends if template in CARRY_A_CODE else None
            with pytest.raises(ValueError, match=template):
                await services.mail.send(template, TO, values={"other": "x"}, expires_at=end)
        with pytest.raises(ValueError, match="needs an end"):
            await services.mail.send("login", TO, values={"code": CODE})
        assert values_of("login") == ("code", "minutes")


class TestTaking:
    async def test_two_workers_send_a_mail_once_sec_129(self, smtp, delivering):
        server = await smtp(waits="RCPT")
        services = await delivering(server, tls="starttls")
        await queue(services)
        first = asyncio.create_task(services.mail.deliver_next())
        await server.reached.wait()
        assert await services.mail.deliver_next() is None
        server.release.set()
        assert (await first).kind == "sent"
        assert len(server.mails) == 1

    async def test_many_workers_racing_send_each_mail_once(self, services):
        mails = [await queue(services, f"user{n}@example.com") for n in range(12)]

        async def drain():
            count = 0
            while await services.mail.deliver_next():
                count += 1
            return count

        assert sum(await asyncio.gather(*(drain() for _ in range(4)))) == len(mails)
        kept = await services.mail.mailbox.newest()
        assert sorted(mail.to for mail in kept) == sorted(f"user{n}@example.com" for n in range(12))
        assert [row["state"] for row in await rows()] == ["sent"] * len(mails)

    async def test_a_worker_that_died_leaves_its_mail_to_others_sec_129(self, services, clock):
        await queue(services, minutes=60)
        assert await services.mail.outbox.take() is not None
        assert await services.mail.deliver_next() is None, "somebody has it"
        clock.now += LEASE
        assert (await services.mail.deliver_next()).kind == "sent"
        assert len(await services.mail.mailbox.newest()) == 1

    async def test_a_worker_that_comes_back_too_late_changes_nothing(self, services, clock):
        await queue(services, minutes=60)
        outbox = services.mail.outbox
        late = await outbox.take()
        clock.now += LEASE
        taken = await outbox.take()
        for outcome in (
            Outcome("sent", "250"),
            Outcome("unreachable", "x"),
            Outcome("refused", ""),
        ):
            await outbox.settle(late, outcome)
        (row,) = await rows()
        assert (row["state"], row["claim"]) == ("waiting", taken.claim)
        await outbox.settle(taken, Outcome("sent", "250"))
        assert (await rows())[0]["state"] == "sent"

    async def test_a_mail_that_ends_each_process_is_given_up(self, services, clock):
        await services.mail.send("passkey_create", TO)
        for _ in range(MOST_ATTEMPTS):
            assert await services.mail.outbox.take() is not None
            clock.now += LEASE
        outcome = await services.mail.deliver_next()
        assert (outcome.kind, outcome.answer) == ("refused", "too many attempts")
        assert (await rows())[0]["state"] == "failed"

    @pytest.mark.parametrize("database", ["postgres"], indirect=True)
    async def test_a_mail_that_is_being_taken_keeps_nobody_from_the_next(self, services):
        """No worker waits for what another has locked; who writes to SQLite has it to itself."""
        mails = [await queue(services, f"user{n}@example.com") for n in range(2)]
        async with transaction():
            first = await services.mail.outbox.take()
            async with asyncio.timeout(5):
                second = await asyncio.create_task(services.mail.outbox.take(), context=Context())
                none = await asyncio.create_task(services.mail.outbox.take(), context=Context())
        assert [first.id, second.id, none] == [*mails, None]

    async def test_what_has_been_due_for_longest_leaves_first(self, services, clock):
        for name in ("first", "second", "third"):
            await queue(services, f"{name}@example.com")
            clock.advance(seconds=1)
        while await services.mail.deliver_next():
            clock.advance(seconds=1)
        kept = [mail.to.partition("@")[0] for mail in await services.mail.mailbox.newest()]
        assert kept == ["third", "second", "first"]

    def test_each_pause_is_longer_and_none_is_for_ever(self):
        pauses = [pause_after(n).total_seconds() for n in range(1, 9)]
        assert 24 <= pauses[0] <= 36
        assert all(b > a for a, b in itertools.pairwise(pauses[:6]))
        assert max(pauses) <= 6 * 3600 * 1.2

    def test_what_was_refused_for_now_waits_for_seconds_and_never_a_minute_sec_132(self):
        pauses = [pause_at(timedelta(seconds=age)).total_seconds() for age in range(100_000)]
        assert 4 <= min(pauses[:10]) <= max(pauses[:10]) <= 6
        assert 32 <= min(pauses[100:]) <= max(pauses) <= 48
        assert len({round(pause, 3) for pause in pauses[100:200]}) > 50, "spread"


class TestExpiry:
    async def test_a_code_that_expired_in_the_queue_is_not_sent_sec_132(
        self, smtp, delivering, clock
    ):
        server = await smtp()
        services = await delivering(server, tls="starttls")
        await queue(services, minutes=5)
        clock.advance(minutes=5)
        outcome = await services.mail.deliver_next()
        assert outcome.kind == "expired"
        assert server.commands == []
        (row,) = await rows()
        assert (row["state"], row["sealed_values"]) == ("expired", None)

    async def test_mail_waits_for_the_server_and_then_leaves_but_no_old_code_sec_132(
        self, smtp, delivering, clock
    ):
        port = free_port()
        services = await delivering(port, tls="starttls")
        await queue(services, "late@example.com", minutes=5)
        await services.mail.send("passkey_create", TO)
        for _ in range(30):
            assert (await services.mail.deliver_next()).kind in {"unreachable", "expired"}
            clock.advance(seconds=20)
        await queue(services, "new@example.com", minutes=5)
        server = await smtp(port=port)
        while await services.mail.deliver_next():
            clock.advance(seconds=1)
        assert sorted(mail.recipients[0] for mail in server.mails) == [TO, "new@example.com"]
        states = {row["recipient"]: row["state"] for row in await rows()}
        assert states["l*****@example.com"] == "expired"

    async def test_a_code_that_ends_while_it_waits_to_be_tried_again_is_marked(
        self, smtp, delivering, clock
    ):
        server = await smtp(replies={"RCPT": "451 4.7.1 later"})
        services = await delivering(server, tls="starttls")
        await queue(services, minutes=5)
        kinds = []
        for _ in range(7):
            outcome = await services.mail.deliver_next()
            kinds += [outcome.kind] if outcome else []
            clock.advance(minutes=1)
        assert kinds[-1] == "expired"
        assert set(kinds[:-1]) == {"deferred"}

    async def test_the_sweep_marks_what_is_too_late_and_forgets_what_is_old(self, services, clock):
        await queue(services, "late@example.com", minutes=5)
        await services.mail.send("passkey_create", "waiting@example.com")
        clock.advance(minutes=6)
        await services.mail.sweep()
        states = {row["recipient"]: row["state"] for row in await rows()}
        assert states == {"l*****@example.com": "expired", "waiting@example.com": "waiting"}
        clock.now += KEPT
        await services.mail.sweep()
        clock.now += KEPT
        await services.mail.sweep()
        assert await rows() == []

    async def test_however_many_are_too_late_they_are_marked_a_part_at_a_time_sec_126(
        self, services, clock, monkeypatch
    ):
        for module in ("app.mail.outbox", "app.sweeping"):
            monkeypatch.setattr(f"{module}.AT_ONCE", 2)
        for n in range(5):
            await queue(services, f"{n}late@example.com")
        clock.advance(minutes=6)
        statements = []

        async def counted(sql, *args):
            found = await fetch(sql, *args)
            statements.append(len(found) or len(args[0]))
            return found

        with monkeypatch.context() as watched:
            watched.setattr("app.mail.outbox.fetch", counted)
            assert await services.mail.outbox._expire() == 2
        assert statements == [2, 2], "those that are too late, and one statement for them all"
        assert await services.mail.sweep() == 3
        masked = [(row["state"], row["recipient"]) for row in await rows()]
        assert masked == [("expired", f"{n}*****@example.com") for n in range(5)]
        clock.now += KEPT
        await services.mail.sweep()
        assert await rows() == []


def test_the_tables_are_emptied_between_tests():
    assert {"mail_outbox", "mailbox_mail"} <= set(TABLES)


@pytest.mark.parametrize(
    ("seconds", "minutes"), [(30, "1"), (60, "1"), (119, "2"), (110, "1"), (299, "5"), (300, "5")]
)
async def test_the_minutes_of_a_code_are_whole(services, seconds, minutes):
    ends = services.clock() + timedelta(seconds=seconds)
    await services.mail.send("recovery", TO, "en", {"code": CODE}, expires_at=ends)
    await services.mail.deliver_next()
    (mail,) = await services.mail.mailbox.newest()
    assert f"valid for {minutes} min" in mail.text
