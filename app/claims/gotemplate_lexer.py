"""The words of a template: its text, and what stands in its actions."""

import re
from collections.abc import Iterator
from enum import Enum, auto
from typing import NamedTuple

from app.claims.errors import TemplateSyntaxError
from app.claims.shortcodes import SHORTCODE, START

BLANKS = " \t\r\n"
KEYWORDS = frozenset(
    ("block", "break", "continue", "define", "else", "end", "if", "range", "template", "with")
)


class Sort(Enum):
    """What a word is."""

    TEXT = auto()
    SHORTCODE = auto()
    OPEN = auto()
    CLOSE = auto()
    END = auto()
    KEYWORD = auto()
    NAME = auto()
    VARIABLE = auto()
    FIELD = auto()
    DOT = auto()
    NIL = auto()
    BOOL = auto()
    NUMBER = auto()
    CHARACTER = auto()
    STRING = auto()
    DECLARE = auto()
    ASSIGN = auto()
    COMMA = auto()
    PIPE = auto()
    LEFT = auto()
    RIGHT = auto()


class Word(NamedTuple):
    """A word, where it begins, and whether blanks stand before it."""

    sort: Sort
    text: str
    start: int
    spaced: bool = False


def words(source: str, *, shortcodes: bool) -> Iterator[Word]:
    """Take a template apart; with *shortcodes* an action may be one.

    Raises:
        TemplateSyntaxError: It holds something that is no word of the language.
    """
    return _Lexer(source, shortcodes=shortcodes).words()


def wrong(message: str, start: int) -> TemplateSyntaxError:
    """Make the error for something wrong at a place of the template."""
    return TemplateSyntaxError(f"At character {start + 1}: {message}")


_OPENING = re.compile(r"\{\{(-[ \t\r\n])?+(/\*)?+")
_COMMENT_END = re.compile(r"([ \t\r\n]-)?\}\}")
_WORD = re.compile(
    r"(?P<CLOSE>[ \t\r\n]++-\}\}|[ \t\r\n]*+\}\})"
    r"|(?P<blanks>[ \t\r\n]++)"
    r"|(?P<NUMBER>[+-][\w.+-]*+|\.?[0-9][\w.+-]*+)"
    r"|(?P<FIELD>\.\w++)|(?P<DOT>\.)|(?P<VARIABLE>\$\w*+)|(?P<NAME>\w++)"
    r"""|(?P<STRING>"[^"\\\n]*+(?:\\[^\n][^"\\\n]*+)*+"|`[^`]*+`)"""
    r"|(?P<CHARACTER>'[^'\\\n]*+(?:\\[^\n][^'\\\n]*+)*+')"
    r"|(?P<DECLARE>:=)|(?P<ASSIGN>=)|(?P<COMMA>,)|(?P<PIPE>\|)|(?P<LEFT>\()|(?P<RIGHT>\))"
)
_NAMING = frozenset((Sort.FIELD, Sort.DOT, Sort.VARIABLE, Sort.NAME))
_BEHIND_A_NAME = re.compile(r"[ \t\r\n.,|:()]|\}\}")
_RESERVED = dict.fromkeys(KEYWORDS, Sort.KEYWORD) | {
    "nil": Sort.NIL,
    "true": Sort.BOOL,
    "false": Sort.BOOL,
}


class _Lexer:
    def __init__(self, source: str, *, shortcodes: bool) -> None:
        self._source = source
        self._shortcodes = shortcodes
        self._position = 0
        self._trims = False

    def words(self) -> Iterator[Word]:
        while opening := _OPENING.search(self._source, self._position):
            yield self._text(opening.start(), trims_end=bool(opening[1]))
            self._position = opening.end()
            if opening[2]:
                self._comment()
            else:
                yield Word(Sort.OPEN, "{{", opening.start())
                yield from self._action()
        yield self._text(len(self._source), trims_end=False)
        yield Word(Sort.END, "", len(self._source))

    def _text(self, end: int, *, trims_end: bool) -> Word:
        text = self._source[self._position : end]
        text = text.lstrip(BLANKS) if self._trims else text
        return Word(Sort.TEXT, text.rstrip(BLANKS) if trims_end else text, self._position)

    def _comment(self) -> None:
        end = self._source.find("*/", self._position)
        closing = _COMMENT_END.match(self._source, end + 2) if end >= 0 else None
        if closing is None:
            raise wrong("A comment does not end where its action does.", self._position)
        self._end_action(closing.end(), trims=bool(closing[1]))

    def _action(self) -> Iterator[Word]:
        if self._shortcodes and START.match(self._source, self._position):
            yield self._shortcode()
        word = self._word()
        while word.sort is not Sort.CLOSE:
            yield word
            word = self._word()
        yield word

    def _shortcode(self) -> Word:
        found = SHORTCODE.match(self._source, self._position)
        if found is None:
            raise wrong("A shortcode cannot be read.", self._position)
        self._position = found.end()
        return Word(Sort.SHORTCODE, found[0], found.start())

    def _word(self) -> Word:
        found, is_spaced = _WORD.match(self._source, self._position), False
        if found and found.lastgroup == "blanks":
            found, is_spaced = _WORD.match(self._source, found.end()), True
        if found is None or found.lastgroup is None:
            raise self._unreadable()
        sort = Sort[found.lastgroup]
        self._position = found.end()
        if sort is Sort.CLOSE:
            self._end_action(found.end(), trims="-" in found[0])
        if sort in _NAMING:
            sort = self._named(sort, found)
        return Word(sort, found[0], found.start(), is_spaced)

    def _named(self, sort: Sort, found: re.Match[str]) -> Sort:
        is_plain = found[0].isascii() or all(_is_letter(c) for c in found[0].lstrip(".$"))
        if not is_plain or not _BEHIND_A_NAME.match(self._source, found.end()):
            raise wrong(f"A name ends in an unexpected way: {found[0]}.", found.start())
        return _RESERVED.get(found[0], sort)

    def _end_action(self, position: int, *, trims: bool) -> None:
        self._position = position
        self._trims = trims

    def _unreadable(self) -> TemplateSyntaxError:
        if self._source.find("}}", self._position) < 0:
            return wrong("An action is never closed.", self._position)
        return wrong("Something here is no word of the language.", self._position)


def _is_letter(character: str) -> bool:
    return character == "_" or character.isalpha() or character.isdecimal()
