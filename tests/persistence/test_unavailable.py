"""A database that is not there, not ours or not whole: always the same refusal, and soon."""

import asyncio
import contextlib
import contextvars
import socket
import sqlite3
import time
from asyncio import StreamReader, StreamWriter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from databases import administer, elsewhere, visiting
from piccolo.querystring import QueryString

from app.assembly import assemble
from app.clock import utc_now
from app.config import Config, load
from app.persistence import (
    DatabaseUnavailable,
    Migrations,
    connect,
    exclusive,
    fetch,
    fetch_composed,
    fetch_row,
    is_reachable,
    savepoint,
    speaks,
    transaction,
)
from app.persistence import database as here
from app.persistence.postgres import PooledPostgres
from app.persistence.sqlite import LongLivedSqlite


def config_of(url: str, **environment: str) -> Config:
    return load(Path("/dev/null"), {"DATABASE_URL": url, **environment})


async def test_without_a_database_nothing_is_decided():
    """SEC-130"""
    async with elsewhere():
        query = QueryString("SELECT 1")
        asked = fetch("SELECT 1"), fetch_row("SELECT 1"), fetch_composed(query), exclusive("x")
        for ask in asked:
            with pytest.raises(DatabaseUnavailable):
                await ask
        for ask in (transaction, speaks):
            with pytest.raises(DatabaseUnavailable):
                ask()
        with pytest.raises(DatabaseUnavailable):
            async with savepoint():
                raise AssertionError
        assert not await is_reachable()


@pytest.fixture
async def cut_off(postgres):
    """The URL of a PostgreSQL database whose connections a test may cut."""
    name = f"sekisho_test_{uuid4().hex}"
    await administer(postgres, f"CREATE DATABASE {name}")
    yield urlsplit(postgres)._replace(path=f"/{name}").geturl()
    await administer(postgres, f"DROP DATABASE {name} WITH (FORCE)")


class TestPostgres:
    async def test_a_port_where_nobody_listens_is_told_at_once(self):
        """SEC-130"""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        start = time.monotonic()
        with pytest.raises(DatabaseUnavailable):
            await connect(config_of(f"postgres://me:SECRET@127.0.0.1:{port}/x"))
        assert time.monotonic() - start < 4

    async def test_a_server_that_accepts_and_never_answers_is_given_up(self):
        """SEC-130"""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            start = time.monotonic()
            with pytest.raises(DatabaseUnavailable):
                await connect(config_of(f"postgres://me:SECRET@127.0.0.1:{port}/x"))
            assert time.monotonic() - start < 10

    async def test_a_server_that_talks_nonsense_is_no_database(self):
        async def nonsense(_reader, writer) -> None:
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            writer.close()
            await writer.wait_closed()

        server = await asyncio.start_server(nonsense, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        try:
            with pytest.raises(DatabaseUnavailable):
                await connect(config_of(f"postgres://me:SECRET@127.0.0.1:{port}/x"))
        finally:
            server.close()
            await server.wait_closed()

    async def test_a_wrong_word_or_a_database_that_is_not_there_is_told_without_the_word(
        self, postgres
    ):
        """SEC-116"""
        right = urlsplit(postgres)
        host = right.netloc.rpartition("@")[2]
        for url in (
            right._replace(netloc=f"postgres:SECRET@{host}").geturl(),
            right._replace(path="/nowhere").geturl(),
        ):
            with pytest.raises(DatabaseUnavailable) as refused:
                await connect(config_of(url))
            assert "SECRET" not in str(refused.value)
            assert right.password not in str(refused.value)

    async def test_the_parts_of_an_address_serve_as_well_as_a_url(self, postgres):
        parts = urlsplit(postgres)
        environment = {
            "DATABASE_DIALECT": "postgres",
            "DATABASE_HOST": parts.hostname,
            "DATABASE_PORT": str(parts.port),
            "DATABASE_USER": parts.username,
            "DATABASE_PASSWORD": parts.password,
            "DATABASE_DATABASE": parts.path[1:],
            "DATABASE_POOL": "1",
        }
        async with visiting(load(Path("/dev/null"), environment)):
            assert speaks() == "postgres"
            row = await fetch_row("SELECT current_setting('application_name') AS name")
            assert row["name"] == "sekisho"

    async def test_lost_connections_are_replaced(self, cut_off):
        """SEC-130"""
        async with visiting(config_of(cut_off, DATABASE_POOL="2")):
            assert await is_reachable()
            await _cut_all(cut_off)
            for _ in range(3):
                if await is_reachable():
                    break
            assert await is_reachable()
            assert len(await fetch("SELECT 1 AS one")) == 1

    async def test_connections_that_were_lost_while_set_aside_are_not_handed_out(self, cut_off):
        """SEC-130"""
        async with visiting(config_of(cut_off, DATABASE_POOL="4")):
            await asyncio.gather(*(fetch_row("SELECT 1 AS one") for _ in range(4)))
            engine = here._open[0]
            assert engine._spares
            lost = [asyncio.Event() for _ in engine.pool._holders]
            for holder, event in zip(engine.pool._holders, lost, strict=True):
                holder._con.add_termination_listener(lambda _, event=event: event.set())
            await _cut_all(cut_off)
            async with asyncio.timeout(5):
                await asyncio.gather(*(event.wait() for event in lost))
            assert await fetch_row("SELECT 1 AS one") is not None

    async def test_who_is_at_work_while_the_pool_closes_comes_to_an_end(self, cut_off):
        """SEC-139"""
        async with visiting(config_of(cut_off, DATABASE_POOL="2")):
            closing = None
            async with asyncio.timeout(5):
                async with transaction():
                    await fetch("CREATE TABLE t (a TEXT)")
                    looking = asyncio.create_task(_outside(fetch_row, "SELECT pg_sleep(0.1)"))
                    await fetch("SELECT pg_sleep(0.05)")
                    closing = asyncio.create_task(here._open[0].close())
                    await fetch("INSERT INTO t VALUES ('kept')")
                await looking
                await closing
        async with visiting(config_of(cut_off)):
            assert [row["a"] for row in await fetch("SELECT a FROM t")] == ["kept"]

    async def test_a_role_that_may_not_do_what_it_must_is_told_so(self, postgres):
        role = f"sekisho_test_{uuid4().hex}"
        right = urlsplit(postgres)
        host = right.netloc.rpartition("@")[2]
        await administer(postgres, f"CREATE ROLE {role} LOGIN PASSWORD 'word'")
        try:
            url = right._replace(netloc=f"{role}:word@{host}").geturl()
            async with visiting(config_of(url, DATABASE_POOL="1")):
                with pytest.raises(DatabaseUnavailable) as refused:
                    await fetch("CREATE TABLE not_allowed (a TEXT)")
                assert "privilege" in str(refused.value)
        finally:
            await administer(postgres, f"DROP ROLE {role}")

    async def test_a_transaction_whose_connection_is_lost_is_told_and_blocks_nobody(self, cut_off):
        """SEC-130"""
        async with visiting(config_of(cut_off, DATABASE_POOL="1")):
            with pytest.raises(DatabaseUnavailable):
                async with transaction():
                    await fetch("SELECT 1")
                    await _cut_all(cut_off)
                    await fetch("SELECT 1")
            async with transaction():
                assert len(await fetch("SELECT 1 AS one")) == 1

    async def test_a_server_that_goes_away_is_told_everywhere(self, postgres):
        """SEC-130: every statement, every look-up and every transaction fails closed."""
        async with _Door(postgres) as door, visiting(config_of(door.url, DATABASE_POOL="1")):
            assert await is_reachable()
            await door.shut()
            assert not await is_reachable()
            for ask in (fetch, fetch_row):
                with pytest.raises(DatabaseUnavailable):
                    await ask("SELECT 1")
            with pytest.raises(DatabaseUnavailable):
                async with transaction():
                    raise AssertionError

    async def test_transactions_leave_connections_to_look_ups(self, postgres):
        """SEC-123: a look-up waits for none of them, however many want to begin."""
        async with visiting(config_of(postgres, DATABASE_POOL="2")):
            begun = []

            async def begin(sql: str) -> None:
                async with transaction():
                    begun.append(await fetch(sql))

            async with transaction():
                await fetch("SELECT 1 AS one")
                waiting = [asyncio.create_task(_outside(begin, "SELECT 1")) for _ in range(3)]
                async with asyncio.timeout(5):
                    for _ in range(3):
                        await asyncio.create_task(_outside(fetch_row, "SELECT 1 AS one"))
                assert begun == []
            await asyncio.gather(*waiting)
            assert len(begun) == 3

    async def test_a_transaction_whose_turn_does_not_come_is_refused(self, postgres):
        """SEC-130"""
        engine = PooledPostgres(config_of(postgres, DATABASE_POOL="1").database, patience=0.5)
        await engine.open()
        try:

            async def begin() -> None:
                async with engine.open_transaction():
                    raise AssertionError

            async with engine.open_transaction():
                with pytest.raises(DatabaseUnavailable):
                    await asyncio.create_task(begin(), context=contextvars.Context())
            async with engine.open_transaction():
                assert len(await engine.fetch("SELECT 1 AS one", ())) == 1
        finally:
            await engine.close()

    async def test_a_closed_pool_is_no_database(self, postgres):
        async with visiting(config_of(postgres, DATABASE_POOL="1")):
            engine = here._open[0]
            await engine.close()
            for ask in (engine.fetch("SELECT 1", ()), engine.fetch_row("SELECT 1", ())):
                with pytest.raises(DatabaseUnavailable):
                    await ask
            with pytest.raises(DatabaseUnavailable):
                async with engine.open_transaction():
                    raise AssertionError
            await engine.close()


class TestSqlite:
    @pytest.mark.parametrize(
        "content", [b"no database at all" * 200, b"SQLite format 3\0" + b"x" * 4096]
    )
    async def test_a_file_that_is_no_database_is_left_as_it_is(self, tmp_path, content):
        file = tmp_path / "data.sqlite"
        file.write_bytes(content)
        with pytest.raises(DatabaseUnavailable) as refused:
            await connect(config_of(f"sqlite:///{file}"))
        assert str(file) in str(refused.value)
        assert file.read_bytes() == content

    async def test_a_file_that_is_damaged_further_in_is_told_when_it_is_met(self, tmp_path):
        file = tmp_path / "data.sqlite"
        async with visiting(config_of(f"sqlite:///{file}")):
            await Migrations(utc_now).up()
            (where,) = await fetch("SELECT rootpage FROM sqlite_master WHERE name = 'app_user'")
        pages = file.read_bytes()
        begin = (where["rootpage"] - 1) * 4096
        file.write_bytes(pages[:begin] + b"\xff" * 4096 + pages[begin + 4096 :])
        async with visiting(config_of(f"sqlite:///{file}")):
            for ask in (fetch, fetch_row):
                with pytest.raises(DatabaseUnavailable):
                    await ask("SELECT * FROM app_user")

    async def test_a_folder_is_no_database(self, tmp_path):
        (tmp_path / "data.sqlite").mkdir()
        with pytest.raises(DatabaseUnavailable):
            await connect(config_of(f"sqlite:///{tmp_path / 'data.sqlite'}"))

    async def test_an_old_library_is_refused(self, tmp_path, monkeypatch):
        monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 37, 2))
        with pytest.raises(DatabaseUnavailable) as refused:
            await connect(config_of(f"sqlite:///{tmp_path / 'data.sqlite'}"))
        assert "too old" in str(refused.value)

    async def test_a_file_that_another_holds_is_told_after_the_wait(self, tmp_path):
        file = tmp_path / "data.sqlite"
        async with visiting(config_of(f"sqlite:///{file}")):
            here._open[0]._main.execute("PRAGMA busy_timeout = 20")
            other = sqlite3.connect(file, isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(DatabaseUnavailable):
                async with transaction():
                    raise AssertionError
            other.execute("ROLLBACK")
            other.close()
            async with transaction():
                await fetch("CREATE TABLE t (a TEXT)")
            assert await fetch("SELECT * FROM t") == []

    async def test_who_opens_a_new_file_beside_another_waits_for_a_turn(self, tmp_path):
        """SEC-135"""
        file = tmp_path / "data.sqlite"
        other = sqlite3.connect(file, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")  # the lock for which SQLite itself would not wait
        engine = LongLivedSqlite(file)
        opening = asyncio.create_task(engine.open())
        await asyncio.wait({opening}, timeout=0.1)
        assert not opening.done()
        other.execute("CREATE TABLE t (a TEXT)")
        other.execute("COMMIT")
        other.close()
        await opening
        assert await engine.fetch("SELECT * FROM t", ()) == []
        await engine.close()

    async def test_a_closed_file_is_no_database(self, tmp_path):
        engine = LongLivedSqlite(tmp_path / "data.sqlite")
        await engine.open()
        await engine.close()
        for sql in ("SELECT 1", "CREATE TABLE t (a TEXT)"):
            with pytest.raises(DatabaseUnavailable):
                await engine.fetch(sql, ())

    async def test_the_file_stands_in_the_data_folder_and_is_for_nobody_else(self, tmp_path):
        """SEC-119"""
        folder = tmp_path / "deep" / "data"
        async with visiting(load(Path("/dev/null"), {"DATA_DIR": str(folder)})):
            assert speaks() == "sqlite"
            assert (folder / "sekisho.sqlite").exists()
            assert folder.stat().st_mode & 0o077 == 0

    async def test_every_acknowledged_write_is_on_the_disk(self, tmp_path):
        """SEC-129"""
        async with visiting(config_of(f"sqlite:///{tmp_path / 'data.sqlite'}")):
            async with transaction():
                (journal,) = await fetch("PRAGMA journal_mode")
                (synchronous,) = await fetch("PRAGMA synchronous")
                (keys,) = await fetch("PRAGMA foreign_keys")
            assert (*journal.values(), *synchronous.values()) == ("wal", 2)
            assert list(keys.values()) == [1]

    async def test_a_reader_cannot_write(self, tmp_path):
        async with visiting(config_of(f"sqlite:///{tmp_path / 'data.sqlite'}")):
            await fetch("CREATE TABLE t (a TEXT)")
            with pytest.raises(sqlite3.OperationalError):
                await fetch("WITH x AS (SELECT 1) INSERT INTO t SELECT 'a' FROM x")
            assert await fetch("SELECT * FROM t") == []


async def test_the_product_opens_says_that_it_is_ready_and_closes(fresh):
    """SEC-140"""
    services = assemble(await fresh())
    async with elsewhere():
        assert not await services.is_ready()
        assert await services.open() == [step.id for step in await services.migrations.status()]
        assert await services.is_ready()
        assert len(services.signing_keys.jwks()["keys"]) == 1
        await services.close()
        await services.close()
        assert not await services.is_ready()
        assert await services.open() == []


class _Door:
    """A way to the test server that can be shut."""

    def __init__(self, url: str) -> None:
        self._there = urlsplit(url)
        self._writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._pass_on, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.shut()

    @property
    def url(self) -> str:
        port = self._server.sockets[0].getsockname()[1]
        who = self._there.netloc.rpartition("@")[0]
        return self._there._replace(netloc=f"{who}@127.0.0.1:{port}").geturl()

    async def shut(self) -> None:
        self._server.close()
        while self._writers:
            self._writers.pop().close()
        await self._server.wait_closed()

    async def _pass_on(self, reader: StreamReader, writer: StreamWriter) -> None:
        there = await asyncio.open_connection(self._there.hostname, self._there.port)
        self._writers += [writer, there[1]]
        await asyncio.gather(_pump(reader, there[1]), _pump(there[0], writer))


async def _pump(reader: StreamReader, writer: StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while some := await reader.read(65536):
            writer.write(some)
            await writer.drain()
    writer.close()


async def _outside(ask: Callable[..., Awaitable[Any]], sql: str) -> Any:
    """Ask as a request of its own would: outside of the transaction that is open here."""
    here._open[0].current_transaction.set(None)
    return await ask(sql)


async def _cut_all(url: str) -> None:
    await administer(
        url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        f"WHERE application_name = 'sekisho' AND datname = '{urlsplit(url).path[1:]}'",
    )


class TestPatience:
    """SEC-130: who waits for the database is told so in the end, whatever it waits for."""

    async def engine(self, postgres):
        engine = PooledPostgres(config_of(postgres, DATABASE_POOL="1").database, patience=0.2)
        await engine.open()
        return engine

    async def test_nobody_waits_for_ever_for_a_free_connection(self, postgres):
        engine = await self.engine(postgres)
        try:
            async with engine.open_transaction():
                for ask in (self.outside(engine.fetch), self.outside(engine.fetch_row)):
                    with pytest.raises(DatabaseUnavailable):
                        await ask
                with pytest.raises(DatabaseUnavailable):
                    await self.outside(self.begin, engine)
            assert await engine.fetch("SELECT 1 AS one", ())
        finally:
            await engine.close()

    async def test_nobody_waits_for_ever_for_an_answer(self, postgres):
        engine = await self.engine(postgres)
        try:
            with pytest.raises(DatabaseUnavailable):
                await engine.fetch("SELECT pg_sleep(5)", ())
            assert await engine.fetch("SELECT 1 AS one", ())
        finally:
            await engine.close()

    @staticmethod
    async def begin(engine):
        async with engine.open_transaction():
            raise AssertionError

    @staticmethod
    async def outside(ask, *given):
        """Ask as another request would, which is not part of the open transaction."""
        context = contextvars.Context()
        args = given or ("SELECT 1 AS one", ())
        return await asyncio.get_running_loop().create_task(ask(*args), context=context)
