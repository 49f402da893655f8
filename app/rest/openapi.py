"""The description of a listener's JSON endpoints in OpenAPI 3.1, made of their own code."""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from litestar import Litestar, Request, Router
from litestar.connection import ASGIConnection
from litestar.di import Provide
from litestar.enums import MediaType
from litestar.exceptions import NotFoundException
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
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
_SESSIONS = {
    "session": SecurityScheme(
        type="http", scheme="bearer", description="A session's token in the header."
    ),
    "session_cookie": SecurityScheme(
        type="apiKey",
        security_scheme_in="cookie",
        name="hanko",
        description="A session's token in the cookie; `session.cookie.name` may call it otherwise.",
    ),
}
_FOR_SESSIONS = frozenset(
    {"/me", "/users/{user_id}", "/logout", "/webauthn/credentials"}
    | {"/webauthn/credentials/{credential_id}"}
    | {"/webauthn/registration/initialize", "/webauthn/registration/finalize"}
)
"""What asks for a session; an endpoint of the admin listener says itself which key it asks for."""


class _JsonPage(JsonRenderPlugin):
    """Serves the description as it is printed."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Json]) -> bytes:
        """Write the description."""
        return super().render(request, completed(openapi_schema))


async def _no_page(_: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Leave out the framework's own page for what is not there, which is HTML."""
    if isinstance(handler, HTTPRouteHandler) and handler.media_type == MediaType.HTML:
        raise NotFoundException


def openapi_config(title: str, name: Name) -> OpenAPIConfig:
    """Say how Litestar describes a listener."""
    schemes = _SESSIONS if name == "public" else {}
    return OpenAPIConfig(
        title=title,
        version=__version__,
        openapi_router=Router(
            "/schema", route_handlers=[], guards=[_no_page], include_in_schema=False
        ),
        use_handler_docstrings=True,
        render_plugins=[_JsonPage()],
        operation_id_creator=_operation_id,
        components=Components(security_schemes={SCHEME: _KEY, **schemes}),
    )


def document(name: Name) -> dict[str, Json]:
    """Describe a listener as it is by default; no endpoint is called, so none is given anything."""
    given = ("services", "callers", "caller")
    app = Litestar(
        routes(Listener(name, Config())),
        dependencies={one: Provide(lambda: None, sync_to_thread=False) for one in given},
        openapi_config=openapi_config("Sekisho", name),
        logging_config=None,
    )
    return completed(app.openapi_schema.to_schema())


def completed(described: Mapping[str, Json]) -> dict[str, Json]:
    """Add to Litestar's description the answers that no endpoint gives by itself.

    Bodies and parameters are refused before an endpoint is asked. What has no list of its own
    refusals may give any of them, always in the one shape.
    """
    paths = {
        path: {
            name: _operation(path, part) if name in _METHODS else part
            for name, part in item.items()
        }
        for path, item in described["paths"].items()
    }
    return {**described, "paths": paths}


def _operation_id(
    _: HTTPRouteHandler, method: Method, path: list[str | PathParameterDefinition]
) -> str:
    """Name an endpoint by its method and path, which are its own."""
    parts = [one if isinstance(one, str) else f"by_{one.name}" for one in path]
    return re.sub("[^a-z0-9]+", "_", "_".join([method.lower(), *parts]))


def _operation(path: str, operation: Mapping[str, Json]) -> dict[str, Json]:
    answers = dict(operation["responses"])
    if "requestBody" in operation:
        answers |= {str(status): _problem(status) for status in _OF_A_BODY}
    if "400" in answers:  # Litestar's own, for parameters, has another shape
        answers["400"] = _problem(HTTPStatus.BAD_REQUEST)
    if "security" not in operation:
        answers["default"] = _problem()
        if path in _FOR_SESSIONS:
            answers["401"] = _problem(told="The request bears no session that lives.")
            operation = {**operation, "security": [{one: []} for one in _SESSIONS]}
    return {**operation, "responses": answers}


def _problem(status: int | None = None, told: str = "Why it is refused.") -> dict[str, Json]:
    described = MEANINGS[status] if status else told
    content = {"application/json": {"schema": {"$ref": _PROBLEM}}}
    return {"description": described, "content": content}
