"""What REST bodies may say, in either spelling of the bags' names."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec

from app.clock import STORABLE_YEARS
from app.errors import Invalid
from app.ids import parse_id
from app.metadata import UNSET, BagChanges
from app.strictjson import Json
from app.users import NewEmail, NewUser, ProfileChanges

_BAGS = {
    "public_metadata": "public",
    "publicMetadata": "public",
    "private_metadata": "private",
    "privateMetadata": "private",
    "unsafe_metadata": "unsafe",
    "unsafeMetadata": "unsafe",
}


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


class EmailBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """An address to give to a user."""

    address: str
    is_primary: bool = False
    is_verified: bool = False


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
    created_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None

    def to_new(self, bags: BagChanges) -> NewUser:
        """Give the service's value."""
        emails = [NewEmail(e.address, e.is_primary, e.is_verified) for e in self.emails]
        if self.email is not None:
            emails.append(NewEmail(self.email, is_primary=not emails))
        if self.created_at is not None and not _is_storable(self.created_at):
            raise BodyInvalid("`createdAt` lies in the years 1900 to 9998.", path=("createdAt",))
        profile = {
            name: value if (value := getattr(self, name)) is not None else UNSET
            for name in ("username", "name", "given_name", "family_name", "picture", "locale")
        }
        return NewUser(
            id=_user_id(self.id),
            emails=tuple(emails),
            profile=ProfileChanges(**profile),
            bags=bags,
            created_at=self.created_at,
        )


_NEW_USER = frozenset(NewUserBody.__struct_encode_fields__)


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


def new_user(body: Any) -> NewUser:  # noqa: ANN401  # any JSON
    """Read a user to make, with its bags.

    Raises:
        BodyInvalid: It is not what the endpoint takes.
    """
    if not isinstance(body, dict):
        raise BodyInvalid
    bags = bag_changes({name: value for name, value in body.items() if name in _BAGS})
    rest = {name: value for name, value in body.items() if name not in _BAGS}
    unknown = next((name for name in rest if name not in _NEW_USER), None)
    if unknown is not None:
        raise BodyInvalid("The body names a field that no user has.", path=(unknown[:100],))
    try:
        return msgspec.convert(rest, NewUserBody).to_new(bags)
    except msgspec.ValidationError as error:
        raise BodyInvalid(path=_place(str(error))) from None
    except UnicodeEncodeError:  # half of a surrogate pair, which msgspec does not foresee
        raise BodyInvalid from None


def _place(message: str) -> tuple[str, ...]:
    """Take from msgspec's message where in the body the trouble is, and nothing else."""
    found = re.search(r"`\$((?:\.\w+|\[\d+\])+)`", message)
    return tuple(re.findall(r"\w+", found[1])) if found else ()


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
