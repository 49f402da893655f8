"""Indented JSON, as `@pretty` writes it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from app.claims.gjson_text import STRING, Type, Value

_SHORTEST_LINE = 3
_LAYING_OUT = 4
"""Units of work for one value, apart from finding it."""

_TOKEN = re.compile(rf'{STRING}|[^\x00-\x20",{{]++|[,{{]', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Layout:
    """How JSON is laid out; an array without objects that fits `width` stays on one line."""

    indent: str = "  "
    prefix: str = ""
    width: float = 80
    sort_keys: bool = False


def pretty(value: Value, layout: Layout) -> str:
    """Write a value over several lines, the last one ended as well; nothing for no value."""
    return _Page(value, layout).text() if value.exists else ""


class _Page:
    """The text written so far and what is still to be written, the next thing last.

    A list of things to do, rather than recursion, lets any document through that may be read.
    """

    def __init__(self, value: Value, layout: Layout) -> None:
        self._layout = layout
        self._work = value.source.work
        self._parts: list[str] = []
        self._column = 0
        self._todo: list[str | tuple[Value, int]] = [(value, 0), layout.prefix]

    def text(self) -> str:
        while self._todo:
            task = self._todo.pop()
            if isinstance(task, str):
                self._write(task)
            else:
                self._todo += reversed(list(self._laid_out(*task)))
        return "".join([*self._parts, "\n"])

    def _write(self, text: str) -> None:
        self._parts.append(text)
        # The line's own break counts as its first character.
        _, line_break, line = text.rpartition("\n")
        self._column = len(line) + 1 if line_break else self._column + len(text)

    def _laid_out(self, value: Value, level: int) -> Iterator[str | tuple[Value, int]]:
        self._work.spend(_LAYING_OUT)
        if value.type is not Type.JSON:
            yield value.raw
        elif value.is_array and (line := self._on_one_line(value)):
            yield line
        else:
            yield from self._over_lines(value, level)

    def _over_lines(self, value: Value, level: int) -> Iterator[str | tuple[Value, int]]:
        start, stop = "[]" if value.is_array else "{}"
        separator = ""
        yield start
        for key, child in self._children(value):
            yield separator + self._line_break(level + 1) + key
            yield child, level + 1
            separator = ","
        yield self._line_break(level) + stop if separator else stop

    def _children(self, value: Value) -> Iterator[tuple[str, Value]]:
        if value.is_array:
            return (("", element) for element in value.elements())
        members = value.members()
        if self._layout.sort_keys:
            members = iter(sorted(members, key=lambda member: member[0].string()))
        return ((f"{key.raw}: ", member) for key, member in members)

    def _line_break(self, level: int) -> str:
        # An indent of the path's own choosing, repeated at each level, must not pile up unpaid.
        self._work.copy(len(self._layout.prefix) + len(self._layout.indent) * level)
        return f"\n{self._layout.prefix}{self._layout.indent * level}"

    def _on_one_line(self, value: Value) -> str | None:
        room = self._layout.width - self._column
        if room <= _SHORTEST_LINE:
            return None
        parts: list[str] = []
        for token in _TOKEN.finditer(value.source.text, value.start, value.end):
            self._work.spend(1)
            room -= token.end() - token.start() + (token[0] == ",")
            if token[0] == "{" or room < 0:
                return None
            parts.append(", " if token[0] == "," else token[0])
        return "".join(parts)
