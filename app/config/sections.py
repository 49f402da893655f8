"""The settings, section by section, as frozen structs with their defaults.

A field's docstring-like description stands in its `Meta`; `sekisho config schema` and the
configuration reference are printed from it. `env` names the reference product's own environment
variable where it differs from the field's path in capitals.
"""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from msgspec import field

from app.config.account_sections import (
    HANKO_LIMITS,
    MAX_PASSCODE_TTL,
    TORII_LIMITS,
    AccountRules,
    BagLimit,
    BagLimits,
    Email,
    Privacy,
    UserMetadata,
    Username,
)
from app.config.credential_sections import (
    MAX_CEREMONY,
    Argon2,
    AttestationPreference,
    BreachCheck,
    Mfa,
    Passkey,
    Password,
    PasswordHashing,
    RelyingParty,
    SecurityKeys,
    TotpApps,
    UserVerification,
    WebAuthn,
    WebAuthnTimeouts,
)
from app.config.federation_sections import Outbound, ThirdParty
from app.config.limit_sections import (
    FlowLimits,
    Limit,
    MailNetworkLimits,
    NetworkLimits,
    OtpLimits,
    PasscodeLimits,
    PasswordLimits,
    RateLimiter,
    RedisConfig,
    TokenLimits,
)
from app.config.mail_sections import (
    EmailDelivery,
    Notification,
    Notifications,
    SecurityNotifications,
    Smtp,
)
from app.config.saml_sections import Saml
from app.config.section import Section, about
from app.config.server_sections import (
    AdminListener,
    Audit,
    AuditStorage,
    ClientAddress,
    ConsoleOutput,
    Cors,
    Database,
    GraphQL,
    KeyManagement,
    Log,
    PublicListener,
    Secrets,
    Server,
    Service,
)
from app.config.session_sections import MAX_COOKIE, Cookie, JwtTemplate, Session, StepUp
from app.config.telemetry_sections import Telemetry
from app.config.values import Secret
from app.config.webhook_sections import Webhooks
from app.text import email_key

__all__ = [
    "HANKO_LIMITS",
    "MAX_CEREMONY",
    "MAX_COOKIE",
    "MAX_PASSCODE_TTL",
    "TORII_LIMITS",
    "AccountRules",
    "AdminListener",
    "Argon2",
    "AttestationPreference",
    "Audit",
    "AuditStorage",
    "BagLimit",
    "BagLimits",
    "BreachCheck",
    "ClientAddress",
    "Config",
    "ConsoleOutput",
    "Cookie",
    "Cors",
    "Database",
    "Email",
    "EmailDelivery",
    "FlowLimits",
    "GraphQL",
    "JwtTemplate",
    "KeyManagement",
    "Limit",
    "Log",
    "MailNetworkLimits",
    "Mfa",
    "NetworkLimits",
    "Notification",
    "Notifications",
    "OtpLimits",
    "PasscodeLimits",
    "Passkey",
    "Password",
    "PasswordHashing",
    "PasswordLimits",
    "Privacy",
    "PublicListener",
    "RateLimiter",
    "RedisConfig",
    "RelyingParty",
    "Secrets",
    "SecurityKeys",
    "SecurityNotifications",
    "Server",
    "Service",
    "Session",
    "Smtp",
    "StepUp",
    "TokenLimits",
    "TotpApps",
    "UserMetadata",
    "UserVerification",
    "Username",
    "WebAuthn",
    "WebAuthnTimeouts",
]


class Config(Section, frozen=True):
    """Everything that can be set."""

    environment: Annotated[
        Literal["development", "production"],
        about("`development` makes what is missing; `production` refuses to start without it."),
    ] = "development"
    data_dir: Annotated[
        str, about("Folder for the SQLite file and development's encryption key.")
    ] = "data"
    secret_keys: Annotated[
        list[Secret],
        about(
            "Encryption secrets, at least 16 characters each. The first seals, all of them open. "
            "Development makes one and keeps it in the data directory."
        ),
    ] = []
    service: Service = field(default_factory=Service)
    server: Server = field(default_factory=Server)
    database: Database = field(default_factory=Database)
    secrets: Secrets = field(default_factory=Secrets)
    session: Session = field(default_factory=Session)
    webauthn: WebAuthn = field(default_factory=WebAuthn)
    account: AccountRules = field(default_factory=AccountRules)
    privacy: Privacy = field(default_factory=Privacy)
    passkey: Passkey = field(default_factory=Passkey)
    mfa: Mfa = field(default_factory=Mfa)
    third_party: ThirdParty = field(default_factory=ThirdParty)
    saml: Saml = field(default_factory=Saml)
    outbound: Outbound = field(default_factory=Outbound)
    cors: Cors = field(default_factory=Cors)
    email: Email = field(default_factory=Email)
    email_delivery: EmailDelivery = field(default_factory=EmailDelivery)
    security_notifications: SecurityNotifications = field(default_factory=SecurityNotifications)
    webhooks: Webhooks = field(default_factory=Webhooks)
    username: Username = field(default_factory=Username)
    password: Password = field(default_factory=Password)
    user_metadata: UserMetadata = field(default_factory=UserMetadata)
    rate_limiter: RateLimiter = field(default_factory=RateLimiter)
    graphql: GraphQL = field(default_factory=GraphQL)
    audit_log: Audit = field(default_factory=Audit)
    log: Log = field(default_factory=Log)
    telemetry: Telemetry = field(default_factory=Telemetry)

    @property
    def relying_party_id(self) -> str:
        """Give the effective domain of this deployment."""
        return self.webauthn.relying_party.id or urlsplit(self.server.public.url).hostname or ""

    @property
    def relying_party_origins(self) -> list[str]:
        """Give the origins whose ceremonies count; in development those of our own pages too."""
        configured = self.webauthn.relying_party.origins
        url = urlsplit(self.server.public.url)
        ours = f"{url.scheme}://{url.netloc}"
        return configured if self.is_production or ours in configured else [*configured, ours]

    @property
    def mail_sender(self) -> str:
        """Give the address that mail comes from."""
        ours = f"noreply@{urlsplit(self.server.public.url).hostname}"
        if email_key(ours) is None:  # an address of the network has no mail
            ours = "noreply@localhost"
        return self.email_delivery.from_address or ours

    @property
    def keeps_mailbox(self) -> bool:
        """Say whether mail is kept for development to look at instead of being sent."""
        delivery = self.email_delivery
        return not self.is_production and delivery.enabled and not delivery.smtp.host

    @property
    def is_production(self) -> bool:
        """Say whether the strict environment is on."""
        return self.environment == "production"
