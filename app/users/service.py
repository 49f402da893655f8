"""The use cases of accounts and their addresses."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from piccolo.columns import Column

from app.access import Actor
from app.audit import AuditLog, Event
from app.clock import Clock
from app.config import sections
from app.errors import Conflict
from app.ids import new_id
from app.metadata import Bags, Metadata
from app.persistence import NotUnique, Row, fetch, fetch_row, savepoint, transaction
from app.text import email_key, is_storable, username_key
from app.users.accounts import (
    COLUMNS,
    Account,
    Email,
    NewEmail,
    NewUser,
    ProfileChanges,
    address_key,
    check_id,
)
from app.users.errors import (
    EmailIsPrimary,
    EmailLimitReached,
    EmailNotFound,
    EmailTaken,
    IdentifierMissing,
    PrimaryEmailWrong,
    UserExists,
    UsernameTaken,
    UserNotFound,
)
from app.users.stamps import raise_stamp, read_stamp
from app.users.tables import EmailAddress, RetiredUser, User
from app.webhooks import EventName, Events

_BY_ID = f"SELECT {COLUMNS} FROM app_user WHERE id = $1"
_BY_USERNAME = f"SELECT {COLUMNS} FROM app_user WHERE username_key = $1"
_BY_EMAIL = (
    f"SELECT {', '.join('u.' + name for name in COLUMNS.split(', '))} FROM email e "
    "JOIN app_user u ON u.id = e.user_id WHERE e.address_key = $1"
)
_LOCK = f"SELECT {COLUMNS} FROM app_user WHERE id = $1 FOR UPDATE"
_NOTE_SIGN_IN = "UPDATE app_user SET last_sign_in_at = $2 WHERE id = $1"
_EMAILS = """
SELECT id, user_id, address, is_primary, is_verified, created_at, updated_at FROM email
WHERE user_id = ANY($1) ORDER BY created_at, id
"""
_TAKEN = {
    "app_user__id": UserExists,
    "app_user__username_key": UsernameTaken,
    "email__address_key": EmailTaken,
}


@dataclass(frozen=True, slots=True)
class Users:
    """Accounts: made, found, changed, deleted. Uniqueness is the database's to hold."""

    emails: sections.Email
    usernames: sections.Username
    metadata: Metadata
    audit: AuditLog
    events: Events
    clock: Clock

    async def by_id(self, user_id: UUID) -> Account | None:
        """Find an account by its id."""
        return _account(await fetch_row(_BY_ID, user_id))

    async def by_email(self, address: str) -> Account | None:
        """Find the account that has an address, however it is spelled (SEC-114)."""
        key = email_key(address)
        return _account(await fetch_row(_BY_EMAIL, key)) if key else None

    async def by_username(self, username: str) -> Account | None:
        """Find the account that has a user name, however it is spelled (SEC-114)."""
        key = username_key(username)
        return _account(await fetch_row(_BY_USERNAME, key)) if is_storable(key) else None

    async def emails_of(self, user_ids: Sequence[UUID]) -> Mapping[UUID, list[Email]]:
        """Read the addresses of some users, in one statement, oldest first."""
        if not user_ids:
            return {}
        rows = await fetch(_EMAILS, [*user_ids])
        found: dict[UUID, list[Email]] = {user_id: [] for user_id in user_ids}
        for row in rows:
            found[row["user_id"]].append(Email(**row))
        return found

    async def create(
        self,
        actor: Actor,
        new: NewUser,
        *,
        then: Callable[[UUID], Awaitable[object]] | None = None,
        ways_in: Mapping[str, object] | None = None,
        is_addressed_otherwise: bool = False,
    ) -> tuple[Account, Bags]:
        """Make an account with its addresses and bags, all of it or nothing.

        Args:
            actor: On whose behalf; the audit record names it.
            new: The account.
            then: What else belongs to the account from the first, such as a password.
            ways_in: The ways in that *then* adds, as the audit record names them.
            is_addressed_otherwise: Whether a provider's identity names the account, so that it
                needs neither an address nor a user name.

        Raises:
            UserIdInvalid: Its id is the nil UUID.
            IdentifierMissing: It has neither an address nor a user name.
            PrimaryEmailWrong: More than one address is primary, or none of several.
            EmailLimitReached: It has more addresses than are allowed (SEC-098).
            EmailInvalid, UsernameInvalid, TextInvalid, PictureInvalid: A value breaks its rule.
            UserExists, EmailTaken, UsernameTaken: Somebody has it.
            MetadataRefused: A bag may not hold what it is given.
        """
        check_id(new.id)
        columns = new.profile.checked(self.usernames)
        emails = _with_primary(new.emails)
        if not emails and not columns.get("username") and not is_addressed_otherwise:
            raise IdentifierMissing
        if len(emails) > max(self.emails.limit, 1):
            raise EmailLimitReached(path=("emails",))
        now = self.clock()
        user_id = new.id or new_id()
        async with transaction(), savepoint():  # who is refused may go on in the transaction
            account = await self._insert(user_id, columns, new.created_at or now, now)
            # Only now: the insert has waited for a deletion of this id that was under way.
            if await RetiredUser.exists().where(RetiredUser.id == user_id):
                raise UserExists(path=("id",))
            for n, email in enumerate(emails):
                await self._insert_email(user_id, email, now, ("emails", str(n), "address"))
            bags = await self.metadata.seed(user_id, new.bags)
            name = {"username": account.username} if account.username else {}
            details = {**(ways_in or {}), **name}
            await self.audit.record("user_created", actor, subject=user_id, details=details)
            if then is not None:
                await then(user_id)
            await self.events.record_user("user.create", actor, user_id)
        return account, bags

    async def update(self, actor: Actor, user_id: UUID, changes: ProfileChanges) -> Account:
        """Change an account's profile.

        Raises:
            NotFound: There is no such user.
            UsernameInvalid, TextInvalid, PictureInvalid, UsernameTaken: A value is refused.
            IdentifierMissing: The user name would go and nothing else addresses the account.
        """
        columns = changes.checked(self.usernames)
        async with transaction():
            before = await self._locked(user_id)
            if not columns:
                return before
            if columns.get("username", "") is None:
                await self._require_email(user_id)
            account = await self._write(user_id, columns)
            fields = sorted(columns.keys() - {"username", "username_key"})
            if fields:
                details = {"fields": fields}
                await self.audit.record("user_updated", actor, subject=user_id, details=details)
            if account.username != before.username:
                await raise_stamp(user_id)
                await self._note_name(actor, before, account)
        return account

    async def stamp_of(self, user_id: UUID) -> int | None:
        """Read the account's security stamp, its row locked; None where there is no account."""
        return await read_stamp(user_id)

    async def note_sign_in(self, user_id: UUID) -> None:
        """Remember that the user has signed in just now."""
        await fetch(_NOTE_SIGN_IN, user_id, self.clock())

    async def delete(self, actor: Actor, user_id: UUID) -> None:
        """Delete an account with all that belongs to it; its id is never given out again (SEC-122).

        Raises:
            NotFound: There is no such user.
        """
        async with transaction():
            await self._locked(user_id)
            await self.events.record_user("user.delete", actor, user_id)
            await User.delete().where(User.id == user_id)
            await RetiredUser.insert(RetiredUser(id=user_id, retired_at=self.clock()))
            await self.audit.record("user_deleted", actor, subject=user_id)

    async def add_email(self, actor: Actor, user_id: UUID, new: NewEmail) -> Email:
        """Give an account another address; the first one is primary.

        Raises:
            NotFound, EmailLimitReached, EmailInvalid, EmailTaken: It is refused.
        """
        async with transaction(), savepoint():
            await self._locked(user_id)
            present = (await self.emails_of([user_id]))[user_id]
            if len(present) >= self.emails.limit:
                raise EmailLimitReached
            primary = new.is_primary or not present
            if primary:
                await self._clear_primary(user_id)
            email = NewEmail(new.address, primary, new.is_verified)
            made = await self._insert_email(user_id, email, self.clock(), ("address",))
            if made.is_primary or made.is_verified:
                await raise_stamp(user_id)
            details = {"email": made.address}
            await self.audit.record("email_created", actor, subject=user_id, details=details)
            await self.events.record_user("user.update.email.create", actor, user_id)
        return made

    async def set_primary_email(self, actor: Actor, user_id: UUID, email_id: UUID) -> Email:
        """Make one of an account's addresses the primary one.

        Raises:
            NotFound: There is no such user or address.
        """
        async with transaction():
            email = await self._email(user_id, email_id)
            if not email.is_primary:
                await self._clear_primary(user_id)
                await self._change_email(email_id, is_primary=True)
                await raise_stamp(user_id)
                details = {"email": email.address}
                await self.audit.record(
                    "primary_email_changed", actor, subject=user_id, details=details
                )
                await self.events.record_user("user.update.email.primary", actor, user_id)
            return await self._email(user_id, email_id)

    async def verify_email(self, actor: Actor, user_id: UUID, email_id: UUID) -> Email:
        """Mark an address as verified.

        Raises:
            NotFound: There is no such user or address.
        """
        async with transaction():
            email = await self._email(user_id, email_id)
            if not email.is_verified:
                await self._change_email(email_id, is_verified=True)
                await raise_stamp(user_id)
                details = {"email": email.address}
                await self.audit.record("email_verified", actor, subject=user_id, details=details)
            return await self._email(user_id, email_id)

    async def delete_email(self, actor: Actor, user_id: UUID, email_id: UUID) -> None:
        """Take an address from an account.

        Raises:
            NotFound: There is no such user or address.
            EmailIsPrimary: The primary address stays, unless it is the last and users may go
                without one, by their name.
        """
        async with transaction():
            email = await self._email(user_id, email_id)
            if email.is_primary and not await self._may_lack_email(user_id):
                raise EmailIsPrimary(path=("email_id",))
            await EmailAddress.delete().where(EmailAddress.id == email_id)
            await raise_stamp(user_id)
            details = {"email": email.address}
            await self.audit.record("email_deleted", actor, subject=user_id, details=details)
            await self.events.record_user("user.update.email.delete", actor, user_id)

    async def _locked(self, user_id: UUID) -> Account:
        rows = await fetch(_LOCK, user_id)
        if not rows:
            raise UserNotFound
        return Account(**rows[0])

    async def _insert(
        self, user_id: UUID, columns: dict[str, str | None], created_at: datetime, now: datetime
    ) -> Account:
        values: dict[str, Any] = {"id": user_id, "created_at": created_at, "updated_at": now}
        row = User(**values, **columns)  # type: ignore[arg-type]  # column by column
        try:
            await User.insert(row)
        except NotUnique as error:
            raise _taken(error, ("username",)) from error
        return Account(**{name: getattr(row, name) for name in Account.__slots__})

    async def _write(self, user_id: UUID, columns: dict[str, str | None]) -> Account:
        values = {getattr(User, name): value for name, value in columns.items()}
        try:
            await User.update({**values, User.updated_at: self.clock()}).where(User.id == user_id)
        except NotUnique as error:
            raise _taken(error, ("username",)) from error
        return await self._locked(user_id)

    async def _note_name(self, actor: Actor, before: Account, after: Account) -> None:
        """Record that a user is called something else, or nothing any more."""
        audited: Event = "username_changed" if after.username else "username_deleted"
        details = {"username": after.username or before.username}
        await self.audit.record(audited, actor, subject=after.id, details=details)
        event: EventName = "user.update.username.update"
        if before.username is None:
            event = "user.update.username.create"
        elif after.username is None:
            event = "user.update.username.delete"
        await self.events.record_user(event, actor, after.id)

    async def _insert_email(
        self, user_id: UUID, new: NewEmail, now: datetime, path: tuple[str, ...]
    ) -> Email:
        key = address_key(new.address, self.emails.max_length, path)
        row = EmailAddress(
            id=new_id(),
            user_id=user_id,
            address=new.address.strip(),
            address_key=key,
            is_primary=new.is_primary,
            is_verified=new.is_verified,
            created_at=now,
            updated_at=now,
        )
        try:
            await EmailAddress.insert(row)
        except NotUnique as error:
            raise _taken(error, path) from error
        return Email(**{name: getattr(row, name) for name in Email.__slots__})

    async def _email(self, user_id: UUID, email_id: UUID) -> Email:
        """Read an address of an account whose row is then locked."""
        await self._locked(user_id)
        for email in (await self.emails_of([user_id]))[user_id]:
            if email.id == email_id:
                return email
        raise EmailNotFound

    async def _change_email(
        self, email_id: UUID, *, is_primary: bool | None = None, is_verified: bool | None = None
    ) -> None:
        values = {EmailAddress.is_primary: is_primary, EmailAddress.is_verified: is_verified}
        given: dict[Column | str, Any] = {c: v for c, v in values.items() if v is not None}
        await EmailAddress.update({**given, EmailAddress.updated_at: self.clock()}).where(
            EmailAddress.id == email_id
        )

    async def _clear_primary(self, user_id: UUID) -> None:
        await EmailAddress.update({EmailAddress.is_primary: False}).where(
            EmailAddress.user_id == user_id
        )

    async def _may_lack_email(self, user_id: UUID) -> bool:
        """Say whether an account may give up its last address; the account's row is locked."""
        account = await self._locked(user_id)
        present = (await self.emails_of([user_id]))[user_id]
        return self.emails.optional and len(present) == 1 and account.username is not None

    async def _require_email(self, user_id: UUID) -> None:
        if not (await self.emails_of([user_id]))[user_id]:
            raise IdentifierMissing(path=("username",))


def _account(row: Row | None) -> Account | None:
    return None if row is None else Account(**row)


def _with_primary(emails: tuple[NewEmail, ...]) -> tuple[NewEmail, ...]:
    """Make a single address the primary one; of several exactly one must be."""
    if len(emails) == 1:
        return (NewEmail(emails[0].address, is_primary=True, is_verified=emails[0].is_verified),)
    if emails and sum(email.is_primary for email in emails) != 1:
        raise PrimaryEmailWrong(path=("emails",))
    return emails


def _taken(error: NotUnique, path: tuple[str, ...]) -> Conflict:
    leaf = _TAKEN.get(error.constraint)
    if leaf is None:
        raise error
    return leaf(path=("id",) if leaf is UserExists else path)
