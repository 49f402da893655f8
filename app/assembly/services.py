"""All services, as one object: opened before the first request, closed after the last."""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.audit import AuditLog, AuditReader
from app.clock import Clock
from app.config.sections import Config
from app.credentials.guessing import Guesses
from app.credentials.passcodes import Passcodes
from app.credentials.passkey_ceremonies import PasskeyCeremonies
from app.credentials.passkeys import Passkeys
from app.credentials.passwords import Passwords
from app.credentials.recovery_codes import RecoveryCodes
from app.credentials.totp import Totp
from app.credentials.trusted_devices import TrustedDevices
from app.federation.service import Federation
from app.flows.at_once import AtOnce
from app.flows.service import Flows
from app.keys import SigningKeys
from app.mail import Mail
from app.metadata import Metadata
from app.metrics import Metrics
from app.persistence import (
    ClockWatch,
    DatabaseUnavailable,
    Migrations,
    connect,
    disconnect,
    is_reachable,
)
from app.ratelimit import RateLimits
from app.secretkeys import SecretKeys
from app.selfservice import ManagedCredentials, ManagedNames, OwnCredentials, SelfService
from app.selfservice.addresses import Addresses
from app.selfservice.enrolment import TotpEnrolment
from app.sessions import Refreshing, Sessions
from app.telemetry import Tracer
from app.templates import ClaimTemplates
from app.transfer import Exporter, Importer
from app.users import Users, UserSearch
from app.webhooks import Dispatch, Events, Webhooks

if TYPE_CHECKING:  # they bring the packages of an extra
    from app.federation.saml.service import Saml

_READY_WITHIN = 3.0
"""Seconds the database may take to show that it is there."""


@dataclass(frozen=True, slots=True, repr=False)  # its text would be endless, and tell secrets
class Services:
    """The services of the product, as the faces and the command line see them.

    Attributes:
        tracer: Who records traces; None where nobody does.
    """

    config: Config
    clock: Clock
    metrics: Metrics
    audit: AuditLog
    audit_reader: AuditReader
    events: Events
    mail: Mail
    migrations: Migrations
    clock_watch: ClockWatch
    templates: ClaimTemplates
    metadata: Metadata
    users: Users
    user_search: UserSearch
    passwords: Passwords
    passkeys: Passkeys
    ceremonies: PasskeyCeremonies
    passcodes: Passcodes
    totp: Totp
    recovery_codes: RecoveryCodes
    trusted_devices: TrustedDevices
    guesses: Guesses
    rate_limits: RateLimits
    signing_keys: SigningKeys
    secret_keys: SecretKeys
    sessions: Sessions
    refreshing: Refreshing
    federation: Federation
    saml: "Saml | None"
    self_service: SelfService
    own_credentials: OwnCredentials
    managed_credentials: ManagedCredentials
    managed_names: ManagedNames
    webhooks: Webhooks
    dispatch: Dispatch
    addresses: Addresses
    totp_enrolment: TotpEnrolment
    flows: Flows
    at_once: AtOnce
    importer: Importer
    exporter: Exporter
    tracer: Tracer | None = None

    async def open(self) -> list[str]:
        """Connect, bring the schema up to date and read the keys; give the migrations applied.

        Raises:
            DatabaseUnavailable, SchemaRefused, KeysUnreadable: The server must not start.
        """
        await connect(self.config)
        applied = await self.migrations.up()
        await self.signing_keys.load()
        await self.totp.reseal()
        await self.webhooks.reseal()
        if self.saml is not None:
            await self.saml.open()
        return applied

    async def close(self) -> None:
        """Let go of threads, connections and the database."""
        await self.passwords.close()
        await self.rate_limits.close()
        await self.federation.close()
        if self.saml is not None:
            await self.saml.close()
        await disconnect()

    async def is_ready(self) -> bool:
        """Say whether a request could be answered now: database, schema, clock (SEC-134, 140)."""
        try:
            async with asyncio.timeout(_READY_WITHIN):
                return (
                    await is_reachable()
                    and await self.migrations.is_current()
                    and await self.clock_watch.agrees()
                )
        except (DatabaseUnavailable, TimeoutError):
            return False
