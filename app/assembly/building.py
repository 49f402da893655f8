"""Builds every service, once, by hand."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.assembly.ground import Ground, ground_of
from app.assembly.services import Services
from app.assembly.ways_in import WaysIn, ways_in_of
from app.audit import AuditLog, AuditReader
from app.clock import Clock, utc_now
from app.config.sections import Config
from app.credentials.passcodes import Passcodes
from app.federation.connectors import Connectors
from app.federation.service import Federation, ProviderConnectors
from app.flows.at_once import AtOnce
from app.flows.domains import Domains
from app.flows.service import Flows
from app.flows.store import FlowStore
from app.keyedhash import KeyedHash
from app.keys import Sealer, SigningKeys
from app.keys.kms import Kms
from app.keys.reading import RingReader
from app.metadata import Metadata
from app.persistence import ClockWatch, Migrations
from app.secretkeys import KeyRefusals, SecretKeys
from app.selfservice import ManagedCredentials, ManagedNames, Notices, OwnCredentials, SelfService
from app.selfservice.addresses import Addresses
from app.selfservice.enrolment import TotpEnrolment
from app.selfservice.notices import IdentityNotices
from app.sessions import Refreshing, RefreshTokens, Sessions, SessionTokens, TokenClaims
from app.templates import ClaimTemplates, caps_of
from app.transfer import Exporter, Importer, Updating
from app.users import Users, UserSearch
from app.webhooks import Dispatch, Events, Webhooks
from app.webhooks.courier import Courier
from app.webhooks.deliveries import Deliveries
from app.webhooks.hooks import Hooks

if TYPE_CHECKING:  # they bring the packages of an extra
    from app.federation.saml.providers import SamlDirectory
    from app.federation.saml.service import Saml


def assemble(
    config: Config, *, clock: Clock = utc_now, connectors: ProviderConnectors | None = None
) -> Services:
    """Build the services from a configuration; the server, the tools and the tests all do.

    Args:
        config: The configuration.
        clock: What tells the time.
        connectors: Providers in place of the configured ones.
    """
    ground = ground_of(config, clock)
    audit, sealer, events = ground.audit, ground.sealer, ground.events
    accounts = _accounts(ground)
    ways_in = ways_in_of(ground, accounts.users)
    signing_keys = _signing_keys(ground)
    sessions, refreshing = _sessions(ground, accounts.templates, signing_keys)
    notices = Notices(config, ground.mail, audit)
    federation, saml = _federation(ground, accounts.users, notices, connectors)
    webhooks, dispatch = _webhooks(ground, signing_keys)
    own = _own(ground, accounts, ways_in, sessions, federation, notices)
    domains = _domains(ground, accounts, ways_in, sessions, federation, saml, own)
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
        user_search=UserSearch(),
        passwords=ways_in.passwords,
        passkeys=ways_in.passkeys,
        ceremonies=ways_in.ceremonies,
        passcodes=ways_in.passcodes,
        totp=ways_in.totp,
        recovery_codes=ways_in.recovery_codes,
        trusted_devices=ways_in.trusted_devices,
        guesses=ways_in.guesses,
        rate_limits=ground.rate_limits,
        signing_keys=signing_keys,
        secret_keys=SecretKeys(KeyRefusals.of(audit, clock), audit, clock),
        sessions=sessions,
        refreshing=refreshing,
        federation=federation,
        saml=saml,
        self_service=own.self_service,
        own_credentials=own.credentials,
        managed_credentials=_managed_credentials(
            own.self_service, ways_in, sessions, notices, events
        ),
        managed_names=ManagedNames(accounts.users, notices),
        webhooks=webhooks,
        dispatch=dispatch,
        addresses=_addresses(ground, accounts.users, ways_in.passcodes, own.self_service),
        totp_enrolment=TotpEnrolment(
            ways_in.totp, sealer, own.self_service, own.credentials, clock
        ),
        flows=Flows(domains, FlowStore(sealer)),
        at_once=AtOnce(domains),
        importer=Importer(config, ways_in.totp, seal_mark, updating, audit, clock),
        exporter=Exporter(seal_mark, audit),
    )


@dataclass(frozen=True, slots=True)
class _Accounts:
    """Who there is, and what is known of them."""

    templates: ClaimTemplates
    metadata: Metadata
    users: Users


@dataclass(frozen=True, slots=True)
class _Own:
    """What users change of their own accounts."""

    self_service: SelfService
    credentials: OwnCredentials


def _accounts(ground: Ground) -> _Accounts:
    config, audit, clock = ground.config, ground.audit, ground.clock
    templates = ClaimTemplates(config.session.jwt_template, caps_of(config), audit, clock)
    metadata = Metadata(config.user_metadata, templates, audit)
    users = Users(config.email, config.username, metadata, audit, ground.events, clock)
    return _Accounts(templates, metadata, users)


def _signing_keys(ground: Ground) -> SigningKeys:
    config = ground.config
    management, lifespan = config.secrets.key_management, config.session.lifespan
    kms = Kms()
    reader = RingReader(ground.sealer, kms, lifespan, ground.clock)
    return SigningKeys(ground.sealer, kms, management, lifespan, reader, ground.audit, ground.clock)


def _webhooks(ground: Ground, keys: SigningKeys) -> tuple[Webhooks, Dispatch]:
    config, audit, clock = ground.config, ground.audit, ground.clock
    hooks = Hooks(config.webhooks, ground.sealer, clock)
    deliveries = Deliveries(hooks, clock)
    courier = Courier.of(config, keys, ground.sealer, clock)
    webhooks = Webhooks(hooks, courier, audit, clock)
    expires = config.webhooks.allow_time_expiration
    return webhooks, Dispatch(webhooks, deliveries, courier, ground.events, expires, audit, clock)


def _sessions(
    ground: Ground, templates: ClaimTemplates, keys: SigningKeys
) -> tuple[Sessions, Refreshing]:
    config, audit, clock = ground.config.session, ground.audit, ground.clock
    audience = tuple(config.audience) or (ground.config.relying_party_id,)
    tokens = SessionTokens(keys, config.issuer, audience, clock)
    refresh_tokens = RefreshTokens(ground.secrets)
    claims = TokenClaims(config.payload_limit(), templates)
    sessions = Sessions(config, tokens, refresh_tokens, claims, audit, ground.events, clock)
    return sessions, Refreshing(config, sessions, tokens, refresh_tokens, audit, clock)


def _federation(
    ground: Ground, users: Users, notices: Notices, connectors: ProviderConnectors | None
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


def _own(  # noqa: PLR0913, PLR0917  # what it stands on
    ground: Ground,
    accounts: _Accounts,
    ways_in: WaysIn,
    sessions: Sessions,
    federation: Federation,
    notices: Notices,
) -> _Own:
    self_service = SelfService(
        ground.config,
        accounts.users,
        accounts.metadata,
        ways_in.passwords,
        ways_in.passkeys,
        ways_in.totp,
        federation,
        notices,
        ground.clock,
    )
    credentials = OwnCredentials(
        ground.config,
        ways_in.passwords,
        ways_in.passkeys,
        ways_in.ceremonies,
        ways_in.totp,
        ways_in.recovery_codes,
        ways_in.trusted_devices,
        sessions,
        federation,
        ground.events,
        self_service,
    )
    return _Own(self_service, credentials)


def _managed_credentials(
    self_service: SelfService,
    ways_in: WaysIn,
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
    ground: Ground, users: Users, passcodes: Passcodes, self_service: SelfService
) -> Addresses:
    mail, rate_limits = ground.mail, ground.rate_limits
    return Addresses(ground.config, users, passcodes, rate_limits, mail, self_service)


def _domains(  # noqa: PLR0913, PLR0917  # what flows may call
    ground: Ground,
    accounts: _Accounts,
    ways_in: WaysIn,
    sessions: Sessions,
    federation: Federation,
    saml: "Saml | None",
    own: _Own,
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
        ceremonies=ways_in.ceremonies,
        passcodes=ways_in.passcodes,
        totp=ways_in.totp,
        recovery_codes=ways_in.recovery_codes,
        trusted_devices=ways_in.trusted_devices,
        rate_limits=ground.rate_limits,
        sessions=sessions,
        federation=federation,
        saml=saml,
        self_service=own.self_service,
        own_credentials=own.credentials,
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
