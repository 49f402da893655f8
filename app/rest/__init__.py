"""The JSON face: what published clients call, and what backends call with a secret key."""

from app.rest.errors import EXCEPTION_HANDLERS, StrictRequest
from app.rest.guards import caller_of
from app.rest.openapi import document, openapi_config
from app.rest.routes import routes

__all__ = [
    "EXCEPTION_HANDLERS",
    "StrictRequest",
    "caller_of",
    "document",
    "openapi_config",
    "routes",
]
