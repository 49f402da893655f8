"""The conditions of queries: whether a value compares with a text as an operator says."""

from operator import eq, ge, gt, le, lt, ne

from app.claims.gjson_modifiers import is_truthy
from app.claims.gjson_path import Condition, Pattern, Wild
from app.claims.gjson_text import Type, Value, Work, number

_COMPARISONS = {"=": eq, "!=": ne, "<": lt, "<=": le, ">": gt, ">=": ge}
_NO = ("0", "f", "false")


def holds(condition: Condition, left: Value) -> bool:
    """Say whether a condition holds; without an operator, whether there is a value at all.

    Null, objects and arrays compare with nothing.
    """
    operator, right = condition.operator, condition.right
    if right.startswith("~"):
        asked = _asked(left, right[1:])
        return asked is not None and _holds_for_bool(operator, "true", left=asked)
    if not operator:
        return left.exists
    match left.type:
        case Type.STRING:
            return _holds_for_string(condition, left)
        case Type.NUMBER:
            return _compare(number(left.raw), operator, condition.number)
        case Type.TRUE | Type.FALSE:
            return _holds_for_bool(operator, right, left=left.type is Type.TRUE)
        case _:
            return False


def matches(text: str, wanted: Pattern, work: Work) -> bool:
    """Say whether a pattern matches the whole of a text."""
    at, position = 0, 0
    last_run, resume = -1, 0
    while position < len(text):
        work.spend(1)
        token = wanted[at] if at < len(wanted) else None
        if token is Wild.RUN:
            last_run, resume = at, position
            at += 1
        elif token is Wild.ONE or token == text[position]:
            at, position = at + 1, position + 1
        elif last_run >= 0:
            # Only the latest run needs to grow: the text before it has found its place for good.
            resume += 1
            at, position = last_run + 1, resume
        else:
            return False
    while at < len(wanted) and wanted[at] is Wild.RUN:
        work.spend(1)
        at += 1
    return at == len(wanted)


def _asked(left: Value, word: str) -> bool | None:
    match word:
        case "*":
            return left.exists
        case "null":
            return left.type in (Type.NONE, Type.NULL)
        case "true":
            return is_truthy(left)
        case "false":
            return _is_falsy(left)
        case _:
            return None


def _is_falsy(value: Value) -> bool:
    match value.type:
        case Type.NONE | Type.NULL | Type.FALSE:
            return True
        case Type.NUMBER:
            return number(value.raw) == 0
        case Type.STRING:
            return value.string().lower() in _NO
        case _:
            return False


def _holds_for_string(condition: Condition, left: Value) -> bool:
    text, operator = left.string(), condition.operator
    if operator in ("%", "!%"):
        return matches(text, condition.pattern, left.source.work) is (operator == "%")
    return _compare(text, operator, condition.right)


def _holds_for_bool(operator: str, right: str, *, left: bool) -> bool:
    word, other = ("true", "false") if left else ("false", "true")
    always, beyond = (">=", ">") if left else ("<=", "<")
    verdicts = {"=": right == word, "!=": right != word, beyond: right == other, always: True}
    return verdicts.get(operator, False)


def _compare(left: str | float, operator: str, right: str | float) -> bool:
    compare = _COMPARISONS.get(operator)
    return compare is not None and bool(compare(left, right))
