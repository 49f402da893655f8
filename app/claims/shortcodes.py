"""Shortcodes: ``{{ user.public_metadata.plan || "free" }}``, a key of a bag and a default.

They stand beside the template language and can mean nothing else in it, since no function there
is named `user`. Keys are looked up plainly: no wildcards, queries or modifiers.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from app.claims.errors import PrivateMetadataNamed, TemplateSyntaxError
from app.claims.jsontext import read
from app.strictjson import Json

BAGS = ("public_metadata", "unsafe_metadata")
"""The bags that a shortcode may name."""

START = re.compile(r"[ \t\r\n]*+user\.")
"""How an action begins that is a shortcode."""

_BLANKS = r"[ \t\r\n]*+"
_DEFAULT = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[A-Za-z0-9.+-]++'
SHORTCODE = re.compile(
    rf"{_BLANKS}user((?:\.[A-Za-z0-9_-]++)++)(?:{_BLANKS}\|\|{_BLANKS}({_DEFAULT}))?+", re.DOTALL
)
"""A shortcode as a whole; what follows it can only be the end of the action."""

_INDEX = re.compile("0|[1-9][0-9]{0,8}")


class Nothing(Enum):
    """The type of `NOTHING`."""

    NOTHING = "nothing"


NOTHING: Final = Nothing.NOTHING
"""What a shortcode gives that finds nothing and has no default."""


@dataclass(frozen=True, slots=True)
class Shortcode:
    """A bag, the keys that lead into it, and what to take where they lead to nothing."""

    bag: str
    keys: tuple[str, ...]
    default: Json | Nothing

    def resolve(self, bags: Mapping[str, Json]) -> Json | Nothing:
        """Look the shortcode up in the bags; null counts as nothing, and so does an empty bag."""
        value = bags.get(self.bag) or None
        for key in self.keys:
            value = _child(value, key)
        return self.default if value is None else value


def shortcode(written: str) -> Shortcode:
    """Read what `SHORTCODE` matched.

    Raises:
        PrivateMetadataNamed: It names the private bag.
        TemplateSyntaxError: It names no bag, or its default is no literal.
    """
    found = SHORTCODE.fullmatch(written)
    if found is None:
        raise TemplateSyntaxError("A shortcode cannot be read.")
    bag, *keys = found[1].removeprefix(".").split(".")
    if bag == "private_metadata":
        raise PrivateMetadataNamed
    if bag not in BAGS:
        raise TemplateSyntaxError(f"A shortcode knows {' and '.join(BAGS)}, not {bag!r}.")
    return Shortcode(bag, tuple(keys), NOTHING if found[2] is None else _default(found[2]))


def _default(literal: str) -> Json:
    try:
        value = read(literal)
    except ValueError:
        raise TemplateSyntaxError("The default of a shortcode is no JSON literal.") from None
    if value is None:
        raise TemplateSyntaxError("The default of a shortcode cannot be null.")
    return value


def _child(value: Json, key: str) -> Json:
    if isinstance(value, dict):
        return value.get(key)
    if isinstance(value, list) and _INDEX.fullmatch(key) and int(key) < len(value):
        return value[int(key)]
    return None
