"""Brings the schema up to date, once, whoever comes first (SEC-135).

A migration is one file in `piccolo_migrations/`, in Piccolo's own format: an `ID` and a function
that returns a `MigrationManager` with what to run forwards and backwards. We run what the manager
holds ourselves, because Piccolo's runner prints, opens a transaction for each file and takes no
lock: here all that is missing is applied in one transaction under one lock, and the history is
compared first, so that a database made by a newer version or by an altered file is left alone.
"""

import hashlib
import importlib
import inspect
import pkgutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from types import ModuleType
from typing import Any

from app.clock import Clock
from app.persistence.database import exclusive, fetch, speaks, transaction
from app.persistence.engine import Dialect
from app.persistence.errors import DatabaseUnavailable, SchemaRefused

PACKAGE = "piccolo_migrations"
_HISTORY = """
CREATE TABLE IF NOT EXISTS schema_migration (
    id TEXT NOT NULL CONSTRAINT schema_migration__id PRIMARY KEY,
    checksum TEXT NOT NULL,
    applied_at TIMESTAMPTZ NOT NULL
)
"""
_HISTORY_EXISTS: dict[Dialect, str] = {
    "sqlite": "SELECT name FROM sqlite_master WHERE name = 'schema_migration'",
    "postgres": "SELECT c FROM to_regclass('schema_migration') AS c WHERE c IS NOT NULL",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One migration: its id, what it does, and when it was applied, if it was."""

    id: str
    description: str
    applied_at: datetime | None


@dataclass(frozen=True, slots=True)
class Migrations:
    """The way from an empty database to the schema of this version."""

    clock: Clock

    async def up(self) -> list[str]:
        """Apply what is missing and give the ids of what was applied.

        Raises:
            SchemaRefused: The history is not a beginning of ours, or what is there is in the way.
        """
        async with transaction():
            await _begin()
            done = await self._history()
            missing = _modules()[len(done) :]
            for module in missing:
                await self._apply(module)
        return [module.ID for module in missing]

    async def down(self, steps: int) -> list[str]:
        """Undo the last *steps* migrations and give their ids, newest first."""
        async with transaction():
            await _begin()
            done = await self._history()
            undone = _modules()[: len(done)][::-1][:steps]
            for module in undone:
                manager = await module.forwards()
                await _run(module, manager.raw_backwards)
                await fetch("DELETE FROM schema_migration WHERE id = $1", module.ID)
        return [module.ID for module in undone]

    async def status(self) -> list[Step]:
        """List every migration, oldest first."""
        done = await self._history() if await fetch(_HISTORY_EXISTS[speaks()]) else []
        applied = {row["id"]: row["applied_at"] for row in done}
        return [Step(m.ID, m.DESCRIPTION, applied.get(m.ID)) for m in _modules()]

    async def is_current(self) -> bool:
        """Say whether nothing is missing; what a newer version has added is no matter."""
        if not await fetch(_HISTORY_EXISTS[speaks()]):
            return False
        applied = {row["id"] for row in await fetch("SELECT id FROM schema_migration")}
        return all(module.ID in applied for module in _modules())

    async def _apply(self, module: ModuleType) -> None:
        manager = await module.forwards()
        await _run(module, manager.raw)
        await fetch(
            "INSERT INTO schema_migration (id, checksum, applied_at) VALUES ($1, $2, $3)",
            module.ID,
            _checksum(module),
            self.clock(),
        )

    async def _history(self) -> Sequence[Any]:
        done = await fetch("SELECT id, checksum, applied_at FROM schema_migration ORDER BY id")
        ours = [(module.ID, _checksum(module)) for module in _modules()]
        for n, row in enumerate(done):
            if n >= len(ours) or row["id"] != ours[n][0]:
                raise SchemaRefused(f"The database has migration {row['id']}, unknown here.")
            if row["checksum"] != ours[n][1]:
                raise SchemaRefused(f"Migration {row['id']} was altered after it was applied.")
        return done


async def _begin() -> None:
    """Let one replica in, and let it take the time it needs."""
    if speaks() == "postgres":
        await fetch("SET LOCAL statement_timeout = 0")
    await exclusive("migrations")
    if not await fetch(_HISTORY_EXISTS[speaks()]):
        await fetch(_HISTORY)


async def _run(module: ModuleType, steps: Sequence[Any]) -> None:
    try:
        for step in steps:
            outcome = step()
            if inspect.isawaitable(outcome):
                await outcome
    except DatabaseUnavailable:
        raise
    except Exception as error:  # in the driver's words, which tell what is in the way
        reason = str(error.__cause__ or error).partition("\n")[0]  # without the rows it is about
        raise SchemaRefused(f"Migration {module.ID} fails here: {reason}.") from error


def _modules() -> list[ModuleType]:
    package = importlib.import_module(PACKAGE)
    names = sorted(item.name for item in pkgutil.iter_modules(package.__path__))
    return [importlib.import_module(f"{PACKAGE}.{name}") for name in names]


def _checksum(module: ModuleType) -> str:
    return hashlib.sha256(inspect.getsource(module).encode()).hexdigest()
