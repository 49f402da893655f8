from collections.abc import AsyncIterator, Iterator

import pytest
from redis.asyncio import Redis
from services import redis_url


@pytest.fixture(scope="session")
def redis_address() -> Iterator[str]:
    """The URL of a Redis that is ours to fill and empty."""
    with redis_url() as url:
        yield url


@pytest.fixture
async def redis(redis_address: str) -> AsyncIterator[Redis]:
    """A connection to a Redis with nothing in it."""
    client = Redis.from_url(redis_address)
    await client.flushdb()
    yield client
    await client.aclose()
