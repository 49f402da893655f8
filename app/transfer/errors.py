"""Why a file, or an entry of one, cannot be imported."""

from app.errors import IdentityError


class FileRefused(IdentityError):
    """The file as a whole cannot be used; the message says why."""

    code = "import_file_refused"
    message = "The file cannot be imported."


class EntryInvalid(IdentityError):
    """An entry does not say what a user is made of, or breaks a rule."""

    code = "entry_invalid"
    message = "The entry cannot be read."


class EntryTaken(IdentityError):
    """Something that there may be once is another user's, or stands in the file twice."""

    code = "entry_taken"
    message = "Something of the entry is another user's."
