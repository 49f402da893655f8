"""The lattice of configurations, and a configuration that notes which of its settings are read."""

import itertools
import random
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from app.config.federation_sections import BuiltInProviders, OidcProvider, ThirdParty
from app.config.saml_sections import IdentityProvider, Saml
from app.config.sections import Config
from app.config.values import Secret

Values = Mapping[str, Any]
ACQUIRE = ("always", "conditional", "never")
BOTH = (True, False)

MFA: tuple[Values, ...] = (
    {"mfa.enabled": False, "mfa.optional": True},
    {"mfa.enabled": True, "mfa.optional": True},
    {"mfa.enabled": True, "mfa.optional": False},
)
IDENTIFIERS: tuple[Values, ...] = (
    {"email.enabled": True, "username.enabled": False},
    {"email.enabled": False, "username.enabled": True},
    {"email.enabled": True, "username.enabled": True},
)
METHODS: tuple[Values, ...] = tuple(
    {"password.enabled": password, "passkey.enabled": passkey, "email.use_for_authentication": code}
    for password, passkey, code in itertools.product(BOTH, repeat=3)
    if password or passkey or code
)
PRIVACY: tuple[Values, ...] = tuple(
    {"privacy.show_account_existence_hints": hints, "privacy.only_show_actual_login_methods": only}
    for hints, only in ((False, False), (False, True), (True, False))
)
TRUST: tuple[Values, ...] = tuple(
    {"mfa.device_trust_policy": policy} for policy in ("prompt", "always", "never")
)
PROOF: tuple[Values, ...] = tuple({"email.require_verification": one} for one in BOTH)
OTHERS: Mapping[str, tuple[Any, ...]] = {
    "email.optional": BOTH,
    "email.use_as_login_identifier": (True, True, True, False),
    "email.acquire_on_registration": (True, True, False),
    "email.acquire_on_login": BOTH,
    "username.optional": BOTH,
    "username.use_as_login_identifier": (True, True, True, False),
    "username.acquire_on_registration": (True, True, False),
    "username.acquire_on_login": BOTH,
    "password.optional": BOTH,
    "password.acquire_on_registration": ACQUIRE,
    "password.acquire_on_login": ACQUIRE,
    "password.recovery": (True, True, False),
    "passkey.optional": BOTH,
    "passkey.acquire_on_registration": ACQUIRE,
    "passkey.acquire_on_login": ACQUIRE,
    "passkey.limit": (2, 2, 2, 1),
    "mfa.acquire_on_login": BOTH,
    "mfa.acquire_on_registration": BOTH,
    "mfa.totp.enabled": (True, True, False),
    "mfa.security_keys.enabled": (True, True, False),
    "mfa.security_keys.limit": (2, 2, 2, 1),
    "mfa.security_keys.authenticator_attachment": ("cross-platform", "platform"),
    "account.allow_signup": (True, True, True, False),
    "account.allow_deletion": BOTH,
    "session.cookie.retention": (*["persistent"] * 9, "prompt"),
    "session.show_on_profile": BOTH,
    "session.allow_revocation": BOTH,
    "email.limit": (2, 5),
    "third_party.providers.google.enabled": (False, False, False, True),
    "saml.enabled": (*[False] * 4, True),
}
"""Drawn for each configuration; a value that stands there more often is drawn more often."""


def lattice() -> Iterator[Values]:
    """Every combination of what matters most, each with a draw of everything else."""
    for number, parts in enumerate(
        itertools.product(MFA, IDENTIFIERS, METHODS, PRIVACY, TRUST, PROOF)
    ):
        drawn = random.Random(number)  # noqa: S311  # the same in every run
        others = {name: drawn.choice(values) for name, values in OTHERS.items()}
        values = others | dict(itertools.chain.from_iterable(part.items() for part in parts))
        if _lets_in(values):
            yield values


def _lets_in(values: Values) -> bool:
    """Say whether there is any way to sign in; without one there is no such configuration."""
    by_mail = values["email.enabled"] and values["email.use_for_authentication"]
    by_provider = values["third_party.providers.google.enabled"] or values["saml.enabled"]
    return bool(values["password.enabled"] or values["passkey.enabled"] or by_mail or by_provider)


PATHS = tuple(next(lattice()))
"""The settings that differ within the lattice."""


BASE = Config(
    third_party=ThirdParty(
        redirect_url="https://auth.example.com/thirdparty/callback",
        error_redirect_url="https://app.example.com/error",
        allowed_redirect_urls=["https://app.example.com/**"],
        providers=BuiltInProviders(
            google=OidcProvider(client_id="client", secret=Secret("secret"))
        ),
    ),
    saml=Saml(
        endpoint_url="https://auth.example.com",
        audience_uri="urn:sekisho",
        default_redirect_url="https://app.example.com",
        identity_providers=[
            IdentityProvider(
                enabled=True,
                name="The company",
                domain="corp.example",
                metadata_url="https://idp.corp.example/metadata",
            )
        ],
    ),
)
"""What no configuration of the lattice changes: where providers are."""


def config_of(values: Values) -> Config:
    """Make a real configuration of some values."""
    config = BASE
    for path, value in values.items():
        config = _with(config, path.split("."), value)
    return config


def _with(section: Any, path: list[str], value: Any) -> Any:
    name, *rest = path
    new = _with(getattr(section, name), rest, value) if rest else value
    return msgspec.structs.replace(section, **{name: new})


class Traced:
    """A configuration of the lattice that notes what was read, so that a step is run only once for
    all configurations that it cannot tell apart.

    What is the same throughout the lattice stands in it as it is.
    """

    def __init__(self) -> None:
        self.values: Values = {}
        self.read: dict[str, Any] = {}
        vars(self).update(self._traced(Config(), ""))

    def _traced(self, own: msgspec.Struct, place: str) -> dict[str, Any]:
        fields = {name: (f"{place}{name}", getattr(own, name)) for name in own.__struct_fields__}
        return {
            name: Section(self, f"{path}.", value, self._traced(value, f"{path}."))
            if isinstance(value, msgspec.Struct)
            else value
            for name, (path, value) in fields.items()
            if path not in PATHS
        }


class Section:
    """A section of a traced configuration; only what differs within the lattice is asked for."""

    def __init__(
        self, of: Traced, place: str, own: msgspec.Struct, same: Mapping[str, Any]
    ) -> None:
        self._of, self._own = of, own
        self._paths = {name: f"{place}{name}" for name in own.__struct_fields__}
        vars(self).update(same)

    def __getattr__(self, name: str) -> Any:
        path = self._paths.get(name)
        if path is None:
            return getattr(self._own, name)  # a property
        value = self._of.read[path] = self._of.values[path]
        return value
