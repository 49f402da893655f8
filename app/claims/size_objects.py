"""Bounds of texts, and of what a user's objects and bags show of themselves."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from app import strictjson
from app.claims.context import BAGS, USER_FIELDS
from app.claims.gotemplate_values import finished
from app.claims.shortcodes import Nothing, Shortcode
from app.claims.size_paths import Reach, reach
from app.claims.sizes import Caps, Part, Size, total

_QUOTES = Size(2)
_LONGEST_NUMBER = 327  # a sign, a zero, a point, and the 324 places of the smallest double
_CHARACTER, _ESCAPED_BYTE, _TWICE_ESCAPED = 4, 2, 7
_EMAIL = '{"address":"","is_primary":false,"is_verified":false}'
_METADATA = '{"public_metadata":,"unsafe_metadata":}'
_USER = (
    f'{{"user_id":"","email":{_EMAIL},"username":"","metadata":{_METADATA},'
    '"name":"","family_name":"","given_name":"","picture":""}'
)


class Unbounded(Exception):
    """There is no bound."""


@dataclass(frozen=True, slots=True)
class Bound:
    """How long a value's text can be, inside a string and alone.

    `literal` is the text itself where it is known, and `objects` are the objects that the value
    may be, by name.
    """

    inside: Size
    alone: Size
    literal: str | None = None
    objects: frozenset[str] = frozenset()

    def __or__(self, other: "Bound") -> "Bound":
        literal = self.literal if self.literal == other.literal else None
        objects = self.objects | other.objects
        return Bound(self.inside | other.inside, self.alone | other.alone, literal, objects)


def in_string(inside: Size) -> Bound:
    """Bound what becomes a string, as long as that inside its quotes."""
    return Bound(inside, inside + _QUOTES)


def written(text: str) -> Bound:
    """Bound a text that is known."""
    return replace(in_string(Size(json_length(finished(text)) - 2)), literal=text)


def together(bounds: Iterable[Bound]) -> Bound:
    """Bound texts written one after the other."""
    shown = [bound for bound in bounds if bound.inside != Size()]
    return shown[0] if len(shown) == 1 else in_string(total(bound.inside for bound in shown))


def json_length(value: strictjson.Json) -> int:
    """Count the bytes of a value as compact JSON."""
    return len(strictjson.encode_bytes(value))


class Objects:
    """What a template starts from, as bounds."""

    def __init__(self, caps: Caps) -> None:
        self._caps = caps
        self._members: dict[tuple[str, str], Callable[[], Bound]] = {
            ("Data", "User"): self._user,
            ("User", "Email"): self._email,
            ("User", "Metadata"): self._metadata,
            ("User", "String"): self._user,
            ("Email", "String"): self._email,
            ("Metadata", "String"): self._metadata,
            ("Email", "Address"): lambda: self._field("Address"),
            ("Email", "IsPrimary"): _bool,
            ("Email", "IsVerified"): _bool,
        }

    def data(self) -> Bound:
        """Bound the data of templates, which prints as the user between braces."""
        shown = in_string(self._user().inside + Size(len("{}")))
        return replace(shown, objects=frozenset(["Data"]))

    def member(self, name: str, member: str, arguments: Sequence[Bound]) -> Bound | None:
        """Bound a field or method of an object; None where it has none of that name.

        Raises:
            Unbounded: A method can give more than there is a bound for.
        """
        if name == "Metadata" and member in BAGS:
            return self._read(BAGS[member], arguments)
        if name == "User" and member in USER_FIELDS:
            return self._field(member)
        give = self._members.get((name, member))
        return give() if give else None

    def shortcode(self, shortcode: Shortcode) -> Bound:
        """Bound a shortcode: inside other text, or as the JSON that it stands for alone."""
        part = Part(shortcode.bag, shortcode.keys)
        inside = self._weighing(part, _ESCAPED_BYTE) + Size(_LONGEST_NUMBER)
        shown = Bound(inside, self._weighing(part, 1))
        if isinstance(shortcode.default, Nothing):
            return shown
        default = shortcode.default
        text = default if isinstance(default, str) else strictjson.encode(default)
        return shown | Bound(written(text).inside, Size(json_length(default)))

    def _field(self, name: str) -> Bound:
        return in_string(Size(self._caps.field(name).in_string))

    def _user(self) -> Bound:
        return self._composed("User", _USER, (*USER_FIELDS, "Address"), BAGS.values())

    def _email(self) -> Bound:
        return self._composed("Email", _EMAIL, ("Address",), ())

    def _metadata(self) -> Bound:
        return self._composed("Metadata", _METADATA, (), BAGS.values())

    def _composed(self, name: str, frame: str, fields: Iterable[str], bags: Iterable[str]) -> Bound:
        caps = [self._caps.field(field) for field in fields]
        alone = Size(len(frame) + sum(cap.in_string for cap in caps))
        inside = Size(written(frame).inside.constant + _TWICE_ESCAPED * sum(c.max for c in caps))
        for bag in bags:
            alone += self._weighing(Part(bag), 1)
            inside += Size(0, {Part(bag): _TWICE_ESCAPED})
        return Bound(inside, alone, objects=frozenset([name]))

    def _read(self, bag: str, arguments: Sequence[Bound]) -> Bound:
        names = [argument.literal for argument in arguments if argument.literal is not None]
        found = reach(".".join(names)) if arguments else Reach(((),))
        if found is None or len(names) < len(arguments):
            raise Unbounded
        added = Size(json_length(found.added) + _LONGEST_NUMBER * found.may_be_number)
        parts = [Part(bag, keys) for keys in found.parts]
        return Bound(
            total(self._weighing(part, _ESCAPED_BYTE) for part in parts) + added,
            total(self._weighing(part, 1) for part in parts) + added,
        )

    def _weighing(self, part: Part, weight_of_byte: int) -> Size:
        is_in_bytes = self._caps.bag(part.bag).unit == "bytes"
        return Size(0, {part: weight_of_byte if is_in_bytes else _CHARACTER})


def _bool() -> Bound:
    return in_string(Size(len("false")))
