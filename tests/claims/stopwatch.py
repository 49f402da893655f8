"""Timing what hostile input costs."""

import sys
import time
from collections.abc import Callable

ALLOWED_SECONDS = 0.05


def in_time(action: Callable[[], object]) -> bool:
    """Say whether an action ends in time; a pause of the machine may be made good by a retry."""
    return any(_seconds(action) < ALLOWED_SECONDS for _ in range(3))


def _seconds(action: Callable[[], object]) -> float:
    tracer = sys.gettrace()
    sys.settrace(None)  # a coverage run must not count as our own work
    try:
        start = time.thread_time()
        action()
        return time.thread_time() - start
    finally:
        sys.settrace(tracer)
