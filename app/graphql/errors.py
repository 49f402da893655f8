"""How refusals look in GraphQL: `userErrors` of a payload, or errors at the top."""

import dataclasses
import re
from collections.abc import Sequence
from enum import Enum
from typing import Any

import strawberry
from graphql import GraphQLError
from strawberry.extensions.field_extension import AsyncExtensionResolver, FieldExtension
from strawberry.types import Info
from strawberry.types.field import StrawberryField

from app import errors, selfservice
from app.credentials.errors import PasswordRefused
from app.flows import errors as flow_errors
from app.http.answer import TOLD
from app.metadata import (
    MetadataOverflowsClaims,
    MetadataRefused,
    MetadataTooLarge,
    MetadataVersionConflict,
)

_CAMEL = re.compile(r"_([a-z0-9])")
_MAYBE = "'Maybe["
_NOT_NULL = "A value that may be left out here cannot be null."


def _codes() -> dict[str, str]:
    """Collect the code of every refusal a payload can carry, with its sentence."""
    families = (errors.NotFound, errors.Conflict, errors.Invalid, errors.RateLimited)
    leaves = [leaf for family in families for leaf in errors.leaves(family)]
    leaves += flow_errors.told()
    found = {leaf.code: leaf.message for leaf in leaves if "code" in vars(leaf)}
    return dict(sorted(found.items()))


_ErrorCode = Enum(  # type: ignore[misc]  # its members come from the tree of errors
    "_ErrorCode",
    {
        code.upper(): strawberry.enum_value(code, description=message)
        for code, message in _codes().items()
    },
)
ErrorCode = strawberry.enum(
    _ErrorCode,
    name="ErrorCode",
    description="Why something was refused; the same word in lower case stands in REST answers.",
)


@strawberry.enum(description="One of the three bags.")
class MetadataBag(Enum):
    """A bag, as the schema names it."""

    PUBLIC = strawberry.enum_value("public", description="Servers write it, its user reads it.")
    PRIVATE = strawberry.enum_value("private", description="For servers alone.")
    UNSAFE = strawberry.enum_value("unsafe", description="Its user writes it; nobody trusts it.")


@strawberry.interface(description="A refusal that a caller must expect.")
class UserError:
    """What every refusal tells."""

    code: ErrorCode = strawberry.field(  # type: ignore[valid-type]  # made above, member by member
        description="Stable; decide on it."
    )
    message: str = strawberry.field(description="A sentence for developers, in English.")
    path: list[str] = strawberry.field(description="The argument it belongs to, outermost first.")


@strawberry.type(description="An argument was refused.")
class InputError(UserError):
    """The ordinary refusal."""


@strawberry.type(description="Too often.")
class RateLimited(UserError):
    """A refusal that time mends."""

    retry_after: int = strawberry.field(description="Seconds to wait.")


@strawberry.type(description="A change of a bag was refused; no bag was changed.")
class MetadataRejected(UserError):
    """A refusal of a bag."""

    bag: MetadataBag = strawberry.field(description="The bag that refused.")
    size: int | None = strawberry.field(
        description="What it would have held; or what the claims of tokens would have taken, where "
        "those have no room.",
        default=None,
    )
    limit: int | None = strawberry.field(
        description="The most it may hold, or the claims may take.", default=None
    )
    unit: str | None = strawberry.field(
        description="What size and limit count: `characters` or `bytes`.", default=None
    )
    current_version: int | None = strawberry.field(
        description="The version the bags are at, where another was expected.", default=None
    )


@strawberry.type(description="A code was refused.")
class InvalidCode(UserError):
    """A refusal of a code."""

    attempts_left: int | None = strawberry.field(
        description="How often this code may still be entered; null where nothing counts."
    )


@strawberry.type(description="A new password was refused.")
class PasswordRejected(UserError):
    """A refusal of a password."""

    min_length: int = strawberry.field(description="Characters a password has at least.")
    breached: bool = strawberry.field(description="Whether it has become known elsewhere.")


@strawberry.type(description="The sign-in is too long ago.")
class StepUpRequired(UserError):
    """A refusal that signing in again mends."""

    max_age: int = strawberry.field(description="Seconds since the sign-in that would do.")


ERROR_TYPES = [
    InputError,
    InvalidCode,
    RateLimited,
    MetadataRejected,
    PasswordRejected,
    StepUpRequired,
]


class Refusals(FieldExtension):
    """Turns a refusal raised by a mutation into its payload's `userErrors`."""

    def apply(self, field: StrawberryField) -> None:
        """Remember the payload and the arguments of the mutation."""
        self._field = field
        self._arguments = {argument.python_name for argument in field.arguments}

    async def resolve_async(
        self,
        next_: AsyncExtensionResolver,
        source: Any,  # noqa: ANN401  # strawberry's
        info: Info,
        **kwargs: Any,  # noqa: ANN401  # strawberry's
    ) -> Any:  # noqa: ANN401  # a payload
        """Run the mutation; what an earlier one has read, it may have changed."""
        info.context.forget_loaded()
        try:
            return await next_(source, info, **kwargs)
        except (errors.Unauthenticated, errors.Forbidden):
            raise
        except (errors.NotFound, errors.Conflict, errors.Invalid, errors.RateLimited) as error:
            return self._payload(user_error(error, self._arguments))

    def _payload(self, refusal: UserError) -> object:
        payload: Any = self._field.type
        empty = {f.name: None for f in dataclasses.fields(payload) if f.name != "user_errors"}
        return payload(**empty, user_errors=[refusal])


def user_error(error: errors.IdentityError, arguments: set[str]) -> UserError:
    """Describe a refusal; its path starts at the argument it belongs to."""
    told: dict[str, Any] = {
        "code": ErrorCode[error.code.upper()],
        "message": error.message,
        "path": argument_path(error.path, arguments),
    }
    if isinstance(error, MetadataRefused | MetadataVersionConflict):
        return MetadataRejected(**told, bag=MetadataBag[error.bag.name], **_of_bag(error))
    if isinstance(error, PasswordRefused):
        return PasswordRejected(**told, min_length=error.min_length, breached=error.breached)
    if isinstance(error, selfservice.StepUpRequired):
        return StepUpRequired(**told, max_age=error.max_age)
    if isinstance(error, errors.RateLimited | flow_errors.RateLimitExceeded):
        return RateLimited(**told, retry_after=error.retry_after)
    return InputError(**told)


def _of_bag(error: MetadataRefused | MetadataVersionConflict) -> dict[str, Any]:
    """Give the figures that a refusal of a bag comes with."""
    if isinstance(error, MetadataTooLarge):
        return {"size": error.size, "limit": error.limit.max, "unit": error.limit.unit}
    if isinstance(error, MetadataOverflowsClaims):
        return {"size": error.size, "limit": error.limit, "unit": error.unit}
    if isinstance(error, MetadataVersionConflict):
        return {"current_version": error.current_version}
    return {}


def argument_path(path: Sequence[str], arguments: set[str]) -> list[str]:
    """Write a service's path as the schema's names; what is no argument stands in `input`."""
    if not path:
        return []
    named = [camel(path[0]), *path[1:]]
    inside = "input" in arguments and path[0] not in arguments
    return ["input", *named] if inside else named


def camel(name: str) -> str:
    """Write a name of ours as the schema does."""
    return _CAMEL.sub(lambda found: found[1].upper(), name)


def described(error: GraphQLError, request_id: str) -> dict[str, Any]:
    """Write an error for the top of an answer: a stable code, and nothing from inside (SEC-097)."""
    cause = error.original_error
    message, extensions = _outside(error, cause, request_id)
    shown: dict[str, Any] = {"message": message, "extensions": extensions}
    if error.locations:
        shown["locations"] = [{"line": at.line, "column": at.column} for at in error.locations]
    if error.path is not None:
        shown["path"] = error.path
    return shown


def is_defect(error: GraphQLError) -> bool:
    """Say whether somebody should look at this."""
    cause = error.original_error
    if cause is None or isinstance(cause, GraphQLError):
        return False
    return not isinstance(cause, TOLD)


def _outside(
    error: GraphQLError, cause: Exception | None, request_id: str
) -> tuple[str, dict[str, Any]]:
    if isinstance(cause, TOLD):
        return cause.message, _extensions(cause)
    if is_defect(error):
        return "Something went wrong.", {"code": "INTERNAL", "requestId": request_id}
    given = error.extensions or {}
    # The library says which of its objects stands for the type, by its place in memory.
    message = _NOT_NULL if _MAYBE in error.message else error.message
    return message, {"code": given.get("code", "BAD_REQUEST"), **given}


def _extensions(error: errors.IdentityError) -> dict[str, Any]:
    match error:
        case errors.ScopeMissing():
            return {"code": "FORBIDDEN", "requiredScopes": list(error.required)}
        case errors.Forbidden():
            return {"code": "FORBIDDEN"}
        case errors.Unauthenticated():
            return {"code": "UNAUTHENTICATED"}
        case errors.RateLimited():
            return {"code": "RATE_LIMITED", "retryAfter": error.retry_after}
        case errors.Unavailable():
            later = {"retryAfter": error.retry_after} if error.retry_after else {}
            return {"code": error.code.upper(), **later}
        case _:
            where = argument_path(error.path, set())
            return {"code": "BAD_REQUEST", "reason": error.code.upper(), "argument": where}
