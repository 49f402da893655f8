"""What can go wrong between the product and its database."""

from app.errors import Conflict, IdentityError, Invalid, Unavailable


class NotUnique(Conflict):
    """A row would repeat a value that may stand only once.

    `constraint` is `table__column` on every database; the domain that wrote the row turns it into
    an error of its own.
    """

    def __init__(self, constraint: str) -> None:
        super().__init__()
        self.constraint = constraint


class TextUnstorable(Invalid):
    """A text holds U+0000 or half of a surrogate pair, which no database keeps."""

    code = "text_unstorable"
    message = "A text holds a character that cannot be kept."


class DatabaseUnavailable(Unavailable):
    """The database does not answer."""


class SchemaRefused(IdentityError):
    """The database's schema is not one this version may touch; the message says why."""

    code = "schema_refused"
    message = "The database has a schema that this version does not know."
