"""What stands between the arguments of the schema and the values of the services."""

from typing import Any
from uuid import UUID

import strawberry

from app.errors import NotFound
from app.ids import parse_id
from app.metadata import UNSET


def given(value: strawberry.Some[Any] | None) -> Any:  # noqa: ANN401  # what was given
    """Keep apart what was left out (`UNSET`) and what was given as null."""
    return UNSET if value is None else value.value


def id_of(text: str, argument: str) -> UUID:
    """Read an id; what is no id is the id of nothing (SEC-068, SEC-099).

    Raises:
        NotFound: It is none.
    """
    found = parse_id(text)
    if found is None:
        raise NotFound(path=(argument,))
    return found
