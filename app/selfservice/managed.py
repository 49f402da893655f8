"""Credentials of users, changed by a backend: the user is not asked, and is told.

A backend may take away what somebody needs to sign in, and a second factor that all must have: so
who has lost it is let in again. What a credential may have opened ends with it (SEC-027).
"""

from dataclasses import dataclass
from uuid import UUID

from app.access import Actor
from app.credentials.errors import PasskeyNotFound
from app.credentials.passkey_values import Passkey
from app.credentials.passkeys import Passkeys
from app.credentials.passwords import Passwords
from app.credentials.recovery_codes import RecoveryCodes
from app.credentials.totp import Totp
from app.credentials.trusted_devices import TrustedDevices
from app.federation.identities import Identity
from app.mail import Notice
from app.persistence import transaction
from app.selfservice.holdings import Holdings, credential_of
from app.selfservice.notices import Addressee, Notices
from app.selfservice.service import SelfService
from app.sessions import Sessions
from app.users.errors import IdentifierMissing, UserNotFound
from app.users.locking import lock_user
from app.webhooks import Events


@dataclass(frozen=True, slots=True)
class ManagedCredentials:
    """Changes of anybody's credentials, for faces that have seen a secret key."""

    self_service: SelfService
    passwords: Passwords
    passkeys: Passkeys
    totp: Totp
    recovery_codes: RecoveryCodes
    devices: TrustedDevices
    sessions: Sessions
    notices: Notices
    events: Events

    async def set_password(
        self,
        actor: Actor,
        user_id: UUID,
        password: str,
        *,
        replaces: bool | None = None,
        keeps_sessions: bool = False,
    ) -> None:
        """Give a user a password.

        Args:
            actor: On whose behalf; the audit record names it.
            user_id: Whose.
            password: As it was given.
            replaces: Whether it is to stand in place of another; None where it may or may not.
            keeps_sessions: Whether sessions and trusted devices live on.

        Raises:
            UserNotFound: There is no such user.
            PasswordExists, PasswordNotFound: The user has one, or none, against what is said.
            PasswordsDisabled, PasswordRefused, HashingOverloaded: See `Passwords.prepare`.
        """
        held = await self._held(user_id)

        async def then() -> None:
            if not keeps_sessions:
                await self._end_all(actor, user_id)
            if held.has_password:
                await self.events.record_user("user.update.password.update", actor, user_id)
            notice: Notice = "password_update" if held.has_password else "password_create"
            await self._tell(actor, held, notice)

        await self.passwords.set(actor, user_id, password, replaces=replaces, then=then)

    async def delete_password(self, actor: Actor, user_id: UUID) -> None:
        """Take a user's password away.

        Raises:
            UserNotFound: There is no such user.
            PasswordNotFound: The user has none.
        """
        held = await self._held(user_id)

        async def then() -> None:
            await self._end_all(actor, user_id)
            await self._tell(actor, held, "password_delete")

        await self.passwords.delete(actor, user_id, then=then)

    async def delete_totp(self, actor: Actor, user_id: UUID) -> None:
        """Take a user's authenticator app away; recovery codes go with the last second factor.

        Raises:
            UserNotFound: There is no such user.
            TotpNotFound: The user has none.
        """
        async with transaction():
            held = await self._locked(user_id)
            await self.totp.delete(actor, user_id)
            await self._end_all(actor, user_id)
            await self._removed_factor(actor, held, is_last=held.count(mfa_only=True) == 0)

    async def delete_passkey(self, actor: Actor, user_id: UUID, credential_id: str) -> Passkey:
        """Take a passkey or a security key away from a user, and give what it was.

        Raises:
            UserNotFound: There is no such user.
            PasskeyNotFound: The user has no such credential (SEC-054).
        """
        async with transaction():
            held = await self._locked(user_id)
            passkey = credential_of(held, credential_id)
            if passkey is None:
                raise PasskeyNotFound
            await self.passkeys.delete(actor, user_id, credential_id)
            await self._end_all(actor, user_id)
            if passkey.is_mfa_only:
                is_last = not held.has_totp and held.count(mfa_only=True) == 1
                await self._removed_factor(actor, held, is_last=is_last)
            else:
                await self._tell(actor, held, "passkey_delete")
        return passkey

    async def delete_identity(self, actor: Actor, user_id: UUID, identity_id: UUID) -> Identity:
        """Take an identity at a provider away from a user, and give what it was.

        Raises:
            UserNotFound: There is no such user.
            IdentityNotFound: The user has no such identity.
            IdentifierMissing: It is all that says who the user is: there is no other identity, no
                address and no user name.
        """
        federation = self.self_service.federation
        async with transaction():
            held = await self._locked(user_id)
            identity = await federation.disconnect(actor, user_id, identity_id)
            is_named = held.emails or held.account.username
            if not is_named and not (await federation.identities_of([user_id]))[user_id]:
                raise IdentifierMissing(path=("identity_id",))
            await self._end_all(actor, user_id)
            provider = federation.provider(identity.provider)
            name = provider.display_name if provider else identity.provider
            await self._tell(actor, held, "identity_delete", provider=name)
        return identity

    async def _held(self, user_id: UUID) -> Holdings:
        held = await self.self_service.held(user_id)
        if held is None:
            raise UserNotFound
        return held

    async def _locked(self, user_id: UUID) -> Holdings:
        """Read what a user has; until the transaction ends nobody else changes it."""
        await lock_user(user_id)
        return await self._held(user_id)

    async def _end_all(self, actor: Actor, user_id: UUID) -> None:
        """End every session and trusted device with the change that makes them doubtful."""
        await self.sessions.end_all(actor, user_id)
        await self.devices.forget_all(actor, user_id)

    async def _removed_factor(self, actor: Actor, held: Holdings, *, is_last: bool) -> None:
        if is_last:
            await self.recovery_codes.delete(actor, held.account.id)
        await self._tell(actor, held, "mfa_delete")

    async def _tell(self, actor: Actor, held: Holdings, notice: Notice, **values: str) -> None:
        """Tell whoever has the primary address (SEC-037)."""
        await self.notices.send(notice, Addressee(actor, held.account, held.primary_email), values)
