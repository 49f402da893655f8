"""What REST bodies may say, in either spelling of the bags' names."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar
from uuid import UUID

import msgspec

from app.clock import STORABLE_YEARS
from app.errors import Invalid
from app.ids import parse_id
from app.metadata import UNSET, BagChanges
from app.strictjson import Json
from app.users import NewEmail, NewUser, PrimaryEmailWrong, ProfileChanges

_BAGS = {
    "public_metadata": "public",
    "publicMetadata": "public",
    "private_metadata": "private",
    "privateMetadata": "private",
    "unsafe_metadata": "unsafe",
    "unsafeMetadata": "unsafe",
}
_PROFILE = ("username", "name", "given_name", "family_name", "picture", "locale")
_EMAILS = ("emails",)
Moment = Annotated[datetime, msgspec.Meta(tz=True)] | None


class BodyInvalid(Invalid):
    """The body is JSON, and not what the endpoint takes."""

    code = "body_invalid"
    message = "The body is not what this endpoint takes."


def members(data: Json, *known: str) -> dict[str, Json]:
    """Read an object that has no member but those that are known.

    Raises:
        BodyInvalid: It is no object, or has another member.
    """
    if not isinstance(data, dict):
        raise BodyInvalid
    unknown = next((name for name in data if name not in known), None)
    if unknown is not None:
        raise BodyInvalid(path=(unknown[:100],))
    return data


def known_members(data: Json, *known: str) -> dict[str, Json]:
    """Read the members of an object that are known; any other is as good as left out.

    Raises:
        BodyInvalid: It is no object.
    """
    if not isinstance(data, dict):
        raise BodyInvalid
    return {name: data[name] for name in known if name in data}


class EmailBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """An address to give to a user."""

    address: str
    is_primary: bool = False
    is_verified: bool = False


class NamedEmailBody(msgspec.Struct, frozen=True):
    """An address to give to a user, in the reference's spelling; it is kept in lower case."""

    address: str
    is_primary: bool | None = None
    is_verified: bool | None = None

    def to_new(self) -> NewEmail:
        """Give the service's value."""
        return NewEmail(self.address.lower(), bool(self.is_primary), bool(self.is_verified))


class NewUserBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A user to make; `email` is short for one address."""

    id: str | None = None
    email: str | None = None
    emails: list[EmailBody] = msgspec.field(default_factory=list)
    username: str | None = None
    name: str | None = None
    given_name: str | None = None
    family_name: str | None = None
    picture: str | None = None
    locale: str | None = None
    created_at: Moment = None

    def to_new(self, bags: BagChanges) -> NewUser:
        """Give the service's value."""
        emails = [NewEmail(one.address, one.is_primary, one.is_verified) for one in self.emails]
        if self.email is not None:
            emails.append(NewEmail(self.email, is_primary=not emails))
        return _new_user(self, emails, bags)


class NamedUserBody(msgspec.Struct, frozen=True):
    """A user to make, in the reference's spelling; a password may come along."""

    id: str | None = None
    emails: list[NamedEmailBody] | None = None
    username: str | None = None
    name: str | None = None
    given_name: str | None = None
    family_name: str | None = None
    picture: str | None = None
    locale: str | None = None
    created_at: Moment = None
    password: str | None = None
    password_hash: str | None = None

    def to_new(self, bags: BagChanges) -> NewUser:
        """Give the service's value.

        Raises:
            PrimaryEmailWrong: Of several addresses none is primary, or more than one.
        """
        emails = [one.to_new() for one in self.emails or ()]
        primaries = sum(one.is_primary for one in emails)
        if len(emails) > 1 and not primaries:
            raise PrimaryEmailWrong("at least one primary email must be provided", path=_EMAILS)
        if primaries > 1:
            raise PrimaryEmailWrong("only one primary email is allowed", path=_EMAILS)
        return _new_user(self, emails, bags)


S = TypeVar("S", bound=msgspec.Struct)
U = TypeVar("U", NewUserBody, NamedUserBody)


def bag_changes(body: Any) -> BagChanges:  # noqa: ANN401  # any JSON
    """Read a change of bags.

    Raises:
        BodyInvalid: It is no object, names something that is no bag, or one bag twice.
    """
    if not isinstance(body, dict):
        raise BodyInvalid("The body must be an object that names bags.")
    unknown = next((name for name in body if name not in _BAGS), None)
    if unknown is not None:
        raise BodyInvalid("The body names something that is no bag.", path=(unknown[:100],))
    if len({_BAGS[name] for name in body}) != len(body):
        raise BodyInvalid("The body names a bag in both spellings.")
    return BagChanges(**{_BAGS[name]: value for name, value in body.items()})


def new_user(body: Json) -> NewUser:
    """Read a user to make, with its bags.

    Raises:
        BodyInvalid: It is not what the endpoint takes.
    """
    found, bags = _user_body(body, NewUserBody)
    return found.to_new(bags)


def named_user(body: Json) -> tuple[NewUser, NamedUserBody]:
    """Read a user to make in the reference's spelling, with its bags; the body has its password.

    Raises:
        BodyInvalid: It is not what the endpoint takes.
        PrimaryEmailWrong: Of several addresses none is primary, or more than one.
    """
    found, bags = _user_body(body, NamedUserBody)
    return found.to_new(bags), found


def named_email(body: Json) -> NewEmail:
    """Read an address to give to a user; which one is primary has an endpoint of its own.

    Raises:
        BodyInvalid: It is not what the endpoint takes.
    """
    found = _converted(known_members(body, "address", "is_verified"), NamedEmailBody)
    return found.to_new()


def profile_changes(body: Json) -> ProfileChanges:
    """Read a change of a profile: what is left out stays, null clears, a text is set.

    A user name is kept in lower case.

    Raises:
        BodyInvalid: It is not what the endpoint takes.
    """
    given = known_members(body, *_PROFILE)
    for name, value in given.items():
        if value is not None and (not isinstance(value, str) or not value.strip()):
            raise BodyInvalid(f"{name} must be a non-empty string or null", path=(name,))
    if isinstance(given.get("username"), str):
        given["username"] = given["username"].lower()
    return ProfileChanges(**given)


def _user_body(body: Json, kind: type[U]) -> tuple[U, BagChanges]:
    if not isinstance(body, dict):
        raise BodyInvalid
    bags = bag_changes({name: value for name, value in body.items() if name in _BAGS})
    known = kind.__struct_encode_fields__
    unknown = next((name for name in body if name not in known and name not in _BAGS), None)
    if unknown is not None and kind.__struct_config__.forbid_unknown_fields:
        raise BodyInvalid("The body names a field that no user has.", path=(unknown[:100],))
    return _converted(known_members(body, *known), kind), bags


def _new_user(
    given: NewUserBody | NamedUserBody, emails: list[NewEmail], bags: BagChanges
) -> NewUser:
    if given.created_at is not None and not _is_storable(given.created_at):
        spelled = "created_at" if isinstance(given, NamedUserBody) else "createdAt"
        raise BodyInvalid(f"`{spelled}` lies in the years 1900 to 9998.", path=(spelled,))
    profile = {
        name: value if (value := getattr(given, name)) is not None else UNSET for name in _PROFILE
    }
    return NewUser(
        id=_user_id(given.id),
        emails=tuple(emails),
        profile=ProfileChanges(**profile),
        bags=bags,
        created_at=given.created_at,
    )


def _converted(body: dict[str, Json], kind: type[S]) -> S:
    try:
        return msgspec.convert(body, kind)
    except msgspec.ValidationError as error:
        raise _misfit(str(error)) from None
    except UnicodeEncodeError:  # half of a surrogate pair, which msgspec does not foresee
        raise BodyInvalid from None


def _misfit(message: str) -> BodyInvalid:
    """Take from msgspec's message where in the body the trouble is, and whether it is a lack."""
    found = re.search(r"`\$((?:\.\w+|\[\d+\])+)`", message)
    path = tuple(re.findall(r"\w+", found[1])) if found else ()
    missing = re.match(r"Object missing required field `(\w+)`", message)
    if missing:
        path = (*path, missing[1])
    elif not message.startswith("Expected `str`, got `null`"):
        return BodyInvalid(path=path)
    return BodyInvalid(f"{path[-1]} is a required field", path=path)


def _is_storable(moment: datetime) -> bool:
    try:
        return moment.astimezone(UTC).year in STORABLE_YEARS
    except OverflowError:
        return False


def _user_id(text: str | None) -> UUID | None:
    if text is None:
        return None
    found = parse_id(text)
    if found is None:
        raise BodyInvalid("`id` must be a UUID in lower case with hyphens.", path=("id",))
    return found
