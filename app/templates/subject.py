"""Of whom claims speak: what templates can show of a user, and the template that shows it."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.persistence import Row

EMPTY = "{}"

SUBJECT_COLUMNS = (
    "u.id AS user_id, u.username, u.name, u.given_name, u.family_name, u.picture, "
    "e.address AS email_address, e.is_verified AS email_is_verified, "
    "m.public_bag, m.unsafe_bag, m.version AS metadata_version, t.claims AS template"
)
"""What `subject_of` reads; the private bag is not among it (SEC-009)."""

SUBJECT_JOINS = (
    "LEFT JOIN email e ON e.user_id = u.id AND e.is_primary "
    "LEFT JOIN user_metadata m ON m.user_id = u.id "
    "LEFT JOIN jwt_template t ON t.id = 1"
)
"""What stands behind `app_user u`, so that a statement about it gives these columns too."""


@dataclass(frozen=True, slots=True)
class PrimaryEmail:
    """The address that a user's claims show."""

    address: str
    is_verified: bool


@dataclass(frozen=True, slots=True)
class Subject:
    """A user as claims see it, with the stored template, or None where the configured one holds.

    The bags are the JSON they are stored as.
    """

    user_id: UUID
    username: str | None = None
    name: str | None = None
    given_name: str | None = None
    family_name: str | None = None
    picture: str | None = None
    email: PrimaryEmail | None = None
    public: str = EMPTY
    unsafe: str = EMPTY
    metadata_version: int = 0
    template: str | None = None

    def without_a_say(self) -> "Subject":
        """Give what would be known of a user who had never said anything of themselves."""
        return Subject(
            self.user_id,
            public=self.public,
            metadata_version=self.metadata_version,
            template=self.template,
        )

    def bags(self) -> dict[str, str]:
        """Give the bags by the names that shortcodes have for them."""
        return {"public_metadata": self.public, "unsafe_metadata": self.unsafe}

    def as_user(self) -> dict[str, Any]:
        """Give the data of the user's templates, in the form that `user_context` takes."""
        email = self.email and {
            "address": self.email.address,
            "is_primary": True,
            "is_verified": self.email.is_verified,
        }
        return {
            "user_id": str(self.user_id),
            "username": self.username,
            "name": self.name,
            "given_name": self.given_name,
            "family_name": self.family_name,
            "picture": self.picture,
            "email": email,
            "public_metadata_raw": self.public,
            "unsafe_metadata_raw": self.unsafe,
        }


def subject_of(row: Row) -> Subject:
    """Read a row that has `SUBJECT_COLUMNS`."""
    address = row["email_address"]
    email = PrimaryEmail(address, bool(row["email_is_verified"])) if address is not None else None
    return Subject(
        user_id=row["user_id"],
        username=row["username"],
        name=row["name"],
        given_name=row["given_name"],
        family_name=row["family_name"],
        picture=row["picture"],
        email=email,
        public=row["public_bag"] or EMPTY,
        unsafe=row["unsafe_bag"] or EMPTY,
        metadata_version=row["metadata_version"] or 0,
        template=row["template"],
    )
