"""The settings, section by section, as frozen structs with their defaults.

A field's docstring-like description stands in its `Meta`; `sekisho config schema` and the
configuration reference are printed from it. `env` names the reference product's own environment
variable where it differs from the field's path in capitals.
"""

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from msgspec import Meta, Struct, field

from app.config.values import Duration, Secret


def about(text: str, *, env: str | None = None, **limits: Any) -> Meta:  # noqa: ANN401  # Meta's own
    """Describe a setting; *limits* are msgspec's (ge, le, min_length ...)."""
    return Meta(description=text, extra={"env": env} if env else None, **limits)


class Section(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A group of settings that refuses keys it does not know."""


class Service(Section, frozen=True):
    """How the deployment presents itself."""

    name: Annotated[
        str, about("Shown in mail, in authenticator apps and to sign-in pages.", min_length=1)
    ] = "Sekisho"


class PublicListener(Section, frozen=True):
    """The listener that browsers and applications reach."""

    address: Annotated[str, about("`[host]:port` to listen on.")] = ":8000"
    url: Annotated[
        str, about("The URL under which the world reaches this listener; links are built from it.")
    ] = "http://localhost:8000"


class AdminListener(Section, frozen=True):
    """The listener for backends and operators; keep it inside your network."""

    address: Annotated[str, about("`[host]:port` to listen on.")] = ":8001"


class ClientAddress(Section, frozen=True):
    """How the client's address is found."""

    extractor: Annotated[
        Literal["direct", "x_forwarded_for", "x_real_ip"],
        about("`direct` takes the socket's peer; the others believe a header of trusted proxies."),
    ] = "direct"
    trusted_proxies: Annotated[
        list[str],
        about("CIDR ranges of proxies whose header counts.", env="SERVER_IP_TRUSTEDPROXIES"),
    ] = []


class Server(Section, frozen=True):
    """Listeners and what they believe of a request."""

    public: PublicListener = field(default_factory=PublicListener)
    admin: AdminListener = field(default_factory=AdminListener)
    ip: ClientAddress = field(default_factory=ClientAddress)
    allowed_hosts: Annotated[
        list[str],
        about(
            "Host names a request may ask for, beside the public URL's own; in development also "
            "localhost, 127.0.0.1 and [::1]. A name without a port allows every port."
        ),
    ] = []
    drain_timeout: Annotated[
        Duration, about("How long requests in flight may take when the server is told to stop.")
    ] = field(default_factory=lambda: Duration(seconds=30))


class Database(Section, frozen=True):
    """Where rows are kept: SQLite in the data directory, or PostgreSQL."""

    url: Annotated[
        Secret,
        about(
            "`postgres://user:password@host:port/database` or `sqlite:///path`. When set, it alone "
            "decides the connection."
        ),
    ] = field(default_factory=lambda: Secret(""))
    dialect: Annotated[
        Literal["sqlite", "postgres", "cockroach"], about("Used where no url is given.")
    ] = "sqlite"
    host: Annotated[str, about("Host.")] = "localhost"
    port: Annotated[str, about("Port.")] = "5432"
    user: Annotated[str, about("User.")] = "sekisho"
    password: Annotated[Secret, about("Password.")] = field(default_factory=lambda: Secret(""))
    database: Annotated[str, about("Database name.")] = "sekisho"
    pool: Annotated[int, about("Connections kept open to PostgreSQL.", ge=1, le=200)] = 5
    conn_max_idletime: Annotated[
        Duration,
        about("How long a connection may idle, 0 for ever.", env="DATABASE_CONNMAXIDLETIME"),
    ] = field(default_factory=lambda: Duration(0))


class KeyManagement(Section, frozen=True):
    """Where signing keys live."""

    type: Annotated[
        Literal["local", "aws_kms"],
        about(
            "`local`: made here, kept sealed in the database. `aws_kms`: AWS KMS signs; needs "
            "`sekisho[aws]`.",
            env="SECRETS_KEYMANAGEMENT_TYPE",
        ),
    ] = "local"
    algorithm: Annotated[
        Literal["ES256", "RS256", "EdDSA"],
        about("Algorithm of a signing key made from now on; with `aws_kms` its key decides."),
    ] = "ES256"
    publish_ahead: Annotated[
        Duration,
        about("How long a new signing key is in the JWKS, which is kept for 10m, before it signs."),
    ] = field(default_factory=lambda: Duration(minutes=15))
    key_id: Annotated[
        str,
        about("ARN, id or alias of the key in AWS KMS.", env="SECRETS_KEYMANAGEMENT_KEYID"),
    ] = ""
    region: Annotated[str, about("AWS region.", env="SECRETS_KEYMANAGEMENT_REGION")] = ""


class Secrets(Section, frozen=True):
    """Signing key management."""

    key_management: KeyManagement = field(default_factory=KeyManagement)
    keys: Annotated[list[Secret], about("Deprecated; read where `secret_keys` is not given.")] = []


class Cookie(Section, frozen=True):
    """The session cookie."""

    name: Annotated[str, about("Name; empty means `hanko`, as published clients expect.")] = ""
    domain: Annotated[str, about("Domain attribute; empty means this host only.")] = ""
    http_only: Annotated[bool, about("HttpOnly attribute.")] = True
    secure: Annotated[
        bool, about("Secure attribute. Browsers accept it on http://localhost too.")
    ] = True
    same_site: Annotated[
        Literal["strict", "lax", "none"], about("SameSite attribute; `none` needs `secure`.")
    ] = "strict"
    retention: Annotated[
        Literal["persistent", "session", "prompt"],
        about("Whether the cookie outlives the browser."),
    ] = "persistent"

    @property
    def called(self) -> str:
        """The name in force."""
        return self.name or "hanko"


class JwtTemplate(Section, frozen=True):
    """Claims of an application's own in session tokens."""

    claims: Annotated[
        dict[str, Any],
        about("Claims by name; texts in them are templates. `setJwtTemplate` takes their place."),
    ] = field(default_factory=dict)
    budget: Annotated[
        int, about("Most bytes the claims may take as compact JSON; 0 for all a cookie has.", ge=0)
    ] = 1200
    over_budget: Annotated[
        Literal["omit", "refuse"],
        about(
            "Where a user's claims outgrow the budget: `omit` some from the token, or `refuse` the "
            "change of metadata that would bring it about."
        ),
    ] = "omit"


MAX_COOKIE = 4096
_COOKIE_FRAME = len("=; Path=/; Domain=; Max-Age=31536000000; HttpOnly; Secure; SameSite=Strict")
_JWS_FRAME = 112 + len("..") + 683
"""Header and signature at their longest: RS256 under a key of 4,096 bits."""


class Session(Section, frozen=True):
    """Sessions and the tokens that stand for them."""

    lifespan: Annotated[
        Duration, about("How long a session lives, and its token where that is not shorter.")
    ] = field(default_factory=lambda: Duration(hours=12))
    access_token_lifespan: Annotated[
        Duration,
        about("How long a token lives that a refresh token renews; 0 for one token a session."),
    ] = field(default_factory=lambda: Duration(0))
    renew_stale_tokens: Annotated[
        bool,
        about("Whether `/sessions/validate` hands out a new token when the claims have changed."),
    ] = False
    idle_timeout: Annotated[
        Duration, about("A session unused for longer ends; 0 switches this off.")
    ] = field(default_factory=lambda: Duration(0))
    limit: Annotated[int, about("Sessions a user may have; the oldest end first.", ge=1)] = 5
    issuer: Annotated[str, about("`iss` claim, checked on the way in; empty for none.")] = ""
    audience: Annotated[
        list[str], about("`aud` claim; empty means the relying party id of WebAuthn.")
    ] = []
    enable_auth_token_header: Annotated[
        bool, about("Hand the token out in `X-Auth-Token` instead of a cookie.")
    ] = False
    acquire_ip_address: Annotated[
        bool,
        about("Keep the client's address with a session.", env="SESSION_ACQUIREIPADDRESS"),
    ] = True
    acquire_user_agent: Annotated[
        bool, about("Keep the user agent with a session.", env="SESSION_ACQUIREUSERAGENT")
    ] = True
    cookie: Cookie = field(default_factory=Cookie)
    jwt_template: JwtTemplate = field(default_factory=JwtTemplate)

    def payload_limit(self) -> int:
        """Give the most bytes of JSON in a token that a cookie still has room for (SEC-030)."""
        frame = len(self.cookie.called) + len(self.cookie.domain) + _COOKIE_FRAME
        return (MAX_COOKIE - frame - _JWS_FRAME) * 3 // 4


class RelyingParty(Section, frozen=True):
    """Who asks for a WebAuthn credential."""

    id: Annotated[
        str,
        about("Effective domain; also the default audience. Empty: the host of the public URL."),
    ] = ""
    display_name: Annotated[str, about("Shown by authenticators.", min_length=1)] = "Sekisho"
    origins: Annotated[list[str], about("Origins whose ceremonies count.", min_length=1)] = field(
        default_factory=lambda: ["http://localhost:8888"]
    )


class WebAuthn(Section, frozen=True):
    """WebAuthn."""

    relying_party: RelyingParty = field(default_factory=RelyingParty)


class Cors(Section, frozen=True):
    """Which web pages on other origins may call the public listener."""

    allow_origins: Annotated[
        list[str],
        about(
            "Origins, exact, or with one `*` for a whole host label: `https://*.example.com`. "
            "Development allows http://localhost:8888 where none is given."
        ),
    ] = []
    unsafe_wildcard_origin_allowed: Annotated[
        bool, about("Permit the origin `*`; such answers never go with credentials.")
    ] = False


class Email(Section, frozen=True):
    """E-mail addresses."""

    limit: Annotated[int, about("Addresses a user may have.", ge=0)] = 5
    max_length: Annotated[
        int, about("Longest address, in characters.", ge=6, le=254, env="EMAIL_MAXLENGTH")
    ] = 120


class Username(Section, frozen=True):
    """User names."""

    min_length: Annotated[int, about("Shortest user name.", ge=1)] = 3
    max_length: Annotated[
        int, about("Longest user name.", ge=1, le=128, env="USERNAME_MAXLENGTH")
    ] = 32


class BagLimit(Section, frozen=True):
    """How much a bag may hold, measured on its compact JSON."""

    max: Annotated[int, about("Most units.", ge=2, le=65536)]
    unit: Annotated[
        Literal["characters", "bytes"], about("Unicode code points, or bytes of UTF-8.")
    ] = "characters"


class BagLimits(Section, frozen=True):
    """A cap for each bag."""

    public: BagLimit = field(default_factory=lambda: BagLimit(max=3000))
    private: BagLimit = field(default_factory=lambda: BagLimit(max=3000))
    unsafe: BagLimit = field(default_factory=lambda: BagLimit(max=3000))


HANKO_LIMITS = BagLimits()
TORII_LIMITS = BagLimits(
    public=BagLimit(max=512, unit="bytes"),
    private=BagLimit(max=4096, unit="bytes"),
    unsafe=BagLimit(max=512, unit="bytes"),
)


class UserMetadata(Section, frozen=True):
    """The three bags."""

    limits: Annotated[
        Literal["hanko", "torii"] | BagLimits,
        about(
            "`hanko`: 3,000 characters a bag. `torii`: 512 bytes public, 512 unsafe, 4,096 "
            "private. Or a cap for each bag."
        ),
    ] = "hanko"

    def caps(self) -> BagLimits:
        """Give the caps the rule set stands for."""
        if isinstance(self.limits, BagLimits):
            return self.limits
        return HANKO_LIMITS if self.limits == "hanko" else TORII_LIMITS


class GraphQL(Section, frozen=True):
    """The GraphQL face."""

    explorer: Annotated[
        Literal["auto", "on", "off"],
        about("GraphiQL at GET /graphql; `auto` means in development."),
    ] = "auto"
    introspection: Annotated[
        Literal["auto", "on", "off"],
        about("`auto`: for everyone in development; in production for secret keys alone."),
    ] = "auto"
    max_cost: Annotated[
        int,
        about("Most an operation may cost: one for a field, times the page it stands in.", ge=1),
    ] = 10_000
    persisted_documents: Annotated[
        str, about("Folder of .graphql files whose documents may be asked for by their SHA-256.")
    ] = ""
    only_persisted: Annotated[bool, about("Refuse every document that is not persisted.")] = False


class AuditStorage(Section, frozen=True):
    """The audit table."""

    enabled: Annotated[bool, about("Keep audit records in the database.")] = True


class ConsoleOutput(Section, frozen=True):
    """Audit records among the logs."""

    enabled: Annotated[bool, about("Write a log line for each audit record.")] = True


class Audit(Section, frozen=True):
    """The audit log."""

    storage: AuditStorage = field(default_factory=AuditStorage)
    console_output: ConsoleOutput = field(default_factory=ConsoleOutput)
    mask: Annotated[bool, about("Mask addresses and user names in audit records.")] = True


class Log(Section, frozen=True):
    """The server's own log."""

    level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], about("Least level.")] = "INFO"
    requests: Annotated[bool, about("Write a line for each request.")] = True
    log_health_and_metrics: Annotated[
        bool, about("Include health and metrics requests.", env="LOG_LOGHEALTHANDMETRICS")
    ] = False


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
    cors: Cors = field(default_factory=Cors)
    email: Email = field(default_factory=Email)
    username: Username = field(default_factory=Username)
    user_metadata: UserMetadata = field(default_factory=UserMetadata)
    graphql: GraphQL = field(default_factory=GraphQL)
    audit_log: Audit = field(default_factory=Audit)
    log: Log = field(default_factory=Log)

    @property
    def relying_party_id(self) -> str:
        """Give the effective domain of this deployment."""
        return self.webauthn.relying_party.id or urlsplit(self.server.public.url).hostname or ""

    @property
    def is_production(self) -> bool:
        """Say whether the strict environment is on."""
        return self.environment == "production"
