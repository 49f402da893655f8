"""Builds everything, once, by hand."""

from dataclasses import dataclass

from app.audit import AuditLog
from app.clock import Clock, utc_now
from app.config.sections import Config
from app.keys import Sealer, SigningKeys, encryption_secrets
from app.metadata import Metadata
from app.persistence import Migrations, connect, disconnect, is_reachable
from app.secretkeys import SecretKeys
from app.sessions import RefreshTokens, Sessions, SessionTokens, TokenClaims
from app.templates import ClaimTemplates, caps_of
from app.users import Users


@dataclass(frozen=True, slots=True)
class Services:
    """The services of the product, as the faces and the command line see them."""

    config: Config
    clock: Clock
    audit: AuditLog
    migrations: Migrations
    templates: ClaimTemplates
    metadata: Metadata
    users: Users
    signing_keys: SigningKeys
    secret_keys: SecretKeys
    sessions: Sessions

    async def open(self) -> list[str]:
        """Connect, bring the schema up to date and read the keys; give the migrations applied.

        Raises:
            DatabaseUnavailable, SchemaRefused, KeysUnreadable: The server must not start.
        """
        await connect(self.config)
        applied = await self.migrations.up()
        await self.signing_keys.load()
        self.templates.warn()
        return applied

    async def close(self) -> None:
        """Let go of the database."""
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
    return Services(
        config=config,
        clock=clock,
        audit=audit,
        migrations=Migrations(clock),
        templates=templates,
        metadata=metadata,
        users=users,
        signing_keys=signing_keys,
        secret_keys=SecretKeys(audit, clock),
        sessions=Sessions(config.session, tokens, refresh_tokens, claims, audit, clock),
    )
