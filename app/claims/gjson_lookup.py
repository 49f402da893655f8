"""Looking up: a path's steps followed through a text.

Arrays and objects inside one another are walked with a trail instead of recursion. Only a path
inside a path (a query, a part after `#.`, a multipath, `@dig`) is a call, and those are counted.
"""

from collections.abc import Iterable, Iterator

from app.claims.gjson_condition import holds, matches
from app.claims.gjson_modifiers import MODIFIERS, array_of, object_of
from app.claims.gjson_path import (
    DIG,
    Condition,
    Count,
    Each,
    Index,
    Key,
    Lines,
    Literal,
    Modifier,
    Multipath,
    Nothing,
    Query,
    Step,
    after_pipe,
    array_step,
    head,
    object_step,
)
from app.claims.gjson_text import Type, Value

_STAGE, _COMPARING = 8, 2
"""Units of work for one stage of a path, apart from what it does, and for one comparison."""


def find(value: Value, path: str) -> Value:
    """Give what *path* leads to, starting at *value*.

    Raises:
        Refused: It would take more work than the lookup has left.
    """
    work = value.source.work
    work.enter()
    rest: str | None = path
    while rest is not None:
        work.spend(_STAGE)
        value, rest = _stage(value, rest)
    work.copy(value.end - value.start)
    work.leave()
    return value


def _stage(value: Value, path: str) -> tuple[Value, str | None]:
    if not path:
        return _nothing(value), None
    match head(path):
        case Modifier(name, argument, rest):
            return _converted(value, name, argument), rest
        case Literal(text, rest):
            return value.derive(text), rest
        case Multipath() as multipath:
            return _combined(value, multipath), multipath.rest
        case Lines(rest):
            return _walk(value.derive(array_of([value.as_lines()])), rest)
        case None:
            return _walk(value, path)


def _walk(value: Value, path: str) -> tuple[Value, str | None]:
    # Where a member leads to no result, the next that matches is tried: a search with a trail.
    trail: list[tuple[Iterator[Value], str | None, bool]] = [(iter([value]), path, True)]
    while trail:
        candidates, rest, descends = trail[-1]
        candidate = next(candidates, None)
        if candidate is None:
            trail.pop()
        elif rest is None or not descends:
            return candidate, rest
        elif step := _step(candidate, rest):
            trail.append((_selected(candidate, step), step.rest, step.descends))
    return _nothing(value), after_pipe(path)


def _step(value: Value, path: str) -> Step | None:
    if value.is_object:
        return object_step(path)
    return array_step(path) if value.is_array else None


def _selected(value: Value, step: Step) -> Iterator[Value]:
    match step.selector:
        case Key() as key:
            return _members(value, key)
        case Index(position):
            return (e for index, e in enumerate(value.elements()) if index == position)
        case Count():
            return iter([value.derive(str(sum(1 for _ in value.elements())))])
        case Each(path):
            return iter([_collected(value.elements(), path, value)])
        case Query() as query:
            return _queried(value, query)
        case Nothing():
            return iter(())


def _members(value: Value, key: Key) -> Iterator[Value]:
    work = value.source.work
    for name, member in value.members():
        text = name.string()
        if key.pattern is None:
            if text == key.name:
                yield member
        elif matches(text, key.pattern, work):
            yield member


def _collected(values: Iterable[Value], path: str, origin: Value) -> Value:
    found = (find(value, path) for value in values)
    return origin.derive(array_of(result.raw for result in found if result.exists))


def _queried(value: Value, query: Query) -> Iterator[Value]:
    hits = (element for element in value.elements() if _is_hit(element, query.condition))
    if query.every:
        yield _every(hits, query, value)
    elif (hit := next(hits, None)) is not None:
        found = hit if query.path is None else find(hit, query.path)
        if found.exists:
            yield found


def _every(hits: Iterator[Value], query: Query, origin: Value) -> Value:
    if query.path is None:
        return origin.derive(array_of(hit.raw for hit in hits))
    found = list(hits)
    collected = _collected(found, query.path, origin)
    # GJSON reads the pipe behind the path only when it comes upon a match.
    return find(collected, query.pipe) if found and query.pipe is not None else collected


def _is_hit(element: Value, condition: Condition) -> bool:
    element.source.work.spend(_COMPARING)
    if element.type is Type.JSON:
        return holds(condition, find(element, condition.left))
    return not condition.left and holds(condition, element)


def _converted(value: Value, name: str, argument: str) -> Value:
    if name == DIG:
        return _collected(_everything(value), argument, value)
    return value.derive(MODIFIERS[name](value, argument))


def _everything(value: Value) -> Iterator[Value]:
    trail = [iter([value])]
    while trail:
        found = next(trail[-1], None)
        if found is None:
            trail.pop()
        else:
            yield found
            trail.append(found.children())


def _combined(value: Value, multipath: Multipath) -> Value:
    found = ((key, find(value, path)) for key, path in multipath.selections)
    results = [(key, result.raw) for key, result in found if result.exists]
    if multipath.is_object:
        return value.derive(object_of(results))
    return value.derive(array_of(raw for _, raw in results))


def _nothing(value: Value) -> Value:
    return value.derive("")
