"""Turns a document into a result: the one place where that happens."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from graphql import (
    ExecutionResult,
    GraphQLError,
    GraphQLResolveInfo,
    GraphQLSchema,
    MiddlewareManager,
)
from graphql.execution import Executor

from app.graphql.context import Context
from app.graphql.documents import Document
from app.graphql.limits import too_expensive
from app.telemetry import Part, is_traced, span

TIMEOUT = 10.0
"""Seconds an operation may take, its database work included (SEC-125)."""

_VARIABLE = re.compile(r"Variable '\$(\w+)' has invalid value(?: at ([\w.\[\]]+):)?")


@dataclass(frozen=True, slots=True)
class NotRun:
    """The operation did not begin: it is not there, or its variables do not fit."""

    errors: Sequence[GraphQLError]
    variables: bool


async def execute(  # noqa: PLR0913  # the five parts of a request
    schema: GraphQLSchema,
    document: Document,
    context: Context,
    variables: dict[str, Any] | None,
    operation_name: str | None,
    *,
    suggest: bool,
) -> ExecutionResult | NotRun:
    """Run one operation of a document that has been validated."""
    traced = is_traced()  # the short way knows no fields
    plan = None if traced else document.plan
    if plan is not None and operation_name in (None, plan.name):
        data = plan.run(context)
        if data is not None:
            return ExecutionResult(data)
    if operation_name is not None and operation_name not in document.operations:
        error = GraphQLError("The document has no operation of this name.")
        return NotRun([error], variables=False)
    built = Executor.build(
        schema,
        document.node,
        context_value=context,
        raw_variable_values=variables,
        operation_name=operation_name,
        hide_suggestions=not suggest,
        middleware=_SPANS if traced else None,
    )
    if isinstance(built, list):
        named = any(error.message.startswith("Variable") for error in built)
        return NotRun([_without_values(error) for error in built], named)
    result = built.execute_operation()
    if isinstance(result, ExecutionResult):
        return result
    try:
        async with asyncio.timeout(TIMEOUT):
            return await result  # type: ignore[no-any-return, misc]  # no incremental delivery here
    except TimeoutError:
        return ExecutionResult(None, [too_expensive("The operation took too long.")])


def _with_span(
    resolve: Callable[..., Any],
    source: Any,  # noqa: ANN401  # a resolver's own
    info: GraphQLResolveInfo[Context],
    **given: Any,  # noqa: ANN401  # arguments
) -> Any:  # noqa: ANN401  # what a field holds
    """Resolve a field, one of the operation's own in a span."""
    if info.path.prev is not None:
        return resolve(source, info, **given)
    part = span(f"field {info.field_name}")
    try:
        value = resolve(source, info, **given)
    except Exception as error:
        part.end(type(error))
        raise
    if info.is_awaitable(value):
        return _within(part, value)
    part.end()
    return value


async def _within(part: Part, value: Awaitable[Any]) -> Any:  # noqa: ANN401  # what a field holds
    with part:
        return await value


_SPANS = MiddlewareManager(_with_span)


def _without_values(error: GraphQLError) -> GraphQLError:
    """Say which variable does not fit and where, but not what stood in it (SEC-097)."""
    found = _VARIABLE.match(error.message)
    if found is None:
        return error
    name, place = found[1], found[2] or ""
    message = f"Variable '${name}' does not fit its type at '{name}{place}'."
    return GraphQLError(message, error.nodes)
