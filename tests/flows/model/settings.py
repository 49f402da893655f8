"""The lattice of configurations, and a configuration that notes which of its settings are read."""

import itertools
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from app.config.sections import Config

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
}
"""Drawn for each configuration; a value that stands there more often is drawn more often."""


def lattice() -> Iterator[Values]:
    """Every combination of what matters most, each with a draw of everything else."""
    for number, parts in enumerate(
        itertools.product(MFA, IDENTIFIERS, METHODS, PRIVACY, TRUST, PROOF)
    ):
        drawn = random.Random(number)  # noqa: S311  # the same in every run
        others = {name: drawn.choice(values) for name, values in OTHERS.items()}
        yield others | dict(itertools.chain.from_iterable(part.items() for part in parts))


PATHS = tuple(next(lattice()))
"""The settings that differ within the lattice."""


def config_of(values: Values) -> Config:
    """Make a real configuration of some values."""
    config = Config()
    for path, value in values.items():
        config = _with(config, path.split("."), value)
    return config


def _with(section: Any, path: list[str], value: Any) -> Any:
    name, *rest = path
    new = _with(getattr(section, name), rest, value) if rest else value
    return msgspec.structs.replace(section, **{name: new})


@dataclass(slots=True)
class Traced:
    """A configuration of the lattice that notes what was read, so that a step is run only once for
    all configurations that it cannot tell apart."""

    base: Config = field(default_factory=Config)
    values: Values = field(default_factory=dict)
    read: dict[str, Any] = field(default_factory=dict)
    sections: dict[str, "Section"] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Any:
        return self.at(name, getattr(self.base, name))

    def at(self, path: str, own: Any) -> Any:
        if path in self.values:
            self.read[path] = self.values[path]
            return self.values[path]
        if not isinstance(own, msgspec.Struct):
            return own
        if path not in self.sections:
            self.sections[path] = Section(self, path, own)
        return self.sections[path]


class Section:
    """A section of a traced configuration."""

    __slots__ = ("_of", "_own", "_path")

    def __init__(self, of: Traced, path: str, own: msgspec.Struct) -> None:
        self._of, self._path, self._own = of, path, own

    def __getattr__(self, name: str) -> Any:
        return self._of.at(f"{self._path}.{name}", getattr(self._own, name))
