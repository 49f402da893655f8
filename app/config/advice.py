"""What can be used and is most likely not meant."""

from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from app.claims.check import check_claims
from app.config.check import EXAMPLE_SECRETS
from app.config.sections import Config
from app.config.server_sections import PublicListener
from app.config.values import parse_listener
from app.errors import IdentityError


def advice(config: Config) -> tuple[str, ...]:
    """Give a sentence for each thing to think again about."""
    return (
        *_environment(config),
        *_listeners(config),
        *_factors(config),
        *_addresses(config),
        *_tokens(config),
        *_secrets(config),
    )


def _listeners(config: Config) -> Iterator[str]:
    server = config.server
    host, port = parse_listener(server.public.address)
    admin_host, admin_port = parse_listener(server.admin.address)
    if port and port == admin_port and (host == admin_host or not (host and admin_host)):
        yield "server.admin.address is that of server.public: `serve all` cannot listen twice on it"
    if server.public.url == PublicListener().url and port not in (
        0,
        urlsplit(server.public.url).port,
    ):
        yield "server.public.url is not given, and says another port than server.public.address"
    if config.is_production and not server.allowed_hosts:
        yield (
            "server.allowed_hosts is empty: the admin listener, too, answers requests for the host "
            "of server.public.url alone"
        )


def _environment(config: Config) -> Iterator[str]:
    party = config.webauthn.relying_party
    is_local = party.id in ("", "localhost") or party.id.endswith(".localhost")
    if not config.is_production and not (is_local and _all_plain(party.origins)):
        yield (
            "environment is development, and webauthn.relying_party is not of this machine: where "
            "people sign in, set ENVIRONMENT=production and SERVER_PUBLIC_URL"
        )


def _all_plain(origins: Iterable[str]) -> bool:
    return not any(origin.startswith("https://") for origin in origins)


def _factors(config: Config) -> Iterator[str]:
    mfa = config.mfa
    if mfa.enabled and not (mfa.totp.enabled or mfa.security_keys.enabled):
        yield "mfa.enabled: neither mfa.totp nor mfa.security_keys is enabled"


def _addresses(config: Config) -> Iterator[str]:
    if not config.email.enabled and config.password.enabled and config.password.recovery:
        yield "password.recovery has no effect while email.enabled is false"
    smtp = config.email_delivery.smtp
    if smtp.user and not smtp.password.reveal():
        yield "email_delivery.smtp.user is given, and no password"
    if smtp.password.reveal() and not smtp.user:
        yield "email_delivery.smtp.password has no effect without a user"
    if not config.email_delivery.enabled and not _is_delegated(config):
        yield (
            "email_delivery.enabled is false and no hook of webhooks.hooks asks for email.send: "
            "unless one is made by the API, nobody gets mail"
        )


def _is_delegated(config: Config) -> bool:
    events = {event for hook in config.webhooks.hooks for event in hook.events}
    return config.webhooks.enabled and not events.isdisjoint(("email", "email.send"))


def _tokens(config: Config) -> Iterator[str]:
    session = config.session
    if session.enable_auth_token_header and "*" in config.cors.allow_origins:
        yield "session.enable_auth_token_header: with cors.allow_origins '*' any page may read it"
    for name, value in session.jwt_template.claims.items():
        try:
            check_claims({name: value})
        except IdentityError as error:
            yield f"session.jwt_template.claims.{name} is left out of tokens: {error.message}"


def _secrets(config: Config) -> Iterator[str]:
    secrets = {one.reveal() for one in config.secret_keys or config.secrets.keys}
    if secrets & EXAMPLE_SECRETS:
        yield "secret_keys holds a value from a document, which production refuses"
