"""Hashing beside the event loop: where, how many at once, and what happens above that."""

import asyncio
import contextlib
import os
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import pytest

from app.config.sections import Argon2, Password, PasswordHashing
from app.credentials.errors import HashingOverloaded
from app.credentials.password_formats import Argon2Hash, parse
from app.credentials.password_hashing import PasswordHasher

ROOT = Path(__file__).parents[2]


def hasher(threads: int = 1, queue: int = 0, **argon2: int) -> PasswordHasher:
    return PasswordHasher(
        Password(hashing=PasswordHashing(threads=threads, queue=queue), argon2=Argon2(**argon2))
    )


@contextlib.asynccontextmanager
async def occupied(subject: PasswordHasher, count: int):
    """Keep the hasher busy with so much work, which ends when the block does."""
    leave = threading.Event()
    busy = [asyncio.create_task(subject.run(leave.wait)) for _ in range(count)]
    try:
        await asyncio.sleep(0)
        yield
    finally:
        leave.set()
        await asyncio.gather(*busy)


async def _after_a_while(work):
    """Let the loop come round before something is waited for."""
    for _ in range(100):
        await asyncio.sleep(0)
    return await work


class TestHash:
    async def test_a_new_hash_is_argon2id_at_the_configured_cost_sec_034(self):
        stored = parse(await hasher().hash("correct horse"))
        assert isinstance(stored, Argon2Hash)
        assert (stored.kind, stored.version) == ("id", 19)
        assert (stored.memory, stored.passes, stored.lanes) == (19 * 1024, 2, 1)
        assert (stored.salt_size * 8, stored.digest_size * 8) == (128, 256)

    async def test_the_cost_can_be_raised_sec_034(self):
        stored = parse(await hasher(memory=20, iterations=3, parallelism=2).hash("correct horse"))
        assert isinstance(stored, Argon2Hash)
        assert (stored.memory, stored.passes, stored.lanes) == (20 * 1024, 3, 2)

    @pytest.mark.parametrize(
        "cost", [{"memory": 18}, {"iterations": 1}, {"parallelism": 0}, {"memory": 0}]
    )
    def test_the_cost_cannot_be_lowered_sec_034(self, cost):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(cost, Argon2)

    async def test_no_two_hashes_are_alike(self):
        one = hasher(queue=1)
        assert await one.hash("correct horse") != await one.hash("correct horse")

    async def test_nobodys_hash_costs_what_a_new_one_does_sec_067(self):
        subject = hasher(memory=20, iterations=3, parallelism=2)
        nobodys, somebodys = subject._nobodys, parse(await subject.hash("correct horse"))
        assert isinstance(nobodys, Argon2Hash)
        assert isinstance(somebodys, Argon2Hash)
        for name in Argon2Hash.__slots__:
            assert name == "text" or getattr(nobodys, name) == getattr(somebodys, name)
        assert subject._nobodys != hasher()._nobodys

    @pytest.mark.parametrize(
        ("settings", "weaker"),
        [
            ("id$v=19$m=19456,t=2,p=1", False),
            ("id$v=19$m=65536,t=3,p=4", False),
            ("id$v=19$m=19455,t=2,p=1", True),
            ("id$v=19$m=65536,t=1,p=1", True),
            ("id$v=16$m=19456,t=2,p=1", True),
            ("i$v=19$m=65536,t=3,p=1", True),
        ],
    )
    def test_what_falls_short_of_a_new_hash_is_weaker_sec_034(self, settings, weaker):
        digest = "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI"
        text = f"$argon2{settings}$MTIzNDU2Nzg5MDEyMzQ1Ng${digest}"
        assert hasher().is_weaker(parse(text)) is weaker
        assert hasher().is_weaker(parse(text.replace("Ng$", "$")))  # a shorter salt
        assert hasher().is_weaker(parse(text.removesuffix("MTI")[:-2] + "A"))  # a shorter hash


class TestThreads:
    async def test_hashing_runs_on_threads_of_its_own_sec_123(self):
        found = await hasher().run(threading.current_thread)
        assert found is not threading.current_thread()
        assert found.name.startswith("passwords")

    @pytest.mark.skipif(sys.platform != "linux", reason="priorities of threads are Linux's")
    async def test_its_threads_give_way_to_the_event_loop_sec_123(self):
        def niceness() -> int:
            return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

        assert await hasher().run(niceness) == min(niceness() + 10, 19)

    async def test_the_event_loop_comes_round_while_passwords_are_hashed_sec_123(self):
        subject, rounds = hasher(queue=2), 0
        hashing = asyncio.gather(*(subject.hash("correct horse") for _ in range(3)))
        while not hashing.done():
            await asyncio.sleep(0)
            rounds += 1
        assert rounds > 100  # one, and perhaps a few, if hashing held it up

    async def test_no_more_threads_work_than_are_configured_sec_123(self):
        subject, lock, running, most = hasher(2, 20), threading.Lock(), 0, 0

        def work() -> None:
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
            subject._hashed(b"correct horse")
            with lock:
                running -= 1

        await asyncio.gather(*(subject.run(work) for _ in range(12)))
        assert most == 2

    @pytest.mark.parametrize(("cores", "threads"), [({1}, 1), ({0, 3}, 2), (set(range(9)), 4)])
    def test_there_are_as_many_threads_as_cores_for_us_and_four_at_most_sec_123(
        self, monkeypatch, cores, threads
    ):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: cores, raising=False)
        assert hasher(threads=0)._threads._max_workers == threads
        assert hasher(threads=3)._threads._max_workers == 3

    def test_elsewhere_there_are_as_many_as_the_machine_has_sec_123(self, monkeypatch):
        monkeypatch.delattr(os, "sched_getaffinity", raising=False)
        monkeypatch.setattr(os, "cpu_count", lambda: 3)
        assert hasher(threads=0)._threads._max_workers == 3


class TestQueue:
    async def test_above_the_queue_work_is_refused_sec_123(self):
        subject = hasher(2, 1)
        async with occupied(subject, 3):
            with pytest.raises(HashingOverloaded) as refused:
                await subject.hash("correct horse")
            assert refused.value.retry_after == 1
            with pytest.raises(HashingOverloaded):
                await subject.match_nobody(b"correct horse")
        assert await subject.hash("correct horse")

    async def test_work_that_nobody_waits_for_any_longer_leaves_the_queue_sec_123(self):
        subject = hasher(1, 1)
        async with occupied(subject, 1):
            waiting = asyncio.create_task(subject.hash("correct horse"))
            await asyncio.sleep(0)
            with pytest.raises(HashingOverloaded):
                await subject.hash("correct horse")
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            next_one = asyncio.create_task(subject.hash("correct horse"))
            await asyncio.sleep(0)
        assert await next_one

    async def test_a_thread_that_nobody_waits_for_any_longer_keeps_its_place_sec_123(self):
        subject, leave, started = hasher(2, 0), threading.Event(), threading.Event()

        def work() -> None:
            started.set()
            leave.wait()

        left = [asyncio.create_task(subject.run(work, alone=True)) for _ in range(2)]
        await asyncio.to_thread(started.wait)
        for task in left:
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        started.clear()
        again = asyncio.create_task(subject.run(work, alone=True))
        with pytest.raises(HashingOverloaded):  # the one that runs, and the new one
            await _after_a_while(subject.hash("correct horse"))
        assert not started.is_set()
        leave.set()
        await again

    async def test_work_that_fails_leaves_the_queue_too(self):
        subject = hasher()

        def fail() -> None:
            raise ZeroDivisionError

        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                await subject.run(fail)
        assert await subject.hash("correct horse")

    async def test_large_checks_wait_for_one_another_and_count_as_waiting_sec_123(self):
        subject, leave, running = hasher(3, 0), threading.Event(), []

        def work() -> None:
            running.append(threading.current_thread())
            leave.wait()

        large = [asyncio.create_task(subject.run(work, alone=True)) for _ in range(3)]
        for _ in range(100):
            await asyncio.sleep(0)
        assert len(running) <= 1
        with pytest.raises(HashingOverloaded):
            await subject.run(work, alone=True)
        leave.set()
        await asyncio.gather(*large)
        assert len(running) == 3

    async def test_after_the_end_nothing_is_hashed(self):
        subject = hasher()
        await subject.hash("correct horse")
        subject.close()
        with pytest.raises(RuntimeError):
            await subject.hash("correct horse")


MEASURE = """
import asyncio
from app.config.sections import Argon2, Password, PasswordHashing
from app.credentials.password_formats import parse
from app.credentials.password_hashing import PasswordHasher

def peak():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))

async def main():
    settings = PasswordHashing(threads=2, queue=50)
    hasher = PasswordHasher(Password(hashing=settings, argon2=Argon2(memory=24)))
    before = peak()
    await asyncio.gather(*(hasher.hash("correct horse") for _ in range(10)))
    ours = peak() - before
    large = parse("$argon2id$v=19$m=102400,t=2,p=8$c2FsdHNhbHQ$MTIzNDU2Nzg5MDEyMzQ1Ng")
    works = [hasher.matches(large, b"x") for _ in range(4)]
    await asyncio.gather(*works, *(hasher.hash("correct horse") for _ in range(10)))
    print(ours, peak() - before)

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells the peak")
def test_memory_stays_below_threads_times_cost_and_128_mib_sec_123():
    command = [sys.executable, "-c", MEASURE]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True)
    ours, with_imported = (int(number) / 1024 for number in ran.stdout.split())
    assert 24 <= ours < 2 * 24 + 16
    assert 100 <= with_imported < 2 * 24 + 128
