"""What tests of the keys' lives say often."""

from datetime import timedelta
from typing import Any

import jwt
from factories import with_config

from app.access import SYSTEM
from app.assembly import Services, assemble
from app.config.sections import KeyManagement, Secrets
from app.keys import SigningKey
from app.persistence import fetch

AHEAD = timedelta(minutes=15)
LIFESPAN = timedelta(hours=12)
LEEWAY = timedelta(seconds=60)


def configured(services: Services, **management: Any) -> Services:
    """Services over the same database, with other key management; nothing is loaded yet."""
    secrets = Secrets(key_management=KeyManagement(**management))
    return assemble(with_config(services, secrets=secrets), clock=services.clock)


async def signer(services: Services) -> str:
    """The `kid` that a new token bears."""
    return str(jwt.get_unverified_header(await services.signing_keys.sign({}))["kid"])


def published(services: Services) -> list[str]:
    """The `kid`s that are published, newest first."""
    return [key["kid"] for key in services.signing_keys.jwks()["keys"]]


async def look(services: Services) -> None:
    """Let a second pass since the rows were last read, and read them."""
    services.signing_keys.reader.ring.read_at -= 1
    await services.signing_keys.refresh()


async def rotated(services: Services, clock: Any) -> SigningKey:
    """Rotate and let the time pass until the new key signs."""
    following = await services.signing_keys.rotate(SYSTEM)
    clock.advance(seconds=(AHEAD + timedelta(seconds=1)).total_seconds())
    return following


async def events() -> list[str]:
    """The types of the records of audit about signing keys."""
    rows = await fetch("SELECT type FROM audit_event")
    return [row["type"] for row in rows if row["type"].startswith("signing_key")]
