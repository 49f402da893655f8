"""Builds everything, once, by hand."""

from dataclasses import dataclass

from app.audit import AuditLog
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
from app.flows.domains import Domains
from app.flows.service import Flows
from app.flows.store import FlowStore
from app.keyedhash import KeyedHash
from app.keys import Sealer, SigningKeys, encryption_secrets
from app.mail import Mail
from app.metadata import Metadata
from app.persistence import Migrations, connect, disconnect, is_reachable
from app.ratelimit import RateLimits
from app.secretkeys import SecretKeys
from app.selfservice import Notices, SelfService
from app.selfservice.addresses import Addresses
from app.selfservice.enrolment import TotpEnrolment
from app.sessions import RefreshTokens, Sessions, SessionTokens, TokenClaims
from app.templates import ClaimTemplates, caps_of
from app.users import Users


@dataclass(frozen=True, slots=True)
class Services:
    """The services of the product, as the faces and the command line see them."""

    config: Config
    clock: Clock
    audit: AuditLog
    mail: Mail
    migrations: Migrations
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
    self_service: SelfService
    addresses: Addresses
    totp_enrolment: TotpEnrolment
    flows: Flows

    async def open(self) -> list[str]:
        """Connect, bring the schema up to date and read the keys; give the migrations applied.

        Raises:
            DatabaseUnavailable, SchemaRefused, KeysUnreadable: The server must not start.
        """
        await connect(self.config)
        applied = await self.migrations.up()
        await self.signing_keys.load()
        await self.totp.reseal()
        self.templates.warn()
        return applied

    async def close(self) -> None:
        """Let go of threads, connections and the database."""
        await self.passwords.close()
        await self.rate_limits.close()
        await disconnect()

    async def is_ready(self) -> bool:
        """Say whether a request could be answered now: database and schema (SEC-140)."""
        return await is_reachable() and await self.migrations.is_current()


def assemble(config: Config, *, clock: Clock = utc_now) -> Services:
    """Build the services from a configuration; the server, the tools and the tests all do."""
    audit = AuditLog(config.audit_log, clock)
    templates = ClaimTemplates(config.session.jwt_template, caps_of(config), audit, clock)
    metadata = Metadata(config.user_metadata, templates, audit)
    users = Users(config.email, config.username, metadata, audit, clock)
    secrets = encryption_secrets(config)
    management, lifespan = config.secrets.key_management, config.session.lifespan
    signing_keys = SigningKeys(Sealer(secrets), management, lifespan, audit, clock)
    claims = TokenClaims(config.session.payload_limit(), templates)
    refresh_tokens = RefreshTokens(secrets)
    audience = tuple(config.session.audience) or (config.relying_party_id,)
    tokens = SessionTokens(signing_keys, config.session.issuer, audience, clock)
    sealer = Sealer(secrets)
    mail = Mail.of(config, sealer, clock)
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
    sessions = Sessions(config.session, tokens, refresh_tokens, claims, audit, clock)
    guesses = Guesses(KeyedHash(secrets, "guesses"), clock)
    passcodes = Passcodes(config.email, KeyedHash(secrets, "passcodes"), guesses, clock)
    trusted_devices = TrustedDevices(config.mfa, audit, clock)
    totp = Totp(config.service.name, sealer, guesses, trusted_devices, audit, clock)
    recovery_codes = RecoveryCodes(guesses, audit, clock)
    rate_limits = RateLimits.of(config.rate_limiter, secrets, clock)
    self_service = SelfService(
        config,
        users,
        passwords,
        passkeys,
        totp,
        recovery_codes,
        trusted_devices,
        sessions,
        Notices(config, mail),
        clock,
    )
    domains = Domains(
        config=config,
        clock=clock,
        audit=audit,
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
        self_service=self_service,
    )
    return Services(
        config=config,
        clock=clock,
        audit=audit,
        mail=mail,
        migrations=Migrations(clock),
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
        self_service=self_service,
        addresses=Addresses(config, users, passcodes, rate_limits, mail, self_service),
        totp_enrolment=TotpEnrolment(totp, sealer, self_service),
        flows=Flows(domains, FlowStore(sealer)),
    )
