"""The GraphQL face: one schema, on both listeners."""

from app.graphql.endpoint import GraphQLEndpoint
from app.graphql.schema import printed_schema, schema

__all__ = ["GraphQLEndpoint", "printed_schema", "schema"]
