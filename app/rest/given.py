"""What Litestar hands to an endpoint that asks for it, as it is."""

from collections.abc import Mapping
from typing import Annotated, Any

from litestar.di import NamedDependency
from litestar.params import Body, FromPath, PathParameter, SkipValidation

from app import assembly, http

Services = NamedDependency[SkipValidation[assembly.Services]]
Caller = NamedDependency[SkipValidation[http.Caller]]
Callers = NamedDependency[SkipValidation[http.Callers]]
PathText = FromPath[str]
PathId = Annotated[str, PathParameter(schema_extra={"format": "uuid"})]
UserId = Annotated[
    str, PathParameter(description="The user's UUID.", schema_extra={"format": "uuid"})
]
TEXT = {"type": "string"}
TEXT_OR_NULL = {"type": ["string", "null"]}
BAG = {"type": ["object", "null"], "description": "Merged into the bag; null clears it."}
NAMED_BAGS = dict.fromkeys(("public_metadata", "private_metadata", "unsafe_metadata"), BAG)
EMAIL: dict[str, Any] = {
    "type": "object",
    "properties": {
        "address": {"type": "string", "format": "email"},
        "is_primary": {"type": ["boolean", "null"]},
        "is_verified": {"type": ["boolean", "null"]},
    },
    "required": ["address"],
}


def body(
    description: str,
    properties: Mapping[str, Any],
    *required: str,
    is_closed: bool = False,
    or_null: bool = False,
) -> Any:  # noqa: ANN401  # Litestar's
    """Describe a body that an endpoint reads for itself, for the printed description.

    Args:
        description: What it is.
        properties: The schema of each member.
        required: The members that must be there.
        is_closed: Whether any other member is refused.
        or_null: Whether null will do as well.
    """
    extra: dict[str, Any] = {
        "type": ["object", "null"] if or_null else "object",
        "properties": dict(properties),
        "required": list(required),
    }
    if is_closed:
        extra["additional_properties"] = False
    return Body(description=description, schema_extra=extra)
