"""The modifiers of the path language: conversions of one JSON text into another.

`@dig` is not among them, since its argument is a path; the lookup itself knows it.
"""

from collections.abc import Callable, Iterable, Iterator

from app.claims.gjson_pretty import Layout, pretty
from app.claims.gjson_text import Type, Value, is_valid, number, quote, without_spaces

_READING = 8
"""How much dearer it is to go through a text's tokens than to copy the text."""

_YES = ("1", "t", "true")


def is_truthy(value: Value) -> bool:
    """Say whether a value counts as true: `true`, a number but 0, or a word that says yes."""
    match value.type:
        case Type.TRUE:
            return True
        case Type.NUMBER:
            return number(value.raw) != 0
        case Type.STRING:
            return value.string().lower() in _YES
        case _:
            return False


def array_of(values: Iterable[str]) -> str:
    """Write an array of values already written."""
    return f"[{','.join(values)}]"


def object_of(members: Iterable[tuple[str, str]]) -> str:
    """Write an object of keys and values already written."""
    return f"{{{','.join(f'{key}:{value}' for key, value in members)}}}"


def _this(value: Value, _argument: str) -> str:
    return value.raw


def _reverse(value: Value, _argument: str) -> str:
    if value.is_array:
        return array_of(reversed([element.raw for element in value.elements()]))
    if value.is_object:
        return object_of(reversed([(key.raw, member.raw) for key, member in value.members()]))
    return value.raw


def _ugly(value: Value, _argument: str) -> str:
    _pay_for_reading(value.raw, value)
    return without_spaces(value.raw)


def _pretty(value: Value, argument: str) -> str:
    options = _options(value, argument)
    usual = Layout()
    layout = Layout(
        indent=_blanks(options["indent"]) if "indent" in options else usual.indent,
        prefix=_blanks(options["prefix"]) if "prefix" in options else usual.prefix,
        width=number(options["width"].string()) if "width" in options else usual.width,
        sort_keys="sortKeys" in options and is_truthy(options["sortKeys"]),
    )
    return pretty(value, layout)


def _valid(value: Value, _argument: str) -> str:
    _pay_for_reading(value.raw, value)
    return value.raw if is_valid(value.raw) else ""


def _flatten(value: Value, argument: str) -> str:
    if not value.is_array:
        return value.raw
    if _is_on(value, argument, "deep"):
        return array_of(leaf.raw for leaf in _leaves(value))
    parts = (_content(e) if e.is_array else e.raw for e in value.elements())
    return array_of(part for part in parts if part)


def _join(value: Value, argument: str) -> str:
    if not value.is_array:
        return value.raw
    members = (m for element in value.elements() if element.is_object for m in element.members())
    if _is_on(value, argument, "preserve"):
        return object_of((key.raw, member.raw) for key, member in members)
    joined: dict[str, tuple[str, str]] = {}
    for key, member in members:
        name = key.string()
        spelling, _ = joined.get(name, (key.raw, ""))
        joined[name] = spelling, member.raw
    return object_of(joined.values())


def _keys(value: Value, _argument: str) -> str:
    if value.is_object:
        return array_of(key.raw for key, _ in value.members())
    if value.is_array:
        return array_of("null" for _ in value.elements())
    return "[null]" if value.exists else "[]"


def _values(value: Value, _argument: str) -> str:
    if value.is_object:
        return array_of(member.raw for _, member in value.members())
    return value.raw if value.is_array else array_of([value.raw])


def _to_string(value: Value, _argument: str) -> str:
    _pay_for_reading(value.raw, value)
    return quote(value.raw)


def _from_string(value: Value, _argument: str) -> str:
    _pay_for_reading(value.raw, value)
    return value.string() if is_valid(value.raw) else ""


def _group(value: Value, _argument: str) -> str:
    if not value.is_object:
        return ""
    groups: list[list[tuple[str, str]]] = []
    for key, member in value.members():
        elements = member.elements() if member.is_array else ()
        for position, element in enumerate(elements):
            if position == len(groups):
                groups.append([])
            groups[position].append((key.raw, element.raw))
    return array_of(object_of(group) for group in groups)


Conversion = Callable[[Value, str], str]
"""Makes a new JSON text from a value and the modifier's argument; empty text for no result."""

MODIFIERS: dict[str, Conversion] = {
    "this": _this,
    "reverse": _reverse,
    "ugly": _ugly,
    "pretty": _pretty,
    "valid": _valid,
    "flatten": _flatten,
    "join": _join,
    "keys": _keys,
    "values": _values,
    "tostr": _to_string,
    "fromstr": _from_string,
    "group": _group,
}


def _options(value: Value, argument: str) -> dict[str, Value]:
    given = value.derive(argument)
    members = given.members() if given.is_object else ()
    return {key.string(): option for key, option in members}


def _is_on(value: Value, argument: str, option: str) -> bool:
    options = _options(value, argument)
    return option in options and is_truthy(options[option])


def _blanks(option: Value) -> str:
    return "".join(character for character in option.string() if character in " \t\r\n")


def _content(array: Value) -> str:
    return array.raw.removeprefix("[").removesuffix("]").strip(" \t\r\n")


def _leaves(array: Value) -> Iterator[Value]:
    trail = [array.elements()]
    while trail:
        element = next(trail[-1], None)
        if element is None:
            trail.pop()
        elif element.is_array:
            trail.append(element.elements())
        else:
            yield element


def _pay_for_reading(text: str, value: Value) -> None:
    value.source.work.copy(len(text) * _READING)
