"""`printf`: a format taken apart into text and directives.

A directive that does not fit its argument never fails; what is wrong with it goes into the text.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from app.claims.errors import TemplateRunError
from app.claims.gjson_text import Work
from app.claims.gotemplate_format import Directive
from app.claims.gotemplate_printing import Printer, type_name
from app.claims.gotemplate_values import Value


def sprintf(template: str, arguments: Sequence[Value], work: Work) -> str:
    """Print values as the directives of a format ask.

    Raises:
        TemplateRunError: The text becomes too long.
    """
    return _Format(template, arguments, work).text()


class _Format:
    """Goes through a format once; `_next` is the argument that the next directive takes."""

    def __init__(self, template: str, arguments: Sequence[Value], work: Work) -> None:
        self._template = template
        self._arguments = arguments
        self._work = work
        self._printer = Printer(work)
        self._at = 0
        self._next = 0
        self._is_good = True
        self._is_reordered = False

    def text(self) -> str:
        while (percent := self._template.find("%", self._at)) >= 0:
            self._printer.write(self._template[self._at : percent])
            self._at = percent + 1
            self._work.spend(_DIRECTIVE)
            self._directive()
        self._printer.write(self._template[self._at :])
        if not self._is_reordered:
            self._write_extra()
        return self._printer.text()

    def _directive(self) -> None:
        self._is_good = True
        flags = {_FLAG_NAMES[flag]: True for flag in self._match(_FLAGS)}
        is_indexed = self._index()
        directive, is_indexed = self._width(Directive("", **flags), is_indexed=is_indexed)
        if self._match(_POINT):
            self._is_good &= not is_indexed
            directive, is_indexed = self._precision(directive, is_indexed=self._index())
        if not is_indexed:
            self._index()
        verb = self._template[self._at : self._at + 1]
        self._at += 1
        self._write(verb, directive)

    def _match(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._template, self._at)
        self._at = found.end() if found else self._at
        return found[0] if found else ""

    def _index(self) -> bool:
        """Read the number of an argument in brackets and say whether there is one."""
        index = self._match(_INDEX)
        if not index:
            return False
        self._is_reordered = True
        is_number = index.endswith("]") and _is_digits(index[1:-1])
        position = _size(index[1:-1]) - 1 if is_number else -1
        if position in range(len(self._arguments)):
            self._next = position
        else:
            self._is_good = False
        return is_number

    def _width(self, directive: Directive, *, is_indexed: bool) -> tuple[Directive, bool]:
        if self._match(_STAR):
            width = self._size_argument()
            if width is None:
                self._printer.write("%!(BADWIDTH)")
            elif width < 0:
                directive = replace(directive, width=-width, minus=True)
            else:
                directive = replace(directive, width=width)
            return directive, False
        if digits := self._match(_DIGITS):
            self._is_good &= not is_indexed
            directive = replace(directive, width=_size(digits))
        return directive, is_indexed

    def _precision(self, directive: Directive, *, is_indexed: bool) -> tuple[Directive, bool]:
        if not self._match(_STAR):
            precision = _size(self._match(_DIGITS) or "0")
            return replace(directive, precision=precision), is_indexed
        given = self._size_argument()
        if given is None or given < 0:
            self._printer.write("%!(BADPREC)")
            return directive, False
        return replace(directive, precision=given), False

    def _size_argument(self) -> int | None:
        if self._next >= len(self._arguments):
            return None
        value = self._arguments[self._next]
        self._next += 1
        if not isinstance(value, int) or isinstance(value, bool) or abs(value) > _MAX_SIZE:
            return None
        return int(value)

    def _write(self, verb: str, directive: Directive) -> None:
        if not verb:
            self._printer.write("%!(NOVERB)")
        elif verb == "%":
            self._printer.write("%")
        elif not self._is_good:
            self._printer.write(f"%!{verb}(BADINDEX)")
        elif self._next >= len(self._arguments):
            self._printer.write(f"%!{verb}(MISSING)")
        else:
            self._printer.value(self._arguments[self._next], _with_verb(directive, verb))
            self._next += 1

    def _write_extra(self) -> None:
        for position, value in enumerate(self._arguments[self._next :]):
            name = type_name(value)
            self._printer.write(", " if position else "%!(EXTRA ")
            self._printer.write("" if name == "<nil>" else f"{name}=")
            self._printer.value(value)
        self._printer.write(")" if self._arguments[self._next :] else "")


_DIRECTIVE = 16
"""Units of work for one directive, apart from what it prints."""

_FLAG_NAMES = {"+": "plus", "-": "minus", "#": "sharp", " ": "space", "0": "zero"}
_FLAGS, _POINT, _STAR = re.compile("[-+# 0]*+"), re.compile(r"\."), re.compile(r"\*")
_DIGITS = re.compile("[0-9]++")
_INDEX = re.compile(r"\[(?:[^\]]*+\])?+")
_MAX_SIZE, _MAX_SIZE_DIGITS = 1_000_000, 7


def _is_digits(text: str) -> bool:
    return bool(_DIGITS.fullmatch(text))


def _size(digits: str) -> int:
    if len(digits) > _MAX_SIZE_DIGITS:
        raise TemplateRunError("A format holds too great a number.")
    return int(digits)


def _with_verb(directive: Directive, verb: str) -> Directive:
    if verb != "v":
        return replace(directive, verb=verb)
    # For `v` these two flags ask for other things: source code, and the names of fields.
    is_go = directive.sharp
    return replace(directive, verb=verb, sharp=False, plus=False, in_go_syntax=is_go)
