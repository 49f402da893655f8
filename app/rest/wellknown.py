"""What anybody may ask: keys and health."""

from http import HTTPStatus
from typing import Any

from litestar import HttpMethod, Request, Response, get, route
from litestar.datastructures import CacheControlHeader

from app.config.check import JWKS_KEPT
from app.rest.given import Services

_LOOKING = [HttpMethod.GET, HttpMethod.HEAD]
_FRESH = CacheControlHeader(public=True, max_age=JWKS_KEPT)


@get("/.well-known/jwks.json", cache_control=_FRESH, tags=["keys"])
async def jwks(request: Request[Any, Any, Any], services: Services) -> Response[bytes]:
    """Give the public keys that verify this deployment's tokens (RFC 7517)."""
    published = await services.signing_keys.published()
    headers = {"etag": published.etag}
    known = {one.strip() for one in request.headers.get("if-none-match", "").split(",")}
    if known & {published.etag, f"W/{published.etag}", "*"}:  # RFC 9110 §13.1.2
        return Response(b"", status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(published.body, media_type="application/json", headers=headers)


@route("/health/alive", http_method=_LOOKING, tags=["health"])
async def alive() -> dict[str, bool]:
    """Say that the process runs; nothing outside it is asked."""
    return {"alive": True}


@route("/health/ready", http_method=_LOOKING, tags=["health"])
async def ready(services: Services) -> Response[dict[str, bool]]:
    """Say whether requests can be answered now: the database, and no stop under way (SEC-140)."""
    is_ready = await services.is_ready()
    status = HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE
    return Response({"ready": is_ready}, status_code=status)
