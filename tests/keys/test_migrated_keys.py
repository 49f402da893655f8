"""The keys of the first released schema are carried over, and back (SEC-135)."""

import json
from datetime import timedelta
from uuid import UUID

import pytest
from databases import visiting
from keys.lives import LEEWAY, LIFESPAN, published, signer

from app.access import SYSTEM
from app.assembly import assemble
from app.clock import utc_now
from app.ids import new_id
from app.keys import TokenInvalid, pairs
from app.keys.jws import signed
from app.persistence import fetch

_INSERT = """
INSERT INTO signing_key (id, algorithm, state, public_jwk, sealed_private_key, created_at)
VALUES ($1, $2, $3, $4, $5, $6)
"""


@pytest.fixture
async def services(fresh):
    """Services over a database with the schema before keys had times."""
    config = await fresh()
    async with visiting(config):
        assembled = assemble(config)
        steps = await assembled.migrations.up()
        await assembled.migrations.down(len(steps) - 1)
        yield assembled


async def old_row(services, state, algorithm, age):
    """Write a key as the first release did, and give it."""
    pair = pairs.generate(str(new_id()), algorithm)
    place = f"signing_key:{pair.kid}"
    sealed = services.signing_keys.sealer.seal(pairs.private_jwk(pair), place)
    public = json.dumps(pairs.public_jwk(pair))
    await fetch(_INSERT, UUID(pair.kid), algorithm, state, public, sealed, utc_now() - age)
    return pair


async def test_keys_of_the_first_release_go_on(services):
    """SEC-033, SEC-135"""
    retired = await old_row(services, "retired", "RS256", timedelta(days=2))
    active = await old_row(services, "active", "ES256", timedelta(hours=1))
    tokens = [await signed(pair, b'{"a":1}', "JWT") for pair in (retired, active)]
    await services.migrations.up()
    await services.signing_keys.load()
    assert published(services) == [active.kid, retired.kid]
    assert await signer(services) == active.kid
    assert [services.signing_keys.verify(token) for token in tokens] == [{"a": 1}] * 2
    listed = await services.signing_keys.list()
    assert [key.state for key in listed] == ["active", "retired"]
    assert listed[0].published_until is None
    assert listed[1].published_until == listed[0].activates_at + LIFESPAN + LEEWAY


async def test_a_key_whose_tokens_have_all_expired_is_over(services):
    """SEC-033"""
    retired = await old_row(services, "retired", "ES256", timedelta(days=3))
    active = await old_row(services, "active", "ES256", timedelta(days=2))
    token = await signed(retired, b'{"a":1}', "JWT")
    await services.migrations.up()
    await services.signing_keys.load()
    assert published(services) == [active.kid]
    with pytest.raises(TokenInvalid):
        services.signing_keys.verify(token)


async def test_a_next_key_of_the_first_release_waits(services):
    active = await old_row(services, "active", "ES256", timedelta(days=2))
    waiting = await old_row(services, "next", "EdDSA", timedelta(days=1))
    await services.migrations.up()
    await services.signing_keys.load()
    assert await signer(services) == active.kid
    following = await services.signing_keys.rotate(SYSTEM)
    assert (str(following.kid), following.state) == (waiting.kid, "active")


async def test_the_way_back_keeps_the_key_that_signs(services):
    """SEC-135"""
    first = await old_row(services, "active", "ES256", timedelta(days=1))
    steps = await services.migrations.up()
    await services.signing_keys.load()
    second = await services.signing_keys.rotate(SYSTEM, now=True)
    await services.signing_keys.create(SYSTEM)
    await services.migrations.down(len(steps))
    rows = await fetch("SELECT * FROM signing_key ORDER BY created_at")
    assert [(str(row["id"]), row["state"]) for row in rows] == [
        (first.kid, "retired"),
        (str(second.kid), "active"),
    ]
    for row in rows:
        place = f"signing_key:{row['id']}"
        assert json.loads(services.signing_keys.sealer.open(row["sealed_private_key"], place))["d"]
    await services.migrations.up()
    again = assemble(services.config)
    await again.signing_keys.load()
    assert await signer(again) == str(second.kid)
    assert published(again) == [str(second.kid), first.kid]
