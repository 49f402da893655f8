"""Bounds of what paths lead to: which part of a bag a result comes from, if it cannot outgrow it.

Most paths select: their result is part of the bag's text, or parts of it that do not overlap,
strung together no wider than they stood there. Paths that write something of their own, or the
same thing more than once, have no bound here, save a multipath of paths that select.
"""

import re
from dataclasses import dataclass

from app.claims.gjson import MAX_PATH, plain_path
from app.claims.gjson_path import Lines, Multipath, head

_SHORTENING = re.compile(r"(?:(.*)[.|])?@(?:this|reverse|ugly|valid|flatten|join)", re.DOTALL)
_WRITING = re.compile(r"[@\[{|\\]|\.\.|!(?![=%])")


@dataclass(frozen=True, slots=True)
class Reach:
    """The parts of a bag that a path shows, and the text that it adds of its own.

    `is_scalar` tells that the result may also be a number, spelled out without a power of ten.
    """

    parts: tuple[tuple[str, ...], ...] = ()
    added: str = ""
    may_be_number: bool = False


def reach(path: str) -> Reach | None:
    """Say what a path can show; None where its result can outgrow the bag."""
    if not path or len(path) > MAX_PATH:
        return Reach()
    start = head(path)
    if isinstance(start, Multipath | Lines):
        return _gathered(start) if isinstance(start, Multipath) else None
    keys = _selected(path)
    if keys is not None:
        return Reach((keys,), may_be_number=True)
    if shortened := _SHORTENING.fullmatch(path):
        inner = reach(shortened[1]) if shortened[1] else Reach(((),))
        return inner and Reach(inner.parts, inner.added, may_be_number=True)
    return None


def _selected(path: str) -> tuple[str, ...] | None:
    plain = plain_path(path)
    if plain is not None:
        # On an object an index is a key, so both are taken for the same.
        return tuple(map(str, plain))
    return None if _WRITING.search(path) else ()


def _gathered(multipath: Multipath) -> Reach | None:
    parts, added = [], "[]"
    if multipath.rest is not None:
        return None
    for name, path in multipath.selections:
        keys = _selected(path)
        if keys is None:
            return None
        parts.append(keys)
        added += f"{name}:," if multipath.is_object else ","
    return Reach(tuple(parts), added)
