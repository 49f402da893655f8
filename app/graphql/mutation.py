"""How every mutation is declared."""

from collections.abc import Callable
from typing import Any

import strawberry
from strawberry.extensions.field_extension import FieldExtension

from app.graphql.errors import Refusals
from app.graphql.guards import Solo


def mutation(
    description: str, guard: FieldExtension | None = None, *, solo: bool = False
) -> Callable[[Callable[..., Any]], Any]:
    """Declare a mutation: what it does, who may, and whether it stands alone in its operation.

    Its refusals become the payload's `userErrors`; the guard's go to the top of the answer.
    """

    def declare(resolver: Callable[..., Any]) -> Any:  # noqa: ANN401  # a field of strawberry's
        return strawberry.mutation(
            resolver=resolver,
            description=description,
            extensions=[Refusals(), *([guard] if guard else [])],
            directives=[Solo()] if solo else [],
        )

    return declare
