"""The user and the three bags, as the schema shows them."""

import asyncio
from datetime import datetime
from typing import Annotated, Any, Self, cast
from uuid import UUID

import strawberry

from app import strictjson
from app.claims.gjson import get
from app.graphql.context import Info
from app.graphql.credential_types import MfaType, PasskeyType, PasswordType, TrustedDeviceType
from app.graphql.guards import (
    RequiresOwnerOrSecretKey,
    requires_owner_or_secret_key,
    requires_secret_key,
)
from app.graphql.identity_type import IdentityType
from app.graphql.paging import After, Connection, First, page_request
from app.graphql.scalars import JSON, raw
from app.graphql.session_type import SessionType
from app.metadata import Bags
from app.paging import MAX_PAGE
from app.users import Account, Email

_READ = ("users:read",)
Path = Annotated[
    str | None,
    strawberry.argument(
        description="A GJSON path such as `plan` or `roles.0.name`; null where nothing is there."
    ),
]


@strawberry.type(name="Email", description="An e-mail address of a user.")
class EmailType:
    """An address."""

    id: strawberry.ID = strawberry.field(description="UUID.")
    address: str = strawberry.field(description="As it was given.")
    is_primary: bool = strawberry.field(description="Whether mail goes here; one address does.")
    is_verified: bool = strawberry.field(description="Whether somebody has proved to read it.")

    @classmethod
    def of(cls, email: Email) -> Self:
        """Show an address."""
        return cls(
            id=strawberry.ID(str(email.id)),
            address=email.address,
            is_primary=email.is_primary,
            is_verified=email.is_verified,
        )


def _in_bag(text: str, path: str | None) -> JSON | None:
    """Read a bag, or a part of it by a GJSON path."""
    if path is None or path is strawberry.UNSET:
        return raw(text)
    found = get(text, path)
    return raw(found.raw) if found.exists and _is_json(found.raw) else None


def _is_json(text: str) -> bool:
    """Say whether a path's outcome may go into an answer; a literal in a path can be anything."""
    try:
        strictjson.parse(text.encode())
    except (strictjson.NotJson, UnicodeEncodeError):
        return False
    return True


def _profile(name: str, description: str) -> Any:  # noqa: ANN401  # a field of strawberry's
    """Declare a field of the profile, guarded like `emails`.

    It asks the actor itself: the short way of `me` knows no field that has a guard around it.
    """

    def read(root: "UserType", info: Info):  # type: ignore[no-untyped-def]  # noqa: ANN202  # the field says it
        actor = info.context.actor
        if actor.session is None or actor.session.user_id != root.user_id:
            actor.require_scopes(*_READ)
        return getattr(root.account, name)

    told = f"Needs the user's own session, or a secret key with `{_READ[0]}`."
    return strawberry.field(
        resolver=read,
        description=f"{description} {told}",
        directives=[RequiresOwnerOrSecretKey(scopes=list(_READ))],
    )


@strawberry.type(name="User", description="A person with an account.")
class UserType:
    """A user. Its bags come with it where they were read with it, else by the loader."""

    id: strawberry.ID = strawberry.field(
        description="UUID; the same in the token's `sub`, in webhooks and in REST paths."
    )
    username: str | None = _profile("username", "As it was given; unique however spelled.")
    name: str | None = _profile("name", "Full name.")
    given_name: str | None = _profile("given_name", "Given name.")
    family_name: str | None = _profile("family_name", "Family name.")
    picture: str | None = _profile("picture", "URL of a picture.")
    locale: str | None = _profile("locale", "Language tag, such as `pt-BR`.")
    created_at: datetime = strawberry.field(description="When the account was made.")
    updated_at: datetime = strawberry.field(description="When the profile last changed.")
    last_sign_in_at: datetime | None = _profile("last_sign_in_at", "When they last signed in.")
    user_id: strawberry.Private[UUID]
    account: strawberry.Private[Account]
    known_bags: strawberry.Private[Bags | None]

    @classmethod
    def of(cls, account: Account, bags: Bags | None = None) -> Self:
        """Show an account, with its bags where they are at hand."""
        return cls(
            id=strawberry.ID(str(account.id)),
            created_at=account.created_at,
            updated_at=account.updated_at,
            user_id=account.id,
            account=account,
            known_bags=bags,
        )

    @strawberry.field(
        description="Read: the user and secret keys. Written: secret keys. Without `path` the "
        "whole bag, never null."
    )
    def public_metadata(self, info: Info, path: Path = strawberry.UNSET) -> JSON | None:
        """Give the public bag; an awaitable where it has yet to be read."""
        if self.known_bags is not None:
            return _in_bag(self.known_bags.public, path)
        return cast("JSON", self._read(info, "public", path))

    @strawberry.field(
        description="Read and written: the user and secret keys. Never decide anything on it."
    )
    def unsafe_metadata(self, info: Info, path: Path = strawberry.UNSET) -> JSON | None:
        """Give the unsafe bag; an awaitable where it has yet to be read."""
        if self.known_bags is not None:
            return _in_bag(self.known_bags.unsafe, path)
        return cast("JSON", self._read(info, "unsafe", path))

    @strawberry.field(
        description="Secret keys only. For anyone else: null, with a FORBIDDEN error at this path.",
        extensions=[requires_secret_key("users.private:read")],
    )
    async def private_metadata(self, info: Info, path: Path = strawberry.UNSET) -> JSON | None:
        """Give the private bag, which nothing reads before the guard has let the caller in."""
        return _in_bag(await info.context.private_bags.load(self.user_id), path)

    @strawberry.field(description="Rises by one with every change of any bag.")
    async def metadata_version(self, info: Info) -> int:
        """Give the version of the bags."""
        bags = self.known_bags or await info.context.bags.load(self.user_id)
        return bags.version

    @strawberry.field(
        description=f"Their e-mail addresses, oldest first; {MAX_PAGE} at most.",
        extensions=[requires_owner_or_secret_key(*_READ)],
    )
    async def emails(self, info: Info) -> list[EmailType]:
        """Give the addresses."""
        found = await info.context.emails.load(self.user_id)
        return [EmailType.of(email) for email in found[:MAX_PAGE]]

    @strawberry.field(
        description="The address that mail goes to.",
        extensions=[requires_owner_or_secret_key(*_READ)],
    )
    async def primary_email(self, info: Info) -> EmailType | None:
        """Give the primary address."""
        found = await info.context.emails.load(self.user_id)
        return next((EmailType.of(email) for email in found if email.is_primary), None)

    @strawberry.field(
        description=f"Who they are at providers, oldest first; {MAX_PAGE} at most.",
        extensions=[requires_owner_or_secret_key(*_READ)],
    )
    async def identities(self, info: Info) -> list[IdentityType]:
        """Give the identities."""
        context = info.context
        found, emails = await asyncio.gather(
            context.identities.load(self.user_id), context.emails.load(self.user_id)
        )
        provider = context.services.federation.provider
        mine = found[:MAX_PAGE]
        return [IdentityType.of(one, provider(one.provider), emails) for one in mine]

    @strawberry.field(
        description=f"Their passkeys, oldest first; {MAX_PAGE} at most.",
        extensions=[requires_owner_or_secret_key(*_READ)],
    )
    async def passkeys(self, info: Info) -> list[PasskeyType]:
        """Give the credentials that sign in."""
        found = await info.context.passkeys.load(self.user_id)
        mine = [one for one in found if not one.is_mfa_only]
        return [PasskeyType.of(one) for one in mine[:MAX_PAGE]]

    @strawberry.field(
        description=f"Their security keys, oldest first; {MAX_PAGE} at most.",
        extensions=[requires_owner_or_secret_key(*_READ)],
    )
    async def security_keys(self, info: Info) -> list[PasskeyType]:
        """Give the credentials that are a second factor alone."""
        found = await info.context.passkeys.load(self.user_id)
        mine = [one for one in found if one.is_mfa_only]
        return [PasskeyType.of(one) for one in mine[:MAX_PAGE]]

    @strawberry.field(
        description="Their password, if they have one.",
        extensions=[requires_owner_or_secret_key(*_READ)],
    )
    async def password(self, info: Info) -> PasswordType | None:
        """Give what may be known of the password."""
        found = await info.context.passwords.load(self.user_id)
        return PasswordType(changed_at=found.changed_at) if found else None

    @strawberry.field(
        description="Their second factors.",
        extensions=[requires_owner_or_secret_key(*_READ)],
    )
    def mfa(self) -> MfaType:
        """Give the second factors, which are read where they are asked for."""
        return MfaType(user_id=self.user_id)

    @strawberry.field(
        description="Their browsers that need not show a second factor, newest first; 50 at most.",
        extensions=[requires_owner_or_secret_key(*_READ)],
    )
    async def trusted_devices(self, info: Info) -> list[TrustedDeviceType]:
        """Give the trusted browsers."""
        found = await info.context.trusted_devices.load(self.user_id)
        return [TrustedDeviceType.of(one) for one in found]

    @strawberry.field(
        description="Their live sessions, newest first.",
        extensions=[requires_owner_or_secret_key("sessions:read")],
    )
    async def sessions(
        self, info: Info, first: First = strawberry.UNSET, after: After = strawberry.UNSET
    ) -> Connection[SessionType]:
        """Give a page of sessions."""
        actor = info.context.actor
        asked = page_request(first, after)
        page = await info.context.sessions.load((self.user_id, asked))
        return Connection[SessionType].of(page, lambda session: SessionType.of(session, actor))

    async def _read(self, info: Info, bag: str, path: str | None) -> JSON | None:
        bags = await info.context.bags.load(self.user_id)
        return _in_bag(getattr(bags, bag), path)
