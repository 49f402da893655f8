"""Documents: parsed, counted and validated once, whoever sends them again."""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Generic, TypeVar

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    parse,
    validate,
)
from graphql.validation.rules import overlapping_fields_can_be_merged

from app.graphql.limits import (
    MAX_CHARACTERS,
    MAX_TOKENS,
    Asked,
    Counter,
    judge,
    solo_fields,
    too_expensive,
)
from app.graphql.plan import Plan, plan_of

# Comparing fields that may overlap is the one rule whose work outgrows the document (SEC-124).
overlapping_fields_can_be_merged.MAX_COMPLEXITY_BUDGET = 20_000
_KEPT = 400_000
_KEPT_REFUSALS = 60_000
"""How many characters of documents are remembered; a parsed one takes many times its text."""

_LEAST = 100
"""Characters that are counted for any document beside its own: the shortest keeps 5 KB."""

_PREFIX = "sha256:"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Document:
    """A document that may run, and what each of its operations asks for."""

    node: DocumentNode
    operations: dict[str | None, Asked]
    introspects: bool
    plan: Plan | None

    def named(self, name: str | None) -> str:
        """Name an operation for the metrics: by its root field, since callers choose its name."""
        asked = self.operations.get(name) or next(iter(self.operations.values()))
        fields = asked.root_fields
        return f"graphql {fields[0]}" if len(fields) == 1 else "graphql several"


@dataclass(frozen=True, slots=True)
class Refused:
    """A document that may not run: the status for clients that understand one, and why."""

    status: HTTPStatus
    errors: tuple[GraphQLError, ...]


class _Recent(Generic[T]):
    """The values asked for most recently, as many as their texts have room for."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._values: OrderedDict[str, T] = OrderedDict()

    def get(self, key: str) -> T | None:
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def put(self, key: str, value: T) -> None:
        self._values[key] = value
        self._room -= len(key) + _LEAST
        while self._room < 0:
            oldest, _ = self._values.popitem(last=False)
            self._room += len(oldest) + _LEAST


class Documents:
    """Gives the document for a text. Refusals are kept apart, so that they crowd nothing out."""

    def __init__(self, schema: GraphQLSchema, max_cost: int, *, suggest: bool) -> None:
        self._schema = schema
        self._max_cost = max_cost
        self._suggest = suggest
        self._solo = solo_fields(schema)
        self._good: _Recent[Document] = _Recent(_KEPT)
        self._bad: _Recent[Refused] = _Recent(_KEPT_REFUSALS)

    def of(self, text: str) -> Document | Refused:
        """Give the document of *text*, or why it may not run."""
        known = self._good.get(text) or self._bad.get(text)
        if known is not None:
            return known
        made = self._make(text)
        if isinstance(made, Document):
            self._good.put(text, made)
        elif len(text) <= MAX_CHARACTERS:
            self._bad.put(text, made)
        return made

    def _make(self, text: str) -> Document | Refused:
        if len(text) > MAX_CHARACTERS:
            why = f"The document is longer than {MAX_CHARACTERS} characters."
            return Refused(HTTPStatus.BAD_REQUEST, (too_expensive(why),))
        try:
            node = parse(text, max_tokens=MAX_TOKENS, no_location=False)
        except GraphQLSyntaxError as error:
            return Refused(HTTPStatus.BAD_REQUEST, (_syntax(error),))
        except RecursionError:
            return Refused(
                HTTPStatus.BAD_REQUEST, (too_expensive("The document nests too deeply."),)
            )
        return self._judged(node)

    def _judged(self, node: DocumentNode) -> Document | Refused:
        counter = Counter.of(node)
        found = [d for d in node.definitions if isinstance(d, OperationDefinitionNode)]
        operations = {d.name.value if d.name else None: counter.operation(d) for d in found}
        verdicts = [judge(asked, self._solo, self._max_cost) for asked in operations.values()]
        refusals = tuple(verdict for verdict in verdicts if verdict is not None)
        if refusals:
            return Refused(HTTPStatus.BAD_REQUEST, refusals)
        errors = validate(self._schema, node, max_errors=5, hide_suggestions=not self._suggest)
        if errors:
            return Refused(HTTPStatus.UNPROCESSABLE_ENTITY, tuple(errors))
        introspects = any(asked.introspects for asked in operations.values())
        return Document(node, operations, introspects, plan_of(self._schema, node))


class PersistedDocuments:
    """Documents registered at start-up, asked for by the SHA-256 of their text."""

    def __init__(self, folder: str) -> None:
        files = sorted(Path(folder).rglob("*.graphql")) if folder else []
        texts = [file.read_text("utf-8") for file in files]
        self._texts = {_PREFIX + hashlib.sha256(t.encode()).hexdigest(): t for t in texts}
        self._known = frozenset(texts)

    def text(self, document_id: str) -> str | None:
        """Give the text of a document, or None where none is registered under this id."""
        return self._texts.get(document_id)

    def holds(self, text: str) -> bool:
        """Say whether exactly this text is registered."""
        return text in self._known


def _syntax(error: GraphQLSyntaxError) -> GraphQLError:
    if "token" in error.message and str(MAX_TOKENS) in error.message:
        return too_expensive(f"The document has more than {MAX_TOKENS} tokens.")
    return error
