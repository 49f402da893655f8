"""What is kept for a time and then removed: by the worker, or by hand with `sekisho cleanup`.

Both call the same sweeps. Nothing depends on them for being right: whatever has expired is refused
wherever it is looked at.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from app.assembly import Services
from app.federation.saml import replay
from app.mail.outbox import KEPT as MAILS_KEPT
from app.persistence import DatabaseUnavailable, fetch, is_reachable
from app.sessions.service import IDLE_KEPT
from app.sessions.service import KEPT as SESSIONS_KEPT
from app.webhooks.deliveries import KEPT as DELIVERIES_KEPT
from app.webhooks.events import KEPT as EVENTS_KEPT

_AT_ONCE = timedelta(0)
_log = logging.getLogger("sekisho.upkeep")
_COUNT = {
    "audit_logs": "SELECT COUNT(*) AS number FROM audit_event WHERE at <= $1",
    "flows": "SELECT COUNT(*) AS number FROM flow WHERE expires_at <= $1",
    "webauthn_session_data": (
        "SELECT COUNT(*) AS number FROM webauthn_challenge WHERE expires_at <= $1"
    ),
    "passcodes": "SELECT COUNT(*) AS number FROM passcode WHERE expires_at <= $1",
    "guesses": "SELECT COUNT(*) AS number FROM guess_count WHERE expires_at <= $1",
    "trusted_devices": "SELECT COUNT(*) AS number FROM trusted_device WHERE expires_at <= $1",
    "sessions": "SELECT COUNT(*) AS number FROM user_session WHERE expires_at <= $1",
    "idle_sessions": "SELECT COUNT(*) AS number FROM user_session WHERE last_used_at < $1",
    "federation_states": "SELECT COUNT(*) AS number FROM federation_state WHERE expires_at <= $1",
    "exchange_tokens": "SELECT COUNT(*) AS number FROM exchange_token WHERE expires_at <= $1",
    "saml_replays": "SELECT COUNT(*) AS number FROM saml_replay WHERE expires_at <= $1",
    "mails": "SELECT COUNT(*) AS number FROM mail_outbox WHERE settled_at <= $1",
    "webhook_deliveries": (
        "SELECT COUNT(*) AS number FROM webhook_delivery "
        "WHERE created_at <= $1 AND state <> 'waiting'"
    ),
    "webhook_events": "SELECT COUNT(*) AS number FROM webhook_event WHERE created_at <= $1",
}
"""Statements that count what was over at `$1`, by what the command line calls a table."""

TABLES = tuple(_COUNT)


@dataclass(frozen=True, slots=True)
class Leftovers:
    """Rows of one table whose time is over.

    Attributes:
        name: What the command line calls them.
        kept: How long they stay after that; None keeps them for good.
        sweep: Removes some, or all.
    """

    name: str
    kept: timedelta | None
    sweep: Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Removed:
    """What became of the leftovers of a table.

    Attributes:
        found: How many there were.
        removed: How many of them are gone.
    """

    table: str
    found: int
    removed: int


def leftovers(services: Services) -> tuple[Leftovers, ...]:
    """List everything that is removed when its time is over."""
    federation = services.federation
    retention, timeout = services.config.audit_log.retention, services.config.session.idle_timeout
    idle = timeout + IDLE_KEPT if timeout else None
    return (
        Leftovers("audit_logs", retention if retention > _AT_ONCE else None, services.audit.sweep),
        Leftovers("flows", _AT_ONCE, services.flows.sweep),
        Leftovers("webauthn_session_data", _AT_ONCE, services.ceremonies.challenges.sweep),
        Leftovers("passcodes", _AT_ONCE, services.passcodes.sweep),
        Leftovers("guesses", _AT_ONCE, services.guesses.sweep),
        Leftovers("trusted_devices", _AT_ONCE, services.trusted_devices.sweep),
        Leftovers("sessions", SESSIONS_KEPT, services.sessions.sweep),
        Leftovers("idle_sessions", idle, services.sessions.sweep_idle),
        Leftovers("federation_states", _AT_ONCE, federation.states.sweep),
        Leftovers("exchange_tokens", _AT_ONCE, federation.tokens.sweep),
        Leftovers("saml_replays", _AT_ONCE, partial(replay.sweep, services.clock)),
        Leftovers("mails", MAILS_KEPT, partial(_sweep_mails, services)),
        Leftovers("webhook_deliveries", DELIVERIES_KEPT, services.dispatch.sweep),
        Leftovers("webhook_events", EVENTS_KEPT, services.events.sweep),
    )


async def _sweep_mails(services: Services) -> None:
    for _ in range(await services.mail.sweep()):
        services.metrics.mail("expired")


async def sweep(services: Services) -> None:
    """Remove some of everything whose time is over; what cannot be removed holds up nothing else.

    The log says what could not be removed; it is tried again the next time.

    Raises:
        DatabaseUnavailable: The database does not answer.
    """
    for one in leftovers(services):
        try:
            await one.sweep()
        except Exception as error:  # whatever it is, the other tables still fill up
            if isinstance(error, DatabaseUnavailable) and not await is_reachable():
                raise  # else it is one table that is refused
            _log.exception("sweep failed", extra={"table": one.name})


async def clean(services: Services, one: Leftovers, *, run: bool) -> Removed:
    """Count the leftovers of a table, and with *run* remove them all."""
    found = left = await _count(services, one)
    while run and left:
        await one.sweep()
        before, left = left, await _count(services, one)
        if left >= before:  # what comes in as fast as it goes is for the next time
            break
    return Removed(one.name, found, max(found - left, 0))


async def _count(services: Services, one: Leftovers) -> int:
    if one.kept is None:
        return 0
    (row,) = await fetch(_COUNT[one.name], services.clock() - one.kept)
    return int(row["number"])
