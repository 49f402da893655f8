"""Makes and checks password hashes, beside the event loop and never too many at once (SEC-123)."""

import asyncio
import base64
import os
import secrets
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2.low_level import Type, hash_secret

from app.config import sections
from app.credentials.errors import HashingOverloaded
from app.credentials.password_formats import Argon2Hash, StoredHash, parse
from app.telemetry import span

T = TypeVar("T")

DIGEST_SIZE = 32
SALT_SIZE = 16
"""The 128 bits of SEC-034."""

_VERSION = 19  # Argon2 as RFC 9106 has it
_MOST_THREADS = 4
_FURTHER_BACK, _FURTHEST_BACK = 10, 19


class PasswordHasher:
    """Argon2id at the configured cost, in a few threads that leave the processor to others.

    No more work is taken than the threads and the queue before them hold. A check that takes more
    memory than one of our own, as an imported hash can ask for, waits until no other such one runs,
    so that the memory in use stays below threads times cost, and 128 MiB.
    """

    def __init__(self, config: sections.Password) -> None:
        threads = config.hashing.threads or min(_MOST_THREADS, _cores())
        self._cost = config.argon2
        self._memory = config.argon2.memory * 1024
        self._most = threads + config.hashing.queue
        self._held = 0
        self._threads = ThreadPoolExecutor(threads, "passwords", initializer=_step_back)
        self._large = asyncio.Lock()
        self._nobodys = self._hash_of_nobody()

    async def hash(self, password: str) -> str:
        """Hash a password with a new salt.

        Raises:
            HashingOverloaded: The queue is full.
        """
        with span("password hash"):
            return await self.run(lambda: self._hashed(password.encode()))

    async def matches(self, stored: StoredHash, password: bytes) -> bool:
        """Check a password.

        Raises:
            HashingOverloaded: The queue is full.
        """
        large = stored.memory > self._memory
        with span("password check"):
            return await self.run(lambda: stored.matches(password), alone=large)

    async def match_nobody(self, password: bytes) -> None:
        """Take as long as a check takes, where there is nothing to check (SEC-067).

        Raises:
            HashingOverloaded: The queue is full.
        """
        with span("password check"):
            await self.run(lambda: self._nobodys.matches(password))

    def is_weaker(self, stored: StoredHash) -> bool:
        """Say whether a hash falls short of what a new one would be (SEC-034)."""
        if not isinstance(stored, Argon2Hash) or (stored.kind, stored.version) != ("id", _VERSION):
            return True
        cheaper = stored.memory < self._memory or stored.passes < self._cost.iterations
        return cheaper or stored.salt_size < SALT_SIZE or stored.digest_size < DIGEST_SIZE

    @property
    def load(self) -> tuple[int, int]:
        """Say how much work is under way or waits, and how much may be."""
        return self._held, self._most

    async def run(self, work: Callable[[], T], *, alone: bool = False) -> T:
        """Do *work* in one of the threads.

        Args:
            work: What to do there.
            alone: Whether it waits until no other work runs that is alone of its kind.

        Raises:
            HashingOverloaded: The queue is full.
        """
        if self._held >= self._most:
            raise HashingOverloaded
        self._held += 1
        if alone:
            await self._alone()
        done = self._threads.submit(work)
        # Who stops waiting gives no place away before the thread is free again.
        loop = asyncio.get_running_loop()
        done.add_done_callback(lambda _: loop.call_soon_threadsafe(self._leave, alone))
        return await asyncio.wrap_future(done)

    def close(self) -> None:
        """Let the threads go; what still waits is dropped."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _alone(self) -> None:
        try:
            await self._large.acquire()
        except asyncio.CancelledError:
            self._held -= 1
            raise

    def _leave(self, alone: bool) -> None:  # noqa: FBT001  # a callback's argument
        self._held -= 1
        if alone:
            self._large.release()

    def _hashed(self, password: bytes) -> str:
        cost = self._cost
        salt = secrets.token_bytes(SALT_SIZE)
        lanes = cost.parallelism
        return hash_secret(
            password, salt, cost.iterations, self._memory, lanes, DIGEST_SIZE, Type.ID
        ).decode()

    def _hash_of_nobody(self) -> StoredHash:
        """Make up a hash that is like ours and of no password: its digest is drawn by lot."""
        cost, salt, digest = self._cost, _random_text(SALT_SIZE), _random_text(DIGEST_SIZE)
        settings = f"m={self._memory},t={cost.iterations},p={cost.parallelism}"
        return parse(f"$argon2id$v={_VERSION}${settings}${salt}${digest}")


def _random_text(size: int) -> str:
    return base64.b64encode(secrets.token_bytes(size)).decode().rstrip("=")


def _cores() -> int:
    """Say on how many cores this process may run, which can be fewer than there are."""
    if not hasattr(os, "sched_getaffinity"):
        return os.cpu_count() or 1
    return len(os.sched_getaffinity(0))


def _step_back() -> None:
    """Give way to the event loop; Linux alone knows priorities of single threads."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        niceness = os.getpriority(os.PRIO_PROCESS, thread) + _FURTHER_BACK
        os.setpriority(os.PRIO_PROCESS, thread, min(niceness, _FURTHEST_BACK))
