"""What an import costs: a file of users with an address and three bags, beside a bare copy.

The bare copy hands the very same rows, made ready outside of the clock, to the driver: to COPY by
`copy_records_to_table`, or to `executemany` on SQLite. The import reads the file, judges every
entry, and writes. Each is a process of its own, so that its peak of memory can be told.
"""

import asyncio
import resource
import sqlite3
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import asyncpg
import msgspec

from app.access import SYSTEM
from app.assembly import assemble
from app.config import load
from app.persistence import fetch, speaks
from app.transfer import Wishes, collect_seldom
from app.transfer.records import FORMAT, VERSION, EmailRecord, Header, UserRecord
from bench import report, rows

_AT_ONCE = 10_000
_EMPTY = ("user_metadata", "email", "app_user")


class Job(msgspec.Struct, frozen=True):
    """The one argument, as JSON."""

    kind: Literal["import", "bare"]
    environment: dict[str, str]
    empty: str
    file: str
    users: int


class Done(msgspec.Struct, frozen=True):
    """What it took: seconds, and the most MiB that were resident, those of a start included."""

    seconds: float
    memory: float
    memory_before: float


@dataclass(frozen=True, slots=True)
class Found:
    """What a database took: pairs of a bare copy and an import, one after the other."""

    database: str
    users: int
    pairs: list[tuple[Done, Done]]


def document(command: str, facts: Sequence[str], found: Sequence[Found]) -> str:
    """Write the part of the report."""
    titles = ["database", "users", "import, users/s", "bare copy, users/s", "import ÷ bare copy"]
    titles += ["range", "goal", "memory, MiB: before", "at its peak"]
    parts = [
        f"`{command}`, {datetime.now(UTC):%d %B %Y}.",
        "\n".join(f"- {fact}" for fact in facts),
        report.table(titles, [_line(one) for one in found]),
    ]
    return "\n\n".join(parts)


def _line(found: Found) -> list[str]:
    bare = [found.users / one.seconds for one, _ in found.pairs]
    done = [found.users / one.seconds for _, one in found.pairs]
    ratios = [ours / theirs for ours, theirs in zip(done, bare, strict=True)]
    before = statistics.median(one.memory_before for _, one in found.pairs)
    peak = max(one.memory for _, one in found.pairs)
    rates = [f"{statistics.median(rates):,.0f}" for rates in (done, bare)]
    ratio = [f"**{statistics.median(ratios):.2f}**", report.span(ratios)]
    goal = "≥ 0.5" if found.database == "PostgreSQL" else ""
    memory = [f"{before:.0f}", f"{peak:.0f}"]
    return [found.database, f"{found.users:,}", *rates, *ratio, goal, *memory]


def write_file(file: Path, users: int) -> None:
    """Write the users of the bench as an export would have them."""
    encode = msgspec.json.Encoder().encode
    with file.open("wb") as written:
        header = Header(format=FORMAT, version=VERSION, users=users)
        written.write(encode(header) + b"\n")
        for number in range(users):
            written.write(encode(_record(number)) + b"\n")


def carry_out(job: Job) -> Done:
    """Import, or copy, into empty tables."""
    asyncio.run(_prepare(job))
    before = _resident()
    if job.kind == "import":
        seconds = asyncio.run(_import(job))
    elif job.environment["DATABASE_URL"].startswith("sqlite"):
        seconds = _bare_sqlite(job)
    else:
        seconds = asyncio.run(_bare_postgres(job))
    return Done(seconds, _resident(), before)


async def _prepare(job: Job) -> None:
    services = assemble(load(Path(job.empty), job.environment))
    try:
        await services.open()
        for table in _EMPTY:
            await _emptied(table)
    finally:
        await services.close()


async def _emptied(table: str) -> None:
    await fetch(f"TRUNCATE {table} CASCADE" if speaks() == "postgres" else f"DELETE FROM {table}")


async def _import(job: Job) -> float:
    services = assemble(load(Path(job.empty), job.environment))
    try:
        await services.open()
        collect_seldom()  # as the command does
        started = time.perf_counter()
        with Path(job.file).open("rb") as file:  # noqa: ASYNC230  # as the command does
            outcome = await services.importer.run(SYSTEM, file, Wishes())
        seconds = time.perf_counter() - started
    finally:
        await services.close()
    assert (outcome.imported, outcome.is_kept) == (job.users, True), outcome
    return seconds


async def _bare_postgres(job: Job) -> float:
    connection = await asyncpg.connect(job.environment["DATABASE_URL"])
    seconds = 0.0
    try:
        transaction = connection.transaction()
        await transaction.start()
        for table, records in _batches(job.users):
            columns = rows.COLUMNS[table].split(", ")
            started = time.perf_counter()
            await connection.copy_records_to_table(table, records=records, columns=columns)
            seconds += time.perf_counter() - started
        started = time.perf_counter()
        await transaction.commit()
        return seconds + time.perf_counter() - started
    finally:
        await connection.close()


def _bare_sqlite(job: Job) -> float:
    path = job.environment["DATABASE_URL"].removeprefix("sqlite:///")
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA foreign_keys = 1")
    connection.execute("PRAGMA synchronous = FULL")
    seconds = 0.0
    try:
        connection.execute("BEGIN IMMEDIATE")
        for table, records in _batches(job.users):
            columns = rows.COLUMNS[table]
            marks = ", ".join("?" for _ in columns.split(", "))
            started = time.perf_counter()
            connection.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", records)
            seconds += time.perf_counter() - started
        started = time.perf_counter()
        connection.execute("COMMIT")
        return seconds + time.perf_counter() - started
    finally:
        connection.close()


def _batches(users: int) -> Iterator[tuple[str, list[tuple[Any, ...]]]]:
    for start in range(0, users, _AT_ONCE):
        records = [_record(n) for n in range(start, min(start + _AT_ONCE, users))]
        yield "app_user", [(r.id, r.name, r.locale, r.created_at, r.updated_at) for r in records]
        yield (
            "email",
            [
                (e.id, r.id, e.address, e.address, True, True, e.created_at, e.updated_at)
                for r in records
                for e in r.emails
            ],
        )
        yield "user_metadata", [(r.id, *_bags(r), 1) for r in records]


def _bags(record: UserRecord) -> Iterator[str]:
    for name in ("public_metadata", "private_metadata", "unsafe_metadata"):
        yield bytes(getattr(record, name)).decode()


def _record(number: int) -> UserRecord:
    user_id, made = rows.user_id(number), rows.made(number)
    email = EmailRecord(
        id=UUID(int=user_id.int ^ 1 << 61),
        address=rows.address(number),
        is_primary=True,
        is_verified=True,
        created_at=made,
        updated_at=made,
    )
    _, public, private, unsafe, version = next(
        iter(rows.values("user_metadata", range(number, number + 1)))
    )
    return UserRecord(
        id=user_id,
        name=f"User {number}",
        locale="en-GB",
        created_at=made,
        updated_at=made,
        emails=(email,),
        public_metadata=msgspec.Raw(public.encode()),
        private_metadata=msgspec.Raw(private.encode()),
        unsafe_metadata=msgspec.Raw(unsafe.encode()),
        metadata_version=int(version),
    )


def _resident() -> float:
    """Give the most MiB that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    given = msgspec.json.decode(sys.argv[1], type=Job)
    print(msgspec.json.encode(carry_out(given)).decode())
