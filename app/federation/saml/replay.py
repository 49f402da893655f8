"""Responses and assertions that were taken: each is taken once, whichever replica gets it."""

import hashlib
from datetime import datetime

from app.clock import Clock
from app.federation.saml.errors import ResponseReplayed
from app.persistence import fetch, transaction
from app.sweeping import in_parts

_TAKE = """
INSERT INTO saml_replay (digest, expires_at) VALUES ($1, $3), ($2, $3)
ON CONFLICT (digest) DO NOTHING RETURNING digest
"""
_BOTH = 2
_SWEEP = """
DELETE FROM saml_replay WHERE digest IN (
    SELECT digest FROM saml_replay WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)
    AND expires_at <= $1
RETURNING digest
"""


async def take_once(issuer: str, response_id: str, assertion_id: str, expires_at: datetime) -> None:
    """Record a response and its assertion, in one step (SEC-091).

    Raises:
        ResponseReplayed: One of the two was recorded before.
    """
    digests = sorted(
        (_digest("response", issuer, response_id), _digest("assertion", issuer, assertion_id))
    )
    async with transaction():
        if len(await fetch(_TAKE, *digests, expires_at)) != _BOTH:
            raise ResponseReplayed


async def sweep(clock: Clock) -> None:
    """Remove the records of what has expired by itself (SEC-126)."""
    await in_parts(_SWEEP, clock())


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
