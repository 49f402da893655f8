"""Why an account or address is refused."""

from app.errors import Conflict, Invalid, NotFound


class UserNotFound(NotFound):
    """No such account."""

    message = "There is no such user."

    def __init__(self) -> None:
        super().__init__(path=("user_id",))


class EmailNotFound(NotFound):
    """No such address."""

    message = "There is no such e-mail address."

    def __init__(self) -> None:
        super().__init__(path=("email_id",))


class UserExists(Conflict):
    """The id is in use, or was."""

    code = "user_exists"
    message = "A user with this id exists or has existed."


class UserIdInvalid(Invalid):
    """The nil UUID names nobody."""

    code = "user_id_invalid"
    message = "The nil UUID cannot be the id of a user."


class EmailTaken(Conflict):
    """Another account has the address, or this one has it already."""

    code = "email_taken"
    message = "The e-mail address is taken."


class UsernameTaken(Conflict):
    """Another account has the name, or one that reads like it."""

    code = "username_taken"
    message = "The user name is taken."


class EmailLimitReached(Conflict):
    """The account has as many addresses as it may have."""

    code = "email_limit_reached"
    message = "The user has as many e-mail addresses as are allowed."


class EmailIsPrimary(Conflict):
    """The primary address stays until another takes its place."""

    code = "email_is_primary"
    message = "The primary e-mail address cannot be deleted."


class EmailInvalid(Invalid):
    """The text is not exactly one mailbox."""

    code = "email_invalid"
    message = "This is no e-mail address."


class PrimaryEmailWrong(Invalid):
    """A user with addresses has exactly one primary."""

    code = "primary_email_wrong"
    message = "Exactly one of the e-mail addresses must be the primary one."


class IdentifierMissing(Invalid):
    """An account is addressed by something."""

    code = "identifier_missing"
    message = "A user needs an e-mail address or a user name."


class UsernameInvalid(Invalid):
    """A user name is made of letters, digits and underscores."""

    code = "username_invalid"
    message = "The user name is invalid."


class TextInvalid(Invalid):
    """A profile text is empty, too long, or holds control characters."""

    code = "text_invalid"
    message = "The text is empty, too long, or holds control characters."


class PictureInvalid(Invalid):
    """A picture is an address on the web."""

    code = "picture_invalid"
    message = "The picture must be an http or https URL of at most 2048 characters."
