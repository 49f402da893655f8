"""How every mutation is declared."""

from collections.abc import Callable
from typing import Any

import strawberry
from strawberry.extensions.field_extension import FieldExtension

from app.graphql.errors import Refusals
from app.graphql.guards import Solo, requires_recent_sign_in


def mutation(
    description: str,
    guard: FieldExtension | None = None,
    *,
    solo: bool = False,
    recent: bool = False,
) -> Callable[[Callable[..., Any]], Any]:
    """Declare a mutation.

    Its refusals become the payload's `userErrors`; the guard's go to the top of the answer.

    Args:
        description: What it does.
        guard: Who may.
        solo: Whether it stands alone in its operation.
        recent: Whether the user must have signed in lately (SEC-037); a refusal like any other.
    """

    def declare(resolver: Callable[..., Any]) -> Any:  # noqa: ANN401  # a field of strawberry's
        return strawberry.mutation(
            resolver=resolver,
            description=description,
            extensions=[
                *([requires_recent_sign_in()] if recent else []),
                Refusals(),
                *([guard] if guard else []),
            ],
            directives=[Solo()] if solo else [],
        )

    return declare
