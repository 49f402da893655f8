"""The one way to learn the time."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Say what time it is, aware and in UTC."""
    return datetime.now(UTC)
