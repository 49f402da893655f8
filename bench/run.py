"""One run: fill the databases, start everything, measure, describe."""

import asyncio
import contextlib
import importlib.util
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bench import (
    alike,
    comparisons,
    data,
    engines,
    importing,
    machine,
    minting,
    processes,
    report,
    signing_in,
    signing_in_report,
    starting,
    targets,
)
from bench.comparisons import Stage
from bench.data import Filled
from bench.generator import Generator, generator
from bench.postgres import postgres_url
from bench.report import Findings
from bench.rounds import Comparison, Measured, Pace, measure
from bench.signing_in import SignedIn
from bench.targets import Target

Running = tuple[Filled, Target]

_PATIENCE = 1_800
_IMPORTS = 3


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured."""

    pace: Pace
    users: int
    sqlite_users: int
    few_users: int = 1_000
    times: int = 300


FULL = Size(Pace(rounds=9, seconds=1.5, warm_up=0.25), users=1_000_000, sqlite_users=100_000)
SMALL = Size(
    Pace(rounds=5, seconds=0.6, warm_up=0.15), users=100_000, sqlite_users=20_000, times=60
)


class Bench:
    """One run; whatever it starts ends with the stack."""

    def __init__(self, size: Size, folder: Path, stack: contextlib.ExitStack) -> None:
        self._size, self._folder, self._stack = size, folder, stack
        self._core, others = processes.cores()
        processes.keep_off(self._core, others)
        self._pinned = self._core != others
        self._empty = folder / "empty.yaml"
        self._empty.write_text("")
        self._mail_port = processes.free_port()
        self._generator: Generator = stack.enter_context(generator(folder))

    def run(self, command: str, *, everything: bool) -> dict[str, str]:
        """Measure everything, or signing in alone, and give the parts of the report by name."""
        url = self._stack.enter_context(postgres_url())
        facts = machine.facts(url, pinned=self._pinned)
        pace = self._size.pace
        parts = {}
        if everything:
            filled = [*self._postgres(url), *self._sqlite()]
            starts = [self._start(one) for one in filled[::2]]
            stages = [self._stage(*filled[:2]), self._stage(*filled[2:])]
            wanted = [one for stage in stages for one in comparisons.of(stage)]
            measured = [self._measure(one) for one in [*wanted, comparisons.across(*stages)]]
            compared, minted = self._engines(filled[2]), self._minting()
            parts["bench"] = report.document(
                Findings(command, pace, facts, measured, compared, minted, starts)
            )
            running = [(stage.large, stage.server) for stage in stages]
            parts["importing"] = self._imports(command, url, facts)
        else:
            filled = [self._postgres(url)[0], self._sqlite()[0]]
            enter = self._stack.enter_context
            running = [(one, enter(self._server(one, "large"))) for one in filled]
        signed_in, told = self._sign_in(running), self._alike(running)
        parts["signing-in"] = signing_in_report.document(command, pace, facts, signed_in, told)
        return parts

    def run_imports(self, command: str) -> dict[str, str]:
        """Measure imports alone, and give their part of the report."""
        url = self._stack.enter_context(postgres_url())
        facts = machine.facts(url, pinned=self._pinned)
        return {"importing": self._imports(command, url, facts)}

    def _imports(self, command: str, server: str, facts: list[str]) -> str:
        database = f"sekisho_bench_import_{os.getpid()}"
        url = asyncio.run(data.create_database(server, database))
        self._stack.callback(_drop, server, database)
        found = [
            self._import("PostgreSQL", url, self._size.users),
            self._import(
                "SQLite", f"sqlite:///{self._folder}/import.sqlite", self._size.sqlite_users
            ),
        ]
        return importing.document(command, facts, found)

    def _import(self, kind: str, url: str, users: int) -> importing.Found:
        file = self._folder / f"import-{kind}.ndjson"
        importing.write_file(file, users)
        environment = targets.environment(url, self._folder / f"import-{kind}", self._mail_port)
        pairs = []
        for number in range(_IMPORTS):
            _say(f"{kind}: importing {users:,} users, and copying as many ({number + 1})")
            jobs = [
                importing.Job(way, environment, str(self._empty), str(file), users)
                for way in ("bare", "import")
            ]
            answers = [self._answer("importing", job, self._core) for job in jobs]
            bare, done = (msgspec.json.decode(one, type=importing.Done) for one in answers)
            pairs.append((bare, done))
        file.unlink()
        return importing.Found(kind, users, pairs)

    def _postgres(self, server: str) -> list[Filled]:
        made = []
        for name, users in (("large", self._size.users), ("small", self._size.few_users)):
            database = f"sekisho_bench_{name}_{os.getpid()}"
            url = asyncio.run(data.create_database(server, database))
            self._stack.callback(_drop, server, database)
            made.append(self._fill("PostgreSQL", name, url, users))
        return made

    def _sqlite(self) -> list[Filled]:
        sizes = (("large", self._size.sqlite_users), ("small", self._size.few_users))
        return [
            self._fill("SQLite", name, f"sqlite:///{self._folder / name}.sqlite", users)
            for name, users in sizes
        ]

    def _fill(self, kind: str, name: str, url: str, users: int) -> Filled:
        _say(f"loading {users:,} users into {kind}")
        environment = targets.environment(url, self._folder / f"{kind}-{name}", self._mail_port)
        return asyncio.run(data.fill(kind, users, environment, self._empty))

    def _start(self, filled: Filled) -> starting.Started:
        _say(f"starting the server on {filled.name}")
        log = self._log(f"start-{filled.name}")
        return starting.measure(self._generator, filled, self._empty, log, self._core)

    def _stage(self, large: Filled, small: Filled) -> Stage:
        kind, enter = large.name, self._stack.enter_context
        return Stage(
            kind,
            large,
            small,
            floor=enter(targets.own("bench.floor", large, self._log(f"floor-{kind}"), self._core)),
            bare=self._bare(large),
            server=enter(self._server(large, "large")),
            server_on_small=enter(self._server(small, "small")),
            stock=self._stock(large),
        )

    def _server(
        self, filled: Filled, name: str
    ) -> contextlib.AbstractContextManager[targets.Target]:
        log = self._log(f"server-{filled.name}-{name}")
        return targets.server(filled, self._empty, log, self._core)

    def _bare(self, filled: Filled) -> targets.Target | None:
        if filled.name == "SQLite":
            return None
        own = targets.own("bench.floor", filled, self._log("bare"), self._core, pool=False)
        return self._stack.enter_context(own)

    def _stock(self, filled: Filled) -> targets.Target | None:
        if filled.name == "SQLite" and not _has_aiosqlite():
            return None
        own = targets.own("bench.stock", filled, self._log(f"stock-{filled.name}"), self._core)
        return self._stack.enter_context(own)

    def _measure(self, comparison: Comparison) -> Measured:
        names = ", ".join(trial.name for trial in comparison.trials)
        _say(f"{comparison.database}, {comparison.connections} connections: {names}")
        return measure(self._generator, comparison, self._size.pace)

    def _sign_in(self, running: list[Running]) -> list[SignedIn]:
        entered = signing_in.people(self._folder, self._core, self._mail_port)
        who = self._stack.enter_context(entered)
        found = []
        for filled, target in running:
            _say(f"{filled.name}: signing in by password and by passcode")
            pace = self._size.pace
            found.append(signing_in.measure(self._generator, who, target, filled, pace))
        return found

    def _alike(self, running: list[Running]) -> dict[str, alike.Seconds]:
        found = {}
        for filled, target in running:
            _say(f"{filled.name}: known and unknown accounts, {self._size.times} times each")
            some = data.with_passwords(filled.users)
            job = alike.Job(target.port, (some.start, some.stop), (0, some.start), self._size.times)
            answer = self._answer("alike", job, set())
            found[filled.name] = msgspec.json.decode(answer, type=alike.Seconds)
        return found

    def _engines(self, filled: Filled) -> dict[str, list[engines.Taken]]:
        if not _has_aiosqlite():
            _say("Piccolo's own SQLite engine needs aiosqlite, which is not installed: left out")
            return {}
        _say("SQLite: our engine and Piccolo's own")
        ids = [signed.user for signed in filled.signed]
        job = engines.Job(filled.url.removeprefix("sqlite:///"), ids, self._size.pace.rounds, 200)
        return self._in_process("engines", job)

    def _minting(self) -> dict[str, list[engines.Taken]]:
        _say("minting a token with claims, and signing alone")
        return self._in_process("minting", minting.Job(self._size.pace.rounds, 500))

    def _in_process(self, name: str, job: msgspec.Struct) -> dict[str, list[engines.Taken]]:
        answer = self._answer(name, job, self._core)
        return msgspec.json.decode(answer, type=dict[str, list[engines.Taken]])

    def _answer(self, name: str, job: msgspec.Struct, core: set[int]) -> str:
        log = self._log(name)
        arguments = ["-m", f"bench.{name}", msgspec.json.encode(job).decode()]
        with processes.python(arguments, log, core, talks=True) as process:
            answer, _ = process.communicate(timeout=_PATIENCE)
        if process.returncode:
            raise RuntimeError(f"{name} could not be measured:\n{log.read_text()[-3000:]}")
        return answer

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}.log"


def _drop(server: str, database: str) -> None:
    asyncio.run(data.drop_database(server, database))


def _has_aiosqlite() -> bool:
    return importlib.util.find_spec("aiosqlite") is not None


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)
