"""What a user has, and what of it may go without shutting them out. Pure.

An account stays open while one of these is left (SEC-037): a password and something to be addressed
by, a passkey, an address that codes can be mailed to, or an identity at a provider that is on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.config.sections import Config
from app.credentials.passkey_values import Passkey, Person
from app.users import Account, Email


@dataclass(frozen=True, slots=True)
class Holdings:
    """An account with all that says who its user is, and that proves it."""

    account: Account
    emails: Sequence[Email]
    passkeys: Sequence[Passkey]
    has_password: bool
    has_totp: bool
    identities: int = 0

    @property
    def primary_email(self) -> Email | None:
        """The address that mail goes to."""
        return next((email for email in self.emails if email.is_primary), None)

    @property
    def identifiers(self) -> tuple[str, ...]:
        """The addresses and the user name, which no password may be made of (SEC-036)."""
        return (*(email.address for email in self.emails), self.account.username or "")

    @property
    def owner(self) -> Person:
        """How an authenticator is to show the user."""
        email, username = self.primary_email, self.account.username
        name = email.address if email else username or str(self.account.id)
        return Person(self.account.id, name, username or name)

    def count(self, *, mfa_only: bool) -> int:
        """Count the security keys, or the passkeys."""
        return sum(one.is_mfa_only == mfa_only for one in self.passkeys)


def credential_of(held: Holdings, credential_id: str) -> Passkey | None:
    """Find one of a user's credentials by the id that WebAuthn knows it by."""
    return next((one for one in held.passkeys if one.credential_id == credential_id), None)


def is_open(config: Config, held: Holdings) -> bool:
    """Say whether somebody with these holdings can sign in."""
    by_email = config.email.enabled and config.email.use_as_login_identifier and bool(held.emails)
    by_name = (
        config.username.enabled
        and config.username.use_as_login_identifier
        and held.account.username is not None
    )
    is_addressed = by_email or by_name
    has_code = config.email.use_for_authentication and _reads_mail(config, held)
    has_password = config.password.enabled and held.has_password
    has_passkey = config.passkey.enabled and held.count(mfa_only=False) > 0
    has_identity = held.identities > 0
    return has_passkey or has_identity or (is_addressed and (has_password or has_code))


def _reads_mail(config: Config, held: Holdings) -> bool:
    """Say whether a code reaches the user; an address that was not proved may be a stranger's."""
    proved = not config.email.require_verification
    return config.email.enabled and any(email.is_verified or proved for email in held.emails)


def may_delete_password(config: Config, held: Holdings) -> bool:
    """Say whether the password may go."""
    may_lack = config.password.enabled and config.password.optional
    return may_lack and held.has_password and is_open(config, replace(held, has_password=False))


def may_delete_username(config: Config, held: Holdings) -> bool:
    """Say whether the user name may go; an account without an address keeps it."""
    may_lack = config.username.enabled and config.username.optional
    if not may_lack or held.account.username is None or not held.emails:
        return False
    return is_open(config, replace(held, account=replace(held.account, username=None)))


def may_delete_email(config: Config, held: Holdings, email: Email) -> bool:
    """Say whether an address may go; the primary one only as the last, where none is needed."""
    rest = [other for other in held.emails if other.id != email.id]
    if email.is_primary and (rest or not config.email.optional or held.account.username is None):
        return False
    return is_open(config, replace(held, emails=rest))


def may_delete_passkey(config: Config, held: Holdings, passkey: Passkey) -> bool:
    """Say whether a passkey or a security key may go."""
    if passkey.is_mfa_only:
        return may_delete_security_key(config, held)
    rest = replace(held, passkeys=[one for one in held.passkeys if one.id != passkey.id])
    may_lack = config.passkey.optional or rest.count(mfa_only=False) > 0
    return may_lack and is_open(config, rest)


def may_disconnect(config: Config, held: Holdings, *, identities: int) -> bool:
    """Say whether so many identities of providers that are on may go."""
    return is_open(config, replace(held, identities=held.identities - identities))


def may_delete_security_key(config: Config, held: Holdings) -> bool:
    """Say whether one of the security keys may go."""
    keys = held.count(mfa_only=True)
    return keys > 0 and (not _must_have_second(config) or keys > 1 or _has_totp(config, held))


def may_delete_totp(config: Config, held: Holdings) -> bool:
    """Say whether the authenticator app may go."""
    has_key = config.mfa.security_keys.enabled and held.count(mfa_only=True) > 0
    return held.has_totp and (not _must_have_second(config) or has_key)


def _must_have_second(config: Config) -> bool:
    return config.mfa.enabled and not config.mfa.optional


def _has_totp(config: Config, held: Holdings) -> bool:
    return config.mfa.totp.enabled and held.has_totp
