"""Passwords: set, imported, checked, deleted.

Hashing takes its time, so it is never done inside a transaction: `prepare` and `verify` come before
one is opened, `store` and `still_holds` are called inside it.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

from app.access import Actor
from app.audit import AuditLog
from app.clock import Clock
from app.config import sections
from app.credentials.errors import (
    HashingOverloaded,
    PasswordBreached,
    PasswordExists,
    PasswordGivenTwice,
    PasswordHashTooCostly,
    PasswordNotFound,
    PasswordsDisabled,
)
from app.credentials.password_breaches import Breaches
from app.credentials.password_formats import StoredHash, parse
from app.credentials.password_hashing import PasswordHasher
from app.credentials.password_policy import PasswordPolicy
from app.credentials.password_text import normalised, received
from app.credentials.tables import PasswordRow
from app.ids import new_id
from app.metadata import Bags
from app.persistence import Row, fetch, fetch_row, in_transaction, transaction
from app.users import Account, NewUser, Users, raise_stamp
from app.users.errors import UserNotFound
from app.users.locking import lock_user, lock_user_or_refuse

_FIND = "SELECT id, hash, imported, changed_at FROM user_password WHERE user_id = $1"
_STORE = """
INSERT INTO user_password (user_id, id, hash, imported, changed_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (user_id) DO UPDATE SET
    id = excluded.id, hash = excluded.hash, imported = excluded.imported,
    changed_at = excluded.changed_at
"""
_UPGRADE = "UPDATE user_password SET hash = $3, imported = $4 WHERE user_id = $1 AND hash = $2"
_NOBODY = UUID(int=0)

Context = Literal["admin", "import", "profile", "recovery", "registration"]
"""On what occasion a password changes; the audit record says it."""

Then = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class PreparedPassword:
    """A password that has passed every rule, as it will be stored."""

    hash: str = field(repr=False)
    imported: bool


@dataclass(frozen=True, slots=True)
class KeptPassword:
    """The password of a user: everything but its hash. One that is changed is another."""

    id: UUID
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Verified:
    """The password is right; `password_id` names it until it is changed."""

    password_id: UUID


@dataclass(frozen=True, slots=True)
class Wrong:
    """The password is wrong, or there is no such user."""


@dataclass(frozen=True, slots=True)
class NoPassword:
    """The user has no password; what a caller is told of that is what a wrong one is told."""


Outcome = Verified | Wrong | NoPassword


@dataclass(frozen=True, slots=True)
class Passwords:
    """The passwords of users: one each, or none."""

    config: sections.Password
    policy: PasswordPolicy
    hasher: PasswordHasher
    breaches: Breaches
    users: Users
    audit: AuditLog
    clock: Clock

    async def verify(self, user_id: UUID | None, password: str) -> Outcome:
        """Check a password, with equal work whether there is one or not (SEC-067).

        A hash that is weaker than a new one would be is made anew when its password is right
        (SEC-034).

        Args:
            user_id: Whose, or None where nobody is addressed so.
            password: As it was typed.

        Raises:
            HashingOverloaded: Too many wait; nothing is decided.
        """
        _refuse_transaction()
        row = await fetch_row(_FIND, user_id or _NOBODY)
        typed = received(password)
        if typed is None:
            return Wrong()
        text = normalised(password)
        if user_id is None or row is None or not self.config.enabled:
            await self.hasher.match_nobody(text.encode())
            return Wrong() if user_id is None else NoPassword()
        stored = parse(row["hash"])
        if not await self.hasher.matches(stored, typed if row["imported"] else text.encode()):
            return Wrong()
        await self._upgrade(user_id, row, stored, text)
        return Verified(row["id"])

    async def still_holds(self, user_id: UUID, verified: Verified) -> bool:
        """Say, inside the transaction that signs a user in, whether the password is still theirs.

        The user's row is locked, so that a password that changes meanwhile ends the new session.
        """
        await lock_user(user_id)
        row = await fetch_row(_FIND, user_id)
        return row is not None and row["id"] == verified.password_id

    async def of(self, user_id: UUID) -> KeptPassword | None:
        """Give the user's password without its hash, if there is one (SEC-017)."""
        row = await fetch_row(_FIND, user_id)
        return None if row is None else KeptPassword(row["id"], row["changed_at"])

    async def of_all(self, user_ids: Sequence[UUID]) -> Mapping[UUID, KeptPassword]:
        """Give the passwords of some users without their hashes; who has none is left out."""
        if not user_ids:
            return {}
        rows = await PasswordRow.select(
            PasswordRow.user_id, PasswordRow.id, PasswordRow.changed_at
        ).where(PasswordRow.user_id.is_in([*user_ids]))
        return {row["user_id"]: KeptPassword(row["id"], row["changed_at"]) for row in rows}

    async def changed_at(self, user_id: UUID) -> datetime | None:
        """Say when a user's password was last changed, or None where there is none."""
        found = await self.of(user_id)
        return None if found is None else found.changed_at

    async def prepare(self, password: str, identifiers: Iterable[str] = ()) -> PreparedPassword:
        """Judge and hash a new password, before any transaction.

        Args:
            password: As it was typed.
            identifiers: The addresses and the user name of whose it will be.

        Raises:
            PasswordsDisabled: There are no passwords here.
            PasswordRefused: It breaks a rule (SEC-035, SEC-036).
            HashingOverloaded: Too many wait.
        """
        _refuse_transaction()
        self._require_enabled()
        text = self.policy.check_length(password)
        words = tuple(identifiers)
        await self.hasher.run(lambda: self.policy.check_likeness(text, words))
        if await self.breaches.hold(text):
            raise PasswordBreached(self.policy.min_length)
        return PreparedPassword(await self.hasher.hash(text), imported=False)

    def prepare_hash(self, text: str) -> PreparedPassword:
        """Judge a hash that another system has made (SEC-115).

        Raises:
            PasswordsDisabled: There are no passwords here.
            PasswordHashInvalid: It is in no format that is listed, or is malformed.
            PasswordHashTooCostly: To check it would burn the machine.
        """
        self._require_enabled()
        if parse(text).is_costly:
            raise PasswordHashTooCostly
        return PreparedPassword(text, imported=True)

    async def store(
        self, actor: Actor, user_id: UUID, prepared: PreparedPassword, context: Context
    ) -> None:
        """Give a user a password in place of any other, in the transaction that is open.

        Who calls this ends the user's other sessions, unless the user declines (SEC-027).

        Raises:
            UserNotFound: There is no such user.
        """
        async with transaction():
            await lock_user_or_refuse(user_id)
            values = (new_id(), prepared.hash, prepared.imported, self.clock())
            await fetch(_STORE, user_id, *values)
            await raise_stamp(user_id)
            details = {"context": context}
            await self.audit.record("password_changed", actor, subject=user_id, details=details)

    async def set(  # noqa: PLR0913  # half of them may be left out
        self,
        actor: Actor,
        user_id: UUID,
        password: str,
        *,
        context: Context = "admin",
        replaces: bool | None = None,
        then: Then | None = None,
    ) -> None:
        """Judge, hash and store a password.

        Args:
            actor: On whose behalf; the audit record names it.
            user_id: Whose.
            password: As it was typed.
            context: On what occasion.
            replaces: Whether it is to stand in place of another; None where it may or may not.
            then: What else happens with it or not at all, such as the end of sessions (SEC-027).

        Raises:
            UserNotFound: There is no such user.
            PasswordExists, PasswordNotFound: The user has one, or none, against what is said.
            PasswordsDisabled, PasswordRefused, HashingOverloaded: See `prepare`.
        """
        prepared = await self.prepare(password, await self._identifiers(user_id))
        async with transaction():
            if replaces is not None:
                await self._require(user_id, present=replaces)
            await self.store(actor, user_id, prepared, context)
            if then is not None:
                await then()

    async def create_user(
        self,
        actor: Actor,
        new: NewUser,
        *,
        password: str | None = None,
        password_hash: str | None = None,
    ) -> tuple[Account, Bags]:
        """Make an account with its password, if it is given one: both or neither.

        Raises:
            PasswordGivenTwice: A password and a hash are given.
            Invalid, Conflict: See `Users.create`, `prepare` and `prepare_hash`.
        """
        if password is not None and password_hash is not None:
            raise PasswordGivenTwice
        prepared: PreparedPassword | None = None
        if password is not None:
            prepared = await self.prepare(password, _identifiers_of(new))
        elif password_hash is not None:
            prepared = self.prepare_hash(password_hash)

        async def store(user_id: UUID) -> None:
            if prepared is not None:
                context: Context = "import" if prepared.imported else "admin"
                await self.store(actor, user_id, prepared, context)

        ways_in = {"password": True} if prepared is not None else {}
        return await self.users.create(actor, new, then=store, ways_in=ways_in)

    async def delete(self, actor: Actor, user_id: UUID, *, then: Then | None = None) -> None:
        """Take a user's password away; whether another way in is left, who calls this knows.

        Raises:
            UserNotFound: There is no such user.
            PasswordNotFound: The user has none.
        """
        async with transaction():
            await lock_user_or_refuse(user_id)
            mine = PasswordRow.user_id == user_id
            if not await PasswordRow.delete().where(mine).returning(PasswordRow.user_id):
                raise PasswordNotFound
            await raise_stamp(user_id)
            await self.audit.record("password_deleted", actor, subject=user_id)
            if then is not None:
                await then()

    async def close(self) -> None:
        """Let go of threads and connections."""
        self.hasher.close()
        await self.breaches.close()

    async def _require(self, user_id: UUID, *, present: bool) -> None:
        """See that a user has a password, or has none, until the transaction ends."""
        await lock_user_or_refuse(user_id)
        found = await self.of(user_id)
        if present and found is None:
            raise PasswordNotFound
        if not present and found is not None:
            raise PasswordExists

    async def _upgrade(self, user_id: UUID, row: Row, stored: StoredHash, text: str) -> None:
        """Make a weaker hash anew, unless the password is changed meanwhile or too many wait."""
        if not self.hasher.is_weaker(stored):
            return
        try:
            made = await self.hasher.hash(text)
        except HashingOverloaded:
            return
        await fetch(_UPGRADE, user_id, row["hash"], made, False)  # noqa: FBT003  # a column

    async def _identifiers(self, user_id: UUID) -> list[str]:
        account = await self.users.by_id(user_id)
        if account is None:
            raise UserNotFound
        emails = (await self.users.emails_of([user_id]))[user_id]
        return [*(email.address for email in emails), account.username or ""]

    def _require_enabled(self) -> None:
        if not self.config.enabled:
            raise PasswordsDisabled


def _identifiers_of(new: NewUser) -> list[str]:
    username = new.profile.username
    return [*(email.address for email in new.emails), username if isinstance(username, str) else ""]


def _refuse_transaction() -> None:
    """Stop whoever would hold a transaction open while a password is hashed: that is a defect."""
    if in_transaction():
        raise RuntimeError("a password is hashed inside a transaction")
