"""Custom claims: what a deployment configures, filled in for one user.

Every string of the configured claims is a template of its own, whose output may turn into a bool,
an object or an array; everything else is taken as it is. A claim that fails is left out, and the
others go on. The claims that the product itself sets can never be set here (SEC-010).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Any

import msgspec

from app import strictjson
from app.claims import jsontext
from app.claims.context import bags_of, user_context
from app.claims.errors import ClaimReserved, TemplateRunError, TemplateSyntaxError, TooMuchWork
from app.claims.gjson import get
from app.claims.gjson_text import Refused
from app.claims.gotemplate import tree
from app.claims.gotemplate_runner import MAX_WORK, allowance, run
from app.claims.gotemplate_tree import Templates, Text
from app.claims.gotemplate_values import Object, finished
from app.claims.shortcodes import NOTHING, Nothing, Shortcode
from app.strictjson import Json

RESERVED = frozenset(
    (
        *("sub", "iat", "exp", "nbf", "aud", "iss", "jti"),
        *("session_id", "metadata_version", "email", "username", "amr"),
        *("typ", "token_type"),
    )
)
"""Claims that no template and no bag can set or alter."""

MAX_SOURCES = 6 * 1024
"""Characters that all the templates of the claims may have together."""

FINDS_NOTHING = "There is no value for this claim."
_IS_TOO_LARGE = "There is no room for this claim."


@dataclass(frozen=True, slots=True)
class Omitted:
    """A claim that was left out, and why; nothing of the user's data stands in the reason."""

    claim: str
    reason: str


@dataclass(frozen=True, slots=True)
class Rendered:
    """The claims of one user.

    Numbers that came out of metadata are as `strictjson` reads them: an int, or `msgspec.Raw`
    where only its own text says all of it.
    """

    claims: dict[str, Any]
    omitted: tuple[Omitted, ...]

    @property
    def size(self) -> int:
        """The bytes of the claims as compact JSON."""
        return len(strictjson.encode_bytes(self.claims))

    def within(self, budget: int, first: frozenset[str] = frozenset()) -> "Rendered":
        """Leave out claims until the rest fits into that many bytes.

        What there is room for once the largest have gone is put back, in the opposite order.

        Args:
            budget: How many bytes there are.
            first: Claims that go before any other goes; of those alike the largest goes first.
        """
        excess = self.size - budget
        if excess <= 0:
            return self
        frame = len("{}") - len(",")
        costs = {
            name: Rendered({name: item}, ()).size - frame for name, item in self.claims.items()
        }
        dropped: list[str] = []
        for name in sorted(costs, key=lambda one: (one in first, costs[one]), reverse=True):
            if excess <= 0:
                break
            dropped.append(name)
            excess -= costs[name]
        for name in reversed(dropped[:]):
            if excess + costs[name] <= 0:
                dropped.remove(name)
                excess += costs[name]
        kept = {name: value for name, value in self.claims.items() if name not in dropped}
        return Rendered(kept, (*self.omitted, *(Omitted(name, _IS_TOO_LARGE) for name in dropped)))


def render_claims(claims: Mapping[str, Json], user: Mapping[str, Any]) -> Rendered:
    """Fill in the configured claims for a user, in the form that `user_context` takes.

    All the claims together may do the work of one template (SEC-124). Each has its share, so that
    none depends on what another costs: a user who writes much into one starves no other.
    """
    rendering = _Rendering(user)
    share = MAX_WORK // max(len(claims), 1)
    found = {name: rendering.claim(name, value, share) for name, value in claims.items()}
    omitted = tuple(item for item in found.values() if isinstance(item, Omitted))
    kept = {name: item for name, item in found.items() if not isinstance(item, Omitted)}
    return Rendered(kept, omitted)


def only_shortcode(templates: Templates) -> Shortcode | None:
    """Give the shortcode that is all of a template, apart from blanks around it."""
    said = [node for node in templates[""] if not (isinstance(node, Text) and node.text.isspace())]
    return said[0] if len(said) == 1 and isinstance(said[0], Shortcode) else None


def convert(output: str) -> Json:
    """Make a bool of `true` and `false`, and JSON of what looks like an object or an array."""
    if output in _BOOLS:
        return _BOOLS[output]
    if (output[:1], output[-1:]) in _BRACKETS:
        try:
            return jsontext.read(output)
        except ValueError:
            return output
    return output


def static(value: object) -> Json:
    """Take a value that is no text as it is; a date of YAML becomes text, as in RFC 3339.

    Raises:
        TemplateRunError: JSON has no such value.
    """
    match value:
        case None | bool() | msgspec.Raw():
            return value
        case int() if abs(value) < _NUMBERS_END:
            return strictjson.exact_number(str(value))
        case float() if math.isfinite(value):
            return value
        case datetime():
            moment = value if value.tzinfo else value.replace(tzinfo=UTC)
            return moment.isoformat().replace("+00:00", "Z")
        case date():
            return f"{value.isoformat()}T00:00:00Z"
        case _:
            raise TemplateRunError("The claim holds a value that JSON does not have.")


class _NothingFound(Exception):
    """A shortcode inside other text finds nothing, and with it goes the whole string."""


class Sources:
    """The templates of some claims, which have only so much room together."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._room = MAX_SOURCES

    def tree(self, source: str) -> Templates:
        """Read a template, or give the tree of one read before.

        Raises:
            TemplateSyntaxError: It cannot be read, or there is no room for it.
        """
        if source not in self._seen:
            self._seen.add(source)
            self._room -= len(source)
        if self._room < 0:
            raise TemplateSyntaxError("The templates are too long together.")
        return tree(source, shortcodes=True)


class _Rendering:
    """The claims of one user in the making, and the work that is left for them."""

    def __init__(self, user: Mapping[str, Any]) -> None:
        self._user = user
        self._raw_bags = bags_of(user)
        self._bags: dict[str, Json] = {}
        self._sources = Sources()
        self._work = allowance(0)

    @cached_property
    def _context(self) -> Object:
        return user_context(self._user)

    def claim(self, name: str, value: Json, allowed: int) -> Json | Omitted:
        if name in RESERVED:
            return Omitted(name, ClaimReserved.message)
        self._work = allowance(allowed)
        try:
            found = self._value(value, jsontext.MAX_DEPTH)
        except (TemplateSyntaxError, TemplateRunError) as error:
            return Omitted(name, error.message)
        except Refused:
            return Omitted(name, TooMuchWork.message)
        return Omitted(name, FINDS_NOTHING) if found is NOTHING else found

    def _value(self, value: object, depth: int) -> Json | Nothing:
        if not depth:
            raise TemplateRunError("The claim is nested too deeply.")
        match value:
            case str():
                return self._string(value)
            case dict():
                found = ((str(key), self._value(v, depth - 1)) for key, v in value.items())
                return {key: item for key, item in found if item is not NOTHING}
            case list():
                items = (self._value(item, depth - 1) for item in value)
                return [item for item in items if item is not NOTHING]
            case _:
                return static(value)

    def _string(self, source: str) -> Json | Nothing:
        if "{{" not in source:
            return convert(finished(source))
        templates = self._sources.tree(source)
        alone = only_shortcode(templates)
        if alone is not None:
            return self._resolve(alone)
        try:
            output = run(templates, self._context, self._work, self._text_of)
        except _NothingFound:
            return NOTHING
        self._work.copy(_READING * len(output))
        return convert(output)

    def _resolve(self, shortcode: Shortcode) -> Json | Nothing:
        bag = shortcode.bag
        if bag not in self._bags:
            self._bags[bag] = self._read(self._raw_bags[bag]) if bag in self._raw_bags else None
        return shortcode.resolve(self._bags)

    def _read(self, raw: str) -> Json:
        # Whichever claim comes first reads the bag for all of them, so it does not pay for it.
        try:
            return jsontext.read(raw)
        except ValueError:
            raise TemplateRunError("A bag holds no JSON that claims can show.") from None

    def _text_of(self, shortcode: Shortcode) -> str:
        match self._resolve(shortcode):
            case Nothing():
                raise _NothingFound
            case str() as text:
                return text
            case value:
                text = strictjson.encode(value)
                self._work.copy(_WRITING * len(text))
                is_number = isinstance(value, int | msgspec.Raw) and not isinstance(value, bool)
                return get(text, "@this").string if is_number else text


_NUMBERS_END = 10**300  # where a double ends, or nearly
_READING, _WRITING = 24, 4
"""How much dearer it is to read or write JSON than to copy a text."""

_BOOLS = {"true": True, "false": False}
_BRACKETS = (("{", "}"), ("[", "]"))
