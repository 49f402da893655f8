"""What a caller may say of users."""

from datetime import datetime
from enum import Enum

import strawberry

from app.graphql.errors import MetadataBag
from app.graphql.inputs import given, id_of
from app.graphql.scalars import JSON
from app.metadata import BagChanges, Mode
from app.metadata import changes as bags
from app.users import MetadataPredicate, NewEmail, NewUser, ProfileChanges, UserFilter


@strawberry.enum(description="How an object given for a bag meets what the bag holds.")
class MetadataMode(Enum):
    """A mode, as the schema names it."""

    MERGE = strawberry.enum_value("merge", description="It is merged into it (RFC 7396).")
    REPLACE = strawberry.enum_value("replace", description="It takes its place.")


@strawberry.enum(name="UserOrder", description="How a list of users is sorted.")
class UserOrderType(Enum):
    """An order, as the schema names it."""

    CREATED_AT_DESC = strawberry.enum_value("created_at_desc", description="Newest first.")
    CREATED_AT_ASC = strawberry.enum_value("created_at_asc", description="Oldest first.")


_VERSION = "Refuse with METADATA_VERSION_CONFLICT unless the bags are at this version."
Text = strawberry.Maybe[str | None]
Bag = strawberry.Maybe[JSON | None]


@strawberry.input(description="Who somebody is at a provider.")
class IdentityKeyInput:
    """What a provider calls somebody."""

    provider: str = strawberry.field(description="The provider's id.")
    subject: str = strawberry.field(description="What the provider calls the user.")
    issuer: strawberry.Maybe[str | None] = strawberry.field(
        description="Who vouches there; left out where the provider has one issuer."
    )


@strawberry.input(one_of=True, description="One way to name a user.")
class UserBy:
    """A way to name a user."""

    id: strawberry.Maybe[strawberry.ID] = strawberry.field(description="UUID.")
    email: strawberry.Maybe[str] = strawberry.field(description="Any address, however spelled.")
    username: strawberry.Maybe[str] = strawberry.field(description="User name, however spelled.")
    identity: strawberry.Maybe[IdentityKeyInput] = strawberry.field(
        description="Who they are at a provider."
    )


@strawberry.input(description="An address to give to a user.")
class EmailInput:
    """An address."""

    address: str = strawberry.field(description="One mailbox.")
    is_primary: bool | None = strawberry.field(
        description="Whether mail goes here; a single address always is.", default=False
    )
    is_verified: bool | None = strawberry.field(
        description="Whether you vouch that the user reads it.", default=False
    )

    def to_new(self) -> NewEmail:
        """Give the service's value."""
        return NewEmail(self.address, bool(self.is_primary), bool(self.is_verified))


@strawberry.input
class _Profile:
    """The fields of a profile, as every input has them."""

    username: Text = strawberry.field(description="Letters, digits, underscores; null for none.")
    name: Text = strawberry.field(description="At most 255 characters; null for none.")
    given_name: Text = strawberry.field(description="At most 255 characters; null for none.")
    family_name: Text = strawberry.field(description="At most 255 characters; null for none.")
    picture: Text = strawberry.field(description="An http or https URL; null for none.")
    locale: Text = strawberry.field(description="A language tag; null for none.")

    def profile(self) -> ProfileChanges:
        """Give the change of the profile."""
        return ProfileChanges(
            username=given(self.username),
            name=given(self.name),
            given_name=given(self.given_name),
            family_name=given(self.family_name),
            picture=given(self.picture),
            locale=given(self.locale),
        )


@strawberry.input
class _Bags:
    """The three bags, as every input of a secret key has them."""

    public_metadata: Bag = strawberry.field(description="Users read it, secret keys write it.")
    private_metadata: Bag = strawberry.field(description="For secret keys alone.")
    unsafe_metadata: Bag = strawberry.field(description="Users write it too; trust nothing in it.")

    def bags(self) -> BagChanges:
        """Give the change of the bags."""
        return BagChanges(
            public=given(self.public_metadata),
            private=given(self.private_metadata),
            unsafe=given(self.unsafe_metadata),
        )


@strawberry.input(description="What the signed-in user changes; what is left out stays.")
class UpdateMeInput(_Profile):
    """A change of one's own."""

    unsafe_metadata: Bag = strawberry.field(
        description="Merged into the unsafe bag; null clears the bag."
    )
    if_metadata_version: strawberry.Maybe[int | None] = strawberry.field(description=_VERSION)


@strawberry.input(description="What a secret key changes of a user; what is left out stays.")
class UpdateUserInput(_Profile):
    """A change of a profile."""


@strawberry.input(description="A change of bags: left out stays, null clears, an object goes in.")
class UserMetadataInput(_Bags):
    """A change of bags."""

    mode: MetadataMode | None = strawberry.field(
        description="How an object meets what the bag holds.", default=MetadataMode.MERGE
    )
    if_metadata_version: strawberry.Maybe[int | None] = strawberry.field(description=_VERSION)

    def wanted_mode(self) -> Mode:
        """Give the mode; null means the default."""
        return Mode[self.mode.name] if self.mode else Mode.MERGE


@strawberry.input(description="A user to make; it needs an address or a user name.")
class CreateUserInput(_Profile, _Bags):
    """A user to make."""

    id: strawberry.Maybe[strawberry.ID | None] = strawberry.field(
        description="A UUID of any version; one is made where it is left out."
    )
    emails: strawberry.Maybe[list[EmailInput] | None] = strawberry.field(
        description="Addresses; of several exactly one is primary."
    )
    password: Text = strawberry.field(
        description="8 characters or more, as configured; null for none."
    )
    password_hash: Text = strawberry.field(
        description="In place of a password, the hash of one: Argon2, bcrypt, scrypt, PBKDF2 or "
        "Firebase scrypt."
    )
    created_at: strawberry.Maybe[datetime | None] = strawberry.field(
        description="When the account was made elsewhere; now where it is left out."
    )

    def to_new(self) -> NewUser:
        """Give the service's value."""
        emails = (self.emails.value if self.emails else None) or []
        wanted = self.id.value if self.id else None
        return NewUser(
            id=id_of(wanted, "id") if wanted is not None else None,
            emails=tuple(email.to_new() for email in emails),
            profile=self.profile(),
            bags=self.bags(),
            created_at=self.created_at.value if self.created_at else None,
        )


@strawberry.input(description="Asks for a value in a bag; give `equals` or `exists`.")
class MetadataFilter:
    """Asks for a value in a bag."""

    bag: MetadataBag = strawberry.field(description="PRIVATE needs `users.private:read`.")
    path: str = strawberry.field(description="Keys and indexes joined by dots: `plan`, `roles.0`.")
    equals: Bag = strawberry.field(description="The value that stands there.")
    exists: strawberry.Maybe[bool | None] = strawberry.field(
        description="Whether anything stands there."
    )


@strawberry.input(
    name="UserFilter", description="Asks for users; every part that is given must hold."
)
class UserFilterInput:
    """Asks for users."""

    search: Text = strawberry.field(description="How an address or the user name begins.")
    email: Text = strawberry.field(description="An address, however spelled.")
    email_verified: strawberry.Maybe[bool | None] = strawberry.field(
        description="Whether the primary address is verified."
    )
    identity_provider: Text = strawberry.field(
        description="The id of a provider that they have an identity at."
    )
    has_password: strawberry.Maybe[bool | None] = strawberry.field(
        description="Whether they have a password."
    )
    has_passkey: strawberry.Maybe[bool | None] = strawberry.field(
        description="Whether they have a passkey; a security key is none."
    )
    has_totp: strawberry.Maybe[bool | None] = strawberry.field(
        description="Whether they have an authenticator app."
    )
    created_after: strawberry.Maybe[datetime | None] = strawberry.field(description="Later than.")
    created_before: strawberry.Maybe[datetime | None] = strawberry.field(
        description="Earlier than."
    )
    signed_in_after: strawberry.Maybe[datetime | None] = strawberry.field(
        description="Last signed in later than."
    )
    signed_in_before: strawberry.Maybe[datetime | None] = strawberry.field(
        description="Last signed in earlier than."
    )
    metadata: strawberry.Maybe[MetadataFilter | None] = strawberry.field(
        description="A value in a bag."
    )
    and_: strawberry.Maybe[list["UserFilterInput"] | None] = strawberry.field(
        name="and", description="All of these hold too."
    )
    or_: strawberry.Maybe[list["UserFilterInput"] | None] = strawberry.field(
        name="or", description="At least one of these holds."
    )
    not_: strawberry.Maybe["UserFilterInput | None"] = strawberry.field(
        name="not", description="This does not hold."
    )

    def to_filter(self) -> UserFilter:
        """Give the service's value."""
        plain = {
            name: part.value
            for name, part in vars(self).items()
            if part is not None and name not in ("metadata", "and_", "or_", "not_")
        }
        return UserFilter(
            **plain,
            metadata=_predicate(self.metadata.value if self.metadata else None),
            all_of=_filters(self.and_),
            any_of=_filters(self.or_),
            none_of=self.not_.value.to_filter() if self.not_ and self.not_.value else None,
        )

    def reads_private(self) -> bool:
        """Say whether any part of it looks into the private bag."""
        inner = [*_inside(self.and_), *_inside(self.or_)]
        if self.not_ and self.not_.value:
            inner.append(self.not_.value)
        asked = self.metadata.value if self.metadata else None
        private = asked is not None and asked.bag is MetadataBag.PRIVATE
        return private or any(part.reads_private() for part in inner)


def _inside(
    parts: "strawberry.Some[list[UserFilterInput] | None] | None",
) -> list[UserFilterInput]:
    return (parts.value if parts else None) or []


def _filters(
    parts: "strawberry.Some[list[UserFilterInput] | None] | None",
) -> tuple[UserFilter, ...]:
    return tuple(part.to_filter() for part in _inside(parts))


def _predicate(asked: MetadataFilter | None) -> MetadataPredicate | None:
    if asked is None:
        return None
    return MetadataPredicate(
        bag=bags.Bag[asked.bag.name],
        path=asked.path,
        equals=asked.equals.value if asked.equals else None,
        exists=asked.exists.value if asked.exists else None,
    )
