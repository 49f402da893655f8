"""What Litestar hands to an endpoint that asks for it, as it is."""

from typing import Any

from litestar.di import NamedDependency
from litestar.params import Body, FromPath, SkipValidation

from app import assembly, http

Services = NamedDependency[SkipValidation[assembly.Services]]
Caller = NamedDependency[SkipValidation[http.Caller]]
Callers = NamedDependency[SkipValidation[http.Callers]]
PathText = FromPath[str]


def body(description: str, properties: dict[str, Any], *required: str) -> Any:  # noqa: ANN401  # Litestar's
    """Describe a body that an endpoint reads for itself, for the printed schema."""
    extra = {"type": "object", "properties": properties, "required": list(required)}
    return Body(description=description, schema_extra=extra)
