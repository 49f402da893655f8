"""Whole ceremonies through the service, for tests that falsify one part of them."""

import json
from typing import Any
from uuid import UUID

from credentials.authenticator import Authenticator

from app.access import SYSTEM
from app.assembly import Services
from app.credentials.passkey_values import Accepted, Kind, Passkey, Person, Refused, Registered
from app.credentials.webauthn_json import read_assertion, read_registration
from app.persistence import fetch


def person_of(user_id: UUID) -> Person:
    return Person(user_id, "ada@example.com", "Ada")


async def begun(services: Services, user_id: UUID, kind: Kind = "passkey") -> dict[str, Any]:
    """The options of a registration."""
    return await services.ceremonies.begin_registration(person_of(user_id), kind)


async def registered(
    services: Services,
    user_id: UUID,
    authenticator: Authenticator,
    kind: Kind = "passkey",
    **falsified: Any,
) -> Registered | Refused:
    """A registration from end to end."""
    options = await begun(services, user_id, kind)
    response = read_registration(authenticator.create(options, **falsified))
    return await services.ceremonies.finish_registration(SYSTEM, user_id, response)


async def passkey_of(
    services: Services,
    user_id: UUID,
    authenticator: Authenticator,
    kind: Kind = "passkey",
    **falsified: Any,
) -> Passkey:
    """A credential that is kept."""
    outcome = await registered(services, user_id, authenticator, kind, **falsified)
    assert isinstance(outcome, Registered)
    return outcome.passkey


async def logged_in(
    services: Services, authenticator: Authenticator, user_id: UUID | None = None, **falsified: Any
) -> Accepted | Refused:
    """A login from end to end."""
    options = await services.ceremonies.begin_login(user_id)
    response = read_assertion(authenticator.get(options, **falsified))
    return await services.ceremonies.finish_login(SYSTEM, response)


async def events(kind: str) -> list[dict[str, Any]]:
    """The details of the audit records of a type."""
    rows = await fetch("SELECT details FROM audit_event WHERE type = $1 ORDER BY at, id", kind)
    return [json.loads(row["details"]) for row in rows]


async def challenges() -> int:
    """How many ceremonies wait to be finished."""
    rows = await fetch("SELECT COUNT(*) AS n FROM webauthn_challenge")
    return rows[0]["n"]
