"""Imports users: streamed, in batches, whole or row by row."""

import asyncio
import gc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from app.access import Actor
from app.audit import AuditLog
from app.clock import Clock
from app.config.sections import Config
from app.credentials.totp import Totp
from app.errors import IdentityError
from app.keyedhash import KeyedHash
from app.persistence import NotUnique, copy_rows, fetch, savepoint, speaks, transaction
from app.transfer.checking import Checking, Problem, problem_of
from app.transfer.conflicts import Conflict, conflicts_of, retired_among
from app.transfer.errors import EntryTaken, FileRefused
from app.transfer.reading import Format, Reading, Source
from app.transfer.records import FORMAT, Header
from app.transfer.rows import COLUMNS, Prepared, Row, names
from app.transfer.updating import Updating
from app.users.errors import UserExists

OnConflict = Literal["fail", "skip", "update"]
KEPT = 1_000
"""Problems that an outcome holds; beyond them they are counted."""

_USERS, _BYTES, _SLICE = 4_000, 4 * 1024 * 1024, 32
_NO_LIMIT = "SET LOCAL statement_timeout = 0"
_PATIENCE = 5  # attempts to write a batch that others write into as well
_OBJECTS = 1_000_000  # more than a batch is made of


@dataclass(frozen=True, slots=True)
class Wishes:
    """How an import goes.

    Attributes:
        on_conflict: What becomes of an entry whose user is there already: the import fails, the
            entry is left out, or the user is changed.
        is_whole: Whether one bad entry undoes everything; else the others are kept.
        is_trial: Whether all is undone in any case.
    """

    on_conflict: OnConflict = "fail"
    is_whole: bool = True
    is_trial: bool = False


@dataclass(slots=True)
class Outcome:
    """What has come of an import, or has so far."""

    format: Format
    entries: int = 0
    imported: int = 0
    updated: int = 0
    skipped: int = 0
    refused: int = 0
    is_kept: bool = False
    problems: list[Problem] = field(default_factory=list)
    unknown_fields: set[str] = field(default_factory=set)


Slice = tuple[list[Prepared | Problem], int]
"""A few entries that were judged, and how many bytes they had."""

_NO_MORE: Slice = ([], 0)
OnProblem = Callable[[Problem], None]
OnProgress = Callable[[int, Outcome], None]


def collect_seldom() -> None:
    """Prepare a process that does nothing but import.

    Users stream by and are in no cycle, so that looking through them for cycles is in vain: what
    was loaded so far is set aside, and a batch is gone before it is looked at.
    """
    gc.freeze()
    gc.set_threshold(_OBJECTS)


class _Undone(Exception):  # no refusal: it ends a transaction
    """Everything was tried, and nothing is to be kept."""


@dataclass(frozen=True, slots=True)
class Importer:
    """Brings users in from a file (SEC-115)."""

    config: Config
    totp: Totp
    seal_mark: KeyedHash
    updating: Updating
    audit: AuditLog
    clock: Clock

    async def run(
        self,
        actor: Actor,
        source: Source,
        wishes: Wishes,
        *,
        on_problem: OnProblem = lambda _: None,
        on_progress: OnProgress = lambda *_: None,
    ) -> Outcome:
        """Import a file.

        It is read once and never held: memory does not grow with it. Users come in by COPY where
        there is PostgreSQL. No mail tells of it, and of events those alone of sessions that end;
        the audit log has one record of it, and one of each user who is changed.

        Args:
            actor: On whose behalf; the audit record names it.
            source: The file.
            wishes: How it goes.
            on_problem: Told of each entry that is not imported, in the file's order within a batch.
            on_progress: Told after each batch how many bytes were read, and what came of them.

        Raises:
            FileRefused: The file as a whole cannot be used. Of a whole import nothing is kept; row
                by row, the batches before are.
        """
        reading = Reading(source)
        self._check_seal(reading.header)
        run = _Run(self, actor, reading, wishes, (on_problem, on_progress))
        if wishes.is_whole or wishes.is_trial:
            await self._as_one(actor, run)
        else:
            try:
                await run.batches()
            finally:  # what was written so far is kept, whatever has ended it
                await self._record(actor, run.outcome)
            run.outcome.is_kept = True
        if run.outcome.is_kept and reading.header is not None and reading.header.sealed_under:
            await self.totp.reseal()
        return run.outcome

    async def _as_one(self, actor: Actor, run: "_Run") -> None:
        """Do everything in one transaction, and keep it if there is nothing to regret."""
        try:
            async with transaction():
                await run.batches()
                run.end_if_undone()
                await self._record(actor, run.outcome)
            run.outcome.is_kept = True
        except _Undone:
            return

    async def _record(self, actor: Actor, outcome: Outcome) -> None:
        async with transaction():
            counts = ("imported", "updated", "skipped", "refused")
            details = {name: getattr(outcome, name) for name in counts}
            await self.audit.record("users_imported", actor, details=details)

    def _check_seal(self, header: Header | None) -> None:
        """Refuse at once what could not be opened line by line.

        Raises:
            FileRefused: The file was written under a secret that is not configured here.
        """
        mark = None if header is None else header.sealed_under
        if mark is not None and not self.seal_mark.recognises(mark, FORMAT):
            raise FileRefused(
                "The file is sealed under another server's encryption secret; add that secret to "
                "secret_keys, behind the first one, and import again."
            )


class _Run:
    """One import under way."""

    def __init__(
        self,
        importer: Importer,
        actor: Actor,
        reading: Reading,
        wishes: Wishes,
        told: tuple[OnProblem, OnProgress],
    ) -> None:
        self._actor, self._updating = actor, importer.updating
        self._reading = reading
        config = importer.config
        caps = config.user_metadata.caps()
        self._checking = Checking(config, caps, importer.totp, importer.clock())
        self.wishes = wishes
        self.outcome = Outcome(reading.format, unknown_fields=self._checking.unknown_fields)
        self._on_problem, self._on_progress = told
        self._expects_conflicts = False

    async def batches(self) -> None:
        """Write batch after batch.

        The next one is judged while PostgreSQL works on this one. SQLite works in this process, in
        a thread that would have to wait its turn after every row.
        """
        slices = self._slices()
        batch = await _next_batch(slices)
        while batch:
            if speaks() == "postgres":
                judging = asyncio.create_task(_next_batch(slices))
                try:
                    await self._take(batch)
                except BaseException:
                    judging.cancel()
                    raise
                upcoming = await judging
            else:
                await self._take(batch)
                upcoming = await _next_batch(slices)
            self._on_progress(self._reading.bytes_read, self.outcome)
            batch = upcoming

    def _slices(self) -> Iterator[Slice]:
        """Judge entries, a few at a time."""
        judged: list[Prepared | Problem] = []
        size = 0
        for entry in self._reading.entries():
            judged.append(self._checking.judge(entry, self._reading.format))
            size += len(entry.raw)
            if len(judged) >= _SLICE:
                yield judged, size
                judged, size = [], 0
        yield judged, size

    def end_if_undone(self) -> None:
        """End the transaction that holds everything, where nothing is to be kept."""
        if self.wishes.is_trial or (self.wishes.is_whole and self.outcome.refused):
            raise _Undone

    async def _take(self, batch: Sequence[Prepared | Problem]) -> None:
        """Write what can be written of a batch, in a transaction of its own or the run's."""
        for one in batch:
            if isinstance(one, Problem):
                self._refuse(one)
        good = [one for one in batch if isinstance(one, Prepared)]
        self.outcome.entries += len(batch)
        if good:
            async with transaction():
                if speaks() == "postgres":
                    await fetch(_NO_LIMIT)
                await self._write(good)

    async def _write(self, batch: list[Prepared]) -> None:
        """Write a batch as if nothing stood in its way; where something does, look what it is."""
        for _ in range(_PATIENCE):
            if self._expects_conflicts:
                batch = await self._without_conflicts(batch)
            try:
                async with savepoint():
                    await _copy(batch)
            except (NotUnique, UserExists):
                self._expects_conflicts = True
            else:
                self.outcome.imported += len(batch)
                return
        raise EntryTaken("Others keep writing what the file holds; import again.")

    async def _without_conflicts(self, batch: list[Prepared]) -> list[Prepared]:
        found = await conflicts_of(batch)
        self._expects_conflicts = bool(found)
        for prepared in batch:
            if prepared.number in found:
                await self._settle(prepared, found[prepared.number])
        return [prepared for prepared in batch if prepared.number not in found]

    async def _settle(self, prepared: Prepared, conflicts: Sequence[Conflict]) -> None:
        """Decide what becomes of an entry whose user, or part of it, is there already."""
        wish = self.wishes.on_conflict
        if wish == "skip":
            self.outcome.skipped += 1
            return
        target = _target(prepared, conflicts) if wish == "update" else None
        if target is None:
            self._refuse(problem_of(prepared, conflicts[0].error))
            return
        try:
            async with savepoint():
                await self._updating.update(self._actor, target, prepared)
        except NotUnique:
            error = next((c.error for c in conflicts if c.owner != target), EntryTaken())
            self._refuse(problem_of(prepared, error))
        except IdentityError as error:
            self._refuse(problem_of(prepared, error))
        else:
            self.outcome.updated += 1

    def _refuse(self, problem: Problem) -> None:
        self.outcome.refused += 1
        if len(self.outcome.problems) < KEPT:
            self.outcome.problems.append(problem)
        self._on_problem(problem)


async def _next_batch(slices: Iterator[Slice]) -> list[Prepared | Problem]:
    """Gather a batch, and let others in between two slices."""
    batch: list[Prepared | Problem] = []
    held = 0
    while len(batch) < _USERS and held < _BYTES:
        judged, size = next(slices, _NO_MORE)
        if not judged:
            break
        batch += judged
        held += size
        await asyncio.sleep(0)
    return batch


async def _copy(batch: Sequence[Prepared]) -> None:
    """Write a batch of new users, table by table.

    Raises:
        NotUnique: Something is taken.
        UserExists: An id was a user's who has been deleted.
    """
    found: dict[str, list[Row]] = {table: [] for table in COLUMNS}
    for one in batch:
        for table, rows in one.rows.items():
            found[table] += rows
    for table, rows in found.items():
        if rows:
            await copy_rows(table, names(table), rows)
    # Only now: the rows have waited for a deletion of such an id that was under way.
    if await retired_among([one.user_id for one in batch]):
        raise UserExists


def _target(prepared: Prepared, conflicts: Sequence[Conflict]) -> UUID | None:
    """Say which user an entry changes: the one of its id, else the one whom it is addressed by."""
    by_id = [c.owner for c in conflicts if (c.claim.table, c.claim.column) == ("app_user", "id")]
    if by_id or prepared.is_named:
        return by_id[0] if by_id else None
    addressed = {c.owner for c in conflicts if c.claim.column in ("address_key", "username_key")}
    return addressed.pop() if len(addressed) == 1 else None
