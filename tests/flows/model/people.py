"""Kinds of users: with every subset of what opens an account."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from flows.model.world import ADA, CORPORATE, EVE, UUID, Address, Key, User, World


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of user, and what stands beside it in the world."""

    user: User | None
    is_trusted: bool = False
    has_eve: bool = False
    is_corporate: bool = False

    @property
    def world(self) -> World:
        users = tuple(one for one in (self.user, EVES if self.has_eve else None) if one)
        trusted = frozenset({ADA}) if self.is_trusted else frozenset()
        known = tuple(sorted(users, key=lambda one: one.id))
        domain = CORPORATE if self.is_corporate else "example.com"
        return World(known, trusted=trusted, domain=domain)

    def __str__(self) -> str:
        if self.user is None:
            return "nobody at a company" if self.is_corporate else "nobody"
        user = self.user
        parts = (
            ("password", user.password),
            ("passkey", user.passkeys),
            ("totp", user.has_totp),
            ("security key", user.security_keys),
            ("recovery codes", user.has_recovery),
            ("address", user.is_proved),
            ("unproved address", user.addresses and not user.is_proved),
            ("name", user.username),
            ("identity", user.identities),
            ("corporate", self.is_corporate),
            ("trusted browser", self.is_trusted),
            ("beside eve", self.has_eve),
        )
        return "+".join(name for name, there in parts if there)


ADDRESS = Address(UUID(int=0xE1), "ada@example.com")
UNPROVED = Address(UUID(int=0xE1), "ada@example.com", is_verified=False)
SECOND = Address(UUID(int=0xE2), "ada@example.net", is_primary=False, is_verified=False)
KEY, SECURITY_KEY = Key("adakey00"), Key("adakey01", is_mfa_only=True)
EVES = User(
    EVE,
    "eve",
    (Address(UUID(int=0xE9), "eve@example.com"),),
    keys=(Key("evekey00"),),
    identities=("google/eve",),
)


def subsets() -> Iterator[User]:
    """Every subset of password, passkey, app, security key, address and name that has a name."""
    for password, passkey, app, key, address, name in itertools.product((False, True), repeat=6):
        if address or name:
            keys = ((KEY,) if passkey else ()) + ((SECURITY_KEY,) if key else ())
            addresses = (ADDRESS,) if address else ()
            yield User(ADA, "ada" if name else None, addresses, int(password), keys, app)


USERS = tuple(subsets())
FULL = User(ADA, "ada", (ADDRESS,), 1, (KEY, SECURITY_KEY), has_totp=True, has_recovery=True)
NOBODY = Kind(None)
AT_GOOGLE, AT_WORK = ("google/ada",), ("saml/ada",)
COMPANY = Address(UUID(int=0xE3), f"ada@{CORPORATE}")
NEVER_PROVED = Address(UUID(int=0xE3), f"ada@{CORPORATE}", is_verified=False)
FEDERATED = (
    Kind(User(ADA, None, identities=AT_GOOGLE)),
    Kind(User(ADA, None, (ADDRESS,), identities=AT_GOOGLE)),
    Kind(User(ADA, None, (UNPROVED,), identities=AT_GOOGLE)),
    Kind(User(ADA, "ada", (ADDRESS,), 1, has_totp=True, identities=AT_GOOGLE), has_eve=True),
    Kind(User(ADA, None, (ADDRESS,), 1, (KEY, SECURITY_KEY), identities=AT_GOOGLE)),
    Kind(User(ADA, None, (ADDRESS,), 0, (SECURITY_KEY,), has_totp=True, has_recovery=True)),
    Kind(User(ADA, None, (ADDRESS,), 0, (), has_totp=True, identities=AT_GOOGLE), is_trusted=True),
    Kind(User(ADA, None, (COMPANY,), 1, has_totp=True, identities=AT_WORK), is_corporate=True),
    Kind(User(ADA, None, (NEVER_PROVED,), identities=AT_WORK), is_corporate=True),
    Kind(User(ADA, None, (COMPANY,), 1), is_corporate=True),
)
"""Users who come from providers, or may."""

STRANGERS = Kind(None, is_corporate=True)
"""Nobody, who says to be of the company."""
