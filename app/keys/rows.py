"""What is stored of the signing keys, and until when each of them is published."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import UUID

from app.keys import timeline
from app.keys.timeline import Life
from app.persistence import Row, exclusive, fetch, transaction

_STORED = """
SELECT id, algorithm, public_jwk, sealed_private_key, kms_key_id, created_at, activates_at,
       published_until
FROM signing_key
"""
_LATEST_END = "SELECT expires_at FROM user_session ORDER BY expires_at DESC LIMIT 1"
_END = "UPDATE signing_key SET published_until = $2 WHERE id = $1"


async def stored() -> Sequence[Row]:
    """Read all signing keys."""
    return await fetch(_STORED)


@asynccontextmanager
async def alone() -> AsyncIterator[None]:
    """Change signing keys as the only replica that does, in one transaction."""
    async with transaction():
        await exclusive("signing_keys")
        yield


async def settle(lifespan: timedelta) -> None:
    """Write down until when each key is published; who does so is alone.

    Args:
        lifespan: How long a token lives at most that is signed from now on.
    """
    lives = lives_of(await stored())
    latest = await fetch(_LATEST_END)
    ends = timeline.ends(lives, lifespan, latest[0]["expires_at"] if latest else None)
    for life in lives:
        end = ends.get(life.kid)
        if end != life.published_until:
            await fetch(_END, life.kid, end)


def lives_of(rows: Sequence[Row]) -> list[Life]:
    """Give the times of keys."""
    names = ("created_at", "activates_at", "published_until")
    return [Life(row["id"], *(row[name] for name in names)) for row in rows]


def place(kid: UUID) -> str:
    """Give the place that a private half is sealed for (see `Sealer`)."""
    return f"signing_key:{kid}"
