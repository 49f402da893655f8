"""Starts the processes that are measured, each on its core, and ends them by their own id."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

T = TypeVar("T")

ROOT = Path(__file__).parents[1]
PATIENCE = 30.0
_HANDED_ON = ("HOME", "LANG", "LD_LIBRARY_PATH", "PATH", "PYTHONPATH", "TMPDIR")
"""Of our environment no more than this, so that no setting lying about changes a figure."""


def cores() -> tuple[set[int], set[int]]:
    """Say where servers run, and where everything else does; the same where there is one core."""
    if not hasattr(os, "sched_getaffinity"):
        return set(), set()
    present = sorted(os.sched_getaffinity(0))
    return {present[0]}, set(present[1:] or present)


def keep_off(servers: set[int], others: set[int]) -> None:
    """Leave the servers' core alone, now and in whatever this process starts."""
    if servers != others:
        os.sched_setaffinity(0, others)


@contextmanager
def python(
    arguments: Sequence[str],
    log: Path,
    core: set[int],
    environment: Mapping[str, str] | None = None,
    *,
    talks: bool = False,
) -> Iterator[subprocess.Popen[str]]:
    """Run Python with some arguments until the block ends; one that talks is heard by us."""
    variables = {name: os.environ[name] for name in _HANDED_ON if name in os.environ}  # noqa: TID251
    with (
        log.open("ab") as written,
        subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=variables | dict(environment or {}),
            text=True,
            stdin=subprocess.PIPE if talks else subprocess.DEVNULL,
            stdout=subprocess.PIPE if talks else written,
            stderr=written,
            start_new_session=True,  # a Ctrl-C is for us, and we end what we have started
        ) as process,
    ):
        try:
            if core:
                os.sched_setaffinity(process.pid, core)
            yield process
        finally:
            _end(process)


def tell(process: subprocess.Popen[str], order: msgspec.Struct) -> None:
    """Give an order, as a line of JSON, to a process that talks."""
    assert process.stdin is not None
    process.stdin.write(msgspec.json.encode(order).decode() + "\n")
    process.stdin.flush()


def hear(process: subprocess.Popen[str], log: Path, kind: type[T]) -> T:
    """Wait for what came of an order.

    Raises:
        RuntimeError: The process has ended.
    """
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"{process.args!r} has ended:\n{log.read_text()[-3000:]}")
    return msgspec.json.decode(line, type=kind)


def wait_for(port: int, process: subprocess.Popen[str], log: Path) -> None:
    """Wait until something listens.

    Raises:
        RuntimeError: The process has ended, or takes too long.
    """
    deadline = time.monotonic() + PATIENCE
    while not _listens(port):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{process.args!r} did not start:\n{log.read_text()[-3000:]}")
        time.sleep(0.01)


def first_answer(port: int, request: str) -> None:
    """Send a request and wait for its answer.

    Raises:
        RuntimeError: The answer is not what was hoped for.
    """
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        connection.sendall(request.encode())
        answer = connection.recv(4096)
    if not answer.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"the first answer was wrong: {answer!r}")


def free_port() -> int:
    """Find a port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def memory(pid: int) -> float | None:
    """Give a process's proportional set size in MiB, where the system tells it."""
    file = Path(f"/proc/{pid}/smaps_rollup")
    if not file.exists():
        return None
    lines = (line.split() for line in file.read_text().splitlines())
    return next(int(parts[1]) / 1024 for parts in lines if parts[0] == "Pss:")


def _listens(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def _end(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
