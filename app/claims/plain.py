"""Claims that are constants and shortcodes alone, made ready once and filled in fast.

They are the common case. Of a bag nothing is read but the members that the shortcodes lead to.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from app.claims import jsontext
from app.claims.claims import FINDS_NOTHING, Omitted, Rendered, convert, only_shortcode, static
from app.claims.errors import TemplateRunError, TemplateSyntaxError
from app.claims.gotemplate import tree
from app.claims.gotemplate_values import finished
from app.claims.shortcodes import BAGS, Nothing, Shortcode
from app.strictjson import Json

_MOST = 32
_Entry = tuple[str, Json | Shortcode]


class PlainClaims:
    """Claims by name, each with its value or with the shortcode that leads to it."""

    __slots__ = ("_entries", "_readers")

    def __init__(self, entries: tuple[_Entry, ...]) -> None:
        self._entries = entries
        self._readers = {bag: reader for bag in BAGS if (reader := _Reader.of(bag, entries))}

    def fill(self, bags: Mapping[str, str]) -> Rendered | None:
        """Give the claims of a user with such bags, or None where a bag is no plain JSON object."""
        try:
            found = {bag: reader.read(bags[bag]) for bag, reader in self._readers.items()}
        except (msgspec.DecodeError, ValueError, RecursionError):
            return None
        claims, omitted = {}, []
        for name, value in self._entries:
            resolved = value.resolve(found) if isinstance(value, Shortcode) else value
            if isinstance(resolved, Nothing):
                omitted.append(Omitted(name, FINDS_NOTHING))
            else:
                claims[name] = resolved
        return Rendered(claims, tuple(omitted))


def plain_claims(claims: Mapping[str, Json]) -> PlainClaims | None:
    """Make claims ready, or give None where one of them is more than a constant or a shortcode."""
    if len(claims) > _MOST:
        return None
    try:
        return PlainClaims(tuple((name, _entry(value)) for name, value in claims.items()))
    except (_NotPlain, TemplateSyntaxError, TemplateRunError):
        return None


class _NotPlain(Exception):  # no error: the claims are filled in the long way
    """A claim is a template proper, a whole bag, or has claims within."""


class _Reader:
    """Reads of a bag the members that some shortcodes begin with."""

    __slots__ = ("_decoder", "_fields")

    def __init__(self, keys: list[str]) -> None:
        self._fields = {f"member_{n}": key for n, key in enumerate(keys)}
        absent = (msgspec.Raw | msgspec.UnsetType, msgspec.UNSET)
        members = [(field, *absent) for field in self._fields]
        shape: Any = msgspec.defstruct("Members", members, rename=self._fields)
        self._decoder = msgspec.json.Decoder(shape)

    @classmethod
    def of(cls, bag: str, entries: tuple[_Entry, ...]) -> "_Reader | None":
        """Make the reader of a bag; None where no shortcode leads into it."""
        shortcodes = [value for _, value in entries if isinstance(value, Shortcode)]
        keys = dict.fromkeys(one.keys[0] for one in shortcodes if one.bag == bag)
        return cls(list(keys)) if keys else None

    def read(self, text: str) -> dict[str, Json]:
        members = self._decoder.decode(text)
        raw = {key: getattr(members, field) for field, key in self._fields.items()}
        return {
            key: jsontext.read(bytes(value).decode())
            for key, value in raw.items()
            if value is not msgspec.UNSET
        }


def _entry(value: Json) -> Json | Shortcode:
    if isinstance(value, dict | list):
        raise _NotPlain
    if not isinstance(value, str):
        return static(value)
    if "{{" not in value:
        return convert(finished(value))
    alone = only_shortcode(tree(value, shortcodes=True))
    if alone is None or not alone.keys:
        raise _NotPlain
    return alone
