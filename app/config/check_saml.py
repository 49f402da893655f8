"""Contradictions between the settings of SAML."""

import importlib.util
from pathlib import Path
from urllib.parse import urlsplit

from app.config.check_federation import URL_PATTERN
from app.config.judging import Refuse, is_web
from app.config.saml_sections import IdentityProvider, Saml
from app.config.sections import Config
from app.text import email_key, is_printable

PACKAGES = ("lxml", "signxml")


def refuse_saml(config: Config, refuse: Refuse) -> None:
    """Call *refuse* with a sentence for each thing that cannot be meant."""
    settings = config.saml
    if not settings.enabled:
        return
    if not is_installed():
        refuse("saml.enabled needs the packages of the extra: pip install 'sekisho[saml]'")
    _urls(settings, refuse)
    _providers(config, refuse)
    if config.is_production:
        _production(settings, refuse)


def is_installed() -> bool:
    """Say whether the packages of the extra are there."""
    return all(importlib.util.find_spec(name) is not None for name in PACKAGES)


def _urls(settings: Saml, refuse: Refuse) -> None:
    for name in ("endpoint_url", "audience_uri"):
        if not getattr(settings, name).strip():
            refuse(f"saml.{name} is needed while saml.enabled is true")
    for name in ("endpoint_url", "default_redirect_url"):
        if getattr(settings, name).strip() and not is_web(getattr(settings, name)):
            refuse(f"saml.{name} must be an absolute http or https URL")
    if is_web(settings.endpoint_url) and urlsplit(settings.endpoint_url).query:
        refuse("saml.endpoint_url must not have a query")
    for pattern in settings.allowed_redirect_urls:
        if not URL_PATTERN.fullmatch(pattern):
            refuse(
                f"saml.allowed_redirect_urls: '{pattern}' is no URL pattern such as "
                "https://app.example.com/**"
            )


def _providers(config: Config, refuse: Refuse) -> None:
    settings = config.saml
    if not settings.identity_providers:
        refuse("saml.identity_providers: at least one is needed while saml.enabled is true")
    names: set[str] = set()
    domains: set[str] = set()
    for number, provider in enumerate(settings.identity_providers):
        if provider.enabled:
            place = f"saml.identity_providers[{number}]"
            _provider(place, provider, config, refuse)
            if provider.name in names:
                refuse(f"{place}: another enabled provider has the name '{provider.name}'")
            names.add(provider.name)
            for domain in provider.all_domains:
                if domain in domains:
                    refuse(f"{place}: another enabled provider has the domain '{domain}'")
                domains.add(domain)


def _provider(place: str, provider: IdentityProvider, config: Config, refuse: Refuse) -> None:
    if not provider.name.strip() or not is_printable(provider.name):
        refuse(f"{place} needs a name while it is enabled")
    if not provider.all_domains:
        refuse(f"{place} needs a domain while it is enabled")
    for domain in provider.all_domains:
        if email_key(f"a@{domain}") != f"a@{domain}":
            refuse(f"{place}: '{domain}' is no domain such as example.com (IDNA in ASCII)")
    if len(provider.sources) != 1:
        refuse(f"{place} needs one of metadata_url, metadata_file and metadata")
    if provider.metadata_url and not _is_fetchable(provider.metadata_url, config):
        refuse(f"{place}.metadata_url must be an absolute https URL")
    if provider.metadata_file and not Path(provider.metadata_file).is_file():
        refuse(f"{place}.metadata_file: there is no file '{provider.metadata_file}'")


def _production(settings: Saml, refuse: Refuse) -> None:
    if settings.options.skip_signature_validation:
        refuse("production needs saml.options.skip_signature_validation: false")
    for name in ("endpoint_url", "default_redirect_url"):
        if is_web(getattr(settings, name)) and not getattr(settings, name).startswith("https:"):
            refuse(f"production needs an https URL in saml.{name}")


def _is_fetchable(url: str, config: Config) -> bool:
    allows_http = not config.is_production or bool(config.outbound.allowed_networks)
    return is_web(url) and (allows_http or url.startswith("https:"))
