"""The settings of the server itself: listeners, database, secrets, faces and logs."""

from typing import Annotated, Literal

from msgspec import field

from app.config.section import Section, about
from app.config.values import Duration, Secret


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
    output: Annotated[
        Literal["stdout", "stderr"],
        about("Where those lines go.", env="AUDIT_LOG_CONSOLE_OUTPUT_OUTPUT_STREAM"),
    ] = "stdout"


class Audit(Section, frozen=True):
    """The audit log."""

    storage: AuditStorage = field(default_factory=AuditStorage)
    console_output: ConsoleOutput = field(default_factory=ConsoleOutput)
    mask: Annotated[bool, about("Mask addresses and user names in audit records.")] = True
    retention: Annotated[
        Duration, about("How long records stay in the database; 0 keeps them for good.")
    ] = field(default_factory=lambda: Duration(hours=720))


class Log(Section, frozen=True):
    """The server's own log."""

    level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], about("Least level.")] = "INFO"
    requests: Annotated[bool, about("Write a line for each request.")] = True
    log_health_and_metrics: Annotated[
        bool, about("Include health and metrics requests.", env="LOG_LOGHEALTHANDMETRICS")
    ] = False
