"""GraphQL over HTTP: one POST, one operation, one answer."""

import logging
from http import HTTPStatus
from typing import Any

import msgspec
from graphql import ExecutionResult, GraphQLError

from app import strictjson
from app.assembly import Services
from app.errors import ScopeMissing, Unavailable
from app.explorer import CONTENT_SECURITY_POLICY, page
from app.graphql.context import Context
from app.graphql.documents import Document, Documents, PersistedDocuments, Refused
from app.graphql.errors import described, is_defect
from app.graphql.execute import NotRun, execute
from app.graphql.schema import schema
from app.http import Asked, BodyRefused, Caller, Callers, Listener, answer, read_json
from app.http.answer import Headers, Send, note_unavailable, retry_headers
from app.http.body import Receive

RESPONSE = b"application/graphql-response+json"
_MOST_VALUES = 10_000
_KNOWN = frozenset({"query", "variables", "operationName", "extensions", "documentId"})
_MEMBERS: dict[str, type | tuple[type, ...]] = {
    "query": str,
    "documentId": str,
    "operationName": (str, type(None)),
    "variables": (dict, type(None)),
    "extensions": (dict, type(None)),
}
_log = logging.getLogger("sekisho.graphql")


class GraphQLRequest(msgspec.Struct, frozen=True):
    """What a body asks for."""

    text: str
    variables: dict[str, Any] | None
    operation_name: str | None


class _NotAsked(Exception):  # as all our refusals
    """The body is JSON, and no request."""


class GraphQLEndpoint:
    """`/graphql` of one listener."""

    def __init__(self, services: Services, callers: Callers, listener: Listener) -> None:
        config = services.config
        self._services = services
        self._callers = callers
        self._cookie = callers.cookie if listener.is_public else None
        self._schema = schema()
        self._suggest = not config.is_production
        self._shows_cost = not config.is_production
        self._documents = Documents(self._schema, config.graphql.max_cost, suggest=self._suggest)
        self._persisted = PersistedDocuments(config.graphql.persisted_documents)
        self._only_persisted = config.graphql.only_persisted
        self._explorer = _switch(config.graphql.explorer, default=not config.is_production)
        self._introspection = config.graphql.introspection
        self._open_schema = _switch(self._introspection, default=not config.is_production)

    async def __call__(self, asked: Asked, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if asked.method != "POST":
            await self._show_explorer(asked, send)
            return
        try:
            body = await read_json(asked, receive)
            request = self._request(body)
        except BodyRefused as refused:
            await self._refuse(send, asked, refused.status, refused.code.upper(), refused.message)
        except _NotAsked as refused:
            await self._refuse(send, asked, HTTPStatus.BAD_REQUEST, "BAD_REQUEST", str(refused))
        else:
            await self._answer(asked, request, send)

    async def _answer(self, asked: Asked, request: GraphQLRequest, send: Send) -> None:
        try:
            caller = await self._callers.of(asked)
        except Unavailable as error:
            note_unavailable(error, request_id=asked.request_id)
            status, headers = HTTPStatus.SERVICE_UNAVAILABLE, retry_headers(error)
            await self._refuse(send, asked, status, "UNAVAILABLE", Unavailable.message, headers)
            return
        context = Context(caller, self._services, self._cookie, asked)
        status, body = await self._run(asked, request, context)
        modern = RESPONSE in asked.headers.get(b"accept", b"")
        if not modern and status < HTTPStatus.INTERNAL_SERVER_ERROR:
            status = HTTPStatus.OK
        media = RESPONSE if modern else b"application/json"
        await answer(send, status, strictjson.encode_bytes(body), media, context.response_headers)

    async def _run(
        self, asked: Asked, request: GraphQLRequest, context: Context
    ) -> tuple[HTTPStatus, dict[str, Any]]:
        document = self._documents.of(request.text)
        if isinstance(document, Refused):
            asked.operation = "graphql refused"
            return document.status, self._errors(asked, document.errors)
        asked.operation = document.named(request.operation_name)
        if document.introspects and not self._may_introspect(context.caller):
            error = GraphQLError("Introspection needs a secret key here.", extensions=_FORBIDDEN)
            return HTTPStatus.BAD_REQUEST, self._errors(asked, [error])
        result = await execute(
            self._schema,
            document,
            context,
            request.variables,
            request.operation_name,
            suggest=self._suggest,
        )
        if isinstance(result, NotRun):
            status = HTTPStatus.UNPROCESSABLE_ENTITY if result.variables else HTTPStatus.BAD_REQUEST
            return status, self._errors(asked, result.errors)
        await self._note_scopes(context, result)
        return self._result(asked, document, request, context, result)

    async def _note_scopes(self, context: Context, result: ExecutionResult) -> None:
        """Record which scopes a secret key lacks (SEC-118)."""
        for error in result.errors or ():
            if isinstance(error.original_error, ScopeMissing):
                required = error.original_error.required
                await self._services.secret_keys.refusals.note_scopes(context.actor, required)

    def _result(
        self,
        asked: Asked,
        document: Document,
        request: GraphQLRequest,
        context: Context,
        result: ExecutionResult,
    ) -> tuple[HTTPStatus, dict[str, Any]]:
        body: dict[str, Any] = {"data": result.data}
        status = HTTPStatus.OK
        if result.errors:
            body |= self._errors(asked, result.errors)
            causes = [error.original_error for error in result.errors]
            missing = next((one for one in causes if isinstance(one, Unavailable)), None)
            if missing is not None:
                status = HTTPStatus.SERVICE_UNAVAILABLE
                context.response_headers += retry_headers(missing)
        extensions: dict[str, Any] = {}
        if context.actor.session_fault is not None:
            extensions["session"] = context.actor.session_fault
        if self._shows_cost:
            extensions["cost"] = _cost(document, request.operation_name)
        if extensions:
            body["extensions"] = extensions
        return status, body

    def _errors(self, asked: Asked, errors: Any) -> dict[str, Any]:  # noqa: ANN401  # any sequence
        for error in errors:
            cause = error.original_error
            extra = {"request_id": asked.request_id, "path": error.path}
            if isinstance(cause, Unavailable):
                note_unavailable(cause, **extra)
            elif is_defect(error):
                _log.error("resolver failed", exc_info=cause, extra=extra)
        return {"errors": [described(error, asked.request_id) for error in errors]}

    def _may_introspect(self, caller: Caller) -> bool:
        if self._open_schema:
            return True
        return self._introspection == "auto" and caller.actor.secret_key is not None

    def _request(self, body: strictjson.Json) -> GraphQLRequest:
        if not isinstance(body, dict) or not body.keys() <= _KNOWN:
            raise _NotAsked("The body is one object with `query`, `variables`, `operationName`.")
        for name, value in body.items():
            if not isinstance(value, _MEMBERS[name]):
                raise _NotAsked(f"`{name}` is not of the right kind.")
        if strictjson.has_more_than(body.get("variables"), _MOST_VALUES):
            raise _NotAsked(f"`variables` is made of more than {_MOST_VALUES} values.")
        return GraphQLRequest(
            self._text(body), body.get("variables"), body.get("operationName") or None
        )

    def _text(self, body: dict[str, Any]) -> str:
        """Give the document, sent or registered."""
        text, document_id = body.get("query"), body.get("documentId")
        if (text is None) == (document_id is None):
            raise _NotAsked("Send either `query` or `documentId`.")
        if document_id is not None:
            found = self._persisted.text(document_id)
            if found is None:
                raise _NotAsked("No document is registered under this id.")
            return found
        if self._only_persisted and not self._persisted.holds(str(text)):
            raise _NotAsked("Only registered documents run here.")
        return str(text)

    async def _refuse(  # noqa: PLR0913, PLR0917  # the parts of an answer
        self,
        send: Send,
        asked: Asked,
        status: HTTPStatus,
        code: str,
        message: str,
        headers: Headers = (),
    ) -> None:
        """Answer what is no GraphQL request with its own status, whatever the client accepts."""
        error = GraphQLError(message, extensions={"code": code})
        body = strictjson.encode_bytes(self._errors(asked, [error]))
        if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            headers = [*headers, (b"connection", b"close")]
        await answer(send, status, body, headers=headers)

    async def _show_explorer(self, asked: Asked, send: Send) -> None:
        """Open GraphiQL for a browser, where it is on; anything else is not allowed."""
        accepts_html = b"text/html" in asked.headers.get(b"accept", b"")
        if asked.method == "GET" and self._explorer and accepts_html:
            policy = (b"content-security-policy", CONTENT_SECURITY_POLICY.encode())
            await answer(send, HTTPStatus.OK, page(), b"text/html; charset=utf-8", (policy,))
            return
        message = "Send GraphQL as POST with application/json."
        error = GraphQLError(message, extensions={"code": "METHOD_NOT_ALLOWED"})
        body = strictjson.encode_bytes(self._errors(asked, [error]))
        await answer(send, HTTPStatus.METHOD_NOT_ALLOWED, body, headers=((b"allow", b"POST"),))


_FORBIDDEN = {"code": "FORBIDDEN"}


def _switch(value: str, *, default: bool) -> bool:
    return default if value == "auto" else value == "on"


def _cost(document: Document, name: str | None) -> int:
    asked = document.operations.get(name) or next(iter(document.operations.values()))
    return asked.counts.cost
