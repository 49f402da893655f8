"""Builds everything, once, by hand."""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.audit import AuditLog, AuditReader
from app.clock import Clock, utc_now
from app.config.sections import Config
from app.credentials.guessing import Guesses
from app.credentials.passcodes import Passcodes
from app.credentials.passkeys import Passkeys
from app.credentials.password_breaches import Breaches
from app.credentials.password_hashing import PasswordHasher
from app.credentials.password_policy import PasswordPolicy
from app.credentials.passwords import Passwords
from app.credentials.recovery_codes import RecoveryCodes
from app.credentials.totp import Totp
from app.credentials.trusted_devices import TrustedDevices
from app.credentials.webauthn_challenges import Challenges
from app.credentials.webauthn_verify import RelyingParty
from app.federation.connectors import Connectors
from app.federation.service import Federation, ProviderConnectors
from app.flows.at_once import AtOnce
from app.flows.domains import Domains
from app.flows.service import Flows
from app.flows.store import FlowStore
from app.keyedhash import KeyedHash
from app.keys import Sealer, SigningKeys, encryption_secrets
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
from app.secretkeys import KeyRefusals, SecretKeys
from app.selfservice import ManagedCredentials, ManagedNames, Notices, SelfService
from app.selfservice.addresses import Addresses
from app.selfservice.enrolment import TotpEnrolment
from app.selfservice.notices import IdentityNotices
from app.sessions import RefreshTokens, Sessions, SessionTokens, TokenClaims
from app.telemetry import Tracer
from app.templates import ClaimTemplates, caps_of
from app.transfer import Exporter, Importer, Updating
from app.users import Users
from app.webhooks import Events, Webhooks

if TYPE_CHECKING:  # they bring the packages of an extra
    from app.federation.saml.providers import SamlDirectory
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
    passwords: Passwords
    passkeys: Passkeys
    passcodes: Passcodes
    totp: Totp
    recovery_codes: RecoveryCodes
    trusted_devices: TrustedDevices
    guesses: Guesses
    rate_limits: RateLimits
    signing_keys: SigningKeys
    secret_keys: SecretKeys
    sessions: Sessions
    federation: Federation
    saml: "Saml | None"
    self_service: SelfService
    managed_credentials: ManagedCredentials
    managed_names: ManagedNames
    webhooks: Webhooks
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


def assemble(
    config: Config, *, clock: Clock = utc_now, connectors: ProviderConnectors | None = None
) -> Services:
    """Build the services from a configuration; the server, the tools and the tests all do.

    Args:
        config: The configuration.
        clock: What tells the time.
        connectors: Providers in place of the configured ones.
    """
    ground = _ground(config, clock)
    audit, sealer, events = ground.audit, ground.sealer, ground.events
    accounts = _accounts(ground)
    ways_in = _ways_in(ground, accounts.users)
    signing_keys = _signing_keys(ground)
    sessions = _sessions(ground, accounts.templates, signing_keys)
    notices = Notices(config, ground.mail, audit)
    federation, saml = _federation(ground, accounts.users, notices, connectors)
    self_service = _self_service(ground, accounts, ways_in, sessions, federation, notices)
    domains = _domains(ground, accounts, ways_in, sessions, federation, saml, self_service)
    seal_mark = KeyedHash(ground.secrets, "transfer")
    updating = Updating(sessions, ways_in.trusted_devices, audit)
    return Services(
        config=config,
        clock=clock,
        metrics=ground.metrics,
        audit=audit,
        audit_reader=AuditReader(),
        events=events,
        mail=ground.mail,
        migrations=Migrations(clock),
        clock_watch=ClockWatch(clock),
        templates=accounts.templates,
        metadata=accounts.metadata,
        users=accounts.users,
        passwords=ways_in.passwords,
        passkeys=ways_in.passkeys,
        passcodes=ways_in.passcodes,
        totp=ways_in.totp,
        recovery_codes=ways_in.recovery_codes,
        trusted_devices=ways_in.trusted_devices,
        guesses=ways_in.guesses,
        rate_limits=ground.rate_limits,
        signing_keys=signing_keys,
        secret_keys=SecretKeys(KeyRefusals.of(audit, clock), audit, clock),
        sessions=sessions,
        federation=federation,
        saml=saml,
        self_service=self_service,
        managed_credentials=_managed_credentials(self_service, ways_in, sessions, notices, events),
        managed_names=ManagedNames(accounts.users, notices),
        webhooks=Webhooks.of(config, signing_keys, sealer, events, audit, clock),
        addresses=_addresses(ground, accounts.users, ways_in.passcodes, self_service),
        totp_enrolment=TotpEnrolment(ways_in.totp, sealer, self_service, clock),
        flows=Flows(domains, FlowStore(sealer)),
        at_once=AtOnce(domains),
        importer=Importer(config, ways_in.totp, seal_mark, updating, audit, clock),
        exporter=Exporter(seal_mark, audit),
    )


@dataclass(frozen=True, slots=True, repr=False)
class _Ground:
    """What everything stands on."""

    config: Config
    clock: Clock
    secrets: list[str]
    metrics: Metrics
    sealer: Sealer
    audit: AuditLog
    events: Events
    mail: Mail
    rate_limits: RateLimits


@dataclass(frozen=True, slots=True)
class _Accounts:
    """Who there is, and what is known of them."""

    templates: ClaimTemplates
    metadata: Metadata
    users: Users


@dataclass(frozen=True, slots=True)
class _WaysIn:
    """What users prove who they are with."""

    passwords: Passwords
    passkeys: Passkeys
    guesses: Guesses
    passcodes: Passcodes
    trusted_devices: TrustedDevices
    totp: Totp
    recovery_codes: RecoveryCodes


def _ground(config: Config, clock: Clock) -> _Ground:
    metrics, secrets = Metrics(), encryption_secrets(config)
    sealer = Sealer(secrets)
    audit, events = AuditLog(config.audit_log, clock, metrics), Events(sealer, clock)
    return _Ground(
        config=config,
        clock=clock,
        secrets=secrets,
        metrics=metrics,
        sealer=sealer,
        audit=audit,
        events=events,
        mail=Mail.of(config, sealer, events, clock),
        rate_limits=RateLimits.of(config.rate_limiter, secrets, clock, audit),
    )


def _accounts(ground: _Ground) -> _Accounts:
    config, audit, clock = ground.config, ground.audit, ground.clock
    templates = ClaimTemplates(config.session.jwt_template, caps_of(config), audit, clock)
    metadata = Metadata(config.user_metadata, templates, audit)
    users = Users(config.email, config.username, metadata, audit, ground.events, clock)
    return _Accounts(templates, metadata, users)


def _ways_in(ground: _Ground, users: Users) -> _WaysIn:
    config, audit, clock = ground.config, ground.audit, ground.clock
    guesses = Guesses(KeyedHash(ground.secrets, "guesses"), clock)
    passcodes = KeyedHash(ground.secrets, "passcodes")
    trusted_devices = TrustedDevices(config.mfa, audit, clock)
    return _WaysIn(
        passwords=_passwords(ground, users),
        passkeys=_passkeys(ground),
        guesses=guesses,
        passcodes=Passcodes(config.email, passcodes, guesses, clock),
        trusted_devices=trusted_devices,
        totp=Totp(config.service.name, ground.sealer, guesses, trusted_devices, audit, clock),
        recovery_codes=RecoveryCodes(guesses, audit, clock),
    )


def _passwords(ground: _Ground, users: Users) -> Passwords:
    config = ground.config
    return Passwords(
        config.password,
        PasswordPolicy(config.password.min_length, config.service.name),
        PasswordHasher(config.password),
        Breaches(config.password.breach_check),
        users,
        ground.audit,
        ground.clock,
    )


def _passkeys(ground: _Ground) -> Passkeys:
    config = ground.config
    relying_party = RelyingParty(
        config.relying_party_id,
        config.webauthn.relying_party.display_name,
        tuple(config.relying_party_origins),
    )
    return Passkeys(
        relying_party,
        config.webauthn.timeouts,
        config.passkey,
        config.mfa.security_keys,
        Challenges(ground.clock),
        ground.audit,
        ground.clock,
    )


def _signing_keys(ground: _Ground) -> SigningKeys:
    config = ground.config
    management, lifespan = config.secrets.key_management, config.session.lifespan
    return SigningKeys(ground.sealer, management, lifespan, ground.audit, ground.clock)


def _sessions(ground: _Ground, templates: ClaimTemplates, keys: SigningKeys) -> Sessions:
    config, clock = ground.config, ground.clock
    audience = tuple(config.session.audience) or (config.relying_party_id,)
    return Sessions(
        config.session,
        SessionTokens(keys, config.session.issuer, audience, clock),
        RefreshTokens(ground.secrets),
        TokenClaims(config.session.payload_limit(), templates),
        ground.audit,
        ground.events,
        clock,
    )


def _federation(
    ground: _Ground, users: Users, notices: Notices, connectors: ProviderConnectors | None
) -> "tuple[Federation, Saml | None]":
    """Build signing in elsewhere, SAML where it is on."""
    config, clock = ground.config, ground.clock
    directory = _saml_directory(config, clock)
    federation = Federation.of(
        config,
        connectors or Connectors.of(config, clock),
        users,
        IdentityNotices(notices),
        ground.audit,
        ground.sealer,
        clock,
        saml=directory,
    )
    return federation, _saml(config, directory, federation, ground.audit, ground.sealer, clock)


def _self_service(  # noqa: PLR0913, PLR0917  # what it stands on
    ground: _Ground,
    accounts: _Accounts,
    ways_in: _WaysIn,
    sessions: Sessions,
    federation: Federation,
    notices: Notices,
) -> SelfService:
    return SelfService(
        ground.config,
        accounts.users,
        accounts.metadata,
        ways_in.passwords,
        ways_in.passkeys,
        ways_in.totp,
        ways_in.recovery_codes,
        ways_in.trusted_devices,
        sessions,
        federation,
        notices,
        ground.events,
        ground.clock,
    )


def _managed_credentials(
    self_service: SelfService,
    ways_in: _WaysIn,
    sessions: Sessions,
    notices: Notices,
    events: Events,
) -> ManagedCredentials:
    return ManagedCredentials(
        self_service,
        ways_in.passwords,
        ways_in.passkeys,
        ways_in.totp,
        ways_in.recovery_codes,
        ways_in.trusted_devices,
        sessions,
        notices,
        events,
    )


def _addresses(
    ground: _Ground, users: Users, passcodes: Passcodes, self_service: SelfService
) -> Addresses:
    mail, rate_limits = ground.mail, ground.rate_limits
    return Addresses(ground.config, users, passcodes, rate_limits, mail, self_service)


def _domains(  # noqa: PLR0913, PLR0917  # what flows may call
    ground: _Ground,
    accounts: _Accounts,
    ways_in: _WaysIn,
    sessions: Sessions,
    federation: Federation,
    saml: "Saml | None",
    self_service: SelfService,
) -> Domains:
    return Domains(
        config=ground.config,
        clock=ground.clock,
        audit=ground.audit,
        events=ground.events,
        mail=ground.mail,
        users=accounts.users,
        metadata=accounts.metadata,
        passwords=ways_in.passwords,
        passkeys=ways_in.passkeys,
        passcodes=ways_in.passcodes,
        totp=ways_in.totp,
        recovery_codes=ways_in.recovery_codes,
        trusted_devices=ways_in.trusted_devices,
        rate_limits=ground.rate_limits,
        sessions=sessions,
        federation=federation,
        saml=saml,
        self_service=self_service,
    )


def _saml_directory(config: Config, clock: Clock) -> "SamlDirectory | None":
    """Build what is known of the identity providers, where SAML is on."""
    if not config.saml.enabled:
        return None
    from app.federation.saml.providers import SamlDirectory  # noqa: PLC0415  # see above

    return SamlDirectory.of(config, clock)


def _saml(  # noqa: PLR0913, PLR0917  # what it stands on
    config: Config,
    directory: "SamlDirectory | None",
    federation: Federation,
    audit: AuditLog,
    sealer: Sealer,
    clock: Clock,
) -> "Saml | None":
    """Build the service provider of SAML, where it is on."""
    if directory is None:
        return None
    from app.federation.saml.service import Saml  # noqa: PLC0415  # see above

    return Saml.of(config, directory, federation, audit, sealer, clock)
