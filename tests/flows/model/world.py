"""The world that flows are walked in: accounts, a mailed code, ceremonies, sessions, all as values.

A world is never changed; a service puts another in its place. So a state of the exploration is a
value too, and a step that is refused leaves its world as it was.
"""

from dataclasses import dataclass, replace
from functools import cache
from uuid import UUID

from flows.model.moments import NOW

from app.credentials.passkey_values import Passkey
from app.federation.identities import Identity
from app.text import email_key, username_key
from app.users import Account, Email

ADA = UUID(int=0xADA)
EVE = UUID(int=0xE7E)
NEW = UUID(int=0x5E1F)
"""The id of an account that a registration makes."""

BROUGHT = UUID(int=0xB0B)
"""The id of an account that a provider brings."""

PROVIDER_IDS = {"google": "google", "saml": "https://idp.corp.example"}
CORPORATE = "corp.example"
"""The domain whose people sign in by SAML, where that is on."""

FLOW = UUID(int=0xF10)
SESSION = UUID(int=0x5E55)
OTHER_SESSION = UUID(int=0x5E56)


@dataclass(frozen=True, slots=True)
class Address:
    """An address of an account."""

    id: UUID
    text: str
    is_primary: bool = True
    is_verified: bool = True


@dataclass(frozen=True, slots=True)
class Key:
    """A passkey or a security key; its name is its credential id."""

    name: str
    is_mfa_only: bool = False


@dataclass(frozen=True, slots=True)
class User:
    """An account and all that opens it."""

    id: UUID
    username: str | None = None
    addresses: tuple[Address, ...] = ()
    password: int = 0
    keys: tuple[Key, ...] = ()
    has_totp: bool = False
    has_recovery: bool = False
    has_other_session: bool = False
    identities: tuple[str, ...] = ()
    """Who the user is at providers: `google/ada`."""

    @property
    def passkeys(self) -> tuple[Key, ...]:
        return tuple(key for key in self.keys if not key.is_mfa_only)

    @property
    def security_keys(self) -> tuple[Key, ...]:
        return tuple(key for key in self.keys if key.is_mfa_only)

    @property
    def is_proved(self) -> bool:
        return any(address.is_verified for address in self.addresses)


@dataclass(frozen=True, slots=True)
class Code:
    """The code of the flow, with all that it is bound to."""

    binding: tuple[str, ...]
    is_decoy: bool
    is_dead: bool = False


@dataclass(frozen=True, slots=True)
class World:
    """Everything outside of the flow itself."""

    users: tuple[User, ...] = ()
    code: Code | None = None
    second: tuple[str, ...] = ()
    """The credentials that the challenge of a second factor allows, where there is one."""
    making: str = ""
    """What a credential is being made as."""
    trusted: frozenset[UUID] = frozenset()
    signed_in: frozenset[UUID] = frozenset()
    domain: str = "example.com"
    """Where the address is of who is not here."""

    def at(self, state: str) -> "World":
        """Forget what cannot matter in a state: whatever leads to where it does makes it anew.

        A code is mailed again, and a challenge drawn again, whenever its state is entered.
        """
        if state == "passcode_confirmation":
            return replace(self, second=(), making="") if self.second or self.making else self
        is_second = state in ("login_passkey", "login_security_key", "login_otp")
        is_making = state in (
            "onboarding_verify_passkey_attestation",
            "webauthn_credential_verification",
        )
        second, making = self.second if is_second else (), self.making if is_making else ""
        if (self.code, self.second, self.making) == (None, second, making):
            return self
        return replace(self, code=None, second=second, making=making)

    def user(self, user_id: UUID | None) -> User | None:
        for user in self.users:
            if user.id == user_id:
                return user
        return None

    def with_user(self, user: User) -> "World":
        rest = tuple(one for one in self.users if one.id != user.id)
        return replace(self, users=tuple(sorted((*rest, user), key=lambda one: one.id)))

    def without(self, user_id: UUID) -> "World":
        return replace(self, users=tuple(one for one in self.users if one.id != user_id))

    def by_address(self, text: str) -> User | None:
        key = email_key(text)
        return next(
            (u for u in self.users if any(email_key(a.text) == key for a in u.addresses)), None
        )

    def by_name(self, text: str) -> User | None:
        key = username_key(text)
        named = (user for user in self.users if user.username)
        return next((u for u in named if username_key(u.username or "") == key), None)

    def by_identity(self, identity: str) -> User | None:
        return next((user for user in self.users if identity in user.identities), None)

    def owner(self, key: str) -> User | None:
        return next((u for u in self.users if any(one.name == key for one in u.keys)), None)


@cache
def account_of(user: User) -> Account:
    nothing = (None, None, None, None, None)
    return Account(user.id, user.username, *nothing, NOW, NOW, None)


@cache
def email_of(user_id: UUID, address: Address) -> Email:
    return Email(
        address.id, user_id, address.text, address.is_primary, address.is_verified, NOW, NOW
    )


@cache
def identity_of(user_id: UUID, identity: str) -> Identity:
    provider, _, subject = identity.partition("/")
    made = UUID(bytes=identity.encode()[:16].ljust(16, b"\0"))
    return Identity(
        made, user_id, None, PROVIDER_IDS[provider], "issuer", subject, "{}", NOW, NOW, NOW
    )


@cache
def passkey_of(user_id: UUID, key: Key) -> Passkey:
    return Passkey(
        id=UUID(bytes=key.name.encode().ljust(16, b"\0")),
        user_id=user_id,
        credential_id=key.name,
        public_key=b"",
        sign_count=0,
        aaguid=UUID(int=0),
        attestation_type="none",
        transports=(),
        is_backup_eligible=False,
        is_backed_up=False,
        is_mfa_only=key.is_mfa_only,
        name=None,
        created_at=NOW,
        last_used_at=NOW,
    )
