"""Comparing values: nothing compares but two values of one kind."""

from app.claims.errors import TemplateRunError
from app.claims.gotemplate_values import Kind, Object, Value, as_bytes, kind

_BASIC = frozenset((Kind.BOOL, Kind.INT, Kind.FLOAT, Kind.COMPLEX, Kind.STRING))


def equal(first: Value, second: Value) -> bool:
    """Say whether two values are equal; whatever there is differs from what there is not.

    Raises:
        TemplateRunError: They are of different kinds, or lists or maps.
    """
    kinds = kind(first), kind(second)
    if Kind.NIL in kinds:
        return _is_nil(first) and _is_nil(second)
    if isinstance(first, Object) and isinstance(second, Object):
        return first is second or (first.is_nil and second.is_nil)
    if kinds[0] is not kinds[1] or kinds[0] not in _BASIC:
        raise _incomparable(*kinds)
    return first == second


def less(first: Value, second: Value) -> bool:
    """Say whether a value comes before another; texts are compared byte by byte.

    Raises:
        TemplateRunError: They are of different kinds, or of one that has no order.
    """
    if isinstance(first, str) and isinstance(second, str):
        return as_bytes(first) < as_bytes(second)
    kinds = kind(first), kind(second)
    if isinstance(first, int) and isinstance(second, int) and kinds == (Kind.INT, Kind.INT):
        return first < second
    if isinstance(first, float) and isinstance(second, float):
        return first < second
    raise _incomparable(*kinds)


def _is_nil(value: Value) -> bool:
    return kind(value) is Kind.NIL or (isinstance(value, Object) and value.is_nil)


def _incomparable(first: Kind, second: Kind) -> TemplateRunError:
    return TemplateRunError(f"There is no comparing {first.value} with {second.value}.")
