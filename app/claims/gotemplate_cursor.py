"""Going through the words of a template once."""

from collections.abc import Iterable
from typing import NoReturn

from app.claims.gotemplate_lexer import Sort, Word, wrong

MAX_NESTING = 64
"""Control structures and parentheses that may stand inside one another."""


class Cursor:
    """The words still to be read, and how deep inside one another structures stand here."""

    def __init__(self, words: Iterable[Word]) -> None:
        self._words = list(words)
        self._next = 0
        self._nesting = 0

    @property
    def peek(self) -> Word:
        """The next word."""
        return self._words[self._next]

    @property
    def after(self) -> Word:
        """The word behind the next one."""
        return self._words[min(self._next + 1, len(self._words) - 1)]

    def take(self) -> Word:
        """Go past the next word and give it."""
        word = self._words[self._next]
        self._next += 1
        return word

    def expect(self, *sorts: Sort) -> Word:
        """Go past the next word and give it.

        Raises:
            TemplateSyntaxError: It is of another sort.
        """
        if self.peek.sort not in sorts:
            self.refuse(self.peek)
        return self.take()

    def takes_keyword(self, text: str) -> bool:
        """Go past a keyword, if it is the next word."""
        is_next = self.peek.sort is Sort.KEYWORD and self.peek.text == text
        self._next += is_next
        return is_next

    def refuse(self, word: Word) -> NoReturn:
        """Say that a word stands where it cannot.

        Raises:
            TemplateSyntaxError: Always.
        """
        if word.sort is Sort.END:
            raise wrong("The template ends too early.", word.start)
        raise wrong(f"{word.text.strip()} is not expected here.", word.start)

    def enter(self) -> None:
        """Begin a structure inside another.

        Raises:
            TemplateSyntaxError: Too many are under way.
        """
        self._nesting += 1
        if self._nesting > MAX_NESTING:
            raise wrong("The template is nested too deeply.", self.peek.start)

    def leave(self) -> None:
        """End the structure begun last."""
        self._nesting -= 1
