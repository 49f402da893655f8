"""What the figures were measured on; no name of a host and no path."""

import asyncio
import os
import platform
import sqlite3
import statistics
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import asyncpg

_PACKAGES = ("uvicorn", "uvloop", "httptools", "asyncpg", "litestar", "strawberry-graphql")
_FLUSHES = 50


def facts(postgres: str, *, pinned: bool) -> list[str]:
    """Describe the machine and what runs on it, a line each."""
    flush = f"a block of 4 KiB written with fsync takes {_flush_time() * 1000:.2f} ms"
    python = f"{platform.python_implementation()} {platform.python_version()}"
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    together = "nothing is pinned to a core: servers, databases and generator share them all"
    apart = "every server on the first core, PostgreSQL and the load generator on the others"
    return [
        f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}; {flush}",
        f"{python}, {packages}",
        f"{asyncio.run(_postgres(postgres))}; SQLite {sqlite3.sqlite_version}",
        apart if pinned else together,
        f"load average before the start: {os.getloadavg()[0]:.1f}; above 0.5 it was shared",
    ]


async def _postgres(url: str) -> str:
    connection = await asyncpg.connect(url)
    try:
        names = ("server_version", "fsync", "synchronous_commit", "shared_buffers")
        shown = [await connection.fetchval(f"SHOW {name}") for name in names]
    finally:
        await connection.close()
    settings = ", ".join(f"{name} {value}" for name, value in zip(names, shown, strict=True))
    return f"PostgreSQL: {settings}"


def _flush_time() -> float:
    """Measure what a durable write costs here: every commit pays it, whoever makes it."""
    taken = []
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "file").open("wb", 0) as file:
        for _ in range(_FLUSHES):
            started = time.perf_counter()
            file.write(bytes(4096))
            os.fsync(file.fileno())
            taken.append(time.perf_counter() - started)
    return statistics.median(taken)
