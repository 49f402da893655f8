"""Makes plain values fit the settings as leniently as the reference does, and says what cannot."""

import difflib
from collections.abc import Iterable
from typing import Any, Literal, get_args, get_origin

import msgspec

from app.config.section import Section
from app.config.settings import entry_of, is_section, settings, unwrap
from app.config.values import Duration, Secret, parse_bool, parse_duration, parse_int

Path = tuple[str, ...]


def fitted(
    values: dict[str, Any],
    section: type[Section],
    problems: list[str],
    unread: list[Path],
    path: Path = (),
) -> dict[str, Any]:
    """Give the values of a section as they can be converted.

    A key without a value counts as not given. What cannot be meant is told to *problems*, all of
    it and not the first alone, and left out; *unread* learns which settings that were.
    """
    known = {item.name: item.type for item in msgspec.structs.fields(section)}
    found = {}
    for key, value in values.items():
        here = (*path, str(key))
        if key not in known:
            problems.append(f"unknown key '{'.'.join(here)}'{_hint(here, known)}")
        elif value is not None:
            told = len(problems)
            fit = _fit(value, known[key], problems, unread, here)
            if len(problems) == told or _is_part(value, known[key]):
                found[key] = fit
            else:
                unread.append(here)
    return found


def decode(kind: type, value: Any) -> Any:  # noqa: ANN401  # msgspec's hook
    """Read a kind of value that msgspec does not know."""
    if kind is Secret and isinstance(value, str):
        return Secret(value)
    if kind is Duration and (isinstance(value, str) or value == 0):
        return parse_duration(str(value))
    raise ValueError("expected a text such as '12h'" if kind is Duration else "expected a text")


def _is_part(value: Any, annotation: Any) -> bool:  # noqa: ANN401  # plain values
    """Say whether a value is a section, of which the rest is good where something is not."""
    return isinstance(value, dict) and is_section(unwrap(annotation)[0])


def _fit(
    value: Any,  # noqa: ANN401  # plain values
    annotation: Any,  # noqa: ANN401  # any annotation
    problems: list[str],
    unread: list[Path],
    path: Path,
) -> Any:  # noqa: ANN401  # plain values
    kind, _ = unwrap(annotation)
    entry = entry_of(kind)
    told = len(problems)
    if is_section(kind) and isinstance(value, dict):
        value = fitted(value, kind, problems, unread, path)
    elif entry is not None and isinstance(value, dict):
        value = {
            key: _fit(one, entry, problems, unread, (*path, str(key)))
            for key, one in value.items()
            if one is not None
        }
    elif get_origin(kind) is list:
        value = _list(value, get_args(kind)[0], problems, unread, path)
    elif get_origin(kind) is not dict or get_args(kind)[-1] is str:
        value = _plain(value, kind)
    if len(problems) == told:
        problems += _problem(value, annotation, path)
    return value


def _list(
    value: Any,  # noqa: ANN401  # plain values
    inner: Any,  # noqa: ANN401  # any annotation
    problems: list[str],
    unread: list[Path],
    path: Path,
) -> Any:  # noqa: ANN401  # plain values
    """Make a list of a single value that stands without one."""
    if isinstance(value, dict) and not is_section(inner):
        return value
    items = value if isinstance(value, list) else [value]
    if not is_section(inner):
        return [_scalar(one, inner) for one in items]
    places = [(*path[:-1], f"{path[-1]}[{number}]") for number in range(len(items))]
    return [
        _fit(one, inner, problems, unread, here) for one, here in zip(items, places, strict=True)
    ]


def _plain(value: Any, kind: Any) -> Any:  # noqa: ANN401  # plain values
    """Leave out keys without a value."""
    if isinstance(value, dict):
        inner = get_args(kind)[-1] if get_origin(kind) is dict else None
        return {key: _plain(one, inner) for key, one in value.items() if one is not None}
    return _scalar(value, kind)


def _scalar(value: Any, kind: Any) -> Any:  # noqa: ANN401  # plain values
    """Turn a number or a truth into a text, and a text into those, where that is what is asked."""
    try:
        if kind is bool:
            return _truth(value)
        if kind is int and isinstance(value, str):
            return parse_int(value)
    except ValueError:  # told by what converts it
        return value
    if (kind in (str, Secret) or get_origin(kind) is Literal) and isinstance(value, int | float):
        return str(int(value) if isinstance(value, bool) else value)
    return value


def _truth(value: Any) -> Any:  # noqa: ANN401  # plain values
    if isinstance(value, str):
        return parse_bool(value) if value else False
    return value != 0 if isinstance(value, int | float) else value


def _problem(value: Any, annotation: Any, path: Path) -> list[str]:  # noqa: ANN401  # plain values
    """Say what is wrong with a value, its dotted place first; nothing where it fits."""
    kind, _ = unwrap(annotation)
    try:
        msgspec.convert(value, annotation, strict=False, dec_hook=decode)
    except msgspec.ValidationError as error:
        why, _, place = str(error).partition(" - at `$")
        if get_origin(kind) is Literal:
            why += f"; it takes {', '.join(get_args(kind))}"
        return [f"{'.'.join(path)}{place.rstrip('`')}: {why}"]
    return []


def _is_like(one: str, other: str) -> bool:
    return bool(difflib.get_close_matches(one, [other], cutoff=0.7))


def _hint(path: Path, known: Iterable[str]) -> str:
    """Name the key that was meant: one whose own name is alike, at the place that is nearest."""
    paths = {s.path[:n] for s in settings() for n in range(1, len(s.path) + 1)}
    paths |= {(*path[:-1], name) for name in known}
    names = {".".join(one) for one in paths if _is_like(path[-1], one[-1])}
    close = difflib.get_close_matches(".".join(path), sorted(names), n=1, cutoff=0.6)
    return f"; did you mean '{close[0]}'?" if close else ""
