"""Builds everything, once, by hand."""

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
from app.secretkeys import SecretKeys
from app.selfservice import Notices, SelfService
from app.selfservice.addresses import Addresses
from app.selfservice.enrolment import TotpEnrolment
from app.selfservice.notices import IdentityNotices
from app.sessions import RefreshTokens, Sessions, SessionTokens, TokenClaims
from app.templates import ClaimTemplates, caps_of
from app.transfer import Exporter, Importer
from app.users import Users
from app.webhooks import Events, Webhooks

if TYPE_CHECKING:  # they bring the packages of an extra
    from app.federation.saml.providers import SamlDirectory
    from app.federation.saml.service import Saml


@dataclass(frozen=True, slots=True)
class Services:
    """The services of the product, as the faces and the command line see them."""

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
    webhooks: Webhooks
    addresses: Addresses
    totp_enrolment: TotpEnrolment
    flows: Flows
    at_once: AtOnce
    importer: Importer
    exporter: Exporter

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
        self.templates.warn()
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
            return (
                await is_reachable()
                and await self.migrations.is_current()
                and await self.clock_watch.agrees()
            )
        except DatabaseUnavailable:
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
    metrics = Metrics()
    audit = AuditLog(config.audit_log, clock, metrics)
    templates = ClaimTemplates(config.session.jwt_template, caps_of(config), audit, clock)
    metadata = Metadata(config.user_metadata, templates, audit)
    secrets = encryption_secrets(config)
    sealer = Sealer(secrets)
    events = Events(sealer, clock)
    users = Users(config.email, config.username, metadata, audit, events, clock)
    management, lifespan = config.secrets.key_management, config.session.lifespan
    signing_keys = SigningKeys(Sealer(secrets), management, lifespan, audit, clock)
    claims = TokenClaims(config.session.payload_limit(), templates)
    refresh_tokens = RefreshTokens(secrets)
    audience = tuple(config.session.audience) or (config.relying_party_id,)
    tokens = SessionTokens(signing_keys, config.session.issuer, audience, clock)
    mail = Mail.of(config, sealer, events, clock)
    passwords = Passwords(
        config.password,
        PasswordPolicy(config.password.min_length, config.service.name),
        PasswordHasher(config.password),
        Breaches(config.password.breach_check),
        users,
        audit,
        clock,
    )
    passkeys = Passkeys(
        RelyingParty(
            config.relying_party_id,
            config.webauthn.relying_party.display_name,
            tuple(config.relying_party_origins),
        ),
        config.webauthn.timeouts,
        config.passkey,
        config.mfa.security_keys,
        Challenges(clock),
        audit,
        clock,
    )
    sessions = Sessions(config.session, tokens, refresh_tokens, claims, audit, events, clock)
    guesses = Guesses(KeyedHash(secrets, "guesses"), clock)
    passcodes = Passcodes(config.email, KeyedHash(secrets, "passcodes"), guesses, clock)
    trusted_devices = TrustedDevices(config.mfa, audit, clock)
    totp = Totp(config.service.name, sealer, guesses, trusted_devices, audit, clock)
    recovery_codes = RecoveryCodes(guesses, audit, clock)
    seal_mark = KeyedHash(secrets, "transfer")
    rate_limits = RateLimits.of(config.rate_limiter, secrets, clock, audit)
    notices = Notices(config, mail, audit)
    directory = _saml_directory(config, clock)
    federation = Federation.of(
        config,
        connectors or Connectors.of(config, clock),
        users,
        IdentityNotices(notices),
        audit,
        sealer,
        clock,
        saml=directory,
    )
    saml = _saml(config, directory, federation, audit, sealer, clock)
    self_service = SelfService(
        config,
        users,
        metadata,
        passwords,
        passkeys,
        totp,
        recovery_codes,
        trusted_devices,
        sessions,
        federation,
        notices,
        events,
        clock,
    )
    domains = Domains(
        config=config,
        clock=clock,
        audit=audit,
        events=events,
        mail=mail,
        users=users,
        metadata=metadata,
        passwords=passwords,
        passkeys=passkeys,
        passcodes=passcodes,
        totp=totp,
        recovery_codes=recovery_codes,
        trusted_devices=trusted_devices,
        rate_limits=rate_limits,
        sessions=sessions,
        federation=federation,
        saml=saml,
        self_service=self_service,
    )
    return Services(
        config=config,
        clock=clock,
        metrics=metrics,
        audit=audit,
        audit_reader=AuditReader(),
        events=events,
        mail=mail,
        migrations=Migrations(clock),
        clock_watch=ClockWatch(clock),
        templates=templates,
        metadata=metadata,
        users=users,
        passwords=passwords,
        passkeys=passkeys,
        passcodes=passcodes,
        totp=totp,
        recovery_codes=recovery_codes,
        trusted_devices=trusted_devices,
        guesses=guesses,
        rate_limits=rate_limits,
        signing_keys=signing_keys,
        secret_keys=SecretKeys(audit, clock),
        sessions=sessions,
        federation=federation,
        saml=saml,
        self_service=self_service,
        webhooks=Webhooks.of(config, signing_keys, sealer, events, audit, clock),
        addresses=Addresses(config, users, passcodes, rate_limits, mail, self_service),
        totp_enrolment=TotpEnrolment(totp, sealer, self_service, clock),
        flows=Flows(domains, FlowStore(sealer)),
        at_once=AtOnce(domains),
        importer=Importer(config, totp, seal_mark, audit, clock),
        exporter=Exporter(seal_mark, audit),
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
