"""The GraphQL explorer: GraphiQL at /graphql, from our own files alone."""

from app.explorer.page import (
    ASSET_CACHE_CONTROL,
    ASSET_PATH,
    CONTENT_SECURITY_POLICY,
    asset,
    is_built,
    page,
)

__all__ = [
    "ASSET_CACHE_CONTROL",
    "ASSET_PATH",
    "CONTENT_SECURITY_POLICY",
    "asset",
    "is_built",
    "page",
]
