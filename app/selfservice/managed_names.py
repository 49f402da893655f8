"""Addresses and user names of users, changed by a backend: the user is not asked, and is told.

Sessions live on: what a user is called has opened none.
"""

from dataclasses import dataclass
from uuid import UUID

from app.access import Actor
from app.metadata import UNSET
from app.persistence import transaction
from app.selfservice.notices import Addressee, Notices
from app.users import Account, Email, NewEmail, ProfileChanges, Users
from app.users.errors import UserNotFound
from app.users.locking import lock_user


@dataclass(frozen=True, slots=True)
class ManagedNames:
    """Changes of what addresses anybody, for faces that have seen a secret key.

    Whoever had the primary address before a change is told of it (SEC-037).
    """

    users: Users
    notices: Notices

    async def add_email(self, actor: Actor, user_id: UUID, new: NewEmail) -> Email:
        """Give a user another address.

        Raises:
            NotFound, EmailLimitReached, EmailInvalid, EmailTaken: See `Users.add_email`.
        """
        async with transaction():
            to, _ = await self._before(actor, user_id)
            email = await self.users.add_email(actor, user_id, new)
            await self.notices.send("email_create", to, {"new_address": email.address})
            if email.is_primary:
                await self._moved(to, email)
        return email

    async def verify_email(self, actor: Actor, user_id: UUID, email_id: UUID) -> Email:
        """Vouch that a user reads an address.

        Raises:
            NotFound: There is no such user or address.
        """
        async with transaction():
            to, before = await self._before(actor, user_id)
            email = await self.users.verify_email(actor, user_id, email_id)
            if not (email.is_primary or before[email_id].is_verified):
                await self.notices.send("email_create", to, {"new_address": email.address})
        return email

    async def set_primary_email(self, actor: Actor, user_id: UUID, email_id: UUID) -> Email:
        """Have a user's mail go to another of their addresses.

        Raises:
            NotFound: There is no such user or address.
        """
        async with transaction():
            to, before = await self._before(actor, user_id)
            email = await self.users.set_primary_email(actor, user_id, email_id)
            if not before[email_id].is_primary:
                await self._moved(to, email)
        return email

    async def delete_email(self, actor: Actor, user_id: UUID, email_id: UUID) -> None:
        """Take an address from a user.

        Raises:
            NotFound, EmailIsPrimary: See `Users.delete_email`.
        """
        async with transaction():
            to, before = await self._before(actor, user_id)
            await self.users.delete_email(actor, user_id, email_id)
            values = {"deleted_address": before[email_id].address}
            await self.notices.send("email_delete", to, values)

    async def update(self, actor: Actor, user_id: UUID, changes: ProfileChanges) -> Account:
        """Change a user's name and profile; of the profile nobody is told.

        Raises:
            NotFound, Invalid, Conflict: See `Users.update`.
        """
        if changes.username is UNSET:
            return await self.users.update(actor, user_id, changes)
        async with transaction():
            to, _ = await self._before(actor, user_id)
            account = await self.users.update(actor, user_id, changes)
            if account.username is None and to.account.username is not None:
                await self.notices.send("username_delete", to)
            elif account.username is not None and account.username != to.account.username:
                await self.notices.send("username_update", to, {"new_username": account.username})
        return account

    async def _before(self, actor: Actor, user_id: UUID) -> tuple[Addressee, dict[UUID, Email]]:
        """Read who is to be told, and the addresses by their ids; the account's row is locked.

        Raises:
            UserNotFound: There is no such user.
        """
        await lock_user(user_id)
        account = await self.users.by_id(user_id)
        if account is None:
            raise UserNotFound
        emails = {one.id: one for one in (await self.users.emails_of([user_id]))[user_id]}
        primary = next((one for one in emails.values() if one.is_primary), None)
        return Addressee(actor, account, primary), emails

    async def _moved(self, to: Addressee, email: Email) -> None:
        """Tell the old primary address, if there was one, which is the new."""
        if to.email is not None:
            values = {"old_address": to.email.address, "new_address": email.address}
            await self.notices.send("primary_email_update", to, values)
