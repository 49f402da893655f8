"""The description of a listener's JSON endpoints in OpenAPI 3.1, made of their own code."""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from litestar import Litestar, Request
from litestar.di import Provide
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.types import Method
from litestar.types.internal_types import PathParameterDefinition

from app import __version__
from app.config import Config
from app.http import Listener
from app.http.listener import Name
from app.rest.refusals import MEANINGS, SCHEME, Problem
from app.rest.routes import routes

Json = Any
_METHODS = frozenset({"get", "post", "put", "patch", "delete", "head"})
_OF_A_BODY = (400, 413, 415)
_PROBLEM = f"#/components/schemas/{Problem.__name__}"
_KEY = SecurityScheme(
    type="http",
    scheme="bearer",
    description="A secret key; the scopes beside it are those that the endpoint asks for.",
)


class _JsonPage(JsonRenderPlugin):
    """Serves the description as it is printed."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Json]) -> bytes:
        """Write the description."""
        return super().render(request, completed(openapi_schema))


def openapi_config(title: str) -> OpenAPIConfig:
    """Say how Litestar describes a listener."""
    return OpenAPIConfig(
        title=title,
        version=__version__,
        path="/schema",
        use_handler_docstrings=True,
        render_plugins=[_JsonPage()],
        operation_id_creator=_operation_id,
        components=Components(security_schemes={SCHEME: _KEY}),
    )


def document(name: Name) -> dict[str, Json]:
    """Describe a listener as it is by default; no endpoint is called, so none is given anything."""
    given = ("services", "callers", "caller")
    app = Litestar(
        routes(Listener(name, Config())),
        dependencies={one: Provide(lambda: None, sync_to_thread=False) for one in given},
        openapi_config=openapi_config("Sekisho"),
        logging_config=None,
    )
    return completed(app.openapi_schema.to_schema())


def completed(described: Mapping[str, Json]) -> dict[str, Json]:
    """Add to Litestar's description the answers that no endpoint gives by itself.

    Bodies and parameters are refused before an endpoint is asked. What has no list of its own
    refusals may give any of them, always in the one shape.
    """
    paths = {
        path: {name: _operation(part) if name in _METHODS else part for name, part in item.items()}
        for path, item in described["paths"].items()
    }
    return {**described, "paths": paths}


def _operation_id(
    _: HTTPRouteHandler, method: Method, path: list[str | PathParameterDefinition]
) -> str:
    """Name an endpoint by its method and path, which are its own."""
    parts = [one if isinstance(one, str) else f"by_{one.name}" for one in path]
    return re.sub("[^a-z0-9]+", "_", "_".join([method.lower(), *parts]))


def _operation(operation: Mapping[str, Json]) -> dict[str, Json]:
    answers = dict(operation["responses"])
    if "requestBody" in operation:
        answers |= {str(status): _problem(status) for status in _OF_A_BODY}
    if "400" in answers:  # Litestar's own, for parameters, has another shape
        answers["400"] = _problem(HTTPStatus.BAD_REQUEST)
    if "security" not in operation:
        answers["default"] = _problem()
    return {**operation, "responses": answers}


def _problem(status: int | None = None) -> dict[str, Json]:
    described = MEANINGS[status] if status else "Why it is refused."
    content = {"application/json": {"schema": {"$ref": _PROBLEM}}}
    return {"description": described, "content": content}
