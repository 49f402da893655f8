"""What signed-in users change of their own account: each change with its rules and its notice.

Every method works alone and inside a transaction that is open. Which changes end the user's other
sessions, SEC-027 says; which need a recent sign-in, SEC-037, and a face asks `require_recent`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from app.access import Actor
from app.clock import Clock
from app.config.sections import Config
from app.credentials.errors import PasskeyNotFound, TotpNotFound
from app.credentials.passkey_values import Passkey, Refused, Registered
from app.credentials.passkeys import Passkeys
from app.credentials.passwords import Passwords, PreparedPassword
from app.credentials.recovery_codes import RecoveryCodes
from app.credentials.totp import Accepted, Totp
from app.credentials.trusted_devices import TrustedDevices
from app.credentials.webauthn_json import RegistrationResponse
from app.credentials.webauthn_verify import NewCredential
from app.errors import IdentityError, NotFound
from app.federation.admission import Redeemed
from app.federation.errors import IdentityNotFound
from app.federation.exchange import Redemption
from app.federation.identities import Identity
from app.federation.service import Federation
from app.metadata import UNSET, BagChanges, Bags, Metadata, Unset
from app.persistence import transaction
from app.selfservice import holdings
from app.selfservice.errors import (
    AccountDeletionDisabled,
    LastWayIn,
    SecondFactorRequired,
    StepUpRequired,
)
from app.selfservice.holdings import Holdings
from app.selfservice.notices import Addressee, Notice, Notices
from app.sessions import Sessions
from app.strictjson import Json
from app.users import Account, Email, NewEmail, ProfileChanges, Users
from app.users.locking import lock_user
from app.webhooks import Events

PRODUCTION_MAX_AGE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Oneself:
    """The signed-in user who changes what is theirs.

    Args:
        actor: Who bears a session.
        language: What language the client asks notices to be in.
        ends_others: Whether changed credentials end the user's other sessions and trusted devices;
            a user may decline (SEC-027).
        signing_in: Who is about to sign in with all factors shown, where no session exists yet.
    """

    actor: Actor
    language: str = ""
    ends_others: bool = True
    signing_in: UUID | None = None

    @property
    def user_id(self) -> UUID:
        """Whose account it is."""
        return self.signing_in or self.actor.require_user()


@dataclass(frozen=True, slots=True)
class SelfService:
    """Changes of an account by its own user."""

    config: Config
    users: Users
    metadata: Metadata
    passwords: Passwords
    passkeys: Passkeys
    totp: Totp
    recovery_codes: RecoveryCodes
    devices: TrustedDevices
    sessions: Sessions
    federation: Federation
    notices: Notices
    events: Events
    clock: Clock

    async def held(self, user_id: UUID) -> Holdings | None:
        """Read what a user has, or None where there is no such user any more."""
        account = await self.users.by_id(user_id)
        if account is None:
            return None
        return Holdings(
            account=account,
            emails=(await self.users.emails_of([user_id]))[user_id],
            passkeys=await self.passkeys.list(user_id),
            has_password=await self.passwords.changed_at(user_id) is not None,
            has_totp=await self.totp.of(user_id) is not None,
            identities=len(self.federation.shown(await self._identities(user_id))),
        )

    def require_recent(self, began_at: datetime | None, max_age: timedelta) -> None:
        """See that a session has begun lately enough (SEC-037).

        Args:
            began_at: When it has begun; None where that is not known.
            max_age: How long ago that may be; nothing is asked where this is zero.

        Raises:
            StepUpRequired: It has begun earlier.
        """
        if max_age and (began_at is None or self.clock() - began_at > max_age):
            raise StepUpRequired(int(max_age.total_seconds()))

    @property
    def graphql_max_age(self) -> timedelta:
        """How long ago a sign-in may be for a change through GraphQL; zero for any time."""
        unset = PRODUCTION_MAX_AGE if self.config.is_production else timedelta(0)
        return self.config.session.step_up.max_age or unset

    async def add_email(self, me: Oneself, address: str, *, is_verified: bool) -> Email:
        """Give oneself another address.

        Raises:
            EmailLimitReached, EmailInvalid, EmailTaken: It is refused.
        """
        async with transaction():
            held = await self._locked(me)
            new = NewEmail(address, is_verified=is_verified)
            email = await self.users.add_email(me.actor, me.user_id, new)
            await self._tell(me, held, "email_create", new_address=email.address)
        return email

    async def verify_email(self, me: Oneself, email_id: UUID) -> Email:
        """Have one of one's addresses proved.

        Raises:
            NotFound: There is no such address.
        """
        async with transaction():
            held = await self._locked(me)
            email = await self.users.verify_email(me.actor, me.user_id, email_id)
            before = held.primary_email
            if before is not None and before.id != email.id:
                await self._tell(me, held, "email_create", new_address=email.address)
        return email

    async def set_primary_email(self, me: Oneself, email_id: UUID) -> Email:
        """Have mail go to another of one's addresses.

        Raises:
            NotFound: There is no such address.
        """
        async with transaction():
            held = await self._locked(me)
            email = await self.users.set_primary_email(me.actor, me.user_id, email_id)
            old = held.primary_email
            if old is not None and old.id != email.id:
                values = {"old_address": old.address, "new_address": email.address}
                await self._tell(me, held, "primary_email_update", **values)
        return email

    async def delete_email(self, me: Oneself, email_id: UUID) -> None:
        """Take an address from oneself.

        Raises:
            NotFound: There is no such address.
            LastWayIn: It is needed (Q-28).
        """
        async with transaction():
            held = await self._locked(me)
            email = next((one for one in held.emails if one.id == email_id), None)
            if email is None:
                raise NotFound(path=("email_id",))
            if not holdings.may_delete_email(self.config, held, email):
                raise LastWayIn(path=("email_id",))
            await self.users.delete_email(me.actor, me.user_id, email_id)
            await self._tell(me, held, "email_delete", deleted_address=email.address)

    async def set_username(self, me: Oneself, username: str) -> Account:
        """Be called something else.

        Raises:
            UsernameInvalid, UsernameTaken: It is refused.
        """
        account, _ = await self.update(me, ProfileChanges(username=username))
        return account

    async def delete_username(self, me: Oneself) -> None:
        """Go without a user name.

        Raises:
            LastWayIn: It is needed.
        """
        await self.update(me, ProfileChanges(username=None))

    async def update(
        self,
        me: Oneself,
        changes: ProfileChanges,
        unsafe: Json | Unset = UNSET,
        if_metadata_version: int | None = None,
    ) -> tuple[Account, Bags | None]:
        """Change one's profile and one's unsafe bag, both or neither.

        Raises:
            LastWayIn: The user name would go and is needed.
            Invalid, Conflict: See `Users.update` and `Metadata.change`.
        """
        async with transaction():
            held = None if changes.username is UNSET else await self._locked(me)
            if held is not None and changes.username is None:
                self._see_that_name_may_go(held)
            account = await self.users.update(me.actor, me.user_id, changes)
            bags = None
            if unsafe is not UNSET or if_metadata_version is not None:
                bags = await self.metadata.change(
                    me.actor,
                    me.user_id,
                    BagChanges(unsafe=unsafe),
                    if_version=if_metadata_version,
                )
            if held is not None and held.account.username != account.username:
                await self._tell_of_name(me, held, account.username)
        return account, bags

    async def store_password(self, me: Oneself, prepared: PreparedPassword) -> None:
        """Have a password, in place of any other; a changed one ends what the old has opened."""
        async with transaction():
            held = await self._locked(me)
            await self.passwords.store(me.actor, me.user_id, prepared, "profile")
            if not held.has_password:
                await self._tell(me, held, "password_create")
                return
            await self._end_others(me)
            await self._changed_password(me, held)

    async def recover_password(self, me: Oneself, prepared: PreparedPassword) -> None:
        """Have a new password without the old one, by the mail that one reads.

        Nobody is signed in yet: every session and every trusted device ends (SEC-027).
        """
        async with transaction():
            held = await self._locked(me)
            await self.passwords.store(me.actor, me.user_id, prepared, "recovery")
            await self.sessions.end_all(me.actor, me.user_id)
            await self.devices.forget_all(me.actor, me.user_id)
            await self._changed_password(me, held)

    async def delete_password(self, me: Oneself) -> None:
        """Go without a password.

        Raises:
            LastWayIn: It is needed.
        """
        async with transaction():
            held = await self._locked(me)
            if not holdings.may_delete_password(self.config, held):
                raise LastWayIn
            await self.passwords.delete(me.actor, me.user_id)
            await self._end_others(me)
            await self._tell(me, held, "password_delete")

    async def finish_passkey(
        self, me: Oneself, response: RegistrationResponse, bound_to: UUID
    ) -> Registered | Refused:
        """Have another passkey or security key."""
        async with transaction():
            held = await self._locked(me)
            found = await self.passkeys.finish_registration(
                me.actor, me.user_id, response, bound_to=bound_to
            )
            if isinstance(found, Registered):
                await self._added(me, held, found.passkey)
        return found

    async def keep_passkey(self, me: Oneself, new: NewCredential) -> Registered | Refused:
        """Have another passkey or security key, which has been verified."""
        async with transaction():
            held = await self._locked(me)
            found = await self.passkeys.keep(me.actor, me.user_id, new)
            if isinstance(found, Registered):
                await self._added(me, held, found.passkey)
        return found

    async def delete_passkey(self, me: Oneself, credential_id: str) -> Passkey:
        """Give up a passkey or a security key.

        Raises:
            NotFound: One has none of this id (SEC-054).
            LastWayIn, SecondFactorRequired: It is needed.
        """
        async with transaction():
            held = await self._locked(me)
            passkey = credential_of(held, credential_id)
            if passkey is None:
                raise PasskeyNotFound
            if not holdings.may_delete_passkey(self.config, held, passkey):
                raise SecondFactorRequired if passkey.is_mfa_only else LastWayIn
            await self.passkeys.delete(me.actor, me.user_id, credential_id)
            await self._end_others(me)
            if passkey.is_mfa_only:
                rest = [one for one in held.passkeys if one.id != passkey.id]
                await self._removed_factor(me, replace(held, passkeys=rest))
            else:
                await self._tell(me, held, "passkey_delete")
        return passkey

    async def store_totp(self, me: Oneself, secret: str, proof: Accepted) -> None:
        """Have an authenticator app.

        Raises:
            TotpExists: One has one already.
        """
        async with transaction():
            held = await self._locked(me)
            await self.totp.store(me.actor, me.user_id, secret, proof)
            await self._tell(me, held, "mfa_create")

    async def delete_totp(self, me: Oneself) -> None:
        """Give up the authenticator app.

        Raises:
            TotpNotFound: There is none.
            SecondFactorRequired: It is needed.
        """
        async with transaction():
            held = await self._locked(me)
            if not held.has_totp:
                raise TotpNotFound
            if not holdings.may_delete_totp(self.config, held):
                raise SecondFactorRequired
            await self.totp.delete(me.actor, me.user_id)
            await self._end_others(me)
            await self._removed_factor(me, replace(held, has_totp=False))

    async def regenerate_recovery_codes(self, me: Oneself) -> list[str]:
        """Have ten new recovery codes, to be shown once; the old ones are void."""
        async with transaction():
            held = await self._locked(me)
            codes = await self.recovery_codes.generate(me.actor, me.user_id)
            await self.devices.forget_all(me.actor, me.user_id)
            await self._tell(me, held, "recovery_codes_create")
        return codes

    async def connect_identity(self, me: Oneself, token: str, code_verifier: str) -> Redeemed:
        """Sign in with another identity from now on: the one that an exchange token stands for.

        Raises:
            IdentityError: See `Federation.redeem`.
        """
        wanted = Redemption("profile", code_verifier=code_verifier, user_id=me.user_id)
        try:
            return await self.federation.redeem(me.actor, token, wanted)
        except IdentityError as error:
            await self.federation.note_refusal(me.actor, error)
            raise

    async def disconnect_identity(self, me: Oneself, identity_id: UUID) -> Identity:
        """Sign in with an identity at a provider no longer.

        Raises:
            IdentityNotFound: One has no such identity.
            LastWayIn: It is needed.
        """
        async with transaction():
            held = await self._locked(me)
            mine = await self._identities(me.user_id)
            if all(one.id != identity_id for one in mine):
                raise IdentityNotFound
            shown = self.federation.shown([one for one in mine if one.id == identity_id])
            if not holdings.may_disconnect(self.config, held, identities=len(shown)):
                raise LastWayIn(path=("identity_id",))
            identity = await self.federation.disconnect(me.actor, me.user_id, identity_id)
            name = shown[0][1].display_name if shown else identity.provider
            await self._tell(me, held, "identity_delete", provider=name)
        return identity

    async def delete_account(self, me: Oneself) -> None:
        """Delete one's account with everything in it; all sessions end (SEC-027).

        Raises:
            AccountDeletionDisabled: Users do not do this here.
        """
        if not self.config.account.allow_deletion:
            raise AccountDeletionDisabled
        await self.users.delete(me.actor, me.user_id)

    async def _locked(self, me: Oneself) -> Holdings:
        """Read what one has; until the transaction ends nobody else changes it."""
        await lock_user(me.user_id)
        held = await self.held(me.user_id)
        if held is None:
            raise NotFound(path=("user_id",))
        return held

    async def _identities(self, user_id: UUID) -> Sequence[Identity]:
        return (await self.federation.identities_of([user_id]))[user_id]

    async def _end_others(self, me: Oneself) -> None:
        """End the sessions and trusted devices that a credential may have opened (SEC-027)."""
        if me.ends_others:
            keep = None if me.signing_in else me.actor.require_session()
            await self.sessions.end_all(me.actor, me.user_id, keep=keep)
            await self.devices.forget_all(me.actor, me.user_id)

    async def _added(self, me: Oneself, held: Holdings, passkey: Passkey) -> None:
        if passkey.is_mfa_only:  # any change of factors voids trust (SEC-059)
            await self.devices.forget_all(me.actor, me.user_id)
        notice: Notice = "mfa_create" if passkey.is_mfa_only else "passkey_create"
        await self._tell(me, held, notice)

    async def _removed_factor(self, me: Oneself, left: Holdings) -> None:
        """Tell of a second factor that is gone; recovery codes go with the last."""
        await self.devices.forget_all(me.actor, me.user_id)
        if not left.has_totp and not left.count(mfa_only=True):
            await self.recovery_codes.delete(me.actor, me.user_id)
        await self._tell(me, left, "mfa_delete")

    def _see_that_name_may_go(self, held: Holdings) -> None:
        """See that an account can be without its user name; one that opens nothing always can.

        Raises:
            LastWayIn: It cannot.
        """
        is_used = self.config.username.enabled and held.account.username is not None
        if is_used and not holdings.may_delete_username(self.config, held):
            raise LastWayIn(path=("username",))

    async def _tell_of_name(self, me: Oneself, held: Holdings, username: str | None) -> None:
        if username is None:
            await self._tell(me, held, "username_delete")
        else:
            await self._tell(me, held, "username_update", new_username=username)

    async def _changed_password(self, me: Oneself, held: Holdings) -> None:
        await self.events.record_user("user.update.password.update", me.actor, me.user_id)
        await self._tell(me, held, "password_update" if held.has_password else "password_create")

    async def _tell(self, me: Oneself, held: Holdings, notice: Notice, **values: str) -> None:
        """Tell of a change whoever had the primary address before it."""
        to = Addressee(me.actor, held.account, held.primary_email, me.language)
        await self.notices.send(notice, to, values)


def credential_of(held: Holdings, credential_id: str) -> Passkey | None:
    """Find one of a user's credentials by the id that WebAuthn knows it by."""
    return next((one for one in held.passkeys if one.credential_id == credential_id), None)
