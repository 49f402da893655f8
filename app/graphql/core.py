"""From Strawberry's schema to the one the executor takes: what is missing, and the short way.

Strawberry wraps every resolver alike. For a field without guards or arguments the wrapping only
costs, so such a field is resolved by its attribute or function itself; every other field keeps its
wrapper, and with it its guards and the conversion of its arguments (SEC-002).
"""

from operator import attrgetter
from typing import Any

import strawberry
from graphql import (
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLSchema,
)
from strawberry.types.field import StrawberryField

from app.graphql.context import Info
from app.graphql.plan import SHORT

_DEFINITION = "strawberry-definition"


def core_schema(schema: strawberry.Schema) -> GraphQLSchema:
    """Give the executor's schema."""
    core: GraphQLSchema = schema._schema  # noqa: SLF001  # strawberry offers no public name
    for kind in core.type_map.values():
        if isinstance(kind, GraphQLInputObjectType):
            # Strawberry tells its own rules which inputs are @oneOf, but not graphql-core's.
            kind.is_one_of = kind.extensions[_DEFINITION].is_one_of
        elif isinstance(kind, GraphQLObjectType) and _DEFINITION in kind.extensions:
            for field in kind.fields.values():
                _shorten(field)
    return core


def _shorten(field: GraphQLField) -> None:
    """Let a field that nothing guards be resolved without ceremony."""
    definition: StrawberryField = field.extensions[_DEFINITION]
    if definition.extensions:
        return
    if definition.base_resolver is None:
        get = attrgetter(definition.python_name)
        field.resolve = field.extensions[SHORT] = lambda source, _info: get(source)
    elif not definition.is_async and definition.base_resolver.info_parameter is not None:
        field.extensions[SHORT] = definition.base_resolver.wrapped_func
        field.resolve = _direct(definition, field.resolve)


def _direct(definition: StrawberryField, wrapped: Any) -> Any:  # noqa: ANN401  # resolvers
    """Call a resolver itself where no argument was given, and its wrapper where one was."""
    resolver: Any = definition.base_resolver
    function = resolver.wrapped_func

    def resolve(source: Any, info: GraphQLResolveInfo[Any], **given: Any) -> Any:  # noqa: ANN401  # a resolver
        if given:
            return wrapped(source, info, **given)
        return function(source, Info(_raw_info=info, _field=definition))

    return resolve
