"""How a patch meets a bag, and what may stand in one. Pure."""

from app.config.sections import BagLimit
from app.metadata.changes import Bag
from app.metadata.errors import MetadataInvalid, MetadataNotAnObject, MetadataTooLarge
from app.strictjson import MAX_DEPTH, Json, depth, encode
from app.text import is_storable


def merge_patch(target: Json, patch: Json) -> Json:
    """Merge *patch* into *target* (RFC 7396 §2) and give the result; neither is altered.

    Keys of the target keep their place and new ones follow in the patch's order. Arrays are
    replaced whole, and what stands in them stays verbatim.
    """
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


def check(bag: Bag, value: Json) -> None:
    """Refuse what no bag may hold (SEC-006).

    Raises:
        MetadataNotAnObject: It is neither an object nor null.
        MetadataInvalid: It nests deeper than 32 levels, or a text in it holds U+0000 or half of a
            surrogate pair, which PostgreSQL cannot keep.
    """
    if value is not None and not isinstance(value, dict):
        raise MetadataNotAnObject(bag)
    if depth(value) > MAX_DEPTH:
        raise MetadataInvalid(bag, f"it is nested deeper than {MAX_DEPTH} levels")
    place = unstorable(value)
    if place is not None:
        raise MetadataInvalid(bag, "a text holds U+0000 or half of a surrogate pair", place)


def compact(bag: Bag, value: Json, limit: BagLimit) -> str:
    """Write a bag as it is stored.

    Raises:
        MetadataTooLarge: The text is longer than *limit* (SEC-007).
    """
    return within(bag, encode(value), limit)


def within(bag: Bag, text: str, limit: BagLimit) -> str:
    """Give back a bag as it is stored, if it is not too long.

    Raises:
        MetadataTooLarge: The text is longer than *limit* (SEC-007).
    """
    size = len(text) if limit.unit == "characters" else len(text.encode())
    if size > limit.max:
        raise MetadataTooLarge(bag, size, limit)
    return text


def unstorable(value: Json, place: tuple[str, ...] = ()) -> tuple[str, ...] | None:
    """Find the first text that no database keeps, and say where it stands."""
    if isinstance(value, str):
        return None if is_storable(value) else place
    if isinstance(value, dict):
        named = [(key, (*place, key), item) for key, item in value.items()]
    elif isinstance(value, list):
        named = [("", (*place, str(n)), item) for n, item in enumerate(value)]
    else:
        return None
    for key, here, item in named:
        found = unstorable(item, here) if is_storable(key) else place
        if found is not None:
            return found
    return None
