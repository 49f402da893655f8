"""Bounds of sizes: how many bytes of JSON a text can take, whatever a user's bags hold.

A bound is a constant and the parts of the bags that are shown, each with the most bytes of JSON
that one unit of it can become. Parts under different keys share the room of their bag: no byte of
it lies in both, so only the most expensive way through the keys counts.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Literal, NamedTuple

Unit = Literal["characters", "bytes"]


@dataclass(frozen=True, slots=True)
class Cap:
    """How long a text may be; a printable one holds no control characters."""

    max: int
    unit: Unit = "characters"
    is_printable: bool = False

    @property
    def in_string(self) -> int:
        """The most bytes that the text takes between the quotes of a JSON string.

        A control character takes six as an escape, and any other at most the four of its UTF-8; a
        quote or backslash takes two.
        """
        if not self.is_printable:
            return 6 * self.max
        return self.max * (4 if self.unit == "characters" else 2)


_FIELDS = {
    "UserID": Cap(36, "bytes", is_printable=True),
    "Username": Cap(32, is_printable=True),
    "Address": Cap(254, is_printable=True),
    "Name": Cap(255, is_printable=True),
    "GivenName": Cap(255, is_printable=True),
    "FamilyName": Cap(255, is_printable=True),
    "Picture": Cap(2048, "bytes", is_printable=True),
}


@dataclass(frozen=True, slots=True)
class Caps:
    """The caps of the bags, measured on their compact JSON, and of a user's fields by name.

    A field left out has the cap that the product gives it.
    """

    public: Cap
    unsafe: Cap
    fields: Mapping[str, Cap] = field(default_factory=dict)

    def bag(self, name: str) -> Cap:
        """Give the cap of a bag by its name in the data."""
        return self.public if name == "public_metadata" else self.unsafe

    def field(self, name: str) -> Cap:
        """Give the cap of a field by its name in templates."""
        return self.fields.get(name) or _FIELDS[name]


class Part(NamedTuple):
    """What lies in a bag under some keys."""

    bag: str
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Size:
    """A bound: a constant, and for each part of a bag the bytes that a unit of it can become."""

    constant: int = 0
    weights: Mapping[Part, int] = field(default_factory=dict)

    def __add__(self, other: "Size") -> "Size":
        return Size(self.constant + other.constant, _merged(self, other, sum))

    def __or__(self, other: "Size") -> "Size":
        """Give a bound for what is bounded by the one or by the other."""
        return Size(max(self.constant, other.constant), _merged(self, other, max))

    def __mul__(self, factor: int) -> "Size":
        weights = {part: factor * weight for part, weight in self.weights.items()}
        return Size(factor * self.constant, weights)

    def bytes_within(self, caps: Caps) -> int:
        """Give the most bytes there can be when the bags are as full as they may be."""
        heaviest: dict[str, int] = {}
        for bag, keys in self.weights:
            shared = sum(w for part, w in self.weights.items() if _holds(part, bag, keys))
            heaviest[bag] = max(shared, heaviest.get(bag, 0))
        return self.constant + sum(caps.bag(bag).max * w for bag, w in heaviest.items())


def total(sizes: Iterable[Size]) -> Size:
    """Add bounds up."""
    return sum(sizes, Size())


def _merged(first: Size, second: Size, merge: Callable[[tuple[int, int]], int]) -> dict[Part, int]:
    parts = dict.fromkeys(chain(first.weights, second.weights))
    return {p: merge((first.weights.get(p, 0), second.weights.get(p, 0))) for p in parts}


def _holds(part: Part, bag: str, keys: tuple[str, ...]) -> bool:
    return part.bag == bag and keys[: len(part.keys)] == part.keys
