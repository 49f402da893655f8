"""Contradictions between the settings of signing in elsewhere."""

import ipaddress
import re

from app.config.federation_sections import BuiltInProvider, CustomProvider, ThirdParty
from app.config.judging import Refuse, is_web
from app.config.sections import Config
from app.redirects import Redirects
from app.text import is_printable

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_TENANT = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_CLAIM = re.compile(r"[A-Za-z0-9_:/.@-]{1,128}")
_PATH = re.compile(r"(\$\.)?[^.\s]{1,128}(\.[^.\s]{1,128}){0,7}")
URL_PATTERN = re.compile(
    r"[a-zA-Z][a-zA-Z0-9+.-]*://"
    r"(?:\\\S|[^\[\]{}\\\s]|\[!?[^\[\]{}\\\s]+\]|\{[^\[\]{}\\\s]*\})+"
)


def refuse_federation(config: Config, refuse: Refuse) -> None:
    """Call *refuse* with a sentence for each thing that cannot be meant."""
    _networks(config, refuse)
    _ways_in(config, refuse)
    settings = config.third_party
    for pattern in settings.allowed_redirect_urls:
        if not URL_PATTERN.fullmatch(pattern):
            refuse(
                f"third_party.allowed_redirect_urls: '{pattern}' is no URL pattern such as "
                "https://app.example.com/**"
            )
    if settings.enabled_providers():
        _redirects(settings, refuse)
        _default(settings, refuse)
    for name, built_in in settings.providers.by_name().items():
        if built_in.enabled:
            _built_in(f"third_party.providers.{name}", built_in, refuse)
    _tenants(settings, refuse)
    _own(config, refuse)


def _networks(config: Config, refuse: Refuse) -> None:
    for entry in config.outbound.allowed_networks:
        try:
            ipaddress.ip_network(entry)
        except ValueError:
            refuse(f"outbound.allowed_networks: '{entry}' is no CIDR range")


def _ways_in(config: Config, refuse: Refuse) -> None:
    by_mail = config.email.enabled and config.email.use_for_authentication
    if not (
        config.passkey.enabled
        or config.password.enabled
        or by_mail
        or config.third_party.enabled_providers()
        or config.saml.enabled_providers()
    ):
        refuse(
            "nobody could sign in: switch on passkey.enabled, password.enabled, "
            "email.use_for_authentication, or a provider of third_party or saml"
        )


def _redirects(settings: ThirdParty, refuse: Refuse) -> None:
    if not is_web(settings.redirect_url):
        refuse("third_party.redirect_url must be an absolute http or https URL")
    if set(settings.callback_of("")) & set("{}"):
        refuse("third_party.redirect_url may hold {provider} at its end alone")
    if not is_web(settings.error_redirect_url):
        refuse("third_party.error_redirect_url must be an absolute http or https URL")
    if settings.default_redirect_url and not is_web(settings.default_redirect_url):
        refuse("third_party.default_redirect_url must be an absolute http or https URL")
    if not settings.allowed_redirect_urls:
        refuse("third_party.allowed_redirect_urls: an enabled provider needs at least one")
    for name in ("error_redirect_url", "default_redirect_url"):
        if getattr(settings, name).endswith("/"):
            refuse(f"third_party.{name} must not end with /")
    for pattern in settings.allowed_redirect_urls:
        if pattern.endswith("/"):
            refuse(f"third_party.allowed_redirect_urls: '{pattern}' must not end with /")


def _default(settings: ThirdParty, refuse: Refuse) -> None:
    """Refuse a target that no sign-in could come back to (SEC-082)."""
    target = settings.default_redirect_url
    allowed = Redirects((*settings.allowed_redirect_urls, settings.error_redirect_url))
    if is_web(target) and not allowed.allow(target):
        refuse("third_party.default_redirect_url: allowed_redirect_urls has to allow it")


def _built_in(name: str, provider: BuiltInProvider, refuse: Refuse) -> None:
    if not provider.client_id or not provider.has_secret:
        refuse(f"{name} needs client_id and secret while it is enabled")


def _tenants(settings: ThirdParty, refuse: Refuse) -> None:
    for tenant in settings.providers.microsoft.tenants:
        if not _TENANT.fullmatch(tenant):
            refuse(f"third_party.providers.microsoft.tenants: '{tenant}' is no tenant id")


def _own(config: Config, refuse: Refuse) -> None:
    seen: set[str] = set()
    for key, provider in config.third_party.custom_providers.items():
        name = f"third_party.custom_providers.{key}"
        if not _KEY.fullmatch(key):
            refuse(f"{name}: a key is made of letters, digits, - and _")
        if key.lower() in seen:
            refuse(f"{name}: two keys are the same in lower case")
        seen.add(key.lower())
        if provider.enabled:
            _custom(name, provider, refuse)
            _endpoints(name, provider, _allows_http(config), refuse)


def _custom(name: str, provider: CustomProvider, refuse: Refuse) -> None:
    for member in ("display_name", "client_id", "scopes"):
        if not getattr(provider, member):
            refuse(f"{name} needs {member} while it is enabled")
    if not provider.secret.reveal():
        refuse(f"{name} needs secret while it is enabled")
    if not is_printable(provider.display_name):
        refuse(f"{name}.display_name must not hold control characters")
    for ours, theirs in provider.attribute_mapping.items():
        if not _CLAIM.fullmatch(ours) or not _PATH.fullmatch(theirs):
            refuse(f"{name}.attribute_mapping: '{ours}' needs a dotted path such as user.id")


def _endpoints(name: str, provider: CustomProvider, http: bool, refuse: Refuse) -> None:  # noqa: FBT001  # a fact, no switch
    if provider.jwks_uri:
        _keys(name, provider, refuse)
    for member in _needed(provider):
        url = getattr(provider, member)
        if not url:
            refuse(f"{name} needs {member} while it is enabled")
        elif not is_web(url) or not (http or url.startswith("https:")):
            refuse(f"{name}.{member} must be an absolute https URL")


def _needed(provider: CustomProvider) -> tuple[str, ...]:
    """Name the URLs that a provider needs; one that has keys tells the user's data in ID tokens."""
    if provider.use_discovery:
        return ("issuer",)
    endpoints = ("authorization_endpoint", "token_endpoint")
    if not provider.jwks_uri:
        return (*endpoints, "userinfo_endpoint")
    asked = ("userinfo_endpoint",) if provider.userinfo_endpoint else ()
    return (*endpoints, "issuer", "jwks_uri", *asked)


def _keys(name: str, provider: CustomProvider, refuse: Refuse) -> None:
    if provider.use_discovery:
        refuse(f"{name}.jwks_uri is for a provider without use_discovery, which tells it")
    if "openid" not in provider.scopes:
        refuse(f"{name}.jwks_uri needs the scope openid: without it there are no ID tokens")


def _allows_http(config: Config) -> bool:
    return not config.is_production or bool(config.outbound.allowed_networks)
