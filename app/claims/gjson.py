"""The GJSON path language (as of GJSON 1.19): `get` reads one result out of a JSON text.

Results keep the exact spelling of the document. Every recorded case of the reference engine comes
out the same, its quirks included. Whatever goes beyond `MAX_PATH`, or beyond `MAX_DEPTH`,
`MAX_NESTING` and `MAX_STEPS` of `gjson_text`, yields no result, so that no document and no path,
however hostile, holds up the server (SEC-124).
"""

from dataclasses import dataclass

from app.claims.gjson_lookup import find
from app.claims.gjson_path import Key, Step, head, is_index, object_step
from app.claims.gjson_text import Refused, Source, Type, Work

__all__ = ["MAX_PATH", "Result", "Type", "get", "plain_path"]

MAX_PATH = 1024
"""Characters that a path may have; a longer one yields no result."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a path found: its type, its source text and what that says as a string."""

    exists: bool
    type: Type
    raw: str
    string: str


def get(document: str, path: str) -> Result:
    """Find what *path* leads to in *document*; never raises, whatever the two are."""
    if not path or len(path) > MAX_PATH:
        return _NO_RESULT
    try:
        source = Source(document, Work())
        source.check_depth()
        found = find(source.value(), path)
        return Result(found.exists, found.type, found.raw, found.string())
    except (Refused, RecursionError):
        # Nesting is bounded by counting; a caller may still leave less stack than that.
        return _NO_RESULT


def plain_path(path: str) -> tuple[str | int, ...] | None:
    """Take apart a path that is only keys and array indexes joined by dots.

    Returns:
        Keys without their escapes, and digits alone as a number (which on an object is a key).
        None for a path that says more, or has an index with leading zeros, which no number keeps.
    """
    if not path or len(path) > MAX_PATH or head(path) is not None:
        return None
    parts: list[str | int] = []
    rest: str | None = path
    while rest is not None:
        step = object_step(rest)
        part = _plain_part(step, rest)
        if part is None:
            return None
        parts.append(part)
        rest = step.rest
    return tuple(parts)


_NO_RESULT = Result(exists=False, type=Type.NONE, raw="", string="")


def _plain_part(step: Step, path: str) -> str | int | None:
    key = step.selector
    is_piped = step.rest is not None and not step.descends
    if is_piped or path.startswith("#") or not isinstance(key, Key) or key.pattern:
        return None
    if not is_index(key.name) or not path.startswith(key.name):
        return key.name
    return int(key.name) if str(int(key.name)) == key.name else None
