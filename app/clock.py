"""The one way to learn the time."""

from collections.abc import Callable
from datetime import UTC, datetime

STORABLE_YEARS = range(1900, 9999)
"""Years that every database keeps as a time; PostgreSQL takes the outermost for infinity."""

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Say what time it is, aware and in UTC."""
    return datetime.now(UTC)
