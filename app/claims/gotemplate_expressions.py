"""Reading pipelines: commands, their operands, and the variables that a result goes to."""

from app.claims.gotemplate_cursor import Cursor
from app.claims.gotemplate_functions import FUNCTIONS, LAZY
from app.claims.gotemplate_lexer import Sort, Word, wrong
from app.claims.gotemplate_literals import TOO_LARGE, character, number, unquote
from app.claims.gotemplate_tree import (
    Command,
    Dot,
    Function,
    Literal,
    Lookup,
    Nil,
    Operand,
    Pipeline,
    TooLargeNumber,
    Variable,
)

_OPERANDS = frozenset(
    (
        *(Sort.NAME, Sort.VARIABLE, Sort.FIELD, Sort.DOT, Sort.NIL, Sort.BOOL),
        *(Sort.NUMBER, Sort.CHARACTER, Sort.STRING, Sort.LEFT),
    )
)
_BEHIND_A_VARIABLE = frozenset((Sort.DECLARE, Sort.ASSIGN, Sort.COMMA))


class Expressions:
    """Reads pipelines; `names` are the variables known where the cursor stands."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self.names = ["$"]

    def pipeline(self, place: str, end: Sort = Sort.CLOSE) -> Pipeline:
        """Read a pipeline and the word that ends it.

        Raises:
            TemplateSyntaxError: There is none.
        """
        start = self._cursor.peek.start
        variables, assigns = self._variables(place)
        commands: list[Command] = []
        while self._cursor.peek.sort in _OPERANDS:
            commands.append(self._command(is_first=not commands))
            if self._cursor.peek.sort is not Sort.PIPE:
                break
            self._cursor.take()
        self._cursor.expect(end)
        if not commands:
            raise wrong(f"A value is missing: {place}.", start)
        return Pipeline(variables, assigns, tuple(commands))

    def string(self) -> str:
        """Read a string literal.

        Raises:
            TemplateSyntaxError: There is none.
        """
        return _text(self._cursor.expect(Sort.STRING))

    def _variables(self, place: str) -> tuple[tuple[str, ...], bool]:
        cursor, found = self._cursor, list[str]()
        while cursor.peek.sort is Sort.VARIABLE and cursor.after.sort in _BEHIND_A_VARIABLE:
            found.append(cursor.take().text)
            self.names.append(found[-1])
            sign = cursor.take()
            if sign.sort is not Sort.COMMA:
                return tuple(found), sign.sort is Sort.ASSIGN
            if place != "range" or len(found) > 1:
                raise wrong("There are too many variables.", sign.start)
            if cursor.peek.sort not in (Sort.VARIABLE, Sort.CLOSE):
                cursor.refuse(cursor.peek)
        return tuple(found), False

    def _command(self, *, is_first: bool) -> Command:
        start = self._cursor.peek.start
        operands = [self._operand()]
        if not is_first and not _is_callable(operands[0]):
            raise wrong("This cannot take what the pipe hands on.", start)
        while self._cursor.peek.spaced and self._cursor.peek.sort in _OPERANDS:
            operands.append(self._operand())
        return tuple(operands)

    def _operand(self) -> Operand:
        word = self._cursor.take()
        term = self._term(word)
        names: list[str] = []
        while self._cursor.peek.sort is Sort.FIELD and not self._cursor.peek.spaced:
            names.append(self._cursor.take().text[1:])
        if not names:
            return term
        match term:
            case Function():
                return Lookup(term, tuple(names))
            case Lookup(base, before) if before or not isinstance(base, Dot):
                return Lookup(base, (*before, *names))
            case _:
                raise wrong("A field cannot be taken of this.", word.start)

    def _term(self, word: Word) -> Operand:
        match word.sort:
            case Sort.NAME if word.text in FUNCTIONS or word.text in LAZY:
                return Function(word.text)
            case Sort.VARIABLE if word.text in self.names:
                return Lookup(Variable(word.text))
            case Sort.NAME | Sort.VARIABLE:
                raise wrong(f"There is no {word.text}.", word.start)
            case Sort.FIELD:
                return Lookup(Dot(), (word.text[1:],))
            case Sort.DOT:
                return Lookup(Dot())
            case Sort.LEFT:
                return self._parenthesised()
            case _:
                return _literal(word)

    def _parenthesised(self) -> Lookup:
        self._cursor.enter()
        inner = self.pipeline("parentheses", Sort.RIGHT)
        self._cursor.leave()
        return Lookup(inner)


def _is_callable(operand: Operand) -> bool:
    return isinstance(operand, Function) or (
        isinstance(operand, Lookup) and operand != Lookup(Dot())
    )


def _literal(word: Word) -> Operand:
    match word.sort:
        case Sort.NIL:
            return Nil()
        case Sort.BOOL:
            return Literal(word.text == "true")
        case Sort.STRING:
            return Literal(_text(word))
        case _:
            return _number(word)


def _text(word: Word) -> str:
    try:
        return unquote(word.text)
    except ValueError:
        raise wrong("A string has an unknown escape.", word.start) from None


def _number(word: Word) -> Operand:
    try:
        is_character = word.sort is Sort.CHARACTER
        value = character(word.text) if is_character else number(word.text)
    except ValueError:
        raise wrong(f"{word.text} is no number.", word.start) from None
    return TooLargeNumber() if value is TOO_LARGE else Literal(value)
