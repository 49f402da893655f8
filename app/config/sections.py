"""The settings, section by section, as frozen structs with their defaults.

A field's docstring-like description stands in its `Meta`; `sekisho config schema` and the
configuration reference are printed from it. `env` names the reference product's own environment
variable where it differs from the field's path in capitals.
"""

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from msgspec import Meta, field

from app.config.federation_sections import Outbound, ThirdParty
from app.config.saml_sections import Saml
from app.config.section import Section, about
from app.config.values import Duration, Secret
from app.config.webhook_sections import Webhooks
from app.text import email_key


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


class StepUp(Section, frozen=True):
    """How recently a user must have signed in to change what opens the account (SEC-037)."""

    max_age: Annotated[
        Duration,
        about(
            "Longest time since the sign-in; 0 for 5 minutes in GraphQL in production, and none "
            "elsewhere."
        ),
    ] = field(default_factory=lambda: Duration(0))


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
    show_on_profile: Annotated[
        bool, about("List a user's sessions in the profile.", env="SESSION_SHOWONPROFILE")
    ] = True
    allow_revocation: Annotated[
        bool,
        about("Users may end their other sessions there.", env="SESSION_ALLOWREVOCATION"),
    ] = True
    step_up: StepUp = field(default_factory=StepUp)
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
    origins: Annotated[
        list[str],
        about(
            "Origins whose ceremonies count, exact: `https://app.example.com`, or "
            "`android:apk-key-hash:...` for an application. In development also the public URL's.",
            min_length=1,
        ),
    ] = field(default_factory=lambda: ["http://localhost:8888"])


MAX_CEREMONY = 600_000
"""Milliseconds that a challenge may live (SEC-044)."""

UserVerification = Literal["required", "preferred", "discouraged"]
AttestationPreference = Literal["direct", "indirect", "none"]


class WebAuthnTimeouts(Section, frozen=True):
    """How long a ceremony may take; the server holds to it as well."""

    registration: Annotated[
        int, about("Milliseconds to make a credential; 0 for ten minutes.", ge=0, le=MAX_CEREMONY)
    ] = MAX_CEREMONY
    login: Annotated[
        int, about("Milliseconds to use a credential; 0 for ten minutes.", ge=0, le=MAX_CEREMONY)
    ] = MAX_CEREMONY


class WebAuthn(Section, frozen=True):
    """WebAuthn."""

    relying_party: RelyingParty = field(default_factory=RelyingParty)
    timeouts: WebAuthnTimeouts = field(default_factory=WebAuthnTimeouts)


class Passkey(Section, frozen=True):
    """Passkeys: WebAuthn credentials that sign in."""

    enabled: Annotated[bool, about("Passkeys can be made and used.")] = True
    optional: Annotated[bool, about("A user may go without a passkey.")] = True
    acquire_on_registration: Annotated[
        Literal["always", "conditional", "never"],
        about("Ask for a passkey at registration; `conditional`: where no password was set."),
    ] = "always"
    acquire_on_login: Annotated[
        Literal["always", "conditional", "never"],
        about("Ask for one after sign-in who has none; `conditional`: who has no password either."),
    ] = "always"
    limit: Annotated[int, about("Passkeys a user may have.", ge=0, le=100)] = 10
    attestation_preference: Annotated[
        AttestationPreference, about("How much of its maker an authenticator is asked to show.")
    ] = "direct"
    attestation_required: Annotated[
        bool,
        about("Refuse what no certificate of a maker speaks for; many passkeys have none."),
    ] = False
    user_verification: Annotated[
        UserVerification,
        about("Whether an authenticator is asked for a PIN or a feature of the body."),
    ] = "preferred"


class SecurityKeys(Section, frozen=True):
    """Security keys: WebAuthn credentials that are a second factor alone."""

    enabled: Annotated[
        bool, about("Security keys can be made and used.", env="MFA_SECURITYKEYS_ENABLED")
    ] = True
    limit: Annotated[
        int,
        about("Security keys a user may have.", ge=0, le=100, env="MFA_SECURITYKEYS_LIMIT"),
    ] = 10
    attestation_preference: Annotated[
        AttestationPreference,
        about(
            "How much of its maker a security key is asked to show.",
            env="MFA_SECURITYKEYS_ATTESTATION_PREFERENCE",
        ),
    ] = "direct"
    attestation_required: Annotated[
        bool,
        about(
            "Refuse a security key that no certificate of its maker speaks for.",
            env="MFA_SECURITYKEYS_ATTESTATION_REQUIRED",
        ),
    ] = False
    authenticator_attachment: Annotated[
        Literal["platform", "cross-platform", "no_preference"],
        about(
            "Where a security key may be: in the device, or apart from it.",
            env="MFA_SECURITYKEYS_AUTHENTICATOR_ATTACHMENT",
        ),
    ] = "cross-platform"
    user_verification: Annotated[
        UserVerification,
        about(
            "Whether a security key is asked for a PIN or a feature of the body.",
            env="MFA_SECURITYKEYS_USER_VERIFICATION",
        ),
    ] = "discouraged"


class TotpApps(Section, frozen=True):
    """Authenticator apps."""

    enabled: Annotated[bool, about("Authenticator apps count as a second factor.")] = True


class Mfa(Section, frozen=True):
    """Second factors."""

    enabled: Annotated[bool, about("Ask for a second factor at sign-in, and offer to add one.")] = (
        True
    )
    optional: Annotated[
        bool, about("A user may go without; when off, the last second factor cannot be removed.")
    ] = True
    acquire_on_login: Annotated[
        bool,
        about("Offer one after sign-in to users who have none.", env="MFA_ACQUIREONLOGIN"),
    ] = False
    acquire_on_registration: Annotated[
        bool, about("Offer one at registration.", env="MFA_ACQUIREONREGISTRATION")
    ] = True
    device_trust_policy: Annotated[
        Literal["always", "prompt", "never"],
        about(
            "Whether a browser that has shown a second factor is asked again: `always` trust it, "
            "`prompt` the user whether to, `never` trust any."
        ),
    ] = "prompt"
    device_trust_duration: Annotated[
        Duration, about("How long a browser is trusted.", env="MFA_DEVICETRUSTDURATION")
    ] = field(default_factory=lambda: Duration(hours=720))
    device_trust_cookie_name: Annotated[
        str,
        about(
            "Cookie that holds the tokens of trusted browsers.",
            min_length=1,
            max_length=64,
            env="MFA_DEVICETRUSTCOOKIENAME",
        ),
    ] = "hanko-device-token"
    device_trust_max_users_per_device: Annotated[
        int,
        about(
            "Users whom one browser can be trusted for; 0 for 20.",
            ge=0,
            le=30,
            env="MFA_DEVICETRUSTMAXUSERSPERDEVICE",
        ),
    ] = 20
    totp: TotpApps = field(default_factory=TotpApps)
    security_keys: SecurityKeys = field(default_factory=SecurityKeys)


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


class AccountRules(Section, frozen=True):
    """Whether people may come and go by themselves."""

    allow_signup: Annotated[bool, about("New users may register.", env="ACCOUNT_ALLOWSIGNUP")] = (
        True
    )
    allow_deletion: Annotated[
        bool, about("Users may delete their account.", env="ACCOUNT_ALLOWDELETION")
    ] = False


class Privacy(Section, frozen=True):
    """What sign-in tells of accounts."""

    show_account_existence_hints: Annotated[
        bool, about("Tell whether an account exists instead of answering alike.")
    ] = False
    only_show_actual_login_methods: Annotated[
        bool, about("Offer the login methods that the account has; this tells which those are.")
    ] = False


MAX_PASSCODE_TTL = 600
"""Seconds that a passcode may live (SEC-039)."""


class Email(Section, frozen=True):
    """E-mail addresses."""

    enabled: Annotated[bool, about("Sign-in and registration know e-mail addresses.")] = True
    optional: Annotated[bool, about("A user may go without an address.")] = False
    acquire_on_registration: Annotated[bool, about("Ask for an address at registration.")] = True
    acquire_on_login: Annotated[bool, about("Ask for an address after sign-in who has none.")] = (
        True
    )
    require_verification: Annotated[
        bool, about("A new address has to be proved by a code that is mailed to it.")
    ] = True
    use_as_login_identifier: Annotated[
        bool, about("An address says who signs in.", env="EMAIL_USEASLOGINIDENTIFIER")
    ] = True
    use_for_authentication: Annotated[
        bool, about("A code that is mailed signs in.", env="EMAIL_USEFORAUTHENTICATION")
    ] = True
    limit: Annotated[int, about("Addresses a user may have.", ge=0)] = 5
    max_length: Annotated[
        int, about("Longest address, in characters.", ge=6, le=254, env="EMAIL_MAXLENGTH")
    ] = 120
    passcode_ttl: Annotated[
        int, about("Seconds a passcode lives.", ge=30, le=MAX_PASSCODE_TTL, env="EMAIL_PASSCODETTL")
    ] = 300
    passcode_charset: Annotated[
        Literal["numeric", "alphanumeric"],
        about(
            "What the 6 characters of a passcode are: digits (20 bits), or digits and letters "
            "without 0, 1, I, O and l (35 bits).",
            env="EMAIL_PASSCODECHARSET",
        ),
    ] = "numeric"


_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Smtp(Section, frozen=True):
    """The SMTP server that takes our mail."""

    host: Annotated[
        str, about("Host. Empty: development keeps mail at /mailbox of the admin listener.")
    ] = ""
    port: Annotated[int, about("Port.", ge=1, le=65535)] = 465
    user: Annotated[str, about("User; empty for no authentication.")] = ""
    password: Annotated[Secret, about("Password.")] = field(default_factory=lambda: Secret(""))
    tls: Annotated[
        Literal["auto", "implicit", "starttls", "none"],
        about(
            "`implicit`: TLS from the first byte. `starttls`: required, never plain instead. "
            "`auto`: `implicit` on port 465, `none` to this machine itself, else `starttls`."
        ),
    ] = "auto"
    ca_file: Annotated[
        str, about("Certificates in PEM to trust instead of the system's; empty for those.")
    ] = ""
    timeout: Annotated[Duration, about("How long one step with the server may take.")] = field(
        default_factory=lambda: Duration(seconds=10)
    )

    @property
    def is_local(self) -> bool:
        """Say whether the server is on this machine."""
        return self.host in _LOOPBACK

    @property
    def protection(self) -> Literal["implicit", "starttls", "none"]:
        """Give the kind of TLS in force."""
        if self.tls != "auto":
            return self.tls
        if self.port == 465:  # noqa: PLR2004  # RFC 8314 §7.3: submissions
            return "implicit"
        return "none" if self.is_local else "starttls"


class EmailDelivery(Section, frozen=True):
    """How mail leaves."""

    enabled: Annotated[bool, about("Send mail; when off, none is queued.")] = True
    from_address: Annotated[
        str, about("Sender's address; empty means `noreply@` and the host of the public URL.")
    ] = ""
    from_name: Annotated[str, about("Sender's name; empty means the service's name.")] = ""
    templates_dir: Annotated[
        str, about("Folder of texts that take the place of ours: `<language>.toml`, `layout.html`.")
    ] = ""
    smtp: Smtp = field(default_factory=Smtp)


class Notification(Section, frozen=True):
    """One notice about a change of the account."""

    enabled: Annotated[bool, about("Mail it.")] = True


class Notifications(Section, frozen=True):
    """The notices about changes of an account."""

    password_create: Notification = field(default_factory=Notification)
    password_update: Notification = field(default_factory=Notification)
    password_delete: Notification = field(default_factory=Notification)
    primary_email_update: Notification = field(default_factory=Notification)
    email_create: Notification = field(default_factory=Notification)
    email_delete: Notification = field(default_factory=Notification)
    username_update: Notification = field(default_factory=Notification)
    username_delete: Notification = field(default_factory=Notification)
    passkey_create: Notification = field(default_factory=Notification)
    passkey_delete: Notification = field(default_factory=Notification)
    mfa_create: Notification = field(default_factory=Notification)
    mfa_delete: Notification = field(default_factory=Notification)
    recovery_codes_create: Notification = field(default_factory=Notification)
    identity_create: Notification = field(default_factory=Notification)
    identity_delete: Notification = field(default_factory=Notification)


class SecurityNotifications(Section, frozen=True):
    """Mail to the user about what changes on the account."""

    notifications: Notifications = field(default_factory=Notifications)


class Username(Section, frozen=True):
    """User names."""

    enabled: Annotated[bool, about("Sign-in and registration know user names.")] = False
    optional: Annotated[bool, about("A user may go without a user name.")] = True
    acquire_on_registration: Annotated[bool, about("Ask for a user name at registration.")] = True
    acquire_on_login: Annotated[bool, about("Ask for a user name after sign-in who has none.")] = (
        True
    )
    use_as_login_identifier: Annotated[
        bool, about("A user name says who signs in.", env="USERNAME_USEASLOGINIDENTIFIER")
    ] = True
    min_length: Annotated[int, about("Shortest user name.", ge=1)] = 3
    max_length: Annotated[
        int, about("Longest user name.", ge=1, le=128, env="USERNAME_MAXLENGTH")
    ] = 32


class Argon2(Section, frozen=True):
    """What a password hash costs; memory times threads is what all of them take at once."""

    memory: Annotated[int, about("MiB that one hash takes.", ge=19, le=1024)] = 19
    iterations: Annotated[int, about("Passes over that memory.", ge=2, le=16)] = 2
    parallelism: Annotated[int, about("Lanes of one hash.", ge=1, le=16)] = 1


class PasswordHashing(Section, frozen=True):
    """How many passwords are hashed at once."""

    threads: Annotated[
        int, about("Threads that hash; 0 for one a core, and four at most.", ge=0, le=64)
    ] = 0
    queue: Annotated[
        int, about("Hashes that may wait for a thread; one more is answered 503.", ge=0, le=10_000)
    ] = 100


class BreachCheck(Section, frozen=True):
    """Where new passwords are looked up that have become known elsewhere."""

    url: Annotated[
        str,
        about(
            "An API that lists SHA-1 hashes by their first five digits, such as "
            "`https://api.pwnedpasswords.com/range`; it learns no more. Empty for none."
        ),
    ] = ""
    file: Annotated[
        str, about("A file of SHA-1 hashes in their order, one a line. Empty for none.")
    ] = ""
    timeout: Annotated[
        Duration, about("How long the API may take; without an answer nothing is refused.")
    ] = field(default_factory=lambda: Duration(seconds=2))
    allow_private_addresses: Annotated[
        bool, about("Let the API be inside your network, and be asked over http.")
    ] = False


class Password(Section, frozen=True):
    """Passwords."""

    enabled: Annotated[bool, about("Passwords can be set and used.")] = True
    optional: Annotated[bool, about("A user may go without a password.")] = False
    recovery: Annotated[bool, about("A forgotten password can be replaced by e-mail.")] = True
    min_length: Annotated[
        int,
        about(
            "Shortest password, in characters; 15 is advised where it alone signs in.",
            ge=8,
            le=64,
        ),
    ] = 8
    acquire_on_registration: Annotated[
        Literal["always", "conditional", "never"],
        about("Ask for a password at registration; `conditional`: where no passkey was made."),
    ] = "always"
    acquire_on_login: Annotated[
        Literal["always", "conditional", "never"],
        about("Ask for one after sign-in who has none; `conditional`: who has no passkey either."),
    ] = "never"
    argon2: Argon2 = field(default_factory=Argon2)
    hashing: PasswordHashing = field(default_factory=PasswordHashing)
    breach_check: BreachCheck = field(default_factory=BreachCheck)


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


class RedisConfig(Section, frozen=True):
    """Where Redis is."""

    address: Annotated[
        str,
        about(
            "`host[:port][/database]`, or a URL that begins with `redis://`, or with `rediss://` "
            "for TLS, and may name a user.",
            env="RATE_LIMITER_REDIS_ADDRESS",
        ),
    ] = ""
    password: Annotated[Secret, about("Password.", env="RATE_LIMITER_REDIS_PASSWORD")] = field(
        default_factory=lambda: Secret("")
    )

    @property
    def url(self) -> str:
        """Give the address as a URL."""
        return self.address if "://" in self.address else f"redis://{self.address}"


def _tokens(text: str) -> Meta:
    return about(text, ge=1, le=1000)


class Limit(Section, frozen=True):
    """How many within any span of a length."""

    tokens: Annotated[int, _tokens("How many.")] = 3
    interval: Annotated[Duration, about("Within any span of this length.")] = field(
        default_factory=lambda: Duration(minutes=1)
    )


class PasscodeLimits(Limit, frozen=True):
    """Passcodes that are mailed."""

    tokens: Annotated[int, _tokens("Passcodes mailed to one address; never above 10 an hour.")] = 3


class PasswordLimits(Limit, frozen=True):
    """Passwords that are tried."""

    tokens: Annotated[int, _tokens("Passwords tried on one account.")] = 5


class OtpLimits(Limit, frozen=True):
    """Second-factor codes that are tried."""

    tokens: Annotated[
        int, _tokens("Second-factor codes tried on one account; never above 5 a minute.")
    ] = 3


class TokenLimits(Limit, frozen=True):
    """Tokens that are exchanged."""

    tokens: Annotated[int, _tokens("Tokens exchanged from one network.")] = 3


class NetworkLimits(Limit, frozen=True):
    """What one network may try."""

    tokens: Annotated[
        int,
        _tokens(
            "Passwords, passcodes, second-factor codes and passkeys, each, tried from one network: "
            "an IPv4 address, or the /64 of an IPv6 address."
        ),
    ] = 30


class MailNetworkLimits(Limit, frozen=True):
    """What one network may have mailed."""

    tokens: Annotated[int, _tokens("Passcodes mailed at the wish of one network.")] = 100
    interval: Annotated[Duration, about("Within any span of this length.")] = field(
        default_factory=lambda: Duration(hours=1)
    )


class FlowLimits(Limit, frozen=True):
    """Flows that are begun."""

    tokens: Annotated[int, _tokens("Flows begun from one network.")] = 100


class RateLimiter(Section, frozen=True):
    """How often credentials may be tried, and codes mailed."""

    enabled: Annotated[
        bool, about("Limit at all; what a single code allows stays limited without it.")
    ] = True
    store: Annotated[
        Literal["in_memory", "redis"],
        about("Where it is counted: in each process, or in Redis for all replicas together."),
    ] = "in_memory"
    redis_config: RedisConfig = field(default_factory=RedisConfig)
    passcode_limits: PasscodeLimits = field(default_factory=PasscodeLimits)
    password_limits: PasswordLimits = field(default_factory=PasswordLimits)
    otp_limits: OtpLimits = field(default_factory=OtpLimits)
    token_limits: TokenLimits = field(default_factory=TokenLimits)
    network_limits: NetworkLimits = field(default_factory=NetworkLimits)
    mail_network_limits: MailNetworkLimits = field(default_factory=MailNetworkLimits)
    flow_limits: FlowLimits = field(default_factory=FlowLimits)


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
