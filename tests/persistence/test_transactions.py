"""Transactions: all or nothing, one inside the other, and with others beside them."""

import asyncio
import json
import sqlite3
from uuid import UUID, uuid4

import asyncpg
import pytest
from factories import make_key, make_session, make_user

from app.access import SYSTEM
from app.clock import utc_now
from app.metadata import BagChanges
from app.persistence import (
    NotUnique,
    exclusive,
    fetch,
    fetch_row,
    savepoint,
    speaks,
    transaction,
)
from app.persistence import database as here
from app.persistence.errors import TextUnstorable
from app.users.tables import RetiredUser

ONE, TWO, THREE = (UUID(int=n) for n in (1, 2, 3))


class Fault(Exception):
    """Something that goes wrong in a use case."""


async def add(row_id: UUID) -> None:
    await fetch(
        "INSERT INTO retired_user (id, retired_at) VALUES ($1, '2026-01-01 00:00:00+00:00')", row_id
    )


async def present() -> set[UUID]:
    return {row["id"] for row in await fetch("SELECT id FROM retired_user")}


class TestTransaction:
    async def test_what_is_written_stays_at_the_end(self, empty):
        async with transaction():
            await add(ONE)
            await add(TWO)
        assert await present() == {ONE, TWO}

    async def test_an_error_undoes_everything(self, empty):
        with pytest.raises(Fault):
            async with transaction():
                await add(ONE)
                raise Fault
        assert await present() == set()

    async def test_an_inner_transaction_joins_the_outer_one(self, empty):
        with pytest.raises(Fault):
            async with transaction():
                async with transaction():
                    await add(ONE)
                async with transaction():
                    await add(TWO)
                raise Fault
        assert await present() == set()
        async with transaction(), transaction():
            await add(ONE)
        assert await present() == {ONE}

    async def test_an_error_of_the_inner_one_undoes_the_outer_one_too(self, empty):
        with pytest.raises(Fault):
            async with transaction():
                await add(ONE)
                async with transaction():
                    await add(TWO)
                    raise Fault
        assert await present() == set()

    async def test_a_transaction_sees_its_own_writes_and_others_see_them_at_the_end(self, empty):
        written, seen = asyncio.Event(), asyncio.Event()

        async def other() -> set[UUID]:
            await written.wait()
            found = await present()
            row = await fetch_row("SELECT id FROM retired_user WHERE id = $1", ONE)
            seen.set()
            return found | ({row["id"]} if row else set())

        beside = asyncio.create_task(other())
        async with transaction():
            await add(ONE)
            assert await present() == {ONE}
            row = await fetch_row("SELECT id FROM retired_user WHERE id = $1", ONE)
            assert row["id"] == ONE
            assert await fetch_row("SELECT id FROM retired_user WHERE id = $1", TWO) is None
            written.set()
            await seen.wait()
        assert await beside == set()
        assert await present() == {ONE}

    async def test_a_statement_alone_is_a_transaction_of_its_own(self, empty):
        await add(ONE)
        with pytest.raises(NotUnique):
            await add(ONE)
        assert await present() == {ONE}

    async def test_what_piccolo_composes_takes_part(self, empty):
        with pytest.raises(Fault):
            async with transaction():
                await RetiredUser.insert(RetiredUser(id=ONE, retired_at=utc_now()))
                assert await RetiredUser.exists().where(RetiredUser.id == ONE)
                raise Fault
        assert not await RetiredUser.exists().where(RetiredUser.id == ONE)

    async def test_many_at_once_all_get_their_turn(self, empty):
        async def one() -> None:
            async with transaction():
                await add(uuid4())
                await present()

        await asyncio.gather(*(one() for _ in range(40)))
        assert len(await present()) == 40

    async def test_a_named_lock_lets_one_in_at_a_time(self, empty):
        inside: list[int] = []

        async def one(number: int) -> None:
            async with transaction():
                await exclusive("a test's")
                inside.append(number)
                assert len(inside) == 1
                await present()
                inside.remove(number)

        await asyncio.gather(*(one(n) for n in range(10)))
        assert inside == []


class TestSavepoint:
    async def test_an_error_undoes_that_part_alone(self, empty):
        async with transaction():
            await add(ONE)
            with pytest.raises(Fault):
                async with savepoint():
                    await add(TWO)
                    raise Fault
            await add(THREE)
        assert await present() == {ONE, THREE}

    async def test_without_an_error_the_part_stays(self, empty):
        async with transaction(), savepoint():
            await add(ONE)
        assert await present() == {ONE}

    async def test_a_refused_row_leaves_the_transaction_usable(self, empty):
        async with transaction():
            await add(ONE)
            with pytest.raises(NotUnique):
                async with savepoint():
                    await add(ONE)
            await add(TWO)
        assert await present() == {ONE, TWO}

    async def test_one_inside_another_undoes_its_own(self, empty):
        async with transaction():
            with pytest.raises(Fault):
                async with savepoint():
                    await add(ONE)
                    async with savepoint():
                        await add(TWO)
                    with pytest.raises(Fault):
                        async with savepoint():
                            await add(THREE)
                            raise Fault
                    assert await present() == {ONE, TWO}
                    raise Fault
            assert await present() == set()

    async def test_the_end_of_the_transaction_undoes_a_part_that_stayed(self, empty):
        with pytest.raises(Fault):
            async with transaction():
                async with savepoint():
                    await add(ONE)
                raise Fault
        assert await present() == set()


class TestCancellation:
    async def test_a_cancelled_transaction_leaves_nothing_and_blocks_nobody(self, empty):
        written = asyncio.Event()

        async def halted() -> None:
            async with transaction():
                await add(ONE)
                written.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(halted())
        await written.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await add(TWO)
        assert await present() == {TWO}

    async def test_a_statement_that_is_cancelled_while_it_runs_leaves_nothing(self, empty):
        slow = "SELECT pg_sleep(5)"
        if speaks() == "sqlite":
            slow = (
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400000) "
                "SELECT max(i) AS slow FROM n"
            )
        begun = asyncio.Event()

        async def halted() -> None:
            async with transaction():
                await add(ONE)
                begun.set()
                await fetch(slow)
                await add(TWO)

        task = asyncio.create_task(halted())
        await begun.wait()
        await present()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await add(THREE)
        assert await present() == {THREE}

    async def test_who_is_cancelled_while_waiting_for_a_turn_holds_up_nobody(self, empty):
        async def waiting() -> None:
            async with transaction():
                await add(uuid4())

        async with transaction():
            await add(ONE)
            tasks = [asyncio.create_task(_outside(waiting)) for _ in range(6)]
            await asyncio.wait(tasks, timeout=0.05)
            for task in tasks[::2]:
                task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        completed = sum(one is None for one in outcomes)
        assert len(await present()) == 1 + completed
        assert completed >= 3

    async def test_a_cancellation_at_any_instant_leaves_all_or_nothing(self, empty):
        """SEC-129: by the hand of a caller who goes away."""
        acknowledged = []

        async def both(number: int) -> None:
            async with transaction():
                await add(UUID(int=number * 2))
                await add(UUID(int=number * 2 + 1))
            acknowledged.append(number)

        for number in range(1, 60):
            task = asyncio.create_task(both(number))
            for _ in range(number % 12):
                await asyncio.sleep(0)
            if number % 3:
                await present()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        found = {row_id.int // 2 for row_id in await present()}
        assert len(await present()) == 2 * len(found)
        assert found >= set(acknowledged)
        await both(1000)
        assert 1000 in acknowledged


class TestRowLocks:
    async def test_the_second_process_waits_for_the_first_and_then_sees_its_change(
        self, services, replicas
    ):
        """SEC-136"""
        user = await make_user(services, public={"before": 1})
        there = replicas[0]
        await there.tell("hold", user=str(user.id))
        assert await there.answer() == "held"
        change = services.metadata.change(SYSTEM, user.id, BagChanges(public={"here": 1}))
        waiting = asyncio.create_task(change)
        await asyncio.wait({waiting}, timeout=0.15)
        assert not waiting.done()
        assert await there.ask("go on")
        bags = await waiting
        assert json.loads(bags.public) == {"before": 1, "there": 1, "here": 1}
        assert bags.version == 3

    async def test_a_reader_waits_for_nobody(self, services, replicas):
        user = await make_user(services, public={"before": 1})
        await replicas[0].tell("hold", user=str(user.id))
        await replicas[0].answer()
        bags = (await services.metadata.of([user.id]))[user.id]
        assert bags.public == '{"before":1}'
        assert await services.users.by_id(user.id) == user
        assert await replicas[0].ask("go on")

    async def test_two_who_lock_one_row_come_one_after_the_other(self, services):
        user = await make_user(services, public={"n": 0})

        async def count_up() -> None:
            async with transaction():
                (row,) = await fetch(
                    "SELECT public_bag FROM user_metadata WHERE user_id = $1 FOR UPDATE", user.id
                )
                number = json.loads(row["public_bag"])["n"]
                await present()
                changes = BagChanges(public={"n": number + 1})
                await services.metadata.change(SYSTEM, user.id, changes)

        await asyncio.gather(*(count_up() for _ in range(20)))
        bags = (await services.metadata.of([user.id]))[user.id]
        assert bags.public == '{"n":20}'


class TestRefusedRows:
    @pytest.mark.parametrize(
        ("table", "column", "constraint"),
        [
            ("app_user", "id", "app_user__id"),
            ("app_user", "username_key", "app_user__username_key"),
            ("retired_user", "id", "retired_user__id"),
            ("email", "id", "email__id"),
            ("email", "address_key", "email__address_key"),
            ("user_metadata", "user_id", "user_metadata__user_id"),
            ("user_session", "id", "user_session__id"),
            ("secret_key", "id", "secret_key__id"),
            ("secret_key", "prefix", "secret_key__prefix"),
            ("signing_key", "id", "signing_key__id"),
            ("audit_event", "id", "audit_event__id"),
            ("schema_migration", "id", "schema_migration__id"),
        ],
    )
    async def test_what_may_stand_once_is_named_alike_on_every_database(
        self, services, table, column, constraint
    ):
        await _one_of_each(services)
        (row,) = [dict(row) for row in await fetch(f"SELECT * FROM {table} LIMIT 1")]
        fresh = {"id": uuid4(), "username_key": "x", "username": "x", "is_primary": False}
        fresh |= {"address_key": "x@x", "prefix": "x", "user_id": uuid4()}
        kept = {column, *(("user_id",) if table in ("email", "user_session") else ())}
        again = {name: fresh.get(name, value) for name, value in row.items() if name not in kept}
        again |= {name: row[name] for name in kept}
        places = ", ".join(f"${n}" for n in range(1, len(again) + 1))
        sql = f"INSERT INTO {table} ({', '.join(again)}) VALUES ({places})"
        with pytest.raises(NotUnique) as refused:
            await fetch(sql, *again.values())
        assert refused.value.constraint == constraint
        assert refused.value.code == "conflict"

    async def test_a_second_primary_address_is_refused(self, services):
        await _one_of_each(services)
        (row,) = [dict(row) for row in await fetch("SELECT * FROM email")]
        again = row | {"id": uuid4(), "address_key": "x"}
        places = ", ".join(f"${n}" for n in range(1, len(again) + 1))
        with pytest.raises(NotUnique):
            await fetch(
                f"INSERT INTO email ({', '.join(again)}) VALUES ({places})", *again.values()
            )

    async def test_a_row_of_nobody_is_refused_by_the_database(self, empty):
        refusals = (sqlite3.IntegrityError, asyncpg.IntegrityConstraintViolationError)
        with pytest.raises(refusals):
            await fetch("INSERT INTO user_metadata VALUES ($1, $2, $2, $2, 0)", uuid4(), "{}")
        assert not await fetch("SELECT * FROM user_metadata")

    async def test_a_text_that_cannot_be_kept_is_refused_by_name(self, services):
        """SEC-121"""
        unstorable = ["\ud800", "x\udfff"] + ["\0"] * (speaks() == "postgres")
        for text in unstorable:
            for ask in (fetch, fetch_row):
                with pytest.raises(TextUnstorable) as refused:
                    await ask("SELECT id FROM app_user WHERE username_key = $1", text)
                assert refused.value.code == "text_unstorable"
                assert text not in str(refused.value)

    async def test_a_value_of_the_wrong_kind_is_a_defect_and_no_refusal(self, empty):
        for ask in (fetch, fetch_row):
            with pytest.raises((sqlite3.Error, asyncpg.PostgresError)):
                await ask("SELECT id FROM app_user WHERE id = $1", {"not": "an id"})
            with pytest.raises((sqlite3.Error, asyncpg.PostgresError)):
                await ask("SELECT nothing FROM nowhere")


async def _one_of_each(services) -> None:
    user = await make_user(services, username="ada")
    await make_session(services, user)
    await make_key(services)
    await add(ONE)


async def _outside(work) -> None:
    """Run *work* as a request of its own would: outside of the transaction that is open here."""
    token = here._open[0].current_transaction.set(None)
    try:
        await work()
    finally:
        here._open[0].current_transaction.reset(token)
