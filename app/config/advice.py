"""What can be used and is most likely not meant."""

from collections.abc import Iterator

from app.claims.check import check_claims
from app.config.check import EXAMPLE_SECRETS
from app.config.sections import Config
from app.errors import IdentityError


def advice(config: Config) -> tuple[str, ...]:
    """Give a sentence for each thing to think again about."""
    return (*_factors(config), *_addresses(config), *_tokens(config), *_secrets(config))


def _factors(config: Config) -> Iterator[str]:
    mfa = config.mfa
    if mfa.enabled and not (mfa.totp.enabled or mfa.security_keys.enabled):
        yield "mfa.enabled: neither mfa.totp nor mfa.security_keys is enabled"


def _addresses(config: Config) -> Iterator[str]:
    if not config.email.enabled and config.password.enabled and config.password.recovery:
        yield "password.recovery has no effect while email.enabled is false"
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
