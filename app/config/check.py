"""Contradictions between settings that no single setting shows."""

import ipaddress
import re
from urllib.parse import urlsplit

from app.config.check_federation import refuse_federation
from app.config.check_saml import refuse_saml
from app.config.check_webhooks import refuse_webhooks
from app.config.judging import Refuse, is_web
from app.config.sections import Config, Limit
from app.config.values import parse_listener
from app.text import email_key, is_printable

MIN_SECRET = 16
MIN_ACCESS = 60
EXAMPLE_SECRETS = frozenset(
    {
        "abcedfghijklmnopqrstuvwxyz",
        "change-me-change-me-change-me",
        "local-only-secret-change-me-0001",
        "password-mfa-demo-secret-00001",
        "passwordless-demo-secret-000001",
        "saml-demo-secret-0000000000001",
        "social-login-demo-secret-00001",
    }
)
"""Values that stand in documents; anyone may know them (SEC-120)."""

STANDARD_CLAIMS = 420
"""Bytes of the claims that every token carries, without the texts that vary in length."""

JWKS_KEPT = 600
"""Seconds for which others may keep the JWKS."""

LONGEST_STEP = 30
"""Seconds a step with the SMTP server may take; a whole mail has 60."""

_CLOCKS_DIFFER = 120
_DATABASES = ("postgres", "postgresql", "cockroach", "sqlite")
_ORIGIN = re.compile(
    r"https?://(\*\.)?[A-Za-z0-9.-]+(:\d{1,5})?|https?://\[[0-9a-fA-F:]+\](:\d{1,5})?"
)
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(\.{_LABEL})*")
_CEREMONY_ORIGIN = re.compile(
    rf"https://{_LABEL}(\.{_LABEL})*(:\d{{1,5}})?|http://({_LABEL}\.)*localhost(:\d{{1,5}})?"
    r"|android:apk-key-hash:[A-Za-z0-9_-]{43}"
)
_COOKIE_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]*")
_REDIS_PATH = re.compile(r"/?\d{0,5}")
_DAY = 86_400


def refuse_contradictions(config: Config, refuse: Refuse) -> None:
    """Call *refuse* with a sentence for each thing that cannot be meant."""
    if not is_web(config.server.public.url):
        refuse("server.public.url must be an absolute http or https URL")
        return  # the rules below build on it
    _people(config, refuse)
    _listeners(config, refuse)
    _database(config, refuse)
    _proxies(config, refuse)
    _secrets(config, refuse)
    _key_management(config, refuse)
    _cookie(config, refuse)
    _token_size(config, refuse)
    _origins(config, refuse)
    _relying_party(config, refuse)
    _spans(config, refuse)
    _mail(config, refuse)
    _second_factors(config, refuse)
    _rate_limiter(config, refuse)
    _breach_check(config, refuse)
    refuse_federation(config, refuse)
    refuse_saml(config, refuse)
    refuse_webhooks(config, refuse)
    if config.is_production:
        _production(config, refuse)


def _people(config: Config, refuse: Refuse) -> None:
    """See that users have something to be known by."""
    if not config.service.name.strip():
        refuse("service.name must not be blank")
    if not (config.email.enabled or config.username.enabled):
        refuse("nobody could have an account: switch on email.enabled or username.enabled")


def _listeners(config: Config, refuse: Refuse) -> None:
    server = config.server
    for name, address in (("public", server.public.address), ("admin", server.admin.address)):
        try:
            parse_listener(address)
        except ValueError as error:
            refuse(f"server.{name}.address: {error}")


def _database(config: Config, refuse: Refuse) -> None:
    """Look at the address without repeating it: it may hold a password."""
    database = config.database
    if database.dialect != "sqlite" and not database.port.isdigit():
        refuse("database.port must be a number")
    url = database.url.reveal()
    if not url:
        for name in ("host", "user", "database"):
            if database.dialect != "sqlite" and not getattr(database, name).strip():
                refuse(f"database.{name} is needed where no database.url is given")
        return
    try:
        parts = urlsplit(url)
        good = parts.scheme in _DATABASES and (parts.port or 0) >= 0
    except ValueError:
        good = False
    if not good:
        refuse("database.url must begin with postgres://, cockroach:// or sqlite:/// and be a URL")


def _proxies(config: Config, refuse: Refuse) -> None:
    ip = config.server.ip
    for entry in ip.trusted_proxies:
        try:
            ipaddress.ip_network(entry)
        except ValueError:
            refuse(f"server.ip.trusted_proxies: '{entry}' is no CIDR range")
    if ip.extractor != "direct" and not ip.trusted_proxies:
        refuse(f"server.ip.extractor: {ip.extractor} needs server.ip.trusted_proxies")


def _secrets(config: Config, refuse: Refuse) -> None:
    for secret in config.secret_keys or config.secrets.keys:
        if len(secret.reveal()) < MIN_SECRET:
            refuse(f"secret_keys: each secret needs at least {MIN_SECRET} characters")


def _key_management(config: Config, refuse: Refuse) -> None:
    management = config.secrets.key_management
    if management.type == "aws_kms" and not (management.key_id and management.region):
        refuse("secrets.key_management: aws_kms needs key_id and region")
    if management.publish_ahead.total_seconds() < 0:
        refuse("secrets.key_management.publish_ahead must not be negative")


def _cookie(config: Config, refuse: Refuse) -> None:
    cookie = config.session.cookie
    if cookie.same_site == "none" and not cookie.secure:
        refuse("session.cookie: same_site none needs secure true")
    if cookie.name.startswith("__Host-") and (cookie.domain or not cookie.secure):
        refuse("session.cookie: a name with __Host- needs secure true and no domain")
    if cookie.name.startswith("__Secure-") and not cookie.secure:
        refuse("session.cookie: a name with __Secure- needs secure true")
    if not _COOKIE_NAME.fullmatch(cookie.name):
        refuse("session.cookie.name holds a character that a cookie name cannot have")


def _token_size(config: Config, refuse: Refuse) -> None:
    """See that the claims which every token carries leave its cookie below its limit (SEC-030)."""
    session = config.session
    names = config.email.max_length + config.username.max_length + len(session.issuer)
    names += sum(len(one) + len('"",') for one in session.audience)
    if STANDARD_CLAIMS + 4 * names > session.payload_limit():
        refuse(
            "session.issuer, session.audience and session.cookie are so long that a token would "
            "not fit into its cookie"
        )


def _origins(config: Config, refuse: Refuse) -> None:
    cors = config.cors
    for origin in cors.allow_origins:
        if origin == "*" and not cors.unsafe_wildcard_origin_allowed:
            refuse("cors.allow_origins: '*' needs cors.unsafe_wildcard_origin_allowed: true")
        if origin != "*" and not _ORIGIN.fullmatch(origin):
            refuse(f"cors.allow_origins: '{origin}' is no origin such as https://app.example.com")


def _relying_party(config: Config, refuse: Refuse) -> None:
    """See that ceremonies can work: browsers compare origins as wholes, and on TLS alone."""
    relying_party = config.webauthn.relying_party
    if not relying_party.display_name.strip():
        refuse("webauthn.relying_party.display_name must not be blank")
    if relying_party.id and not _DOMAIN.fullmatch(relying_party.id):
        refuse("webauthn.relying_party.id must be a domain in lower case, such as example.com")
    for origin in relying_party.origins:
        if not _CEREMONY_ORIGIN.fullmatch(origin):
            refuse(
                f"webauthn.relying_party.origins: '{origin}' is neither an https origin such as "
                "https://app.example.com, nor http://localhost, nor android:apk-key-hash:..."
            )


def _spans(config: Config, refuse: Refuse) -> None:
    if config.session.lifespan.total_seconds() < 1:
        refuse("session.lifespan must be at least 1s")
    access = config.session.access_token_lifespan
    if (
        access
        and not MIN_ACCESS <= access.total_seconds() < config.session.lifespan.total_seconds()
    ):
        refuse("session.access_token_lifespan must be at least 1m and below session.lifespan, or 0")
    if config.session.idle_timeout.total_seconds() < 0:
        refuse("session.idle_timeout must not be negative")
    if config.audit_log.retention.total_seconds() < 0:
        refuse("audit_log.retention must not be negative; 0 keeps records for good")
    if config.username.min_length > config.username.max_length:
        refuse("username.min_length is above username.max_length")


def _breach_check(config: Config, refuse: Refuse) -> None:
    check = config.password.breach_check
    if check.url and not is_web(check.url):
        refuse("password.breach_check.url must be an absolute http or https URL")
    if check.url.startswith("http:") and not check.allow_private_addresses:
        refuse("password.breach_check.url must be https unless allow_private_addresses is true")
    if check.timeout.total_seconds() <= 0:
        refuse("password.breach_check.timeout must be above 0")


def _mail(config: Config, refuse: Refuse) -> None:
    delivery, smtp = config.email_delivery, config.email_delivery.smtp
    if email_key(config.mail_sender) is None:
        refuse("email_delivery.from_address must be an e-mail address")
    if not is_printable(delivery.from_name) or not is_printable(config.service.name):
        refuse("email_delivery.from_name and service.name must not hold control characters")
    if smtp.user and smtp.protection == "none" and not smtp.is_local:
        refuse("email_delivery.smtp.tls: none would send the password in the clear")
    if not 1 <= smtp.timeout.total_seconds() <= LONGEST_STEP:
        refuse(f"email_delivery.smtp.timeout must be between 1s and {LONGEST_STEP}s")


def _second_factors(config: Config, refuse: Refuse) -> None:
    mfa = config.mfa
    for name, rules in (("passkey", config.passkey), ("mfa.security_keys", mfa.security_keys)):
        if rules.attestation_required and rules.attestation_preference == "none":
            refuse(f"{name}.attestation_required needs an attestation_preference other than none")
    name = mfa.device_trust_cookie_name
    if not _COOKIE_NAME.fullmatch(name):
        refuse("mfa.device_trust_cookie_name holds a character that a cookie name cannot have")
    if name in (config.session.cookie.called, f"{config.session.cookie.called}-refresh"):
        refuse("mfa.device_trust_cookie_name is the name of another cookie")
    if mfa.device_trust_duration.total_seconds() < 1:
        refuse("mfa.device_trust_duration must be at least 1s")


def _rate_limiter(config: Config, refuse: Refuse) -> None:
    limiter = config.rate_limiter
    for name in limiter.__struct_fields__:
        limit = getattr(limiter, name)
        if isinstance(limit, Limit) and not 1 <= limit.interval.total_seconds() <= _DAY:
            refuse(f"rate_limiter.{name}.interval must be between 1s and 24h")
    if limiter.store == "redis" and not limiter.redis_config.address:
        refuse("rate_limiter.store: redis needs rate_limiter.redis_config.address")
    if limiter.redis_config.address and not _is_redis(limiter.redis_config.url):
        refuse(
            "rate_limiter.redis_config.address must be host[:port][/database], or a URL that "
            "begins with redis:// or rediss://, without a password"
        )


def _is_redis(url: str) -> bool:
    try:
        parts = urlsplit(url)
        has_place = bool(parts.hostname) and parts.port != 0
    except ValueError:  # a broken IPv6 address, or no port
        return False
    plain = parts.password is None and not parts.query and not parts.fragment
    is_path = _REDIS_PATH.fullmatch(parts.path) is not None
    return parts.scheme in ("redis", "rediss") and has_place and plain and is_path


def _production(config: Config, refuse: Refuse) -> None:
    secrets = {secret.reveal() for secret in config.secret_keys or config.secrets.keys}
    if not secrets:
        refuse("production needs secret_keys (SECRET_KEYS): a random text of 32 characters or so")
    if secrets & EXAMPLE_SECRETS:
        refuse("secret_keys holds a value from a document; make one of your own")
    if urlsplit(config.server.public.url).hostname == "localhost":
        refuse("production needs server.public.url (SERVER_PUBLIC_URL), the URL the world uses")
    if not config.session.cookie.secure:
        refuse("production needs session.cookie.secure: true")
    if config.email_delivery.enabled and not config.email_delivery.smtp.host:
        refuse(
            "production needs email_delivery.smtp.host (EMAIL_DELIVERY_SMTP_HOST), or "
            "email_delivery.enabled: false"
        )
    if config.secrets.key_management.publish_ahead.total_seconds() < JWKS_KEPT + _CLOCKS_DIFFER:
        refuse("production needs secrets.key_management.publish_ahead of at least 12m")
