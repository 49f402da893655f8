"""What signed-in users change of their own account: each change with its rules and its notice.

Every method works alone and inside a transaction that is open. Which changes need a recent sign-in,
SEC-037 says, and a face asks `require_recent_sign_in`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from app.access import Actor
from app.clock import Clock
from app.config.sections import Config
from app.credentials.passkeys import Passkeys
from app.credentials.passwords import Passwords
from app.credentials.totp import Totp
from app.errors import NotFound
from app.federation.service import Federation
from app.mail import Notice
from app.metadata import UNSET, BagChanges, Bags, Metadata, Unset
from app.persistence import transaction
from app.selfservice import holdings
from app.selfservice.errors import AccountDeletionDisabled, LastWayIn, StepUpRequired
from app.selfservice.holdings import Holdings
from app.selfservice.notices import Addressee, Notices
from app.sessions import SignedIn
from app.strictjson import Json
from app.users import Account, Email, NewEmail, ProfileChanges, Users
from app.users.errors import UserNotFound
from app.users.locking import lock_user

PRODUCTION_MAX_AGE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Oneself:
    """The signed-in user who changes what is theirs.

    Args:
        actor: Who bears a session.
        language: The language that a flow was asked to speak; empty for what the request names.
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

    @property
    def asked_language(self) -> str:
        """The language that mails were asked to be in, if any was."""
        return self.language or self.actor.origin.language


@dataclass(frozen=True, slots=True)
class SelfService:
    """Changes of an account by its own user: its addresses, name and profile, and its end.

    What a user has is read and locked here, and told of, for changes of credentials as well.
    """

    config: Config
    users: Users
    metadata: Metadata
    passwords: Passwords
    passkeys: Passkeys
    totp: Totp
    federation: Federation
    notices: Notices
    clock: Clock

    async def held(self, user_id: UUID) -> Holdings | None:
        """Read what a user has, or None where there is no such user any more."""
        account = await self.users.by_id(user_id)
        if account is None:
            return None
        identities = (await self.federation.identities_of([user_id]))[user_id]
        return Holdings(
            account=account,
            emails=(await self.users.emails_of([user_id]))[user_id],
            passkeys=await self.passkeys.list(user_id),
            has_password=await self.passwords.changed_at(user_id) is not None,
            has_totp=await self.totp.of(user_id) is not None,
            identities=len(self.federation.shown(identities)),
        )

    async def locked(self, me: Oneself) -> Holdings:
        """Read what one has; until the transaction ends nobody else changes it.

        Raises:
            UserNotFound: One's account is gone.
        """
        await lock_user(me.user_id)
        held = await self.held(me.user_id)
        if held is None:
            raise UserNotFound
        return held

    async def tell(self, me: Oneself, held: Holdings, notice: Notice, **values: str) -> None:
        """Tell of a change whoever had the primary address before it."""
        browser = me.actor.origin.browser_language
        to = Addressee(me.actor, held.account, held.primary_email, me.asked_language, browser)
        await self.notices.send(notice, to, values)

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

    def require_recent_sign_in(self, signed_in: SignedIn | None) -> None:
        """See that a session has begun lately enough for a change outside of a flow (SEC-037).

        Raises:
            StepUpRequired: It has begun earlier, or there is none.
        """
        began_at = signed_in.session.created_at if signed_in else None
        self.require_recent(began_at, self.step_up_max_age)

    @property
    def step_up_max_age(self) -> timedelta:
        """How long ago a sign-in may be for a change outside of a flow; zero for any time."""
        unset = PRODUCTION_MAX_AGE if self.config.is_production else timedelta(0)
        return self.config.session.step_up.max_age or unset

    async def add_email(self, me: Oneself, address: str, *, is_verified: bool) -> Email:
        """Give oneself another address.

        Raises:
            EmailLimitReached, EmailInvalid, EmailTaken: It is refused.
        """
        async with transaction():
            held = await self.locked(me)
            new = NewEmail(address, is_verified=is_verified)
            email = await self.users.add_email(me.actor, me.user_id, new)
            await self.tell(me, held, "email_create", new_address=email.address)
        return email

    async def verify_email(self, me: Oneself, email_id: UUID) -> Email:
        """Have one of one's addresses proved.

        Raises:
            NotFound: There is no such address.
        """
        async with transaction():
            held = await self.locked(me)
            email = await self.users.verify_email(me.actor, me.user_id, email_id)
            before = held.primary_email
            if before is not None and before.id != email.id:
                await self.tell(me, held, "email_create", new_address=email.address)
        return email

    async def set_primary_email(self, me: Oneself, email_id: UUID) -> Email:
        """Have mail go to another of one's addresses.

        Raises:
            NotFound: There is no such address.
        """
        async with transaction():
            held = await self.locked(me)
            email = await self.users.set_primary_email(me.actor, me.user_id, email_id)
            old = held.primary_email
            if old is not None and old.id != email.id:
                values = {"old_address": old.address, "new_address": email.address}
                await self.tell(me, held, "primary_email_update", **values)
        return email

    async def delete_email(self, me: Oneself, email_id: UUID) -> None:
        """Take an address from oneself.

        Raises:
            NotFound: There is no such address.
            LastWayIn: It is needed (Q-28).
        """
        async with transaction():
            held = await self.locked(me)
            email = next((one for one in held.emails if one.id == email_id), None)
            if email is None:
                raise NotFound(path=("email_id",))
            if not holdings.may_delete_email(self.config, held, email):
                raise LastWayIn(path=("email_id",))
            await self.users.delete_email(me.actor, me.user_id, email_id)
            await self.tell(me, held, "email_delete", deleted_address=email.address)

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
            held = None if changes.username is UNSET else await self.locked(me)
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

    async def delete_account(self, me: Oneself) -> None:
        """Delete one's account with everything in it; all sessions end (SEC-027).

        Raises:
            AccountDeletionDisabled: Users do not do this here.
        """
        if not self.config.account.allow_deletion:
            raise AccountDeletionDisabled
        await self.users.delete(me.actor, me.user_id)

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
            await self.tell(me, held, "username_delete")
        else:
            await self.tell(me, held, "username_update", new_username=username)
