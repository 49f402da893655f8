"""Claims as they were written, parted into those that count and those that never will."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from app.claims.check import check_claims
from app.claims.claims import Omitted
from app.claims.plain import PlainClaims, plain_claims
from app.errors import Invalid
from app.strictjson import Json


class Refused(NamedTuple):
    """A claim that breaks a rule, where in it, and which rule."""

    path: tuple[str, ...]
    reason: str

    @property
    def omitted(self) -> Omitted:
        """Say it as every rendering does."""
        return Omitted(self.path[0], self.reason)


@dataclass(frozen=True, slots=True)
class Sorted:
    """Claims by name, without those that could not be saved, which stand apart.

    A configured claim is held to the rules of a saved one: what names a private path or a reserved
    claim comes to nothing, whatever its template would do (SEC-009, SEC-010).
    """

    claims: Mapping[str, Json]
    refused: tuple[Refused, ...] = ()
    plain: PlainClaims | None = None
    """The same claims made ready, where they are as simple as most are."""


def sort_out(claims: Mapping[str, Json]) -> Sorted:
    """Judge each claim by itself."""
    refused = [fault for name, value in claims.items() if (fault := _fault(name, value))]
    names = {fault.path[0] for fault in refused}
    kept = {name: value for name, value in claims.items() if name not in names}
    return Sorted(kept, tuple(refused), None if refused else plain_claims(kept))


def _fault(name: str, value: Json) -> Refused | None:
    try:
        check_claims({name: value})
    except Invalid as error:
        return Refused(error.path or (name,), error.message)
    return None
