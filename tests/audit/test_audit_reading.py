"""The audit log is read in pages, and kept for as long as was asked for."""

from datetime import timedelta

import msgspec
import pytest

from app.access import SYSTEM, Actor, Origin, SecretKeyPrincipal
from app.audit import AuditFilter, AuditFilterRefused, AuditLog, AuditReader
from app.config.values import Duration
from app.errors import Invalid
from app.ids import new_id
from app.paging import PageRequest, Position
from app.persistence import fetch

READER = AuditReader()
KEY = SecretKeyPrincipal(new_id(), frozenset({"*"}))


@pytest.fixture
async def log(services, clock) -> AuditLog:
    await fetch("DELETE FROM audit_event")
    return services.audit


async def fill(log, clock, *, number=5):
    """One record a minute, of alternating types; give the types, newest first."""
    types = []
    for n in range(number):
        types.insert(0, ("user_created", "user_deleted")[n % 2])
        address = f"192.0.2.{n}"
        actor = Actor(secret_key=KEY if n == 0 else None, origin=Origin(f"r{n}", address, "Agent"))
        await log.record(types[0], actor, subject=new_id(), details={"n": n})
        clock.now += timedelta(minutes=1)
    return types


def numbers(records) -> list[int]:
    return [record.details["n"] for record in records]


async def found(**wanted) -> list[int]:
    return numbers((await READER.page(AuditFilter(**wanted), PageRequest())).items)


class TestPages:
    async def test_the_newest_come_first_and_a_cursor_goes_on(self, log, clock):
        types = await fill(log, clock)
        seen, after = [], None
        while True:
            page = await READER.page(AuditFilter(), PageRequest(2, beyond=after))
            seen += page.items
            if not page.has_next:
                break
            after = Position(page.items[-1].created_at, page.items[-1].id)
        assert [record.type for record in seen] == types
        assert numbers(seen) == [4, 3, 2, 1, 0]

    async def test_a_page_from_the_end_has_the_same_order(self, log, clock):
        await fill(log, clock)
        page = await READER.page(AuditFilter(), PageRequest(2, backwards=True))
        assert (numbers(page.items), page.has_next, page.has_previous) == ([1, 0], False, True)
        first = page.items[0]
        before = PageRequest(2, backwards=True, beyond=Position(first.at, first.id))
        assert numbers((await READER.page(AuditFilter(), before)).items) == [3, 2]

    async def test_records_of_one_moment_are_neither_lost_nor_told_twice(self, log):
        for n in range(5):
            await log.record("user_updated", SYSTEM, details={"n": n})
        first = await READER.page(AuditFilter(), PageRequest(3))
        last = first.items[-1]
        rest = await READER.page(AuditFilter(), PageRequest(3, beyond=Position(last.at, last.id)))
        assert sorted(numbers([*first.items, *rest.items])) == [0, 1, 2, 3, 4]

    async def test_a_list_with_numbered_pages_knows_how_many_there_are(self, log, clock):
        await fill(log, clock)
        wanted = AuditFilter(types=("user_created",))
        assert await READER.count(wanted) == 3
        assert numbers(await READER.numbered(wanted, skip=1, size=1)) == [2]
        assert await READER.numbered(wanted, skip=3, size=5) == []


class TestFilters:
    async def test_each_part_finds_what_it_names_and_nothing_else(self, log, clock):
        began = clock.now
        await fill(log, clock)
        (oldest,) = (await READER.page(AuditFilter(actor_id=KEY.id), PageRequest())).items
        assert oldest.details == {"n": 0}
        assert await found(subject_id=oldest.subject_id) == [0]
        assert await found(types=("user_deleted",)) == [3, 1]
        assert await found(types=("user_deleted", "user_created")) == [4, 3, 2, 1, 0]
        assert await found(address="192.0.2.3") == [3]
        assert await found(request_id="r2") == [2]
        assert await found(after=began + timedelta(minutes=3)) == [4]
        assert await found(before=began + timedelta(minutes=1)) == [0]
        assert await found(types=("user_deleted",), address="192.0.2.2") == []
        assert await found(actor_has=str(KEY.id)[9:20].upper()) == [0]
        assert await found(address_has="2.4") == [4]
        assert await found(search="192.0.2.1") == [1]
        assert await found(search=str(KEY.id)) == [0]

    async def test_who_was_not_signed_in_yet_is_found_as_whom_it_is_about(self, log):
        someone = new_id()
        for n, actor in enumerate((Actor(origin=Origin("r")), Actor(secret_key=KEY), SYSTEM)):
            await log.record("login_failure", actor, subject=someone, details={"n": n})
        assert await found(actor_has=str(someone)) == [0]
        assert await found(search=str(someone)) == [0]

    @pytest.mark.parametrize("text", ["%", "_", "!", "192%", "192_0", "'", "\\"])
    async def test_what_a_pattern_gives_a_meaning_finds_itself_alone_sec_098(
        self, log, clock, text
    ):
        await fill(log, clock, number=2)
        assert await found(search=text) == []
        await log.record("user_created", Actor(origin=Origin("r", f"x{text}y")), details={"n": 9})
        assert await found(address_has=text) == [9]

    async def test_what_nothing_can_hold_and_too_many_types_are_refused(self, log):
        for wanted in (
            {"address": "a\0"},
            {"search": "\ud800"},
            {"types": ("\0",)},
            {"types": ("x",) * 101},
        ):
            with pytest.raises(AuditFilterRefused) as refused:
                await found(**wanted)
            assert isinstance(refused.value, Invalid)


class TestRetention:
    async def test_a_record_stays_as_long_as_configured_and_no_longer_sec_118(
        self, services, log, clock
    ):
        await fill(log, clock, number=3)
        clock.now += timedelta(hours=720) - timedelta(minutes=3)
        await services.audit.sweep()
        assert await found() == [2, 1]
        clock.now += timedelta(minutes=10)
        await services.audit.sweep()
        assert await found() == []

    async def test_more_than_one_part_goes_at_once(self, services, log, clock, monkeypatch):
        monkeypatch.setattr("app.sweeping.AT_ONCE", 2)
        await fill(log, clock, number=5)
        clock.now += timedelta(hours=720)
        await services.audit.sweep()
        assert await found() == []

    @pytest.mark.parametrize("retention", [Duration(0), Duration(hours=-1)])
    async def test_zero_keeps_everything_and_so_does_less_sec_118(
        self, services, log, clock, retention
    ):
        await fill(log, clock, number=2)
        clock.now += timedelta(days=4000)
        config = msgspec.structs.replace(services.config.audit_log, retention=retention)
        await AuditLog(config, services.clock).sweep()
        assert await found() == [1, 0]


class TestLimitHits:
    """SEC-118: a limit that is hit is on record, and being refused fills no table."""

    async def hit(self, services, account="", address="192.0.2.9", times=1):
        for _ in range(times):
            await services.rate_limits.take("token_exchange", account=account, address=address)

    async def hits(self) -> list:
        wanted = AuditFilter(types=("rate_limit_exceeded",))
        return list((await READER.page(wanted, PageRequest(100))).items)

    async def test_what_is_let_through_leaves_no_record(self, services, log):
        await self.hit(services, times=3)
        assert await self.hits() == []

    async def test_a_hit_is_recorded_once_a_minute_with_the_account_and_address(
        self, services, log, clock
    ):
        account = new_id()
        await self.hit(services, str(account), times=40)
        (record,) = await self.hits()
        assert record.details == {"operation": "token_exchange"}
        assert (record.actor_kind, record.address) == ("anonymous", "192.0.2.9")
        assert record.subject_id == account
        clock.now += timedelta(minutes=1)
        await self.hit(services, str(account), times=40)
        assert len(await self.hits()) == 2

    async def test_what_was_typed_for_an_account_is_not_repeated_sec_116(self, services, log):
        await self.hit(services, "hunter2", times=9)
        (record,) = await self.hits()
        assert record.subject_id is None
        assert "hunter2" not in str(record)

    async def test_one_network_leaves_a_few_records_whomever_it_tries_sec_126(self, services, log):
        for n in range(60):
            await self.hit(services, f"account{n}", address=f"2001:db8::{n:x}")
        assert len(await self.hits()) == 20
        await self.hit(services, "account1", address="192.0.2.77", times=4)
        assert len(await self.hits()) == 21


async def test_nothing_but_the_sweep_changes_or_removes_a_record_sec_118(services):
    """No service, and so no API, has a way to."""
    ways = {name for name in dir(services.audit) if not name.startswith("_")}
    assert ways == {"config", "clock", "metrics", "record", "sweep"}
    assert {n for n in dir(READER) if not n.startswith("_")} == {"page", "numbered", "count"}
