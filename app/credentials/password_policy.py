"""Which passwords may be chosen (SEC-035, SEC-036). Pure.

Length and likeness to what everybody tries decide, and nothing else: no rule asks for digits or
signs, and no password grows old.
"""

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

from app.credentials.errors import (
    PasswordGuessable,
    PasswordTooCommon,
    PasswordTooLong,
    PasswordTooShort,
    PasswordUnreadable,
)
from app.credentials.password_text import MAX_BYTES, normalised, received

SHORTEST = 8
"""No deployment accepts fewer characters, so shorter ones need no place on the blocklist."""

_MOST_ORNAMENTS = 8


@dataclass(frozen=True, slots=True)
class PasswordPolicy:
    """The rules a new password obeys."""

    min_length: int
    service_name: str

    def check_length(self, password: str) -> str:
        """Judge a password by its length, and give it in the form that is hashed.

        Raises:
            PasswordTooLong, PasswordTooShort, PasswordUnreadable: It breaks a rule.
        """
        if received(password) is None:
            too_long = len(password.encode(errors="replace")) > MAX_BYTES
            raise (PasswordTooLong if too_long else PasswordUnreadable)(self.min_length)
        text = normalised(password)
        if len(text) < self.min_length:
            sentence = f"A password has at least {self.min_length} characters."
            raise PasswordTooShort(self.min_length, sentence)
        return text

    def check_likeness(self, password: str, identifiers: Iterable[str]) -> None:
        """Judge a password by what others, or this user, would be guessed to have.

        Args:
            password: In the form that is hashed.
            identifiers: The user's addresses and user name.

        Raises:
            PasswordTooCommon, PasswordGuessable: It breaks a rule.
        """
        if _folded(password) in common_passwords():
            raise PasswordTooCommon(self.min_length)
        if any(_is_made_of(password, word) for word in self._words(identifiers)):
            raise PasswordGuessable(self.min_length)

    def _words(self, identifiers: Iterable[str]) -> Iterator[str]:
        yield self.service_name
        for identifier in identifiers:
            yield identifier
            yield identifier.rpartition("@")[0]


@cache
def common_passwords() -> frozenset[str]:
    """Give the blocklist: more than 11,000 of the most common passwords of eight characters up.

    The list comes with a library that is read when the first password is chosen, since it takes
    its time to load.
    """
    from zxcvbn.frequency_lists import FREQUENCY_LISTS  # noqa: PLC0415

    listed = (_folded(password) for password in FREQUENCY_LISTS["passwords"])
    return frozenset(password for password in listed if len(password) >= SHORTEST)


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _is_made_of(password: str, word: str) -> bool:
    """Say whether a password is a word, however spelled, with at most a few digits and signs."""
    folded, wanted = _folded(password), _folded(word)
    if folded == wanted:
        return True
    letters = _letters(folded)
    ornaments = len(folded) - len(letters)
    return bool(letters) and letters == _letters(wanted) and ornaments <= _MOST_ORNAMENTS


def _letters(text: str) -> str:
    return "".join(c for c in text if c.isalpha())
