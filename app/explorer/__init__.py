"""The GraphQL explorer: GraphiQL at /graphql, from our own files alone."""

from app.explorer.page import BUNDLE, CONTENT_SECURITY_POLICY, page

__all__ = ["BUNDLE", "CONTENT_SECURITY_POLICY", "page"]
