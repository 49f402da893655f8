"""Identifiers: UUID version 7 where we make them, any version where a caller brings them."""

import os
import time
import uuid


def new_id() -> uuid.UUID:
    """Make a version 7 UUID (RFC 9562 §5.7): 48 bits of milliseconds, then 74 random bits."""
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10))
    high = random >> 68  # 12 bits
    low = random & ((1 << 62) - 1)
    return uuid.UUID(int=milliseconds << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low)


def parse_id(text: str) -> uuid.UUID | None:
    """Read a UUID in its canonical form (lower case, hyphens), or say that it is none (SEC-099)."""
    try:
        value = uuid.UUID(text)
    except ValueError:
        return None
    return value if str(value) == text else None
