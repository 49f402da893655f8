"""What a caller asks to change: three bags, each left out, cleared, or given."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal

from app.strictjson import Json


class Bag(Enum):
    """One of the three bags."""

    PUBLIC = "public"
    PRIVATE = "private"
    UNSAFE = "unsafe"

    @property
    def field(self) -> str:
        """The name of the bag in requests."""
        return f"{self.value}_metadata"


class Mode(Enum):
    """How an object given for a bag meets what the bag holds."""

    MERGE = "merge"
    REPLACE = "replace"


class Unset(Enum):
    """The type of `UNSET`."""

    UNSET = "unset"


UNSET: Final = Unset.UNSET
"""Stands for what was left out, which is not the same as null."""


@dataclass(frozen=True, slots=True)
class BagChanges:
    """A change for each bag: `UNSET` leaves it, None clears it, an object goes into it."""

    public: Json | Literal[Unset.UNSET] = UNSET
    private: Json | Literal[Unset.UNSET] = UNSET
    unsafe: Json | Literal[Unset.UNSET] = UNSET

    def given(self) -> Iterator[tuple[Bag, Json]]:
        """Walk the bags that are to change."""
        for bag in Bag:
            value = getattr(self, bag.value)
            if value is not UNSET:
                yield bag, value
