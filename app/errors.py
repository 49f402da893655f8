"""Every refusal a caller may meet: six families, and one leaf for each code.

A leaf is declared by the domain that raises it. Its `code` is public and never changes; its
`message` is one plain sentence and holds no secret. The families decide the HTTP status (see
`app.rest.errors`) and the place in a GraphQL answer (see `app.graphql.errors`).
"""

from collections.abc import Iterator
from typing import ClassVar


class IdentityError(Exception):
    """A refusal with a stable code.

    Args:
        message: A sentence in place of the leaf's own, where it can be more exact.
        path: Where in the caller's arguments the cause stands, outermost name first.
    """

    code: ClassVar[str] = "internal"
    message: str = "Something went wrong."

    def __init__(self, message: str | None = None, *, path: tuple[str, ...] = ()) -> None:
        super().__init__(message or self.message)
        self.message = message or self.message
        self.path = path


class Unauthenticated(IdentityError):
    """No valid session or secret key."""

    code = "unauthenticated"
    message = "Sign in first."


class Forbidden(IdentityError):
    """The caller is known and may not do this."""

    code = "forbidden"
    message = "This caller may not do that."


class NotFound(IdentityError):
    """Absent, or not to be seen by this caller; the two are never told apart (SEC-068)."""

    code = "not_found"
    message = "There is no such object."


class Conflict(IdentityError):
    """The state has moved on: taken, expired, already used."""

    code = "conflict"
    message = "The state has changed in the meantime."


class Invalid(IdentityError):
    """Well formed, and refused by a rule."""

    code = "invalid"
    message = "The input breaks a rule."


class RateLimited(IdentityError):
    """Too often; `retry_after` is in whole seconds."""

    code = "rate_limited"
    message = "Too many requests."

    def __init__(self, retry_after: int) -> None:
        super().__init__()
        self.retry_after = retry_after


class Unavailable(IdentityError):
    """Something the product cannot do without does not answer; nothing is decided (SEC-130).

    A leaf that time alone mends says in `retry_after` after how many seconds to come again.
    """

    code = "unavailable"
    message = "The service is not available at the moment."
    retry_after: int | None = None

    @property
    def fault(self) -> str | None:
        """What kind of fault lies behind it, for operators; None where nobody need look."""
        return None if self.retry_after else type(self.__cause__ or self).__name__


class ScopeMissing(Forbidden):
    """The secret key lacks a scope that the operation needs."""

    message = "This needs a secret key with the right scopes."

    def __init__(self, required: tuple[str, ...]) -> None:
        super().__init__()
        self.required = required


def leaves(root: type[IdentityError] = IdentityError) -> Iterator[type[IdentityError]]:
    """Walk the whole tree of errors, each class once, parents first."""
    yield root
    for child in root.__subclasses__():
        yield from leaves(child)
