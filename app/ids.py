"""Identifiers: UUID version 7 where we make them, any version where a caller brings them."""

import os
import time
import uuid


def new_id() -> uuid.UUID:
    """Make a version 7 UUID (RFC 9562 §5.7): 48 bits of milliseconds, 12 of their parts, 62 random.

    The parts of a millisecond (§6.2, method 3) keep what one process makes in its order.
    """
    milliseconds, rest = divmod(time.time_ns(), 1_000_000)
    part = (rest << 12) // 1_000_000
    random = int.from_bytes(os.urandom(8)) >> 2
    return uuid.UUID(int=milliseconds << 80 | 0x7 << 76 | part << 64 | 0b10 << 62 | random)


def parse_id(text: str) -> uuid.UUID | None:
    """Read a UUID in its canonical form (lower case, hyphens), or say that it is none (SEC-099)."""
    try:
        value = uuid.UUID(text)
    except ValueError:
        return None
    return value if str(value) == text else None
