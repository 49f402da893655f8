"""Statements over rows whose time is over, run a part at a time.

Anybody can fill some of these tables (SEC-126), and no statement may run for long (SEC-125).
"""

from typing import Any

from app.persistence import fetch

AT_ONCE = 500


async def in_parts(statement: str, *args: Any) -> int:  # noqa: ANN401  # what a column can hold
    """Run a statement again and again until it finds no more, and say how many rows it found.

    Args:
        statement: It takes as many rows as its last parameter says, and gives each of them back.
        args: Its other parameters.
    """
    total = 0
    while True:
        found = len(await fetch(statement, *args, AT_ONCE))
        total += found
        if found < AT_ONCE:
            return total
