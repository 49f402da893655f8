"""Argon2id alone: how many hashes a second this core makes when it does nothing else."""

import sys
import time

import msgspec
from argon2.low_level import Type, hash_secret_raw


class Job(msgspec.Struct, frozen=True):
    """The cost of one hash, as the server's settings say it, and for how long to hash."""

    memory: int
    iterations: int
    parallelism: int
    seconds: float


def rate(job: Job) -> float:
    """Hash until the time is over, and give hashes a second."""
    made, began = 0, time.perf_counter()
    while (passed := time.perf_counter() - began) < job.seconds:
        cost = (job.iterations, job.memory * 1024, job.parallelism)
        hash_secret_raw(b"a lamp in the window", bytes(16), *cost, 32, Type.ID)
        made += 1
    return made / passed


if __name__ == "__main__":
    for line in sys.stdin:
        print(f"{rate(msgspec.json.decode(line, type=Job)):.3f}", flush=True)
