"""The command line in this process: as `main` runs it, with its variables and its folder."""

import io
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from piccolo.conf.apps import table_finder

from app import logs
from app.cli import main
from app.config import settings
from app.persistence import database


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended, and what it said."""

    status: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """The one line on standard error that a refusal is."""
        (line,) = self.err.splitlines()
        return line


@pytest.fixture
def sekisho(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Outcome]:
    """Runs a command in an empty folder; keywords are variables, `typed` is what is typed."""
    folder = tmp_path / "cwd"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "100")
    for variable in {variable for setting in settings() for variable in setting.variables}:
        monkeypatch.delenv(variable, raising=False)

    def run(*arguments: str, typed: str = "", **environment: str) -> Outcome:
        variables = {"DATA_DIR": str(tmp_path / "data")} | environment
        capsys.readouterr()
        with pytest.MonkeyPatch.context() as patch, _beside_the_shared_database(), _in_time():
            for name, value in variables.items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["sekisho", *arguments])
            patch.setattr(sys, "stdin", io.StringIO(typed))
            status = _status_of_main()
        return Outcome(status, *capsys.readouterr())

    return run


def _status_of_main() -> int:
    try:
        main()
    except SystemExit as end:
        assert isinstance(end.code, int)
        return end.code
    return 0


@contextmanager
def _beside_the_shared_database() -> Iterator[None]:
    """Let a command open and close a database, and then give the tests theirs back."""
    shared = database._open[:]
    database._open.clear()
    try:
        yield
    finally:
        assert database._open == [], "the command left a database open"
        database._open[:] = shared
        for table in table_finder(list(database.TABLES)) if shared else ():
            table._meta.db = shared[0]
        logs.configure("ERROR")


@contextmanager
def _in_time() -> Iterator[None]:
    """Press Ctrl-C where a server starts that should have been refused."""
    before = signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
    signal.alarm(20)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
