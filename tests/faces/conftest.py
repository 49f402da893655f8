"""One house for all tests of the faces: to build its doors anew costs more than most of them."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from databases import emptied
from faces.clients import Face

from app.assembly import Services, assemble
from app.config import Config
from app.persistence import fetch

_KEEP_THE_FIRST_KEY = """
DELETE FROM signing_key WHERE id NOT IN (
    SELECT id FROM signing_key WHERE sealed_private_key IS NOT NULL ORDER BY created_at, id LIMIT 1)
"""
"""What tests before these have left in AWS KMS goes."""


@dataclass(frozen=True)
class House:
    """The services over one database, and their two listeners."""

    services: Services
    clock: Any
    public: Face
    admin: Face


@pytest.fixture(scope="session")
async def house(schema: Config, clock_at_start: Any) -> House:
    clock = type(clock_at_start)()
    services = assemble(schema, clock=clock)
    await services.signing_keys.load()
    return House(services, clock, Face(services, "public"), Face(services, "admin"))


@pytest.fixture
def clock(house: House) -> Any:
    """The clock of the services, which stands at now."""
    house.clock.now = datetime.now(UTC)
    return house.clock


@pytest.fixture
async def services(house: House, clock: Any) -> Services:
    """The services over a database with no row in it but their first signing key.

    What the tests before have tried counts no more, and what was noted of it is noted again.
    """
    house.services.rate_limits.memory._entries.clear()
    house.services.rate_limits.noted._entries.clear()
    house.services.secret_keys.refusals.noted._entries.clear()
    await emptied(but="signing_key")
    await fetch(_KEEP_THE_FIRST_KEY)
    await house.services.signing_keys.load()
    return house.services


@pytest.fixture
def public(house: House, services: Services) -> Face:
    """The public listener."""
    return house.public


@pytest.fixture
def admin(house: House, services: Services) -> Face:
    """The admin listener."""
    return house.admin
