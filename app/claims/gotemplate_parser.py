"""Reading a template into its tree."""

from app.claims.errors import TemplateSyntaxError
from app.claims.gotemplate_cursor import Cursor
from app.claims.gotemplate_expressions import Expressions
from app.claims.gotemplate_lexer import Sort, Word, words, wrong
from app.claims.gotemplate_tree import (
    Action,
    Block,
    Branch,
    Break,
    Call,
    Continue,
    Range,
    Statement,
    Templates,
    Text,
)
from app.claims.gotemplate_values import finished
from app.claims.shortcodes import shortcode

MAX_SOURCE = 4 * 1024
"""Characters that a template may have."""


def parse(source: str, *, shortcodes: bool) -> Templates:
    """Read a template; with *shortcodes* an action may be one.

    Raises:
        TemplateSyntaxError: It is none, or longer or nested deeper than we read.
    """
    if len(source) > MAX_SOURCE:
        raise TemplateSyntaxError(f"A template has at most {MAX_SOURCE} characters.")
    try:
        return _Parser(Cursor(words(finished(source), shortcodes=shortcodes))).templates()
    except RecursionError:
        raise TemplateSyntaxError("The template is nested too deeply.") from None


class _Parser:
    """Reads statements; `_loops` counts the ranges around the cursor."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self._expressions = Expressions(cursor)
        self._loops = 0
        self._templates: dict[str, Block] = {}

    def templates(self) -> Templates:
        statements: list[Statement] = []
        while (word := self._cursor.take()).sort is not Sort.END:
            if word.sort is Sort.OPEN and self._cursor.takes_keyword("define"):
                self._definition()
            else:
                statements += self._statement(word)
        self._define("", tuple(statements), word)
        return self._templates

    def _block(self) -> tuple[Block, str]:
        """Read statements up to the keyword that ends them, and give that too."""
        statements: list[Statement] = []
        while True:
            word = self._cursor.expect(Sort.TEXT, Sort.OPEN)
            for ending in ("end", "else"):
                if word.sort is Sort.OPEN and self._cursor.takes_keyword(ending):
                    return tuple(statements), ending
            statements += self._statement(word)

    def _statement(self, word: Word) -> tuple[Statement, ...]:
        if word.sort is Sort.TEXT:
            return (Text(word.text),) if word.text else ()
        match self._cursor.peek.sort:
            case Sort.KEYWORD:
                return (self._control(self._cursor.take()),)
            case Sort.SHORTCODE:
                return (self._shortcode(self._cursor.take()),)
            case _:
                return (Action(self._expressions.pipeline("an action")),)

    def _shortcode(self, word: Word) -> Statement:
        self._cursor.expect(Sort.CLOSE)
        return shortcode(word.text)

    def _control(self, word: Word) -> Statement:
        self._cursor.enter()
        known = len(self._expressions.names)
        match word.text:
            case "if" | "with":
                statement: Statement = self._branch(word)
            case "range":
                statement = self._range()
            case "template" | "block":
                return self._left(self._call(word))
            case "break" | "continue" if self._loops:
                self._cursor.expect(Sort.CLOSE)
                statement = Break() if word.text == "break" else Continue()
            case _:
                self._cursor.refuse(word)
        del self._expressions.names[known:]
        return self._left(statement)

    def _left(self, statement: Statement) -> Statement:
        self._cursor.leave()
        return statement

    def _branch(self, word: Word) -> Branch:
        pipeline = self._expressions.pipeline(word.text)
        then, ending = self._block()
        if ending == "else" and self._cursor.takes_keyword(word.text):
            otherwise: Block = (self._control(word),)
        else:
            otherwise = self._otherwise(ending)
        return Branch(pipeline, word.text == "with", then, otherwise)

    def _otherwise(self, ending: str) -> Block:
        block: Block = ()
        if ending == "else":
            self._cursor.expect(Sort.CLOSE)
            block, ending = self._block()
        if ending != "end":
            raise wrong("There is one else too many.", self._cursor.peek.start)
        self._cursor.expect(Sort.CLOSE)
        return block

    def _range(self) -> Range:
        pipeline = self._expressions.pipeline("range")
        self._loops += 1
        body, ending = self._block()
        self._loops -= 1
        return Range(pipeline, body, self._otherwise(ending))

    def _call(self, word: Word) -> Call:
        name = self._expressions.string()
        if word.text == "template" and self._cursor.peek.sort is Sort.CLOSE:
            self._cursor.take()
            return Call(name, None)
        pipeline = self._expressions.pipeline(word.text)
        if word.text == "block":
            self._define(name, self._own_block(), word)
        return Call(name, pipeline)

    def _definition(self) -> None:
        word = self._cursor.peek
        name = self._expressions.string()
        self._cursor.expect(Sort.CLOSE)
        self._define(name, self._own_block(), word)

    def _own_block(self) -> Block:
        """Read the body of a template of its own, which knows neither variables nor ranges."""
        names, loops = self._expressions.names, self._loops
        self._expressions.names, self._loops = ["$"], 0
        block, ending = self._block()
        self._expressions.names, self._loops = names, loops
        if ending != "end":
            raise wrong("There is one else too many.", self._cursor.peek.start)
        self._cursor.expect(Sort.CLOSE)
        return block

    def _define(self, name: str, block: Block, word: Word) -> None:
        if _is_blank(self._templates.get(name, ())):
            self._templates[name] = block
        elif not _is_blank(block):
            raise wrong("There is a template of this name already.", word.start)


def _is_blank(block: Block) -> bool:
    return all(isinstance(node, Text) and not node.text.strip() for node in block)
