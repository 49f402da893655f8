"""Makes our file of what Firebase's own command exports (`firebase auth:export users.json`).

Its users keep their address, name, times and password; the id that they had goes into the private
bag, since ours are UUIDs. Sign-in at providers comes back when they sign in there.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from app.clock import STORABLE_YEARS
from app.credentials.errors import PasswordHashTooCostly
from app.credentials.password_formats import parse
from app.errors import IdentityError
from app.ids import new_id
from app.transfer.errors import EntryInvalid, FileRefused
from app.transfer.reading import MAX_ENTRY, Entry, Reading, Source
from app.transfer.records import (
    FORMAT,
    VERSION,
    EmailRecord,
    Header,
    PasswordRecord,
    UserRecord,
)

_HEAD = re.compile(rb'\s*\{\s*"users"\s*:\s*(?=\[)')
_MOST_HEAD = 1024
_CHUNK = 64 * 1024
_TO_PLAIN = str.maketrans("-_", "+/")
_encoder = msgspec.json.Encoder()


class HashParameters(msgspec.Struct, frozen=True):
    """How a project's passwords are hashed, as Firebase's console shows it."""

    algorithm: str
    base64_signer_key: str
    base64_salt_separator: str
    rounds: int
    mem_cost: int

    @classmethod
    def of(cls, content: bytes) -> "HashParameters":
        """Read them from JSON.

        Raises:
            FileRefused: They are not all there, or of another algorithm.
        """
        try:
            found = msgspec.json.decode(content, type=cls)
        except msgspec.MsgspecError as error:
            raise FileRefused(f"The hash parameters cannot be read: {error}.") from None
        if found.algorithm.upper() != "SCRYPT":
            raise FileRefused("The hash parameters must be those of the algorithm SCRYPT.")
        return found

    def hash_of(self, salt: str, digest: str) -> str:
        """Write a user's hash as one text that has all it takes to check it."""
        cost = f"n={self.mem_cost},r={self.rounds},p=1"
        key, separator = _plain(self.base64_signer_key), _plain(self.base64_salt_separator)
        return f"$fbscrypt$v=1,{cost},ss={separator},sk={key}${_plain(salt)}${_plain(digest)}"


class FirebaseUser(msgspec.Struct, frozen=True, rename="camel"):
    """A user as Firebase exports them, as far as it is used; times are milliseconds in a text."""

    local_id: str
    email: str = ""
    email_verified: bool = False
    password_hash: str = ""
    salt: str = ""
    display_name: str = ""
    created_at: str = ""
    last_signed_in_at: str = ""
    last_login_at: str = ""
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A user who is not in the file that was made.

    Attributes:
        entry: Their place in the export; the first has the number 1.
        firebase_id: Their id there, as far as it can be read.
        message: Why.
    """

    entry: int
    firebase_id: str
    message: str


class Conversion:
    """One export that is being converted, a user at a time.

    Args:
        source: The export.
        hashes: How its passwords are hashed.
        on_left_out: Is told of each user who cannot be converted.

    Raises:
        FileRefused: It is no export of Firebase's.
    """

    def __init__(
        self,
        source: Source,
        hashes: HashParameters,
        on_left_out: Callable[[LeftOut], None],
    ) -> None:
        self._reading = Reading(_Users(source))
        self._hashes = hashes
        self._on_left_out = on_left_out
        self.converted = self.left_out = 0

    @property
    def bytes_read(self) -> int:
        """How much of the export has been read."""
        return self._reading.bytes_read

    def lines(self) -> Iterator[bytes]:
        """Write our file, line by line.

        Raises:
            FileRefused: Where an entry ends cannot be told, or it is too long.
        """
        yield _encoder.encode(Header(format=FORMAT, version=VERSION)) + b"\n"
        for entry in self._reading.entries():
            line = self._line(entry)
            if line is not None:
                yield line

    def _line(self, entry: Entry) -> bytes | None:
        try:
            user = msgspec.json.decode(entry.raw, type=FirebaseUser)
        except msgspec.MsgspecError as error:
            self._leave_out(entry, "", str(error))
            return None
        try:
            line = _encoder.encode(_record_of(user, self._hashes)) + b"\n"
        except IdentityError as error:
            self._leave_out(entry, user.local_id, error.message)
            return None
        self.converted += 1
        return line

    def _leave_out(self, entry: Entry, firebase_id: str, message: str) -> None:
        self.left_out += 1
        self._on_left_out(LeftOut(entry.number, firebase_id, message))


def _record_of(user: FirebaseUser, hashes: HashParameters) -> UserRecord:
    """Write a user as our file has them.

    Raises:
        EntryInvalid: They could not sign in here, or must not.
        PasswordHashInvalid, PasswordHashTooCostly: Their password could never be checked.
    """
    if user.disabled:
        raise EntryInvalid("The user is disabled in Firebase.")
    if not user.email:
        raise EntryInvalid("The user has no e-mail address.")
    created_at = _moment(user.created_at)
    seen_at = _moment(user.last_signed_in_at or user.last_login_at)
    email = EmailRecord(
        address=user.email, is_primary=True, is_verified=user.email_verified, created_at=created_at
    )
    return UserRecord(
        id=new_id(),
        name=user.display_name or None,
        created_at=created_at,
        updated_at=seen_at or created_at,
        last_sign_in_at=seen_at,
        emails=(email,),
        password=_password(user, hashes),
        private_metadata=msgspec.Raw(_encoder.encode({"firebaseId": user.local_id})),
    )


def _password(user: FirebaseUser, hashes: HashParameters) -> PasswordRecord | None:
    if not user.password_hash:
        return None
    text = hashes.hash_of(user.salt, user.password_hash)
    if parse(text).is_costly:
        raise PasswordHashTooCostly
    return PasswordRecord(hash=text)


def _moment(milliseconds: str) -> datetime | None:
    if not milliseconds:
        return None
    try:
        found = datetime.fromtimestamp(int(milliseconds) / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        raise EntryInvalid("A time of the user cannot be read.") from None
    if found.year not in STORABLE_YEARS:
        raise EntryInvalid("A time of the user cannot be read.")
    return found


def _plain(base64: str) -> str:
    """Write base64 in its plain alphabet; Firebase's interfaces use either."""
    return base64.translate(_TO_PLAIN)


class _Users:
    """The array of users in Firebase's object, read as a file of its own."""

    def __init__(self, source: Source) -> None:
        self._source = source
        head = b""
        while (found := _HEAD.match(head)) is None:
            chunk = source.read(_CHUNK)
            if not chunk or len(head) > _MOST_HEAD:
                raise FileRefused("The file is no export of Firebase's users.")
            head += chunk
        self._held = head[found.end() :]
        self._is_whole = False

    def read(self, size: int, /) -> bytes:
        """Give what comes next, and hold back the last brace: it may close the object."""
        while not self._is_whole:
            end = self._held.rfind(b"}")
            if end > 0:
                given, self._held = self._held[:end], self._held[end:]
                return given
            if len(self._held) > MAX_ENTRY:
                raise FileRefused(f"An entry is longer than {MAX_ENTRY} bytes.")
            chunk = self._source.read(size)
            self._held += chunk
            self._is_whole = not chunk
        given, self._held = self._held, b""
        return given.removeprefix(b"}")
